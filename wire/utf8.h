/*
 * utf8.h: characters as bytes, and back.
 */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes one character of s (len >= 1): its bytes' number, and its code point in *cp; for a
 * malformed sequence the length of its maximal subpart (Unicode 3.9, U+FFFD substitution), and
 * UTF8_BAD.
 */
#define UTF8_BAD 0xFFFFFFFFu
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);
/* Writes cp (a scalar value) to out, at most 4 bytes; returns their number. */
size_t utf8_encode(uint32_t cp, char out[4]);

#endif
