/*
 * Strangers: clients that take places, memory and time from others. Whatever they do, two members
 * talk as before, and a client that gives its name at once gets in.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CROWD 120
#define SECRET "open sesame"

/* ---- Helpers ---- */

static struct conn crowd[CROWD];

static void crowd_close(void)
{
    for (size_t i = 0; i < CROWD; i++)
        if (crowd[i].fd > 0)
            conn_close(&crowd[i]);
}

/* The address of the i-th stranger: one for all, or one for each. */
static const char *address_of(size_t i, bool many)
{
    static char text[32];

    snprintf(text, sizeof text, "127.0.9.%zu", many ? i % 250 + 1 : 1);
    return text;
}

/* Gets in from a source of its own, at the first attempt. */
static void newcomer_joins(struct room *room, struct conn *conn, const char *lines)
{
    int64_t begun = calm_ms();

    conn_open_from(conn, &room->server, "127.0.8.1");
    conn_say(conn, "%s", lines);
    while (conn_read(conn) != NULL && conn->event.verb != VERB_YOU)
        ensure(conn->event.verb != VERB_ERROR, "refused: %s", conn->latest);
    ensure(!conn->over, "refused");
    ensure_prompt(begun, 1000);
}

/* ---- Places ---- */

static const char *secret_file(void)
{
    static char path[PATH_TEXT_MAX];
    int fd;

    test_path(path, "secret");
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert(fd != -1 && write(fd, SECRET "\n", strlen(SECRET) + 1) > 0);
    close(fd);
    return path;
}

/*
 * Three times as many silent connections as there are places, from one source or from many. The
 * oldest are told that the room is full, and all others that they have given no name.
 */
START_TEST(a_silent_crowd)
{
    struct room room;
    struct conn newcomer;
    bool many = _i == 1;

    room_open(&room, ANY_PORT, "-m", "40");
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < CROWD; i++)
            conn_open_from(&crowd[i], &room.server, address_of(i, many));
        newcomer_joins(&room, &newcomer, "newcomer");
        room_exchange(&room);
        conn_close(&newcomer);
        conn_seek(&room.ann, "quit newcomer *");
        conn_expect(&crowd[0], "error full *");
        conn_expect_end(&crowd[0]);
        crowd_close();
    }
    room_close(&room);
}
END_TEST

/* The same where the room wants a secret: ann and ben have given it, the crowd does not. */
START_TEST(a_silent_crowd_before_a_secret)
{
    struct server server;
    struct conn newcomer;
    struct conn ann;

    server_start(&server, ANY_PORT, "-m", "20", "-k", secret_file());
    conn_open(&ann, &server);
    conn_say(&ann, "/pass " SECRET "\nann");
    conn_seek(&ann, "you ann");
    for (size_t i = 0; i < CROWD; i++)
        conn_open_from(&crowd[i], &server, address_of(i, _i == 1));
    conn_open(&newcomer, &server);
    conn_say(&newcomer, "/pass " SECRET "\nnewcomer");
    conn_seek(&newcomer, "you newcomer");
    conn_seek(&ann, "join newcomer");
    crowd_close();
    conn_close(&newcomer);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* All places are taken, one of them by a session without a name: this one has to go. */
START_TEST(the_last_place)
{
    struct room room;
    struct conn newcomer;
    struct conn conn;

    room_open(&room, ANY_PORT, "-m", "4");
    for (size_t i = 0; i < 2; i++)
        conn_open_from(&crowd[i], &room.server, address_of(i, false));
    newcomer_joins(&room, &newcomer, "newcomer");
    conn_expect(&crowd[0], "error full *");
    conn_say(&crowd[1], "stranger");
    conn_seek(&crowd[1], "you stranger");
    conn_open(&conn, &room.server);
    conn_expect(&conn, "error full *");
    conn_close(&conn);
    conn_close(&newcomer);
    crowd_close();
    room_close(&room);
}
END_TEST

/* Strangers of three sources have prepared sessions, and hold all places of the nameless: those who
 * connect together and give their names at once get in all the same. */
START_TEST(names_beside_a_crowd)
{
    enum { STRANGERS = 60, NAMES = 8 };
    struct conn *names = crowd + STRANGERS;
    struct room room;
    char source[32];

    room_open(&room, ANY_PORT, "-m", "40");
    for (size_t i = 0; i < STRANGERS; i++) {
        snprintf(source, sizeof source, "127.0.9.%zu", i % 3 + 1);
        conn_open_from(&crowd[i], &room.server, source);
        conn_say(&crowd[i], "/history 3");
    }
    conn_expect(&crowd[0], "error full *");
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(source, sizeof source, "127.0.10.%zu", i + 1);
        conn_open_from(&names[i], &room.server, source);
        conn_say(&names[i], "guest");
    }
    for (size_t i = 0; i < NAMES; i++)
        conn_seek(&names[i], "you guest*");
    crowd_close();
    room_close(&room);
}
END_TEST

/* Many members come back at once, as after a restart: sessions that have just begun are spared. */
START_TEST(a_burst_of_names)
{
    enum { BURST = 60 };
    struct room room;

    room_open(&room, ANY_PORT, "-m", "70");
    for (size_t i = 0; i < BURST; i++) {
        conn_open(&crowd[i], &room.server);
        conn_say(&crowd[i], "guest");
    }
    for (size_t i = 0; i < BURST; i++)
        conn_seek(&crowd[i], "you guest*");
    crowd_close();
    room_close(&room);
}
END_TEST

/* ---- Draining ---- */

