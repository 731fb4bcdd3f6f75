/* test_worker.c: one client's process, between a client and a hub that are both this test. */
#include "compat/os.h"

#include "rig.h"
#include "wire/address.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BAD "\xef\xbf\xbd"
#define MARK "\xff\xfd\x06" /* telnet's DO TIMING-MARK */

/* ---- Lines ---- */

/* What a client may say, and what of that the hub gets before CONTROL_LEFT. */
static const struct {
    const char *said;
    size_t len;
    const char *relayed;
    size_t marks;
} streams[] = {
#define STREAM(said, relayed, marks)                                                               \
    {                                                                                              \
        said, sizeof(said) - 1, relayed, marks                                                     \
    }
    STREAM("ann\nhello\n", "ann\nhello\n", 0),
    STREAM("/history 3\n/since x\nann\n/me\n", "/history 3\n/since x\nann\n/me\n", 0),
    STREAM("\r\n\r\n\nx\r\r\n", "\nx" BAD "\n", 0),
    STREAM("  two\twords \r\n  kept\t \r\n", "two_words\n  kept\t \n", 0),
    STREAM("/ann\n//x\nann\n//x\n", "/ann\n//x\nann\n//x\n", 0),
    STREAM(" /ann\n", "ann\n", 0),
    STREAM("GET /a\033 HTTP/1.1\r\nHost: x\r\n", "GET /a" BAD " HTTP/1.1\nHost: x\n", 0),
    STREAM("a\0b\nc\0d\n", "a_b\nc" BAD "d\n", 0),
    STREAM("\xe4\xbd\xa0\xe5\xa5\xbd\n\xe4\xbd\n\xf0\x9f\x98\x80\n",
        "\xe4\xbd\xa0\xe5\xa5\xbd\n" BAD "\n\xf0\x9f\x98\x80\n", 0),
    STREAM("x\n\x9b\x1b[2J\xe2\x80\xae\n", "x\n" BAD BAD "[2J" BAD "\n", 0),
    /* words of the worker's own, forged */
    STREAM("\001left\n\001left\n\001lost\n", "_left\n" BAD "left\n" BAD "lost\n", 0),
    STREAM("/token\001\n\001last x\n\001end\n\001timing-mark",
        "/token" BAD "\n_last_x\n" BAD "end\n" CONTROL_LAST BAD "timing-mark\n", 0),
    STREAM("x\n\xff\xf4\001too-long\n\001too-long",
        "x\n" BAD "too-long\n" CONTROL_LAST BAD "too-long\n", 0),
    /* telnet */
    STREAM("x\n\xff\xf4" MARK "y\xff\xffz\n", "x\ny" BAD "z\n", 1),
    STREAM("x\n\xff\xfa\x18\x01\xff\xf0y\xff\xfa\x18\nz\n", "x\ny\nz\n", 0),
    STREAM(MARK "x" MARK "\n" MARK MARK "y", "x\n" CONTROL_LAST "y\n", 4),
    STREAM("x\n\xff\xfd\ny\xff\n", "x\ny" BAD "\n", 0),
    /* a last line without its end */
    STREAM("x\nlast", "x\n" CONTROL_LAST "last\n", 0),
    STREAM("x\nlast\r", "x\n" CONTROL_LAST "last\n", 0),
    STREAM("x\nla\033st", "x\n" CONTROL_LAST "la" BAD "st\n", 0),
    STREAM("x\n\r", "x\n", 0),
    STREAM("x\ny\n\xff", "x\ny\n", 0),
    STREAM(" na me", CONTROL_LAST "na_me\n", 0),
    STREAM("\r", CONTROL_LAST "\n", 0),
    STREAM("/users", CONTROL_LAST "/users\n", 0),
    STREAM("GET / HTTP/1.0", CONTROL_LAST "GET / HTTP/1.0\n", 0),
    /* and one of a session that can be resumed */
    STREAM("/token\nname\nlost", "/token\nname\n", 0),
    STREAM("/token\nlost", "/token\n", 0),
    STREAM("/resume x\nname\nkept\nlost", "/resume x\nname\nkept\n", 0),
    STREAM("name\n/token\nkept", "name\n/token\n" CONTROL_LAST "kept\n", 0),
    STREAM("\xef\xbb\xbf/token\nx\nlost", "/token\nx\n", 0),
    STREAM("/token\r\0x\r\0y\r\0lost\r", "/token\nx\ny\n", 0),
    /* cleaning comes before a line is looked at */
    STREAM("\xef\xbb\xbf/users\n\xe2\x80\x8b\nx\n\xef\xbb\xbf/me\n\xc2\xad\n", "/users\n\nx\n/me\n",
        0),
    STREAM("x\ny\n\xc2\xad", "x\ny\n", 0),
    /* a secret is what was sent, or none */
    STREAM("/pass s\n/PASS \ts s \n/pass\n\xef\xbb\xbf/pass s\n",
        "/pass s\n/PASS \ts s \n/pass " BAD "\n/pass s\n", 0),
    STREAM("/pass \xef\xbb\xbfs\n/pass s\xc2\xad\n/pass s\xc2\xads\n/pass s\033\n",
        "/pass " BAD "\n/pass " BAD "\n/pass " BAD "\n/pass " BAD "\n", 0),
    STREAM("/pass\xc2\xad s\n/pass \xe2\x80\x8b s\n/pass \xff\xff\nx\n",
        "/pass s\n/pass " BAD "\n/pass " BAD "\nx\n", 0),
    STREAM("", "", 0),
#undef STREAM
};

