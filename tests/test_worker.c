/* test_worker.c: one client's process, between a client and a hub that are both this test. */
#include "rig.h"
#include "wire/address.h"
#include "wire/telnet.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Up ---- */

#define NINE "123456789"
#define HUNDRED                                                                                    \
    NINE " " NINE " " NINE " " NINE " " NINE " " NINE " " NINE " " NINE " " NINE " " NINE "\n"
#define BAD "\xef\xbf\xbd"

/* What a client may say, and what of that is for the hub. */
static const struct {
    const char *said;
    size_t len;
    const char *heard;
} streams[] = {
#define STREAM(said, heard)                                                                        \
    {                                                                                              \
        said, sizeof(said) - 1, heard                                                              \
    }
    STREAM("ann\nhello\n", "ann\nhello\n"),
    STREAM("/history 3\n/since x\nann\n/me\n", "/history 3\n/since x\nann\n/me\n"),
    STREAM("\r\n\r\n\nx\r\r\n", "\nx" BAD "\n"),
    STREAM("  two\twords \r\n  kept\t \r\n", "two_words\n  kept\t \n"),
    STREAM("/ann\n//x\nann\n//x\n", "/ann\n//x\nann\n//x\n"),
    STREAM(" /ann\n", "ann\n"),
    STREAM("GET /a\033 HTTP/1.1\r\nHost: x\r\n", "GET /a" BAD " HTTP/1.1\nHost: x\n"),
    STREAM("a\0b\nc\0d\n", "a_b\nc" BAD "d\n"),
    STREAM("\001left\n\001left\n", "_left\n" BAD "left\n"),
    STREAM("\xe4\xbd\xa0\xe5\xa5\xbd\n\xe4\xbd\n\xf0\x9f\x98\x80\n",
        "\xe4\xbd\xa0\xe5\xa5\xbd\n" BAD "\n\xf0\x9f\x98\x80\n"),
    STREAM("x\n\x9b\x1b[2J\xe2\x80\xae\n", "x\n" BAD BAD "[2J" BAD "\n"),
    STREAM("x\n\xff\xf4\xff\xfd\x06y\xff\xffz\n", "x\ny" BAD "z\n"),
    STREAM("x\n\xff\xfa\x18\x01\xff\xf0y\xff\xfa\x18\nz\n", "x\ny\nz\n"),
    STREAM("x\nlast", "x\nlast\n"),
    STREAM("x\nlast\r", "x\nlast\n"),
    STREAM("name", "name\n"),
    STREAM("/users", "/users\n"),
    STREAM("/token\nname\nlost", "/token\nname\n"),
    STREAM("/resume x\nname\nkept\nlost", "/resume x\nname\nkept\n"),
    STREAM(
        "\xef\xbb\xbf/users\n\xe2\x80\x8b\nx\n\xef\xbb\xbf/me\n\xc2\xad\n", "/users\n\nx\n/me\n"),
    STREAM("\xef\xbb\xbf/token\nx\nlost", "/token\nx\n"),
    STREAM("/token\r\0x\r\0y\r\0lost\r", "/token\nx\ny\n"),
    STREAM("", ""),
#undef STREAM
};

static bool has_mark(const char *bytes, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++)
        if (memcmp(bytes + i, "\xff\xfd\x06", 3) == 0)
            return true;
    return false;
}

/* The stream in two pieces, cut there, or byte by byte. */
static void stream_check(const char *said, size_t len, const char *heard, size_t cut)
{
    struct rig rig;

    rig_start(&rig, RIG_CLIENT_CUTS);
    if (cut == SIZE_MAX) {
        for (size_t i = 0; i < len; i++)
            fd_give(rig.client, said + i, 1);
    } else {
        fd_give(rig.client, said, cut);
        fd_give(rig.client, said + cut, len - cut);
    }
    shutdown(rig.client, SHUT_WR);
    char want[400];
    snprintf(want, sizeof want, "%s" CONTROL_LEFT, heard);
    hub_hears(&rig, want);
    ensure(rig.up.len == 0, "%.*s", (int)rig.up.len, rig.up.bytes);
    if (has_mark(said, len))
        client_hears(&rig, TELNET_WONT_TIMING_MARK);
    shutdown(rig.hub, SHUT_WR);
    rig_ends(&rig);
}

