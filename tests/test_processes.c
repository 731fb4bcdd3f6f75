/*
 * Processes: what dies, what stops, what is told to stop, and what the server was born
 * with.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Workers ---- */

static const struct {
    int signal;
    const char *reason;
} deaths[] = {
    {SIGKILL, "crashed"},
    {SIGSEGV, "crashed"},
    {SIGABRT, "crashed"},
    {SIGBUS, "crashed"},
    {SIGILL, "crashed"},
    {SIGFPE, "crashed"},
    {SIGTERM, "kicked"},
};

/* One user is gone, everybody sees why, and that is all. */
START_TEST(a_worker_dies)
{
    struct room room;
    struct conn vic;
    char want[64];
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = room_join(&room, &vic, "vic");
    kill(worker, deaths[_i].signal);
    snprintf(want, sizeof want, "quit vic %s", deaths[_i].reason);
    conn_expect(&room.ann, "join vic");
    conn_expect(&room.ann, want);
    conn_expect(&room.ben, "join vic");
    conn_expect(&room.ben, want);
    conn_seek_end(&vic);
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/* A kick says goodbye to the client before the end. */
START_TEST(a_kick_is_told)
{
    struct room room;
    struct conn vic;
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = room_join(&room, &vic, "vic");
    kill(worker, SIGTERM);
    conn_seek(&vic, "note *");
    conn_seek_end(&vic);
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/* Before the name there is nobody to miss. */
START_TEST(a_worker_dies_before_the_name)
{
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    for (size_t i = 0; i < COUNT_OF(deaths); i++) {
        struct conn conn;
        struct family before;
        family_look(&before, room.server.pid);
        conn_open(&conn, &room.server);
        conn_say(&conn, "/users");
        conn_expect(&conn, "here *");
        kill(family_new_process(&before, room.server.pid), deaths[i].signal);
        conn_seek_end(&conn);
        conn_close(&conn);
    }
    conn_say(&room.ann, "nobody came");
    conn_expect(&room.ann, "msg ann nobody came");
    room_close(&room);
}
END_TEST

/* Many at once, between two looks of the hub: each is missed, once. */
START_TEST(many_workers_die_at_once)
{
    enum { MEMBERS = 100 };
    struct room room;
    struct conn members[MEMBERS];
    pid_t workers[MEMBERS];
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < MEMBERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "vic%d", i);
        workers[i] = room_join(&room, &members[i], name);
    }
    process_stop(room.server.pid);
    for (int i = 0; i < MEMBERS; i++)
        kill(workers[i], SIGKILL);
    kill(room.server.pid, SIGCONT);
    for (int i = 0; i < MEMBERS; i++) {
        conn_seek(&room.ann, "quit vic* crashed");
        conn_seek_end(&members[i]);
        conn_close(&members[i]);
    }
    room_close(&room);
}
END_TEST

/* A stop is no death; what was said meanwhile comes when it goes on. */
START_TEST(a_worker_stops_and_goes_on)
{
    struct room room;
    struct conn vic;
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = room_join(&room, &vic, "vic");
    conn_expect(&room.ann, "join vic");
    for (int i = 0; i < 20; i++) {
        process_stop(worker);
        conn_say(&vic, "from vic");
        conn_say(&room.ann, "from ann");
        conn_expect(&room.ann, "msg ann from ann");
        kill(worker, SIGCONT);
        conn_expect(&room.ann, "msg vic from vic");
        conn_expect(&vic, "msg ann from ann");
        conn_expect(&vic, "msg vic from vic");
    }
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/* A stopped worker's user can be kicked and killed like any other. */
START_TEST(a_stopped_worker_is_killed)
{
    struct room room;
    struct conn vic;
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = room_join(&room, &vic, "vic");
    process_stop(worker);
    kill(worker, SIGKILL);
    conn_seek(&room.ann, "quit vic crashed");
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/* What a worker holds: its client, its end of the pair, and /dev/null. */
static void expect_two_descriptors(pid_t worker)
{
    int sockets = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64];
        char what[256];
        snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)worker, fd);
        ssize_t n = readlink(path, what, sizeof what - 1);
        if (n == -1)
            continue;
        what[n] = '\0';
        if (strncmp(what, "socket:", 7) == 0)
            sockets++;
        else
            ck_assert_msg(strcmp(what, "/dev/null") == 0, "%d is %s", fd, what);
    }
    ck_assert_int_eq(sockets, 2);
}

