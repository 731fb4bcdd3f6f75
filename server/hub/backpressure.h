/*
 * backpressure.h: slow readers. Nobody is dropped for being slow, and nobody stalls the room: a
 * reader that falls a whole log behind makes the room wait, by not reading from the senders, for as
 * long as -w allows; then the reader is moved ahead and told what it has missed.
 */
#ifndef SERVER_HUB_BACKPRESSURE_H
#define SERVER_HUB_BACKPRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "pacing.h"

struct connections;

struct backpressure {
    struct pacing pacing;
    uint64_t since;         /* the room waits since then; 0: it does not */
    uint64_t waiting_floor; /* where the slowest reader was then */
    uint64_t left;          /* how long the room may still wait */
    bool is_short;          /* this turn began without space for a line */
    bool is_waiting;        /* and somebody has something to say */
};

/* limit_us: how long the room waits, in any ten times that time. */
void backpressure_init(struct backpressure *, uint64_t limit_us);
/* Finds how much may be said in this turn (turn.head_max), after moving readers ahead if need be.
 */
void backpressure_begin(struct backpressure *, struct connections *);
/* After the reading: whether anybody with something to say has to wait (turn.waits). */
void backpressure_end(struct backpressure *, struct connections *);
/*
 * At a turn's end: when the room that waits looks again whether it still must; TIME_NEVER where it
 * does not wait.
 */
uint64_t backpressure_due(struct backpressure *, struct connections *);

#endif
