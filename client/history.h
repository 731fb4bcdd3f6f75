/*
 * history.h: previously typed lines, and the line under edit while the user looks at them. The
 * history owns copies of the lines.
 */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include "../wire/span.h"

#include <stdbool.h>
#include <stddef.h>

/* Lines that are kept. */
#define HISTORY_LINES_MAX 100

/* Zeroed memory is an empty history. at <= len <= HISTORY_LINES_MAX, prefix <= draft.len. */
struct history {
    struct span lines[HISTORY_LINES_MAX];
    size_t len;
    size_t at;         /* the line that is shown; len: the draft */
    struct span draft; /* the line under edit */
    size_t prefix;     /* bytes at its front that a line must begin with to be found */
};

/* Adds a line, unless it is empty, equal to the last one, or there is no memory. */
void history_add(struct history *, struct span line);
/* Returns to the draft. */
void history_leave(struct history *);
/*
 * Finds the previous (next) line that begins as the draft does up to its cursor; after the newest
 * line comes the draft. False if there is none. text and cursor are the line on the screen; if it
 * was edited it becomes the draft, unless another draft would be lost.
 */
bool history_previous(struct history *, struct span text, size_t cursor, struct span *found);
bool history_next(struct history *, struct span text, size_t cursor, struct span *found);
void history_free(struct history *);

#endif
