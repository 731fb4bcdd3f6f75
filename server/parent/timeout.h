/*
 * timeout.h: timeouts for poll(2), in milliseconds; -1 is none.
 */
#ifndef SERVER_TIMEOUT_H
#define SERVER_TIMEOUT_H

#include <stdint.h>

/* The shorter of two. */
static inline int timeout_earlier(int a, int b)
{
    if (a == -1 || b == -1)
        return a == -1 ? b : a;
    return a < b ? a : b;
}

/* Until that time, in microseconds of clock_us(), rounded up; an hour at most. */
static inline int timeout_until(uint64_t when, uint64_t now)
{
    if (when <= now)
        return 0;
    return when - now > 3600000000u ? 3600000 : (int)((when - now + 999) / 1000);
}

#endif
