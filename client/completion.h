/*
 * completion.h: Tab. Completes the word before the cursor, and steps through what fits.
 */
#ifndef CLIENT_COMPLETION_H
#define CLIENT_COMPLETION_H

#include "../wire/name.h"
#include "edit_buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum completion_kind {
    COMPLETION_COMMANDS, /* a word that begins with `/`, at the beginning of the line */
    COMPLETION_NAMES,
    COMPLETION_PARTNERS /* names for a private message */
};

/*
 * The i-th name that Tab may complete, the likeliest first; NULL behind the last one, and "" where
 * it is not to be told. Called with 0 before others.
 */
typedef const char *completion_names(void *context, enum completion_kind, size_t i);

/* Zeroed memory completes commands only. */
struct completion {
    completion_names *names;
    void *context;
    bool active; /* the last key was Tab, and has completed a word */
    enum completion_kind kind;
    size_t word; /* where in the text the word begins */
    size_t len;  /* of what stands there now */
    size_t next; /* the name to try next */
    char prefix[NAME_LEN_MAX + 1];
};

/* False where nothing fits. A name at the beginning of a line gets ": " behind it, all else " ". */
bool completion_step(struct completion *, struct edit_buffer *);
/* Another key was pressed: the next step begins anew. */
void completion_leave(struct completion *);

#endif
