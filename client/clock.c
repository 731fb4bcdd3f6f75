/* clock.c: CLOCK_MONOTONIC in milliseconds. */
#include "clock.h"

#include "../compat/compat.h"

/* The longest single wait, in ms: poll(2) takes an int. */
#define WAIT_MAX 1000000

int64_t clock_now(void)
{
    return (int64_t)(clock_us() / 1000);
}

int clock_left(int64_t deadline)
{
    int64_t left = deadline - clock_now();

    if (deadline < 0)
        return -1;
    if (left < 0)
        return 0;
    return left < WAIT_MAX ? (int)left : WAIT_MAX;
}

int64_t clock_earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}
