/*
 * Framing, chat-protocol(7), Lines: where a line ends, whatever the bytes and however they are cut.
 * One talker, cia, misbehaves; ann and ben watch.
 */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD "\xef\xbf\xbd" /* U+FFFD */
#define MEGABYTE ((size_t)1 << 20)

static void room_with_cia(struct room *room, struct conn *cia)
{
    room_open(room, ANY_PORT, "-H", "0");
    conn_join(cia, &room->server, "cia");
    conn_expect(&room->ann, "join cia");
}

static void cia_leaves(struct room *room, struct conn *cia)
{
    conn_close(cia);
    room_close(room);
}

/* ---- Lengths ---- */

static const struct {
    size_t bytes;
    const char *end;
    bool fits;
} lengths[] = {
    {4095, "\n", true},
    {4096, "\n", true},
    {4097, "\n", false},
    {4095, "\r\n", true},
    {4096, "\r\n", true},
    {4097, "\r\n", false},
    {4095, "\r\r\n", true}, /* one CR is text: 4096 */
    {4096, "\r\r\n", false},
    {10000, "\n", false},
    {100000, "\r\n", false},
};

/* The limit is on what stands before the line end. */
START_TEST(lengths_have_a_limit)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char *line = malloc(lengths[i].bytes);
        memset(line, 'x', lengths[i].bytes);
        conn_send(&cia, line, lengths[i].bytes);
        conn_send(&cia, lengths[i].end, strlen(lengths[i].end));
        conn_say(&cia, "next");
        free(line);
        conn_expect(&cia, lengths[i].fits ? "msg cia xxx*" : "error too-long *");
        size_t extra = strlen(lengths[i].end) == 3 ? strlen(BAD) : 0;
        if (lengths[i].fits)
            ck_assert_uint_eq(cia.event.text.len, lengths[i].bytes + extra);
        conn_expect(&cia, "msg cia next");
    }
    cia_leaves(&room, &cia);
}
END_TEST

/* The worst that cleaning does to a line still is a line. */
START_TEST(a_full_line_of_bad_bytes)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    char line[LINE_IN_MAX + 1];
    memset(line, '\x80', LINE_IN_MAX);
    line[LINE_IN_MAX] = '\n';
    conn_send(&cia, line, sizeof line);
    conn_expect(&cia, "msg cia " BAD BAD "*");
    ck_assert_uint_eq(cia.event.text.len, LINE_CLEAN_MAX);
    conn_expect(&room.ann, "msg cia " BAD BAD "*");
    cia_leaves(&room, &cia);
}
END_TEST

/* Private memory of the hub and all workers, in kilobytes. */
static long memory(const struct room *room)
{
    struct family family;
    family_look(&family, room->server.pid);
    long sum = process_memory(room->server.pid);
    for (size_t i = 0; i < family.count; i++)
        sum += process_memory(family.pids[i]);
    return sum;
}

/* Without a line end, however much of it: told once, nothing kept. */
START_TEST(a_line_without_an_end)
{
    static const char fillings[] = {'x', '\0', '\r', '\xc3'};
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    char *block = malloc(MEGABYTE);
    memset(block, fillings[_i], MEGABYTE);
    conn_send(&cia, block, MEGABYTE);
    long before = memory(&room);
    for (int i = 0; i < 40; i++)
        conn_send(&cia, block, MEGABYTE);
    free(block);
    ck_assert_int_lt(memory(&room), before + 1024);
    conn_say(&cia, "x\nnext");
    conn_expect(&cia, "error too-long *");
    conn_expect(&cia, "msg cia next");
    conn_expect(&room.ann, "msg cia next");
    cia_leaves(&room, &cia);
}
END_TEST

/* The same before the name: nobody joins, and no member notices. */
START_TEST(a_stream_of_nothing_before_the_name)
{
    struct room room;
    struct conn eve;
    room_open(&room, ANY_PORT, "-H", "0");
    conn_open(&eve, &room.server);
    eve.stalled = true;
    char *block = calloc(1, MEGABYTE);
    for (int i = 0; i < 10 && conn_send(&eve, block, MEGABYTE); i++)
        continue;
    free(block);
    conn_close(&eve);
    room_close(&room);
}
END_TEST