START_TEST(a_worker_holds_two_descriptors)
{
    struct room room;
    struct conn conns[5];
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    room_open(&room, ANY_PORT, "-l", path);
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "vic%d", i);
        expect_two_descriptors(room_join(&room, &conns[i], name));
    }
    for (int i = 0; i < 5; i++)
        conn_close(&conns[i]);
    room_close(&room);
}
END_TEST

/* ---- The hub ---- */

/* The hub is killed: nobody stays behind, and the clients see the end. */
START_TEST(the_hub_is_killed)
{
    enum { MEMBERS = 50 };
    struct room room;
    struct conn members[MEMBERS];
    struct family family;
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < MEMBERS; i++) {
        conn_open(&members[i], &room.server);
        conn_say(&members[i], "member");
    }
    for (int i = 0; i < MEMBERS; i++)
        conn_seek(&members[i], "you member*");
    conn_open(&room.ben, &room.server); /* one without a name */
    family_look(&family, room.server.pid);
    ck_assert_uint_ge(family.count, MEMBERS);
    server_kill(&room.server);
    family_ends(&family, 3000);
    for (int i = 0; i < MEMBERS; i++)
        conn_seek_end(&members[i]);
    conn_seek_end(&room.ann);
}
END_TEST

/* A worker that is stopped does not stay behind either. */
START_TEST(the_hub_is_killed_beside_a_stopped_worker)
{
    struct room room;
    struct conn cia;
    struct family family;
    room_open(&room, ANY_PORT, "-H", "0");
    process_stop(room_join(&room, &cia, "cia"));
    family_look(&family, room.server.pid);
    server_kill(&room.server);
    family_ends(&family, 3000);
    conn_seek_end(&cia);
}
END_TEST

/* Even if a client does not read, and a flood was on its way to it. */
START_TEST(the_hub_is_killed_under_load)
{
    struct room room;
    struct conn stalled;
    struct family family;
    room_open(&room, ANY_PORT, "-H", "0", "-w", "0");
    conn_join(&stalled, &room.server, "stalled");
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 10000; i++)
        conn_send(&room.ann, line, sizeof line);
    family_look(&family, room.server.pid);
    server_kill(&room.server);
    family_ends(&family, 3000);
}
END_TEST

static const int stops[] = {SIGTERM, SIGINT};

/* A stop: every client gets its pending output and the notice; no process is left. */
START_TEST(the_hub_is_told_to_stop)
{
    struct room room;
    struct conn quiet;
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    room_open(&room, ANY_PORT, "-l", path, "-H", "0");
    conn_open(&quiet, &room.server); /* never says its name */
    conn_say(&quiet, "/users");
    conn_seek(&quiet, "users *");
    conn_say(&room.ann, "last words");
    conn_expect(&room.ann, "msg ann last words");
    kill(room.server.pid, stops[_i]);
    struct conn *people[] = {&room.ann, &room.ben};
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            conn_expect(people[i], "msg ann last words");
        conn_seek(people[i], "note *");
        conn_seek_end(people[i]);
    }
    conn_seek_end(&quiet);
    ck_assert_int_eq(server_exit(&room.server, 3000), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* Under many, each of whom is told. */
START_TEST(stop_under_many)
{
    enum { MEMBERS = 200 };
    struct room room;
    struct conn members[MEMBERS];
    struct family family;
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < MEMBERS; i++) {
        conn_open(&members[i], &room.server);
        conn_say(&members[i], "member");
    }
    for (int i = 0; i < MEMBERS; i++)
        conn_seek(&members[i], "you member*");
    family_look(&family, room.server.pid);
    kill(room.server.pid, SIGTERM);
    for (int i = 0; i < MEMBERS; i++) {
        conn_seek(&members[i], "note *");
        conn_seek_end(&members[i]);
    }
    ck_assert_int_eq(server_exit(&room.server, 5000), 0);
    family_ends(&family, 1000);
}
END_TEST

/* Signals that mean something else, or nothing, by the thousand, while people talk. */
START_TEST(signals_during_traffic)
{
    static const int storm[] = {SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE, SIGCONT, SIGURG, SIGWINCH};
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < 10000; i++) {
        kill(room.server.pid, storm[(size_t)i % COUNT_OF(storm)]);
        if (i % 500 == 0)
            room_exchange(&room);
    }
    room_close(&room);
}
END_TEST

