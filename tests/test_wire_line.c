/*
 * test_wire_line.c: what a stream says must not depend on how it was cut into pieces, so each piece
 * stands in memory of its own, which is gone before the next one comes.
 */
#include "bytes.h"
#include "wire/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lines {
    struct consumer consumer;
    struct line_splitter splitter;
};

/* Whole lines become [line], too long ones {line}, an unterminated last one (line). */
static void lines_note(struct lines *lines, const char *quotes, struct span line)
{
    must(line.len <= lines->splitter.max);
    consumer_note(&lines->consumer, quotes, 1);
    consumer_note(&lines->consumer, line.at, line.len);
    consumer_note(&lines->consumer, quotes + 1, 1);
}

static void lines_take(struct consumer *consumer, const char *piece, size_t len)
{
    struct lines *lines = (struct lines *)consumer;
    const char *at = piece;
    enum line_result result;
    struct span line;

    while ((result = line_next(&lines->splitter, &at, piece + len, &line)) != LINE_NONE)
        lines_note(lines, result == LINE_READY ? "[]" : "{}", line);
    must(at == piece + len);
}

static void lines_end(struct consumer *consumer)
{
    struct lines *lines = (struct lines *)consumer;
    struct span line;

    if (line_last(&lines->splitter, &line) == LINE_READY)
        lines_note(lines, "()", line);
    must(line_last(&lines->splitter, &line) == LINE_NONE);
}

static void lines_open(struct lines *lines, size_t max, size_t stream_len)
{
    lines->consumer = (struct consumer){
        .take = lines_take, .end = lines_end, .out = must_allocate(3 * stream_len + 2)};
    line_splitter_init(&lines->splitter, must_allocate(max + 1), max);
}

static void lines_close(struct lines *lines)
{
    free(lines->consumer.out);
    free(lines->splitter.held);
}

/* The stream in pieces that end at these offsets says what is wanted. */
static void lines_check(
    struct span stream, size_t max, const size_t *cuts, size_t count, struct span want)
{
    struct lines lines;
    size_t from = 0;

    lines_open(&lines, max, stream.len);
    for (size_t i = 0; i < count; i++) {
        consumer_take_range(&lines.consumer, stream, from, cuts[i]);
        from = cuts[i];
    }
    consumer_take_range(&lines.consumer, stream, from, stream.len);
    lines.consumer.end(&lines.consumer);
    assert_bytes(lines.consumer.out, lines.consumer.len, want);
    lines_close(&lines);
}

/* Every pair of cuts, and byte by byte. */
static void lines_check_cuts(struct span stream, size_t max, struct span want)
{
    size_t cuts[64];

    must(stream.len < 64);
    for (cuts[0] = 0; cuts[0] <= stream.len; cuts[0]++) {
        for (cuts[1] = cuts[0]; cuts[1] <= stream.len; cuts[1]++)
            lines_check(stream, max, cuts, 2, want);
    }
    for (size_t i = 0; i < stream.len; i++)
        cuts[i] = i;
    lines_check(stream, max, cuts, stream.len, want);
}

/* At most four bytes a line. */
static const struct {
    struct span stream;
    struct span lines;
} line_rows[] = {
    {S(""), S("")},
    {S("\n"), S("[]")},
    {S("\n\n"), S("[][]")},
    {S("\r\n"), S("[]")},
    {S("\r\r\n"), S("[\r]")},
    {S("\r"), S("()")},
    {S("\r\r"), S("(\r)")},
    {S("ab\ncd\n"), S("[ab][cd]")},
    {S("ab\r\ncd"), S("[ab](cd)")},
    {S("ab\rcd\n"), S("{ab\rc}")},
    {S("a\rb\n"), S("[a\rb]")},
    {S("ab\r"), S("(ab)")},
    {S("abcd\nx"), S("[abcd](x)")},
    {S("abcd\r\nx\n"), S("[abcd][x]")},
    {S("abcd\r\r\nx\n"), S("{abcd}[x]")},
    {S("abc\r\r\nx\n"), S("[abc\r][x]")},
    {S("abcd"), S("(abcd)")},
    {S("abcd\r"), S("(abcd)")},
    {S("abcde"), S("{abcd}")},
    {S("abcde\nx"), S("{abcd}(x)")},
    {S("abcde\r\nx\n"), S("{abcd}[x]")},
    {S("abcd\rx\ny\n"), S("{abcd}[y]")},
    {S("abcdefghijkl\n\nx\n"), S("{abcd}[][x]")},
    {S("abcdefgh\r\nijklmnop\nq"), S("{abcd}{ijkl}(q)")},
    {S("a\0b\n\0\0\n\0"), S("[a\0b][\0\0](\0)")},
    /* CR NUL */
    {S("\r\0"), S("[]")},
    {S("ab\r\0cd\r\0"), S("[ab][cd]")},
    {S("ab\r\0cd"), S("[ab](cd)")},
    {S("ab\r\0\0\n"), S("[ab][\0]")},
    {S("ab\r\0\ncd\r\n\0\n"), S("[ab][][cd][\0]")},
    {S("a\r\r\0b"), S("[a\r](b)")},
    {S("a\n\r\0\r\n\r\0"), S("[a][][][]")},
    {S("\0\r\0\0\r"), S("[\0](\0)")},
    {S("abcd\r\0x\n"), S("[abcd][x]")},
    {S("abcde\r\0x\n"), S("{abcd}[x]")},
    {S("abcd\r\r\0x\n"), S("{abcd}[x]")},
    {S("abcdefgh\0\0\rij\r\0x\n"), S("{abcd}[x]")},
    {S("abcdefgh\r\r\0\0\r\0x"), S("{abcd}[\0](x)")},
};

