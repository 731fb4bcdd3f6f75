/*
 * chat -k from outside, chat(1): the server crashes, the network breaks, and every line
 * arrives once. A real chat, a real chatd or a server that does what the test says.
 */
#include "chat_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define EXIT_MS 10000

/* ---- Resuming a session ---------------------------------------------------------------- */

enum { OUTAGES = 50, LINES_EACH = 200 };

/* Writes the next lines of the numbered text to chat. */
static void type_lines(struct chat *chat, int *next)
{
    char text[LINES_EACH * 16];
    size_t len = 0;

    for (int i = 0; i < LINES_EACH; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "line %d\n", (*next)++);
    chat_write(chat, text, len);
}

/* A while that differs each time, up to a few ms: long enough for some of the lines to arrive. */
static void let_some_arrive(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    poll(NULL, 0, (int)(*seed >> 16) % 6);
}

/* All lines stand in the file in their order, and no other message. */
static void transcript_is_exact(const char *path, const char *verb, int lines)
{
    FILE *file = fopen(path, "r");
    char line[512], expected[64];
    int next = 0;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line + STAMP_LEN + 1, verb, strlen(verb)) != 0)
            continue;
        snprintf(expected, sizeof expected, " %s keeper line %d\n", verb, next++);
        ck_assert_str_eq(line + STAMP_LEN, expected);
    }
    fclose(file);
    ck_assert_int_eq(next, lines);
}

/* ... and so they do in what chat has printed with -x. */
static void output_is_exact(const struct chat *chat, int lines)
{
    const char *end = chat->out.at + chat->out.len;
    char expected[64];
    int next = 0;

    for (const char *at = chat->out.at; at < end; at += strcspn(at, "\n") + 1) {
        if (strlen(at) < STAMP_LEN || strncmp(at + STAMP_LEN, " msg ", 5) != 0)
            continue;
        int len = snprintf(expected, sizeof expected, " msg keeper line %d\n", next++);
        ck_assert_int_eq(strncmp(at + STAMP_LEN, expected, (size_t)len), 0);
    }
    ck_assert_int_eq(next, lines);
}

START_TEST(kept_over_crashes_of_the_hub)
{
    char socket[PATH_TEXT_MAX], transcript[PATH_TEXT_MAX];
    unsigned seed = 1;
    struct server server;
    struct chat chat;
    int next = 0;

    test_path(socket, "s");
    test_path(transcript, "t");
    server_start(&server, "-l", socket, "-t", transcript);
    chat_start(&chat, "-k", "-x", "-n", "keeper", socket);
    chat_seek(&chat, "* you keeper");
    for (int i = 0; i < OUTAGES; i++) {
        type_lines(&chat, &next);
        let_some_arrive(&seed);
        server_kill(&server);
        server_start(&server, "-l", socket, "-t", transcript);
        chat_seek_error(&chat, "chat: back again");
    }
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    output_is_exact(&chat, next);
    chat_end(&chat);
    server_stop(&server);
    transcript_is_exact(transcript, "msg", next);
}
END_TEST

/* The same for posts, which show nothing but the way back. */
START_TEST(posts_are_kept_over_crashes)
{
    char socket[PATH_TEXT_MAX], transcript[PATH_TEXT_MAX];
    unsigned seed = 1;
    struct server server;
    struct conn ann;
    struct chat chat;
    int next = 0;

    test_path(socket, "s");
    test_path(transcript, "t");
    server_start(&server, "-l", socket, "-t", transcript);
    chat_start(&chat, "-k", "-s", "-n", "keeper", socket);
    conn_join(&ann, &server, "ann");
    type_lines(&chat, &next);
    conn_seek(&ann, "post keeper line 0");
    conn_close(&ann);
    for (int i = 0; i < OUTAGES / 2; i++) {
        type_lines(&chat, &next);
        let_some_arrive(&seed);
        server_kill(&server);
        server_start(&server, "-l", socket, "-t", transcript);
        chat_seek_error(&chat, "chat: back again");
    }
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    server_stop(&server);
    transcript_is_exact(transcript, "post", next);
}
END_TEST

