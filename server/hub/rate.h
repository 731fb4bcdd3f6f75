/*
 * rate.h: a bound on how often something is done (-r): so many times a second, or ten times as many
 * at once. What has been done is a time, which moves ahead with each, and may be ahead of the clock
 * by the length of a burst.
 *
 * Times are microseconds of CLOCK_MONOTONIC.
 */
#ifndef SERVER_HUB_RATE_H
#define SERVER_HUB_RATE_H

#include <stdint.h>

/* How far done may be ahead of the clock. */
#define RATE_BURST_US 10000000u

/* When the next one may be done: at once where that is not later than now. rate 0: no limit. */
static inline uint64_t rate_due(uint64_t done, unsigned rate, uint64_t now)
{
    uint64_t next;

    if (rate == 0)
        return now;
    next = (done > now ? done : now) + 1000000u / rate;
    return next <= now + RATE_BURST_US ? now : next - RATE_BURST_US;
}

/* One is done. Returns the new value of done. */
static inline uint64_t rate_count(uint64_t done, unsigned rate, uint64_t now)
{
    return rate == 0 ? done : (done > now ? done : now) + 1000000u / rate;
}

#endif
