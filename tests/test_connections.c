/*
 * Connections: who connects, how often, and to what; where the server may listen.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MANY 100

/* ---- Silence ---- */

/* With -L 1. False where it took longer to start its worker. */
static bool names_itself_in_time(struct conn *conn, const struct server *server, const char *name)
{
    int64_t begun = clock_ms();
    conn_open(conn, server);
    conn_say(conn, "%s", name);
    while (conn_read(conn) != NULL)
        if (conn->event.verb == VERB_YOU)
            return true;
    ensure(was_late(begun, 1000), "%s has no time for a name", name);
    return false;
}

/* A room where sessions have a second for their name. */
static void hasty_room_open(struct room *room)
{
    for (;;) {
        *room = (struct room){.ann.fd = -1, .ben.fd = -1};
        server_start(&room->server, ANY_PORT, "-L", "1");
        if (names_itself_in_time(&room->ann, &room->server, "ann") &&
            names_itself_in_time(&room->ben, &room->server, "ben"))
            break;
        conn_close(&room->ann);
        conn_close(&room->ben);
        server_stop(&room->server);
    }
    room_begin(room);
}

/* Each session without a name gets login-timeout and is closed; one with a name may be silent. */
START_TEST(silence_before_the_name)
{
    struct room room;
    struct conn silent[MANY];
    hasty_room_open(&room);
    int64_t start = clock_ms();
    for (int i = 0; i < MANY; i++)
        conn_open(&silent[i], &room.server);
    for (int i = 0; i < MANY; i++) {
        conn_expect(&silent[i], "error login-timeout *");
        conn_expect_end(&silent[i]);
        conn_close(&silent[i]);
    }
    ck_assert_int_ge(clock_ms() - start, 900);
    room_close(&room);
}
END_TEST

/* The clock is the session's, not a read's: neither bytes nor whole lines wind it up again. */
START_TEST(a_name_at_one_byte_a_time)
{
    static const char *const drops[] = {"x", "/users\n", "/history 5\n", "\xff\xf1", "\r"};
    struct room room;
    struct conn slow;
    hasty_room_open(&room);
    conn_open(&slow, &room.server);
    int64_t deadline = deadline_in(4000);
    for (size_t i = 0; slow.event.verb != VERB_ERROR; i++) {
        ck_assert_int_lt(clock_ms(), deadline);
        conn_send_some(&slow, drops[_i] + i % strlen(drops[_i]), 1);
        poll(&(struct pollfd){slow.fd, POLLIN, 0}, 1, 100);
        while (conn_read_now(&slow) != NULL && slow.event.verb != VERB_ERROR)
            continue;
    }
    ck_assert_int_eq(strncmp(slow.event.word.at, "login-timeout ", 14), 0);
    conn_seek_end(&slow);
    conn_close(&slow);
    room_close(&room);
}
END_TEST

/* ---- Coming and going ---- */

/* Connects and resets, before the server has even looked. */
START_TEST(connect_and_reset)
{
    struct room room;
    room_open(&room, ANY_PORT);
    for (int i = 0; i < 1000; i++) {
        struct conn conn;
        conn_open(&conn, &room.server);
        if (i % 3 == 1)
            conn_send_some(&conn, "x\nhello\n", 1);
        conn_reset(&conn);
    }
    room_close(&room);
}
END_TEST

/* 2000 come, twenty at a time, say a line and go in each way there is; nothing stays behind. */
START_TEST(joins_and_leaves)
{
    enum { GROUP = 20, ROUNDS = 100 };
    struct room room;
    struct conn crowd[GROUP];
    room_open(&room, ANY_PORT, "-H", "0");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < GROUP; i++) {
            conn_open(&crowd[i], &room.server);
            conn_say(&crowd[i], "guest\nhello");
        }
        for (int i = 0; i < GROUP; i++)
            conn_seek(&crowd[i], "msg guest* hello");
        for (int i = 0; i < GROUP; i++) {
            if (i % 4 == 0)
                conn_say(&crowd[i], "/quit");
            if (i % 4 == 1)
                conn_reset(&crowd[i]);
            else
                conn_close(&crowd[i]);
        }
        for (int gone = 0; gone < GROUP; gone++)
            conn_seek(&room.ann, "quit guest* l*");
    }
    room_close(&room);
}
END_TEST

