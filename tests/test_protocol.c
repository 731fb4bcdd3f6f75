/*
 * test_protocol.c: the language, byte by byte. What a stream says must not depend on how it was cut
 * into pieces, so each piece stands in memory of its own, which is gone before the next one comes.
 */
#include "harness.h"
#include "wire/address.h"
#include "wire/line.h"
#include "wire/number.h"
#include "wire/telnet.h"
#include "wire/text.h"
#include "wire/unicode.h"
#include "wire/utf8.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Bytes with NULs among them. */
#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

#define REPLACED "\xef\xbf\xbd"
#define ACUTE "\xcc\x81"
#define ACUTE_8 ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE
#define ZWNJ "\xe2\x80\x8c"
#define ZWJ "\xe2\x80\x8d"
#define SELECTOR "\xef\xb8\x8f"
#define NBSP "\xc2\xa0"
#define NEXT_LINE "\xc2\x85"
#define LINE_SEPARATOR "\xe2\x80\xa8"
#define WIDE_SPACE "\xe3\x80\x80"
#define NI_HAO "\xe4\xbd\xa0\xe5\xa5\xbd"
#define SMILE "\xf0\x9f\x98\x80"
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* ---- Tools -------------------------------------------------------------------------------- */

/* For what is asked millions of times: ck_assert writes to a file each time, also when it holds. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

static void bytes_print(const char *what, const char *at, size_t len)
{
    printf("%s (%zu):", what, len);
    for (size_t i = 0; i < len && i < 400; i++)
        printf(at[i] > 0x20 && at[i] < 0x7F ? " %c" : " %02x", (unsigned char)at[i]);
    printf("\n");
}

#define assert_bytes(...) assert_bytes_at(__LINE__, __VA_ARGS__)

static void assert_bytes_at(int line, const char *got, size_t len, struct span want)
{
    if (len == want.len && memcmp(got, want.at, len) == 0)
        return;
    bytes_print("want", want.at, want.len);
    bytes_print("got ", got, len);
    ck_abort_msg("line %d: other bytes than expected", line);
}

static void *must_allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);

    must(memory != NULL);
    return memory;
}

/* A copy that has exactly its bytes, so that a sanitizer sees each one read behind them. */
static char *bytes_copy(struct span bytes)
{
    char *copy = must_allocate(bytes.len);

    memcpy(copy, bytes.at, bytes.len);
    return copy;
}

/* The numbers of one run; SEED in the environment brings back another one's. */
static uint64_t random_seeded(void)
{
    const char *wanted = getenv("SEED");
    uint64_t seed = wanted != NULL ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed * 2 + 1;
}

static size_t random_below(uint64_t *state, size_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state * 0x2545F4914F6CDD1Du >> 33) % limit;
}

/* Fills out with words of that list. */
static struct span random_words(
    uint64_t *state, char *out, size_t size, const struct span *words, size_t count)
{
    size_t wanted = random_below(state, size);
    size_t len = 0;

    for (;;) {
        struct span word = words[random_below(state, count)];
        if (len + word.len > wanted)
            return (struct span){out, len};
        memcpy(out + len, word.at, word.len);
        len += word.len;
    }
}

/* Something that takes a stream piece by piece. */
struct consumer {
    void (*take)(struct consumer *, const char *piece, size_t len);
    void (*end)(struct consumer *);
    char *out; /* what came of it */
    size_t len;
};

static void consumer_note(struct consumer *consumer, const char *bytes, size_t len)
{
    memcpy(consumer->out + consumer->len, bytes, len);
    consumer->len += len;
}

static void consumer_take_range(
    struct consumer *consumer, struct span stream, size_t from, size_t to)
{
    char *piece = bytes_copy((struct span){stream.at + from, to - from});

    consumer->take(consumer, piece, to - from);
    free(piece);
}

/* ---- Lines -------------------------------------------------------------------------------- */

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
};

START_TEST(lines_whatever_the_cuts)
{
    lines_check_cuts(line_rows[_i].stream, 4, line_rows[_i].lines);
}
END_TEST

