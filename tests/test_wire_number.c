/*
 * test_wire_number.c: decimal numbers and their limits.
 */
#include "bytes.h"
#include "wire/number.h"

#include <stdio.h>
#include <string.h>

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

static const struct {
    const char *text;
    unsigned long max;
    bool right;
    uint64_t millionths;
} fraction_rows[] = {
    {"0", 0, true, 0},
    {"2", 9, true, 2000000},
    {"0.2", 9, true, 200000},
    {".2", 9, true, 200000},
    {"2.", 9, true, 2000000},
    {".000001", 9, true, 1},
    {"1.0000019", 9, true, 1000001},
    {".00000000000000000000000000009", 9, true, 0},
    {"9", 9, true, 9000000},
    {"9.0", 9, true, 9000000},
    {"9.000001", 9, false, 0},
    {"8.999999", 9, true, 8999999},
    {"10", 9, false, 0},
    {"100000000.5", 1000000000, true, UINT64_C(100000000500000)},
    {"99999999999999999999999999", 9, false, 0},
    {"", 9, false, 0},
    {".", 9, false, 0},
    {"..", 9, false, 0},
    {"1.2.3", 9, false, 0},
    {"-1", 9, false, 0},
    {"-.1", 9, false, 0},
    {"1.-1", 9, false, 0},
    {"1,5", 9, false, 0},
    {" 1", 9, false, 0},
    {"1 ", 9, false, 0},
    {"1e1", 99, false, 0},
    {"0x1", 99, false, 0},
    {"inf", 99, false, 0},
    {"nan", 99, false, 0},
};

START_TEST(fraction_table)
{
    const char *text = fraction_rows[_i].text;
    uint64_t value = 12345;

    ck_assert_int_eq(number_parse_fraction(text, strlen(text), fraction_rows[_i].max, &value),
        fraction_rows[_i].right);
    ck_assert_uint_eq(value, fraction_rows[_i].right ? fraction_rows[_i].millionths : 12345);
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

int main(void)
{
    const struct test tests[] = {
        {number_table, COUNT_OF(number_rows), 60},
        {fraction_table, COUNT_OF(fraction_rows), 60},
        {number_limit, 1, 60},
    };

    return tests_run("wire_number", tests, COUNT_OF(tests));
}
