/*
 * What a service manager hands to the server and hears from it, in every form that it comes in;
 * tests/systemd.sh does it with a real one.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- Sockets that are handed over ---- */

/* In the server's process before it is the server, with every descriptor but 0, 1, 2 closed. */

static void hand_over(int count)
{
    char text[32];
    snprintf(text, sizeof text, "%d", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof text, "%ld", (long)getpid());
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDNAMES", "one:two", 1);
}

/* TEST_SOCKET names what is listened on; "two" is put behind it for the second. */
static void socket_listen(const char *behind)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char path[PATH_TEXT_MAX];
    snprintf(path, sizeof path, "%s%s", getenv("TEST_SOCKET"), behind);
    memcpy(sun.sun_path, path, strnlen(path, sizeof sun.sun_path - 1));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == -1 || listen(fd, 5) == -1)
        _exit(126);
}

static void hand_over_two(void)
{
    socket_listen("");
    socket_listen("two");
    hand_over(2);
}

/* The caller left the environment of its own start in ours. */
static void hand_over_to_another(void)
{
    socket_listen("");
    hand_over(1);
    setenv("LISTEN_PID", "1", 1);
}

static void hand_over_nonsense(void)
{
    hand_over(1);
    setenv("LISTEN_FDS", "one", 1);
}

static void hand_over_a_file(void)
{
    if (open("/dev/zero", O_RDONLY) == -1)
        _exit(126);
    hand_over(1);
}

static void hand_over_datagrams(void)
{
    if (socket(AF_UNIX, SOCK_DGRAM, 0) == -1)
        _exit(126);
    hand_over(1);
}

/* Fewer than was said. */
static void hand_over_nothing(void)
{
    hand_over(1);
}

static void handed_path(char out[PATH_TEXT_MAX])
{
    test_path(out, "one");
    setenv("TEST_SOCKET", out, 1);
}

static void expect_welcome(const char *address, const char *name)
{
    struct conn conn;
    char want[NAME_LEN_MAX + 8];
    conn_open_to(&conn, address);
    conn_say(&conn, "%s", name);
    snprintf(want, sizeof want, "you %s", name);
    conn_seek(&conn, want);
    conn_close(&conn);
}

/* In place of the default, and beside -l; the files are not the server's to remove. */
START_TEST(sockets_are_taken)
{
    struct server server;
    char one[PATH_TEXT_MAX];
    char two[PATH_TEXT_MAX + 4];
    char own[PATH_TEXT_MAX];
    char last[ADDRESS_TEXT_MAX];
    handed_path(one);
    snprintf(two, sizeof two, "%stwo", one);
    test_path(own, "own");
    server_start_as(
        &server, hand_over_two, (const char *const[]){_i == 0 ? NULL : "-l", own, NULL});
    ck_assert_str_eq(server.address, one);
    server_listens(&server, _i == 0 ? 1 : 2, last);
    ck_assert_str_eq(last, _i == 0 ? two : own);
    expect_welcome(one, "ann");
    expect_welcome(two, "ben");
    if (_i == 1)
        expect_welcome(own, "cia");
    server_stop(&server);
    ck_assert_int_eq(unlink(one), 0);
    ck_assert_int_eq(unlink(two), 0);
    ck_assert_int_eq(unlink(own), -1);
}
END_TEST

static const struct {
    void (*in_child)(void);
    int status; /* 0: it is as if nothing had been handed over */
} mistakes[] = {
    {hand_over_to_another, 0},
    {hand_over_nonsense, 0},
    {hand_over_a_file, EX_UNAVAILABLE},
    {hand_over_datagrams, EX_UNAVAILABLE},
    {hand_over_nothing, EX_UNAVAILABLE},
};

START_TEST(no_sockets_for_us)
{
    struct server server;
    char one[PATH_TEXT_MAX];
    handed_path(one);
    server_spawn(&server, mistakes[_i].in_child, (const char *const[]){ANY_PORT, "-x", "60", NULL});
    if (mistakes[_i].status != 0) {
        ck_assert_int_eq(server_exit(&server, 5000), mistakes[_i].status);
        close(server.log);
        return;
    }
    server_listens(&server, 0, server.address);
    ck_assert_uint_eq(server_times_said(&server, "listening on "), 1);
    if (process_is_seen(server.pid))
        process_settles(server.pid, 6); /* 0, 1, 2, the poller, the listener, the log of the room */
    server_stop(&server);
}
END_TEST

/* ---- What is told ---- */

