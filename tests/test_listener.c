/*
 * test_listener.c: accept(2) and the poller fail, for a while or once: no connection is lost, no
 * listener is looked at in vain, and the log has one line for each episode. Their calls go through
 * functions of this file.
 */
#include "harness.h"

#include "compat/compat.h"
#include "compat/poller.h"
#include "server/parent/bind.h"
#include "server/parent/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

int __real_accept_cloexec_nonblock(int, struct sockaddr *, socklen_t *);
int __wrap_accept_cloexec_nonblock(int, struct sockaddr *, socklen_t *);
int __real_poller_set(struct poller *, int, short, void *);
int __wrap_poller_set(struct poller *, int, short, void *);

static int accept_error; /* what accept(2) fails with now; 0: it does not */
static int accept_calls;
static bool poller_fails;

int __wrap_accept_cloexec_nonblock(int fd, struct sockaddr *address, socklen_t *len)
{
    accept_calls++;
    if (accept_error == 0)
        return __real_accept_cloexec_nonblock(fd, address, len);
    errno = accept_error;
    return -1;
}

int __wrap_poller_set(struct poller *poller, int fd, short events, void *tag)
{
    if (poller_fails && events != 0) {
        errno = ENOSPC;
        return -1;
    }
    return __real_poller_set(poller, fd, events, tag);
}

/* ---- Two listeners, and their log in a file ---- */

struct door {
    struct report report;
    struct listeners listeners;
    char paths[2][PATH_TEXT_MAX];
    int log;
    uint64_t now;
};

static void door_open(struct door *d)
{
    char log[PATH_TEXT_MAX];
    memset(d, 0, sizeof *d);
    test_path(log, "log");
    d->log = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ne(dup2(d->log, STDERR_FILENO), -1);
    d->report.level = LOG_DEBUG;
    d->listeners.report = &d->report;
    d->listeners.poller = poller_new();
    ck_assert_ptr_nonnull(d->listeners.poller);
    for (int i = 0; i < 2; i++) {
        test_path(d->paths[i], i == 0 ? "one" : "two");
        ck_assert_int_eq(bind_path(&d->listeners, d->paths[i], 0600), 0);
    }
    d->now = 1000000;
}

static void door_close(struct door *d)
{
    listeners_close(&d->listeners);
    poller_free(d->listeners.poller);
}

/* Times that it was said that connections cannot be accepted. */
static int times_said(const struct door *d)
{
    char text[4096];
    ssize_t n = pread(d->log, text, sizeof text - 1, 0);
    int count = 0;
    text[n > 0 ? n : 0] = '\0';
    for (const char *at = text; (at = strstr(at, "cannot accept")) != NULL; at++)
        count++;
    return count;
}

static int connect_to(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

/* As the loop does it; how many were accepted. */
static int door_turn(struct door *d)
{
    struct poller_event events[8];
    struct accepted client;
    int accepted = 0;
    (void)listeners_turn(&d->listeners, d->now);
    int n = poller_wait(d->listeners.poller, 0, NULL, events, COUNT_OF(events));
    for (int i = 0; i < n; i++)
        while (listeners_accept(&d->listeners, events[i].tag, d->now, &client)) {
            close(client.fd);
            accepted++;
        }
    return accepted;
}

/* ---- The tests ---- */

static const int lasting[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EACCES, EIO};

START_TEST(accept_fails_for_a_while)
{
    struct door d;
    door_open(&d);
    int first = connect_to(d.paths[0]);
    int second = connect_to(d.paths[1]);
    accept_error = lasting[_i];
    accept_calls = 0;
    for (int ms = 0; ms < 2000; ms++, d.now += 1000)
        ck_assert_int_eq(door_turn(&d), 0);
    ck_assert_int_le(accept_calls, 20);
    ck_assert_int_ge(accept_calls, 15);
    ck_assert_int_eq(times_said(&d), 1);
    accept_error = 0;
    d.now += 100000;
    ck_assert_int_eq(door_turn(&d), 2);
    ck_assert_int_eq(times_said(&d), 1);
    close(first);
    close(second);
    door_close(&d);
}
END_TEST

/* One connection is accepted now and then: the episode ends only when all are. */
START_TEST(accept_fails_now_and_then)
{
    struct door d;
    struct accepted client;
    int fds[10];
    door_open(&d);
    for (int i = 0; i < 10; i++)
        fds[i] = connect_to(d.paths[0]);
    for (int i = 0; i < 10; i++, d.now += 200000) {
        accept_error = EMFILE;
        ck_assert_int_eq(door_turn(&d), 0);
        accept_error = 0;
        listeners_resume(&d.listeners);
        ck_assert(listeners_accept(&d.listeners, &d.listeners.all[0], d.now, &client));
        close(client.fd);
        close(fds[i]);
    }
    ck_assert_int_eq(times_said(&d), 1);
    ck_assert_int_eq(door_turn(&d), 0);
    ck_assert(!listeners_accept(&d.listeners, &d.listeners.all[0], d.now, &client));
    fds[0] = connect_to(d.paths[0]);
    accept_error = EMFILE;
    ck_assert_int_eq(door_turn(&d), 0);
    ck_assert_int_eq(times_said(&d), 2);
    accept_error = 0;
    close(fds[0]);
    door_close(&d);
}
END_TEST

static const int passing[] = {EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH};

/* A connection that failed before it was accepted is no reason to wait. */
START_TEST(a_connection_fails)
{
    struct door d;
    door_open(&d);
    int fd = connect_to(d.paths[0]);
    accept_error = passing[_i];
    ck_assert_int_eq(door_turn(&d), 0);
    accept_error = 0;
    ck_assert_int_eq(door_turn(&d), 1);
    ck_assert_int_eq(times_said(&d), 0);
    close(fd);
    door_close(&d);
}
END_TEST

START_TEST(the_poller_fails)
{
    struct door d;
    door_open(&d);
    int fd = connect_to(d.paths[0]);
    accept_error = ENFILE;
    ck_assert_int_eq(door_turn(&d), 0);
    accept_error = 0;
    poller_fails = true;
    for (int i = 0; i < 10; i++, d.now += 100000)
        ck_assert_int_eq(door_turn(&d), 0);
    ck_assert_int_gt(listeners_turn(&d.listeners, d.now), 0);
    poller_fails = false;
    d.now += 200000;
    ck_assert_int_eq(door_turn(&d), 1);
    close(fd);
    door_close(&d);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {accept_fails_for_a_while, COUNT_OF(lasting), 20},
        {accept_fails_now_and_then, 1, 20},
        {a_connection_fails, COUNT_OF(passing), 20},
        {the_poller_fails, 1, 20},
    };
    return tests_run("listener", tests, COUNT_OF(tests));
}
