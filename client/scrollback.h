/*
 * scrollback.h: the latest lines on the screen, kept to be drawn again.
 */
#ifndef CLIENT_SCROLLBACK_H
#define CLIENT_SCROLLBACK_H

#include "../wire/span.h"
#include "screen.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes. A large screen shows less. */
#define SCROLLBACK_MAX ((size_t)256 << 10)

/* Lines as they were before they were wrapped, each with LF. Zeroed memory is an empty one. */
struct scrollback {
    struct outbuf text;
};

/* Adds a line. The oldest lines are dropped if there is no more space. */
void scrollback_add(struct scrollback *, struct span line);
/* Sets *line to the line after it, or to the first one if line->at is NULL. False: no more. */
bool scrollback_next(const struct scrollback *, struct span *line);
/* Adds the latest lines to out, wrapped: as many as fit in that many rows of the terminal. */
void scrollback_draw(
    const struct scrollback *, size_t rows, size_t columns, size_t indent, struct outbuf *out);
void scrollback_clear(struct scrollback *);
void scrollback_free(struct scrollback *);

#endif