/* Takes telnet's words out of what has come: where they stand depends on the cuts. */
static size_t marks_take(struct rig *rig)
{
    size_t len = strlen(CONTROL_TIMING_MARK);
    size_t marks = 0;
    size_t i = 0;

    while (i + len <= rig->up.len) {
        if (memcmp(rig->up.bytes + i, CONTROL_TIMING_MARK, len) != 0) {
            i++;
            continue;
        }
        marks++;
        rig->up.len -= len;
        memmove(rig->up.bytes + i, rig->up.bytes + i + len, rig->up.len - i);
    }
    return marks;
}

/* All that comes until the worker's end. */
static void hub_read_all(struct rig *rig)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    for (hub_read_more(rig); !rig->up.over; hub_read_more(rig))
        rig_wait(rig, 0, POLLIN, deadline);
}

/* The stream in two pieces, cut there, or byte by byte. */
static void stream_check(size_t which, size_t cut)
{
    const char *said = streams[which].said;
    size_t len = streams[which].len;
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
    hub_read_all(&rig);
    ck_assert_uint_eq(marks_take(&rig), streams[which].marks);
    hub_expect(&rig, streams[which].relayed);
    hub_expect(&rig, CONTROL_LEFT);
    hub_expect_end(&rig);
    rig_ends(&rig);
}

START_TEST(any_cut)
{
    for (size_t cut = 0; cut <= streams[_i].len; cut++)
        stream_check((size_t)_i, cut);
    stream_check((size_t)_i, SIZE_MAX);
}
END_TEST

/* ---- Headers of proxies ---- */

#define V2 "\r\n\r\n\0\r\nQUIT\n"

/* What comes through a proxy, and all that the hub gets. */
static const struct {
    const char *said;
    size_t len;
    const char *relayed;
} proxied[] = {
#define STREAM(said, relayed)                                                                      \
    {                                                                                              \
        said, sizeof(said) - 1, relayed                                                            \
    }
    STREAM("PROXY TCP4 192.0.2.7 127.0.0.1 5555 65432\r\nann\nhello\n",
        "\001proxy 192.0.2.7:5555\nann\nhello\n" CONTROL_LEFT),
    STREAM("PROXY TCP6 2001:db8::1 ::1 5555 65432\r\n\xff\xf4"
           "ann\nx",
        "\001proxy [2001:db8::1]:5555\nann\n" CONTROL_LAST "x\n" CONTROL_LEFT),
    STREAM("PROXY UNKNOWN\r\n\nx\n", CONTROL_PROXY_SELF "\nx\n" CONTROL_LEFT),
    STREAM(V2 "\x21\x11\0\x0F\xC0\0\2\7\x7F\0\0\1\x15\xB3\xFF\xA0\4\0\0"
              "ann\n",
        "\001proxy 192.0.2.7:5555\nann\n" CONTROL_LEFT),
    STREAM(V2 "\x20\0\0\0", CONTROL_PROXY_SELF CONTROL_LEFT),
    STREAM("", CONTROL_LEFT),
    STREAM("PROXY TCP4 192.0.2.7", CONTROL_LEFT),
    STREAM(V2 "\x21\x11\0", CONTROL_LEFT),
    STREAM("ann\nhello\n", CONTROL_NO_PROXY),
    STREAM("\n", CONTROL_NO_PROXY),
    STREAM("PROXY TCP4 192.0.2.7 127.0.0.1 5555\r\nann\n", CONTROL_NO_PROXY),
    STREAM(V2 "\x21\x11\2\x09", CONTROL_NO_PROXY),
    /* twice: what a client says is not its proxy's word */
    STREAM("PROXY UNKNOWN\r\nPROXY TCP4 192.0.2.7 127.0.0.1 5555 65432\r\n",
        CONTROL_PROXY_SELF "PROXY TCP4 192.0.2.7 127.0.0.1 5555 65432\n" CONTROL_LEFT),
#undef STREAM
};

