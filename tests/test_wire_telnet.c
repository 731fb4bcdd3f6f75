/*
 * test_wire_telnet.c: telnet's commands go, wherever the stream is cut, and nothing else does.
 */
#include "bytes.h"
#include "wire/telnet.h"

#include <stdlib.h>
#include <string.h>

#define IAC "\xff"
#define DONT "\xfe"
#define DO "\xfd"
#define WONT "\xfc"
#define WILL "\xfb"
#define SB "\xfa"
#define IP "\xf4"
#define DM "\xf2"
#define SE "\xf0"
#define TELNET_EOF "\xec"
#define TM "\x06"

struct telnet {
    struct consumer consumer;
    struct telnet_filter filter;
};

static void telnet_take(struct consumer *consumer, const char *piece, size_t len)
{
    struct telnet *telnet = (struct telnet *)consumer;
    char *buf = must_allocate(len + 1);

    memcpy(buf + 1, piece, len);
    char *left = telnet_filter(&telnet->filter, buf + 1, &len);
    must(left == buf + 1 || left == buf);
    consumer_note(consumer, left, len);
    free(buf);
}

/* The stream in three pieces. */
static void telnet_run(struct telnet *telnet, struct span stream, size_t cut1, size_t cut2)
{
    *telnet = (struct telnet){.consumer = {.take = telnet_take, .out = must_allocate(stream.len)}};
    consumer_take_range(&telnet->consumer, stream, 0, cut1);
    consumer_take_range(&telnet->consumer, stream, cut1, cut2);
    consumer_take_range(&telnet->consumer, stream, cut2, stream.len);
}

static void telnet_check(
    struct span stream, size_t cut1, size_t cut2, struct span want, unsigned marks)
{
    struct telnet telnet;

    telnet_run(&telnet, stream, cut1, cut2);
    assert_bytes(telnet.consumer.out, telnet.consumer.len, want);
    must(telnet.filter.timing_marks == marks);
    free(telnet.consumer.out);
}

static const struct {
    struct span stream;
    struct span data;
    unsigned marks;
} telnet_rows[] = {
    {S(""), S(""), 0},
    {S("plain\r\n"), S("plain\r\n"), 0},
    {S("a\0b"), S("a\0b"), 0},
    {S("a" IAC IAC "b"), S("a" IAC "b"), 0},
    {S(IAC IAC IAC IAC), S(IAC IAC), 0},
    {S("a" IAC), S("a"), 0},
    {S("a" IAC IP IAC DO TM "b\n"), S("ab\n"), 1},
    {S(IAC DO TM IAC DM IAC DO TM), S(""), 2},
    {S(IAC WILL "\x01" IAC WONT "\x03" IAC DONT "\x06" IAC DO "\x18"
                "x"),
        S("x"), 0},
    {S(IAC WILL TM "x"), S("x"), 0},
    {S(IAC DO IAC "x"), S("x"), 0},
    {S(IAC TELNET_EOF "x"), S("x"), 0},
    {S("\xff\xeb"), S("\xff\xeb"), 0},
    {S("a" IAC "bc"), S("a" IAC "bc"), 0},
    {S(IAC "\0" IAC "\x7f"), S(IAC "\0" IAC "\x7f"), 0},
    {S(IAC "\n"), S(IAC "\n"), 0},
    {S(IAC DO "\n" TM), S("\n" TM), 0},
    {S(IAC WILL "\r\n"), S("\n"), 0},
    {S(IAC SB "\x18\x01" IAC SE "x"), S("x"), 0},
    {S(IAC SB "\x18" IAC IAC "y" IAC SE "x"), S("x"), 0},
    {S(IAC SB IAC IAC SE "y" IAC SE "x"), S("x"), 0},
    {S(IAC SB "never ended\nx"), S("\nx"), 0},
    {S(IAC SB "y" IAC "\nx"), S("\nx"), 0},
    {S(IAC SB "y" IAC "zz" IAC SE "x"), S("x"), 0},
    {S(IAC SB "y" IAC DO TM "x"), S("x"), 1},
    {S(IAC SB "y" IAC SB "z" IAC SE "x"), S("x"), 0},
    {S(IAC SE "x"), S("x"), 0},
};

START_TEST(telnet_whatever_the_cuts)
{
    struct span stream = telnet_rows[_i].stream;

    for (size_t i = 0; i <= stream.len; i++) {
        for (size_t j = i; j <= stream.len; j++)
            telnet_check(stream, i, j, telnet_rows[_i].data, telnet_rows[_i].marks);
    }
}
END_TEST

static size_t count_newlines(const char *at, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += at[i] == '\n';
    return count;
}

START_TEST(telnet_random_streams)
{
    static const struct span words[] = {
        S(IAC), S(DO), S(WILL), S(SB), S(SE), S(TM), S("\n"), S("a"), S("bcdefghi"), S("\xe4")};
    uint64_t state = random_seeded();

    for (int round = 0; round < 50000; round++) {
        char bytes[40];
        struct span stream = random_words(&state, bytes, sizeof bytes, words, COUNT_OF(words));
        struct telnet whole;
        size_t cut = random_below(&state, stream.len + 1);

        telnet_run(&whole, stream, 0, 0);
        telnet_check(stream, cut, cut + random_below(&state, stream.len - cut + 1),
            (struct span){whole.consumer.out, whole.consumer.len}, whole.filter.timing_marks);
        must(count_newlines(whole.consumer.out, whole.consumer.len) ==
             count_newlines(stream.at, stream.len));
        free(whole.consumer.out);
    }
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {telnet_whatever_the_cuts, COUNT_OF(telnet_rows), 60},
        {telnet_random_streams, 1, 60},
    };

    return tests_run("wire_telnet", tests, COUNT_OF(tests));
}
