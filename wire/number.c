/*
 * number.c: reads and writes decimal digits.
 */
#include "number.h"

#include <string.h>

size_t number_write(char *out, unsigned long value)
{
    char digits[24];
    size_t n = 0;

    do {
        digits[sizeof digits - ++n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + sizeof digits - n, n);
    return n;
}

bool number_parse(const char *s, size_t len, unsigned long max, unsigned long *value)
{
    unsigned long sum = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        unsigned long digit = (unsigned long)(s[i] - '0');
        if (digit > max || sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

/* The digits behind the point, as millionths. False: not all of them are digits. */
static bool parse_decimals(const char *s, size_t len, uint64_t *millionths)
{
    uint64_t unit = 100000;

    *millionths = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *millionths += unit * (uint64_t)(s[i] - '0');
        unit /= 10;
    }
    return true;
}

bool number_parse_fraction(const char *s, size_t len, unsigned long max, uint64_t *millionths)
{
    const char *point = memchr(s, '.', len);
    size_t before = point != NULL ? (size_t)(point - s) : len;
    size_t after = point != NULL ? len - before - 1 : 0;
    unsigned long units = 0;
    uint64_t decimals;

    if ((before > 0 || after == 0) && !number_parse(s, before, max, &units))
        return false;
    if (!parse_decimals(s + len - after, after, &decimals) || (units == max && decimals > 0))
        return false;
    *millionths = units * UINT64_C(1000000) + decimals;
    return true;
}
