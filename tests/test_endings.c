/*
 * test_endings.c: how a session ends: who has noticed what, in which order, and what that means for
 * its lines, its pending output and its processes. One case for each row of the table: first with
 * mock clients and workers, each also with an upgrade after each step, then with a server over
 * TCP and Unix-domain sockets.
 */
#include "mocks.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND 1000000u

/* ---- Scripts --------------------------------------------------------------------------------- */

static struct stage stage; /* too large for a stack */

struct play {
    const char *name;
    struct hub_config config;
    const char *script;
};

/* ann is in the room and sees what becomes of b. */
#define ANN "a> ann\na~ you ann\n"
#define BEN ANN "b> ben\nb~ you ben\na< join ben\n"

static const struct play plays[] = {
    /* Half-close: all lines, the unterminated last one too. */
    {"a half-close", {0},
        BEN "b: one\nb! left\na< msg ben one\na< quit ben left\nb< msg ben one\nb. \nb# \n"},
    {"an unterminated last line", {0},
        BEN "b: one\nb: \001last two\nb! left\na< msg ben one\na< msg ben two\na< quit ben left\n"
            "b< msg ben one\nb< msg ben two\nb. \nb# \na0\n"},
    {"an unterminated name", {0},
        ANN "b: \001last ben\nb! left\na< join ben\na< quit ben left\nb~ you ben\nb. \nb# \n"},
    {"an unterminated command", {0},
        BEN "b: \001last /quit so long\nb! left\na< quit ben left so long\nb. \nb# \na0\n"},
    {"a last line that is empty", {0}, BEN "b: \001last \nb! left\na< quit ben left\nb. \nb# \n"},
    {"nothing but a half-close", {0}, ANN "b! left\nb. \nb# \na0\n"},
    {"a half-close, and a list before it", {0},
        ANN "b: /users\nb! left\nb< here ann\nb< users 1\nb. \nb# \na0\n"},
    {"a poster's half-close", {0},
        ANN "b: /post\nb: ben\nb: \001last one\nb! left\na< post ben one\nb< you ben\n"
            "b< post ben one\nb. \nb# \na0\n"},

    /* The client has closed: the hub's writing fails first, or never. */
    {"closed, and the worker sees the end first", {0},
        BEN "bX\nb: one\nb! left\na< msg ben one\na< quit ben left\nb# \na0\n"},
    {"closed, and a write sees it first", {0},
        BEN "bX\na> hi\na< msg ann hi\nb: one\nb: \001last two\nb! left\na< msg ben one\n"
            "a< msg ben two\na< quit ben left\nb# \na0\n"},
    {"closed, and the worker says nothing: its lines are taken for five seconds", {0},
        BEN "bX\na> hi\na< msg ann hi\n+3\nb> one\na< msg ben one\n+1.9\na0\n+0.2\n"
            "a< quit ben lost\na0\nb# \n"},
    {"closed before the name", {0}, ANN "b& be\nbX\n+1\nb! left\nb# \na0\n"},

    /* Reset: complete lines only, which is the worker's business. */
    {"a reset", {0}, BEN "b: one\nb! lost\na< msg ben one\na< quit ben lost\nb# \na0\n"},
    {"a reset before the name", {0},
        ANN "b& be\nb: n\nb! lost\nb# \n+1\na< join ben\na< quit ben lost\na0\n"},

    /* The hub ends it. */
    {"/quit", {0}, BEN "b> /quit so long\na< quit ben left so long\nb. \nb# \na0\n"},
    {"/quit, and more", {0},
        BEN "b: one\nb: /quit\nb> two\na< msg ben one\na< quit ben left\nb< msg ben one\nb. \nb# "
            "\na0\n"},
    {"/quit, and the worker's goodbye behind it", {0},
        BEN "b: /quit\nb! left\na< quit ben left\nb. \nb# \na0\n"},
    {"no web page", {0}, ANN "b> GET / HTTP/1.1\nb< error not-allowed *\nb. \nb# \na0\n"},
    {"the wrong secret", {.secret = "x"}, "a> /pass y\n+1.1\na< error password *\na. \na# \n"},
    {"no name in time", {.login_us = SECOND},
        ANN "b& x\n+1.1\nb< error login-timeout *\nb. \nb# \n"},
    {"no name in time, and nothing to answer", {.login_us = SECOND},
        ANN "b& x\nbX\n+1.1\nb# \na0\n"},

    /* The worker has ended without a word. */
    {"SIGTERM to the worker", {0},
        BEN "b: one\nb- \na< msg ben one\na0\nb* 15\na< quit ben kicked\na0\nb< msg ben one\n"
            "b< note *\nb. \nb# \n"},
    {"SIGKILL to the worker", {0},
        BEN "b: one\nb- \na< msg ben one\na0\nb* 9\na< quit ben crashed\na0\nb< msg ben one\nb. \n"
            "b# \n"},
    {"its death is known before its lines are read", {0},
        BEN "b: two\nb* 11\na< quit ben crashed\na0\nb. \nb# \n"},
    {"it exits with 1", {0}, BEN "b: two\nb* 256\na< quit ben crashed\na0\nb. \nb# \n"},
    {"it exits with 0 and has said no goodbye", {0},
        BEN
        "b: two\nb- \nb* 0\na< msg ben two\na< quit ben crashed\na0\nb< msg ben two\nb. \nb# \n"},
    {"its death is known before its goodbye is read", {0},
        BEN "b: one\nb: \001left\nb* 9\na< quit ben crashed\na0\nb. \nb# \n"},
    {"it dies before the name", {0}, ANN "b& x\nb* 11\nb. \nb# \na0\n"},
    {"it dies behind its goodbye", {0}, BEN "b> \001left\na< quit ben left\nb* 15\nb. \nb# \na0\n"},
};

