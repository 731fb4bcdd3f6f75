/*
 * test_wire_name.c: what becomes of a name that somebody asks for.
 */
#include "bytes.h"
#include "wire/name.h"
#include "wire/text.h"

#include <stdlib.h>
#include <string.h>

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
    {S(ZWSP "/ann"), S("ann")},
    {S(BOM " /" WJ "/ ann" SHY " " ZWSP), S("ann")},
    {S("an" SHY "n" ZWSP), S("ann")},
    {S("a" ZWSP " " ZWSP "b"), S("a_b")},
    {S("e" ZWSP ACUTE), S("e" ACUTE)},
    {S(ZWSP ACUTE), S("_")},
    {S(BOM), S("")},
    {S(SIXTY "abc" ZWSP ZWSP "d" ZWSP), S(SIXTY "abcd")},
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
        struct span raw = random_text(&state, bytes, sizeof bytes);
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

static const struct {
    const char *name;
    const char *base; /* NULL: it has no suffix */
} base_rows[] = {
    {"ann_2", "ann"},
    {"Ann_10", "Ann"},
    {"ann_2_3", "ann_2"},
    {"ann__2", "ann_"},
    {"ann_99999999999999999999999999", "ann"},
    {"ann", NULL},
    {"ann_", NULL},
    {"ann_1", NULL},
    {"ann_02", NULL},
    {"ann_2x", NULL},
    {"_2", NULL},
    {"2", NULL},
};

START_TEST(name_bases)
{
    char out[NAME_LEN_MAX + 1] = "";
    bool has = name_base(out, base_rows[_i].name);

    ck_assert_int_eq(has, base_rows[_i].base != NULL);
    ck_assert_str_eq(out, has ? base_rows[_i].base : "");
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {name_table, COUNT_OF(name_rows), 60},
        {name_long, 1, 60},
        {name_suffixes, COUNT_OF(suffix_rows), 60},
        {name_bases, COUNT_OF(base_rows), 60},
        {name_random, 1, 60},
        {name_folding, 1, 60},
    };

    return tests_run("wire_name", tests, COUNT_OF(tests));
}
