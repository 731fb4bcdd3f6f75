/*
 * completion.h: Tab. Completes the word before the cursor, and steps through what fits.
 */
#ifndef CLIENT_COMPLETION_H
#define CLIENT_COMPLETION_H

#include "../wire/name.h"
#include "edit_buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* The i-th name that Tab may complete, NULL behind the last one. */
typedef const char *completion_names(void *context, size_t i);

/* Zeroed memory completes nothing. */
struct completion {
    completion_names *names;
    void *context;
    bool active; /* the last key was Tab, and has completed a word */
    size_t word; /* where in the text the word begins */
    size_t len;  /* of what stands there now */
    size_t next; /* the name to try next */
    char prefix[NAME_LEN_MAX + 1];
};

/* False where nothing fits. The first word of a line gets ": " behind it, others a space. */
bool completion_step(struct completion *, struct edit_buffer *);
/* Another key was pressed: the next step begins anew. */
void completion_leave(struct completion *);

#endif
