/*
 * screen.h: what editor and view share: bytes gathered for one write, and the width of text.
 */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include "../wire/span.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes on their way to the terminal or the pipe. Zeroed memory is an empty one; the owner writes
 * at[0 .. len) and sets len to 0, and frees `at` in the end (outbuf_free). It grows on demand to
 * OUTBUF_MAX; what does not fit there or in memory is dropped and `lost` is set, for the owner to
 * see and clear.
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
/* Takes the first len bytes out: they are written. */
void outbuf_take(struct outbuf *, size_t len);
void outbuf_free(struct outbuf *);

/*
 * Lets wcwidth(3) know Unicode: LC_CTYPE of the environment where that is UTF-8, else C.UTF-8 (the
 * wire is UTF-8 in every locale). For main, before there are threads.
 */
void screen_locale(void);

/* What the cursor steps over as one: a character with all that combines or joins with it. */
struct cluster {
    size_t len;       /* bytes, at least 1 */
    unsigned columns; /* the most that terminals give it; a TAB counts as one */
    bool sure;        /* all terminals agree on columns */
};

/* The first cluster of clean text; len >= 1. */
struct cluster cluster_first(const char *text, size_t len);

/*
 * Adds clean text, in which SGR sequences may stand, broken into rows: between words, and beside
 * wide characters, for Chinese and Japanese have no blanks. Later rows are indented. Tabs become
 * spaces. A word that is longer than a row (a link, often) is left to the terminal to break, so
 * that it can be copied in one piece.
 */
void outbuf_wrap(struct outbuf *, const char *text, size_t len, size_t columns, size_t indent);

/* Adds the line wrapped, or as it is if columns is 0, and LF. */
void outbuf_line(struct outbuf *, struct span line, size_t columns, size_t indent);

/* How many rows of a terminal that many columns wide such text takes, LFs ending rows. */
size_t text_rows(const char *text, size_t len, size_t columns);

#endif