START_TEST(any_cut)
{
    for (size_t cut = 0; cut <= streams[_i].len; cut++)
        stream_check(streams[_i].said, streams[_i].len, streams[_i].heard, cut);
    stream_check(streams[_i].said, streams[_i].len, streams[_i].heard, SIZE_MAX);
}
END_TEST

/* 4096 bytes are a line, 4097 are not; a line without end is told of once. */
START_TEST(long_lines)
{
    static const char letters[] = "xxxxxxxxxxxxxxxx";
    static char want[LINE_IN_MAX + 100];
    struct rig rig;

    for (size_t extra = 0; extra < 3; extra++) {
        rig_start(&rig, RIG_STREAMS);
        fd_say(rig.client, "ann\n");
        for (int i = 0; i < LINE_IN_MAX / 16; i++)
            fd_give(rig.client, letters, 16);
        fd_give(rig.client, letters, extra);
        fd_say(rig.client, "\r\nnext\n");
        if (extra == 0) {
            memset(want, 'x', LINE_IN_MAX);
            memcpy(want + LINE_IN_MAX, "\nnext\n", 7);
        }
        hub_hears(&rig, "ann\n");
        hub_hears(&rig, extra == 0 ? want : CONTROL_TOO_LONG "next\n");
        rig_finish(&rig);
    }
}
END_TEST

START_TEST(lines_without_end)
{
    static char piece[65536];
    struct rig rig;

    memset(piece, _i == 0 ? 'x' : _i == 1 ? '\0' : '\xff', sizeof piece);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    long memory = process_memory(rig.pid);
    for (int i = 0; i < 400; i++)
        fd_give(rig.client, piece, sizeof piece);
    fd_say(rig.client, "\nnext\n");
    /* An IAC IAC is one byte 0xFF, which is malformed; the rest is the same. */
    hub_hears(&rig, CONTROL_TOO_LONG "next\n");
    ensure(process_memory(rig.pid) < memory + 1000, "it has grown");
    rig_finish(&rig);
}
END_TEST

/* A name that is too long is cut, not refused; so is a web page's request line recognised. */
START_TEST(long_names)
{
    static char name[LINE_IN_MAX + 100];
    static char want[LINE_IN_MAX + 100];
    struct rig rig;

    memset(name, 'x', sizeof name - 1);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, name);
    fd_say(rig.client, "\nhello\n");
    memset(want, 'x', NAME_LEN_MAX);
    memcpy(want + NAME_LEN_MAX, "\nhello\n", 8);
    hub_hears(&rig, want);
    rig_finish(&rig);

    memcpy(name, "GET /", 5);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, name);
    fd_say(rig.client, "\n");
    memcpy(want, name, LINE_IN_MAX);
    memcpy(want + LINE_IN_MAX, "\n", 2);
    hub_hears(&rig, want);
    rig_finish(&rig);
}
END_TEST

/* ---- Down ---- */

/* The hub's words to the worker are taken out wherever the reads end. */
START_TEST(titles_at_any_cut)
{
    static const char said[] = "one\n\001title ann 192.0.2.1:5\ntwo\n\001what\n\001title x\n"
                               "\001title ben [::1]:7\nthree\n";
    static const char *const heard = "one\ntwo\nthree\n";
    struct rig rig;

    for (size_t cut = 0; cut < sizeof said; cut++) {
        rig_start(&rig, RIG_HUB_CUTS);
        if (cut == sizeof said - 1) {
            for (size_t i = 0; i < sizeof said - 1; i++)
                fd_give(rig.hub, said + i, 1);
        } else {
            fd_give(rig.hub, said, cut);
            fd_give(rig.hub, said + cut, sizeof said - 1 - cut);
        }
        client_hears(&rig, heard);
        ensure(strcmp(rig.title, "chatd: ben [::1]:7") == 0, "%s", rig.title);
        rig_finish(&rig);
    }
}
END_TEST

