/*
 * text.h: text that is safe to print: one line of it, without its end.
 */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A reader needs a few marks on a letter (Vietnamese 2, Hebrew 4); a prankster hundreds. */
#define MARKS_MAX 8

/*
 * Cleans len bytes (of one line, without its end) into dst, which holds 3 * len bytes and does not
 * overlap src; returns the cleaned length. Idempotent. Malformed bytes and CHAR_REPLACED become
 * U+FFFD, CHAR_DROPPED and the marks after the eighth on one base are left out, the rest is copied:
 * chat-protocol(7), TEXT.
 */
size_t text_clean(char *dst, const char *src, size_t len);
/* True where text_clean() would change nothing. Fast for ASCII. */
bool text_is_clean(const char *s, size_t len);
/*
 * The longest prefix of s of at most max bytes (max >= 4) that ends between characters, len where
 * all of it fits. Never 0 unless len is. A combining mark is kept with its base where that is
 * possible.
 */
size_t text_cut(const char *s, size_t len, size_t max);

#endif
