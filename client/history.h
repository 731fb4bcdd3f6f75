/*
 * history.h: the lines that were typed before, and the one that is being typed while the user looks
 * at them. Lines are copies that the history owns.
 */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include "../wire/span.h"

#include <stdbool.h>
#include <stddef.h>

/* Finished lines that can be called back. */
#define HISTORY_LINES_MAX 100

/* Zeroed memory is an empty one. at <= len <= HISTORY_LINES_MAX. */
struct history {
    struct span lines[HISTORY_LINES_MAX];
    size_t len;
    size_t at;         /* the line that is shown; len: none of these, but the draft */
    struct span draft; /* what was being typed */
    size_t prefix;     /* its first bytes that the lines looked for begin with */
};

/* Keeps a finished line, unless it is empty, the last one once more, or memory is short. */
void history_add(struct history *, struct span line);
/* Goes on behind the newest line, without looking at one. */
void history_leave(struct history *);
/*
 * The line before (after) the one that is shown which begins with what the user had typed before
 * the cursor; behind the newest line, what was typed. False where there is none. text and cursor
 * are what is shown now; what text has become by editing is kept as the draft if it would be lost.
 */
bool history_previous(struct history *, struct span text, size_t cursor, struct span *found);
bool history_next(struct history *, struct span text, size_t cursor, struct span *found);
void history_free(struct history *);

#endif