/* ---- Bytes ---- */

/* Every byte alone, in the middle of a line. */
START_TEST(every_byte)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    for (int byte = 0; byte < 256; byte++) {
        char line[] = {'a', (char)byte, 'z', '\n'};
        char want[32];
        bool passes = byte == '\t' || (byte >= 0x20 && byte < 0x7f);
        conn_send(&cia, line, sizeof line);
        if (byte == '\n')
            snprintf(want, sizeof want, "msg cia a");
        else if (passes)
            snprintf(want, sizeof want, "msg cia a%cz", byte);
        else
            snprintf(want, sizeof want, "msg cia a" BAD "z");
        const char *line_got = conn_read(&room.ann);
        ck_assert_msg(strcmp(line_got, want) == 0, "byte %d: %s", byte, line_got);
        if (byte == '\n')
            conn_expect(&room.ann, "msg cia z");
    }
    cia_leaves(&room, &cia);
}
END_TEST

#define MARK "\xcc\x81" /* U+0301 */
#define MARKS8 MARK MARK MARK MARK MARK MARK MARK MARK

static const struct {
    const char *what;
    const char *sent;
    size_t len;
    const char *got; /* a pattern: lines, each with its LF */
} streams[] = {
#define STREAM(what, sent, got)                                                                    \
    {                                                                                              \
        what, sent, sizeof sent - 1, got                                                           \
    }
    STREAM("CR in the middle", "a\rb\n", "a" BAD "b\n"),
    STREAM("CR CR LF", "a\r\r\n", "a" BAD "\n"),
    STREAM("LF CR", "a\n\rb\n", "a\n" BAD "b\n"),
    STREAM("a line of CRs", "\r\r\r\n", BAD BAD "\n"),
    STREAM("empty lines", "\n\r\n\n\na\n\n", "a\n"),
    STREAM("NUL neither cuts nor deafens", "a\0b\nc\n", "a" BAD "b\nc\n"),
    STREAM("a NUL alone", "\0\n", BAD "\n"),
    STREAM("telnet's CR NUL", "a\r\0b\r\0\r\0c\n", "a\nb\nc\n"),
    STREAM("CR NUL NUL", "a\r\0\0b\n", "a\n" BAD "b\n"),
    STREAM("CR CR NUL", "a\r\r\0b\n", "a" BAD "\nb\n"),
    STREAM("LF NUL", "a\r\n\0b\n", "a\n" BAD "b\n"),
    STREAM("ESC sequences", "\x1b[31mred\x1b]0;title\x07\n", BAD "[31mred" BAD "]0;title" BAD "\n"),
    STREAM("C1, raw and encoded", "x\x9bm\xc2\x9bm\n", "x" BAD "m" BAD "m\n"),
    STREAM("NEL, raw and encoded", "x\x85y\xc2\x85z\n", "x" BAD "y" BAD "z\n"),
    STREAM("overlong LF", "x\xc0\x8ay\n", "x" BAD BAD "y\n"),
    STREAM("overlong LF in three bytes", "x\xe0\x80\x8ay\n", "x" BAD BAD BAD "y\n"),
    STREAM("overlong ESC in four bytes", "x\xf0\x80\x80\x9by\n", "x" BAD BAD BAD BAD "y\n"),
    STREAM("an overlong slash is no command", "\xc0\xafquit\n", BAD BAD "quit\n"),
    STREAM("a surrogate", "x\xed\xa0\x80y\n", "x" BAD BAD BAD "y\n"),
    STREAM("the last code point is none", "x\xf4\x8f\xbf\xbfy\n", "x" BAD "y\n"),
    STREAM("beyond the last code point", "x\xf4\x90\x80\x80y\n", "x" BAD BAD BAD BAD "y\n"),
    STREAM("a character that is cut off", "a\xf0\x9f\x98\nb\n", "a" BAD "\nb\n"),
    STREAM("noncharacters", "x\xef\xbf\xbey\xef\xb7\x90\n", "x" BAD "y" BAD "\n"),
    STREAM("bidi", "x\xe2\x80\xaey\xe2\x81\xa6z\xe2\x80\x8fw\n", "x" BAD "y" BAD "zw\n"),
    STREAM(
        "zero width", "x\xe2\x80\x8by\xef\xbb\xbfz\xe2\x81\xa0w\xe2\x81\xaav\n", "xyzw" BAD "v\n"),
    STREAM("a soft hyphen",
        "so\xc2\xad"
        "ft\n",
        "soft\n"),
    STREAM("a line of nothing that shows", "a\n\xef\xbb\xbf\xe2\x80\x8b\nb\n", "a\nb\n"),
    STREAM("a byte order mark before a slash", "\xef\xbb\xbf//a\n", "/a\n"),
    STREAM("joiners and selectors", "x\xe2\x80\x8dy\xe2\x80\x8cz\xef\xb8\x8f\n",
        "x\xe2\x80\x8dy\xe2\x80\x8cz\xef\xb8\x8f\n"),
    STREAM("tags", "x\xf3\xa0\x80\x81y\xf3\xa0\x81\xbf\n", "xy\n"),
    STREAM("line and paragraph separators", "x\xe2\x80\xa8y\xe2\x80\xa9z\n", "x" BAD "y" BAD "z\n"),
    STREAM("eight combining marks", "e" MARKS8 MARK MARK "f" MARK "\n", "e" MARKS8 "f" MARK "\n"),
    STREAM("letters of four scripts", "z\xc3\xa4 \xce\xb1 \xd0\xb6 \xe4\xb8\xad \xf0\x9f\x98\x80\n",
        "z\xc3\xa4 \xce\xb1 \xd0\xb6 \xe4\xb8\xad \xf0\x9f\x98\x80\n"),
    STREAM("telnet: a command in the middle", "x\xff\xf1y\n", "xy\n"),
    STREAM("telnet: an option", "\xff\xfd\x01x\xff\xfb\x03y\n", "xy\n"),
    STREAM("telnet: a subnegotiation", "x\xff\xfa\x18xterm\xff\xf0y\n", "xy\n"),
    STREAM("telnet: an unfinished one", "a\xff\xfa\x18xterm\nb\n", "a\nb\n"),
    STREAM("telnet: IAC LF", "a\xff\nb\n", "a*\nb\n"),
    STREAM("telnet: DO LF", "a\xff\xfd\nb\n", "a\nb\n"),
    STREAM("telnet: IAC IAC is a byte", "x\xff\xffy\n", "x" BAD "y\n"),
    STREAM("telnet: the escape inside a character", "a\xc3\xff\xf1\xa4\n", "a\xc3\xa4\n"),
#undef STREAM
};