/* A socket that hears it, at a path or in the abstract namespace. */
static int manager_open(bool abstract)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char path[PATH_TEXT_MAX];
    char name[PATH_TEXT_MAX + 1];
    test_path(path, "notify");
    snprintf(name, sizeof name, "%s%s", abstract ? "@" : "", path);
    ck_assert_uint_lt(strlen(name), sizeof sun.sun_path);
    memcpy(sun.sun_path, name, strlen(name));
    if (abstract)
        sun.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static char heard[1024];

/* The next message. */
static void manager_receive(int fd)
{
    struct pollfd ready = {fd, POLLIN, 0};
    ck_assert_msg(poll(&ready, 1, (int)(deadline_in(5000) - clock_ms())) == 1, "nothing is told");
    ssize_t n = recv(fd, heard, sizeof heard - 1, 0);
    ck_assert_int_gt(n, 0);
    heard[n] = '\0';
}

/* The next message must match. */
static void manager_expect(int fd, const char *pattern)
{
    manager_receive(fd);
    ck_assert_msg(pattern_match(pattern, heard), "\"%s\" instead of \"%s\"", heard, pattern);
}

START_TEST(a_manager_is_told)
{
    struct server server;
    struct conn ann;
    int fd = manager_open(_i == 1);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, NULL});
    manager_expect(fd, "READY=1\nSTATUS=0 members, 127.0.0.1:*");
    server_listens(&server, 0, server.address);
    conn_join(&ann, &server, "ann");
    manager_expect(fd, "STATUS=1 member, 127.0.0.1:*");
    conn_close(&ann);
    manager_expect(fd, "STATUS=0 members, 127.0.0.1:*");
    kill(server.pid, SIGHUP);
    manager_expect(fd, "RELOADING=1\nMONOTONIC_USEC=*");
    manager_expect(fd, "READY=1");
    server_stop(&server);
    manager_expect(fd, "STOPPING=1\nSTATUS=stopping");
    char rest;
    ck_assert_int_eq(recv(fd, &rest, 1, MSG_DONTWAIT), -1);
    close(fd);
}
END_TEST

/* Its limit for a start does not run out while an earlier writer has the transcript. */
START_TEST(a_start_that_waits_is_extended)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    int manager = manager_open(false);
    test_path(path, "transcript");
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(flock(file, LOCK_EX | LOCK_NB), 0);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, "-t", path, NULL});
    for (int i = 0; i < 2; i++)
        manager_expect(manager, "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=waiting for *");
    close(file);
    do
        manager_receive(manager);
    while (strncmp(heard, "EXTEND_TIMEOUT_USEC=", 20) == 0);
    ck_assert_msg(pattern_match("READY=1\nSTATUS=0 members, *", heard), "\"%s\"", heard);
    server_stop(&server);
    close(manager);
}
END_TEST

/* The same, while no server of the cluster can be reached. */
START_TEST(a_start_without_a_cluster_is_extended)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct server server;
    char url[64];
    int manager = manager_open(false);
    /* A port that is taken, and where nothing listens. */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(url, sizeof url, "nats://127.0.0.1:%d/room", ntohs(address.sin_port));
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, "-c", url, "-N", "a", NULL});
    manager_expect(
        manager, "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=loading the room from the cluster");
    server_says(&server, "Connection refused");
    ck_assert_uint_eq(server_times_said(&server, "listening on"), 0);
    server_stop(&server);
    do
        manager_receive(manager);
    while (strncmp(heard, "EXTEND_TIMEOUT_USEC=", 20) == 0);
    ck_assert_msg(pattern_match("STOPPING=1*", heard), "\"%s\"", heard);
    close(fd);
    close(manager);
}
END_TEST

/* A room that comes and goes all the time tells it once a second, and in the end what is true. */
START_TEST(a_manager_is_not_told_too_often)
{
    struct server server;
    int fd = manager_open(false);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, NULL});
    manager_expect(fd, "READY=1\n*");
    server_listens(&server, 0, server.address);
    int64_t start = clock_ms();
    for (int i = 0; i < 50; i++) {
        struct conn conn;
        conn_join(&conn, &server, "ann");
        conn_say(&conn, "/quit");
        conn_seek_end(&conn);
        conn_close(&conn);
    }
    server_stop(&server);
    int64_t took = clock_ms() - start;
    int count = 0;
    for (char text[1024]; recv(fd, text, sizeof text, MSG_DONTWAIT) > 0;)
        count++;
    ck_assert_int_le(count, took / 1000 + 3);
    close(fd);
}
END_TEST

/* One that does not read, or is not there at all, is not waited for. */
START_TEST(a_stalled_manager)
{
    struct room room;
    int fd = manager_open(false);
    if (_i == 1)
        close(fd);
    room_open(&room, ANY_PORT);
    for (int i = 0; i < 1000; i++) {
        kill(room.server.pid, SIGHUP);
        if (i % 100 == 0)
            room_exchange(&room);
    }
    room_close(&room);
    if (_i == 0)
        close(fd);
}
END_TEST

