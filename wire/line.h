/*
 * line.h: a stream of bytes becomes lines. Any cut of the stream gives the same lines.
 */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

/*
 * Splits a byte stream into lines. A line ends with LF, and one CR before the LF is dropped, or
 * with CR NUL, which is what Return sends in telnet (RFC 854). Partial lines are held in memory
 * that the caller lends (max + 1 bytes, as long as the splitter lives); len <= max + 1.
 */
struct line_splitter {
    char *held;
    size_t max;
    size_t len;
    bool skipping; /* the rest of a line that was too long; then len is 0 */
    bool after_cr; /* the last byte so far of the line under way was a CR */
};

enum line_result {
    LINE_NONE,    /* the input is used up */
    LINE_READY,   /* *line is a whole line, without its end */
    LINE_TOO_LONG /* *line is the first max bytes; the rest is skipped. Told once. */
};

void line_splitter_init(struct line_splitter *, char *held, size_t max);

/*
 * Takes the next line from the bytes [*at, end) and moves *at behind what it used. *line points
 * into the input or into the held memory and is valid until the next call or until the input goes.
 * Call it until LINE_NONE; then all of the input has been taken.
 */
enum line_result line_next(
    struct line_splitter *, const char **at, const char *end, struct span *line);

/*
 * The stream has ended: the last, unterminated line, if there is one that is not being skipped
 * (LINE_READY, or LINE_NONE). One CR at its end is dropped. The splitter is empty afterwards.
 */
enum line_result line_last(struct line_splitter *, struct span *line);

#endif