/* 4095, 4096, 4097 bytes before LF and CRLF, with one cut everywhere near their ends. */
START_TEST(lines_at_the_limit)
{
    const char *const ends[] = {"\n", "\r\n", "\r\r\n"};
    static char stream[LINE_IN_MAX + 64], want[LINE_IN_MAX + 64];

    for (size_t e = 0; e < COUNT_OF(ends); e++) {
        for (size_t len = LINE_IN_MAX - 2; len <= LINE_IN_MAX + 2; len++) {
            size_t content = len + strlen(ends[e]) - (e == 0 ? 1 : 2);
            bool fits = content <= LINE_IN_MAX;
            size_t told = fits ? content : LINE_IN_MAX;

            memset(stream, 'a', len);
            size_t total = len + (size_t)sprintf(stream + len, "%sok\n", ends[e]);
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
    static const struct span words[] = {
        S("a"), S("bc"), S("\r"), S("\n"), S("\r\n"), S("\0"), S("\n\n"), S("defgh"), S("\xff")};
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

/* ---- Telnet ------------------------------------------------------------------------------- */

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

/* ---- Characters --------------------------------------------------------------------------- */

START_TEST(utf8_every_code_point)
{
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char bytes[4];
        uint32_t back;

        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        size_t n = utf8_encode(cp, bytes);
        must(n == (cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4));
        must(utf8_decode(bytes, n, &back) == n);
        must(back == cp);
        if (n > 1) {
            must(utf8_decode(bytes, n - 1, &back) == n - 1);
            must(back == UTF8_BAD);
        }
    }
}
END_TEST

/* The lengths of the maximal subparts, a digit each; a character's length stands as a letter. */
static const struct {
    struct span bytes;
    const char *parts;
} utf8_rows[] = {
    {S("\x80"), "1"},
    {S("\xbf\x80"), "11"},
    {S("\xc2"), "1"},
    {S("\xc2 "), "1a"},
    {S("\xe4\xbd"), "2"},
    {S("\xe4\xbd "), "2a"},
    {S("\xf0\x9f\x98"), "3"},
    {S("\xf0\x9f\x98" NI_HAO), "3cc"},
    {S("\xf0\x9f" SMILE), "2d"},
    {S("\xe4\xe4\xbd"), "12"},
    /* overlong: '/', LF, ESC, NUL, U+07FF, U+FFFF */
    {S("\xc0\xaf"), "11"},
    {S("\xc1\xbf"), "11"},
    {S("\xc0\x8a"), "11"},
    {S("\xe0\x80\xaf"), "111"},
    {S("\xe0\x80\x9b"), "111"},
    {S("\xf0\x80\x80\xaf"), "1111"},
    {S("\xf8\x80\x80\x80\xaf"), "11111"},
    {S("\xfc\x80\x80\x80\x80\xaf"), "111111"},
    {S("\xc0\x80"), "11"},
    {S("\xe0\x9f\xbf"), "111"},
    {S("\xf0\x8f\xbf\xbf"), "1111"},
    {S("\xe0\xa0\x80"), "c"},
    {S("\xf0\x90\x80\x80"), "d"},
    /* surrogates, alone and paired */
    {S("\xed\xa0\x80"), "111"},
    {S("\xed\xbf\xbf"), "111"},
    {S("\xed\xa0\xbd\xed\xb8\x80"), "111111"},
    {S("\xed\x9f\xbf"), "c"},
    /* beyond U+10FFFF */
    {S("\xf4\x8f\xbf\xbf"), "d"},
    {S("\xf4\x90\x80\x80"), "1111"},
    {S("\xf5\x80\x80\x80"), "1111"},
    {S("\xfe\xff"), "11"},
    /* the table of The Unicode Standard 3.9 */
    {S("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), "2132a"},
    {S("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"), "a321a1a11a"},
};

START_TEST(utf8_malformed)
{
    struct span bytes = utf8_rows[_i].bytes;
    const char *part = utf8_rows[_i].parts;
    char *copy = bytes_copy(bytes);
    size_t n;

    for (size_t at = 0; at < bytes.len; at += n, part++) {
        uint32_t cp;
        n = utf8_decode(copy + at, bytes.len - at, &cp);
        ck_assert_int_eq(*part, (int)n + (cp == UTF8_BAD ? '0' : 'a' - 1));
    }
    ck_assert_int_eq(*part, '\0');
    free(copy);
}
END_TEST

struct range {
    uint32_t first;
    uint32_t last;
};

static bool ranges_have(const struct range *ranges, size_t count, uint32_t cp)
{
    for (size_t i = 0; i < count; i++) {
        if (cp >= ranges[i].first && cp <= ranges[i].last)
            return true;
    }
    return false;
}

/* The rule in the words of the standard: properties whole, and what is let through all the same. */
START_TEST(forbidden_is_what_the_rule_says)
{
    static const struct range invisible[] = {/* Default_Ignorable_Code_Point */
        {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5},
        {0x180B, 0x180F}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
        {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3},
        {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
    static const struct range allowed[] = {
        {0x200C, 0x200D}, {0xFE00, 0xFE0F}, {0xE0100, 0xE01EF}, {0x180B, 0x180D}, {0x180F, 0x180F}};
    static const struct range others[] = {{0x0000, 0x0008}, {0x000A, 0x001F},
        {0x007F, 0x009F}, /* controls but TAB */
        {0x2028, 0x2029}, {0xFFF9, 0xFFFB}, {0xD800, 0xDFFF}, {0xFDD0, 0xFDEF}};

    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        bool want = (ranges_have(invisible, COUNT_OF(invisible), cp) &&
                        !ranges_have(allowed, COUNT_OF(allowed), cp)) ||
                    ranges_have(others, COUNT_OF(others), cp) || (cp & 0xFFFF) >= 0xFFFE;
        if (char_is_forbidden(cp) != want)
            ck_abort_msg("U+%04X", (unsigned)cp);
    }
    must(char_is_forbidden(0x110000));
    must(char_is_forbidden(UTF8_BAD));
}
END_TEST

START_TEST(combining_and_space)
{
    static const uint32_t marks[] = {0x300, 0x301, 0x36F, 0x488, 0x5B0, 0x64B, 0xE31, 0x20DD,
        0x302A, 0x3099, 0xFE0F, 0x180B, 0xFE20, 0x1D167, 0xE0100, 0xE01EF};
    static const uint32_t none[] = {0, 'a', 0x2FF, 0x34F, 0x370, 0x903, 0x17B4, 0x200C, 0x200D,
        0x4E00, 0xFE10, 0xFFFD, 0x1F3FB, 0xE0000, 0xE01F0, UTF8_BAD};
    static const uint32_t spaces[] = {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680,
        0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A,
        0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
    size_t mark_count = 0, space_count = 0;

    for (size_t i = 0; i < COUNT_OF(marks); i++)
        ck_assert_msg(char_is_combining(marks[i]), "U+%04X", (unsigned)marks[i]);
    for (size_t i = 0; i < COUNT_OF(none); i++)
        ck_assert_msg(!char_is_combining(none[i]), "U+%04X", (unsigned)none[i]);
    for (size_t i = 0; i < COUNT_OF(spaces); i++)
        ck_assert_msg(char_is_space(spaces[i]), "U+%04X", (unsigned)spaces[i]);
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        mark_count += char_is_combining(cp);
        space_count += char_is_space(cp);
        must(!char_is_combining(cp) || !char_is_forbidden(cp));
    }
    /* Unicode 14.0.0 has 1950 Mn and 13 Me; three of them are forbidden. */
    must(mark_count == 1950 + 13 - 3);
    must(space_count == COUNT_OF(spaces));
}
END_TEST

/* ---- Text --------------------------------------------------------------------------------- */

/* What holds for whatever text_clean() makes of these bytes; the caller frees it. */
static struct span text_cleaned(struct span raw)
{
    char *src = bytes_copy(raw);
    char *dst = must_allocate(3 * raw.len);
    size_t len = text_clean(dst, src, raw.len);
    bool same = len == raw.len && memcmp(dst, src, len) == 0;
    unsigned marks = 0;
    size_t n;

    must(len <= 3 * raw.len);
    must(text_is_clean(src, raw.len) == same);
    must(text_is_clean(dst, len));
    for (size_t at = 0; at < len; at += n) {
        uint32_t cp;
        n = utf8_decode(dst + at, len - at, &cp);
        must(cp != UTF8_BAD);
        must(!char_is_forbidden(cp));
        if (char_is_combining(cp))
            marks++;
        else if (cp != 0x200C && cp != 0x200D)
            marks = 0;
        must(marks <= 8);
    }
    char *again = must_allocate(3 * len);
    assert_bytes(again, text_clean(again, dst, len), (struct span){dst, len});
    free(again);
    free(src);
    return (struct span){dst, len};
}

static void text_check(struct span raw, struct span want)
{
    struct span clean = text_cleaned(raw);

    assert_bytes(clean.at, clean.len, want);
    free((char *)clean.at);
}

static const struct {
    struct span raw;
    struct span clean;
} text_rows[] = {
    {S(""), S("")},
    {S("plain text ~ of more than one word"), S("plain text ~ of more than one word")},
    {S("tab\there"), S("tab\there")},
    {S("\x1b[2J"), S(REPLACED "[2J")},
    {S("a\0b\a\r"), S("a" REPLACED "b" REPLACED REPLACED)},
    {S("del\x7f"), S("del" REPLACED)},
    {S("raw C1 \x9b"
       "1m"),
        S("raw C1 " REPLACED "1m")},
    {S("C1 \xc2\x9b"
       "1m"),
        S("C1 " REPLACED "1m")},
    {S(NI_HAO " " SMILE), S(NI_HAO " " SMILE)},
    {S("\xe4\xbd"), S(REPLACED)},
    {S("\xe4\xbd"
       "a"),
        S(REPLACED "a")},
    {S("\xed\xa0\x80"), S(REPLACED REPLACED REPLACED)},
    {S(REPLACED), S(REPLACED)},
    {S("\xef\xbf\xbe\xef\xb7\x90\xf0\x9f\xbf\xbf"), S(REPLACED REPLACED REPLACED)},
    {S("\xe2\x80\xaetxt"), S(REPLACED "txt")},
    {S("a\xe2\x80\x8b"
       "b"),
        S("a" REPLACED "b")},
    {S("a" LINE_SEPARATOR "b"), S("a" REPLACED "b")},
    {S("\xf3\xa0\x81\x81"), S(REPLACED)},
    {S("a" ZWJ "b" ZWNJ "c" SELECTOR), S("a" ZWJ "b" ZWNJ "c" SELECTOR)},
    {S(NBSP WIDE_SPACE), S(NBSP WIDE_SPACE)},
    {S("a" ACUTE_8 "b"), S("a" ACUTE_8 "b")},
    {S("a" ACUTE_8 ACUTE "b"), S("a" ACUTE_8 "b")},
    {S("a" ACUTE_8 ACUTE ACUTE "b" ACUTE), S("a" ACUTE_8 "b" ACUTE)},
    {S(ACUTE_8 ACUTE), S(ACUTE_8)},
    {S("\x01" ACUTE_8 ACUTE), S(REPLACED ACUTE_8)},
    {S("a" ACUTE_8 "\x01" ACUTE), S("a" ACUTE_8 REPLACED ACUTE)},
    {S("a" ACUTE_8 ZWJ ACUTE ZWJ), S("a" ACUTE_8 ZWJ ZWJ)},
    {S("a" ACUTE_8 SELECTOR), S("a" ACUTE_8)},
    {S("a" ACUTE_8 "\xcc\x81\xcc"), S("a" ACUTE_8 REPLACED)},
};

START_TEST(text_table)
{
    text_check(text_rows[_i].raw, text_rows[_i].clean);
}
END_TEST

/* Each byte in each place of texts around the length of a machine word. */
START_TEST(text_every_byte_everywhere)
{
    char text[40];

    for (size_t len = 1; len < sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memset(text, 'a', len);
                text[at] = (char)byte;
                bool want = byte == '\t' || (byte >= 0x20 && byte < 0x7F);
                if (text_is_clean(text, len) != want)
                    ck_abort_msg("byte %02x at %zu of %zu", (unsigned)byte, at, len);
            }
        }
    }
}
END_TEST

static char *bytes_put(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

/* Between two letters, and nine times behind one. */
START_TEST(text_every_code_point)
{
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char raw[40], want[40], bytes[4], clean[120];
        char *r = raw, *w = want;
        bool forbidden = char_is_forbidden(cp);
        size_t kept = char_is_combining(cp) ? 8 : 9;

        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        size_t n = utf8_encode(cp, bytes);
        r = bytes_put(r, "x", 1);
        w = bytes_put(w, "x", 1);
        for (size_t i = 0; i < 9; i++) {
            r = bytes_put(r, bytes, n);
            if (i < kept)
                w = forbidden ? bytes_put(w, REPLACED, 3) : bytes_put(w, bytes, n);
        }
        size_t len = text_clean(clean, raw, (size_t)(r - raw));
        assert_bytes(clean, len, (struct span){want, (size_t)(w - want)});
        must(text_is_clean(raw, 1 + n) == !forbidden);
    }
}
END_TEST

START_TEST(text_grows_threefold_at_most)
{
    static char raw[LINE_IN_MAX], clean[LINE_CLEAN_MAX];

    memset(raw, 0x80, sizeof raw);
    ck_assert_uint_eq(text_clean(clean, raw, sizeof raw), LINE_CLEAN_MAX);
    memset(raw, 0, sizeof raw);
    ck_assert_uint_eq(text_clean(clean, raw, sizeof raw), LINE_CLEAN_MAX);
}
END_TEST

static const struct span text_words[] = {S("a"), S("plain words of some length"), S(" "), S("\t"),
    S("\x1b[0m"), S("\0"), S("\x7f"), S("\x80"), S("\xbf\xbf"), S("\xc2"), S("\xe4\xbd"),
    S("\xf0\x9f\x98"), S("\xff"), S(NI_HAO), S(SMILE), S(ACUTE), S(ACUTE_8), S(ZWJ), S(ZWNJ),
    S(SELECTOR), S(NBSP), S(NEXT_LINE), S(LINE_SEPARATOR), S(WIDE_SPACE), S("\xe2\x80\xae"), S("/"),
    S(":"), S("_"), S(REPLACED), S("\xf3\xa0\x84\x80"), S("\xed\xa0\x80")};

START_TEST(text_random)
{
    uint64_t state = random_seeded();

    for (int round = 0; round < 50000; round++) {
        char bytes[100];
        struct span raw =
            random_words(&state, bytes, sizeof bytes, text_words, COUNT_OF(text_words));
        free((char *)text_cleaned(raw).at);
    }
}
END_TEST

static const struct {
    struct span text;
    size_t max;
    size_t cut;
} cut_rows[] = {
    {S(""), 4, 0},
    {S("abcd"), 4, 4},
    {S("abcde"), 4, 4},
    {S(SMILE), 4, 4},
    {S(SMILE SMILE), 7, 4},
    {S(NI_HAO), 5, 3},
    {S("a" NI_HAO), 5, 4},
    {S("abc" ACUTE), 4, 2},
    {S("abcd" ACUTE), 4, 3},
    {S("abcdef" ACUTE ACUTE), 9, 5},
    {S("a" ACUTE ACUTE ACUTE), 4, 3},
    {S("ab" ACUTE ACUTE ACUTE), 4, 1},
    {S("abc\x80\x80\x80\x80\x80\x80"), 7, 7},
    {S("abc\xe4\xbd"), 4, 3},
    {S("\x80\x80\x80\x80\x80"), 4, 4},
};

START_TEST(cut_table)
{
    struct span text = cut_rows[_i].text;
    char *copy = bytes_copy(text);

    ck_assert_uint_eq(text_cut(copy, text.len, cut_rows[_i].max), cut_rows[_i].cut);
    free(copy);
}
END_TEST

/* Pieces of clean text are clean text, and none is longer than it may be. */
START_TEST(cut_random)
{
    uint64_t state = random_seeded();

    for (int round = 0; round < 50000; round++) {
        char bytes[100];
        struct span text = text_cleaned(
            random_words(&state, bytes, sizeof bytes, text_words, COUNT_OF(text_words)));
        size_t max = 4 + random_below(&state, 30), n;

        for (size_t at = 0; at < text.len; at += n) {
            n = text_cut(text.at + at, text.len - at, max);
            must(n > 0 && n <= max && n <= text.len - at);
            must(n + 3 + 8 * 4 > max || at + n == text.len);
            must(text_is_clean(text.at + at, n));
        }
        free((char *)text.at);
    }
}
END_TEST

/* ---- Names -------------------------------------------------------------------------------- */

static void name_check(struct span raw, struct span want)
{
    char *src = bytes_copy(raw);
    char name[NAME_LEN_MAX + 1];
    size_t len = name_clean(name, src, raw.len);

    assert_bytes(name, len, want);
    ck_assert_int_eq(name[len], '\0');
    ck_assert_int_eq(name_is_clean(name, len), len > 0);
    ck_assert_int_eq(
        name_is_clean(src, raw.len), len > 0 && len == raw.len && memcmp(src, name, len) == 0);
    free(src);
}

static const struct {
    struct span raw;
    struct span name;
} name_rows[] = {
    {S(""), S("")},
    {S("ann"), S("ann")},
    {S(" \t ann \r"), S("ann")},
    {S("/"), S("")},
    {S("/ann"), S("ann")},
    {S(" / //ann/"), S("ann/")},
    {S(" \t\v\f\r" NBSP NEXT_LINE LINE_SEPARATOR WIDE_SPACE), S("")},
    {S(NEXT_LINE WIDE_SPACE "ann" LINE_SEPARATOR NBSP), S("ann")},
    {S("ann lee"), S("ann_lee")},
    {S("ann" WIDE_SPACE "lee\tjones"), S("ann_lee_jones")},
    {S("ann" LINE_SEPARATOR "lee"), S("ann_lee")},
    {S("::1"), S("__1")},
    {S("127.0.0.1:5555"), S("127.0.0.1_5555")},
    {S("msg"), S("msg")},
    {S("*"), S("*")},
    {S("%s%n"), S("%s%n")},
    {S(NI_HAO), S(NI_HAO)},
    {S(SMILE), S(SMILE)},
    {S("a\x1b[2Jb"), S("a_[2Jb")},
    {S("\0"), S("_")},
    {S("\0\0ann"), S("__ann")},
    {S("a\xff\xe4\xbd"), S("a__")},
    {S("a" REPLACED "b"), S("a_b")},
    {S("a\xe2\x80\xae"
       "b"),
        S("a_b")},
    {S("a" ZWJ "b" ZWNJ "c" SELECTOR), S("a_b_c_")},
    {S(ZWJ), S("_")},
    {S("\xe2\x80\x8b/ann"), S("_/ann")},
    {S("rene" ACUTE), S("rene" ACUTE)},
    {S(ACUTE), S("_")},
    {S(ACUTE ACUTE "a"), S("__a")},
    {S("\x01" ACUTE), S("__")},
    {S("a b" ACUTE), S("a_b" ACUTE)},
    {S("a " ACUTE "b"), S("a__b")},
    {S("_" ACUTE), S("_" ACUTE)},
    {S("a" ZWJ ACUTE), S("a__")},
    {S("a" ACUTE_8 ACUTE ACUTE "b"), S("a" ACUTE_8 "b")},
    {S(SIXTY "abcd"), S(SIXTY "abcd")},
    {S(SIXTY "abcde"), S(SIXTY "abcd")},
    {S(SIXTY TEN TEN), S(SIXTY "0123")},
    {S(SIXTY "abc" SMILE), S(SIXTY "abc")},
    {S(SIXTY SMILE SMILE), S(SIXTY SMILE)},
    {S(SIXTY "ab" NI_HAO "c"), S(SIXTY "ab")},
    {S(SIXTY "abc"
             "    "),
        S(SIXTY "abc")},
    {S(SIXTY "abc   d"), S(SIXTY "abc_")},
    {S(SIXTY "abc" ACUTE ACUTE), S(SIXTY "abc")},
};

START_TEST(name_table)
{
    name_check(name_rows[_i].raw, name_rows[_i].name);
}
END_TEST

START_TEST(name_long)
{
    static char raw[10000];
    char want[NAME_LEN_MAX];

    memset(raw, 'n', sizeof raw);
    memset(want, 'n', sizeof want);
    name_check((struct span){raw, sizeof raw}, (struct span){want, sizeof want});
    for (size_t i = 0; i < sizeof raw; i += 2)
        bytes_put(raw + i, ACUTE, 2);
    memset(want, '_', sizeof want);
    name_check((struct span){raw, sizeof raw}, (struct span){want, sizeof want});
}
END_TEST

static const struct {
    const char *name;
    unsigned n;
    const char *suffixed;
} suffix_rows[] = {
    {"ann", 2, "ann_2"},
    {"ann", 4294967295, "ann_4294967295"},
    {"local:4711", 2, "local:4711_2"},
    {SIXTY "ab", 2, SIXTY "ab_2"},
    {SIXTY "abc", 2, SIXTY "ab_2"},
    {SIXTY "abcd", 2, SIXTY "ab_2"},
    {SIXTY "abcd", 10000, TEN TEN TEN TEN TEN "01234567_10000"},
    {SIXTY SMILE, 2, SIXTY "_2"},
    {SIXTY "a" NI_HAO, 2, SIXTY "a_2"},
    {SIXTY "ab" ACUTE, 2, SIXTY "a_2"},
};

START_TEST(name_suffixes)
{
    char out[NAME_LEN_MAX + 1];
    size_t len = name_suffixed(out, suffix_rows[_i].name, suffix_rows[_i].n);

    ck_assert_str_eq(out, suffix_rows[_i].suffixed);
    ck_assert_uint_eq(len, strlen(out));
    ck_assert_uint_le(len, NAME_LEN_MAX);
    ck_assert_int_eq(name_is_clean(out, len), strchr(out, ':') == NULL);
}
END_TEST

START_TEST(name_random)
{
    uint64_t state = random_seeded();

    for (int round = 0; round < 50000; round++) {
        char bytes[120], name[NAME_LEN_MAX + 1], other[NAME_LEN_MAX + 1];
        struct span raw =
            random_words(&state, bytes, sizeof bytes, text_words, COUNT_OF(text_words));
        size_t len = name_clean(name, raw.at, raw.len);

        must(len <= NAME_LEN_MAX);
        must(strlen(name) == len);
        assert_bytes(other, name_clean(other, name, len), (struct span){name, len});
        must(text_is_clean(name, len));
        must(strpbrk(name, " :\t") == NULL);
        if (len > 0) {
            len = name_suffixed(other, name, (unsigned)random_below(&state, 20000));
            must(name_is_clean(other, len));
        }
    }
}
END_TEST

START_TEST(name_folding)
{
    char out[NAME_LEN_MAX + 1];

    name_fold(out, "Ann@Z[LEE_9");
    ck_assert_str_eq(out, "ann@z[lee_9");
    name_fold(out, "\xc3\x89" NI_HAO);
    ck_assert_str_eq(out, "\xc3\x89" NI_HAO);
    name_fold(out, "");
    ck_assert_str_eq(out, "");
    name_fold(out, SIXTY "ABCD");
    ck_assert_str_eq(out, SIXTY "abcd");
}
END_TEST

/* ---- Stamps ------------------------------------------------------------------------------- */

static const struct {
    uint64_t us;
    const char *stamp;
} stamp_rows[] = {
    {0, "1970-01-01T00:00:00.000000Z"},
    {1, "1970-01-01T00:00:00.000001Z"},
    {86399999999, "1970-01-01T23:59:59.999999Z"},
    {68169600000000, "1972-02-29T00:00:00.000000Z"},
    {951782400000000, "2000-02-29T00:00:00.000000Z"},
    {951868800000000, "2000-03-01T00:00:00.000000Z"},
    {978307199999999, "2000-12-31T23:59:59.999999Z"},
    {1795383727123456, "2026-11-22T21:42:07.123456Z"},
    {4107542399000000, "2100-02-28T23:59:59.000000Z"},
    {4107542400000000, "2100-03-01T00:00:00.000000Z"},
    {13574563200000000, "2400-02-29T00:00:00.000000Z"},
    {253402300799999999, "9999-12-31T23:59:59.999999Z"},
};

START_TEST(stamp_table)
{
    char stamp[STAMP_LEN];
    uint64_t us;

    stamp_format(stamp, stamp_rows[_i].us);
    assert_bytes(stamp, STAMP_LEN, (struct span){stamp_rows[_i].stamp, STAMP_LEN});
    ck_assert(stamp_parse(stamp_rows[_i].stamp, STAMP_LEN, &us));
    ck_assert_uint_eq(us, stamp_rows[_i].us);
    ck_assert(stamp_parse(stamp_rows[_i].stamp, STAMP_LEN + 1, &us));
    ck_assert(!stamp_parse(stamp_rows[_i].stamp, STAMP_LEN - 1, &us));
}
END_TEST

static const char *const stamps_wrong[] = {
    "1969-12-31T23:59:59.999999Z",
    "2023-02-29T00:00:00.000000Z",
    "2100-02-29T00:00:00.000000Z",
    "2024-02-30T00:00:00.000000Z",
    "2024-04-31T00:00:00.000000Z",
    "2024-00-01T00:00:00.000000Z",
    "2024-13-01T00:00:00.000000Z",
    "2024-01-00T00:00:00.000000Z",
    "2024-01-32T00:00:00.000000Z",
    "2024-01-01T24:00:00.000000Z",
    "2024-01-01T00:60:00.000000Z",
    "2024-01-01T00:00:60.000000Z",
    "2024-01-01 00:00:00.000000Z",
    "2024-01-01T00:00:00,000000Z",
    "2024-01-01T00:00:00.000000z",
    "2024-01-01T00:00:00.00000 Z",
    "2024-01-01T00:00:00.-00001Z",
    "2024-01-01T+1:00:00.000000Z",
    "2024/01/01T00:00:00.000000Z",
    "+024-01-01T00:00:00.000000Z",
    "2024-01-01T00:00:00.000000 ",
};

START_TEST(stamp_wrong)
{
    uint64_t us;

    ck_assert_uint_eq(strlen(stamps_wrong[_i]), STAMP_LEN);
    ck_assert(!stamp_parse(stamps_wrong[_i], STAMP_LEN, &us));
}
END_TEST

/* A wrong byte in any place of a right stamp is seen. */
START_TEST(stamp_every_byte)
{
    char stamp[STAMP_LEN];
    uint64_t us;

    for (size_t at = 0; at < STAMP_LEN; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(stamp, "2222-02-11T12:12:12.222222Z", STAMP_LEN);
            bool digit = stamp[at] >= '0' && stamp[at] <= '9';
            bool same = stamp[at] == (char)byte;
            stamp[at] = (char)byte;
            bool right = stamp_parse(stamp, STAMP_LEN, &us);
            must(right || !same);
            must(!right || same || (digit && byte >= '0' && byte <= '9'));
        }
    }
}
END_TEST

/* Every day of eight thousand years comes back, and sorts behind the one before. */
START_TEST(stamp_every_day)
{
    char before[STAMP_LEN] = "", stamp[STAMP_LEN];
    const uint64_t day = 86400000000;

    for (uint64_t us = 123456789; us < 253402300800000000; us += day) {
        uint64_t back;
        stamp_format(stamp, us);
        must(memcmp(stamp, before, STAMP_LEN) > 0);
        must(stamp_parse(stamp, STAMP_LEN, &back) && back == us);
        memcpy(before, stamp, STAMP_LEN);
    }
    must(memcmp(stamp, "9999-12-31T", 11) == 0);
}
END_TEST

/* ---- What clients send -------------------------------------------------------------------- */

static const struct {
    const char *line;
    bool named;
    enum command command;
    const char *name;
    const char *text;
} request_rows[] = {
    {"", false, CMD_TEXT, "", ""},
    {"ann", false, CMD_TEXT, "", "ann"},
    {" /ann", false, CMD_TEXT, "", " /ann"},
    {"/history 30", false, CMD_HISTORY, "", "30"},
    {"/history", false, CMD_HISTORY, "", ""},
    {"/history  3", false, CMD_HISTORY, "", " 3"},
    {"/since 2026-11-22T21:42:07.123456Z", false, CMD_SINCE, "", "2026-11-22T21:42:07.123456Z"},
    {"/post", false, CMD_POST, "", ""},
    {"/pass open sesame", false, CMD_PASS, "", "open sesame"},
    {"/token", false, CMD_TOKEN, "", ""},
    {"/resume abc", false, CMD_RESUME, "", "abc"},
    {"/users", false, CMD_USERS, "", ""},
    {"/msg ann hi", false, CMD_UNKNOWN, "", "ann hi"},
    {"/help", false, CMD_UNKNOWN, "", ""},
    {"/quit", false, CMD_UNKNOWN, "", ""},
    {"//ann", false, CMD_UNKNOWN, "", ""},
    {"/", false, CMD_UNKNOWN, "", ""},
    {"", true, CMD_EMPTY, "", ""},
    {" ", true, CMD_TEXT, "", " "},
    {"hi /there", true, CMD_TEXT, "", "hi /there"},
    {" /msg ann", true, CMD_TEXT, "", " /msg ann"},
    {"//text", true, CMD_TEXT, "", "/text"},
    {"//", true, CMD_TEXT, "", "/"},
    {"///", true, CMD_TEXT, "", "//"},
    {"/", true, CMD_UNKNOWN, "", ""},
    {"/ msg", true, CMD_UNKNOWN, "", "msg"},
    {"/msg", true, CMD_MSG, "", ""},
    {"/msg ", true, CMD_MSG, "", ""},
    {"/msg ann", true, CMD_MSG, "ann", ""},
    {"/msg ann ", true, CMD_MSG, "ann", ""},
    {"/msg ann hi there", true, CMD_MSG, "ann", "hi there"},
    {"/msg   ann   hi ", true, CMD_MSG, "ann", "  hi "},
    {"/MSG ann hi", true, CMD_UNKNOWN, "", "ann hi"},
    {"/msgs ann hi", true, CMD_UNKNOWN, "", "ann hi"},
    {"/msg\tann hi", true, CMD_UNKNOWN, "", "hi"},
    {"/me waves", true, CMD_ME, "", "waves"},
    {"/me  waves", true, CMD_ME, "", " waves"},
    {"/me", true, CMD_ME, "", ""},
    {"/nick ben", true, CMD_NICK, "", "ben"},
    {"/users", true, CMD_USERS, "", ""},
    {"/help me", true, CMD_HELP, "", "me"},
    {"/quit", true, CMD_QUIT, "", ""},
    {"/quit good night", true, CMD_QUIT, "", "good night"},
    {"/history 3", true, CMD_UNKNOWN, "", "3"},
    {"/post", true, CMD_UNKNOWN, "", ""},
    {"/resume abc", true, CMD_UNKNOWN, "", "abc"},
};

START_TEST(request_table)
{
    struct span line = {request_rows[_i].line, strlen(request_rows[_i].line)};
    char *copy = bytes_copy(line);
    struct request request = request_parse(copy, line.len, request_rows[_i].named);

    ck_assert_int_eq(request.command, request_rows[_i].command);
    assert_bytes(request.name.at, request.name.len,
        (struct span){request_rows[_i].name, strlen(request_rows[_i].name)});
    assert_bytes(request.text.at, request.text.len,
        (struct span){request_rows[_i].text, strlen(request_rows[_i].text)});
    free(copy);
}
END_TEST

static const struct {
    const char *line;
    bool http;
} http_rows[] = {
    {"GET / HTTP/1.1", true},
    {"GET / HTTP/1.0", true},
    {"POST /room?x=1 HTTP/1.1", true},
    {"OPTIONS * HTTP/1.1", true},
    {"CONNECT host:65432 HTTP/1.1", true},
    {"PRI * HTTP/2.0", true},
    {"GET http://127.0.0.1:65432/ HTTP/1.1", true},
    {"ABCDEFGHIJKLMNOPQRST / HTTP/1.1", true},
    {"ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1", true},
    {"get / HTTP/1.1", true},
    {"G3T / HTTP/1.1", true},
    {"M-SEARCH * HTTP/1.1", true},
    {"!#$%&'*+-.^_`|~ / HTTP/1.1", true},
    {"GET / HTTP/2", true},
    {"", false},
    {"GET", false},
    {"GET ", false},
    {"GET /", false},
    {"GET / HTTP", false},
    {"GET / HTTP/1.1 ", false},
    {"GET / HTTP/x.1", false},
    {"GET / HTTP/1.x", false},
    {"GET / HTTP/1-1", false},
    {"GET HTTP/1.1", false},
    {"GET  HTTP/1.1", false},
    {" GET / HTTP/1.1", false},
    {"G(T / HTTP/1.1", false},
    {"GET / HTTP/1.", false},
    {"GET / HTTP/11", false},
    {"GET HTTP/2", false},
    {"a b", false},
    {"GET\tHTTP/1.1 HTTP/1.1", false},
    {"Host: 127.0.0.1:65432", false},
    {"ANN", false},
};

START_TEST(http_table)
{
    struct span line = {http_rows[_i].line, strlen(http_rows[_i].line)};
    char *copy = bytes_copy(line);

    ck_assert_int_eq(line_is_http(copy, line.len), http_rows[_i].http);
    free(copy);
}
END_TEST

START_TEST(http_too_long)
{
    static char line[LINE_IN_MAX];

    memset(line, 'x', sizeof line);
    bytes_put(line, "GET /", 5);
    ck_assert(line_is_http(line, sizeof line));
    ck_assert(!line_is_http(line, sizeof line - 1));
    bytes_put(line, "GET x", 5);
    ck_assert(!line_is_http(line, sizeof line));
    memset(line, 'X', sizeof line);
    ck_assert(!line_is_http(line, sizeof line));
}
END_TEST

static const struct {
    const char *text;
    unsigned long max;
    bool right;
    unsigned long value;
} number_rows[] = {
    {"0", 0, true, 0},
    {"1", 0, false, 0},
    {"9", 5, false, 0},
    {"5", 5, true, 5},
    {"65535", 65535, true, 65535},
    {"65536", 65535, false, 0},
    {"655350", 65535, false, 0},
    {"0000000000000000000000000007", 9, true, 7},
    {"4294967295", UINT32_MAX, true, UINT32_MAX},
    {"4294967296", UINT32_MAX, false, 0},
    {"99999999999999999999999999", (unsigned long)-1, false, 0},
    {"", 9, false, 0},
    {"-1", 9, false, 0},
    {"+1", 9, false, 0},
    {" 1", 9, false, 0},
    {"1 ", 9, false, 0},
    {"0x1", 99, false, 0},
};

START_TEST(number_table)
{
    const char *text = number_rows[_i].text;
    unsigned long value = 12345;

    ck_assert_int_eq(
        number_parse(text, strlen(text), number_rows[_i].max, &value), number_rows[_i].right);
    ck_assert_uint_eq(value, number_rows[_i].right ? number_rows[_i].value : 12345);
}
END_TEST

START_TEST(number_limit)
{
    char text[32];
    unsigned long value;
    int len = snprintf(text, sizeof text, "%lu", (unsigned long)-1);

    ck_assert(number_parse(text, (size_t)len, (unsigned long)-1, &value));
    ck_assert_uint_eq(value, (unsigned long)-1);
    ck_assert(!number_parse(text, (size_t)len, (unsigned long)-2, &value));
    text[len - 1]++;
    ck_assert(!number_parse(text, (size_t)len, (unsigned long)-1, &value));
}
END_TEST

/* ---- What the server sends ---------------------------------------------------------------- */

#define STAMP "2026-11-22T21:42:07.123456Z "
#define NAME_64 SIXTY "abcd"

static const struct {
    const char *line;
    enum verb verb;
    const char *name;
    const char *word;
    const char *text;
    unsigned long count;
    unsigned long mine;
} event_rows[] = {
    {"here ann", VERB_HERE, "", "", "ann", 0, 0},
    {"here ann ben " NAME_64, VERB_HERE, "", "", "ann ben " NAME_64, 0, 0},
    {"users 0", VERB_USERS, "", "", "", 0, 0},
    {"users 10000", VERB_USERS, "", "", "", 10000, 0},
    {"you ann", VERB_YOU, "ann", "", "", 0, 0},
    {"you [::1]:5555", VERB_YOU, "[::1]:5555", "", "", 0, 0},
    {"join " NAME_64, VERB_JOIN, NAME_64, "", "", 0, 0},
    {"quit ann lost", VERB_QUIT, "ann", "lost", "", 0, 0},
    {"quit ann left ", VERB_QUIT, "ann", "left", "", 0, 0},
    {"quit ann left good night", VERB_QUIT, "ann", "left", "good night", 0, 0},
    {"nick ann " NI_HAO, VERB_NICK, "ann", NI_HAO, "", 0, 0},
    {"msg ann hi there", VERB_MSG, "ann", "", "hi there", 0, 0},
    {"msg ann  hi ", VERB_MSG, "ann", "", " hi ", 0, 0},
    {"msg ann ", VERB_MSG, "ann", "", "", 0, 0},
    {"msg msg msg", VERB_MSG, "msg", "", "msg", 0, 0},
    {"me ann waves", VERB_ME, "ann", "", "waves", 0, 0},
    {"post ci done", VERB_POST, "ci", "", "done", 0, 0},
    {"token 0123abcd", VERB_TOKEN, "", "0123abcd", "", 0, 0},
    {"resumed 17", VERB_RESUMED, "", "", "", 17, 0},
    {"resumed ?", VERB_RESUMED, "", "", "", 0, 0},
    {"priv ann ben psst psst", VERB_PRIV, "ann", "ben", "psst psst", 0, 0},
    {"note welcome", VERB_NOTE, "", "", "welcome", 0, 0},
    {"gap 12 3", VERB_GAP, "", "", "", 12, 3},
    {"gap ? 0", VERB_GAP, "", "", "", 0, 0},
    {"error too-long a line holds 4096 bytes", VERB_ERROR, "", "too-long",
        "a line holds 4096 bytes", 0, 0},
};

static void assert_span(struct span got, const char *want)
{
    assert_bytes(got.at, got.len, (struct span){want, strlen(want)});
}

START_TEST(event_table)
{
    char line[300];
    size_t len = (size_t)snprintf(line, sizeof line, STAMP "%s", event_rows[_i].line);
    char *copy = bytes_copy((struct span){line, len});
    struct event event;

    ck_assert(event_parse(&event, copy, len));
    ck_assert_uint_eq(event.stamp, 1795383727123456);
    ck_assert_int_eq(event.verb, event_rows[_i].verb);
    assert_span(event.name, event_rows[_i].name);
    assert_span(event.word, event_rows[_i].word);
    assert_span(event.text, event_rows[_i].text);
    ck_assert_int_eq(event.counted, strchr(event_rows[_i].line, '?') == NULL);
    ck_assert_uint_eq(event.count, event_rows[_i].count);
    ck_assert_uint_eq(event.mine, event_rows[_i].mine);
    free(copy);
}
END_TEST

static const char *const events_wrong[] = {
    "",
    " ",
    "hello",
    "msg ann hi",
    "2026-11-22T21:42:07.123456Z",
    STAMP,
    STAMP " msg ann hi",
    "2026-11-22T21:42:07.123456Z\tmsg ann hi",
    "2026-13-22T21:42:07.123456Z msg ann hi",
    STAMP "shout ann hi",
    STAMP "MSG ann hi",
    STAMP "msg",
    STAMP "msg ",
    STAMP "msg ann",
    STAMP "msg  hi",
    STAMP "msg " NAME_64 "e hi",
    STAMP "here",
    STAMP "here ",
    STAMP "here ann ",
    STAMP "here  ann",
    STAMP "here ann  ben",
    STAMP "here ann " NAME_64 "e",
    STAMP "users",
    STAMP "users ",
    STAMP "users x",
    STAMP "users -1",
    STAMP "users ?",
    STAMP "users 1 ",
    STAMP "users 1 2",
    STAMP "users 4294967296",
    STAMP "you",
    STAMP "you ",
    STAMP "you ann ben",
    STAMP "join ann ",
    STAMP "quit ann",
    STAMP "quit ann ",
    STAMP "quit ann  left",
    STAMP "nick ann",
    STAMP "nick ann ",
    STAMP "nick ann ben cid",
    STAMP "token",
    STAMP "token a b",
    STAMP "resumed",
    STAMP "resumed ??",
    STAMP "resumed 1?",
    STAMP "priv ann",
    STAMP "priv ann ben",
    STAMP "note",
    STAMP "gap 1",
    STAMP "gap 1 ?",
    STAMP "gap ?",
    STAMP "gap ?1 1",
    STAMP "error too-long",
    STAMP "error  too long",
};

START_TEST(event_wrong)
{
    struct span line = {events_wrong[_i], strlen(events_wrong[_i])};
    char *copy = bytes_copy(line);
    struct event event;

    ck_assert(!event_parse(&event, copy, line.len));
    free(copy);
}
END_TEST

START_TEST(verb_groups)
{
    static const struct {
        enum verb verb;
        bool room;
        bool message;
    } rows[] = {{VERB_HERE, false, false}, {VERB_USERS, false, false}, {VERB_YOU, false, false},
        {VERB_JOIN, true, false}, {VERB_QUIT, true, false}, {VERB_NICK, true, false},
        {VERB_MSG, true, true}, {VERB_ME, true, true}, {VERB_POST, true, true},
        {VERB_TOKEN, false, false}, {VERB_RESUMED, false, false}, {VERB_PRIV, false, true},
        {VERB_NOTE, false, false}, {VERB_GAP, false, false}, {VERB_ERROR, false, false}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert_int_eq(verb_is_room(rows[i].verb), rows[i].room);
        ck_assert_int_eq(verb_is_message(rows[i].verb), rows[i].message);
    }
}
END_TEST

/* ---- Addresses ---------------------------------------------------------------------------- */

#define LABELS_250 SIXTY SIXTY SIXTY SIXTY TEN

static const struct {
    const char *text;
    const char *error;
    enum address_kind kind;
    const char *host; /* or the path */
    const char *port;
} address_rows[] = {
    {"localhost", NULL, ADDRESS_INET, "localhost", "65432"},
    {"localhost:99", NULL, ADDRESS_INET, "localhost", "99"},
    {"127.0.0.1:0", NULL, ADDRESS_INET, "127.0.0.1", "0"},
    {":5555", NULL, ADDRESS_INET, "127.0.0.1", "5555"},
    {":65535", NULL, ADDRESS_INET, "127.0.0.1", "65535"},
    {":000080", NULL, ADDRESS_INET, "127.0.0.1", "80"},
    {"*", NULL, ADDRESS_ANY, "", "65432"},
    {"*:0", NULL, ADDRESS_ANY, "", "0"},
    {"[::1]", NULL, ADDRESS_INET, "::1", "65432"},
    {"[::1]:7", NULL, ADDRESS_INET, "::1", "7"},
    {"::1", NULL, ADDRESS_INET, "::1", "65432"},
    {"::", NULL, ADDRESS_INET, "::", "65432"},
    {"fe80::1%eth0", NULL, ADDRESS_INET, "fe80::1%eth0", "65432"},
    {"[fe80::1%eth0]:7", NULL, ADDRESS_INET, "fe80::1%eth0", "7"},
    {"/run/chat", NULL, ADDRESS_PATH, "/run/chat", ""},
    {"./chat:7", NULL, ADDRESS_PATH, "./chat:7", ""},
    {"[/", NULL, ADDRESS_PATH, "[/", ""},
    {LABELS_250 "abcde:7", NULL, ADDRESS_INET, LABELS_250 "abcde", "7"},
    {LABELS_250 "abcdef:7", "host name too long", ADDRESS_INET, "", ""},
    {"[" LABELS_250 "abcdef]", "host name too long", ADDRESS_INET, "", ""},
    {"", "empty address", ADDRESS_INET, "", ""},
    {"[]", "empty address", ADDRESS_INET, "", ""},
    {"[]:7", "empty address", ADDRESS_INET, "", ""},
    {"[::1", "missing ]", ADDRESS_INET, "", ""},
    {"[::1]7", "no port after ]", ADDRESS_INET, "", ""},
    {":", "missing port", ADDRESS_INET, "", ""},
    {"host:", "missing port", ADDRESS_INET, "", ""},
    {"[::1]:", "missing port", ADDRESS_INET, "", ""},
    {"*:", "missing port", ADDRESS_INET, "", ""},
    {"host:http", "port is not a number", ADDRESS_INET, "", ""},
    {"host:-1", "port is not a number", ADDRESS_INET, "", ""},
    {"host: 1", "port is not a number", ADDRESS_INET, "", ""},
    {"host:65536", "port out of range", ADDRESS_INET, "", ""},
    {"host:99999999999999999999", "port out of range", ADDRESS_INET, "", ""},
};

START_TEST(address_table)
{
    struct address address;
    const char *error = address_parse(&address, address_rows[_i].text);

    ck_assert_pstr_eq(error, address_rows[_i].error);
    if (error != NULL)
        return;
    bool path = address_rows[_i].kind == ADDRESS_PATH;
    ck_assert_int_eq(address.kind, address_rows[_i].kind);
    ck_assert_str_eq(address.host, path ? "" : address_rows[_i].host);
    ck_assert_str_eq(address.port, address_rows[_i].port);
    ck_assert_ptr_eq(address.path, path ? address_rows[_i].text : NULL);
}
END_TEST

START_TEST(address_format_inet)
{
    char out[PEER_TEXT_MAX];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(5555)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    address_format(out, (struct sockaddr *)&in);
    ck_assert_str_eq(out, "192.0.2.7:5555");
    address_format(out, (struct sockaddr *)&un);
    ck_assert_str_eq(out, "local");
}
END_TEST

static const struct {
    const char *address;
    const char *text;
} inet6_rows[] = {
    {"::1", "[::1]:65535"},
    {"2001:db8::1", "[2001:db8::1]:65535"},
    {"::ffff:192.0.2.7", "192.0.2.7:65535"},
    {"::192.0.2.7", "[::192.0.2.7]:65535"},
    {"1111:2222:3333:4444:5555:6666:7777:8888", "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
};

START_TEST(address_format_inet6)
{
    char out[PEER_TEXT_MAX];
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};

    ck_assert_int_eq(inet_pton(AF_INET6, inet6_rows[_i].address, &in6.sin6_addr), 1);
    address_format(out, (struct sockaddr *)&in6);
    ck_assert_str_eq(out, inet6_rows[_i].text);
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
        {telnet_whatever_the_cuts, COUNT_OF(telnet_rows), 60},
        {telnet_random_streams, 1, 60},
        {utf8_every_code_point, 1, 60},
        {utf8_malformed, COUNT_OF(utf8_rows), 60},
        {forbidden_is_what_the_rule_says, 1, 60},
        {combining_and_space, 1, 60},
        {text_table, COUNT_OF(text_rows), 60},
        {text_every_byte_everywhere, 1, 60},
        {text_every_code_point, 1, 60},
        {text_grows_threefold_at_most, 1, 60},
        {text_random, 1, 60},
        {cut_table, COUNT_OF(cut_rows), 60},
        {cut_random, 1, 60},
        {name_table, COUNT_OF(name_rows), 60},
        {name_long, 1, 60},
        {name_suffixes, COUNT_OF(suffix_rows), 60},
        {name_random, 1, 60},
        {name_folding, 1, 60},
        {stamp_table, COUNT_OF(stamp_rows), 60},
        {stamp_wrong, COUNT_OF(stamps_wrong), 60},
        {stamp_every_byte, 1, 60},
        {stamp_every_day, 1, 60},
        {request_table, COUNT_OF(request_rows), 60},
        {http_table, COUNT_OF(http_rows), 60},
        {http_too_long, 1, 60},
        {number_table, COUNT_OF(number_rows), 60},
        {number_limit, 1, 60},
        {event_table, COUNT_OF(event_rows), 60},
        {event_wrong, COUNT_OF(events_wrong), 60},
        {verb_groups, 1, 60},
        {address_table, COUNT_OF(address_rows), 60},
        {address_format_inet, 1, 60},
        {address_format_inet6, COUNT_OF(inet6_rows), 60},
    };

    return tests_run("protocol", tests, COUNT_OF(tests));
}
