/*
 * screen.h: an output buffer, the width of text, and wrapping.
 */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include "../wire/span.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A growing buffer of output. Zeroed memory is an empty one. The owner writes at[0 .. len), and
 * frees it with outbuf_free(). Bytes beyond OUTBUF_MAX, or for which there is no memory, are
 * discarded, and `lost` is set; the owner clears it.
 */
#define OUTBUF_MAX ((size_t)1 << 20)

struct outbuf {
    char *at;
    size_t len;
    size_t size;
    bool lost;
};

void outbuf_add(struct outbuf *, const char *bytes, size_t len);
void outbuf_puts(struct outbuf *, const char *text);
void outbuf_number(struct outbuf *, unsigned long);
/* Adds what text_clean() makes of the bytes. */
void outbuf_clean(struct outbuf *, const char *bytes, size_t len);
/* Removes the first len bytes. */
void outbuf_take(struct outbuf *, size_t len);
void outbuf_free(struct outbuf *);

/*
 * Sets LC_CTYPE for wcwidth(3): from the environment if that is UTF-8, else C.UTF-8. The wire is
 * UTF-8 in every locale. To be called before threads are started.
 */
void screen_locale(void);

/* The unit of the cursor's steps: a character with all characters that combine or join with it. */
struct cluster {
    size_t len;       /* bytes, at least 1 */
    unsigned columns; /* the largest width among terminals; 1 for a TAB */
    bool sure;        /* all terminals have this width */
};

/* Returns the first cluster of clean text; len >= 1. */
struct cluster cluster_first(const char *text, size_t len);

/*
 * Adds clean text, which may contain SGR sequences, wrapped into rows. Rows end between words and
 * next to wide characters, because Chinese and Japanese have no blanks. All rows but the first are
 * indented. Tabs become spaces. The terminal breaks a word that is longer than a row (often a
 * link), so that it can be copied as one word.
 */
void outbuf_wrap(struct outbuf *, const char *text, size_t len, size_t columns, size_t indent);

/* Adds a line and LF. The line is wrapped, unless columns is 0. */
void outbuf_line(struct outbuf *, struct span line, size_t columns, size_t indent);

/* Returns the number of rows that such text, with LFs, needs on a terminal of that many columns. */
size_t text_rows(const char *text, size_t len, size_t columns);

#endif