/* The longest title that a hub can send, cut before its end. */
START_TEST(longest_title)
{
    static char said[sizeof(CONTROL_TITLE) + NAME_LEN_MAX + PEER_TEXT_MAX + 2];
    size_t len = strlen(CONTROL_TITLE);
    struct rig rig;

    memcpy(said, CONTROL_TITLE, len);
    memset(said + len, 'n', NAME_LEN_MAX + 1 + PEER_TEXT_MAX - 1);
    len += NAME_LEN_MAX + 1 + PEER_TEXT_MAX - 1;
    rig_start(&rig, RIG_HUB_CUTS);
    fd_give(rig.hub, said, len);
    fd_give(rig.hub, "\nx\n", 3);
    client_hears(&rig, "x\n");
    rig_finish(&rig);
}
END_TEST

/* Telnet's answer stands between lines, never in one. */
START_TEST(telnet_answers)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    fd_say(rig.hub, "half");
    client_hears(&rig, "half");
    fd_say(rig.client, "\xff\xf4\xff\xfd\x06\xff\xfd\x06on\n");
    hub_hears(&rig, "on\n");
    fd_say(rig.hub, " a line\n");
    client_hears(&rig, " a line\n" TELNET_WONT_TIMING_MARK TELNET_WONT_TIMING_MARK);
    fd_say(rig.client, "\xff\xfd\x06");
    client_hears(&rig, TELNET_WONT_TIMING_MARK);
    rig_finish(&rig);
}
END_TEST

/* ---- Both ways at once, and slow ---- */

/* Numbered lines. */
static char *numbered(size_t lines, size_t *len)
{
    char *bytes = malloc(lines * 32);

    *len = 0;
    ensure(bytes != NULL, "no memory");
    for (size_t i = 0; i < lines; i++)
        *len += (size_t)sprintf(bytes + *len, "line %zu of many\n", i);
    return bytes;
}

/* Nobody reads until nothing goes any more; then everything comes, in order. */
START_TEST(nothing_is_lost_when_all_wait)
{
    size_t len;
    char *bytes = numbered(300000, &len);
    size_t up = 0;
    size_t down = 0;
    struct rig rig;
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    /* Both are stuffed until they take nothing for a moment. */
    for (int still = 0; still < 20; still++) {
        ssize_t n = send(rig.client, bytes + up, len - up, MSG_NOSIGNAL);
        ssize_t m = send(rig.hub, bytes + down, len - down, MSG_NOSIGNAL);

        up += n > 0 ? (size_t)n : 0;
        down += m > 0 ? (size_t)m : 0;
        still = n > 0 || m > 0 ? 0 : still;
        ensure(deadline_wait(deadline), "it takes everything");
    }
    ensure(up < len && down < len, "it takes all of it");
    while (rig.up.len < len || rig.down.len < len) {
        ssize_t n = up < len ? send(rig.client, bytes + up, len - up, MSG_NOSIGNAL) : 0;
        ssize_t m = down < len ? send(rig.hub, bytes + down, len - down, MSG_NOSIGNAL) : 0;

        up += n > 0 ? (size_t)n : 0;
        down += m > 0 ? (size_t)m : 0;
        heard_more(&rig.up, rig.hub);
        heard_more(&rig.down, rig.client);
        ensure(!rig.up.over && !rig.down.over, "an end");
        if (rig.up.len < len || rig.down.len < len)
            rig_wait(&rig, up < len ? POLLIN | POLLOUT : POLLIN,
                down < len ? POLLIN | POLLOUT : POLLIN, deadline);
    }
    hub_hears_bytes(&rig, bytes, len);
    client_hears_bytes(&rig, bytes, len);
    rig_finish(&rig);
    free(bytes);
}
END_TEST

/* ---- Ends ---- */

/* The client says goodbye, and reads for long after that what it is owed. */
START_TEST(half_close)
{
    size_t len;
    char *bytes = numbered(100000, &len);
    size_t given = 0;
    struct rig rig;
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\nbye");
    shutdown(rig.client, SHUT_WR);
    hub_hears(&rig, "ann\nbye\n" CONTROL_LEFT);
    while (given < len) {
        ssize_t n = send(rig.hub, bytes + given, len - given, MSG_NOSIGNAL);

        given += n > 0 ? (size_t)n : 0;
        heard_more(&rig.down, rig.client);
        if (given < len)
            rig_wait(&rig, POLLIN, POLLOUT, deadline);
    }
    shutdown(rig.hub, SHUT_WR);
    client_hears_bytes(&rig, bytes, len);
    client_hears_end(&rig);
    rig_ends(&rig);
    free(bytes);
}
END_TEST