START_TEST(lines_whatever_the_cuts)
{
    lines_check_cuts(line_rows[_i].stream, 4, line_rows[_i].lines);
}
END_TEST

/* 4095, 4096, 4097 bytes before each line end, with one cut everywhere near their ends. */
START_TEST(lines_at_the_limit)
{
    static const struct span ends[] = {S("\n"), S("\r\n"), S("\r\0"), S("\r\r\n")};
    static char stream[LINE_IN_MAX + 64], want[LINE_IN_MAX + 64];

    for (size_t e = 0; e < COUNT_OF(ends); e++) {
        for (size_t len = LINE_IN_MAX - 2; len <= LINE_IN_MAX + 2; len++) {
            size_t content = len + (ends[e].len == 3); /* one CR stays */
            bool fits = content <= LINE_IN_MAX;
            size_t told = fits ? content : LINE_IN_MAX;

            memset(stream, 'a', len);
            char *after = bytes_put(stream + len, ends[e].at, ends[e].len);
            size_t total = (size_t)(bytes_put(after, "ok\n", 3) - stream);
            want[0] = fits ? '[' : '{';
            memcpy(want + 1, stream, told);
            size_t wanted = 1 + told + (size_t)sprintf(want + 1 + told, "%c[ok]", fits ? ']' : '}');
            for (size_t cut = len - 4; cut <= total; cut++)
                lines_check((struct span){stream, total}, LINE_IN_MAX, &cut, 1,
                    (struct span){want, wanted});
        }
    }
}
END_TEST

START_TEST(lines_endless_is_told_once)
{
    static const char zeros[65536];
    const struct span end = S("\nok\n");
    struct lines lines;
    unsigned told = 0;

    lines_open(&lines, LINE_IN_MAX, LINE_IN_MAX);
    for (int i = 0; i < 256; i++) {
        lines_take(&lines.consumer, zeros, sizeof zeros);
        told += lines.consumer.len > 0;
        lines.consumer.len = 0;
    }
    ck_assert_uint_eq(told, 1);
    lines_take(&lines.consumer, end.at, end.len);
    assert_bytes(lines.consumer.out, lines.consumer.len, (struct span)S("[ok]"));
    lines_close(&lines);
}
END_TEST

/* A whole line in the input is told where it stands. */
START_TEST(lines_are_not_copied)
{
    const char stream[] = "one\ntwo\r\n";
    const char *at = stream;
    char held[5];
    struct line_splitter splitter;
    struct span line;

    line_splitter_init(&splitter, held, 4);
    ck_assert_int_eq(line_next(&splitter, &at, stream + 9, &line), LINE_READY);
    ck_assert_ptr_eq(line.at, stream);
    ck_assert_int_eq(line_next(&splitter, &at, stream + 9, &line), LINE_READY);
    ck_assert_ptr_eq(line.at, stream + 4);
    ck_assert_uint_eq(line.len, 3);
}
END_TEST

START_TEST(lines_random_streams_random_cuts)
{
    static const struct span words[] = {S("a"), S("bc"), S("\r"), S("\n"), S("\r\n"), S("\0"),
        S("\n\n"), S("defgh"), S("\xff"), S("\r\0")};
    uint64_t state = random_seeded();

    for (int round = 0; round < 20000; round++) {
        char bytes[200];
        size_t cuts[8], max = 1 + random_below(&state, 20), count = random_below(&state, 8);
        struct span stream = random_words(&state, bytes, sizeof bytes, words, COUNT_OF(words));
        struct lines whole;

        lines_open(&whole, max, stream.len);
        consumer_take_range(&whole.consumer, stream, 0, stream.len);
        whole.consumer.end(&whole.consumer);
        for (size_t i = 0; i < count; i++) {
            size_t low = i > 0 ? cuts[i - 1] : 0;
            cuts[i] = low + random_below(&state, stream.len - low + 1);
        }
        lines_check(
            stream, max, cuts, count, (struct span){whole.consumer.out, whole.consumer.len});
        lines_close(&whole);
    }
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {lines_whatever_the_cuts, COUNT_OF(line_rows), 60},
        {lines_at_the_limit, 1, 60},
        {lines_endless_is_told_once, 1, 60},
        {lines_are_not_copied, 1, 60},
        {lines_random_streams_random_cuts, 1, 60},
    };

    return tests_run("wire_line", tests, COUNT_OF(tests));
}