/* Reset while a flood is on its way to it. */
START_TEST(reset_while_being_flooded)
{
    struct room room;
    room_open(&room, ANY_PORT, "-w", "0", "-H", "0");
    char flood[64 * 1024 + 1];
    for (size_t at = 0; at + 1 < sizeof flood; at += 64)
        snprintf(flood + at, 65, "%063zu\n", at);
    for (int i = 0; i < 10; i++) {
        struct conn stalled;
        conn_join(&stalled, &room.server, "stalled");
        for (int k = 0; k < 10; k++)
            conn_send(&room.ann, flood, sizeof flood - 1);
        conn_reset(&stalled);
        conn_seek(&room.ann, "quit stalled lost");
    }
    room_close(&room);
}
END_TEST

/* ---- The users list ---- */

struct list {
    char names[512][NAME_LEN_MAX + 1];
    size_t count;
};

static size_t list_find(const struct list *list, struct span name)
{
    size_t i = 0;
    while (i < list->count &&
           (strlen(list->names[i]) != name.len || memcmp(list->names[i], name.at, name.len) != 0))
        i++;
    return i;
}

static void list_add(struct list *list, struct span name)
{
    ensure(list_find(list, name) == list->count, "twice: %.*s", (int)name.len, name.at);
    ensure(list->count < COUNT_OF(list->names), "a crowd");
    span_copy(list->names[list->count++], NAME_LEN_MAX + 1, name);
}

static void list_remove(struct list *list, struct span name)
{
    size_t i = list_find(list, name);
    ensure(i < list->count, "was not here: %.*s", (int)name.len, name.at);
    memcpy(list->names[i], list->names[--list->count], sizeof list->names[i]);
}

static void list_add_all(struct list *list, struct span names)
{
    while (names.len > 0) {
        const char *blank = memchr(names.at, ' ', names.len);
        size_t len = blank != NULL ? (size_t)(blank - names.at) : names.len;
        list_add(list, (struct span){names.at, len});
        len += blank != NULL;
        names = (struct span){names.at + len, names.len - len};
    }
}

/* The effect of an event on a member's users list. */
static void list_apply(struct list *list, const struct event *event)
{
    if (event->verb == VERB_HERE)
        list_add_all(list, event->text);
    if (event->verb == VERB_QUIT || event->verb == VERB_NICK)
        list_remove(list, event->name);
    if (event->verb == VERB_JOIN)
        list_add(list, event->name);
    if (event->verb == VERB_NICK)
        list_add(list, event->word);
}

/* A member that keeps a users list from the events it gets. */
struct bookkeeper {
    struct conn conn;
    struct list list;
};

static void bookkeeper_reads(struct bookkeeper *keeper, const char *until)
{
    int64_t deadline = deadline_in(10000);
    for (const char *line = ""; !pattern_match(until, line);) {
        line = conn_read_by(&keeper->conn, deadline);
        ensure(line != NULL, "the end");
        list_apply(&keeper->list, &keeper->conn.event);
        if (keeper->conn.event.verb == VERB_USERS)
            ck_assert_uint_eq(keeper->conn.event.count, keeper->list.count);
    }
}

/*
 * Forty come while others come, rename themselves and go. Everybody's list, made of its welcome
 * and of what it saw since, is what the server answers to /users in the end.
 */