START_TEST(scripts)
{
    const struct play *play = &plays[_i];

    printf("%s\n", play->name);
    for (unsigned at = 0; at == 0 || at <= stage.steps; at++) {
        stage_open(&stage, &play->config);
        stage.upgrade_at = at;
        stage_play(&stage, play->script);
        stage_settle(&stage);
        ensure(
            hub_connections(stage.hub) == (strstr(play->script, ANN) != NULL), "a record is left");
        stage_close(&stage);
    }
}
END_TEST

/* ---- Output that is pending ------------------------------------------------------------------ */

/* Says so much that b, which does not read, has output pending. */
static struct mock *ben_with_pending_output(void)
{
    struct mock *ann;
    struct mock *ben;

    stage_open(&stage, NULL);
    stage.pair_bytes = 4096;
    stage_play(&stage, BEN);
    ann = &stage.mocks[0];
    ben = &stage.mocks[1];
    ben->reads = false;
    for (int i = 0; i < 30; i++) {
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
        ensure(mock_line(ann) != NULL, "no echo");
    }
    return ben;
}

static unsigned messages_read(struct mock *p)
{
    unsigned count = 0;

    p->reads = true;
    stage_settle(&stage);
    while (mock_line(p) != NULL)
        count += p->event.verb == VERB_MSG;
    return count;
}

/* After a half-close everything is delivered, without a worker, however late. */
START_TEST(goodbye_with_pending_output)
{
    struct mock *ben = ben_with_pending_output();

    mock_say(ben, "one");
    mock_goodbye(ben, CONTROL_LEFT);
    stage_play(&stage, "a< msg ben one\na< quit ben left\n");
    ensure(ben->process == PROCESS_REAPED && mock_is_served(ben), "the hub drains alone");
    if (_i == 1)
        ensure(stage_handover(&stage), "no upgrade");
    stage_wait(&stage, 50 * SECOND);
    ensure(messages_read(ben) == 31 && ben->ended && ben->broken == 0, "%s", ben->text);
    ensure(hub_connections(stage.hub) == 1, "its record is left");
    stage_close(&stage);
}
END_TEST

