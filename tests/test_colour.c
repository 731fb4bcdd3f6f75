/*
 * Colours in a pipe: which sequences go, which bytes stay, and that any cut gives the same.
 */
#include "../client/colour.h"

#include "harness.h"

#include <string.h>

static const struct {
    const char *in;
    const char *out;
} streams[] = {
    {"plain", "plain"},
    {"\033[31mred\033[m", "red"},
    {"\033[mx\033[Ky\033[01;31m\033[Kz\033[m\033[K", "xyz"},
    {"\033[38;2;1;2;3m\033[38:2::1:2:3mx", "x"},
    {"\033[2J\033[1A\033]0;t\007\033c", "\033[2J\033[1A\033]0;t\007\033c"},
    {"\033\033[1mx", "\033x"},
    {"\033[1\033[1mx", "\033[1x"},
    {"\033[1", "\033[1"},
    {"\033", "\033"},
    {"\033[\n1mx", "\033[\n1mx"},
    {"\033[1111111111222222222233333333334444444444555555555566666666667777777777mx",
        "\033[1111111111222222222233333333334444444444555555555566666666667777777777mx"},
};

START_TEST(any_cut)
{
    const char *in = streams[_i].in;
    size_t len = strlen(in);
    char out[1024];

    for (size_t cut = 1; cut <= len; cut++) {
        struct colour_filter filter = {.len = 0};
        size_t n = 0;
        for (size_t at = 0; at < len; at += cut)
            n += colour_filter(&filter, out + n, in + at, len - at < cut ? len - at : cut);
        n += colour_filter_end(&filter, out + n);
        out[n] = '\0';
        ck_assert_str_eq(out, streams[_i].out);
    }
}
END_TEST

/* In place, as the header allows it. */
START_TEST(in_place)
{
    char bytes[2 * COLOUR_MAX + 256];
    struct colour_filter filter = {.len = 0};
    size_t n;

    memcpy(bytes + COLOUR_MAX, "\033[1111", 6);
    n = colour_filter(&filter, bytes, bytes + COLOUR_MAX, 6);
    ck_assert_uint_eq(n, 0);
    memcpy(bytes + COLOUR_MAX, "1;\033[1mabc", 9);
    n = colour_filter(&filter, bytes, bytes + COLOUR_MAX, 9);
    ck_assert_uint_eq(n, 11);
    ck_assert_int_eq(memcmp(bytes, "\033[11111;abc", 11), 0);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {any_cut, COUNT_OF(streams), 20},
        {in_place, 1, 20},
    };

    return tests_run("colour", tests, COUNT_OF(tests));
}
