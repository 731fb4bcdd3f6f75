/*
 * line.h: splits a byte stream into lines. The result does not depend on how the stream is cut.
 */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

/*
 * A line ends with LF, and one CR before the LF is dropped, or with CR NUL, which is what the
 * Return key sends in telnet (RFC 854). A line holds at most max bytes without its end. A line that
 * is not complete is kept in held, max + 1 bytes of the caller's. len <= max + 1.
 */
struct line_splitter {
    char *held;
    size_t max;
    size_t len;
    bool skipping; /* discard up to the end of a line that is too long; len is 0 */
    bool after_cr; /* the last byte of the incomplete line is a CR */
};

enum line_result {
    LINE_NONE,    /* no more complete lines in the input */
    LINE_READY,   /* *line is a complete line without its end */
    LINE_TOO_LONG /* *line is the first max bytes; the others are discarded */
};

void line_splitter_init(struct line_splitter *, char *held, size_t max);

/*
 * Finds the next line of the input [*at, end) and advances *at past the bytes it has read. *line
 * points into the input or into held, and is valid until the next call. To be called until it
 * returns LINE_NONE: then *at is end. A line that is too long is reported once, as soon as that is
 * known.
 */
enum line_result line_next(
    struct line_splitter *, const char **at, const char *end, struct span *line);

/*
 * At the end of the stream: LINE_READY and the last line, which has no end, or LINE_NONE. One CR at
 * its end is dropped. Empties the splitter.
 */
enum line_result line_last(struct line_splitter *, struct span *line);

#endif