/* A client that takes nothing for 60 s is given up; one that takes little is not, for some time. */
START_TEST(goodbye_that_takes_too_long)
{
    struct mock *ben = ben_with_pending_output();
    unsigned seconds = 0;

    mock_goodbye(ben, CONTROL_LEFT);
    stage_settle(&stage);
    while (mock_is_served(ben) && seconds < 1000) {
        if (_i == 1 && seconds % 20 == 0)
            (void)mock_take(ben, 100); /* takes ever so little */
        stage_wait(&stage, SECOND);
        seconds++;
    }
    /* A second more for each 4 KiB that was pending: 27 000 bytes, without what its socket holds.
     */
    ensure(
        _i == 1 ? seconds >= 60 && seconds <= 68 : seconds >= 59 && seconds <= 68, "%u s", seconds);
    ensure(hub_connections(stage.hub) == 1, "its record is left");
    stage_close(&stage);
}
END_TEST

/* After a crash, a kick or a fault of the worker the client is given two seconds. */
START_TEST(a_dead_worker_and_pending_output)
{
    struct mock *ben = ben_with_pending_output();
    bool takes = _i >= 3;

    switch (_i % 3) {
    case 0:
        mock_die(ben);
        mock_reap(&stage, ben, SIGSEGV);
        break;
    case 1:
        mock_die(ben);
        mock_reap(&stage, ben, SIGTERM);
        break;
    case 2:
        mock_say(ben, "\001nonsense");
        break;
    }
    stage_play(&stage, _i % 3 == 1 ? "a< quit ben kicked\na0\n" : "a< quit ben crashed\na0\n");
    stage_wait(&stage, SECOND);
    ensure(mock_is_served(ben), "too early");
    if (takes)
        ensure(messages_read(ben) == 30 && ben->ended, "%s", ben->text);
    else
        stage_wait(&stage, SECOND + 100000);
    ensure(!mock_is_served(ben) && hub_connections(stage.hub) == 1, "too late");
    stage_close(&stage);
}
END_TEST

/* A connection that broke gets nothing more. */
START_TEST(a_lost_client_and_pending_output)
{
    struct mock *ben = ben_with_pending_output();

    mock_give(ben, CONTROL_LOST, strlen(CONTROL_LOST));
    stage_play(&stage, "a< quit ben lost\na0\n");
    ensure(!mock_is_served(ben), "the hub drains");
    mock_exit(ben);
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 1, "its record is left");
    stage_close(&stage);
}
END_TEST

/* ---- Input that nobody reads ----------------------------------------------------------------- */

/* It has been shown the end, and sends something every 100 ms for so long. */
static void babble(struct mock *p, unsigned tenths)
{
    for (unsigned i = 0; i < tenths && mock_is_served(p); i++) {
        ensure(send(p->client, "more\n", 5, MSG_NOSIGNAL) == 5, "%s", strerror(errno));
        stage_wait(&stage, SECOND / 10);
    }
}

static const char *const last_words[] = {"/quit", "\001nonsense"};

/* What comes behind the end is read and discarded until the client closes, or falls silent, or for
 * two seconds: else the connection would be reset, and the last lines lost. */
START_TEST(input_behind_the_end)
{
    struct mock *ben;

    stage_open(&stage, NULL);
    stage_play(&stage, BEN);
    ben = &stage.mocks[1];
    ben->stays = true;
    mock_say(ben, "%s", last_words[_i % 2]);
    stage_settle(&stage);
    ensure(ben->ended && ben->broken == 0 && mock_is_served(ben), "the end is not shown");
    babble(ben, _i < 2 ? 15 : 30);
    if (_i < 2) {
        ensure(mock_is_served(ben), "too early, it still sends");
        stage_wait(&stage, SECOND / 2);
        ensure(!mock_is_served(ben), "it is silent");
    } else {
        ensure(!mock_is_served(ben), "it is awaited for too long");
    }
    ensure(hub_connections(stage.hub) == 1, "its record is left");
    stage_close(&stage);
}
END_TEST

/* ---- Workers that cannot be started ---------------------------------------------------------- */

START_TEST(no_worker)
{
    stage_open(&stage, NULL);
    stage_play(&stage, ANN);
    stage.start_errno = _i == 0 ? EMFILE : EAGAIN;
    (void)mock_add(&stage);
    (void)mock_add(&stage);
    stage_play(
        &stage, "b< error full *\nb. \nb# \nc< error full *\nc. \nc# \na> hi\na< msg ann hi\n");
    stage.start_errno = 0;
    stage_play(&stage, "d> dan\nd~ you dan\na< join dan\na0\n");
    ensure(hub_connections(stage.hub) == 2, "records are left");
    stage_close(&stage);
}
END_TEST