static void proxied_check(size_t which, size_t cut)
{
    size_t len = proxied[which].len;
    struct rig rig;

    rig_start_as(&rig, &(struct rig_start){.kind = RIG_CLIENT_CUTS, .proxied = true});
    for (size_t i = 0; cut == SIZE_MAX && i < len; i++)
        fd_give(rig.client, proxied[which].said + i, 1);
    if (cut != SIZE_MAX) {
        fd_give(rig.client, proxied[which].said, cut);
        fd_give(rig.client, proxied[which].said + cut, len - cut);
    }
    shutdown(rig.client, SHUT_WR);
    hub_expect(&rig, proxied[which].relayed);
    hub_expect_end(&rig);
    rig_ends(&rig);
}

START_TEST(proxied_at_any_cut)
{
    for (size_t cut = 0; cut <= proxied[_i].len; cut++)
        proxied_check((size_t)_i, cut);
    proxied_check((size_t)_i, SIZE_MAX);
}
END_TEST

/* The longest header; what is read with it is the client's. */
START_TEST(long_header)
{
    char bytes[536 + 6] = V2 "\x20\0\2\x08";
    struct rig rig;

    memcpy(bytes + 536, "ann\nx\n", 6);
    rig_start_as(&rig, &(struct rig_start){.kind = RIG_STREAMS, .proxied = true});
    fd_give(rig.client, bytes, sizeof bytes);
    hub_expect(&rig, CONTROL_PROXY_SELF "ann\nx\n");
    rig_finish(&rig);
}
END_TEST

/* From a client that is no proxy version 1 is a line, and version 2 is seen, however it comes. */
START_TEST(header_of_a_client)
{
    static const char said[] = V2 "\x21\x11\0\x0C\xC0\0\2\7\x7F\0\0\1\x15\xB3\xFF\xA0";
    struct rig rig;

    for (size_t cut = 0; cut <= 12; cut++) {
        rig_start(&rig, RIG_CLIENT_CUTS);
        fd_give(rig.client, said, cut);
        fd_give(rig.client, said + cut, sizeof said - 1 - cut);
        hub_read_all(&rig);
        ensure(rig.up.len >= strlen(CONTROL_NO_PROXY) &&
                   memcmp(rig.up.bytes + rig.up.len - strlen(CONTROL_NO_PROXY), CONTROL_NO_PROXY,
                       strlen(CONTROL_NO_PROXY)) == 0,
            "cut at %zu", cut);
        ensure(cut > 1 || rig.up.len == strlen(CONTROL_NO_PROXY), "nothing else is relayed");
        rig.up.len = 0;
        rig_ends(&rig);
    }
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "PROXY UNKNOWN\r\n");
    hub_expect(&rig, "PROXY UNKNOWN\n");
    rig_finish(&rig);
}
END_TEST

/* ---- Long lines ---- */

/* 4096 bytes are a line, 4097 are not. */
START_TEST(long_lines)
{
    static char line[LINE_IN_MAX + 3];
    struct rig rig;

    memset(line, 'x', sizeof line);
    for (size_t extra = 0; extra < 3; extra++) {
        rig_start(&rig, RIG_STREAMS);
        fd_say(rig.client, "ann\n");
        fd_give(rig.client, line, LINE_IN_MAX + extra);
        fd_say(rig.client, "\r\nnext\n");
        hub_expect(&rig, "ann\n");
        if (extra == 0)
            hub_expect_bytes(&rig, line, LINE_IN_MAX);
        hub_expect(&rig, extra == 0 ? "\nnext\n" : CONTROL_TOO_LONG "next\n");
        rig_finish(&rig);
    }
}
END_TEST

