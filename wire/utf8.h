/*
 * utf8.h: decodes and encodes single characters.
 */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* No code point: a malformed sequence. */
#define UTF8_BAD 0xFFFFFFFFu

/*
 * Decodes the character at s (len >= 1) into *cp and returns its length in bytes. Of a malformed
 * sequence it returns the length of the maximal subpart (The Unicode Standard, 3.9), and UTF8_BAD
 * in *cp.
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);
/* Writes cp, which is a scalar value, to out. Returns the number of bytes, at most 4. */
size_t utf8_encode(uint32_t cp, char out[4]);

#endif
