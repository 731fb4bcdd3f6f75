/*
 * unicode.h: classes of characters, from a table that does not depend on the locale.
 */
#ifndef WIRE_UNICODE_H
#define WIRE_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* REPLACEMENT CHARACTER */
#define CHAR_REPLACEMENT 0xFFFDu

/* What happens to a character in a line: chat-protocol(7), TEXT. */
enum char_class {
    CHAR_PLAIN,    /* passes, and is a base for combining marks */
    CHAR_MARK,     /* general category Mn or Me: passes, up to MARKS_MAX on one base */
    CHAR_SELECTOR, /* variation selector: counts as a mark */
    CHAR_JOINER,   /* ZWJ, ZWNJ: passes; marks after it belong to the base before it */
    CHAR_DROPPED,  /* soft hyphen, zero-width space, byte order mark, tag, ...: removed */
    CHAR_REPLACED  /* control, bidi control, noncharacter, ...: becomes U+FFFD */
};

/* The class of a code point. Above U+10FFFF, and so for UTF8_BAD, it is CHAR_REPLACED. */
enum char_class char_class(uint32_t cp);

/* CHAR_DROPPED or CHAR_REPLACED: never in clean text. */
bool char_is_forbidden(uint32_t cp);
/* CHAR_MARK or CHAR_SELECTOR. */
bool char_is_combining(uint32_t cp);
/* Property White_Space, which some controls have, too. */
bool char_is_space(uint32_t cp);

#endif
