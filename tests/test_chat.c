/*
 * The client from outside, as chat(1) has it: a real chat, a real chatd or a server that is none,
 * pipes and terminals.
 */
#include "../client/clock.h"
#include "../client/connect.h"
#include "chat_process.h"
#include "wire/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define EXIT_MS 10000
#define RUN(chat, input, ...) chat_run((chat), (input), (const char *const[]){__VA_ARGS__, NULL})

/* ---- The command line ---------------------------------------------------------------- */

static const char *const wrong_usage[][4] = {{"-Z"}, {"--nonsense"}, {"-n"}, {"-H", "x"},
    {"-H", "-1"}, {"-C", "0"}, {"-W", "0"}, {"-w", "99999999999999999999"}, {"-b", "loud"},
    {"-l", "-s"}, {"-m", "x", "-e", "cat"}, {"-r", "-s"}, {"a", "b"}, {"-c", "cat", "a"}, {"[::1"},
    {"*:5"}, {"localhost:0x10"}, {"-m", ""}, {"-m", "\n\r\n"}, {"a,,b"}, {"a,*"}, {"a,b", "5"},
    {"a:5", "5"}, {"[::1]:5", "5"}, {"/a", "5"}, {"a", "65536"}, {"a", "5", "6"}};

START_TEST(usage_is_64)
{
    struct chat chat;

    ck_assert_int_eq(chat_run(&chat, "", wrong_usage[_i]), EX_USAGE);
    ck_assert_int_eq(strncmp(chat.err.at, "chat: ", 6), 0);
    ck_assert_uint_eq(chat.out.len, 0);
    chat_end(&chat);
}
END_TEST

START_TEST(help_and_version)
{
    static const struct {
        const char *option, *pattern;
    } cases[] = {{"-h", "usage: chat *"}, {"--help", "usage: chat *"}, {"-V", "chat " CHAT_VERSION},
        {"--version", "libc: *"}};
    struct chat chat;

    ck_assert_int_eq(RUN(&chat, "", "-x", cases[_i].option, "-Z"), EX_OK);
    chat_seek(&chat, cases[_i].pattern);
    ck_assert_uint_eq(chat.err.len, 0);
    chat_end(&chat);
}
END_TEST

START_TEST(help_that_cannot_be_printed)
{
    static const char *const options[] = {"-h", "-V"};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct chat chat;

    chat_start_as(
        &chat, &(struct chat_setup){.out = full}, (const char *const[]){options[_i], NULL});
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_IOERR);
    chat_complained_once(&chat);
    chat_end(&chat);
    close(full);
}
END_TEST

/* ---- No connection ------------------------------------------------------------------- */

START_TEST(nobody_listens)
{
    char address[ADDRESS_TEXT_MAX];
    struct server server;
    struct chat chat;

    address_own(address);
    server_start(&server, "-l", address);
    server_stop(&server);
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "x", server.address), EX_UNAVAILABLE);
    chat_complained_once(&chat);
    chat_seek_error(&chat, "chat: nobody listens on 127.*:*; start a room with: chatd -l *");
    chat_end(&chat);
}
END_TEST

START_TEST(no_such_socket)
{
    char path[PATH_TEXT_MAX];
    struct chat chat;

    test_path(path, "none");
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "x", path), EX_UNAVAILABLE);
    chat_complained_once(&chat);
    chat_seek_error(&chat, "chat: nobody listens on *");
    chat_end(&chat);
}
END_TEST

/* Where something else is, no chatd could be started: there is no hint to do so. */
START_TEST(no_socket_at_all)
{
    char path[PATH_TEXT_MAX];
    struct chat chat;

    test_path(path, "file");
    if (_i == 0)
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    else
        mkdir(path, 0700);
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "x", path), EX_UNAVAILABLE);
    chat_complained_once(&chat);
    chat_seek_error(&chat, "chat: *: not a socket");
    chat_end(&chat);
    remove(path);
}
END_TEST

START_TEST(no_such_host)
{
    int64_t start = clock_ms();
    struct chat chat;

    ck_assert_int_eq(RUN(&chat, "hi\n", "-w", "2", "nobody.invalid"), EX_NOHOST);
    ck_assert_int_lt(clock_ms() - start, deadline_in(4000) - clock_ms());
    chat_complained_once(&chat);
    chat_end(&chat);
}
END_TEST

/* A list is tried in order; the first line says what was wrong with each. */
START_TEST(none_of_several_addresses)
{
    struct chat chat;

    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "x", "/nowhere/a,/nowhere/b"), EX_UNAVAILABLE);
    chat_complained_once(&chat);
    chat_seek_error(&chat, "chat: nobody listens on /nowhere/a; nobody listens on /nowhere/b");
    chat_end(&chat);
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "x", "a.invalid,b.invalid"), EX_NOHOST);
    chat_end(&chat);
}
END_TEST

