/*
 * stamp.c: the Gregorian calendar in UTC, without leap seconds.
 */
#include "stamp.h"

#include <string.h>

#include "number.h"

#define DAYS_PER_400_YEARS 146097u
/* From 0000-03-01 to 1970-01-01. Years that begin in March have their leap day at the end. */
#define DAYS_BEFORE_1970 719468u
#define US_PER_SECOND 1000000u
#define SECONDS_PER_DAY 86400u

struct date {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
};

/* The first day of a month, counted from March, in days from the year's first of March. */
static unsigned days_before_month(unsigned from_march)
{
    return (153 * from_march + 2) / 5;
}

static struct date date_of_days(unsigned days)
{
    days += DAYS_BEFORE_1970;
    unsigned cycle = days / DAYS_PER_400_YEARS;
    unsigned rest = days % DAYS_PER_400_YEARS;
    /* A leap day every 4 years (1460 days before one), none every 100, one every 400. */
    unsigned year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    unsigned day = rest - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * day + 2) / 153;
    struct date date = {.month = month < 10 ? month + 3 : month - 9};

    date.day = day - days_before_month(month) + 1;
    date.year = 400 * cycle + year + (date.month <= 2);
    return date;
}

static unsigned days_of_date(struct date date)
{
    unsigned year = date.year - (date.month <= 2);
    unsigned month = date.month > 2 ? date.month - 3 : date.month + 9;

    return 365 * year + year / 4 - year / 100 + year / 400 + days_before_month(month) + date.day -
           1 - DAYS_BEFORE_1970;
}

static void pair_write(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

static void micro_write(char out[STAMP_LEN], unsigned micro)
{
    pair_write(out + 20, micro / 10000);
    pair_write(out + 22, micro / 100 % 100);
    pair_write(out + 24, micro % 100);
}

void stamp_format(char out[STAMP_LEN], uint64_t us)
{
    uint64_t seconds = us / US_PER_SECOND;
    unsigned second = (unsigned)(seconds % SECONDS_PER_DAY);
    struct date date = date_of_days((unsigned)(seconds / SECONDS_PER_DAY));

    memcpy(out, "0000-00-00T00:00:00.000000Z", STAMP_LEN);
    pair_write(out, date.year / 100);
    pair_write(out + 2, date.year % 100);
    pair_write(out + 5, date.month);
    pair_write(out + 8, date.day);
    pair_write(out + 11, second / 3600);
    pair_write(out + 14, second / 60 % 60);
    pair_write(out + 17, second % 60);
    micro_write(out, (unsigned)(us % US_PER_SECOND));
}

void stamp_format_next(struct stamp_memo *memo, char out[STAMP_LEN], uint64_t us)
{
    uint64_t second = us / US_PER_SECOND;

    if (second != memo->second || memo->text[0] == '\0') {
        stamp_format(memo->text, us);
        memo->second = second;
    }
    memcpy(out, memo->text, STAMP_LEN);
    micro_write(out, (unsigned)(us % US_PER_SECOND));
}

/* A field of a timestamp: only digits, at most max. */
static bool digits_parse(const char *s, size_t len, unsigned long max, unsigned *value)
{
    unsigned long number;

    if (!number_parse(s, len, max, &number))
        return false;
    *value = (unsigned)number;
    return true;
}

bool stamp_parse(const char *s, size_t len, uint64_t *us)
{
    struct date date;
    unsigned hour, minute, second, micro;

    if (len < STAMP_LEN || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' ||
        s[16] != ':' || s[19] != '.' || s[26] != 'Z')
        return false;
    if (!digits_parse(s, 4, 9999, &date.year) || !digits_parse(s + 5, 2, 12, &date.month) ||
        !digits_parse(s + 8, 2, 31, &date.day) || !digits_parse(s + 11, 2, 23, &hour) ||
        !digits_parse(s + 14, 2, 59, &minute) || !digits_parse(s + 17, 2, 59, &second) ||
        !digits_parse(s + 20, 6, 999999, &micro))
        return false;
    if (date.year < 1970 || date.month == 0 || date.day == 0)
        return false;
    /* A day that the month does not have is converted to another one. */
    unsigned days = days_of_date(date);
    if (date_of_days(days).day != date.day)
        return false;
    *us = ((uint64_t)days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second) * US_PER_SECOND +
          micro;
    return true;
}