/* The hub says goodbye first, to a client that has sent what nobody read: it sees all of it. */
START_TEST(hub_says_goodbye)
{
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    fd_say(rig.hub, "one\ntwo\n");
    shutdown(rig.hub, SHUT_WR);
    client_hears(&rig, "one\ntwo\n");
    client_hears_end(&rig);
    fd_say(rig.client, "nobody reads this\n");
    client_closes(&rig);
    rig_ends(&rig);
}
END_TEST

/* A client that does not go after the goodbye: two seconds are enough. */
START_TEST(hub_says_goodbye_to_one_who_stays)
{
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    shutdown(rig.hub, SHUT_WR);
    client_hears_end(&rig);
    rig_ends(&rig);
}
END_TEST

static void reset(struct rig *rig)
{
    struct linger now = {.l_onoff = 1};

    ensure(setsockopt(rig->client, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0, "SO_LINGER");
    close(rig->client);
    rig->client = -1;
}

/* What was whole when the connection broke counts, and only that. */
START_TEST(reset_connection)
{
    struct rig rig;

    rig_start(&rig, RIG_TCP);
    if (_i == 1) { /* it breaks while something is on the way to it, too */
        fd_say(rig.client, "ann\n");
        hub_hears(&rig, "ann\n");
        for (int i = 0; i < 3; i++)
            fd_say(rig.hub, HUNDRED);
    }
    kill(rig.pid, SIGSTOP);
    fd_say(rig.client, "bot\nhello\nhalf");
    reset(&rig);
    kill(rig.pid, SIGCONT);
    hub_hears(&rig, "bot\nhello\n" CONTROL_LOST);
    rig_ends(&rig);
}
END_TEST

/* The client is gone without a word, and with everything unread: a broken pipe is not the end of
 * what it had said. */
START_TEST(closed_connection)
{
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    kill(rig.pid, SIGSTOP);
    fd_say(rig.client, "bot\nhello\n");
    for (int i = 0; i < 100; i++)
        fd_say(rig.hub, HUNDRED);
    client_closes(&rig);
    kill(rig.pid, SIGCONT);
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    while (!rig.up.over) {
        heard_more(&rig.up, rig.hub);
        if (rig.up.len >= strlen("bot\nhello\n" CONTROL_LEFT))
            shutdown(rig.hub, SHUT_WR);
        if (!rig.up.over)
            rig_wait(&rig, 0, POLLIN, deadline);
    }
    ensure(rig.up.len == strlen("bot\nhello\n" CONTROL_LEFT) &&
               (memcmp(rig.up.bytes, "bot\nhello\n" CONTROL_LEFT, rig.up.len) == 0 ||
                   memcmp(rig.up.bytes, "bot\nhello\n" CONTROL_LOST, rig.up.len) == 0),
        "the hub has heard %.*s", (int)rig.up.len, rig.up.bytes);
    rig_ends(&rig);
}
END_TEST

/* The hub is killed: what it had handed over is delivered, and then it is over. */
START_TEST(hub_is_gone)
{
    size_t len;
    char *bytes = numbered(20000, &len);
    size_t given = 0;
    struct rig rig;
    int64_t begun;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    kill(rig.pid, SIGSTOP);
    if (_i == 1) /* a pair full of it, and some of the client's that will be heard by nobody */
        for (ssize_t n; (n = send(rig.hub, bytes + given, len - given, MSG_NOSIGNAL)) > 0;)
            given += (size_t)n;
    if (_i == 1)
        fd_say(rig.client, "hello\n");
    close(rig.hub);
    rig.hub = -1;
    begun = clock_ms();
    kill(rig.pid, SIGCONT);
    client_hears_bytes(&rig, bytes, given);
    client_hears_end(&rig);
    if (_i == 1)
        client_closes(&rig);
    rig_ends(&rig);
    ensure(clock_ms() - begun < 3000, "it took %d ms", (int)(clock_ms() - begun));
    free(bytes);
}
END_TEST

/* The hub is killed, and the client does not read. */
START_TEST(hub_is_gone_and_nobody_reads)
{
    struct rig rig;
    int64_t begun;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    while (send(rig.hub, HUNDRED, 100, MSG_NOSIGNAL) > 0)
        continue;
    if (_i == 1) { /* and speaks: that is where the end is noticed first */
        kill(rig.pid, SIGSTOP);
        fd_say(rig.client, "hello\n");
    }
    close(rig.hub);
    rig.hub = -1;
    begun = clock_ms();
    kill(rig.pid, SIGCONT);
    rig_ends(&rig);
    ensure(clock_ms() - begun < 3000, "it took %d ms", (int)(clock_ms() - begun));
}
END_TEST

/* ---- Signals ---- */

/* A kick: the client is told, and the hub is, after the whole lines. */
START_TEST(kicked)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\nhello\nhal");
    hub_hears(&rig, "ann\nhello\n");
    if (_i == 1) {
        fd_say(rig.hub, "half a line");
        client_hears(&rig, "half a line");
    }
    kill(rig.pid, SIGTERM);
    hub_hears(&rig, CONTROL_KICKED);
    fd_say(rig.hub, _i == 1 ? "\nlast\n" : "last\n");
    shutdown(rig.hub, SHUT_WR);
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    for (heard_more(&rig.down, rig.client); !rig.down.over; heard_more(&rig.down, rig.client))
        rig_wait(&rig, POLLIN, 0, deadline);
    rig.down.bytes[rig.down.len] = '\0';
    ensure(
        pattern_match(_i == 1 ? "\nlast\n" : "*Z note you have been sent out of the room\nlast\n",
            rig.down.bytes),
        "%s", rig.down.bytes);
    client_closes(&rig);
    rig_ends(&rig);
}
END_TEST

