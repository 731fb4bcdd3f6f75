/*
 * undo.h: earlier states of the edited line: a stack of limited size.
 */
#ifndef CLIENT_UNDO_H
#define CLIENT_UNDO_H

#include "edit_buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define UNDO_STEPS_MAX 64
/* Bytes of all steps; the latest step may be longer. */
#define UNDO_BYTES_MAX ((size_t)1 << 20)

struct undo_step {
    char *text;
    size_t len;
    size_t cursor;
    size_t pasted_from;
    size_t pasted_to;
};

/* Zeroed memory is an empty stack. */
struct undo {
    struct undo_step steps[UNDO_STEPS_MAX];
    size_t len;
    size_t bytes;
};

/* Pushes the state of the buffer. Does nothing if there is no memory. */
void undo_save(struct undo *, const struct edit_buffer *);
/* Restores the latest state that differs. False: there is none. */
bool undo_back(struct undo *, struct edit_buffer *);
void undo_clear(struct undo *);

#endif
