/*
 * edit_buffer.h: the text of a line that is being edited, and its cursor. It knows no keys and no
 * screen.
 *
 * The text is clean (text_clean()). Positions are in bytes: cursor <= len <= size, len <= EDIT_MAX,
 * pasted_from <= pasted_to <= len. The cursor moves by clusters (cluster_first()).
 */
#ifndef CLIENT_EDIT_BUFFER_H
#define CLIENT_EDIT_BUFFER_H

#include "../wire/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one line, or of all lines of a paste. */
#define EDIT_MAX ((size_t)4 << 20)

/* Zeroed memory is an empty buffer. edit_free() releases its memory. */
struct edit_buffer {
    char *text;
    size_t len;
    size_t size;
    size_t cursor;
    /* All pasted text is in [pasted_from, pasted_to); the rest was typed. */
    size_t pasted_from;
    size_t pasted_to;
    /* Changes since the display was drawn; the display resets both. */
    size_t appended; /* ASCII characters added at the end */
    bool changed;    /* any other change */
};

/* The end of the cluster after that position, and the beginning of the one before it. */
size_t edit_next(const struct edit_buffer *, size_t at);
size_t edit_previous(const struct edit_buffer *, size_t at);
/* The same for words of letters and digits. */
size_t edit_word_next(const struct edit_buffer *, size_t at);
size_t edit_word_previous(const struct edit_buffer *, size_t at);
/* The beginning of the word before that position; words are separated by blanks. */
size_t edit_blank_word_previous(const struct edit_buffer *, size_t at);
/* The beginning of the word that ends at that position; words are separated by blanks. */
size_t edit_blank_word_start(const struct edit_buffer *, size_t at);

/* Allocates memory for that many more bytes. False: too long, or no memory. */
bool edit_reserve(struct edit_buffer *, size_t more);
/*
 * Replaces [from, to) with bytes, which must not point into the buffer, and puts the cursor after
 * them. False, and no change, if the text would be too long or there is no memory.
 */
bool edit_replace(struct edit_buffer *, size_t from, size_t to, struct span);
void edit_delete(struct edit_buffer *, size_t from, size_t to);
/* Replaces all of the text, and puts the cursor at its end. */
bool edit_set(struct edit_buffer *, struct span);
/* Inserts one character, cleaned: possibly another one, or none. False: as edit_replace(). */
bool edit_insert(struct edit_buffer *, uint32_t character);
/* Exchanges the clusters around the cursor, at the end the last two. False: there are no two. */
bool edit_transpose(struct edit_buffer *);
/* Inserts pasted bytes at the cursor. False: as edit_replace(). */
bool edit_paste(struct edit_buffer *, struct span);
/* True if the character at that position was pasted. */
bool edit_is_pasted(const struct edit_buffer *, size_t at);

/* All of the text, and the bytes in [from, to). Valid until the next change. */
struct span edit_text(const struct edit_buffer *);
struct span edit_range(const struct edit_buffer *, size_t from, size_t to);
void edit_free(struct edit_buffer *);

#endif
