/*
 * unicode.h: the classes of characters. The locale has no say in them.
 */
#ifndef WIRE_UNICODE_H
#define WIRE_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* The character that replaces what must not pass. */
#define CHAR_REPLACEMENT 0xFFFDu

/* What becomes of a character in a line: chat-protocol(7), TEXT. */
enum char_class {
    CHAR_PLAIN,    /* passes; may carry combining marks */
    CHAR_MARK,     /* general categories Mn and Me: passes, if its base has few marks */
    CHAR_SELECTOR, /* a variation selector: a mark too, but invisible */
    CHAR_JOINER,   /* ZWJ, ZWNJ: passes; the marks before and after it have the same base */
    CHAR_DROPPED,  /* soft hyphen, ZWSP, BOM, directional marks, tags: removed */
    CHAR_REPLACED  /* controls, bidi controls, other invisible characters: becomes U+FFFD */
};

/* The class of a code point. Everything above U+10FFFF, UTF8_BAD too, is CHAR_REPLACED. */
enum char_class char_class(uint32_t cp);

/* CHAR_DROPPED or CHAR_REPLACED. */
bool char_is_forbidden(uint32_t cp);
/* CHAR_MARK or CHAR_SELECTOR. */
bool char_is_combining(uint32_t cp);
/* Property White_Space, controls among them. */
bool char_is_space(uint32_t cp);

#endif
