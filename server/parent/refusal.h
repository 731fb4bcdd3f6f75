/*
 * refusal.h: connections that are refused. They get an error line and are closed when the client
 * has closed, or a moment later: closing with unread input would reset the connection and lose the
 * line.
 */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poller;

/* At most this many wait for their client to close; further ones are closed at once. */
#define REFUSALS_MAX 8

struct refusal {
    int fd;
    uint64_t until;
};

/* Zeroed but for the poller, it is empty. */
struct refusals {
    struct poller *poller;
    struct refusal all[REFUSALS_MAX];
    size_t count;
};

/* Sends "error TEXT" and takes the descriptor. */
void refusals_add(struct refusals *, int fd, const char *text, uint64_t now);
/* The poller reported this tag. False if it is not one of these. */
bool refusals_ready(struct refusals *, void *tag);
/* Closes those that are due; in how many milliseconds again, -1: no need. */
int refusals_turn(struct refusals *, uint64_t now);

#endif
