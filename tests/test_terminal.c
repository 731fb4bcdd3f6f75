/*
 * chat at a terminal: a real chat at a real pty, and a real chatd or a server that the test plays.
 */
#include "chat_process.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_MS 10000

/* ---- Modes --------------------------------------------------------------------------- */

static void modes_equal(const struct termios *a, const struct termios *b)
{
    ck_assert_uint_eq(a->c_iflag, b->c_iflag);
    ck_assert_uint_eq(a->c_oflag, b->c_oflag);
    ck_assert_uint_eq(a->c_cflag, b->c_cflag);
    ck_assert_uint_eq(a->c_lflag, b->c_lflag);
    ck_assert_int_eq(memcmp(a->c_cc, b->c_cc, sizeof a->c_cc), 0);
}

/* Chat at a terminal with 80 columns, in the room as ann. */
static void terminal_open(struct chat *chat, const char *option, const char *address)
{
    chat_start_at_terminal(chat, option, "-n", "ann", address);
    chat_see(chat, "you are ann");
}

static void crash(struct chat *chat, struct server *server)
{
    (void)chat;
    server_kill(server);
}

static void terminate(struct chat *chat, struct server *server)
{
    (void)server;
    kill(chat->pid, SIGTERM);
}

static void hang_up(struct chat *chat, struct server *server)
{
    (void)server;
    kill(chat->pid, SIGHUP);
}

static void interrupt(struct chat *chat, struct server *server)
{
    (void)server;
    chat_type(chat, "\003");
}

static void end_input(struct chat *chat, struct server *server)
{
    (void)server;
    chat_type(chat, "\004");
}

static void quit_typed(struct chat *chat, struct server *server)
{
    (void)server;
    chat_type(chat, "/quit now\r");
}

static void kernel_stop(struct chat *chat, struct server *server)
{
    (void)server;
    chat_type(chat, "/nonsense\r");
    chat_see(chat, "unknown");
    chat_type(chat, "\023"); /* Ctrl-S: output is held */
    kill(chat->pid, SIGTERM);
}

static const struct {
    void (*act)(struct chat *, struct server *);
    int status;
} endings[] = {
    {end_input, EX_OK},
    {quit_typed, EX_OK},
    {interrupt, EX_OK},
    {terminate, 128 + SIGTERM},
    {hang_up, 128 + SIGHUP},
    {kernel_stop, 128 + SIGTERM},
    {crash, EX_UNAVAILABLE},
};

/* With the editor, and with the kernel's line editing. */
START_TEST(the_terminal_is_left_as_it_was)
{
    static const char *const options[] = {"-H5", "-p"};
    struct termios after;
    struct server server;
    struct chat chat;

    for (size_t i = 0; i < COUNT_OF(options); i++) {
        server_start(&server, ANY_PORT);
        terminal_open(&chat, options[i], server.address);
        endings[_i].act(&chat, &server);
        ck_assert_int_eq(chat_exit(&chat, EXIT_MS), endings[_i].status);
        tcgetattr(chat.slave, &after);
        modes_equal(&chat.modes, &after);
        chat_end(&chat);
        if (server.pid > 0)
            server_stop(&server);
    }
}
END_TEST

