/* What poller.h promises. test_poller_poll.c runs the same over the portable implementation. */
#include "compat/compat.h"
#include "compat/poller.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A pair whose first end is polled. */
struct pair {
    int end[2];
};

static void pair_open(struct pair *pair)
{
    ck_assert_int_eq(socketpair_cloexec_nonblock(pair->end), 0);
}

static void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        if (pair->end[i] != -1)
            close(pair->end[i]);
}

static void pair_write(struct pair *pair)
{
    ck_assert_int_eq(write(pair->end[1], "x", 1), 1);
}

/* What one look says of this tag, 0 where it does not come. */
static short look(struct poller *p, const void *tag)
{
    struct poller_event events[64];
    short revents = 0;

    int n = poller_wait(p, 0, NULL, events, COUNT_OF(events));
    ck_assert_int_ge(n, 0);
    for (int i = 0; i < n; i++)
        if (events[i].tag == tag)
            revents = events[i].revents;
    return revents;
}

START_TEST(says_what_is_asked_for)
{
    struct poller *p = poller_new();
    struct pair a, b;
    pair_open(&a);
    pair_open(&b);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLIN, &a), 0);
    ck_assert_int_eq(poller_set(p, b.end[0], POLLIN, &b), 0);
    ck_assert_int_eq(look(p, &a), 0);

    pair_write(&a);
    ck_assert_int_eq(look(p, &a), POLLIN);
    ck_assert_int_eq(look(p, &a), POLLIN);
    ck_assert_int_eq(look(p, &b), 0);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLIN | POLLOUT, &a), 0);
    ck_assert_int_eq(look(p, &a), POLLIN | POLLOUT);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLOUT, &b), 0);
    ck_assert_int_eq(look(p, &b), POLLOUT);
    ck_assert_int_eq(look(p, &a), 0);

    pair_close(&a);
    pair_close(&b);
    poller_free(p);
}
END_TEST

START_TEST(nothing_is_said_without_interest)
{
    struct poller *p = poller_new();
    struct pair a;
    pair_open(&a);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLIN, &a), 0);
    pair_write(&a);
    close(a.end[1]);
    a.end[1] = -1;
    ck_assert_int_eq(look(p, &a), POLLIN | POLLHUP);
    ck_assert_int_eq(poller_set(p, a.end[0], 0, &a), 0);
    ck_assert_int_eq(look(p, &a), 0);
    ck_assert_int_eq(poller_set(p, a.end[0], 0, &p), 0);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLIN, &p), 0);
    ck_assert_int_eq(look(p, &p), POLLIN | POLLHUP);
    pair_close(&a);
    poller_free(p);
}
END_TEST

START_TEST(a_removed_descriptor_may_come_back_as_another)
{
    struct poller *p = poller_new();
    struct pair a, b;
    pair_open(&a);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLOUT, &a), 0);
    poller_remove(p, a.end[0]);
    poller_remove(p, a.end[0]);
    poller_remove(p, 1000);
    poller_remove(p, -1);
    ck_assert_int_eq(look(p, &a), 0);
    pair_close(&a);

    pair_open(&b);
    ck_assert_int_eq(b.end[0], a.end[0]);
    ck_assert_int_eq(poller_set(p, b.end[0], POLLOUT, &b), 0);
    ck_assert_int_eq(look(p, &b), POLLOUT);
    pair_close(&b);
    poller_free(p);
}
END_TEST

START_TEST(what_is_no_descriptor_is_refused)
{
    struct poller *p = poller_new();
    ck_assert_int_eq(poller_set(p, -1, POLLIN, p), -1);
    ck_assert_int_eq(errno, EBADF);
    poller_free(p);
    poller_free(NULL);
}
END_TEST

/* Ten are ready all the time and three fit: all must have come after four looks. */
START_TEST(none_is_left_behind)
{
    enum { PAIRS = 10, FIT = 3 };
    struct poller *p = poller_new();
    struct pair pairs[PAIRS];
    int seen[PAIRS] = {0};

    for (int i = 0; i < PAIRS; i++) {
        pair_open(&pairs[i]);
        ck_assert_int_eq(poller_set(p, pairs[i].end[0], POLLOUT, &seen[i]), 0);
    }
    for (int round = 0; round < 4; round++) {
        struct poller_event events[FIT];
        ck_assert_int_eq(poller_wait(p, 0, NULL, events, FIT), FIT);
        for (int i = 0; i < FIT; i++)
            ++*(int *)events[i].tag;
    }
    for (int i = 0; i < PAIRS; i++) {
        ck_assert_int_ge(seen[i], 1);
        pair_close(&pairs[i]);
    }
    poller_free(p);
}
END_TEST

