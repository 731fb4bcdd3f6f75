/*
 * test_wire_stamp.c: stamps are written and read, and wrong ones are not read.
 */
#include "bytes.h"
#include "wire/stamp.h"

#include <string.h>

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

/* A memo of any other time changes nothing: for each row, those of all rows before and after. */
START_TEST(stamp_next)
{
    char stamp[STAMP_LEN], expected[STAMP_LEN];

    for (size_t i = 0; i < COUNT_OF(stamp_rows); i++) {
        for (uint64_t later = 0; later < 3000000; later += 499999) {
            struct stamp_memo memo = {0};
            uint64_t us = stamp_rows[_i].us;

            stamp_format_next(&memo, stamp, stamp_rows[i].us);
            stamp_format_next(&memo, stamp, us);
            us += us < 253402300000000000 ? later : 0;
            stamp_format_next(&memo, stamp, us);
            stamp_format(expected, us);
            must(memcmp(stamp, expected, STAMP_LEN) == 0);
        }
    }
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {stamp_table, COUNT_OF(stamp_rows), 60},
        {stamp_wrong, COUNT_OF(stamps_wrong), 60},
        {stamp_every_byte, 1, 60},
        {stamp_every_day, 1, 60},
        {stamp_next, COUNT_OF(stamp_rows), 60},
    };

    return tests_run("wire_stamp", tests, COUNT_OF(tests));
}
