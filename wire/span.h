/*
 * span.h: a range of bytes, and the words in it.
 */
#ifndef WIRE_SPAN_H
#define WIRE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes in memory that belongs to somebody else: valid as long as it is, not NUL-terminated. */
struct span {
    const char *at;
    size_t len;
};

/* True if the bytes are those of text. */
bool span_equal(struct span, const char *text);
/* The same without regard to the case of ASCII letters. text must be in lower case. */
bool span_equal_caseless(struct span, const char *text);
/* Removes the bytes before the first space, or all, from the front of rest and returns them. */
struct span span_take_word(struct span *rest);
/* Removes one space from the front. False if there is none. */
bool span_skip_space(struct span *rest);

#endif