/* What ann says is more than a connection holds under way. */
static void log_fill(struct room *room)
{
    char line[4001];

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 250; i++)
        conn_say(&room->ann, "%s", line);
    for (int i = 0; i < 250; i++) {
        conn_seek(&room->ann, "msg ann x*");
        conn_seek(&room->ben, "msg ann x*");
    }
}

/* Asks for all of the past, says goodbye and reads nothing. */
static void drainer_open(struct conn *conn, struct room *room, const char *source)
{
    int small = 4096;

    conn_open_from(conn, &room->server, source);
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    conn->stalled = true;
    conn_say(conn, "/history 1000000\ndrainer");
    conn_finish(conn);
}

/* -i counts those that are draining: its source has no more than that, others have the rest. */
START_TEST(a_crowd_that_drains_from_one_source)
{
    struct room room;
    struct conn newcomer;
    size_t refused = 0;

    room_open(&room, ANY_PORT, "-m", "40", "-i", "5");
    log_fill(&room);
    for (size_t i = 0; i < CROWD; i++)
        drainer_open(&crowd[i], &room, address_of(i, false));
    newcomer_joins(&room, &newcomer, "/history 0\nnewcomer");
    room_exchange(&room);
    for (size_t i = 0; i < CROWD; i++) {
        struct pollfd pfd = {.fd = crowd[i].fd, .events = POLLIN};

        await_ready(&pfd, 1);
        ck_assert(conn_read(&crowd[i]) != NULL);
        refused += crowd[i].event.verb == VERB_ERROR;
    }
    ensure(refused == CROWD - 5, "%zu of %d were refused", refused, CROWD);
    conn_close(&newcomer);
    crowd_close();
    room_close(&room);
}
END_TEST

/* From many sources: they are cut, the oldest first, where the room has no descriptors for more. */
START_TEST(a_crowd_that_drains_from_many)
{
    struct room room;
    struct conn newcomer;

    room_open(&room, ANY_PORT, "-m", "20", "-i", "5");
    log_fill(&room);
    for (size_t i = 0; i < CROWD; i++)
        drainer_open(&crowd[i], &room, address_of(i, true));
    newcomer_joins(&room, &newcomer, "/history 0\nnewcomer");
    room_exchange(&room);
    conn_close(&newcomer);
    crowd_close();
    room_close(&room);
}
END_TEST

/* ---- Silence ---- */

/* What removes a member, and what the room is told. */
static const struct {
    int signal;
    const char *quit;
} removals[] = {
    {SIGTERM, "quit flooder kicked"},
    {SIGKILL, "quit flooder crashed"},
    {SIGSEGV, "quit flooder crashed"},
};

/* Received is the sum of all else. */
static void counters_balance(struct server *server, unsigned long discarded_min)
{
    char log[65536];
    unsigned long n[6];
    const char *at;

    kill(server->pid, SIGUSR1);
    server_says(server, " discarded");
    server_log(server, log, sizeof log);
    at = strstr(log, "status: lines: ");
    ck_assert(at != NULL);
    ensure(sscanf(at,
               "status: lines: %lu received: %lu echoed, %lu answered, %lu refused, %lu goodbyes, "
               "%lu discarded",
               &n[0], &n[1], &n[2], &n[3], &n[4], &n[5]) == 6,
        "%.200s", at);
    ensure(n[0] == n[1] + n[2] + n[3] + n[4] + n[5], "%.200s", at);
    ensure(n[5] >= discarded_min, "%.200s", at);
}

/*
 * 200 kB of short lines wait for -r when their member is removed: it is off the list and silent at
 * once, and what waited is counted.
 */
START_TEST(a_removed_member_is_silent)
{
    enum { LINES = 50000 };
    static char lines[4 * LINES + 1];
    struct room room;
    struct conn flooder;
    size_t heard = 0;

    room_open(&room, ANY_PORT, "-r", "5", "-H", "0");
    pid_t worker = room_join(&room, &flooder, "flooder");
    for (size_t i = 0; i < LINES; i++)
        memcpy(lines + 4 * i, "say\n", 4);
    flooder.stalled = true;
    for (size_t at = 0; at < 4 * LINES;) {
        ssize_t n = conn_send_some(&flooder, lines + at, 4 * LINES - at);
        struct pollfd pfd = {.fd = flooder.fd, .events = POLLOUT};

        if (n <= 0 && poll(&pfd, 1, 200) == 0)
            break; /* the rest stays with the client */
        at += n > 0 ? (size_t)n : 0;
    }
    for (int i = 0; i < 50; i++)
        conn_seek(&room.ann, "msg flooder say");
    ck_assert_uint_eq(room_count(&room), 3); /* and what has come since, at its rate */
    int64_t begun = calm_ms();
    kill(worker, removals[_i].signal);
    while (heard < 20 && strncmp(conn_read(&room.ann), "quit ", 5) != 0)
        heard++;
    ensure_prompt(begun, 1000);
    ck_assert_str_eq(room.ann.latest + STAMP_LEN + 1, removals[_i].quit);
    ensure(heard < 20, "%zu lines came first", heard);
    ck_assert_uint_eq(room_count(&room), 2);
    conn_seek(&room.ben, removals[_i].quit);
    room_exchange(&room);
    counters_balance(&room.server, 1000);
    conn_close(&flooder);
    room_close(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {a_silent_crowd, 2, 60},
        {a_silent_crowd_before_a_secret, 2, 60},
        {the_last_place, 1, 60},
        {names_beside_a_crowd, 1, 60},
        {a_burst_of_names, 1, 60},
        {a_crowd_that_drains_from_one_source, 1, 60},
        {a_crowd_that_drains_from_many, 1, 60},
        {a_removed_member_is_silent, COUNT_OF(removals), 60},
    };

    return tests_run("strangers", tests, COUNT_OF(tests));
}