START_TEST(the_list_and_what_follows_fit)
{
    enum { KEEPERS = 40 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    struct bookkeeper *keepers = calloc(KEEPERS, sizeof *keepers);
    for (int i = 0; i < KEEPERS; i++) {
        struct conn passer;
        conn_open(&passer, &room.server);
        conn_open(&keepers[i].conn, &room.server);
        conn_say(&passer, "passer\n/nick other%d", i);
        conn_say(&keepers[i].conn, "keeper");
        if (i % 2 == 0)
            conn_seek(&passer, "nick *");
        conn_close(&passer);
    }
    for (int i = 0; i < KEEPERS; i++)
        bookkeeper_reads(&keepers[i], "you *");
    for (int gone = 0; gone < KEEPERS; gone++)
        conn_seek(&room.ann, "quit *");
    conn_say(&room.ann, "done");
    for (int i = 0; i < KEEPERS; i++) {
        bookkeeper_reads(&keepers[i], "msg ann done");
        ck_assert_uint_eq(keepers[i].list.count, KEEPERS + 2);
        struct list model = keepers[i].list;
        keepers[i].list.count = 0;
        conn_say(&keepers[i].conn, "/users");
        bookkeeper_reads(&keepers[i], "users *");
        for (size_t k = 0; k < model.count; k++)
            list_remove(&keepers[i].list, (struct span){model.names[k], strlen(model.names[k])});
    }
    for (int i = 0; i < KEEPERS; i++)
        conn_close(&keepers[i].conn);
    free(keepers);
    room_close(&room);
}
END_TEST

/* ---- Full ---- */

/* It is told, even if it had sent much that nobody reads, and the others do not notice. */
static void expect_full(struct conn *conn)
{
    static const char flooded[10000];
    conn->stalled = true;
    conn_send(conn, flooded, sizeof flooded);
    conn_seek(conn, "error full *");
    conn_seek_end(conn);
    conn_close(conn);
}

/* How long a connection drains that says nothing any more, at least. */
#define DRAINS_MS 300

/* With -i: the place of one that has said /quit is free only when it has drained. False where that
 * was over before anybody else could come. */
static bool drains_in_its_place(struct room *room, struct conn *third)
{
    struct conn conn;
    bool in_time;
    int64_t begun = clock_ms();
    conn_say(third, "/quit");
    conn_seek(&room->ann, "quit third left");
    conn_open(&conn, &room->server);
    conn_say(&conn, "early");
    while (conn_read(&conn) != NULL)
        if (conn.event.verb == VERB_YOU || conn.event.verb == VERB_ERROR)
            break;
    in_time = conn.event.verb == VERB_ERROR;
    if (in_time)
        ck_assert_int_eq(strncmp(conn.event.word.at, "full ", 5), 0);
    else
        ensure(was_late(begun, DRAINS_MS), "there is a place");
    conn_close(&conn);
    conn_close(third);
    if (!in_time)
        conn_seek(&room->ann, "quit early left");
    return in_time;
}

START_TEST(full)
{
    struct room room;
    struct conn conn;
    room_open(&room, ANY_PORT, _i == 0 ? "-m" : "-i", "3");
    for (int round = 0; round < 3; round++) {
        struct conn third;
        room_admits(&room, &third, "third");
        for (int i = 0; i < 5; i++) {
            conn_open(&conn, &room.server);
            expect_full(&conn);
        }
        conn_say(&third, "here I am");
        conn_seek(&third, "msg third here I am");
        if (_i == 0) {
            /* The place is free, though the connection drains until the client has closed. */
            conn_say(&third, "/quit");
            conn_seek(&room.ann, "quit third left");
            conn_open(&conn, &room.server);
            conn_say(&conn, "fourth");
            conn_seek(&conn, "you fourth");
        } else {
            while (!drains_in_its_place(&room, &third))
                room_admits(&room, &third, "third");
            room_admits(&room, &conn, "fourth");
        }
        conn_close(&conn);
        conn_seek(&room.ann, "quit fourth left");
        conn_close(&third);
    }
    room_close(&room);
}
END_TEST

/* One address has its share; another address has its own. */
START_TEST(full_for_one_address)
{
    struct room room;
    struct conn conn;
    struct conn other;
    room_open(&room, ANY_PORT, "-i", "2");
    conn_open(&conn, &room.server);
    expect_full(&conn);
    conn_open_from(&other, &room.server, "127.0.0.2");
    conn_say(&other, "other");
    conn_seek(&other, "you other");
    conn_open(&conn, &room.server);
    expect_full(&conn);
    conn_close(&other);
    room_close(&room);
}
END_TEST

/* A goodbye arrives even where the client had sent what nobody read. */
START_TEST(refused_with_data_under_way)
{
    struct room room;
    room_open(&room, ANY_PORT);
    for (int i = 0; i < 20; i++) {
        struct conn conn;
        conn_open(&conn, &room.server);
        conn.stalled = true;
        char page[20000];
        memset(page, 'x', sizeof page);
        memcpy(page, "POST / HTTP/1.1\r\n", 17);
        conn_send(&conn, page, sizeof page);
        conn_expect(&conn, "error not-allowed *");
        conn_seek_end(&conn);
        conn_close(&conn);
    }
    room_close(&room);
}
END_TEST

/* ---- Where to listen ---- */

/* Runs a chatd that must not come up: its exit status; its last words are in the log. */
static void expect_exit(int status, const char *words, const char *address)
{
    struct server server;
    char log[4096];
    server_spawn(&server, NULL, (const char *const[]){"-l", address, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), status);
    server_log(&server, log, sizeof log);
    ck_assert_msg(strstr(log, words) != NULL, "\"%s\" says nothing of %s", log, words);
    ck_assert_msg(strstr(log, "listening") == NULL, "%s", log);
    close(server.log);
}

/* Binds a socket there, and listens or not. */
static int bind_path(const char *path, bool listens)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    memcpy(sun.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
    if (listens)
        ck_assert_int_eq(listen(fd, 5), 0);
    return fd;
}

static void expect_room_at(const char *path)
{
    struct room room;
    room_open(&room, "-l", path);
    ck_assert_str_eq(room.server.address, path);
    room_close(&room);
    ck_assert_int_eq(access(path, F_OK), -1);
}

/* A path of so many bytes. */
static void long_path(char path[PATH_TEXT_MAX], size_t len)
{
    test_path(path, "");
    size_t have = strlen(path);
    ck_assert_uint_lt(have, len);
    memset(path + have, 'x', len - have);
    path[len] = '\0';
}

START_TEST(paths_have_a_limit)
{
    char path[PATH_TEXT_MAX];
    long_path(path, 107);
    expect_room_at(path);
    long_path(path, 108);
    expect_exit(69, path, path);
    long_path(path, 200);
    expect_exit(69, path, path);
}
END_TEST

/* What a killed server leaves is replaced. */
START_TEST(a_stale_socket)
{
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    close(bind_path(path, _i == 1));
    expect_room_at(path);
}
END_TEST

START_TEST(a_live_socket)
{
    struct room room;
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    room_open(&room, "-l", path);
    expect_exit(69, path, path);
    room_check(&room);
    struct conn cia;
    conn_join(&cia, &room.server, "cia");
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* A socket of a program that listens but is busy with its callers is alive. */
START_TEST(a_live_socket_with_a_full_queue)
{
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    int fd = bind_path(path, false);
    ck_assert_int_eq(listen(fd, 0), 0);
    struct conn waiting;
    conn_open_to(&waiting, path);
    expect_exit(69, path, path);
    ck_assert_int_eq(access(path, F_OK), 0);
    conn_close(&waiting);
    close(fd);
}
END_TEST

static void make_file(const char *path)
{
    close(open(path, O_WRONLY | O_CREAT, 0600));
}

static void make_link(const char *path)
{
    char target[PATH_TEXT_MAX];
    test_path(target, "target");
    make_file(target);
    ck_assert_int_eq(symlink(target, path), 0);
}

static void make_dangling_link(const char *path)
{
    ck_assert_int_eq(symlink("nowhere", path), 0);
}

static void make_link_to_stale(const char *path)
{
    char target[PATH_TEXT_MAX];
    test_path(target, "target");
    close(bind_path(target, true));
    ck_assert_int_eq(symlink(target, path), 0);
}

static void make_directory(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void make_fifo(const char *path)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void (*const obstacles[])(const char *path) = {
    make_file, make_link, make_dangling_link, make_link_to_stale, make_directory, make_fifo};

/* What is no socket is never removed. */
START_TEST(something_else_is_there)
{
    char path[PATH_TEXT_MAX];
    struct stat before;
    struct stat after;
    test_path(path, "room");
    obstacles[_i](path);
    ck_assert_int_eq(lstat(path, &before), 0);
    expect_exit(69, path, path);
    ck_assert_int_eq(lstat(path, &after), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
    ck_assert_uint_eq(after.st_mode, before.st_mode);
}
END_TEST

START_TEST(no_such_directory)
{
    char path[PATH_TEXT_MAX];
    test_path(path, "missing/room");
    expect_exit(69, path, path);
}
END_TEST

/* The socket is removed at exit if it still is the server's own. */
START_TEST(somebody_elses_socket_stays)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    server_start(&server, "-l", path);
    unlink(path);
    int other = bind_path(path, true);
    server_stop(&server);
    struct conn conn;
    ck_assert(conn_try(&conn, path));
    conn_close(&conn);
    close(other);
}
END_TEST

static void umask_none(void)
{
    umask(0);
}

static void umask_all(void)
{
    umask(0777);
}

/* 0660 from the first instant: whenever somebody looks, from before it is there. */
START_TEST(the_mode_of_the_socket)
{
    char path[PATH_TEXT_MAX];
    for (int i = 0; i < 10; i++) {
        struct server server;
        struct stat status;
        struct conn conn;
        test_path(path, "room");
        server_spawn(
            &server, _i == 0 ? umask_none : umask_all, (const char *const[]){"-l", path, NULL});
        int64_t deadline = deadline_in(5000);
        while (!conn_try(&conn, path)) {
            ensure(clock_ms() < deadline, "nobody listens");
            if (lstat(path, &status) == 0)
                ck_assert_uint_eq(status.st_mode & 0777, 0660);
        }
        ck_assert_int_eq(lstat(path, &status), 0);
        ck_assert_uint_eq(status.st_mode & 0777, 0660);
        conn_close(&conn);
        server_stop(&server);
    }
}
END_TEST

START_TEST(two_servers_on_one_port)
{
    struct room room;
    room_open(&room, ANY_PORT);
    expect_exit(69, room.server.address, room.server.address);
    room_close(&room);
}
END_TEST

/* An address that this machine has not. */
START_TEST(an_address_of_somebody_else)
{
    expect_exit(69, "203.0.113.1", "203.0.113.1:0");
}
END_TEST

/* One address that cannot be bound ends the start, and the other sockets' files are removed. */
START_TEST(one_of_two_addresses)
{
    struct room room;
    struct server server;
    char path[PATH_TEXT_MAX];
    room_open(&room, ANY_PORT);
    test_path(path, "room");
    server_spawn(&server, NULL, (const char *const[]){"-l", path, "-l", room.server.address, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), 69);
    ck_assert_int_eq(access(path, F_OK), -1);
    close(server.log);
    room_close(&room);
}
END_TEST

#ifdef SYS_socketcall
#define SOCKET_IS_ONE_CALL false
#else
#define SOCKET_IS_ONE_CALL true
#endif

/* A kernel without IPv6. */
static void no_ipv6(void)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
        _exit(126);
}

START_TEST(a_kernel_without_ipv6)
{
    static const char *const addresses[] = {"*:0", "localhost:0", "127.0.0.1:0"};
    struct room room;
    struct server server;
    if (!SOCKET_IS_ONE_CALL) {
        test_skip("socket() may be socketcall(2) here");
        return;
    }
    server_start_as(&room.server, no_ipv6, (const char *const[]){"-l", addresses[_i], NULL});
    ck_assert_ptr_nonnull(strstr(room.server.address, "0.0."));
    room_enter(&room);
    room_close(&room);
    server_spawn(&server, no_ipv6, (const char *const[]){"-l", "[::1]:0", NULL});
    ck_assert_int_eq(server_exit(&server, 5000), 69);
    server_says(&server, "[::1]:0: Address family not supported by protocol");
    close(server.log);
}
END_TEST

/* All addresses lead into one room. */
START_TEST(several_addresses)
{
    struct room room;
    char path[PATH_TEXT_MAX];
    char address[ADDRESS_TEXT_MAX];
    if (!test_has_ipv6())
        return;
    test_path(path, "room");
    room_open(&room, ANY_PORT, "-l", "[::1]:0", "-l", path, "-H", "0");
    for (int i = 0; i < 3; i++) {
        struct conn conn;
        server_listens(&room.server, i, address);
        conn_open_to(&conn, address);
        conn_say(&conn, "guest");
        conn_seek(&conn, "you guest");
        conn_say(&conn, "from %d", i);
        char want[32];
        snprintf(want, sizeof want, "msg guest from %d", i);
        conn_seek(&conn, want);
        conn_seek(&room.ann, want);
        conn_close(&conn);
        conn_seek(&room.ann, "quit guest left");
    }
    room_close(&room);
}
END_TEST

/* After kill -9 with people inside, the next one has the same port at once. */
START_TEST(again_after_a_kill)
{
    struct room room;
    char address[ADDRESS_TEXT_MAX];
    address_own(address);
    room_open(&room, "-l", address, "-H", "0");
    memcpy(address, room.server.address, sizeof address);
    for (int i = 0; i < 5; i++) {
        server_kill(&room.server);
        struct room next;
        room_open(&next, "-l", address, "-H", "0");
        conn_seek_end(&room.ann);
        conn_seek_end(&room.ben);
        conn_close(&room.ann);
        conn_close(&room.ben);
        room = next;
    }
    room_close(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {silence_before_the_name, 1, 30},
        {a_name_at_one_byte_a_time, 5, 30},
        {connect_and_reset, 1, 60},
        {joins_and_leaves, 1, 120},
        {reset_while_being_flooded, 1, 60},
        {the_list_and_what_follows_fit, 1, 60},
        {full, 2, 30},
        {full_for_one_address, 1, 30},
        {refused_with_data_under_way, 1, 30},
        {paths_have_a_limit, 1, 30},
        {a_stale_socket, 2, 20},
        {a_live_socket, 1, 20},
        {a_live_socket_with_a_full_queue, 1, 20},
        {something_else_is_there, COUNT_OF(obstacles), 20},
        {no_such_directory, 1, 20},
        {somebody_elses_socket_stays, 1, 20},
        {the_mode_of_the_socket, 2, 60},
        {two_servers_on_one_port, 1, 20},
        {an_address_of_somebody_else, 1, 20},
        {one_of_two_addresses, 1, 20},
        {a_kernel_without_ipv6, 3, 30},
        {several_addresses, 1, 20},
        {again_after_a_kill, 1, 60},
    };
    return tests_run("connections", tests, COUNT_OF(tests));
}