/* All that cia said, as ann saw it, up to the mark. */
static void expect_lines(struct room *room, const char *want, const char *what)
{
    char got[512] = "";
    for (const char *line; strcmp(line = conn_read(&room->ann), "msg cia mark") != 0;)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s\n", line + strlen("msg cia "));
    ck_assert_msg(pattern_match(want, got), "%s: %s", what, got);
}

/* Whole, byte by byte, and cut at every place: the same lines. */
START_TEST(streams_in_any_cut)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        const char *sent = streams[i].sent;
        for (size_t cut = 0; cut < streams[i].len; cut++) {
            conn_send(&cia, sent, cut);
            conn_send(&cia, sent + cut, streams[i].len - cut);
            conn_say(&cia, "mark");
            expect_lines(&room, streams[i].got, streams[i].what);
        }
        for (size_t k = 0; k < streams[i].len; k++)
            conn_send(&cia, sent + k, 1);
        conn_say(&cia, "mark");
        expect_lines(&room, streams[i].got, streams[i].what);
    }
    cia_leaves(&room, &cia);
}
END_TEST

/* 2000 combining marks on one letter. */
START_TEST(a_tower_of_marks)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    char line[4002] = "e";
    for (size_t at = 1; at < 4001; at += 2)
        memcpy(line + at, MARK, 2);
    line[4001] = '\n';
    conn_send(&cia, line, sizeof line);
    conn_expect(&cia, "msg cia e" MARKS8);
    cia_leaves(&room, &cia);
}
END_TEST