/* ---- A network that breaks ----------------------------------------------------------- */

/* A process between chat and the server; each SIGUSR1 resets what goes through it. */
struct proxy {
    pid_t pid;
    char address[ADDRESS_TEXT_MAX];
};

static volatile sig_atomic_t proxy_resets;

static void proxy_signalled(int signal)
{
    (void)signal;
    proxy_resets++;
}

static void reset_fd(int *fd)
{
    struct linger linger = {1, 0};

    if (*fd < 0)
        return;
    setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(*fd);
    *fd = -1;
}

/* Both ends see a reset, or only chat does, and the server the next time. */
static void proxy_break(struct pollfd fds[3])
{
    static int kept = -1;
    static unsigned count;

    reset_fd(&kept);
    reset_fd(&fds[1].fd);
    if (count++ % 2 == 0) {
        kept = fds[2].fd;
        fds[2].fd = -1;
    }
    reset_fd(&fds[2].fd);
}

static _Noreturn void proxy_main(int listener, const char *address)
{
    struct pollfd fds[3] = {{listener, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
    struct conn conn;
    int done = 0;

    for (;;) {
        int n = poll(fds, 3, 100);
        while (done < proxy_resets) {
            proxy_break(fds);
            done++;
            n = 0;
        }
        if (n <= 0)
            continue;
        if (fds[1].fd < 0 && fds[0].revents != 0 && conn_try(&conn, address)) {
            fds[1].fd = accept(listener, NULL, NULL);
            fds[2].fd = conn.fd;
            fcntl(conn.fd, F_SETFL, 0);
            continue;
        }
        if ((fds[1].fd >= 0 && fds[1].revents != 0 && !relay_bytes(fds[1].fd, fds[2].fd)) ||
            (fds[2].fd >= 0 && fds[2].revents != 0 && !relay_bytes(fds[2].fd, fds[1].fd))) {
            close(fds[1].fd);
            close(fds[2].fd);
            fds[1].fd = fds[2].fd = -1;
        }
    }
}

static void proxy_start(struct proxy *proxy, const char *address)
{
    struct sigaction act = {.sa_handler = proxy_signalled};
    struct fake fake;

    fake_open(&fake);
    memcpy(proxy->address, fake.address, sizeof proxy->address);
    proxy->pid = fork();
    if (proxy->pid == 0) {
        sigaction(SIGUSR1, &act, NULL);
        proxy_main(fake.listener, address);
    }
    fake_close(&fake);
}

static void proxy_stop(struct proxy *proxy)
{
    kill(proxy->pid, SIGKILL);
    ck_assert_int_eq(waitpid(proxy->pid, NULL, 0), proxy->pid);
}

/* The hub is alive: it knows how many lines it has answered. Half the time its session is resumed.
 */
START_TEST(kept_over_resets)
{
    char transcript[PATH_TEXT_MAX];
    unsigned seed = 1;
    struct server server;
    struct chat chat;
    struct proxy proxy;
    int next = 0;

    test_path(transcript, "t");
    server_start(&server, ANY_PORT, "-t", transcript);
    proxy_start(&proxy, server.address);
    chat_start(&chat, "-k", "-x", "-n", "keeper", proxy.address);
    chat_seek(&chat, "* you keeper");
    for (int i = 0; i < OUTAGES; i++) {
        type_lines(&chat, &next);
        let_some_arrive(&seed);
        kill(proxy.pid, SIGUSR1);
        chat_seek_error(&chat, "chat: back again");
    }
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    output_is_exact(&chat, next);
    chat_end(&chat);
    proxy_stop(&proxy);
    server_stop(&server);
    transcript_is_exact(transcript, "msg", next);
}
END_TEST

/* What it sends to resume, and that it sends again what was not taken. */
START_TEST(the_session_is_asked_for)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-k", "-n", "ann", "-H", "5", fake.address);
    fake_accept(&fake);
    ck_assert_str_eq(fake_read(&fake), "/token");
    ck_assert_str_eq(fake_read(&fake), "/history 5");
    ck_assert_str_eq(fake_read(&fake), "ann");
    fake_say(&fake, "token 0123");
    fake_say(&fake, "users 1");
    fake_say(&fake, "you ann");
    chat_type(&chat, "one\ntwo\nthree\nfour\n");
    ck_assert_str_eq(fake_read(&fake), "one");
    fake_say(&fake, "msg ann one");
    ck_assert_str_eq(fake_read(&fake), "two");
    ck_assert_str_eq(fake_read(&fake), "three");
    chat_seek(&chat, "*ann: one");
    fake_accept(&fake); /* the first connection is closed */
    ck_assert_str_eq(fake_read(&fake), "/token");
    ck_assert_str_eq(fake_read(&fake), "/resume 0123");
    ck_assert_int_eq(strncmp(fake_read(&fake), "/since 2026-11-22T21:42:07.000004Z", 34), 0);
    ck_assert_str_eq(fake_read(&fake), "ann");
    fake_say(&fake, "token 0123");
    fake_say(&fake, _i == 0 ? "resumed 3" : "resumed ?");
    fake_say(&fake, "msg ann two");
    fake_say(&fake, "msg ann three");
    fake_say(&fake, "quit ann crashed");
    fake_say(&fake, "join ann");
    fake_say(&fake, "msg ann four"); /* another ann's */
    fake_say(&fake, "quit ann left");
    fake_say(&fake, "users 1");
    fake_say(&fake, "you ann_2");
    ck_assert_str_eq(fake_read(&fake), "four");
    fake_say(&fake, "msg ann_2 four");
    chat_finish(&chat);
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* It comes back under another name, for its old session is still there: until that ends. */
START_TEST(the_name_is_taken_back)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-k", "-x", "-n", "ann", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_seek(&chat, "* you ann");
    fake_accept(&fake);
    while (strcmp(fake_read(&fake), "ann") != 0)
        continue;
    fake_say(&fake, "users 2");
    fake_say(&fake, "you ann_2");
    fake_say(&fake, "quit ben left");
    fake_say(&fake, "quit ann lost");
    ck_assert_str_eq(fake_read(&fake), "/nick ann");
    fake_say(&fake, "nick ann_2 ann");
    chat_seek(&chat, "* nick ann_2 ann");
    chat_finish(&chat);
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/*
 * A private line may have arrived, so it is not sent again, and a line that the server has answered
 * without an event was refused: both are said, and the exit status knows it.
 */
START_TEST(what_cannot_be_sent_again)
{
    static const struct {
        const char *line, *resumed, *words;
    } cases[] = {
        {"/msg ben hi\r", "resumed ?", "chat: not sent: /msg ben hi (the connection was lost"},
        {"/nick  \r", "resumed 1",
            "chat: not sent: 1 line (refused while the connection was lost)"},
    };
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-k", "-n", "ann", fake.address);
    fake_accept(&fake);
    ck_assert_str_eq(fake_read(&fake), "/token");
    fake_say(&fake, "token 0123");
    fake_welcome(&fake, "ann");
    chat_see(&chat, "you are ann");
    chat_type(&chat, cases[_i].line);
    ck_assert_ptr_nonnull(fake_read(&fake));
    fake_accept(&fake);
    fake_say(&fake, "token 0123");
    fake_say(&fake, "%s", cases[_i].resumed);
    fake_welcome(&fake, "ann");
    chat_see(&chat, cases[_i].words);
    chat_type(&chat, "\004");
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), 1);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* While the server is away, with nothing unanswered: chat leaves when its input ends. */
START_TEST(done_while_the_server_is_away)
{
    char address[ADDRESS_TEXT_MAX];
    struct server server;
    struct chat chat;

    address_own(address);
    server_start(&server, "-l", address);
    chat_start(&chat, "-k", "-n", "ann", server.address);
    chat_type(&chat, "hi\n");
    chat_seek(&chat, "*ann: hi");
    server_kill(&server);
    chat_seek_error(&chat, "chat: the server went away; trying to come back");
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    ck_assert_uint_le(sink_lines(&chat.err), 2); /* why it cannot come back, perhaps */
    chat_end(&chat);
}
END_TEST

/* A user who does not wait for the server is told that their line has not arrived. */
START_TEST(left_while_the_server_is_away)
{
    char address[ADDRESS_TEXT_MAX];
    struct server server;
    struct chat chat;

    address_own(address);
    server_start(&server, "-l", address);
    chat_start_at_terminal(&chat, "-k", "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    server_kill(&server);
    chat_see(&chat, "trying to come back");
    chat_type(&chat, "hello\r\003");
    chat_see(&chat, "chat: not sent: hello\r\n");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
}
END_TEST

/* ... also with /quit or Ctrl-D, which wait for a while: both at once. */
START_TEST(quit_while_the_server_is_away)
{
    static const char *const keys[] = {"/quit bye\r", "\004"};
    enum { CHATS = COUNT_OF(keys) };
    char address[ADDRESS_TEXT_MAX];
    struct server servers[CHATS];
    struct chat chats[CHATS];

    address_own(address);
    for (size_t i = 0; i < CHATS; i++) {
        server_start(&servers[i], "-l", address);
        chat_start_at_terminal(&chats[i], "-k", "-n", "ann", servers[i].address);
        chat_see(&chats[i], "you are ann");
    }
    for (size_t i = 0; i < CHATS; i++)
        server_kill(&servers[i]);
    for (size_t i = 0; i < CHATS; i++) {
        chat_see(&chats[i], "trying to come back");
        chat_type(&chats[i], "hello\rthere\r");
        chat_type(&chats[i], keys[i]);
        chat_see(&chats[i], "chat: 2 lines are waiting for the server");
    }
    for (size_t i = 0; i < CHATS; i++) {
        chat_see(&chats[i], "chat: not sent: hello and 1 more line\r\n");
        ck_assert_int_eq(chat_exit(&chats[i], EXIT_MS), EX_UNAVAILABLE);
        chat_end(&chats[i]);
    }
}
END_TEST

/* ... and where the server is there and does not answer. */
START_TEST(quit_while_the_server_is_silent)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-k", "-n", "ann", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_see(&chat, "you are ann");
    chat_type(&chat, _i == 0 ? "hello\r/quit\r" : "/quit\r");
    if (_i == 0) {
        chat_see(&chat, "chat: 1 line is waiting for the server");
        chat_type(&chat, "\003");
        chat_see(&chat, "^C\r\nchat: not confirmed: 1 line\r\n");
    }
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* A user who has said nothing waits for no welcome. */
START_TEST(quit_before_the_welcome)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-w", "600", "-n", "ann", fake.address);
    fake_accept(&fake);
    fake_say(&fake, "note not yet");
    chat_see(&chat, "not yet");
    chat_type(&chat, "/quit\r");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* ---- The first connection, and several addresses --------------------------------------- */

/* A server that is not there yet: -k waits for it as long as -w says. */
START_TEST(the_first_connection_is_tried_again)
{
    char socket[PATH_TEXT_MAX];
    struct server server;
    struct chat chat;

    test_path(socket, "s");
    chat_start(&chat, "-k", "-w", "60", "-n", "ann", socket);
    chat_seek_error(&chat, "chat: nobody listens on *");
    server_start(&server, "-l", socket);
    chat_type(&chat, "hi\n");
    chat_seek(&chat, "*ann: hi");
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    ck_assert_uint_eq(sink_lines(&chat.err), 1);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

START_TEST(the_first_connection_is_given_up)
{
    int64_t start = clock_ms();
    struct chat chat;

    chat_start(&chat, "-k", "-w", "1", "-n", "ann", "/nowhere/s");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    ck_assert_int_ge(clock_ms() - start, 1000);
    chat_complained_once(&chat);
    chat_end(&chat);
}
END_TEST

/* A room that is full, or a server that goes before its welcome is complete, is tried again. */
START_TEST(a_full_room_is_tried_again)
{
    static const char *const refusals[] = {"error full no place", "users 1"};
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-k", "-n", "ann", fake.address);
    for (int i = 0; i < 3; i++) {
        fake_accept(&fake);
        fake_say(&fake, "%s", refusals[_i]);
    }
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_seek_error(&chat, "chat: back again");
    chat_finish(&chat);
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    ck_assert_uint_eq(sink_lines(&chat.err), 2);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* ... until -w is over: then it is full. */
START_TEST(a_room_may_stay_full)
{
    struct chat chat;
    struct fake fake;
    int status;
    bool late;

    do {
        int64_t deadline = deadline_in(EXIT_MS);
        int64_t begun = clock_ms();
        int64_t looked = begun;
        late = false;
        fake_open(&fake);
        chat_start(&chat, "-k", "-w", "1", "-n", "ann", fake.address);
        while (process_state(chat.pid) != 'Z' && deadline_wait(deadline)) {
            if (fake_try_accept(&fake))
                fake_say(&fake, "error full no place");
            late = late || was_late(looked, 1000); /* it may have been silent for too long */
            looked = clock_ms();
        }
        status = chat_exit(&chat, EXIT_MS);
        late = late || clock_ms() - begun >= 1200; /* chat itself was held up */
        fake_close(&fake);
        chat_end(&chat);
    } while (status != EX_TEMPFAIL && late);
    ck_assert_int_eq(status, EX_TEMPFAIL);
}
END_TEST

/* The connection is lost: the next address comes first, and around again; each is asked to resume.
 */
START_TEST(the_next_address_of_the_list)
{
    char list[2 * ADDRESS_TEXT_MAX + 2];
    struct fake fakes[2];
    struct chat chat;

    fake_open(&fakes[0]);
    fake_open(&fakes[1]);
    snprintf(list, sizeof list, "%s,%s", fakes[0].address, fakes[1].address);
    chat_start(&chat, "-k", "-n", "ann", list);
    for (int i = 0; i < 4; i++) {
        fake_accept(&fakes[i % 2]);
        fakes[i % 2].stamp = 10 * (unsigned)i;
        fake_welcome(&fakes[i % 2], "ann");
        fake_say(&fakes[i % 2], "msg ben %d", i);
        chat_seek(&chat, "*ben: *");
        fake_hang_up(&fakes[i % 2]);
    }
    kill(chat.pid, SIGTERM);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), 128 + SIGTERM);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
    chat_end(&chat);
}
END_TEST

/* Why it does not come back is said, once. */
START_TEST(why_it_does_not_come_back)
{
    char socket[PATH_TEXT_MAX];
    struct server server;
    struct chat chat;
    const char *line;

    test_path(socket, "s");
    server_start(&server, "-l", socket);
    chat_start(&chat, "-k", "-n", "ann", socket);
    chat_type(&chat, "hi\n");
    chat_seek(&chat, "*ann: hi");
    for (int i = 0; i < 2; i++) {
        server_kill(&server);
        chat_seek_error(&chat, "chat: the server went away; trying to come back");
        line = chat_seek_error(&chat, "chat: nobody listens on *");
        ck_assert_ptr_null(strstr(line, "start a room"));
        server_start(&server, "-l", socket);
        chat_seek_error(&chat, "chat: back again");
    }
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    ck_assert_uint_eq(sink_lines(&chat.err), 6);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* ---- All of them --------------------------------------------------------------------- */

int main(void)
{
    const struct test tests[] = {
        {kept_over_crashes_of_the_hub, 1, 120},
        {posts_are_kept_over_crashes, 1, 120},
        {kept_over_resets, 1, 120},
        {the_session_is_asked_for, 2, 20},
        {done_while_the_server_is_away, 1, 20},
        {left_while_the_server_is_away, 1, 20},
        {quit_while_the_server_is_away, 1, 40},
        {quit_while_the_server_is_silent, 2, 30},
        {quit_before_the_welcome, 1, 20},
        {the_name_is_taken_back, 1, 20},
        {what_cannot_be_sent_again, 2, 20},
        {the_first_connection_is_tried_again, 1, 30},
        {the_first_connection_is_given_up, 1, 20},
        {a_full_room_is_tried_again, 2, 20},
        {a_room_may_stay_full, 1, 30},
        {the_next_address_of_the_list, 1, 20},
        {why_it_does_not_come_back, 1, 30},
    };

    return tests_run("chat_keep", tests, COUNT_OF(tests));
}