/* No worker for a client that says nothing; one that closes or breaks before is forgotten. */
START_TEST(silent_clients)
{
    struct mock *silent;

    stage_open(&stage, NULL);
    stage_play(&stage, ANN);
    silent = mock_add_silent(&stage);
    stage_wait(&stage, 59 * SECOND);
    ensure(silent->process == PROCESS_NONE && mock_is_served(silent), "a worker for nothing");
    if (_i == 0) {
        mock_close(silent);
    } else if (_i == 1) {
        shutdown(silent->client, SHUT_WR);
    } else if (_i == 2) {
        stage_play(&stage, "+2\nb< error login-timeout *\nb. \n");
    } else {
        mock_speak(silent);
        stage_play(&stage, "b> ben\nb~ you ben\na< join ben\nb> /quit\na< quit ben left\n");
    }
    stage_settle(&stage);
    ensure(!mock_is_served(silent) && hub_connections(stage.hub) == 1, "its record is left");
    stage_play(&stage, "a0\n");
    stage_close(&stage);
}
END_TEST

/* ---- Over real sockets ----------------------------------------------------------------------- */

#define TRANSPORTS 2

/* A room over TCP, or over a Unix-domain socket. */
static void room_open_over(struct room *room, int transport)
{
    char path[PATH_TEXT_MAX];

    test_path(path, "s");
    if (transport == 0)
        room_open(room, ANY_PORT);
    else
        room_open(room, "-l", path);
}

/* Waits until the process is gone. */
static void process_ends(pid_t pid)
{
    int64_t deadline = deadline_in(10000);

    while (process_state(pid) != 0)
        ensure(deadline_wait(deadline), "the process is still there");
}

/* ann says so much that a client that does not read has output pending; returns how many lines. */
static int room_fill_pending(struct room *room)
{
    char line[2001];
    int count = 1500;

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < count; i++)
        conn_say(&room->ann, "%s", line);
    for (int i = 0; i < count; i++)
        (void)conn_seek(&room->ann, "msg ann x*");
    return count;
}

static int messages_of(struct conn *conn, const char *pattern)
{
    const char *line;
    int count = 0;

    while ((line = conn_read(conn)) != NULL)
        count += pattern_match(pattern, line);
    return count;
}

/* The hub drains alone: there is no process any more. */
START_TEST(half_closed_and_pending)
{
    struct room room;
    struct conn ben = {.stalled = true};
    pid_t worker;
    int count;

    room_open_over(&room, _i);
    worker = room_join(&room, &ben, "carl");
    count = room_fill_pending(&room);
    ensure(conn_send(&ben, "one\nlast", 8), "closed");
    conn_finish(&ben);
    conn_seek(&room.ann, "msg carl one");
    conn_expect(&room.ann, "msg carl last");
    conn_expect(&room.ann, "quit carl left");
    process_ends(worker);
    ensure(messages_of(&ben, "msg *") == count + 2, "lines are missing");
    conn_close(&ben);
    room_close(&room);
}
END_TEST

/* FIN, and a reset at the first write; then one that is caused by what was not read. */
START_TEST(closed_without_reading)
{
    struct room room;
    struct conn carl = {.stalled = true};
    bool unread = _i >= TRANSPORTS;
    pid_t worker;

    room_open_over(&room, _i % TRANSPORTS);
    worker = room_join(&room, &carl, "carl");
    conn_seek(&room.ann, "join carl");
    if (unread) {
        struct pollfd there = {.fd = carl.fd, .events = POLLIN};

        conn_say(&room.ann, "not read");
        conn_expect(&room.ann, "msg ann not read");
        await_ready(&there, 1); /* ann may have got it sooner */
    }
    process_stop(worker); /* else an echo may come before the close, unread */
    ensure(conn_send(&carl, "one\nlast", 8), "closed");
    conn_close(&carl);
    kill(worker, SIGCONT);
    conn_expect(&room.ann, "msg carl one");
    if (unread) {
        conn_expect(&room.ann, "quit carl lost");
    } else {
        conn_expect(&room.ann, "msg carl last");
        conn_expect(&room.ann, "quit carl left");
    }
    room_close(&room);
}
END_TEST