/* Ctrl-Z puts the modes right, fg takes them again, and the half-typed line is still there. */
START_TEST(stopped_and_continued)
{
    struct termios stopped;
    struct server server;
    struct chat chat;
    int64_t deadline = deadline_in(EXIT_MS);
    int status;

    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    chat_type(&chat, "half");
    chat_see(&chat, "half");
    /* Not by Ctrl-Z: it would only stop a group that somebody in the session could continue. */
    kill(chat.pid, SIGSTOP);
    ck_assert_int_eq(waitpid(chat.pid, &status, WUNTRACED), chat.pid);
    ck_assert(WIFSTOPPED(status));
    ck_assert_int_eq(tcsetattr(chat.slave, TCSANOW, &chat.modes), 0); /* as a shell does */
    kill(chat.pid, SIGCONT);
    do
        tcgetattr(chat.slave, &stopped);
    while ((stopped.c_lflag & ICANON) != 0 && deadline_wait(deadline));
    ck_assert_int_eq(stopped.c_lflag & ICANON, 0);
    chat_see(&chat, "\033[?2004h"); /* a shell has turned it off */
    chat_type(&chat, " and whole\r");
    chat_see(&chat, "ann: half and whole");
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* What arrives is printed above; the typed line stays. */
START_TEST(the_typed_line_survives)
{
    struct terminal *screen = terminal_new(24, 80);
    struct server server;
    struct chat chat;
    struct conn ben;
    char line[32];

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_as(&chat, &(struct chat_setup){.terminal = true, .env = "NO_COLOR=1"},
        (const char *const[]){"-n", "ann", server.address, NULL});
    chat_see(&chat, "you are ann");
    for (int i = 0; i < 10; i++) {
        snprintf(line, sizeof line, "%c", 'a' + i);
        chat_type(&chat, line);
        snprintf(line, sizeof line, "message %d", i);
        conn_say(&ben, "%s", line);
        chat_see(&chat, line);
    }
    chat_see(&chat, "j");
    terminal_write(screen, chat.out.at, chat.out.len, false);
    ck_assert_ptr_nonnull(strstr(terminal_row(screen, screen->row - 1), "ben: message 9"));
    ck_assert_ptr_nonnull(strstr(terminal_row(screen, screen->row), "abcdefghij"));
    chat_type(&chat, "\r");
    conn_seek(&ben, "msg ann abcdefghij");
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    terminal_free(screen);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* With -p a message is one line, which the terminal may fold: so it can be copied whole. */
START_TEST(what_is_wrapped)
{
    static const char *const options[] = {"-p", "-H5"};
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    char text[400];
    struct server server;
    struct chat chat;
    struct conn ben;

    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 8 == 7 ? ' ' : 'x';
    text[sizeof text - 1] = '\0';
    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_at_terminal(&chat, options[_i], "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    ck_assert_int_eq(ioctl(chat.slave, TIOCSWINSZ, &size), 0);
    chat_type(&chat, "wide\r"); /* the size is known when this is answered */
    chat_see(&chat, "ann: wide");
    conn_say(&ben, "%s", text);
    conn_say(&ben, "end");
    chat_see(&chat, "end");
    ck_assert_int_eq(strstr(chat.out.at, text) != NULL, _i == 0);
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* With the kernel's line editing too, Ctrl-C clears a half-typed line, and leaves on an empty one.
 */
START_TEST(control_c_without_an_editor)
{
    struct server server;
    struct chat chat;
    struct conn ben;

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_at_terminal(&chat, "-p", "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    chat_type(&chat, "thrown away\003");
    chat_see(&chat, "^C\r\n");
    chat_type(&chat, "said\r");
    conn_seek(&ben, "msg ann said");
    chat_see(&chat, "ann: said");
    /* also where the next line is there at once, as over a slow link */
    chat_type(&chat, "one\rthrown away\003two\rhalf\003three\r");
    conn_expect(&ben, "msg ann one");
    conn_expect(&ben, "msg ann two");
    conn_expect(&ben, "msg ann three");
    chat_see(&chat, "ann: three");
    chat_type(&chat, "\003");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    conn_expect(&ben, "quit ann left");
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* ann at a terminal, and ben who hears what she says. */
struct pair {
    struct server server;
    struct chat ann;
    struct conn ben;
};

static void pair_open(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    server_start(&pair->server, ANY_PORT);
    conn_join(&pair->ben, &pair->server, "ben");
    chat_start_at_terminal(&pair->ann, "-n", "ann", pair->server.address);
    chat_see(&pair->ann, "you are ann");
    conn_seek(&pair->ben, "join ann");
}

static void pair_close(struct pair *pair)
{
    chat_type(&pair->ann, "\003\003");
    ck_assert_int_eq(chat_exit(&pair->ann, EXIT_MS), EX_OK);
    chat_end(&pair->ann);
    conn_close(&pair->ben);
    server_stop(&pair->server);
}

/* ---- A terminal that is held --------------------------------------------------------- */

/* Nobody reads what the terminal shows, and ben talks until it takes no more. */
static void terminal_fill(const struct chat *chat, struct conn *ben)
{
    int64_t deadline = deadline_in(EXIT_MS);
    int shown = 0, before = -1;

    for (int i = 0; i < 1500; i++)
        conn_say(ben, "%d words that fill a terminal which nobody reads, and then some more", i);
    for (int same = 0; same < 20 || shown == 0; same = shown == before ? same + 1 : 0) {
        before = shown;
        ensure(deadline_wait(deadline), "the terminal takes everything");
        ck_assert_int_eq(ioctl(chat->out.fd, FIONREAD, &shown), 0);
    }
}

/* Types keys and waits until they are read. */
static void keys_are_read(struct chat *chat, const char *keys)
{
    ck_assert_int_eq(write(chat->in, keys, strlen(keys)), (ssize_t)strlen(keys));
    chat_reads(chat);
}

/* The exit status, while still nobody reads. */
static int exit_unread(struct chat *chat)
{
    int64_t deadline = deadline_in(EXIT_MS);
    int status;

    while (waitpid(chat->pid, &status, WNOHANG) == 0)
        ensure(deadline_wait(deadline), "it does not end");
    chat->pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const struct {
    const char *seconds; /* for -W */
    int signal;
    const char *keys;
    int status;
} held[] = {
    {"60", SIGTERM, "abc", 128 + SIGTERM},
    {"60", SIGHUP, "abc", 128 + SIGHUP},
    {"60", 0, "abc\003\003", EX_OK},
    {"60", 0, "\004", EX_OK},
    {"6", 0, "abc", 1},
};

/* It keeps chat from nothing but showing. */
START_TEST(a_terminal_that_nobody_reads)
{
    struct termios after;
    struct server server;
    struct chat chat;
    struct conn ben;

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_at_terminal(&chat, "-W", held[_i].seconds, "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    terminal_fill(&chat, &ben);
    keys_are_read(&chat, held[_i].keys);
    if (held[_i].signal != 0)
        kill(chat.pid, held[_i].signal);
    ck_assert_int_eq(exit_unread(&chat), held[_i].status);
    tcgetattr(chat.slave, &after);
    modes_equal(&chat.modes, &after);
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* ... and what was typed meanwhile is there when it goes on. */
START_TEST(a_terminal_that_is_read_late)
{
    struct pair pair;
    struct terminal *screen = terminal_new(24, 80);

    server_start(&pair.server, ANY_PORT);
    conn_join(&pair.ben, &pair.server, "ben");
    chat_start_as(&pair.ann, &(struct chat_setup){.terminal = true, .env = "NO_COLOR=1"},
        (const char *const[]){"-H0", "-n", "ann", pair.server.address, NULL});
    chat_see(&pair.ann, "you are ann");
    terminal_fill(&pair.ann, &pair.ben);
    keys_are_read(&pair.ann, "said\rtyped");
    conn_seek(&pair.ben, "msg ann said");
    chat_see(&pair.ann, "1499 words");
    chat_see(&pair.ann, "ann: said");
    chat_see(&pair.ann, "typed");
    terminal_write(screen, pair.ann.out.at, pair.ann.out.len, false);
    ck_assert_str_eq(terminal_row(screen, screen->row), "> typed");
    terminal_free(screen);
    pair_close(&pair);
}
END_TEST

/* Ctrl-S is a key like others, for the terminal is not held by it. */
START_TEST(control_s_holds_nothing)
{
    struct pair pair;

    pair_open(&pair);
    chat_type(&pair.ann, "one\023two\r");
    conn_expect(&pair.ben, "msg ann onetwo");
    conn_say(&pair.ben, "hello");
    chat_see(&pair.ann, "hello");
    pair_close(&pair);
}
END_TEST

/* What is not accepted is said, where all is one terminal, and the terminal goes on. */
START_TEST(an_error_without_an_editor)
{
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, "-s", "-n", "ann", server.address);
    chat_type(&chat, "/nonsense\r");
    chat_see(&chat, "chat: not accepted: ");
    chat_type(&chat, "\004");
    chat_exit(&chat, EXIT_MS);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* Without an editor, the kernel holds it. */
START_TEST(control_s_without_an_editor)
{
    struct server server;
    struct chat chat;
    struct conn ben;

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_at_terminal(&chat, "-p", "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    chat_type(&chat, "\023");
    conn_say(&ben, "hello");
    conn_seek(&ben, "msg ben hello");
    kill(chat.pid, SIGTERM);
    ck_assert_int_eq(exit_unread(&chat), 128 + SIGTERM);
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* ---- Keys ---------------------------------------------------------------------------- */

/* What is typed is said; keys that are none, and reports that nobody asked for, say nothing. */
START_TEST(keys_swallow_nothing_and_leak_nothing)
{
    static const char *const typed[] = {"\033[", "\033O", "\033]", "\033P", "\033X", "\033^",
        "\033_", "\033N", "\033[M !!", "\033[M \xa1\xc0", "\033[<0;10;10M", "\033[<0;10;10m",
        "\033[15~", "\033[?1;2c", "\033]11;rgb:0/0/0\033\\", "\033P1$r0m\033\\"};
    struct pair pair;

    pair_open(&pair);
    for (size_t i = 0; i < COUNT_OF(typed); i++) {
        chat_type(&pair.ann, typed[i]);
        chat_type(&pair.ann, "hello\r");
        conn_expect(&pair.ben, "msg ann hello");
    }
    pair_close(&pair);
}
END_TEST

/*
 * A cursor key in two pieces is a key, whatever happens between them: here the echo of the line
 * before. After a while it is none any more, and where the machine is busy that may be too short:
 * one of some tries has to do.
 */
START_TEST(a_key_in_two_pieces)
{
    static const char *const keys[][2] = {
        {"\033", "[D"}, {"\033[", "D"}, {"\033", "OD"}, {"\033[1;", "2D"}};
    struct pair pair;
    char line[32];
    bool done = false;

    pair_open(&pair);
    for (int try = 0; try < 5 && !done; try++) {
        snprintf(line, sizeof line, "line %d\rab%s", try, keys[_i][0]);
        chat_type(&pair.ann, line);
        conn_expect(&pair.ben, "msg ann line *");
        kill(pair.ann.pid, SIGWINCH);
        snprintf(line, sizeof line, "ann: line %d", try);
        chat_see(&pair.ann, line);
        chat_type(&pair.ann, keys[_i][1]);
        chat_type(&pair.ann, "x\r");
        done = strcmp(conn_read(&pair.ben), "msg ann axb") == 0;
    }
    ck_assert(done);
    pair_close(&pair);
}
END_TEST

/* Ctrl-C is itself in the middle of everything. */
START_TEST(control_c_in_the_middle)
{
    static const char *const typed[] = {
        "\033", "\033[", "\033[1;", "\033]11;", "\033P1", "\033[M ", "\033[200~one", "\xe4\xbd"};
    struct pair pair;

    pair_open(&pair);
    for (size_t i = 0; i < COUNT_OF(typed); i++) {
        chat_type(&pair.ann, typed[i]);
        chat_type(&pair.ann, i < 6 ? "\003" : "");
        chat_type(&pair.ann, "hello\003said\r");
        conn_expect(&pair.ben, i < 6 ? "quit ann left" : "msg ann said");
        if (i >= 6)
            continue;
        ck_assert_int_eq(chat_exit(&pair.ann, EXIT_MS), EX_OK);
        chat_end(&pair.ann);
        chat_start_at_terminal(&pair.ann, "-n", "ann", pair.server.address);
        chat_see(&pair.ann, "you are ann");
        conn_seek(&pair.ben, "join ann");
    }
    pair_close(&pair);
}
END_TEST

/* ---- Pastes -------------------------------------------------------------------------- */

#define PASTE_BEGIN "\033[200~"
#define PASTE_END "\033[201~"

/* More than the window of unanswered lines. */
enum { PASTE_LINES = 800, PASTE_LINE = 4000 };

static void paste_line(char line[PASTE_LINE + 1], int i)
{
    int len = snprintf(line, PASTE_LINE, "/echo line %d >>pwned #", i);

    memset(line + len, 'k', (size_t)(PASTE_LINE - 1 - len));
    memcpy(line + PASTE_LINE - 1, "\r", 2);
}

static void transcript_has_the_paste(const char *path)
{
    char line[PASTE_LINE + 256], expected[PASTE_LINE + 1];
    FILE *file = fopen(path, "r");
    int next = 0;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line + STAMP_LEN, " msg ann ", 9) != 0)
            continue;
        paste_line(expected, next++);
        ensure(strncmp(line + STAMP_LEN + 9, expected, PASTE_LINE - 1) == 0, "got %.100s", line);
    }
    fclose(file);
    ck_assert_int_eq(next, PASTE_LINES);
}

/* A paste that the server does not take for a while waits in chat, and arrives. */
START_TEST(a_paste_waits_for_the_server)
{
    static char text[PASTE_LINES * PASTE_LINE + 1];
    char transcript[PATH_TEXT_MAX];
    struct family family;
    struct server server;
    struct chat chat;
    pid_t worker;

    test_path(transcript, "t");
    server_start(&server, ANY_PORT, "-t", transcript);
    family_look(&family, server.pid);
    chat_start_at_terminal(&chat, "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    worker = family_new_process(&family, server.pid);
    process_stop(worker);
    for (int i = 0; i < PASTE_LINES; i++)
        paste_line(text + (size_t)i * PASTE_LINE, i);
    chat_type(&chat, PASTE_BEGIN);
    chat_write(&chat, text, sizeof text - 1);
    chat_type(&chat, PASTE_END);
    chat_see(&chat, "[800 lines]");
    chat_type(&chat, "\r");
    chat_see(&chat, "[5"); /* lines that found no room yet */
    kill(worker, SIGCONT);
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    server_stop(&server);
    transcript_has_the_paste(transcript);
}
END_TEST

/* What is pasted is said, line by line and as it is, after Return and not before. */
START_TEST(a_paste_is_data)
{
    struct pair pair;

    pair_open(&pair);
    chat_type(&pair.ann, PASTE_BEGIN "/quit" PASTE_END "\r");
    conn_expect(&pair.ben, "msg ann /quit");
    chat_type(&pair.ann, PASTE_BEGIN "//\r\n/usr/lib/x.so\ta\r\n/quit\n" PASTE_END);
    chat_see(&pair.ann, "[3 lines]");
    chat_type(&pair.ann, "\003");
    chat_type(&pair.ann, PASTE_BEGIN "/msg ben x\r\r/quit\033[2\r" PASTE_END "\r");
    conn_expect(&pair.ben, "msg ann /msg ben x");
    conn_expect(&pair.ben, "msg ann /quit");
    chat_type(&pair.ann, "/me " PASTE_BEGIN "/waves\033[" PASTE_END "\r");
    conn_expect(&pair.ben, "me ann /waves");
    pair_close(&pair);
}
END_TEST

/* Behind /msg NAME no line of a paste is public; behind another command it is refused. */
START_TEST(a_private_paste)
{
    struct pair pair;

    pair_open(&pair);
    chat_type(&pair.ann, "/msg ben " PASTE_BEGIN "one\r/quit\rtwo" PASTE_END);
    chat_see(&pair.ann, "[3 lines] > /msg ben ");
    chat_type(&pair.ann, "three\r");
    conn_expect(&pair.ben, "priv ann ben one");
    conn_expect(&pair.ben, "priv ann ben /quit");
    conn_expect(&pair.ben, "priv ann ben two");
    conn_expect(&pair.ben, "priv ann ben three");
    chat_type(&pair.ann, "/msg ben" PASTE_BEGIN " one\rtwo" PASTE_END);
    chat_see(&pair.ann, "chat: not pasted: several lines");
    chat_type(&pair.ann, "\003public\r");
    conn_expect(&pair.ben, "msg ann public");
    pair_close(&pair);
}
END_TEST

/* Nothing of a paste is sent before Return, also where its end does not come. */
START_TEST(half_a_paste_is_data)
{
    struct pair pair;

    pair_open(&pair);
    chat_type(&pair.ann, PASTE_BEGIN "one\r/quit\r");
    chat_see(&pair.ann, "[2 lines]");
    chat_type(&pair.ann, "\003");
    chat_type(&pair.ann, PASTE_BEGIN "two\r/quit");
    chat_see(&pair.ann, "[2 lines]");
    chat_type(&pair.ann, "\r");
    conn_expect(&pair.ben, "msg ann two");
    conn_expect(&pair.ben, "msg ann /quit");
    pair_close(&pair);
}
END_TEST

/* A paste that pauses, as over a bad link, is data to its end; Return alone sends it. */
START_TEST(a_paste_that_pauses)
{
    static const char *const ends[] = {PASTE_END, ""};
    struct pair pair;

    pair_open(&pair);
    chat_type(&pair.ann, "/msg ben " PASTE_BEGIN "one\rtwo\r");
    chat_see(&pair.ann, "[2 lines] > /msg ben ");
    chat_type(&pair.ann, "three\r/quit\r");
    chat_see(&pair.ann, "[4 lines] > /msg ben ");
    chat_type(&pair.ann, "four\r");
    chat_type(&pair.ann, ends[_i]);
    chat_see(&pair.ann, "four");
    chat_type(&pair.ann, "\r");
    conn_expect(&pair.ben, "priv ann ben one");
    conn_expect(&pair.ben, "priv ann ben two");
    conn_expect(&pair.ben, "priv ann ben three");
    conn_expect(&pair.ben, "priv ann ben /quit");
    conn_expect(&pair.ben, "priv ann ben four");
    chat_type(&pair.ann, "typed\rin one\r");
    conn_expect(&pair.ben, "msg ann typed");
    conn_expect(&pair.ben, "msg ann in one");
    pair_close(&pair);
}
END_TEST

/* A long line is said in pieces, and whole; five thousand are five thousand. */
START_TEST(much_is_pasted)
{
    static char text[5000 * 8 + 70000 + 16];
    struct pair pair;
    size_t len = 0, told = 0;

    pair_open(&pair);
    len += (size_t)snprintf(text, sizeof text, PASTE_BEGIN);
    memset(text + len, 'x', 70000);
    len += 70000;
    chat_write(&pair.ann, text, len);
    chat_type(&pair.ann, PASTE_END "\r");
    while (told < 70000)
        told += strlen(conn_seek(&pair.ben, "msg ann xxx*")) - strlen("msg ann ");
    ck_assert_uint_eq(told, 70000);
    len = (size_t)snprintf(text, sizeof text, PASTE_BEGIN);
    for (int i = 0; i < 5000; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "/%d\r", i);
    chat_write(&pair.ann, text, len);
    chat_type(&pair.ann, PASTE_END);
    chat_see(&pair.ann, "[5000 lines]");
    chat_type(&pair.ann, "\r");
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "msg ann /%d", i);
        ensure(strcmp(conn_read(&pair.ben), text) == 0, "%s is missing", text);
    }
    pair_close(&pair);
}
END_TEST

/* Ctrl-C is found behind all that waits. */
START_TEST(control_c_behind_a_paste)
{
    char line[PASTE_LINE + 1];
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-n", "ann", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_see(&chat, "you are ann");
    for (int i = 0; i < PASTE_LINES / 2; i++) {
        paste_line(line, i);
        chat_type(&chat, line);
    }
    fake_say(&fake, "msg ben still here");
    chat_see(&chat, "still here");
    chat_type(&chat, "\003");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* Leaving in the middle of a paste, in one way or another, leaves nothing of it to a shell. */
START_TEST(the_rest_of_a_paste_is_dropped)
{
    static char text[3000 * 80];
    struct server server;
    struct chat chat;
    size_t len = 0;
    char left;

    for (int i = 0; len + 80 < sizeof text; i++)
        len += (size_t)snprintf(text + len, 80, "echo LINE%d >>pwned #kkkkkkkkkkkkkkkkkkkkkk\r", i);
    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    chat_type(&chat, "typed" PASTE_BEGIN);
    chat_see(&chat, "typed");
    chat_type(&chat, "one\rtwo");
    if (_i == 0)
        kill(chat.pid, SIGTERM);
    else
        server_kill(&server);
    chat_write(&chat, text, len);
    chat_type(&chat, PASTE_END);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), ((const int[]){128 + SIGTERM, EX_UNAVAILABLE})[_i]);
    fcntl(chat.slave, F_SETFL, O_NONBLOCK);
    ck_assert_int_eq(read(chat.slave, &left, 1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    chat_end(&chat);
    if (server.pid > 0)
        server_stop(&server);
}
END_TEST

/* Colour is for terminals that can, and for people who want it. */
START_TEST(where_there_is_colour)
{
    static const struct {
        const char *env, *option;
        bool colour;
    } cases[] = {{NULL, "-H5", true}, {NULL, "-p", false}, {"NO_COLOR=1", "-H5", false},
        {"TERM=dumb", "-H5", false}};
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    chat_start_as(&chat, &(struct chat_setup){.terminal = true, .env = cases[_i].env},
        (const char *const[]){cases[_i].option, "-n", "ann", server.address, NULL});
    chat_type(&chat, "hi\r");
    chat_see(&chat, "ann: hi");
    ck_assert_int_eq(strstr(chat.out.at, "\033[32m") != NULL, cases[_i].colour);
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

/* 256 colours where TERM or COLORTERM say so, basic ones elsewhere. */
START_TEST(as_many_colours_as_there_are)
{
    static const struct {
        const char *env;
        bool many;
    } cases[] = {{"TERM=xterm-256color", true}, {"TERM=xterm", false}, {"TERM=linux", false},
        {"TERM=xterm\nCOLORTERM=truecolor", true}, {"TERM=xterm\nCOLORTERM=", false}};
    struct server server;
    struct chat chat;
    struct conn ben;

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_as(&chat, &(struct chat_setup){.terminal = true, .env = cases[_i].env},
        (const char *const[]){"-n", "ann", server.address, NULL});
    chat_see(&chat, "you are ann");
    conn_say(&ben, "hello");
    chat_see(&chat, "hello");
    ck_assert_int_eq(strstr(chat.out.at, "\033[38;5;") != NULL, cases[_i].many);
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* A name that somebody else has is told, on the terminal and by -m. */
START_TEST(the_name_is_taken)
{
    struct server server;
    struct chat chat;
    struct conn ann;

    server_start(&server, ANY_PORT);
    conn_join(&ann, &server, "ann");
    chat_start_at_terminal(&chat, "-n", "ann", server.address);
    chat_see(&chat, "ann is taken; you are ann_2");
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    chat_start(&chat, "-n", "ann", "-m", "hi", server.address);
    chat_seek_error(&chat, "chat: ann is taken; you are ann_2");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* A name that the room does not take as it is, too. */
START_TEST(the_name_is_adjusted)
{
    struct server server;
    struct chat chat;

    server_start(&server, ANY_PORT);
    chat_start_at_terminal(&chat, "-n", "a b", server.address);
    chat_see(&chat, "a b cannot be a name; you are a_b");
    chat_type(&chat, "/nick c:d\r");
    chat_see(&chat, "c:d cannot be a name; a_b is now c_d");
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    chat_start(&chat, "-n", "a b", "-m", "hi", server.address);
    chat_seek_error(&chat, "chat: a b cannot be a name; you are a_b");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    chat_end(&chat);
    server_stop(&server);
}
END_TEST

static unsigned bells_in(const struct chat *chat)
{
    unsigned bells = 0;

    for (size_t i = 0; i < chat->out.len; i++)
        bells += chat->out.at[i] == '\a';
    return bells;
}

/* However much comes at once, there is one bell, where something deserves it. */
START_TEST(one_bell_for_a_batch)
{
    static const struct {
        const char *when, *text;
        unsigned bells;
    } cases[] = {{"mention", "hi ann", 1}, {"mention", "hi all", 0}, {"all", "hi all", 1},
        {"off", "hi ann", 0}};
    char lines[50 * 64];
    struct chat chat;
    struct fake fake;
    size_t len = 0;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-b", cases[_i].when, "-n", "ann", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_see(&chat, "you are ann");
    for (int i = 0; i < 50; i++)
        len += (size_t)snprintf(lines + len, sizeof lines - len,
            "2026-11-22T20:42:07.0001%02dZ msg ben %d %s\n", i, i, cases[_i].text);
    fake_send(&fake, lines, len);
    chat_see(&chat, "49 hi");
    chat_type(&chat, "\003");
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    ck_assert_uint_eq(bells_in(&chat), cases[_i].bells);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* What somebody else has written to the terminal goes, the conversation stays. */
START_TEST(control_l_keeps_the_conversation)
{
    struct terminal *screen = terminal_new(24, 80);
    struct pair pair;

    server_start(&pair.server, ANY_PORT);
    conn_join(&pair.ben, &pair.server, "ben");
    chat_start_as(&pair.ann, &(struct chat_setup){.terminal = true, .env = "NO_COLOR=1"},
        (const char *const[]){"-n", "ann", pair.server.address, NULL});
    chat_see(&pair.ann, "you are ann");
    for (int i = 0; i < 30; i++) {
        conn_say(&pair.ben, "message %d", i);
        conn_seek(&pair.ben, "msg ben *");
    }
    chat_see(&pair.ann, "message 29");
    ck_assert_int_eq(write(pair.ann.slave, "garbage", 7), 7);
    chat_type(&pair.ann, "typed\014");
    chat_see(&pair.ann, "\033[H");
    chat_see(&pair.ann, "> typed");
    terminal_write(screen, pair.ann.out.at, pair.ann.out.len, false);
    for (unsigned row = 0; row < 23; row++)
        ck_assert_ptr_null(strstr(terminal_row(screen, row), "garbage"));
    ck_assert_ptr_nonnull(strstr(terminal_row(screen, 0), "ben: message 7"));
    ck_assert_ptr_nonnull(strstr(terminal_row(screen, 22), "ben: message 29"));
    ck_assert_str_eq(terminal_row(screen, 23), "> typed");
    terminal_free(screen);
    pair_close(&pair);
}
END_TEST

START_TEST(some_are_ignored)
{
    struct pair pair;

    pair_open(&pair);
    chat_type(&pair.ann, "/ignore BEN\r");
    chat_see(&pair.ann, "-- BEN is ignored");
    conn_say(&pair.ben, "hidden");
    conn_seek(&pair.ben, "msg ben hidden");
    chat_type(&pair.ann, "mark\r");
    chat_see(&pair.ann, "ann: mark");
    chat_type(&pair.ann, "/unignore ben\r");
    chat_see(&pair.ann, "ben is not ignored any more");
    conn_say(&pair.ben, "shown");
    chat_see(&pair.ann, "shown");
    ck_assert_ptr_null(strstr(pair.ann.out.at, "hidden"));
    conn_seek(&pair.ben, "msg ben shown");
    pair_close(&pair);
}
END_TEST

/* Tab behind /unignore finds those who are ignored; what they leave with is a message, too. */
START_TEST(ignored_to_the_end)
{
    static const char *const options[] = {"-H5", "-x", "-p"};
    struct server server;
    struct chat chat;
    struct conn ben;

    server_start(&server, ANY_PORT);
    conn_join(&ben, &server, "ben");
    chat_start_at_terminal(&chat, options[_i], "-n", "ann", server.address);
    chat_see(&chat, _i == 1 ? "you ann" : "you are ann");
    chat_type(&chat, "/ignore ben\r");
    chat_see(&chat, "-- ben is ignored");
    conn_say(&ben, "/nick bob");
    conn_seek(&ben, "nick ben bob");
    conn_say(&ben, "/quit rude words");
    chat_see(&chat, _i == 1 ? "quit bob left\r\n" : "bob left, 1 here");
    chat_type(&chat, _i == 2 ? "/unignore bob\r" : "/unignore \t\r");
    chat_see(&chat, "-- bob is not ignored any more");
    chat_type(&chat, "/help\r");
    chat_see(&chat, "/ignore [NAME], /unignore NAME");
    chat_see(&chat, "/users");
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    ck_assert_ptr_null(strstr(chat.out.at, "rude"));
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* Each command of an operator has its answer, and is completed: the exit status is a receipt. */
START_TEST(an_operator)
{
    static const struct {
        const char *keys, *answer;
        int status;
    } cases[] = {
        {"/kic\tb\tspam\r", "ben (127.0.0.1) was kicked", EX_OK},
        {"/ban ben 5 spam\r/unban ben\r", "ben is not banned any more", EX_OK},
        {"/kick nobody\r", "nobody here is called nobody", 1},
    };
    char path[PATH_TEXT_MAX];
    struct server server;
    struct chat chat;
    struct conn ben;
    FILE *file;

    test_path(path, "rules");
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("operator all\n", file);
    fclose(file);
    server_start(&server, ANY_PORT, "-A", path);
    conn_join(&ben, &server, "ben");
    chat_start_at_terminal(&chat, "-n", "ann", server.address);
    chat_see(&chat, "you are ann");
    chat_type(&chat, cases[_i].keys);
    chat_see(&chat, cases[_i].answer);
    chat_type(&chat, "\004");
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), cases[_i].status);
    ck_assert_ptr_null(strstr(chat.out.at, "waiting"));
    chat_end(&chat);
    conn_close(&ben);
    server_stop(&server);
}
END_TEST

/* Lines that the server does not answer are counted after a while. */
START_TEST(the_prompt_counts_what_waits)
{
    struct chat chat;
    struct fake fake;

    fake_open(&fake);
    chat_start_at_terminal(&chat, "-n", "ann", fake.address);
    fake_accept(&fake);
    fake_welcome(&fake, "ann");
    chat_see(&chat, "you are ann");
    chat_type(&chat, "one\rtwo\rhalf");
    chat_see(&chat, "[2 waiting] > half");
    ck_assert_str_eq(fake_read(&fake), "one");
    ck_assert_str_eq(fake_read(&fake), "two");
    fake_say(&fake, "msg ann one");
    chat_see(&chat, "[1 waiting] > half");
    fake_say(&fake, "msg ann two");
    chat_see(&chat, "\033[K> half");
    chat_type(&chat, "\003\003");
    ck_assert_ptr_null(fake_read(&fake));
    fake_hang_up(&fake);
    ck_assert_int_eq(chat_exit(&chat, EXIT_MS), EX_OK);
    fake_close(&fake);
    chat_end(&chat);
}
END_TEST

/* ---- All of them --------------------------------------------------------------------- */

int main(void)
{
    const struct test tests[] = {
        {the_terminal_is_left_as_it_was, COUNT_OF(endings), 30},
        {stopped_and_continued, 1, 20},
        {the_typed_line_survives, 1, 30},
        {what_is_wrapped, 2, 20},
        {control_c_without_an_editor, 1, 20},
        {a_terminal_that_nobody_reads, COUNT_OF(held), 40},
        {a_terminal_that_is_read_late, 1, 40},
        {control_s_holds_nothing, 1, 20},
        {control_s_without_an_editor, 1, 20},
        {an_error_without_an_editor, 1, 20},
        {keys_swallow_nothing_and_leak_nothing, 1, 30},
        {a_key_in_two_pieces, 4, 60},
        {control_c_in_the_middle, 1, 30},
        {a_paste_waits_for_the_server, 1, 60},
        {control_c_behind_a_paste, 1, 30},
        {a_paste_is_data, 1, 30},
        {a_private_paste, 1, 30},
        {half_a_paste_is_data, 1, 30},
        {a_paste_that_pauses, 2, 30},
        {much_is_pasted, 1, 60},
        {the_rest_of_a_paste_is_dropped, 2, 30},
        {where_there_is_colour, 4, 20},
        {as_many_colours_as_there_are, 5, 20},
        {the_name_is_taken, 1, 20},
        {the_name_is_adjusted, 1, 20},
        {one_bell_for_a_batch, 4, 20},
        {control_l_keeps_the_conversation, 1, 20},
        {some_are_ignored, 1, 20},
        {ignored_to_the_end, 3, 20},
        {an_operator, 3, 20},
        {the_prompt_counts_what_waits, 1, 20},
    };

    return tests_run("terminal", tests, COUNT_OF(tests));
}
