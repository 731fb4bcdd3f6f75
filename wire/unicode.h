/*
 * unicode.h: what a character is to us. The locale is not asked.
 */
#ifndef WIRE_UNICODE_H
#define WIRE_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* What stands in the place of what must not pass. */
#define CHAR_REPLACEMENT 0xFFFDu

/* True for what is replaced by U+FFFD: controls, bidi controls, invisible characters. */
bool char_is_forbidden(uint32_t cp);
/* General categories Mn and Me, variation selectors among them, without what is forbidden. */
bool char_is_combining(uint32_t cp);
/* Property White_Space. */
bool char_is_space(uint32_t cp);
/* ZWNJ and ZWJ. */
bool char_is_joiner(uint32_t cp);
/* Variation selectors, and what Mongolian has besides. */
bool char_is_selector(uint32_t cp);
/* In a block that most text is made of, and that holds nothing of the above. */
bool char_is_ordinary(uint32_t cp);

#endif
