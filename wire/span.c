/* span.c: see span.h. */
#include "span.h"

#include <string.h>

bool span_equal(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
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