/* So is the last one, without its end. */
START_TEST(long_last_lines)
{
    static char line[LINE_IN_MAX + 1];
    struct rig rig;

    memset(line, '\xff', sizeof line);
    for (size_t extra = 0; extra < 2; extra++) {
        rig_start(&rig, RIG_STREAMS);
        fd_say(rig.client, "ann\n");
        for (size_t i = 0; i < LINE_IN_MAX + extra; i++)
            fd_say(rig.client, "\xff\xff"); /* IAC IAC is a byte that is no text */
        shutdown(rig.client, SHUT_WR);
        hub_expect(&rig, "ann\n");
        hub_expect(&rig, extra == 0 ? CONTROL_LAST : CONTROL_TOO_LONG);
        for (size_t i = 0; extra == 0 && i < LINE_IN_MAX; i++)
            hub_expect(&rig, BAD);
        hub_expect(&rig, extra == 0 ? "\n" CONTROL_LEFT : CONTROL_LEFT);
        hub_expect_end(&rig);
        rig_ends(&rig);
    }
}
END_TEST

/* Told once, and nothing grows. */
START_TEST(lines_without_end)
{
    static char piece[65536];
    struct rig rig;

    memset(piece, _i == 0 ? 'x' : _i == 1 ? '\0' : '\xff', sizeof piece);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    long memory = process_memory(rig.pid);
    for (int i = 0; i < 400; i++)
        fd_give(rig.client, piece, sizeof piece);
    fd_say(rig.client, "\nnext\n");
    hub_expect(&rig, CONTROL_TOO_LONG "next\n");
    ensure(process_memory(rig.pid) < memory + 200, "it has grown");
    rig_finish(&rig);
}
END_TEST

/* A name that is too long is cut, not refused; a command that is too long is not a name. */
START_TEST(long_first_lines)
{
    static char line[LINE_IN_MAX + 100];
    struct rig rig;

    memset(line, 'x', sizeof line - 1);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, line);
    fd_say(rig.client, "\nhello\n");
    hub_expect_bytes(&rig, line, NAME_LEN_MAX);
    hub_expect(&rig, "\nhello\n");
    rig_finish(&rig);

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "/token ");
    fd_say(rig.client, line);
    fd_say(rig.client, "\nann\nlast");
    shutdown(rig.client, SHUT_WR);
    hub_expect(&rig, CONTROL_TOO_LONG "ann\n" CONTROL_LAST "last\n" CONTROL_LEFT);
    hub_expect_end(&rig);
    rig_ends(&rig);

    memcpy(line, "GET /", 5);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, line);
    fd_say(rig.client, "\n");
    hub_expect_bytes(&rig, line, LINE_IN_MAX);
    hub_expect(&rig, "\n");
    rig_finish(&rig);
}
END_TEST

/* More questions in one read than the worker's buffer holds words for. */
START_TEST(timing_marks_without_number)
{
    enum { MARKS = 65000 };
    static char bytes[3 * MARKS];
    struct rig rig;
    size_t marks = 0;

    for (size_t i = 0; i < sizeof bytes; i += 3)
        memcpy(bytes + i, MARK, 3);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    kill(rig.pid, SIGSTOP);
    ssize_t sent = send(rig.client, bytes, sizeof bytes, MSG_NOSIGNAL);
    ck_assert_int_gt(sent, 0);
    kill(rig.pid, SIGCONT);
    fd_give(rig.client, bytes + sent, sizeof bytes - (size_t)sent);
    fd_say(rig.client, "last");
    shutdown(rig.client, SHUT_WR);
    for (; marks < MARKS; marks++)
        hub_expect(&rig, CONTROL_TIMING_MARK);
    hub_expect(&rig, CONTROL_LAST "last\n" CONTROL_LEFT);
    hub_expect_end(&rig);
    rig_ends(&rig);
}
END_TEST