static volatile sig_atomic_t handled;

static void handle(int sig)
{
    (void)sig;
    handled++;
}

START_TEST(a_blocked_signal_ends_the_wait_only)
{
    struct poller *p = poller_new();
    struct poller_event event;
    struct sigaction action = {.sa_handler = handle};
    sigset_t blocked, old;

    handled = 0;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    sigdelset(&old, SIGUSR1);
    raise(SIGUSR1);
    ck_assert_int_eq(handled, 0);
    ck_assert_int_eq(poller_wait(p, -1, &old, &event, 1), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(handled, 1);
    raise(SIGUSR1);
    ck_assert_int_eq(handled, 1);
    ck_assert_int_eq(poller_wait(p, 0, NULL, &event, 1), 0);
    poller_free(p);
}
END_TEST

START_TEST(the_time_is_kept)
{
    struct poller *p = poller_new();
    struct poller_event event;
    struct pair a;

    pair_open(&a);
    ck_assert_int_eq(poller_set(p, a.end[0], POLLIN, &a), 0);
    int64_t start = clock_ms();
    ck_assert_int_eq(poller_wait(p, 30, NULL, &event, 1), 0);
    ck_assert_int_ge(clock_ms() - start, 29);
    pair_write(&a);
    ck_assert_int_eq(poller_wait(p, -1, NULL, &event, 1), 1);
    ck_assert_ptr_eq(event.tag, &a);
    pair_close(&a);
    poller_free(p);
}
END_TEST

/* Any order of changes: what is said is what is wanted of what is so. */
enum { MODEL_PAIRS = 100, MODEL_STEPS = 20000 };

struct model {
    struct pair pair;
    bool written;
    short wanted;
};

static void model_change(struct poller *p, struct model *m, int what)
{
    static const short choices[] = {0, POLLIN, POLLOUT, POLLIN | POLLOUT};
    char byte;

    switch (what) {
    case 0:
        poller_remove(p, m->pair.end[0]);
        m->wanted = 0;
        break;
    case 1:
        if (m->written)
            ck_assert_int_eq(read(m->pair.end[0], &byte, 1), 1);
        else
            pair_write(&m->pair);
        m->written = !m->written;
        break;
    default:
        m->wanted = choices[rand() % 4];
        ck_assert_int_eq(poller_set(p, m->pair.end[0], m->wanted, m), 0);
        break;
    }
}

static void model_compare(struct poller *p, const struct model models[MODEL_PAIRS])
{
    static struct poller_event events[2 * MODEL_PAIRS];
    short said[MODEL_PAIRS] = {0};

    int n = poller_wait(p, 0, NULL, events, COUNT_OF(events));
    ck_assert_int_ge(n, 0);
    for (int i = 0; i < n; i++) {
        ptrdiff_t which = (struct model *)events[i].tag - models;
        ck_assert_int_eq(said[which], 0);
        said[which] = events[i].revents;
    }
    for (int i = 0; i < MODEL_PAIRS; i++) {
        short is = models[i].written ? POLLIN | POLLOUT : POLLOUT;
        ck_assert_int_eq(said[i], models[i].wanted & is);
    }
}

START_TEST(any_order_of_changes)
{
    static struct model models[MODEL_PAIRS];
    struct poller *p = poller_new();

    srand((unsigned)_i);
    memset(models, 0, sizeof models);
    for (int i = 0; i < MODEL_PAIRS; i++)
        pair_open(&models[i].pair);
    for (int step = 0; step < MODEL_STEPS; step++) {
        model_change(p, &models[rand() % MODEL_PAIRS], rand() % 4);
        if (step % 16 == 0)
            model_compare(p, models);
    }
    for (int i = 0; i < MODEL_PAIRS; i++)
        pair_close(&models[i].pair);
    poller_free(p);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {says_what_is_asked_for, 1, 10},
        {nothing_is_said_without_interest, 1, 10},
        {a_removed_descriptor_may_come_back_as_another, 1, 10},
        {what_is_no_descriptor_is_refused, 1, 10},
        {none_is_left_behind, 1, 10},
        {a_blocked_signal_ends_the_wait_only, 1, 10},
        {the_time_is_kept, 1, 10},
        {any_order_of_changes, 3, 30},
    };
    return tests_run("poller", tests, COUNT_OF(tests));
}