/* Starts it with -x, and joins. False where the server had ended before, for want of members. */
static bool cia_is_in_time(struct server *server, struct conn *cia, const char *seconds, int64_t ms)
{
    int64_t begun = clock_ms();
    server_start(server, ANY_PORT, "-x", seconds);
    if (conn_try(cia, server->address)) {
        conn_say(cia, "cia");
        while (conn_read(cia) != NULL)
            if (cia->event.verb == VERB_YOU)
                return true;
    }
    ensure(was_late(begun, ms), "it does not wait for anybody");
    conn_close(cia);
    ck_assert_int_eq(server_exit(server, 5000), 0);
    close(server->log);
    return false;
}

/* With -x it exits when the room has been empty for that time, and not before. */
START_TEST(an_empty_room_ends)
{
    static const char *const seconds[] = {"1", ".5"};
    struct server server;
    struct conn conn;
    while (!cia_is_in_time(&server, &conn, seconds[_i], _i == 0 ? 1000 : 500))
        continue;
    struct pollfd ready = {conn.fd, POLLIN, 0};
    ck_assert_int_eq(poll(&ready, 1, 1500), 0);
    int64_t start = clock_ms();
    conn_close(&conn);
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    ck_assert_int_ge(clock_ms() - start, _i == 0 ? 900 : 450);
}
END_TEST

/* With every worker stopped it kills them when their time is up. */
START_TEST(stop_with_stopped_workers)
{
    struct room room;
    struct family family;
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    room_open(&room, ANY_PORT, "-l", path);
    family_look(&family, room.server.pid);
    for (size_t i = 0; i < family.count; i++)
        process_stop(family.pids[i]);
    kill(room.server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&room.server, 5000), 0);
    family_ends(&family, 500);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* A second signal does not wait for anybody. */
START_TEST(a_second_signal)
{
    struct room room;
    struct family family;
    room_open(&room, ANY_PORT, "-H", "0");
    struct conn cia;
    process_stop(room_join(&room, &cia, "cia"));
    family_look(&family, room.server.pid);
    kill(room.server.pid, SIGTERM);
    conn_seek(&room.ann, "note *"); /* the first one has been heard */
    kill(room.server.pid, stops[_i]);
    ck_assert_int_eq(server_exit(&room.server, 1000), 0);
    family_ends(&family, 1000);
}
END_TEST

/* How long pending output is delivered after a stop. */
#define GRACE_MS 2000

/* So many lines that match. False where the end came first because that time was over. */
static bool hears_in_time(struct conn *conn, int lines, const char *pattern, int64_t begun)
{
    for (int i = 0; i < lines;) {
        const char *line = conn_read_now(conn);
        if (line != NULL) {
            ensure(pattern_match(pattern, line), "%s", line);
            i++;
        } else if (conn->over) {
            ensure(was_late(begun, GRACE_MS), "the end after %d lines of %d", i, lines);
            return false;
        } else {
            await_ready(&(struct pollfd){conn->fd, POLLIN, 0}, 1);
        }
    }
    return true;
}

static bool pending_output_is_delivered(int lines)
{
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < lines; i++)
        conn_send(&room.ann, line, sizeof line);
    for (int i = 0; i < lines; i++)
        conn_expect(&room.ann, "msg ann x*");
    int64_t begun = clock_ms();
    kill(room.server.pid, SIGTERM);
    bool in_time = hears_in_time(&room.ben, lines, "msg ann x*", begun) &&
                   hears_in_time(&room.ben, 1, "note *", begun);
    if (in_time)
        conn_expect_end(&room.ben);
    ck_assert_int_eq(server_exit(&room.server, 5000), 0);
    conn_close(&room.ann);
    conn_close(&room.ben);
    close(room.server.log);
    return in_time;
}

/* Pending output is delivered before the end, also if the socket takes little at once. */
START_TEST(what_is_owed_is_delivered)
{
    while (!pending_output_is_delivered(2000))
        continue;
}
END_TEST

/* ---- What it was born with ---- */

static void close_stdin(void)
{
    close(STDIN_FILENO);
}

static void close_all(void)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
}

static void close_stdout_and_stderr(void)
{
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
}

