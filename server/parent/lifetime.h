/*
 * lifetime.h: when the server exits: the stop with its grace period, and an empty room (-x).
 */
#ifndef SERVER_LIFETIME_H
#define SERVER_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "server/report.h"

struct codec;
struct hub;
struct listeners;
struct notify;

/* Set the pointers and empty_us, and zero the rest: no stop is under way. */
struct lifetime {
    struct hub *hub;
    struct listeners *listeners;
    const struct notify *notify;
    const struct report *report;
    uint64_t empty_us;    /* -x; 0: never */
    uint64_t empty_since; /* there has been no client since then; 0: there is one */
    uint64_t kill_at;     /* when a stop that is under way kills the workers; 0: there is none */
};

/* Begins a stop, once: nobody is admitted, pending output is flushed. Why is logged, with that
 * priority (see syslog(3)), and told to the service manager. */
void lifetime_stop(struct lifetime *, int priority, const char *why, uint64_t now);
/* A stop is under way. */
bool lifetime_is_stopping(const struct lifetime *);
/* Ends the grace period of a stop that is under way. */
void lifetime_hurry(struct lifetime *, uint64_t now);
/* Kills workers when it is time; in how many milliseconds again, -1: no need. */
int lifetime_turn(struct lifetime *, uint64_t now);
/* To be called when nothing was ready: begins the stop if the room has been empty for empty_us. */
void lifetime_idle(struct lifetime *, uint64_t now);
/* The stop is over. */
bool lifetime_is_over(const struct lifetime *, uint64_t now);
/* Writes it for the next program, or takes it over; see codec.h. */
void lifetime_state(struct lifetime *, struct codec *);

#endif
