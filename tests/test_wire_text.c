/*
 * test_wire_text.c: characters, and text that is safe to print, against the rule in words.
 */
#include "bytes.h"
#include "wire/text.h"
#include "wire/unicode.h"
#include "wire/utf8.h"

#include <stdlib.h>
#include <string.h>

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

/* The rule in the words of the page: properties whole, and what passes all the same. */
START_TEST(classes_are_what_the_rule_says)
{
    static const struct range ignorable[] = {/* Default_Ignorable_Code_Point */
        {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5},
        {0x180B, 0x180F}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
        {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3},
        {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
    static const struct range passing[] = {
        {0x200C, 0x200D}, {0xFE00, 0xFE0F}, {0xE0100, 0xE01EF}, {0x180B, 0x180D}, {0x180F, 0x180F}};
    static const struct range dropped[] = {{0x00AD, 0x00AD}, {0x061C, 0x061C}, {0x200B, 0x200B},
        {0x200E, 0x200F}, {0x2060, 0x2064}, {0xFEFF, 0xFEFF}, {0xE0001, 0xE0001},
        {0xE0020, 0xE007F}};
    static const struct range others[] = {{0x0000, 0x0008}, {0x000A, 0x001F},
        {0x007F, 0x009F}, /* controls but TAB */
        {0x2028, 0x2029}, {0xFFF9, 0xFFFB}, {0xD800, 0xDFFF}, {0xFDD0, 0xFDEF}};

    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        bool drops = ranges_have(dropped, COUNT_OF(dropped), cp);
        bool replaces = (ranges_have(ignorable, COUNT_OF(ignorable), cp) &&
                            !ranges_have(passing, COUNT_OF(passing), cp)) ||
                        ranges_have(others, COUNT_OF(others), cp) || (cp & 0xFFFF) >= 0xFFFE;
        enum char_class class = char_class(cp);
        if ((class == CHAR_DROPPED) != drops || (class == CHAR_REPLACED) != (replaces && !drops))
            ck_abort_msg("U+%04X", (unsigned)cp);
        must(char_is_forbidden(cp) == (drops || replaces));
    }
    must(char_class(0x110000) == CHAR_REPLACED);
    must(char_class(UTF8_BAD) == CHAR_REPLACED);
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
    /* Unicode 15.0.0 has 1985 Mn and 13 Me; three of them are forbidden. */
    must(mark_count == 1985 + 13 - 3);
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
    {S("a" ZWSP "b"), S("ab")},
    {S(BOM "/users"), S("/users")},
    {S(BOM), S("")},
    {S("so" SHY "ft" LRM RLM ALM WJ), S("soft")},
    {S("\xe2\x81\xa5\xe2\x81\xa4\xe2\x81\xaa"), S(REPLACED REPLACED)},
    {S(FLAG "\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xbf!"), S(FLAG "!")},
    {S("a" ACUTE_8 ZWSP ACUTE "b"), S("a" ACUTE_8 "b")},
    {S("a" ZWSP ACUTE_8), S("a" ACUTE_8)},
    {S("\xc2" ZWSP "\x80"), S(REPLACED REPLACED)},
    {S("a" LINE_SEPARATOR "b"), S("a" REPLACED "b")},
    {S("\xf3\xa0\x81\x81\xf3\xa0\x80\x80\xf3\xa0\x80\x81"), S(REPLACED)},
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

/* Between two letters, and nine times behind one. */
START_TEST(text_every_code_point)
{
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char raw[40], want[40], bytes[4], clean[120];
        char *r = raw, *w = want;
        enum char_class class = char_class(cp);
        size_t kept = char_is_combining(cp) ? 8 : class == CHAR_DROPPED ? 0 : 9;

        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        size_t n = utf8_encode(cp, bytes);
        r = bytes_put(r, "x", 1);
        w = bytes_put(w, "x", 1);
        for (size_t i = 0; i < 9; i++) {
            r = bytes_put(r, bytes, n);
            if (i < kept)
                w = class == CHAR_REPLACED ? bytes_put(w, REPLACED, 3) : bytes_put(w, bytes, n);
        }
        size_t len = text_clean(clean, raw, (size_t)(r - raw));
        assert_bytes(clean, len, (struct span){want, (size_t)(w - want)});
        must(text_is_clean(raw, 1 + n) == (class != CHAR_DROPPED && class != CHAR_REPLACED));
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

/* What is clean is safe, by any version of Unicode. */
static bool code_point_is_safe(uint32_t cp)
{
    bool control = (cp < 0x20 && cp != '\t') || (cp >= 0x7F && cp <= 0x9F);
    bool bidi = (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);

    return !control && !bidi && cp != 0x2028 && cp != 0x2029;
}

START_TEST(text_safe_every_code_point)
{
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char line[20] = "seven..";
        size_t n = 7;

        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        n += utf8_encode(cp, line + n);
        memcpy(line + n, "eight...", 8);
        n += 8;
        if (text_is_safe(line, n) != code_point_is_safe(cp))
            ck_abort_msg("U+%04X", (unsigned)cp);
        if (text_is_clean(line, n) && !text_is_safe(line, n))
            ck_abort_msg("U+%04X is clean and not safe", (unsigned)cp);
    }
}
END_TEST

START_TEST(text_safe_malformed)
{
    must(text_is_safe("", 0));
    must(!text_is_safe("\x80", 1));
    must(!text_is_safe("a\xc3", 2));
    must(!text_is_safe("\xc0\xaf", 2));
    must(!text_is_safe("\xed\xa0\x80", 3));
    must(!text_is_safe("\xf4\x90\x80\x80", 4));
    must(text_is_safe("tab\t\xc3\xa9", 6));
}
END_TEST

START_TEST(text_random)
{
    uint64_t state = random_seeded();

    for (int round = 0; round < 50000; round++) {
        char bytes[100];
        struct span raw = random_text(&state, bytes, sizeof bytes);
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
        struct span text = text_cleaned(random_text(&state, bytes, sizeof bytes));
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

int main(void)
{
    const struct test tests[] = {
        {utf8_every_code_point, 1, 60},
        {utf8_malformed, COUNT_OF(utf8_rows), 60},
        {classes_are_what_the_rule_says, 1, 60},
        {combining_and_space, 1, 60},
        {text_table, COUNT_OF(text_rows), 60},
        {text_every_byte_everywhere, 1, 60},
        {text_every_code_point, 1, 60},
        {text_grows_threefold_at_most, 1, 60},
        {text_safe_every_code_point, 1, 60},
        {text_safe_malformed, 1, 60},
        {text_random, 1, 60},
        {cut_table, COUNT_OF(cut_rows), 60},
        {cut_random, 1, 60},
    };

    return tests_run("wire_text", tests, COUNT_OF(tests));
}
