/*
 * backpressure.h: slow readers. A reader that falls a whole log behind makes the room wait: no
 * input is read, for as long as -w allows. Then the reader is moved ahead and gets a gap. So a slow
 * reader is neither disconnected nor can it stall the room.
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
    uint64_t waiting_floor; /* the slowest reader's position then */
    uint64_t left;          /* how long the room may still wait */
    bool is_short;          /* this turn began without space for a line */
    bool is_waiting;        /* and there is input */
};

/* limit_us: how long the room waits, in any ten times that time. */
void backpressure_init(struct backpressure *, uint64_t limit_us);
/* Moves readers ahead if necessary, and sets how much may be appended in this turn (turn.head_max).
 */
void backpressure_begin(struct backpressure *, struct connections *);
/* After all input was read: sets whether input has to wait (turn.waits). */
void backpressure_end(struct backpressure *, struct connections *);
/*
 * At a turn's end: when a waiting room must check again; TIME_NEVER if it does not wait.
 */
uint64_t backpressure_due(struct backpressure *, struct connections *);

#endif
