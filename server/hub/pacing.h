/*
 * pacing.h: how long the room may still wait for slow readers: at most limit in any ten times
 * limit, however the waits are spread. All times are in microseconds of one monotonic clock.
 */
#ifndef SERVER_PACING_H
#define SERVER_PACING_H

#include <stdint.h>

#define PACING_SLOTS 100

/* The last ten limits, and a little more, as slots, each with the time waited in it. */
struct pacing {
    uint64_t limit;
    uint64_t slot; /* number of the slot that now is in */
    uint64_t waited[PACING_SLOTS];
    uint64_t sum;
};

void pacing_init(struct pacing *, uint64_t limit_us);
/* Books a wait of that many microseconds, which ends now and is no longer than what was left. */
void pacing_wait(struct pacing *, uint64_t now, uint64_t took);
/* How much may be waited from now on at a stretch. */
uint64_t pacing_left(struct pacing *, uint64_t now);

#endif
