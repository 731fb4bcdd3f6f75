/*
 * undo.h: what the edited line was before. A stack that forgets the oldest.
 */
#ifndef CLIENT_UNDO_H
#define CLIENT_UNDO_H

#include "edit_buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define UNDO_STEPS_MAX 64
/* Bytes of all steps; the latest one is kept in any case. */
#define UNDO_BYTES_MAX ((size_t)1 << 20)

struct undo_step {
    char *text;
    size_t len;
    size_t cursor;
    size_t pasted_from;
    size_t pasted_to;
};

/* Zeroed memory is an empty one. */
struct undo {
    struct undo_step steps[UNDO_STEPS_MAX];
    size_t len;
    size_t bytes;
};

/* Remembers the text as it is. Without memory it is not remembered. */
void undo_save(struct undo *, const struct edit_buffer *);
/* Makes the text what it was; false where nothing is remembered. */
bool undo_back(struct undo *, struct edit_buffer *);
void undo_clear(struct undo *);

#endif