/* ---- Other programs' first words ---- */

static const struct {
    const char *bytes;
    size_t len;
} strangers[] = {
#define STRANGER(bytes)                                                                            \
    {                                                                                              \
        bytes, sizeof bytes - 1                                                                    \
    }
    STRANGER("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    STRANGER("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nann\nhello\n"),
    STRANGER("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x0a\x0d\x0a\xff\xfa\x00\xc0\x2b"),
    STRANGER("SSH-2.0-OpenSSH_9.2\r\n"),
    STRANGER("\x00\x0e\x38\xa2\x1c\x00\x00\x00\x0a\x0a\x0a"),
    STRANGER("\xff\xfa\xff\xfa\xff\xfd"),
    STRANGER("\x01left\n\x01kicked\n\x01too-long\n"),
};

/* They harm nobody; what they are called, if anything, is their affair. */
START_TEST(strangers_are_harmless)
{
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        struct conn conn;
        conn_open(&conn, &room.server);
        conn_send(&conn, strangers[i].bytes, strangers[i].len);
        conn_finish(&conn);
        conn_seek_end(&conn);
        conn_close(&conn);
    }
    room_close(&room);
}
END_TEST

/* The hub's own control lines, typed by a user, are text. */
START_TEST(control_lines_are_text)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    conn_say(&cia, "\001left\n\001end\n\001title x\n\001too-long");
    conn_expect(&room.ann, "msg cia " BAD "left");
    conn_expect(&room.ann, "msg cia " BAD "end");
    conn_expect(&room.ann, "msg cia " BAD "title x");
    conn_expect(&room.ann, "msg cia " BAD "too-long");
    cia_leaves(&room, &cia);
}
END_TEST

/* ---- Ends ---- */

/* 10 000 lines in one write, and the end: each is answered, each is seen. */
START_TEST(ten_thousand_lines_and_goodbye)
{
    enum { LINES = 10000 };
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    char *all = malloc(LINES * 8);
    size_t len = 0;
    for (int i = 0; i < LINES; i++)
        len += (size_t)sprintf(all + len, "%d\n", i);
    conn_send(&cia, all, len - (_i == 1)); /* the second time without the last LF */
    free(all);
    conn_finish(&cia);
    struct conn *readers[] = {&cia, &room.ann, &room.ben};
    conn_seek(&room.ben, "join cia");
    for (int i = 0; i < LINES; i++) {
        char want[32];
        snprintf(want, sizeof want, "msg cia %d", i);
        for (size_t k = 0; k < COUNT_OF(readers); k++)
            conn_expect(readers[k], want);
    }
    conn_expect_end(&cia);
    conn_expect(&room.ann, "quit cia left");
    cia_leaves(&room, &cia);
}
END_TEST

