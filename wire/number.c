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
