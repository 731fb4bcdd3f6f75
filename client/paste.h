/*
 * paste.h: pasted text is data. It is collected until the paste ends. A single line is inserted
 * into the line under edit. Several lines are held, together with the text before and after them,
 * until the user sends or drops them.
 *
 * A typed `/msg NAME ` or `/me ` before several lines is repeated before each of them, so that no
 * line of a private message is said to all. It stays in the line under edit, for what is typed
 * next. Several lines are refused behind any other command.
 */
#ifndef CLIENT_PASTE_H
#define CLIENT_PASTE_H

#include "edit_buffer.h"

enum paste_state {
    PASTE_NONE,
    PASTE_OPEN,    /* text is being collected */
    PASTE_TOO_LONG /* the rest is discarded, up to the end of the paste */
};

/* What became of a paste. */
enum paste_outcome {
    PASTE_TAKEN,    /* inserted or held */
    PASTE_OVERSIZE, /* more than EDIT_MAX bytes, or no memory */
    PASTE_REFUSED   /* several lines behind a command that takes one */
};

/* Zeroed memory is an empty one. sent <= held.len. */
struct paste {
    enum paste_state state;
    struct edit_buffer text;   /* the paste so far */
    struct edit_buffer held;   /* lines with LF, as editor_line() returns them */
    size_t lines;              /* number of held lines that are not sent */
    size_t sent;               /* bytes that paste_next() has returned */
    struct edit_buffer repeat; /* the command before the lines held last; or empty */
    struct edit_buffer aside;  /* held lines that were dropped, for paste_restore() */
};

void paste_begin(struct paste *);
/* Adds a character, or LF. Empty lines are left out, as in session_input(). */
void paste_add(struct paste *, uint32_t character);
/* The paste has ended. *edit is changed only if the paste is taken. */
enum paste_outcome paste_end(struct paste *, struct edit_buffer *edit);
/* Discards an unfinished paste. True if there was one. */
bool paste_cancel(struct paste *);
/* True if lines are held, and the line under edit is no more than the command before them. */
bool paste_is_all(const struct paste *, const struct edit_buffer *edit);
/* All held lines are sent. */
void paste_finish(struct paste *);
/* Drops the held lines; paste_restore() brings them back, until paste_forget(). */
void paste_drop(struct paste *);
bool paste_restore(struct paste *, struct edit_buffer *edit);
void paste_forget(struct paste *);
/* Sets *line to the next held line, without its LF. False: no more. */
bool paste_next(struct paste *, struct span *line);
void paste_free(struct paste *);

#endif