/* Lines that the server's kernel has count, even where nobody ever read an answer. */
START_TEST(lines_and_a_close_without_reading)
{
    enum { LINES = 100 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    char all[LINES * 4 + 4] = "cia\n";
    for (int i = 0; i < LINES; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%d\n", i);
    for (int round = 0; round < 20; round++) {
        struct conn cia;
        conn_open(&cia, &room.server);
        conn_send_some(&cia, all, strlen(all));
        conn_close(&cia);
        conn_expect(&room.ann, "join cia");
        for (int i = 0; i < LINES; i++) {
            char want[32];
            snprintf(want, sizeof want, "msg cia %d", i);
            conn_expect(&room.ann, want);
        }
        conn_expect(&room.ann, "quit cia l*");
    }
    room_close(&room);
}
END_TEST

/* Sends so many lines of 1000 bytes. */
static void send_lines(struct conn *conn, int lines)
{
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < lines; i++)
        conn_send(conn, line, sizeof line);
}

/* How long complete lines are taken after a write has met a reset. */
#define BROKEN_MS 5000

/* False where that time was over before the worker had read them all. */
static bool broken_lines_are_taken(int lines)
{
    struct room room;
    struct conn cia;
    bool in_time = true;
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = room_join(&room, &cia, "cia");
    conn_expect(&room.ann, "join cia");
    process_stop(worker);
    cia.stalled = true;
    send_lines(&cia, lines);
    conn_await_delivery(&cia);
    int64_t begun = clock_ms();
    conn_reset(&cia);
    conn_say(&room.ann, "for cia, too");
    conn_expect(&room.ann, "msg ann for cia, too");
    kill(worker, SIGCONT);
    for (int i = 0; in_time && i < lines; i++) {
        const char *line = conn_read(&room.ann);
        ck_assert_ptr_nonnull(line);
        in_time = strcmp(line, "quit cia lost") != 0 || !was_late(begun, BROKEN_MS);
        ck_assert(!in_time || pattern_match("msg cia xxx*", line));
    }
    if (in_time)
        conn_expect(&room.ann, "quit cia lost");
    room_close(&room);
    return in_time;
}

/*
 * The same where the worker comes late: the connection is broken already, in both directions, and
 * what its socket still holds is more than one read.
 */
START_TEST(lines_of_a_broken_connection)
{
    while (!broken_lines_are_taken(100))
        continue;
}
END_TEST

/* A reset loses the unterminated line only. */
START_TEST(a_reset_in_the_middle_of_a_line)
{
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < 50; i++) {
        struct conn cia;
        conn_join(&cia, &room.server, "cia");
        conn_expect(&room.ann, "join cia");
        conn_send(&cia, "one\ntwo\nthr", 11);
        conn_reset(&cia);
        conn_expect(&room.ann, "msg cia one");
        conn_expect(&room.ann, "msg cia two");
        conn_expect(&room.ann, "quit cia lost");
    }
    room_close(&room);
}
END_TEST

/* Half-closed after five lines, it goes on reading: all pending output, then the end. */
START_TEST(half_closed_but_reading)
{
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    conn_send(&cia, "1\n2\n/users\n/help\n5", 18);
    conn_finish(&cia);
    conn_expect(&cia, "msg cia 1");
    conn_expect(&cia, "msg cia 2");
    conn_expect(&cia, "here *");
    conn_expect(&cia, "users 3");
    conn_expect(&cia, "note *");
    conn_expect(&cia, "msg cia 5");
    conn_expect_end(&cia);
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* Half-closed, and reading late: the server keeps for it what no kernel buffer holds. */
START_TEST(half_closed_and_reading_late)
{
    enum { LINES = 2000 };
    struct room room;
    struct conn cia;
    room_with_cia(&room, &cia);
    cia.stalled = true;
    send_lines(&cia, LINES);
    conn_finish(&cia);
    conn_seek(&room.ann, "quit cia left");
    for (int i = 0; i < LINES; i++)
        conn_expect(&cia, "msg cia xxx*");
    conn_expect_end(&cia);
    cia_leaves(&room, &cia);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {lengths_have_a_limit, 1, 20},
        {a_full_line_of_bad_bytes, 1, 20},
        {a_line_without_an_end, 4, 30},
        {a_stream_of_nothing_before_the_name, 1, 30},
        {every_byte, 1, 20},
        {streams_in_any_cut, 1, 60},
        {a_tower_of_marks, 1, 20},
        {strangers_are_harmless, 1, 20},
        {control_lines_are_text, 1, 20},
        {ten_thousand_lines_and_goodbye, 2, 30},
        {lines_and_a_close_without_reading, 1, 30},
        {lines_of_a_broken_connection, 1, 20},
        {a_reset_in_the_middle_of_a_line, 1, 30},
        {half_closed_but_reading, 1, 20},
        {half_closed_and_reading_late, 1, 30},
    };
    return tests_run("framing", tests, COUNT_OF(tests));
}
