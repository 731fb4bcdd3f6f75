/*
 * clock.h: deadlines in milliseconds of the monotonic clock, of which -1 is never.
 */
#ifndef CLIENT_CLOCK_H
#define CLIENT_CLOCK_H

#include <stdint.h>

int64_t clock_now(void);
/* How long poll(2) may wait until then: 0 when it is past; -1 where deadline is never. */
int clock_left(int64_t deadline);
/* The earlier of two deadlines. */
int64_t clock_earlier(int64_t a, int64_t b);

#endif
