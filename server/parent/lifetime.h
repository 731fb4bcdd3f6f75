/*
 * lifetime.h: when the server ends: a stop that is under way, and a room that stays empty (-x).
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

/* Zeroed but for the pointers and empty_us, no stop is under way. */
struct lifetime {
    struct hub *hub;
    struct listeners *listeners;
    const struct notify *notify;
    const struct report *report;
    uint64_t empty_us;    /* -x; 0: never */
    uint64_t empty_since; /* there has been no client since then; 0: there is one */
    uint64_t kill_at;     /* when a stop that is under way kills the workers; 0: there is none */
};

/* Begins a stop, once: nobody is admitted, pending output is flushed. */
void lifetime_stop(struct lifetime *, const char *why, uint64_t now);
/* A stop is under way. */
bool lifetime_is_stopping(const struct lifetime *);
/* Ends the grace period of a stop that is under way. */
void lifetime_hurry(struct lifetime *, uint64_t now);
/* Kills workers when it is time; in how many milliseconds again, -1: no need. */
int lifetime_turn(struct lifetime *, uint64_t now);
/* Nothing was ready in this turn: begins the stop where the room has been empty for long enough. */
void lifetime_idle(struct lifetime *, uint64_t now);
/* The stop is over. */
bool lifetime_is_over(const struct lifetime *, uint64_t now);
/* Writes it for the next program, or takes it over; see codec.h. */
void lifetime_state(struct lifetime *, struct codec *);

#endif