/* ---- The log, and who would fill it ---- */

/* What clients do again and again, and what the log calls it. */
static const struct {
    const char *option;
    const char *value;
    const char *says;
    const char *words;
} habits[] = {
    {"-i", "2", "", ": refused: "},
    {"-m", "50", "", ": nobody left "},
    {"-m", "50", "cia\n/nick zoe\n/quit\n", ": zoe left "},
    {"-m", "50", "/post\ncia\nhello\n", ": cia posts "},
};

/* Lines that clients cause are ten a second in all, whether they have a name or not. */
START_TEST(the_log_is_not_a_strangers)
{
    enum { VISITS = 300 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0", habits[_i].option, habits[_i].value);
    int64_t start = clock_ms();
    for (int i = 0; i < VISITS; i++) {
        struct conn conn;
        conn_open(&conn, &room.server);
        conn_send(&conn, habits[_i].says, strlen(habits[_i].says));
        conn_finish(&conn);
        conn_seek_end(&conn);
        conn_close(&conn);
    }
    size_t most = (size_t)((clock_ms() - start) / 1000 + 2) * 10;
    ck_assert_uint_ge(server_times_said(&room.server, habits[_i].words), 2);
    ck_assert_uint_le(server_times_said(&room.server, "(pid ") +
                          server_times_said(&room.server, ": refused: ") +
                          server_times_said(&room.server, "were left out"),
        most);
    room_check(&room);
    room_close(&room);
}
END_TEST

/* A full room is said once, however many come in vain, and again when it is full again. */
START_TEST(the_log_tells_once_that_it_is_full)
{
    enum { EPISODES = 2, VISITS = 20 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0", "-m", "3");
    for (int episode = 0; episode < EPISODES; episode++) {
        struct conn third;
        conn_join(&third, &room.server, "third");
        for (int i = 0; i < VISITS; i++) {
            struct conn conn;
            conn_open(&conn, &room.server);
            conn_seek_end(&conn);
            conn_close(&conn);
        }
        conn_say(&third, "/quit");
        conn_seek(&room.ann, "quit third left");
        conn_close(&third);
    }
    ck_assert_uint_eq(
        server_times_said(&room.server, "full: 3 clients are here, as many as -m"), EPISODES);
    ck_assert_uint_eq(server_times_said(&room.server, ": refused: "), 0);
    room_check(&room);
    room_close(&room);
}
END_TEST

/* All that has come so far, and is there now. */
static size_t read_now(int fd, char *out, size_t len, size_t size)
{
    ssize_t n;
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    return len;
}

static size_t count_words(const char *text, const char *words)
{
    size_t count = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

static char log_path[PATH_TEXT_MAX];

static void log_to_pipe(void)
{
    int fd = open(log_path, O_WRONLY);
    if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
        _exit(126);
}

/* The log is a pipe that nobody reads for a while: what did not fit is counted. */
START_TEST(the_log_counts_what_it_lost)
{
    static char text[1 << 20];
    struct server server;
    char path[PATH_TEXT_MAX];
    struct pollfd full = {.events = POLLOUT};
    int64_t deadline = deadline_in(30000);
    unsigned long lost = 0;
    test_path(log_path, "log");
    ck_assert_int_eq(mkfifo(log_path, 0600), 0);
    int log = open(log_path, O_RDWR | O_NONBLOCK); /* both ends are held */
    test_path(path, "room");
    server_spawn(&server, log_to_pipe, (const char *const[]){"-l", path, NULL});
    size_t len = 0;
    while (strstr(text, "listening on") == NULL) {
        len = read_now(log, text, len, sizeof text);
        ck_assert(deadline_wait(deadline));
    }
    kill(server.pid, SIGUSR1);
    do {
        len = read_now(log, text, len, sizeof text);
        ck_assert(deadline_wait(deadline));
    } while (strstr(text, "kB resident") == NULL);
    size_t each = count_words(text, "status: ");

    full.fd = log;
    while (poll(&full, 1, 0) == 1) { /* to the brim */
        kill(server.pid, SIGUSR1);
        ck_assert(deadline_wait(deadline));
    }
    for (int64_t over = clock_ms() + 6000; clock_ms() < over;) { /* longer than lines wait */
        kill(server.pid, SIGUSR1);
        ck_assert(deadline_wait(deadline));
    }
    while (strstr(text, " left out: ") == NULL) {
        len = read_now(log, text, len, sizeof text);
        ck_assert(deadline_wait(deadline));
    }
    /* The last signal may have come only now: its report ends before the server does. */
    kill(server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    (void)read_now(log, text, len, sizeof text);
    for (const char *at = text; (at = strstr(at, " lines left out: ")) != NULL; at++) {
        const char *number = at;
        while (number[-1] != ' ')
            number--;
        lost += strtoul(number, NULL, 10);
    }
    ck_assert_uint_gt(lost, each);
    ck_assert_uint_eq((count_words(text, "status: ") + lost) % each, 0);
    close(server.log);
    close(log);
}
END_TEST

/* A line for each of many connections does not fit into a pipe, but is read soon. */
START_TEST(a_long_report_is_complete)
{
    enum { GUESTS = 1000 };
    static char text[1 << 20];
    static struct conn guests[GUESTS];
    struct server server;
    char path[PATH_TEXT_MAX];
    int64_t deadline = deadline_in(30000);
    size_t len = 0;
    test_path(log_path, "log");
    ck_assert_int_eq(mkfifo(log_path, 0600), 0);
    int log = open(log_path, O_RDWR | O_NONBLOCK);
    test_path(path, "room");
    server_spawn(&server, log_to_pipe, (const char *const[]){"-l", path, "-m", "4500", NULL});
    while (strstr(text, "listening on") == NULL) {
        len = read_now(log, text, len, sizeof text);
        ck_assert(deadline_wait(deadline));
    }
    snprintf(server.address, sizeof server.address, "%s", path);
    if (!process_is_seen(server.pid)) {
        server_kill(&server);
        return;
    }
    int fds = process_fds(server.pid);
    for (int i = 0; i < GUESTS; i++)
        conn_open(&guests[i], &server);
    process_settles(server.pid, fds + GUESTS);
    kill(server.pid, SIGUSR1);
    struct pollfd full = {.fd = log, .events = POLLOUT};
    while (poll(&full, 1, 0) == 1)
        ck_assert(deadline_wait(deadline));
    while (count_words(text, ": preparing, ") < GUESTS) {
        len = read_now(log, text, len, sizeof text);
        ck_assert(deadline_wait(deadline));
    }
    ck_assert_ptr_null(strstr(text, " left out"));
    ck_assert_uint_eq(count_words(text, "chatd: status: local:"), GUESTS);
    kill(server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    for (int i = 0; i < GUESTS; i++)
        conn_close(&guests[i]);
    close(server.log);
    close(log);
}
END_TEST

/* ---- The report: who is behind ---- */

START_TEST(who_is_behind_is_told)
{
    struct room room;
    struct conn stalled;
    char log[65536];
    char want[128];
    unsigned long long events;
    unsigned long long bytes;
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = room_join(&room, &stalled, "stalled");
    kill(worker, SIGSTOP);
    for (int i = 0; i < 500; i++) {
        conn_say(&room.ann, "%01000d", i);
        conn_seek(&room.ann, "msg ann *");
        conn_seek(&room.ben, "msg ann *");
    }
    kill(room.server.pid, SIGUSR1);
    snprintf(want, sizeof want, " stalled: joined, pid %ld, ", (long)worker);
    server_says(&room.server, want);
    server_log(&room.server, log, sizeof log);
    const char *behind = strstr(strstr(log, want), " s here, ");
    ck_assert_ptr_nonnull(behind);
    ck_assert_int_eq(
        sscanf(behind, " s here, %llu events (%llu bytes) behind", &events, &bytes), 2);
    ck_assert_uint_gt(events, 0);
    ck_assert_uint_ge(bytes, 1000 * events);
    ck_assert_ptr_nonnull(strstr(log, " s here, 0 events (0 bytes) behind, 0 bytes queued"));
    kill(worker, SIGCONT);
    conn_seek(&stalled, "msg ann *499");
    conn_close(&stalled);
    room_close(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {sockets_are_taken, 2, 20},
        {no_sockets_for_us, COUNT_OF(mistakes), 20},
        {a_manager_is_told, 2, 30},
        {a_start_that_waits_is_extended, 1, 30},
        {a_start_without_a_cluster_is_extended, 1, 30},
        {a_manager_is_not_told_too_often, 1, 30},
        {a_stalled_manager, 2, 30},
        {the_log_is_not_a_strangers, COUNT_OF(habits), 40},
        {the_log_tells_once_that_it_is_full, 1, 30},
        {the_log_counts_what_it_lost, 1, 60},
        {a_long_report_is_complete, 1, 60},
        {who_is_behind_is_told, 1, 40},
    };
    return tests_run("manager", tests, COUNT_OF(tests));
}
