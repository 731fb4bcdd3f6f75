/*
 * test_timers.c: the heap against a list that is searched: at each step the next time and the
 * timers that are due are the same.
 */
#include "harness.h"
#include "server/hub/timers.h"

#include <stdio.h>
#include <string.h>

#define TIMERS 300

struct model {
    struct timers timers;
    struct timer timer[TIMERS];
    uint64_t at[TIMERS]; /* TIME_NEVER: not set */
    uint32_t seed;
};

static uint32_t random_next(struct model *m, uint32_t limit)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)m->seed * limit) >> 32);
}

static uint64_t model_next(const struct model *m)
{
    uint64_t next = TIME_NEVER;

    for (size_t i = 0; i < TIMERS; i++)
        next = m->at[i] < next ? m->at[i] : next;
    return next;
}

static void model_open(struct model *m, uint32_t seed)
{
    memset(m, 0, sizeof *m);
    m->seed = seed;
    for (size_t i = 0; i < TIMERS; i++)
        m->at[i] = TIME_NEVER;
}

/* All that is due now, in the order of its times. */
static void take_due(struct model *m, uint64_t now)
{
    struct timer *timer;
    uint64_t last = 0;

    while ((timer = timers_take_due(&m->timers, now)) != NULL) {
        size_t i = (size_t)(timer - m->timer);

        ensure(m->at[i] <= now && m->at[i] >= last, "%zu is not due, or too late", i);
        last = m->at[i];
        m->at[i] = TIME_NEVER;
    }
    ensure(model_next(m) > now, "one that is due was not given");
}

START_TEST(the_earliest_first)
{
    struct model m;
    uint64_t now = 0;

    model_open(&m, (uint32_t)_i);
    ensure(timers_next(&m.timers) == TIME_NEVER && timers_take_due(&m.timers, 99) == NULL, "empty");
    ensure(timers_reserve(&m.timers, TIMERS), "no memory");
    for (int step = 0; step < 30000; step++) {
        size_t i = random_next(&m, TIMERS);
        uint64_t at = now + random_next(&m, 1000);

        if (random_next(&m, 3) == 0)
            at = TIME_NEVER;
        timer_set(&m.timers, &m.timer[i], at);
        m.at[i] = at;
        ensure(timers_next(&m.timers) == model_next(&m), "the next");
        if (random_next(&m, 20) == 0)
            take_due(&m, now += random_next(&m, 100));
    }
    take_due(&m, TIME_NEVER - 1);
    ensure(timers_next(&m.timers) == TIME_NEVER, "nothing is left");
    timers_free(&m.timers);
}
END_TEST

/* Space that was made for some is enough for as many at once, and asking again costs nothing. */
START_TEST(space)
{
    static struct timer timer[1000];
    struct timers timers = {0};

    for (size_t n = 1; n <= 1000; n++) {
        ensure(timers_reserve(&timers, n) && timers.room >= n, "no memory");
        timer_set(&timers, &timer[n - 1], 1000 - n);
        ensure(timers.count == n && timers_next(&timers) == 1000 - n, "the last is the next");
    }
    for (size_t n = 0; n < 1000; n++)
        timer_set(&timers, &timer[n], TIME_NEVER);
    timer_set(&timers, &timer[0], TIME_NEVER); /* once more: nothing */
    ensure(timers.count == 0, "%zu are left", timers.count);
    timers_free(&timers);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {the_earliest_first, 5, 20},
        {space, 1, 5},
    };

    return tests_run("timers", tests, COUNT_OF(tests));
}
