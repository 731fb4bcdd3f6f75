/*
 * text.h: makes a line of text safe to print, and cuts it between characters.
 */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Combining marks on one base. Languages use up to 4; hundreds cover other lines of a screen. */
#define MARKS_MAX 8

/*
 * Cleans a line without its end: chat-protocol(7), TEXT. Malformed bytes and CHAR_REPLACED become
 * U+FFFD, CHAR_DROPPED and marks beyond MARKS_MAX are removed, everything else is copied. dst holds
 * 3 * len bytes and does not overlap src. Returns the length of the result. Idempotent.
 */
size_t text_clean(char *dst, const char *src, size_t len);
/* True if text_clean() would change nothing. Fast for ASCII. */
bool text_is_clean(const char *s, size_t len);
/*
 * True for valid UTF-8 without control characters other than TAB, line separators and bidi
 * controls. That is less than text_is_clean() wants, but does not depend on the version of Unicode:
 * what another machine has cleaned with another table is judged the same everywhere.
 */
bool text_is_safe(const char *s, size_t len);
/*
 * The length of the longest prefix of s that has at most max bytes (max >= 4) and ends between
 * characters; if possible not between a base and its marks. 0 only if len is 0.
 */
size_t text_cut(const char *s, size_t len, size_t max);

#endif
