/*
 * display.h: shows the number of members and the addresses in the process's title, for ps(1), and
 * in the service manager's status, which has the nodes of a cluster, too.
 */
#ifndef SERVER_DISPLAY_H
#define SERVER_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat/compat.h"
#include "notify.h"

struct hub;
struct listeners;

/* Of all addresses in a line. */
#define DISPLAY_WHERE_MAX 256

struct display {
    struct proctitle title;
    const struct notify *notify;
    size_t titled;        /* members that the title shows */
    size_t notified;      /* members in the last status that the service manager was sent */
    uint64_t notified_at; /* when */
    bool shared;          /* that status had nodes: it is sent again even if nobody comes or goes */
    char where[DISPLAY_WHERE_MAX];
};

/* The room is ready on these addresses: shows it. Title and notify are set. */
void display_begin(struct display *, const struct listeners *, const struct hub *);
/* Keeps both up to date; in how many milliseconds again, -1: no need. */
int display_turn(struct display *, const struct hub *, uint64_t now);
/* The service manager's status has another text now: sends the number of members again. */
void display_again(struct display *);

#endif