/* HOST PORT, and a list whose second address works. */
START_TEST(ways_to_write_an_address)
{
    char list[ADDRESS_TEXT_MAX + 32];
    struct server server;
    struct chat chat;
    char *colon;

    server_start(&server, ANY_PORT);
    snprintf(list, sizeof list, "/nowhere/a,%s", server.address);
    ck_assert_int_eq(RUN(&chat, "", "-n", "x", "-m", "hi", list), EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    snprintf(list, sizeof list, "%s", server.address);
    colon = strrchr(list, ':');
    *colon = '\0';
    ck_assert_int_eq(RUN(&chat, "", "-n", "x", "-m", "hi", list, colon + 1), EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* Begins to connect, and waits for nothing. */
static int knock(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_port = htons((in_port_t)atoi(strchr(address, ':') + 1));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        ck_assert_int_eq(errno, EINPROGRESS);
    return fd;
}

/* A listener whose queue is full drops what knocks: the wait ends when -w or -W says so. */
START_TEST(nobody_answers)
{
    static const char *const options[] = {"-w", "-W"};
    int64_t start = clock_ms();
    int waiting[8];
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    ck_assert_int_eq(listen(fake.listener, 0), 0);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        waiting[i] = knock(fake.address);
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "x", options[_i], "1", fake.address),
        _i == 0 ? EX_UNAVAILABLE : 1);
    ck_assert_int_ge(clock_ms() - start, 1000);
    if (_i == 0) {
        chat_complained_once(&chat);
        chat_seek_error(&chat, "chat: 127.0.0.1:*: no answer");
    } else {
        chat_said_nothing(&chat);
    }
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        close(waiting[i]);
    chat_end(&chat);
    fake_close(&fake);
}
END_TEST

/* False where the time of -w was over before all was typed. */
static bool keys_are_not_sent(const struct fake *fake)
{
    int64_t begun = clock_ms();
    struct chat chat;
    bool in_time;
    char left;

    chat_start_at_terminal(&chat, "-n", "x", "-w", "2", fake->address);
    chat_type(&chat, "one\rtwo\rhalf");
    in_time = !was_late(begun, 2000);
    chat_see(&chat, "no answer");
    if (in_time)
        chat_see(&chat, "chat: not sent: 3 lines");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    fcntl(chat.slave, F_SETFL, O_NONBLOCK);
    ck_assert(!in_time || read(chat.slave, &left, 1) == -1);
    chat_end(&chat);
    return in_time;
}

/* What was typed meanwhile is no command of a shell, and is not sent. */
START_TEST(typed_while_nobody_answers)
{
    int waiting[8];
    struct fake fake;

    fake_open(&fake);
    ck_assert_int_eq(listen(fake.listener, 0), 0);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        waiting[i] = knock(fake.address);
    while (!keys_are_not_sent(&fake))
        continue;
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        close(waiting[i]);
    fake_close(&fake);
}
END_TEST

/* ---- Servers that are no chatd ----------------------------------------------------------- */

#define WELCOME "2026-11-22T21:42:07.000001Z users 1\n2026-11-22T21:42:07.000002Z you x\n"
#define EVENT "2026-11-22T21:42:07.000003Z "

/* What the server sends before it closes, and what the client makes of it. */
static const struct {
    const char *bytes;
    int status;
} strangers[] = {
    {"", EX_UNAVAILABLE},
    {"SSH-2.0-OpenSSH_9.2\r\n", EX_PROTOCOL},
    {"SSH-2.0", EX_PROTOCOL},
    {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", EX_PROTOCOL},
    {"2026-11-22", EX_UNAVAILABLE},
    {WELCOME "who are you\n", EX_PROTOCOL},
    {WELCOME EVENT "msg y hal", EX_UNAVAILABLE},
    {WELCOME EVENT "quit x lost\n", EX_UNAVAILABLE},
    {WELCOME EVENT "quit y kicked enough\n", EX_UNAVAILABLE},
    {WELCOME EVENT "quit x kicked enough\n", EX_NOPERM},
    {EVENT "error full no place\n", EX_TEMPFAIL},
    {EVENT "error password wrong secret\n", EX_NOPERM},
    {EVENT "error not-allowed not you\n", EX_NOPERM},
    {EVENT "error login-timeout too slow\n", EX_NOPERM},
};

START_TEST(what_the_server_is)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-n", "x", fake.address);
    fake_accept(&fake);
    while (strcmp(fake_read(&fake), "x") != 0)
        continue;
    fake_send(&fake, strangers[_i].bytes, strlen(strangers[_i].bytes));
    shutdown(fake.fd, SHUT_WR);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), strangers[_i].status);
    ck_assert_uint_eq(sink_lines(&chat.err), 1);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* A chatd that cannot admit clients yet: no welcome within -w means to try later. */
START_TEST(a_server_that_asks_for_patience)
{
    static const char *const words[] = {"note the cluster cannot be reached", "users 1"};
    struct chat chat;
    struct fake fake;
    int status;
    bool late;

    do {
        int64_t deadline = deadline_in(EXIT_MS);
        int64_t begun = clock_ms();
        fake_open(&fake);
        chat_start(&chat, "-n", "x", "-w", "1", fake.address);
        fake_accept(&fake);
        fake_say(&fake, "%s", words[_i]);
        late = clock_ms() - begun >= 1000; /* it may have been silent for too long */
        while (_i == 0 && process_state(chat.pid) != 'Z' && deadline_wait(deadline))
            fake_say(&fake, "%s", words[_i]);
        status = chat_exit(&chat, EXIT_MS);
        if (status == EX_TEMPFAIL)
            chat_seek_error(
                &chat, _i == 0 ? "chat: *: try later: the cluster*" : "chat: *: try later");
        fake_close(&fake);
        chat_end(&chat);
    } while (status != EX_TEMPFAIL && late);
    ck_assert_int_eq(status, EX_TEMPFAIL);
}
END_TEST

/* What a server that never closes sends again and again. */
static const char *const floods[] = {"", "x", "\0", "2026-11-22T21:42:07.000001Z msg x y"};

