/*
 * test_pacing.c: the room never waits longer than its limit in any ten times the limit. Waits of
 * random lengths at random times are kept in a list, and every window over them is summed up.
 */
#include "harness.h"
#include "server/hub/pacing.h"

#include <string.h>

#define WAITS_MAX 4000

struct wait {
    uint64_t from;
    uint64_t to;
};

struct diary {
    struct wait waits[WAITS_MAX];
    size_t count;
    uint32_t seed;
};

static struct diary diary; /* too large for a stack */

static uint64_t random_next(uint64_t limit)
{
    diary.seed = diary.seed * 1664525u + 1013904223u;
    return (diary.seed >> 8) % limit;
}

/* How much of the window that ends at `end` was waited. */
static uint64_t waited_before(uint64_t end, uint64_t window)
{
    uint64_t begin = end > window ? end - window : 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < diary.count; i++) {
        uint64_t from = diary.waits[i].from > begin ? diary.waits[i].from : begin;
        uint64_t to = diary.waits[i].to < end ? diary.waits[i].to : end;

        if (from < to)
            sum += to - from;
    }
    return sum;
}

static void diary_note(uint64_t from, uint64_t to)
{
    ensure(diary.count < WAITS_MAX, "the diary is full");
    diary.waits[diary.count++] = (struct wait){from, to};
}

/* Windows that end with a wait are the fullest ones. */
static void diary_check(uint64_t limit)
{
    for (size_t i = 0; i < diary.count; i++) {
        uint64_t sum = waited_before(diary.waits[i].to, 10 * limit);

        ensure(sum <= limit, "%llu waited in one window of limit %llu", (unsigned long long)sum,
            (unsigned long long)limit);
    }
}

static const uint64_t limits[] = {1, 7, 1000, 250000, 1000000, 3600000000};

/* A wait is as long as it may be, or shorter; booked at its end, or in parts, as the hub does. */
START_TEST(any_window)
{
    uint64_t limit = limits[_i];
    uint64_t now = 1000000007;
    struct pacing pacing;

    memset(&diary, 0, sizeof diary);
    pacing_init(&pacing, limit);
    for (int i = 0; i < 2000; i++) {
        uint64_t left = pacing_left(&pacing, now);

        ensure(left <= limit, "more is left than there was");
        now += random_next(limit * (random_next(5) == 0 ? 12 : 2) + 1);
        left = pacing_left(&pacing, now);
        if (left == 0)
            continue;
        uint64_t took = random_next(3) == 0 ? left : random_next(left) + 1;
        uint64_t part = random_next(took + 1);
        diary_note(now, now + took);
        pacing_wait(&pacing, now + part, part);
        now += took;
        pacing_wait(&pacing, now, took - part);
    }
    diary_check(limit);
}
END_TEST

/* What was waited comes back, and not much later than it must. */
START_TEST(comes_back)
{
    uint64_t limit = limits[_i];
    uint64_t now = 5 * limit;
    struct pacing pacing;

    pacing_init(&pacing, limit);
    ensure(pacing_left(&pacing, now) == limit, "all is left at first");
    now += limit;
    pacing_wait(&pacing, now, limit);
    ensure(pacing_left(&pacing, now) == 0, "nothing is left");
    ensure(pacing_left(&pacing, now + 8 * limit) == 0, "it is too early");
    ensure(pacing_left(&pacing, now + 11 * limit + 200) == limit, "it is late");
}
END_TEST

START_TEST(no_waiting)
{
    struct pacing pacing;

    pacing_init(&pacing, 0);
    for (uint64_t now = 0; now < 1000; now++)
        ensure(pacing_left(&pacing, now) == 0, "-w 0 waits");
}
END_TEST

/* A room in which nothing happened for years looks no further back than it must. */
START_TEST(long_silence)
{
    struct pacing pacing;

    pacing_init(&pacing, 10);
    pacing_wait(&pacing, 100, 10);
    ensure(pacing_left(&pacing, UINT64_MAX / 2) == 10, "all is left");
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {any_window, COUNT_OF(limits), 20},
        {comes_back, COUNT_OF(limits), 4},
        {no_waiting, 1, 4},
        {long_silence, 1, 4},
    };

    return tests_run("pacing", tests, COUNT_OF(tests));
}
