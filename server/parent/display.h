/*
 * display.h: shows how many members the room has, and where it listens: to ps(1) by the process's
 * title, and to the service manager.
 */
#ifndef SERVER_DISPLAY_H
#define SERVER_DISPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "compat/compat.h"
#include "notify.h"

struct listeners;

/* Of all addresses in a line. */
#define DISPLAY_WHERE_MAX 256

struct display {
    struct proctitle title;
    const struct notify *notify;
    size_t titled;    /* members that the title shows */
    size_t told;      /* members that the service manager was told of */
    uint64_t told_at; /* when */
    char where[DISPLAY_WHERE_MAX];
};

/* The room is ready on these addresses: shows it. Title and notify are set. */
void display_begin(struct display *, const struct listeners *, size_t members);
/* Keeps both up to date; in how many milliseconds again, -1: no need. */
int display_turn(struct display *, size_t members, uint64_t now);
/* The service manager was told something else: tells it how many members there are. */
void display_again(struct display *);

#endif
