/*
 * text.c: finds what may pass as it is, eight bytes at a time, and replaces the rest.
 */
#include "text.h"

#include <stdint.h>
#include <string.h>

#include "unicode.h"
#include "utf8.h"

/* True if one of the eight bytes is not printable ASCII (20-7E). */
static bool word_has_special(const char *s)
{
    const uint64_t ones = UINT64_MAX / 0xFF;
    uint64_t word;

    memcpy(&word, s, sizeof word);
    /*
     * With no high bit set, adding 1 to each byte sets it for 7F only, and subtracting 20 sets it
     * for less than 20 only; a borrow can go wrong only above a byte that is itself found.
     */
    return ((word | (word + ones) | (word - 0x20 * ones)) & 0x80 * ones) != 0;
}

/* The number of bytes at the front that are printable ASCII or TAB. */
static size_t ascii_prefix(const char *s, size_t len)
{
    size_t at = 0;

    for (;;) {
        if (len - at >= 8 && !word_has_special(s + at))
            at += 8;
        else if (at < len && ((s[at] >= 0x20 && s[at] < 0x7F) || s[at] == '\t'))
            at++;
        else
            return at;
    }
}

/*
 * The number of bytes at the front that pass as they are. *marks is the number of combining marks
 * on the last base: before s, and on return at the end of these bytes.
 */
static size_t clean_prefix(const char *s, size_t len, unsigned *marks)
{
    size_t at = 0;

    while (at < len) {
        uint32_t cp;
        size_t n = ascii_prefix(s + at, len - at);
        if (n > 0) {
            *marks = 0;
            at += n;
            continue;
        }
        n = utf8_decode(s + at, len - at, &cp);
        switch (char_class(cp)) {
        case CHAR_PLAIN:
            *marks = 0;
            break;
        case CHAR_MARK:
        case CHAR_SELECTOR:
            if (*marks == MARKS_MAX)
                return at;
            ++*marks;
            break;
        case CHAR_JOINER:
            break;
        case CHAR_DROPPED:
        case CHAR_REPLACED:
            return at;
        }
        at += n;
    }
    return at;
}

size_t text_clean(char *dst, const char *src, size_t len)
{
    size_t out = 0;
    size_t at = 0;
    unsigned marks = 0;

    while (at < len) {
        size_t n = clean_prefix(src + at, len - at, &marks);
        memcpy(dst + out, src + at, n);
        out += n;
        at += n;
        if (at == len)
            break;
        uint32_t cp;
        at += utf8_decode(src + at, len - at, &cp);
        /* Otherwise it is CHAR_DROPPED or a mark beyond MARKS_MAX. */
        if (char_class(cp) == CHAR_REPLACED) {
            out += utf8_encode(CHAR_REPLACEMENT, dst + out);
            marks = 0;
        }
    }
    return out;
}

bool text_is_clean(const char *s, size_t len)
{
    unsigned marks = 0;

    return clean_prefix(s, len, &marks) == len;
}

/* C0, DEL and C1; line separators, embeddings and overrides; isolates. */
static bool char_is_unsafe(uint32_t cp)
{
    return cp == UTF8_BAD || (cp < 0x20 && cp != '\t') || (cp >= 0x7F && cp < 0xA0) ||
           (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

bool text_is_safe(const char *s, size_t len)
{
    size_t at = ascii_prefix(s, len);

    while (at < len) {
        uint32_t cp;

        at += utf8_decode(s + at, len - at, &cp);
        if (char_is_unsafe(cp))
            return false;
        at += ascii_prefix(s + at, len - at);
    }
    return true;
}

/* The beginning of the character that s[at] is a byte of, at most three bytes before. */
static size_t char_begin(const char *s, size_t len, size_t at)
{
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        uint32_t cp;
        size_t begin = at - back;
        if (((unsigned char)s[begin] & 0xC0) != 0x80)
            return begin + utf8_decode(s + begin, len - begin, &cp) > at ? begin : at;
    }
    return at;
}

size_t text_cut(const char *s, size_t len, size_t max)
{
    size_t first, cut;
    uint32_t cp;

    if (len <= max)
        return len;
    cut = first = char_begin(s, len, max);
    while (cut > 0) {
        utf8_decode(s + cut, len - cut, &cp);
        if (!char_is_combining(cp))
            return cut;
        cut = char_begin(s, len, cut - 1);
    }
    return first;
}