/* How long complete lines are taken after a write has met a reset. */
#define BROKEN_MS 5000

/* ann's next line is this; false where carl was given up before, which that time allows. */
static bool ann_hears(struct room *room, const char *wanted, int64_t begun)
{
    const char *line = conn_read(&room->ann);

    ck_assert_ptr_nonnull(line);
    if (strcmp(line, "quit carl lost") == 0 && was_late(begun, BROKEN_MS))
        return false;
    ck_assert_str_eq(line, wanted);
    return true;
}

/* False where that time was over before the worker had read its line. */
static bool reset_loses_the_last_line(bool full, bool hub_first)
{
    struct room room;
    struct conn carl = {.stalled = true};
    pid_t worker;
    int64_t begun;
    bool in_time = true;

    room_open_over(&room, 0);
    worker = room_join(&room, &carl, "carl");
    conn_seek(&room.ann, "join carl");
    if (full)
        (void)room_fill_pending(&room);
    if (hub_first)
        process_stop(worker);
    ensure(conn_send(&carl, "one\nlast", 8), "closed");
    begun = clock_ms();
    conn_reset(&carl);
    for (int i = 0; hub_first && in_time && i < 2; i++) { /* one of the writes meets the reset */
        conn_say(&room.ann, "write");
        in_time = ann_hears(&room, "msg ann write", begun);
    }
    if (hub_first)
        kill(worker, SIGCONT);
    in_time = in_time && ann_hears(&room, "msg carl one", begun);
    if (in_time)
        conn_expect(&room.ann, "quit carl lost");
    room_close(&room);
    return in_time;
}

/* A reset that the worker sees, or the hub first; with the hub's queue empty or full. */
START_TEST(reset)
{
    while (!reset_loses_the_last_line(_i % 2 == 1, _i >= 2))
        continue;
}
END_TEST

/* A worker that is stopped: five seconds after a write has met the reset, the member is lost. */
START_TEST(reset_and_a_stopped_worker)
{
    struct room room;
    struct conn carl = {0};
    pid_t worker;
    int64_t begun;
    bool is_here = true;

    room_open_over(&room, 0);
    worker = room_join(&room, &carl, "carl");
    conn_seek(&room.ann, "join carl");
    process_stop(worker);
    begun = clock_ms();
    conn_reset(&carl);
    for (int i = 0; is_here && i < 2; i++) {
        conn_say(&room.ann, "write");
        is_here = ann_hears(&room, "msg ann write", begun);
    }
    if (is_here)
        conn_expect(&room.ann, "quit carl lost");
    process_ends(worker);
    room_close(&room);
}
END_TEST

/* What ends a session from the hub's side, and the last line that the client must see. */
static const struct {
    const char *option; /* of chatd */
    const char *value;
    const char *lines;
    const char *last;
} hub_ends[] = {
    {"-r", "0", "carl\nhi\n/quit so long\n", "msg carl hi"},
    {"-r", "0", "GET / HTTP/1.1\n", "error not-allowed *"},
    {"-L", "1", "/users\n", "error login-timeout *"},
};

/* The client has sent more than anybody reads: its last lines come, and then an orderly end. */
START_TEST(unread_input_at_the_end)
{
    static char junk[300000];
    size_t which = (size_t)_i / TRANSPORTS;
    struct server server;
    struct conn carl = {.stalled = true};
    char path[PATH_TEXT_MAX];
    const char *line;
    char last[100] = "";

    test_path(path, "s");
    server_start(&server, "-l", _i % TRANSPORTS == 0 ? "127.0.0.1:0" : path, hub_ends[which].option,
        hub_ends[which].value);
    conn_open(&carl, &server);
    ensure(conn_send(&carl, hub_ends[which].lines, strlen(hub_ends[which].lines)), "closed");
    for (size_t i = 0; i + 5 <= sizeof junk; i += 5)
        memcpy(junk + i, "/foo\n", 5);
    (void)conn_send_some(&carl, junk, sizeof junk);
    while ((line = conn_read(&carl)) != NULL)
        snprintf(last, sizeof last, "%s", line);
    ensure(pattern_match(hub_ends[which].last, last), "%s", last);
    ensure(carl.broken == 0, "%s", strerror(carl.broken));
    conn_close(&carl);
    server_stop(&server);
}
END_TEST

