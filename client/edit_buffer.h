/*
 * edit_buffer.h: the text that is being edited: bytes and a cursor. No keys and no screen.
 *
 * The text is well-formed UTF-8 that text_clean() would leave alone. A position is a number of
 * bytes; cursor <= len <= EDIT_MAX, and pasted_from <= pasted_to <= len. The cursor moves from
 * cluster to cluster (see cluster_first()).
 */
#ifndef CLIENT_EDIT_BUFFER_H
#define CLIENT_EDIT_BUFFER_H

#include "../wire/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one line, or of all the lines of a paste. */
#define EDIT_MAX ((size_t)4 << 20)

/* Zeroed memory is an empty one; edit_free() ends it. */
struct edit_buffer {
    char *text;
    size_t len;
    size_t size;
    size_t cursor;
    /* What was pasted lies in [pasted_from, pasted_to); the rest was typed. */
    size_t pasted_from;
    size_t pasted_to;
    /* What has happened to the text since the display was drawn, which resets both. */
    size_t appended; /* ASCII characters added at the end */
    bool changed;    /* in another way */
};

/* Where the cluster behind that position ends, and where the one before it begins. */
size_t edit_next(const struct edit_buffer *, size_t at);
size_t edit_previous(const struct edit_buffer *, size_t at);
/* The same for words, which are of letters and digits. */
size_t edit_word_next(const struct edit_buffer *, size_t at);
size_t edit_word_previous(const struct edit_buffer *, size_t at);
/* The same for what stands between blanks, back only. */
size_t edit_blank_word_previous(const struct edit_buffer *, size_t at);
/* Where what stands between blanks and ends at that position begins. */
size_t edit_blank_word_start(const struct edit_buffer *, size_t at);

/* Makes room for more bytes, so that adding them cannot fail. False: there is none. */
bool edit_reserve(struct edit_buffer *, size_t more);
/*
 * Puts bytes in the place of [from, to) and the cursor behind them. False, and nothing is changed,
 * where the text would be too long, or there is no memory. bytes must not be its own.
 */
bool edit_replace(struct edit_buffer *, size_t from, size_t to, struct span);
void edit_delete(struct edit_buffer *, size_t from, size_t to);
/* Puts another text in the place of all; the cursor is at its end. */
bool edit_set(struct edit_buffer *, struct span);
/* Inserts what text_clean() would make of one character, which may be nothing. False: no room. */
bool edit_insert(struct edit_buffer *, uint32_t character);
/* Exchanges the clusters around the cursor, or at the end the last two. False: there are no two. */
bool edit_transpose(struct edit_buffer *);
/* Inserts bytes at the cursor that were pasted. False: no room. */
bool edit_paste(struct edit_buffer *, struct span);
/* What stands at that position was pasted. */
bool edit_is_pasted(const struct edit_buffer *, size_t at);

/* All of it, and what stands in [from, to). */
struct span edit_text(const struct edit_buffer *);
struct span edit_range(const struct edit_buffer *, size_t from, size_t to);
void edit_free(struct edit_buffer *);

#endif
