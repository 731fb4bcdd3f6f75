/*
 * unicode.c: looks characters up in the table that unicode.sh generates.
 */
#include "unicode.h"

#include <stddef.h>

struct class_range {
    uint32_t first;
    uint32_t last;
    enum char_class class;
};

struct char_range {
    uint32_t first;
    uint32_t last;
};

#include "unicode_table.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Most characters of most texts, none of them in a row of the table: saves the search. */
static bool char_is_ordinary(uint32_t cp)
{
    return (cp >= 0x20 && cp <= 0x7E) || (cp >= 0xC0 && cp <= 0x2FF) ||
           (cp >= 0x370 && cp <= 0x482) || (cp >= 0x3400 && cp <= 0xA66E) ||
           (cp >= 0xAC00 && cp <= 0xD7FF) || (cp >= 0x1F000 && cp <= 0x1FAFF);
}

enum char_class char_class(uint32_t cp)
{
    const struct class_range *range = class_ranges;
    size_t n = COUNT_OF(class_ranges);

    if (char_is_ordinary(cp))
        return CHAR_PLAIN;
    while (n > 0) {
        const struct class_range *middle = range + n / 2;
        if (cp > middle->last) {
            range = middle + 1;
            n -= n / 2 + 1;
        } else if (cp < middle->first) {
            n /= 2;
        } else {
            return middle->class;
        }
    }
    return cp > 0x10FFFF ? CHAR_REPLACED : CHAR_PLAIN;
}

bool char_is_forbidden(uint32_t cp)
{
    enum char_class class = char_class(cp);

    return class == CHAR_DROPPED || class == CHAR_REPLACED;
}

bool char_is_combining(uint32_t cp)
{
    enum char_class class = char_class(cp);

    return class == CHAR_MARK || class == CHAR_SELECTOR;
}

bool char_is_space(uint32_t cp)
{
    for (size_t i = 0; i < COUNT_OF(space_ranges) && cp >= space_ranges[i].first; i++) {
        if (cp <= space_ranges[i].last)
            return true;
    }
    return false;
}
