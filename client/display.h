/*
 * display.h: the prompt and the edited line on the screen, in as many rows as they take.
 *
 * Rows are ended here, by CR LF, and never by the terminal: a terminal that has written its last
 * column waits there with the cursor before it wraps, and terminals differ in what ends that wait.
 * The end of the line counts as one more column, so the cursor never has to stand behind a full
 * row, and nothing is erased while the terminal waits.
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
    size_t top; /* the first row of the text that is on the screen, where not all of them are */
    /* What the screen shows, where shown is set. Positions count the prompt's bytes, too. */
    size_t drawn_rows;
    size_t drawn_row; /* of the cursor, counted from top */
    size_t drawn_column;
    size_t drawn_cursor;
};

/* A size of 0 is unknown: 24 rows, 80 columns. */
void display_init(
    struct display *, struct span prompt, struct edit_buffer *, unsigned rows, unsigned columns);

/*
 * hide takes the line off the screen and leaves the cursor at the left edge where the line was;
 * show draws it again there, cursor and all. Nothing happens where it is so already.
 */
void display_hide(struct display *, struct outbuf *out);
void display_show(struct display *, struct outbuf *out);
/* Another prompt, which stays valid. */
void display_prompt(struct display *, struct span prompt);
/* The line is not on the screen any more, or it is not known where. */
void display_forget(struct display *);
/* Brings the screen up to date, where the line is shown. */
void display_refresh(struct display *, struct outbuf *out);
/* The terminal has this size now; drawn anew by the next refresh. */
void display_resize(struct display *, unsigned rows, unsigned columns);

#endif
