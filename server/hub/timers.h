/*
 * timers.h: times at which something is due, in a binary heap: setting one costs a few steps
 * however many there are, and nobody is looked at who has nothing to do.
 *
 * Times are microseconds of CLOCK_MONOTONIC.
 */
#ifndef SERVER_HUB_TIMERS_H
#define SERVER_HUB_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_NEVER UINT64_MAX

static inline uint64_t time_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the owner embeds. Zeroed memory is a timer that is not set. */
struct timer {
    uint64_t at;
    size_t place; /* in the heap, from 1; 0: not set */
};

/* Zeroed memory holds none. */
struct timers {
    struct timer **heap;
    size_t count;
    size_t room;
};

/* Makes room for that many timers in all, so that timer_set() cannot fail. False without memory. */
bool timers_reserve(struct timers *, size_t count);
void timers_free(struct timers *);

/* Sets a timer, or moves it; TIME_NEVER clears it. */
void timer_set(struct timers *, struct timer *, uint64_t at);
/* When the first one is due; TIME_NEVER where none is set. */
uint64_t timers_next(const struct timers *);
/* Takes out the first timer that is due; NULL where there is none. */
struct timer *timers_take_due(struct timers *, uint64_t now);

#endif
