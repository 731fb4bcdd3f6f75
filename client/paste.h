/*
 * paste.h: pasted text is data. It is gathered until its end comes. One line goes into the line
 * that is being edited. Of several, all but the last are held, for the user to send or to drop.
 */
#ifndef CLIENT_PASTE_H
#define CLIENT_PASTE_H

#include "edit_buffer.h"

enum paste_state {
    PASTE_NONE,
    PASTE_OPEN,    /* its end has not come */
    PASTE_TOO_LONG /* nor that of one that is dropped */
};

/* Zeroed memory holds nothing; paste_free() ends it. sent <= held.len. */
struct paste {
    enum paste_state state;
    struct edit_buffer text; /* what is being pasted */
    struct edit_buffer held; /* whole lines, each with LF; text that begins with `/` has another */
    size_t lines;            /* of them, not yet sent */
    size_t sent;             /* bytes that paste_next() has given */
};

void paste_begin(struct paste *);
/* A character, or LF. Empty lines do not count: nobody gets them. */
void paste_add(struct paste *, uint32_t character);
/* It has ended. False, and nothing is changed, where all would be too long. */
bool paste_end(struct paste *, struct edit_buffer *edit);
/* Drops what is being pasted; true where there is such a paste. */
bool paste_cancel(struct paste *);
/* Drops the lines that are held. */
void paste_drop(struct paste *);
/* Takes the next line that is held, without its LF; false behind the last one. */
bool paste_next(struct paste *, struct span *line);
void paste_free(struct paste *);

#endif