/* A client that says little, often, costs as much as one that has said little once. */
START_TEST(little_memory)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\nhel");
    fd_say(rig.client, "lo\n");
    hub_expect(&rig, "ann\nhello\n");
    long memory = process_memory(rig.pid);
    for (int i = 0; i < 1000; i++) {
        fd_say(rig.client, "hello\n");
        hub_expect(&rig, "hello\n");
    }
    if (memory_is_exact())
        ck_assert_int_le(process_memory(rig.pid), memory + 8);
    rig_finish(&rig);
}
END_TEST

/* ---- The hub's words ---- */

/* They are read wherever the reads end; what is no word, or not known, changes nothing. */
START_TEST(titles_at_any_cut)
{
    static const char said[] = "\001title ann 192.0.2.1:5\n\001what\n\n\001ending\nend\n"
                               "\001title x\n\001title\n\001title ben [::1]:7\n";
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
        rig_shows(&rig, "chatd: ben [::1]:7");
        fd_say(rig.client, "still here\n");
        hub_expect(&rig, "still_here\n");
        rig_finish(&rig);
    }
}
END_TEST

/* The longest title that a hub sends; and one that is longer than any, which is ignored. */
START_TEST(long_titles)
{
    static char longest[NAME_LEN_MAX + 1 + PEER_TEXT_MAX];
    static char longer[300];
    char want[sizeof longest + 10];
    struct rig rig;

    memset(longest, 'n', sizeof longest - 1);
    memset(longer, 'x', sizeof longer - 1);
    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.hub, CONTROL_TITLE);
    fd_say(rig.hub, longest);
    fd_say(rig.hub, "\n" CONTROL_TITLE);
    snprintf(want, sizeof want, "chatd: %s", longest);
    rig_shows(&rig, want);
    fd_say(rig.hub, longer);
    fd_say(rig.hub, "\n");
    for (int i = 0; i < 3; i++) { /* as many turns of the worker */
        fd_say(rig.client, "x\n");
        hub_expect(&rig, "x\n");
    }
    ck_assert_str_eq(rig.title, want);
    fd_say(rig.hub, CONTROL_TITLE "short\n");
    rig_shows(&rig, "chatd: short");
    rig_finish(&rig);
}
END_TEST

/* Numbered lines, to be freed. */
static char *numbered(size_t lines, size_t *len)
{
    char *bytes = malloc(lines * 32);

    *len = 0;
    ensure(bytes != NULL, "no memory");
    for (size_t i = 0; i < lines; i++)
        *len += (size_t)sprintf(bytes + *len, "line %zu of many\n", i);
    return bytes;
}

/* These bytes up to the last line end among them, then the word, then the end. */
static void hub_expect_lines(struct rig *rig, const char *bytes, size_t len, const char *word)
{
    while (bytes[len - 1] != '\n')
        len--;
    hub_expect_bytes(rig, bytes, len);
    hub_expect(rig, word);
    hub_expect_end(rig);
}

/* Another connection takes the session: all complete lines that have arrived are passed on. */
START_TEST(ended)
{
    size_t len;
    char *bytes = numbered(100000, &len);
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    /* More than the worker and the pair hold. */
    size_t sent = fd_stuff(rig.client, bytes, len);
    size_t arrived = sent;
    if (_i == 1) { /* its kernel may still have some, which come if they come in time */
        int left;
        ck_assert_int_eq(ioctl(rig.client, TIOCOUTQ, &left), 0);
        arrived -= (size_t)left;
    }
    fd_say(rig.hub, CONTROL_END);
    hub_read_all(&rig);
    ensure(rig.up.len > strlen(CONTROL_LOST), "%zu bytes", rig.up.len);
    len = rig.up.len - strlen(CONTROL_LOST);
    ensure(len <= sent && memchr(bytes + len, '\n', arrived > len ? arrived - len : 0) == NULL,
        "%zu of %zu bytes, %zu have arrived", len, sent, arrived);
    hub_expect_lines(&rig, bytes, len, CONTROL_LOST);
    rig_ends(&rig);
    free(bytes);
}
END_TEST