START_TEST(a_flood_without_a_line)
{
    static char bytes[65536];
    size_t len = _i == 2 ? 1 : strlen(floods[_i]);
    struct chat chat;
    struct fake fake;
    long memory = 0;

    for (size_t i = 0; len > 0 && i + len <= sizeof bytes; i += len)
        memcpy(bytes + i, floods[_i], len);
    fake_open(&fake);
    chat_start(&chat, "-n", "x", "-w", len > 0 ? "60" : "1", fake.address);
    fake_accept(&fake);
    for (int i = 0; len > 0 && i < 16384 && fake_send(&fake, bytes, sizeof bytes); i++)
        if (process_memory(chat.pid) > memory)
            memory = process_memory(chat.pid);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), len > 0 ? EX_PROTOCOL : EX_UNAVAILABLE);
    chat_complained_once(&chat);
    ck_assert_int_lt(memory, 65536); /* of a gigabyte that was sent */
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* A server that accepts and says nothing, or what may become a line of a chatd, does not answer. */
START_TEST(a_server_that_is_silent)
{
    static const char *const words[] = {"", "2026-11-22T21:42:0"};
    struct chat chat;
    struct fake fake;
    int typed[2];

    ck_assert_int_eq(pipe(typed), 0);
    fcntl(typed[1], F_SETFD, FD_CLOEXEC);
    ck_assert_int_eq(write(typed[1], "one\ntwo\n", 8), 8); /* before the time of -w begins */
    fake_open(&fake);
    chat_start_as(&chat, &(struct chat_setup){.in = typed[0]},
        (const char *const[]){"-n", "x", "-w", "1", fake.address, NULL});
    fake_accept(&fake);
    fake_send(&fake, words[_i], strlen(words[_i]));
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    chat_seek_error(&chat, "chat: 127.0.0.1:*: no answer");
    chat_seek_error(&chat, "chat: not sent: one and 1 more line");
    fake_close(&fake);
    chat_end(&chat);
    close(typed[0]);
    close(typed[1]);
}
END_TEST

/* A command that never worked has not gone away. */
START_TEST(a_command_that_never_works)
{
    struct chat chat;

    ck_assert_int_eq(RUN(&chat, "", "-r", "-n", "x", "-c", "exit 7"), EX_UNAVAILABLE);
    chat_complained_once(&chat);
    chat_seek_error(&chat, "chat: exit 7: no answer");
    chat_end(&chat);
    chat_start(&chat, "-k", "-r", "-n", "x", "-w", "1", "-c", "exit 7");
    chat_seek_error(&chat, "chat: exit 7: no answer; trying again");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    chat_end(&chat);
}
END_TEST

