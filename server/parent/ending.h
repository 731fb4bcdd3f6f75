/*
 * ending.h: when the server ends: a stop that is under way, and a room that nobody enters (-x).
 */
#ifndef SERVER_ENDING_H
#define SERVER_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "server/report.h"

struct codec;
struct hub;
struct listeners;
struct notify;

/* Zeroed but for the pointers and empty_us, no stop is under way. */
struct ending {
    struct hub *hub;
    struct listeners *listeners;
    const struct notify *notify;
    const struct report *report;
    uint64_t empty_us;    /* -x; 0: never */
    uint64_t empty_since; /* there has been no client since then; 0: there is one */
    uint64_t kill_at;     /* when a stop that is under way kills the workers; 0: there is none */
};

/* Begins a stop, once: nobody is admitted, pending output is flushed. */
void ending_begin(struct ending *, const char *why, uint64_t now);
/* A stop is under way. */
bool ending_has_begun(const struct ending *);
/* Kills the workers now, where a stop is under way. */
void ending_hurry(struct ending *);
/* Kills workers when it is time; in how many milliseconds again, -1: no need. */
int ending_turn(struct ending *, uint64_t now);
/* Nothing was ready in this turn: begins the stop where the room has been empty for long enough. */
void ending_idle(struct ending *, uint64_t now);
/* The stop is over. */
bool ending_is_over(const struct ending *, uint64_t now);
/* Writes it for the next program, or takes it over; see codec.h. */
void ending_state(struct ending *, struct codec *);

#endif
