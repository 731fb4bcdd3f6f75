/*
 * span.c: pieces of bytes, compared and taken apart.
 */
#include "span.h"

#include <string.h>

bool span_equal(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

bool span_equal_caseless(struct span span, const char *text)
{
    if (span.len != strlen(text))
        return false;
    for (size_t i = 0; i < span.len; i++) {
        char c = span.at[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != text[i])
            return false;
    }
    return true;
}

struct span span_take_word(struct span *rest)
{
    const char *space = memchr(rest->at, ' ', rest->len);
    struct span word = {rest->at, space != NULL ? (size_t)(space - rest->at) : rest->len};

    rest->at += word.len;
    rest->len -= word.len;
    return word;
}

bool span_skip_space(struct span *rest)
{
    if (rest->len == 0 || *rest->at != ' ')
        return false;
    rest->at++;
    rest->len--;
    return true;
}