/* A hub that does not answer does not keep it. */
START_TEST(kicked_and_nobody_cares)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    while (send(rig.hub, HUNDRED, 100, MSG_NOSIGNAL) > 0)
        continue;
    kill(rig.pid, SIGTERM);
    rig_ends(&rig);
}
END_TEST

/* Another connection takes the seat: all whole lines that have arrived are passed on first. */
START_TEST(taken_over)
{
    size_t len;
    char *bytes = numbered(40000, &len);
    size_t given = 0;
    size_t whole;
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    /* More than the worker and the pair hold; the hub does not read, nor does the client. */
    while (send(rig.hub, HUNDRED, 100, MSG_NOSIGNAL) > 0)
        continue;
    for (ssize_t n; given < len && (n = send(rig.client, bytes + given, len - given, 0)) > 0;)
        given += (size_t)n;
    kill(rig.pid, SIGUSR1);
    for (whole = given; bytes[whole - 1] != '\n'; whole--)
        continue;
    char *want = malloc(whole + sizeof CONTROL_LOST);
    memcpy(want, bytes, whole);
    memcpy(want + whole, CONTROL_LOST, strlen(CONTROL_LOST));
    hub_hears_bytes(&rig, want, whole + strlen(CONTROL_LOST));
    hub_hears_end(&rig);
    rig_ends(&rig);
    free(want);
    free(bytes);
}
END_TEST

START_TEST(keys_of_the_terminal)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_hears(&rig, "ann\n");
    kill(rig.pid, SIGINT);
    kill(rig.pid, SIGHUP);
    kill(rig.pid, SIGQUIT);
    kill(rig.pid, SIGSTOP);
    kill(rig.pid, SIGCONT);
    fd_say(rig.client, "hello\n");
    hub_hears(&rig, "hello\n");
    rig_finish(&rig);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {any_cut, COUNT_OF(streams), 60},
        {long_lines, 1, 20},
        {lines_without_end, 3, 60},
        {long_names, 1, 20},
        {titles_at_any_cut, 1, 60},
        {longest_title, 1, 10},
        {telnet_answers, 1, 10},
        {nothing_is_lost_when_all_wait, 2, 60},
        {half_close, 2, 30},
        {hub_says_goodbye, 2, 20},
        {hub_says_goodbye_to_one_who_stays, 2, 20},
        {reset_connection, 2, 20},
        {closed_connection, 2, 20},
        {hub_is_gone, 2, 20},
        {hub_is_gone_and_nobody_reads, 2, 20},
        {kicked, 2, 20},
        {kicked_and_nobody_cares, 1, 20},
        {taken_over, 2, 20},
        {keys_of_the_terminal, 1, 10},
    };

    return tests_run("worker", tests, COUNT_OF(tests));
}
