/*
 * completion.h: Tab completes the word before the cursor, and steps through the candidates.
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
    COMPLETION_PARTNERS, /* names for a private message */
    COMPLETION_IGNORED   /* names to be shown again */
};

/*
 * Returns the i-th candidate, the likeliest first; NULL after the last one, "" for one to skip. The
 * first call for a word has i == 0.
 */
typedef const char *completion_names(void *context, enum completion_kind, size_t i);

/* Zeroed memory completes commands only. */
struct completion {
    completion_names *names;
    void *context;
    bool active; /* the last key was Tab, and completed a word */
    enum completion_kind kind;
    size_t word; /* position of the word */
    size_t len;  /* of the text that is there now */
    size_t next; /* the candidate to try next */
    char prefix[NAME_LEN_MAX + 1];
};

/* Inserts the next candidate, with ": " after a name at the beginning of the line, else " ". False:
 * none matches. */
bool completion_step(struct completion *, struct edit_buffer *);
/* Another key was pressed: the next step looks at the word again. */
void completion_leave(struct completion *);

#endif
