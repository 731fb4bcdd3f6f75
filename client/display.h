/*
 * display.h: draws the prompt and the edited line, in as many rows as they need.
 *
 * Rows end with CR LF; the terminal never wraps them. After writing its last column, a terminal
 * keeps the cursor there until the next character, and terminals differ in what cancels that. The
 * end of the line counts as one more column, so the cursor is never placed after a full row, and
 * nothing is erased in that state.
 */
#ifndef CLIENT_DISPLAY_H
#define CLIENT_DISPLAY_H

#include "../wire/span.h"
#include "edit_buffer.h"
#include "screen.h"

#include <stdbool.h>
#include <stddef.h>

struct display {
    struct span prompt;
    struct edit_buffer *edit; /* the owner's; appended and changed are reset here */
    unsigned rows;            /* of the terminal */
    unsigned columns;
    bool shown;
    bool spilled; /* rows of the line have gone off a screen that was made smaller */
    size_t top;   /* the first row that is on the screen, if the text has more rows than that */
    /* The state of the screen, if shown. Positions include the bytes of the prompt. */
    size_t drawn_rows;
    size_t drawn_row; /* of the cursor, counted from top */
    size_t drawn_column;
    size_t drawn_cursor;
};

/* The prompt and the buffer stay valid. A size of 0 is unknown: 24 rows, 80 columns. */
void display_init(
    struct display *, struct span prompt, struct edit_buffer *, unsigned rows, unsigned columns);

/* See editor_hide(), editor_show(). */
void display_hide(struct display *, struct outbuf *out);
void display_show(struct display *, struct outbuf *out);
/* Sets another prompt, which stays valid. */
void display_prompt(struct display *, struct span prompt);
/* Tells that the line is no longer on the screen, or at an unknown place. */
void display_forget(struct display *);
/* Updates the screen, if the line is shown. */
void display_refresh(struct display *, struct outbuf *out);
/*
 * Sets the size of the terminal; the next refresh draws all. True: rows that had gone off a smaller
 * screen may have come back, and what is above the line has to be drawn, too.
 */
bool display_resize(struct display *, unsigned rows, unsigned columns);

#endif
