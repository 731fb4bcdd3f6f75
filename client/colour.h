/*
 * colour.h: takes complete ANSI colour sequences out of a stream of bytes. Any cut of the stream
 * gives the same.
 *
 * A sequence is ESC [, digits, `;` and `:`, and an `m` (colours and other attributes), or a `K`,
 * which grep(1) and compilers put beside them. Other sequences pass.
 */
#ifndef CLIENT_COLOUR_H
#define CLIENT_COLOUR_H

#include <stddef.h>

/* The longest sequence that is known as one. */
#define COLOUR_MAX 64

/* Zeroed memory is a fresh filter. */
struct colour_filter {
    char held[COLOUR_MAX]; /* the beginning of a sequence, perhaps */
    size_t len;
};

/*
 * Writes what remains of len bytes, and of those that were held before, to out, which has room for
 * len + COLOUR_MAX bytes; returns their number. out may lie COLOUR_MAX bytes or more before in.
 */
size_t colour_filter(struct colour_filter *, char *out, const char *in, size_t len);
/* The stream has ended: writes what is held, at most COLOUR_MAX bytes. */
size_t colour_filter_end(struct colour_filter *, char *out);

#endif
