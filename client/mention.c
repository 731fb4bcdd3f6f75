/* mention.c: finds a name in a text, unless it is a part of a longer word. */
#include "mention.h"

#include "../wire/utf8.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/*
 * Characters of words: ASCII letters, digits and `_`, and the blocks of the alphabets. Scripts that
 * are written without blanks lie beyond those blocks; there a name may stand next to a letter.
 */
static bool is_word_char(uint32_t cp)
{
    if (cp >= 0x80)
        return cp >= 0xAA && cp < 0x2000;
    return (cp >= '0' && cp <= '9') || ((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z') || cp == '_';
}

/* The character after, and before, that position; 0 at the ends of the text. */
static uint32_t char_after(const char *text, size_t len, size_t at)
{
    uint32_t cp = 0;

    if (at < len)
        utf8_decode(text + at, len - at, &cp);
    return cp;
}

static uint32_t char_before(const char *text, size_t len, size_t at)
{
    if (at == 0)
        return 0;
    do
        at--;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80);
    return char_after(text, len, at);
}

bool text_mentions(struct span text, const char *name)
{
    size_t len = strlen(name);
    bool open_start = !is_word_char(char_after(name, len, 0));
    bool open_end = !is_word_char(char_before(name, len, len));

    for (size_t at = 0; at + len <= text.len; at++) {
        if (strncasecmp(text.at + at, name, len) != 0)
            continue;
        if ((open_start || !is_word_char(char_before(text.at, text.len, at))) &&
            (open_end || !is_word_char(char_after(text.at, text.len, at + len))))
            return true;
    }
    return false;
}