/* A worker that is killed: the member is gone at once, its lines with it, and the client sees the
 * end, with unread input, too. */
START_TEST(killed_workers)
{
    static const int signals[] = {SIGTERM, SIGKILL, SIGSEGV};
    int number = signals[_i / TRANSPORTS];
    struct room room;
    struct conn carl = {0};
    pid_t worker;

    room_open_over(&room, _i % TRANSPORTS);
    worker = room_join(&room, &carl, "carl");
    conn_seek(&room.ann, "join carl");
    process_stop(worker);
    conn_say(&carl, "never heard");
    kill(worker, number);
    kill(worker, SIGCONT);
    conn_expect(&room.ann, number == SIGTERM ? "quit carl kicked" : "quit carl crashed");
    if (number == SIGTERM)
        conn_seek(&carl, "note *");
    conn_seek_end(&carl);
    conn_close(&carl);
    room_close(&room);
}
END_TEST

/* Output goes on without the worker. */
START_TEST(a_stopped_worker)
{
    struct room room;
    struct conn carl = {0};
    pid_t worker;

    room_open_over(&room, _i);
    worker = room_join(&room, &carl, "carl");
    conn_seek(&room.ann, "join carl");
    process_stop(worker);
    conn_say(&room.ann, "one");
    conn_expect(&carl, "msg ann one");
    conn_say(&carl, "waits");
    conn_say(&room.ann, "two");
    conn_expect(&carl, "msg ann two");
    conn_expect(&room.ann, "msg ann one");
    conn_expect(&room.ann, "msg ann two");
    kill(worker, SIGCONT);
    conn_expect(&room.ann, "msg carl waits");
    conn_expect(&carl, "msg carl waits");
    conn_close(&carl);
    conn_expect(&room.ann, "quit carl left");
    room_close(&room);
}
END_TEST

/* The hub dies: the worker shows the client an orderly end, with input that nobody read. */
START_TEST(the_hub_dies)
{
    static char junk[100000];
    struct room room;
    struct conn carl = {0};
    struct family family;

    room_open_over(&room, _i);
    conn_join(&carl, &room.server, "carl");
    family_look(&family, room.server.pid);
    memset(junk, '\n', sizeof junk);
    (void)conn_send_some(&carl, junk, sizeof junk);
    conn_say(&room.ann, "last");
    conn_seek(&carl, "msg ann last");
    server_kill(&room.server);
    conn_expect_end(&carl);
    ensure(carl.broken == 0, "%s", strerror(carl.broken));
    family_ends(&family, 10000);
    conn_close(&carl);
    conn_close(&room.ann);
    conn_close(&room.ben);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {scripts, COUNT_OF(plays), 30},
        {goodbye_with_pending_output, 2, 10},
        {goodbye_that_takes_too_long, 2, 20},
        {a_dead_worker_and_pending_output, 6, 10},
        {a_lost_client_and_pending_output, 1, 10},
        {input_behind_the_end, 4, 10},
        {no_worker, 2, 10},
        {silent_clients, 4, 10},
        {half_closed_and_pending, TRANSPORTS, 60},
        {closed_without_reading, 2 * TRANSPORTS, 30},
        {reset, 4, 60},
        {reset_and_a_stopped_worker, 1, 60},
        {unread_input_at_the_end, COUNT_OF(hub_ends) * TRANSPORTS, 60},
        {killed_workers, 3 * TRANSPORTS, 60},
        {a_stopped_worker, TRANSPORTS, 60},
        {the_hub_dies, TRANSPORTS, 60},
    };

    return tests_run("endings", tests, COUNT_OF(tests));
}
