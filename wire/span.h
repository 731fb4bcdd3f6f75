/*
 * span.h: a piece of somebody else's bytes, and how an argument is taken off its front.
 */
#ifndef WIRE_SPAN_H
#define WIRE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of somebody else's bytes: not NUL-terminated, valid as long as they are. */
struct span {
    const char *at;
    size_t len;
};

/* The bytes of text and no more. */
bool span_equal(struct span, const char *text);
/* The same whatever the case of ASCII letters; those of text are lower case. */
bool span_equal_caseless(struct span, const char *text);
/* Takes all up to the next space or the end off the front; the space stays. */
struct span span_take_word(struct span *rest);
/* Takes one space off the front; false where there is none. */
bool span_skip_space(struct span *rest);

#endif
