/*
 * paste.h: pasted text is data. It is collected until the paste ends. A single line is inserted
 * into the line under edit. Several lines are held, together with the text before and after them,
 * until the user sends or drops them.
 */
#ifndef CLIENT_PASTE_H
#define CLIENT_PASTE_H

#include "edit_buffer.h"

enum paste_state {
    PASTE_NONE,
    PASTE_OPEN,    /* text is being collected */
    PASTE_TOO_LONG /* the rest is discarded, up to the end of the paste */
};

/* Zeroed memory is an empty one. sent <= held.len. */
struct paste {
    enum paste_state state;
    struct edit_buffer text; /* the paste so far */
    struct edit_buffer held; /* lines with LF, as editor_line() returns them */
    size_t lines;            /* number of held lines that are not sent */
    size_t sent;             /* bytes that paste_next() has returned */
};

void paste_begin(struct paste *);
/* Adds a character, or LF. Empty lines are left out, as in session_input(). */
void paste_add(struct paste *, uint32_t character);
/* The paste has ended. False, and no change to *edit, if the text is too long. */
bool paste_end(struct paste *, struct edit_buffer *edit);
/* Discards an unfinished paste. True if there was one. */
bool paste_cancel(struct paste *);
/* Discards the held lines. */
void paste_drop(struct paste *);
/* Sets *line to the next held line, without its LF. False: no more. */
bool paste_next(struct paste *, struct span *line);
void paste_free(struct paste *);

#endif