/* Nothing that a server sends reaches a terminal or a pipe uncleaned. */
START_TEST(a_server_that_sends_escapes)
{
    static const char *const options[] = {"-p", "-x"};
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-r", "-n", "x", options[_i], fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "x");
    fake_say(&fake, "msg \033[1mb\302\233 \033]0;title\007 \342\200\256 \377 a\rb");
    fake_say(&fake, "here \033c");
    fake_say(&fake, "quit \a left \033[2J");
    fake_say(&fake, "error usage \033[2J");
    fake_say(&fake, "note \302\205\177");
    fake_say(&fake, "later what \033c");
    fake_say(&fake, "msg end end");
    chat_seek(&chat, "*end*end");
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    for (char *at = chat.out.at; at < chat.out.at + chat.out.len; at += strlen(at) + 1) {
        at[strcspn(at, "\n")] = '\0';
        ck_assert(text_is_clean(at, strlen(at)));
    }
    for (char *line = strtok(chat.err.at, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert(text_is_clean(line, strlen(line)));
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* A line is shown when CR NUL ends it, in one read or in two. */
START_TEST(a_line_that_ends_with_cr_nul)
{
    static const char lines[] = "2099-11-22T21:42:07.000001Z msg ann one\n"
                                "2099-11-22T21:42:07.000002Z msg ann two\r";
    static const char whole[] = "2099-11-22T21:42:07.000003Z msg ann three\r";
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-p", "-n", "x", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "x");
    fake_send(&fake, lines, sizeof lines - 1);
    chat_seek(&chat, "*ann: one"); /* so the CR was read as well */
    fake_send(&fake, "", 1);
    chat_seek(&chat, "*ann: two");
    fake_send(&fake, whole, sizeof whole); /* with its NUL */
    chat_seek(&chat, "*ann: three");
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* The server reads nothing while the client has a lot to say: it still hears. */
START_TEST(a_server_that_does_not_read)
{
    static char line[1024];
    struct chat chat;
    struct fake fake;

    memset(line, 'x', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    fake_open(&fake);
    chat_start(&chat, "-n", "x", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "x");
    for (int i = 0; i < 1000; i++)
        chat_type(&chat, line);
    for (int i = 0; i < 100; i++) {
        fake_say(&fake, "msg ann %d", i);
        chat_seek(&chat, "*ann*");
    }
    kill(chat.pid, SIGTERM);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), 128 + SIGTERM);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* The server is gone in the very moment in which the input ends, in one way or another. */
START_TEST(the_server_closes_at_the_end_of_input)
{
    struct chat chat;
    struct fake fake;
    const char *line;

    fake_open(&fake);
    for (int i = 0; i < 100; i++) {
        chat_start(&chat, "-n", "x", fake.address);
        fake_accept(&fake);
        fake_welcome(&fake, "x");
        chat_type(&chat, "hi");
        if (i % 2 == 0)
            chat_finish(&chat);
        else
            chat_type(&chat, "\n");
        line = i % 2 == 0 || i % 4 == 1 ? fake_read(&fake) : NULL;
        if (line != NULL)
            fake_say(&fake, "msg x %s", line);
        if (i % 3 == 0)
            setsockopt(
                fake.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        fake_hang_up(&fake);
        if (i % 2 != 0)
            chat_finish(&chat);
        int status = chat_exit(&chat, EXIT_MS);
        ck_assert_msg(
            status == EX_OK || status == EX_UNAVAILABLE, "status %d: %s", status, chat.err.at);
        if (i % 2 == 0 && i % 3 != 0)
            ck_assert_int_eq(status, EX_OK);
        chat_end(&chat);
    }
    fake_close(&fake);
}
END_TEST

/* ---- Pipes and receipts -------------------------------------------------------------- */

static const struct {
    const char *input;
    const char *heard; /* by another member, one a line */
} pieces[] = {
    {"hi\n", "hi\n"},
    {"no end", "no end\n"},
    {"\n\n\r\n", ""},
    {"\033[01;31m\033[Kerror:\033[m\033[K x\033[38:2::1:2:3mred\n", "error: xred\n"},
    {"\033[2Jx\n\033\033[1my\n", "\xef\xbf\xbd[2Jx\n\xef\xbf\xbdy\n"},
    {"half\033[3", "half\xef\xbf\xbd[3\n"},
    {"\xef\xbb\xbf/bom\n", "/bom\n"},
    {"dos\r\nunix\n", "dos\nunix\n"},
    {"/quit\n/etc/passwd\n//x\n", "/quit\n/etc/passwd\n//x\n"},
    {"\xe4\xbd\xa0\xe5\xa5\xbd\n", "\xe4\xbd\xa0\xe5\xa5\xbd\n"},
    {"a\033[31m\377b\tc\n", "a\xef\xbf\xbd"
                            "b\tc\n"},
};

START_TEST(piped_text_is_data)
{
    struct server server;
    struct chat chat;
    struct conn ann;
    char lines[256];

    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    ck_assert_int_eq(RUN(&chat, pieces[_i].input, "-n", "ci", server.address), EX_OK);
    ck_assert_uint_eq(chat.err.len, 0);
    chat_end(&chat);
    conn_expect(&ann, "join ci");
    snprintf(lines, sizeof lines, "%s", pieces[_i].heard);
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *heard = conn_read(&ann);
        ck_assert_ptr_nonnull(heard);
        ck_assert_int_eq(strncmp(heard, "msg ci ", 7), 0);
        ck_assert_str_eq(heard + 7, line);
    }
    conn_expect(&ann, "quit ci left");
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* With nothing to say there is nothing to join for. A pipe that is only silent joins at once. */
START_TEST(no_input_at_all)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    chat_start_as(&chat, &(struct chat_setup){.in = null},
        (const char *const[]){"-n", "ci", server.address, NULL});
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    chat_start(&chat, "-n", "silent", server.address);
    conn_expect(&ann, "join silent");
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    conn_close(&ann);
    close(null);
    server_stop(&server);
}
END_TEST

/* Lines that the wire does not take leave in pieces of whole characters; nothing is lost. */
START_TEST(long_lines_go_in_pieces)
{
    static const char *const patterns[] = {
        "x", "\xe4\xbd\xa0", "e\xcc\x81", "/", "a\xf0\x9f\x98\x80"};
    enum { LINE = 100000 };
    static char sent[LINE + 8], heard[LINE + 8];
    size_t len = strlen(patterns[_i]), sent_len = 0, heard_len = 0;
    struct server server;
    struct chat chat;
    struct conn ann;
    const char *line;

    while (sent_len + len <= LINE) {
        memcpy(sent + sent_len, patterns[_i], len);
        sent_len += len;
    }
    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    chat_start(&chat, "-s", "-n", "ci", server.address);
    chat_write(&chat, sent, sent_len);
    chat_type(&chat, "\n");
    while (heard_len < sent_len && (line = conn_read(&ann)) != NULL) {
        ck_assert_int_eq(strncmp(line, "post ci ", 8), 0);
        memcpy(heard + heard_len, line + 8, strlen(line + 8));
        heard_len += strlen(line + 8);
    }
    ck_assert_uint_eq(heard_len, sent_len);
    ck_assert_int_eq(memcmp(heard, sent, sent_len), 0);
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

START_TEST(ten_thousand_lines)
{
    enum { LINES = 10000 };
    static char text[LINES * 16];
    char expected[32];
    struct server server;
    struct chat chat;
    struct conn ann;
    size_t len = 0;

    for (int i = 0; i < LINES; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "line %d\n", i);
    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    chat_start(&chat, "-x", "-n", "ci", server.address);
    chat_write(&chat, text, len);
    chat_finish(&chat);
    conn_expect(&ann, "join ci");
    for (int i = 0; i < LINES; i++) {
        snprintf(expected, sizeof expected, "msg ci line %d", i);
        conn_expect(&ann, expected);
    }
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_seek(&chat, "* msg ci line 9999");
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

START_TEST(the_server_dies_in_the_middle)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-n", "ci", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "ci");
    chat_type(&chat, "one\ntwo\nthree\n");
    chat_finish(&chat);
    ck_assert_str_eq(fake_read(&fake), "one");
    fake_say(&fake, "msg ci one");
    ck_assert_str_eq(fake_read(&fake), "two");
    ck_assert_str_eq(fake_read(&fake), "three");
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_UNAVAILABLE);
    chat_seek_error(&chat, "chat: the server went away; not confirmed: 2 lines");
    chat_seek(&chat, "*ci*one");
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* Reads until that has come. */
static void sink_expect(int fd, const char *text)
{
    char bytes[4096] = "";
    size_t len = 0;
    ssize_t n;

    while (strstr(bytes, text) == NULL) {
        n = read(fd, bytes + len, sizeof bytes - len - 1);
        ck_assert_int_gt(n, 0);
        bytes[len += (size_t)n] = '\0';
    }
}

START_TEST(standard_output_fails)
{
    struct server server;
    struct chat chat;
    int gone[2];
    int out;

    ck_assert_int_eq(pipe(gone), 0);
    close(gone[0]);
    out = _i == 0 ? open("/dev/full", O_WRONLY | O_CLOEXEC) : gone[1];
    server_start(&server, ANY_PORT);
    chat_start_as(&chat, &(struct chat_setup){.out = out},
        (const char *const[]){"-n", "ci", server.address, NULL});
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_IOERR);
    chat_complained_once(&chat);
    chat_end(&chat);
    close(gone[1]);
    server_stop(&server);
}
END_TEST

/* The reader goes away in a room where nobody says anything: nothing is written that could fail. */
START_TEST(the_reader_goes_in_a_silent_room)
{
    struct server server;
    struct chat chat;
    int out[2];

    server_start(&server, ANY_PORT);
    if (_i == 0)
        ck_assert_int_eq(pipe(out), 0);
    else
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    chat_start_as(&chat, &(struct chat_setup){.out = out[1]},
        (const char *const[]){"-x", "-n", "ci", server.address, NULL});
    close(out[1]);
    sink_expect(out[0], " you ci\n");
    close(out[0]);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_IOERR);
    chat_complained_once(&chat);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

START_TEST(standard_input_fails)
{
    int directory = open("/", O_RDONLY | O_CLOEXEC);
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    chat_start_as(&chat, &(struct chat_setup){.in = directory},
        (const char *const[]){"-s", "-n", "ci", server.address, NULL});
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_IOERR);
    chat_complained_once(&chat);
    chat_end(&chat);
    close(directory);
    server_stop(&server);
}
END_TEST

/* ---- Options ------------------------------------------------------------------------- */

START_TEST(posts_join_nobody)
{
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    ck_assert_int_eq(
        RUN(&chat, "unread", "-n", "ci", "-m", "one", "-m", "/two\n\nthree", server.address),
        EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    ck_assert_int_eq(RUN(&chat, "four\n/five", "-n", "ci", "-s", server.address), EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    conn_expect(&ann, "post ci one");
    conn_expect(&ann, "post ci /two");
    conn_expect(&ann, "post ci three");
    conn_expect(&ann, "post ci four");
    conn_expect(&ann, "post ci /five");
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

START_TEST(the_list_of_names)
{
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT);
    ck_assert_int_eq(RUN(&chat, "", "-l", server.address), 1);
    chat_said_nothing(&chat);
    chat_end(&chat);
    conn_join(&ann, &server, "ann");
    ck_assert_int_eq(RUN(&chat, "", "-l", server.address), EX_OK);
    ck_assert_str_eq(chat.out.at, "ann\n");
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* -x prints the wire's lines; -q keeps joins, quits and notes back; -C counts messages only. */
START_TEST(the_lines_of_the_wire)
{
    struct server server;
    struct chat chat;
    struct conn ann, ben;

    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    chat_start(&chat, "-r", "-x", "-C", "2", _i == 0 ? "-p" : "-q", "-n", "ci", server.address);
    chat_seek(&chat, "* you ci");
    conn_join(&ben, &server, "ben");
    conn_say(&ann, "hello  there ");
    conn_seek(&ann, "msg ann *");
    conn_say(&ben, "/quit bye");
    conn_seek(&ann, "quit ben*");
    conn_say(&ann, "/msg ci psst");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    if (_i == 0)
        chat_seek(&chat, "* join ben");
    chat_seek(&chat, "* msg ann hello  there ");
    if (_i == 0)
        chat_seek(&chat, "* quit ben left bye");
    chat_seek(&chat, "* priv ann ci psst");
    ck_assert_uint_eq(chat.out.taken, chat.out.len);
    ck_assert(_i == 0 || strstr(chat.out.at, "ben left") == NULL);
    chat_end(&chat);
    conn_close(&ann);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* -q: no greeting, but the server's other notices, and the answers to one's own commands. */
START_TEST(quiet)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-q", _i == 0 ? "-x" : "-p", "-C", "1", "-n", "x", fake.address);
    fake_accept(&fake);
    fake_say(&fake, "note the cluster cannot be reached");
    fake_say(&fake, "users 2");
    fake_say(&fake, "note be nice");
    fake_say(&fake, "you x");
    fake_say(&fake, "join ben");
    fake_say(&fake, "quit ben left");
    fake_say(&fake, "note goodbye");
    fake_say(&fake, "msg ann hi");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_seek(&chat, "*cluster*");
    chat_seek(&chat, "*goodbye*");
    ck_assert_ptr_null(strstr(chat.out.at, "nice"));
    ck_assert_ptr_null(strstr(chat.out.at, "ben"));
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* A server that goes on talking when -C has been reached and all was said does not hold it. */
START_TEST(enough_is_enough)
{
    int64_t deadline = deadline_in(EXIT_MS);
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, _i == 0 ? "-r" : "-p", "-x", "-C", "2", "-n", "x", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "x");
    if (_i == 1) {
        chat_type(&chat, "hi\n");
        ck_assert_str_eq(fake_read(&fake), "hi");
    }
    fake_say(&fake, "msg x hi"); /* one's own do not count */
    fake_say(&fake, "priv x ann hi");
    fake_say(&fake, "msg ann one");
    fake_say(&fake, "post ben two");
    ck_assert_ptr_null(fake_read(&fake));
    while (process_state(chat.pid) != 'Z' && deadline_wait(deadline))
        fake_say(&fake, "note and more");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_seek(&chat, "* post ben two");
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* Lines of a later chatd are for those who want the wire's own. */
START_TEST(verbs_of_a_later_server)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-r", _i == 0 ? "-x" : "-p", "-n", "x", "-C", "1", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "x");
    fake_say(&fake, "topic ann trains and boats");
    fake_say(&fake, "msg ann hi");
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    if (_i == 0)
        chat_seek(&chat, "* topic ann trains and boats");
    else
        ck_assert_ptr_null(strstr(chat.out.at, "topic"));
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

START_TEST(enough_seconds_is_1)
{
    struct server server;
    struct chat chat;
    int64_t start = clock_ms();

    server_start(&server, ANY_PORT);
    ck_assert_int_eq(RUN(&chat, "", "-r", "-W", "1", "-n", "ci", server.address), 1);
    ck_assert_int_ge(clock_ms() - start, 1000);
    ck_assert_uint_eq(chat.err.len, 0);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

START_TEST(the_past)
{
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    ck_assert_int_eq(RUN(&chat, "1\n2\n3\n4\n", "-s", "-n", "ci", server.address), EX_OK);
    chat_end(&chat);
    ck_assert_int_eq(RUN(&chat, "\n", "-x", "-H", "2", "-n", "ci", server.address), EX_OK);
    chat_seek(&chat, "* post ci 3");
    chat_seek(&chat, "* post ci 4");
    ck_assert_ptr_null(strstr(chat.out.at, "post ci 2"));
    chat_end(&chat);
    ck_assert_int_eq(RUN(&chat, "\n", "-x", "-n", "ci", server.address), EX_OK);
    ck_assert_ptr_null(strstr(chat.out.at, "post"));
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

static const struct {
    const char *env;
    const char *option;
    const char *you;
    bool warns;
} names[] = {
    {"CHAT_NAME=env", "ann", "ann", false},
    {"CHAT_NAME=env", NULL, "env", false},
    {"CHAT_NAME=", NULL, "127.0.0.1:*", true},
    {"X=", "", "127.0.0.1:*", true},
    {"X=", " /a b ", "a_b", false},
    {"X=", "/users", "users", false},
};

/* ... and the address, both from the environment. */
START_TEST(whose_name)
{
    struct server server;
    struct chat chat;
    char env[512], you[128];

    server_start(&server, ANY_PORT);
    snprintf(env, sizeof env, "%s\nCHAT_SERVER=%s", names[_i].env, server.address);
    chat_start_as(&chat, &(struct chat_setup){.env = env},
        (const char *const[]){
            "-x", names[_i].option != NULL ? "-n" : NULL, names[_i].option, NULL});
    chat_type(&chat, "\n");
    chat_finish(&chat);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    snprintf(you, sizeof you, "* you %s", names[_i].you);
    chat_seek(&chat, you);
    ck_assert_uint_eq(sink_lines(&chat.err), names[_i].warns);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

START_TEST(the_secret)
{
    static const struct {
        const char *env;
        int status;
        const char *complaint;
    } cases[] = {{"CHAT_PASS=swordfish", EX_OK, NULL},
        {"CHAT_PASS=herring", EX_NOPERM, "chat: refused: wrong secret"},
        {NULL, EX_NOPERM, "chat: refused: * (set CHAT_PASS)"}};
    char path[PATH_TEXT_MAX];
    struct server server;
    struct chat chat;
    FILE *file;

    test_path(path, "secret");
    file = fopen(path, "w");
    fchmod(fileno(file), 0600);
    fputs("swordfish\n", file);
    fclose(file);
    server_start(&server, ANY_PORT, "-k", path);
    chat_start_as(&chat, &(struct chat_setup){.env = cases[_i].env},
        (const char *const[]){"-n", "ci", "-m", "hi", server.address, NULL});
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), cases[_i].status);
    ck_assert_uint_eq(sink_lines(&chat.err), cases[_i].status != EX_OK);
    if (cases[_i].complaint != NULL)
        chat_seek_error(&chat, cases[_i].complaint);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

START_TEST(a_full_room_is_75)
{
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT, "-m", "1");
    conn_join(&ann, &server, "ann");
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "ci", server.address), EX_TEMPFAIL);
    chat_complained_once(&chat);
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* ---- Commands ------------------------------------------------------------------------ */

START_TEST(a_bot_hears_and_speaks)
{
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    chat_start(&chat, "-n", "bot", "-e",
        "while read -r stamp verb who what; do case $verb in msg) echo \"/msg $who $what?\"; "
        "echo bye; exit;; esac; done",
        server.address);
    conn_expect(&ann, "join bot");
    conn_say(&ann, "well");
    conn_expect(&ann, "msg ann well");
    conn_expect(&ann, "priv bot ann well?");
    conn_expect(&ann, "msg bot bye");
    conn_expect(&ann, "quit bot left");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_said_nothing(&chat);
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

static const struct {
    const char *command;
    int status;
} bots[] = {
    {"true", EX_OK},
    {"exit 3", 1},
    {"kill -9 $$", 1},
    {"exec >/dev/null; read line", EX_OK}, /* its end counts, not that of its output */
    {"exec </dev/null; echo hi", EX_OK},
    {"echo /nonsense", 1},
    {"echo /me; echo hi; sleep 5 2>&- & exit 0", 1},
};

START_TEST(how_a_bot_ends)
{
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    ck_assert_int_eq(
        RUN(&chat, "", "-n", "bot", "-e", bots[_i].command, server.address), bots[_i].status);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

static void stay(struct chat *chat, struct fake *fake)
{
    (void)chat;
    (void)fake;
}

static void ask_to_end(struct chat *chat, struct fake *fake)
{
    (void)fake;
    kill(chat->pid, SIGTERM);
}

static void hang_up_on(struct chat *chat, struct fake *fake)
{
    (void)chat;
    fake_hang_up(fake);
}

static const struct {
    const char *command;
    void (*act)(struct chat *, struct fake *);
    const char *option;
    int status;
} left_behind[] = {
    {"echo hi; exec sleep 51", stay, "-W1", 1},
    {"echo hi; sleep 52; echo", stay, "-W1", 1},
    {"echo hi; sleep 53; echo", ask_to_end, "-p", 128 + SIGTERM},
    {"echo hi; sleep 54; echo", hang_up_on, "-p", EX_UNAVAILABLE},
    {"echo hi; read line; sleep 55; echo", hang_up_on, "-C1", EX_UNAVAILABLE},
};

/* Waits for what the bot says. False where the time of -W was over before. */
static bool bot_speaks(struct fake *fake, int64_t begun)
{
    const char *line;

    do
        line = fake_read(fake);
    while (line != NULL && line[0] == '/');
    if (line != NULL) {
        ck_assert_str_eq(line, "x");
        fake_say(fake, "here x");
        fake_say(fake, "users 1");
        fake_say(fake, "you x");
        line = fake_read(fake);
    }
    if (line == NULL && was_late(begun, 1000))
        return false;
    ck_assert_ptr_nonnull(line);
    ck_assert_str_eq(line, "hi");
    return true;
}

/* However chat leaves, and whatever the bot is waiting for, nothing of it is left. */
START_TEST(no_bot_is_left)
{
    struct chat chat;
    struct fake fake;
    bool in_time;

    do {
        int64_t begun = clock_ms();
        fake_open(&fake);
        chat_start(
            &chat, left_behind[_i].option, "-n", "x", "-e", left_behind[_i].command, fake.address);
        fake_accept(&fake);
        in_time = bot_speaks(&fake, begun);
        if (in_time)
            left_behind[_i].act(&chat, &fake);
        ck_assert_int_eq(chat_exit(&chat, EXIT_MS), left_behind[_i].status);
        fake_close(&fake);
        chat_end(&chat);
    } while (!in_time);
}
END_TEST

START_TEST(no_command_is_left)
{
    struct chat chat;

    ck_assert_int_eq(RUN(&chat, "", "-r", "-W", "1", "-n", "x", "-c", "sleep 56; echo"), 1);
    chat_said_nothing(&chat);
    chat_end(&chat);
}
END_TEST

/* What this program is as the command of -c: like nc, and the end of its input ends nothing. */
static int relay_main(const char *address)
{
    struct connect_failure failure;
    struct address to;
    int fd = address_parse(&to, address) == NULL
                 ? connect_server(&to, clock_now() + EXIT_MS, &failure)
                 : -1;
    struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}};

    if (fd < 0)
        return EXIT_FAILURE;
    fcntl(fd, F_SETFL, 0);
    while (poll(fds, 2, 60000) > 0) {
        if (fds[0].revents != 0 && !relay_bytes(STDIN_FILENO, fd))
            fds[0].fd = -1;
        if (fds[1].revents != 0 && !relay_bytes(fd, STDOUT_FILENO))
            break;
    }
    return EXIT_SUCCESS;
}

static void relay_command(char *out, size_t size, const char *address)
{
    char self[PATH_TEXT_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    ck_assert_int_gt(len, 0);
    self[len] = '\0';
    snprintf(out, size, "exec '%s' relay %s", self, address);
}

START_TEST(through_a_command)
{
    char command[1024];
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT);
    relay_command(command, sizeof command, server.address);
    conn_join(&ann, &server, "ann");
    ck_assert_int_eq(RUN(&chat, "", "-l", "-c", command), EX_OK);
    ck_assert_str_eq(chat.out.at, "ann\n");
    chat_end(&chat);
    ck_assert_int_eq(RUN(&chat, "one\ntwo\n", "-x", "-n", "ci", "-c", command), EX_OK);
    chat_seek(&chat, "* msg ci one");
    chat_seek(&chat, "* msg ci two");
    chat_end(&chat);
    conn_expect(&ann, "join ci");
    conn_expect(&ann, "msg ci one");
    conn_expect(&ann, "msg ci two");
    conn_expect(&ann, "quit ci left");
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "ci", "-c", "exit 7"), EX_UNAVAILABLE);
    chat_end(&chat);
    ck_assert_int_eq(RUN(&chat, "hi\n", "-n", "ci", "-c", "echo hello"), EX_PROTOCOL);
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* A command that asks for a password on the terminal gets every key, and the room none of them. */
START_TEST(a_command_that_asks)
{
    char relay[512], command[1024];
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    relay_command(relay, sizeof relay, fake.address);
    snprintf(command, sizeof command,
        "printf 'Password: ' >/dev/tty; read -r word </dev/tty; echo \"got <$word>\" >/dev/tty; %s",
        relay);
    chat_start_at_terminal(&chat, "-k", "-c", command);
    chat_see(&chat, "your name: "); /* before the command asks */
    chat_type(&chat, "ann\r");
    for (int i = 0; i < 3; i++) {
        chat_see(&chat, "Password: ");
        for (const char *key = "sesame\r"; *key != '\0'; key++)
            chat_type(&chat, (const char[]){*key, '\0'});
        chat_see(&chat, "got <sesame>");
        fake_accept(&fake);
        fake_welcome(&fake, "ann");
        chat_see(&chat, i == 0 ? "you are ann" : "back again");
        chat_type(&chat, "hello\r");
        ck_assert_str_eq(fake_read(&fake), "hello");
        fake_say(&fake, "msg ann hello");
        chat_see(&chat, "ann: hello");
        fake_hang_up(&fake);
    }
    chat_see(&chat, "Password: ");
    chat_type(&chat, "\003");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* ---- The name at a terminal ----------------------------------------------------------- */

START_TEST(it_asks_for_a_name)
{
    static const struct {
        const char *answer, *you;
    } cases[] = {{"ann\r", "you are ann"}, {"\r", "your address will be your name"}};
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, "-p", server.address);
    chat_see(&chat, "name: ");
    chat_type(&chat, cases[_i].answer);
    chat_see(&chat, cases[_i].you);
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* A user may think about it for longer than the server waits. */
START_TEST(a_name_may_take_its_time)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-p", fake.address);
    chat_see(&chat, "name: ");
    fake_accept(&fake);
    if (_i == 0)
        fake_say(&fake, "error login-timeout no name within 60 seconds");
    fake_hang_up(&fake);
    chat_type(&chat, "ann\r");
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_see(&chat, "you are ann");
    chat_type(&chat, "\004");
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* ... until -W is over. */
START_TEST(a_name_may_take_too_long)
{
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, "-p", "-W", "1", server.address);
    chat_see(&chat, "name: \r\n");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), 1);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* ---- No line disappears without a word ------------------------------------------------- */

/* At a keyboard the exit status tells, too, whether all was accepted. */
START_TEST(a_command_too_long_for_the_wire)
{
    char line[LINE_IN_MAX + 100];
    struct server server;
    struct chat chat;

    memset(line, 'x', sizeof line);
    memcpy(line, "/msg ann ", 9);
    memcpy(line + sizeof line - 2, "\r", 2);
    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, _i == 0 ? "-H5" : "-p", "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    chat_type(&chat, _i == 0 ? line : "/nonsense\r");
    chat_see(&chat, _i == 0 ? "chat: not sent: /msg ann xxxx" : "unknown");
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), 1);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* What had not gone out yet when it is told to end. */
START_TEST(lines_that_are_left)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start(&chat, "-n", "x", fake.address);
    fake_accept(&fake);
    chat_type(&chat, "one\ntwo\nthr");
    fake_say(&fake, "note not yet");
    chat_seek(&chat, "*not yet");
    chat_reads(&chat);
    kill(chat.pid, SIGTERM);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), 128 + SIGTERM);
    chat_seek_error(&chat, "chat: not sent: one and 2 more lines");
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* -C waits for what is still to come, also at a terminal, where the past is shown else. */
START_TEST(the_past_is_not_counted)
{
    struct server server;
    struct chat chat;
    struct conn ben;

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    conn_say(&ben, "before");
    conn_expect(&ben, "msg ben before");
    chat_start_at_terminal(&chat, "-r", "-C", "1", "-n", "ann", server.address);
    conn_expect(&ben, "join ann");
    conn_say(&ben, "after");
    chat_see(&chat, "after");
    ck_assert_ptr_null(strstr(chat.out.at, "before"));
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    chat_start_at_terminal(&chat, "-r", "-C", "1", "-H", "5", "-n", "ann", server.address);
    chat_see(&chat, "before");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* ---- All of them --------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    const struct test tests[] = {
        {usage_is_64, COUNT_OF(wrong_usage), 20},
        {help_and_version, 4, 20},
        {help_that_cannot_be_printed, 2, 20},
        {nobody_listens, 1, 20},
        {no_such_socket, 1, 20},
        {no_socket_at_all, 2, 20},
        {no_such_host, 1, 20},
        {none_of_several_addresses, 1, 20},
        {ways_to_write_an_address, 1, 20},
        {nobody_answers, 2, 20},
        {typed_while_nobody_answers, 1, 20},
        {what_the_server_is, COUNT_OF(strangers), 20},
        {a_server_that_asks_for_patience, 2, 20},
        {a_flood_without_a_line, COUNT_OF(floods), 30},
        {a_server_that_is_silent, 2, 20},
        {a_command_that_never_works, 1, 20},
        {a_server_that_sends_escapes, 2, 20},
        {a_line_that_ends_with_cr_nul, 1, 20},
        {a_server_that_does_not_read, 1, 30},
        {the_server_closes_at_the_end_of_input, 1, 60},
        {piped_text_is_data, COUNT_OF(pieces), 20},
        {no_input_at_all, 1, 20},
        {long_lines_go_in_pieces, 5, 20},
        {ten_thousand_lines, 1, 30},
        {the_server_dies_in_the_middle, 1, 20},
        {standard_output_fails, 2, 20},
        {the_reader_goes_in_a_silent_room, 2, 20},
        {standard_input_fails, 1, 20},
        {posts_join_nobody, 1, 20},
        {the_list_of_names, 1, 20},
        {the_lines_of_the_wire, 2, 20},
        {quiet, 2, 20},
        {enough_is_enough, 2, 30},
        {verbs_of_a_later_server, 2, 20},
        {enough_seconds_is_1, 1, 20},
        {the_past, 1, 20},
        {whose_name, COUNT_OF(names), 20},
        {the_secret, 3, 20},
        {a_full_room_is_75, 1, 20},
        {a_bot_hears_and_speaks, 1, 20},
        {how_a_bot_ends, COUNT_OF(bots), 20},
        {no_bot_is_left, COUNT_OF(left_behind), 30},
        {no_command_is_left, 1, 20},
        {through_a_command, 1, 30},
        {a_command_that_asks, 1, 30},
        {it_asks_for_a_name, 2, 20},
        {a_name_may_take_its_time, 2, 20},
        {a_name_may_take_too_long, 1, 20},
        {a_command_too_long_for_the_wire, 2, 20},
        {lines_that_are_left, 1, 20},
        {the_past_is_not_counted, 1, 20},
    };

    if (argc == 3 && strcmp(argv[1], "relay") == 0)
        return relay_main(argv[2]);
    return tests_run("chat", tests, COUNT_OF(tests));
}