/* Descriptors that a careless parent left open. */
static void leave_descriptors(void)
{
    for (int i = 0; i < 200; i++)
        if (open("/dev/zero", O_RDONLY) == -1)
            _exit(126);
}

static void ignore_signals(void)
{
    static const int ignored[] = {SIGCHLD, SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

static void block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Its log is a pipe that nobody reads any more. */
static void break_stderr(void)
{
    int ends[2];
    if (pipe(ends) == -1)
        _exit(126);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
}

static void no_environment(void)
{
    extern char **environ;
    environ = NULL;
}

static void (*const births[])(void) = {close_stdin, close_stdout_and_stderr, close_all,
    leave_descriptors, ignore_signals, block_signals, break_stderr, no_environment};

/* Looks into proc(5), net/unix: a connection to try would be a guest. Field 4 has the listener's
 * flag, the path is the last. */
static bool listens_at(const char *path)
{
    char line[512];
    char at[256];
    unsigned long flags;
    bool found = false;
    FILE *file = fopen("/proc/net/unix", "re");
    ck_assert_ptr_nonnull(file);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "%*s %*s %*s %lx %*s %*s %*s %255s", &flags, at) == 2 &&
                (flags & 0x10000) != 0 && strcmp(at, path) == 0;
    fclose(file);
    return found;
}

/* Waits until somebody listens there: a server that cannot say so. */
static void await_listener(const char *path)
{
    int64_t deadline = deadline_in(5000);
    while (!listens_at(path))
        ck_assert_msg(deadline_wait(deadline), "nobody listens");
}

/* The room is a room, workers die as ever, and hold what they should. */
START_TEST(odd_births)
{
    struct room room;
    struct conn vic;
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    server_spawn(&room.server, births[_i], (const char *const[]){"-l", path, "-H", "0", NULL});
    await_listener(path);
    snprintf(room.server.address, sizeof room.server.address, "%s", path);
    room_enter(&room);
    pid_t worker = room_join(&room, &vic, "vic");
    expect_two_descriptors(worker);
    kill(worker, SIGKILL);
    conn_seek(&room.ann, "quit vic crashed");
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/* ---- Limits ---- */

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit = {most, most};
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        _exit(126);
}

static void few_descriptors(void)
{
    limit_descriptors(4);
}

static void some_descriptors(void)
{
    limit_descriptors(50);
}

/* Too few to begin with: told which limit. */
START_TEST(too_few_descriptors)
{
    struct server server;
    char log[4096];
    server_spawn(&server, few_descriptors, (const char *const[]){ANY_PORT, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), 71);
    server_log(&server, log, sizeof log);
    ck_assert_msg(strstr(log, "NOFILE") != NULL || strstr(log, "descriptors") != NULL, "%s", log);
}
END_TEST

/*
 * More people than descriptors: those who do not get in are told so or wait; nobody spins, the
 * others talk, and when some leave, others get in.
 */
START_TEST(more_people_than_descriptors)
{
    enum { CROWD = 60 };
    struct room room;
    struct conn crowd[CROWD];
    server_start_as(
        &room.server, some_descriptors, (const char *const[]){ANY_PORT, "-H", "0", NULL});
    room_enter(&room);
    for (int i = 0; i < CROWD; i++) {
        conn_open(&crowd[i], &room.server);
        conn_send_some(&crowd[i], "guest\n", 6);
    }
    conn_seek(&room.ann, "join guest");
    for (int i = 0; i < 3; i++)
        room_exchange(&room);
    room_rests(&room);
    for (int i = 0; i < CROWD; i++)
        conn_close(&crowd[i]);
    int64_t deadline = deadline_in(5000);
    while (room_count(&room) > 2)
        ck_assert(deadline_wait(deadline));
    struct conn late;
    room_admits(&room, &late, "late");
    conn_close(&late);
    room_close(&room);
}
END_TEST

/* ---- The command line ---- */

static const struct {
    const char *options[4];
    int status;
} command_lines[] = {
    {{"-Z"}, 64},
    {{"--no-such-option"}, 64},
    {{"operand"}, 64},
    {{"-l"}, 64},
    {{"-l", ""}, 64},
    {{"-l", "127.0.0.1:65536"}, 64},
    {{"-l", "127.0.0.1:x"}, 64},
    {{"-l", "127.0.0.1:-1"}, 64},
    {{"-l", "[::1:0"}, 64},
    {{"-H"}, 64},
    {{"-H", ""}, 64},
    {{"-H", "x"}, 64},
    {{"-H", "5x"}, 64},
    {{"-H", "-1"}, 64},
    {{"-H", "+1"}, 64},
    {{"-H", " 1"}, 64},
    {{"-H", "1e3"}, 64},
    {{"-H", "99999999999999999999"}, 64},
    {{"-m", "x"}, 64},
    {{"-m", "-1"}, 64},
    {{"-i", "x"}, 64},
    {{"-i", "-1"}, 64},
    {{"-L", "x"}, 64},
    {{"-L", "-1"}, 64},
    {{"-L", "99999999999999999999"}, 64},
    {{"-L", "0"}, 64},
    {{"-L", ".0"}, 64},
    {{"-L", "86400.1"}, 64},
    {{"-w", "x"}, 64},
    {{"-w", "."}, 64},
    {{"-w", "1e1"}, 64},
    {{"-w", "0x10"}, 64},
    {{"-w", "3600.1"}, 64},
    {{"-x", "0"}, 64},
    {{"-x", "-.1"}, 64},
    {{"-M", "8"}, 64},
    {{"-M", "1777"}, 64},
    {{"-b", "x"}, 64},
    {{"-b", "1"}, 64},
};

/* The user's mistake: status 64, and the log says what is wrong and where to read on. */
START_TEST(bad_command_lines)
{
    const char *const *options = command_lines[_i].options;
    struct server server;
    char log[8192];
    server_spawn(&server, NULL, options);
    ck_assert_int_eq(server_exit(&server, 5000), command_lines[_i].status);
    server_log(&server, log, sizeof log);
    bool told = strstr(log, "usage: chatd ") != NULL || strstr(log, "chatd -h") != NULL;
    char option[3];
    snprintf(option, sizeof option, "%s", options[0]);
    ck_assert_msg(told && strstr(log, option) != NULL, "%s", log);
}
END_TEST

static void hide_stderr(void)
{
    int fd = open("/dev/null", O_WRONLY);
    dup2(fd, STDERR_FILENO);
}

static void hide_stdout(void)
{
    int fd = open("/dev/null", O_WRONLY);
    dup2(fd, STDOUT_FILENO);
}

/* Help and version are asked for, so they are output. */
START_TEST(help_and_version)
{
    static const struct {
        const char *option;
        const char *words;
    } table[] = {{"-h", "usage: chatd "}, {"-V", "chatd " CHAT_VERSION "\nlibc: "},
        {"--version", "\nsandbox: "}};
    struct server server;
    char log[8192];
    server_spawn(&server, hide_stderr, (const char *const[]){table[_i].option, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    server_log(&server, log, sizeof log);
    ck_assert_msg(strstr(log, table[_i].words) != NULL, "%s", log);
    server_spawn(&server, hide_stdout, (const char *const[]){table[_i].option, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    server_log(&server, log, sizeof log);
    ck_assert_str_eq(log, "");
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {a_worker_dies, COUNT_OF(deaths), 20},
        {a_kick_is_told, 1, 20},
        {a_worker_dies_before_the_name, 1, 20},
        {many_workers_die_at_once, 1, 60},
        {a_worker_stops_and_goes_on, 1, 20},
        {a_stopped_worker_is_killed, 1, 20},
        {a_worker_holds_two_descriptors, 1, 20},
        {the_hub_is_killed, 1, 20},
        {the_hub_is_killed_beside_a_stopped_worker, 1, 15},
        {the_hub_is_killed_under_load, 1, 60},
        {the_hub_is_told_to_stop, COUNT_OF(stops), 20},
        {stop_under_many, 1, 30},
        {signals_during_traffic, 1, 30},
        {an_empty_room_ends, 2, 20},
        {stop_with_stopped_workers, 1, 20},
        {a_second_signal, COUNT_OF(stops), 20},
        {what_is_owed_is_delivered, 1, 20},
        {odd_births, COUNT_OF(births), 20},
        {too_few_descriptors, 1, 20},
        {more_people_than_descriptors, 1, 30},
        {bad_command_lines, COUNT_OF(command_lines), 20},
        {help_and_version, 3, 20},
    };
    return tests_run("processes", tests, COUNT_OF(tests));
}
