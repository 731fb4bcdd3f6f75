/*
 * utf8.c: UTF-8 as The Unicode Standard defines it in table 3-7.
 */
#include "utf8.h"

size_t utf8_decode(const char *s, size_t len, uint32_t *cp)
{
    const unsigned char *bytes = (const unsigned char *)s;
    uint32_t sum = bytes[0];
    /* The range of the next byte. After some first bytes it is smaller. */
    unsigned char low = 0x80, high = 0xBF;
    size_t size;

    *cp = UTF8_BAD;
    if (sum < 0x80) {
        *cp = sum;
        return 1;
    } else if (sum >= 0xC2 && sum <= 0xDF) {
        size = 2;
        sum &= 0x1F;
    } else if (sum >= 0xE0 && sum <= 0xEF) {
        size = 3;
        low = sum == 0xE0 ? 0xA0 : low;
        high = sum == 0xED ? 0x9F : high;
        sum &= 0x0F;
    } else if (sum >= 0xF0 && sum <= 0xF4) {
        size = 4;
        low = sum == 0xF0 ? 0x90 : low;
        high = sum == 0xF4 ? 0x8F : high;
        sum &= 0x07;
    } else {
        return 1;
    }
    for (size_t i = 1; i < size; i++) {
        if (i == len || bytes[i] < low || bytes[i] > high)
            return i;
        sum = sum << 6 | (bytes[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *cp = sum;
    return size;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}
