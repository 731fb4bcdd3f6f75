/*
 * terminal.h: a small terminal to look at what a program has drawn.
 *
 * It knows what a VT100 knows of moving, erasing and scrolling, the wait in the last column
 * included: who writes there leaves the cursor on it, and only the next character wraps. Erasing
 * during that wait takes the last column, as xterm does it. A sequence that it does not know is a
 * failed check, so it also tells which ones are sent.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#define TERMINAL_COLUMNS_MAX 200
#define TERMINAL_CELL_MAX 48
/* The longest text of a row. */
#define TERMINAL_TEXT_MAX (TERMINAL_COLUMNS_MAX * TERMINAL_CELL_MAX)

struct terminal_cell {
    char text[TERMINAL_CELL_MAX]; /* a character and its marks; empty: nothing was written here */
    bool right_half;              /* of the wide character before */
};

struct terminal {
    unsigned rows;
    unsigned columns;
    bool joins; /* joined emoji are drawn as one picture of two columns */

    struct terminal_cell *cells; /* row by row */
    unsigned row;                /* of the cursor */
    unsigned column;
    bool waits; /* in the last column, to wrap */
    bool paste; /* bracketed paste is on */
    unsigned bells;
    char *history; /* the rows that have gone at the top, each with LF */
    size_t history_len;
};

struct terminal *terminal_new(unsigned rows, unsigned columns);
void terminal_free(struct terminal *);

/* Any whole sequences and characters; LF is a line feed only (the caller says if ONLCR is meant).
 */
void terminal_write(struct terminal *, const char *bytes, size_t len, bool onlcr);

/* The text of a row without what was never written behind it; valid until the next call. */
const char *terminal_row(const struct terminal *, unsigned row);

/* Another size, on a terminal that does not reflow: rows go at the top, columns at the right. */
void terminal_resize(struct terminal *, unsigned rows, unsigned columns);

#endif