/* The same with little or nothing to read, and of a client that has said goodbye. */
START_TEST(ended_when_idle)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\nhello\nhal");
    hub_expect(&rig, "ann\nhello\n");
    rig_settles(&rig);
    if (_i == 1) {
        kill(rig.pid, SIGSTOP);
        fd_say(rig.client, "f\nmore\nhalf");
    }
    if (_i == 2) {
        kill(rig.pid, SIGSTOP);
        shutdown(rig.client, SHUT_WR);
    }
    fd_say(rig.hub, CONTROL_END CONTROL_END);
    kill(rig.pid, SIGCONT);
    hub_expect(&rig, _i == 0   ? CONTROL_LOST
                     : _i == 1 ? "half\nmore\n" CONTROL_LOST
                               : CONTROL_LAST "hal\n" CONTROL_LEFT);
    hub_expect_end(&rig);
    rig_ends(&rig);
}
END_TEST

/* ---- A full pair ---- */

/* The hub takes nothing: the client is not read, and nothing is lost. */
START_TEST(full_pair)
{
    size_t len;
    char *bytes = numbered(300000, &len);
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    long memory = process_memory(rig.pid);
    size_t sent = fd_stuff(rig.client, bytes, len);
    if (memory_is_exact())
        ck_assert_int_le(process_memory(rig.pid), memory + 300);
    /* The hub's words are read all the same. */
    fd_say(rig.hub, CONTROL_TITLE "full\n");
    rig_shows(&rig, "chatd: full");
    while (sent < len) {
        ssize_t n = send(rig.client, bytes + sent, len - sent, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        hub_read_more(&rig);
        if (n == -1)
            rig_wait(&rig, POLLOUT, POLLIN, deadline);
    }
    hub_expect_bytes(&rig, bytes, len);
    rig_finish(&rig);
    free(bytes);
}
END_TEST

/* The client is gone meanwhile, in each way: all that counts still comes, and till then the worker
 * sleeps. */
START_TEST(full_pair_at_the_end)
{
    size_t len;
    char *bytes = numbered(300000, &len);
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    struct rig rig;

    rig_start(&rig, RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    size_t sent = fd_stuff(rig.client, bytes, len);
    if (_i == 0)
        client_closes(&rig);
    else
        client_resets(&rig);
    fd_say(rig.hub, CONTROL_TITLE "full\n");
    rig_shows(&rig, "chatd: full");
    while (process_state(rig.pid) != 'S')
        ensure(deadline_wait(deadline), "it spins");
    if (_i == 0) {
        while (bytes[sent - 1] != '\n')
            sent--;
        hub_expect_bytes(&rig, bytes, sent);
        hub_read_all(&rig);
    } else { /* what the client's kernel had not sent yet is gone */
        hub_read_all(&rig);
        ensure(rig.up.len > strlen(CONTROL_LOST) && rig.up.len <= sent + strlen(CONTROL_LOST),
            "%zu of %zu bytes", rig.up.len, sent);
        hub_expect_lines(&rig, bytes, rig.up.len - strlen(CONTROL_LOST), CONTROL_LOST);
    }
    rig_ends(&rig);
    free(bytes);
}
END_TEST

/* ---- Ends of the client ---- */

/* What was complete when the connection broke counts, and only that. */
START_TEST(reset_connection)
{
    struct rig rig;

    rig_start(&rig, RIG_TCP);
    kill(rig.pid, SIGSTOP);
    fd_say(rig.client, "bot\nhello\nhalf");
    client_resets(&rig);
    kill(rig.pid, SIGCONT);
    hub_expect(&rig, "bot\nhello\n" CONTROL_LOST);
    hub_expect_end(&rig);
    rig_ends(&rig);
}
END_TEST

/* The client closes with something unread, which the hub has written. */
START_TEST(closed_connection)
{
    bool tcp = _i == 0;
    struct rig rig;

    rig_start(&rig, tcp ? RIG_TCP : RIG_STREAMS);
    kill(rig.pid, SIGSTOP);
    fd_say(rig.client, "bot\nhello\nhalf");
    fd_say(rig.shared, "unread\n");
    await_ready(&(struct pollfd){rig.client, POLLIN, 0}, 1); /* else it closes in an orderly way */
    client_closes(&rig);
    kill(rig.pid, SIGCONT);
    hub_expect(&rig, "bot\nhello\n" CONTROL_LOST);
    hub_expect_end(&rig);
    rig_ends(&rig);
}
END_TEST

/* ---- Ends of the hub ---- */

/* The client is told by the worker's shutdown, and not only by its exit: here the socket stays
 * open. It closes then. */
START_TEST(hub_is_gone)
{
    struct rig rig;

    rig_start(&rig, _i == 0 ? RIG_STREAMS : RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    close(rig.hub);
    rig.hub = -1;
    client_expect_end(&rig);
    client_closes(&rig);
    rig_ends(&rig);
}
END_TEST

/* One that does not, and one that goes on sending. */
START_TEST(hub_is_gone_and_the_client_stays)
{
    static char bytes[65536];
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    hub_dies(&rig);
    client_expect_end(&rig);
    while (_i == 1 && (send(rig.client, bytes, sizeof bytes, MSG_NOSIGNAL) > 0 || errno == EAGAIN))
        ensure(clock_ms() < deadline, "it does not end");
    rig_ends(&rig);
}
END_TEST

/* Lines of the client's that nobody reads do not destroy the hub's last ones. */
START_TEST(hub_is_gone_with_a_full_pair)
{
    size_t len;
    char *bytes = numbered(100000, &len);
    struct rig rig;

    rig_start(&rig, RIG_TCP);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    (void)fd_stuff(rig.client, bytes, len);
    fd_say(rig.shared, "last\n");
    hub_dies(&rig);
    client_expect(&rig, "last\n");
    client_expect_end(&rig);
    rig_ends(&rig);
    free(bytes);
}
END_TEST

/* ---- Signals ---- */

/* A kick: the hub learns it from the wait status. */
START_TEST(terminated)
{
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\nhello\nhal");
    hub_expect(&rig, "ann\nhello\n");
    kill(rig.pid, SIGTERM);
    hub_expect_end(&rig);
    rig_ends_with(&rig, SIGTERM);
}
END_TEST

/* Those of a terminal, and those that are meant for the parent. */
START_TEST(ignored_signals)
{
    static const int signals[] = {
        SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGSTOP, SIGCONT};
    struct rig rig;

    rig_start(&rig, RIG_STREAMS);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        kill(rig.pid, signals[i]);
    fd_say(rig.client, "hello\n");
    hub_expect(&rig, "hello\n");
    rig_finish(&rig);
}
END_TEST

/* ---- The sandbox ---- */

/* A worker that cannot do what it was told to do has not read a byte. */
static void starts_in_vain(const struct rig_start *start)
{
    char bytes[10];
    struct rig rig;

    rig_start_as(&rig, start);
    fd_say(rig.client, "ann\n");
    hub_expect_end(&rig);
    ck_assert_int_eq(recv(rig.shared, bytes, sizeof bytes, MSG_PEEK), 4);
    rig_ends_with(&rig, 1 << 8);
}

START_TEST(unknown_mode)
{
    starts_in_vain(&(struct rig_start){.mode = _i == 0 ? "" : "x"});
}
END_TEST

#ifdef __linux__

START_TEST(filter_refused)
{
    if (!filters_can_refuse()) {
        test_skip("no seccomp(2) here, as under valgrind");
        return;
    }
    starts_in_vain(&(struct rig_start){.mode = "f", .in_child = filters_refuse});
}
END_TEST

#endif

int main(void)
{
    const struct test tests[] = {
        {any_cut, COUNT_OF(streams), 60},
        {proxied_at_any_cut, COUNT_OF(proxied), 60},
        {long_header, 1, 10},
        {header_of_a_client, 1, 20},
        {long_lines, 1, 20},
        {long_last_lines, 1, 20},
        {lines_without_end, 3, 60},
        {long_first_lines, 1, 20},
        {timing_marks_without_number, 1, 30},
        {little_memory, 1, 20},
        {titles_at_any_cut, 1, 60},
        {long_titles, 1, 10},
        {ended, 2, 20},
        {ended_when_idle, 3, 20},
        {full_pair, 2, 60},
        {full_pair_at_the_end, 2, 60},
        {reset_connection, 1, 20},
        {closed_connection, 2, 20},
        {hub_is_gone, 2, 20},
        {hub_is_gone_and_the_client_stays, 2, 20},
        {hub_is_gone_with_a_full_pair, 1, 20},
        {terminated, 1, 10},
        {ignored_signals, 1, 10},
        {unknown_mode, 2, 10},
#ifdef __linux__
        {filter_refused, 1, 10},
#endif
    };

    return tests_run("worker", tests, COUNT_OF(tests));
}
