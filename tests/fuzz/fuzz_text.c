/*
 * fuzz_text.c: cleaned text is what the rule says, a character at a time: well-formed, nothing
 * forbidden, few marks; cleaning it again changes nothing, and no cut into pieces makes it unclean.
 */
#include "fuzz.h"
#include "protocol.h"
#include "wire/text.h"
#include "wire/unicode.h"
#include "wire/utf8.h"

#include <stdbool.h>

/* The rule without any of its short cuts. */
static size_t text_clean_slowly(char *dst, const char *src, size_t len)
{
    size_t out = 0, n;
    unsigned marks = 0;

    for (size_t at = 0; at < len; at += n) {
        uint32_t cp;
        n = utf8_decode(src + at, len - at, &cp);
        must(n >= 1 && n <= 4 && n <= len - at);
        if (char_class(cp) == CHAR_DROPPED)
            continue;
        if (char_is_combining(cp)) {
            if (++marks > 8)
                continue;
        } else if (cp != 0x200C && cp != 0x200D) {
            marks = 0;
        }
        out += utf8_encode(char_class(cp) == CHAR_REPLACED ? 0xFFFD : cp, dst + out);
    }
    return out;
}

static void pieces_check(const char *text, size_t len, size_t max)
{
    for (size_t at = 0, n; at < len; at += n) {
        n = text_cut(text + at, len - at, max);
        must(n > 0 && n <= max && n <= len - at);
        must(text_is_clean(text + at, n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *raw = must_copy(data, size);
    char *clean = must_allocate(3 * size);
    char *other = must_allocate(9 * size);
    size_t len = text_clean(clean, raw, size);

    must(len <= 3 * size);
    must(text_clean_slowly(other, raw, size) == len && memcmp(other, clean, len) == 0);
    must(text_is_clean(raw, size) == (len == size && memcmp(raw, clean, len) == 0));
    must(text_is_clean(clean, len));
    must(text_clean(other, clean, len) == len && memcmp(other, clean, len) == 0);
    must(memchr(clean, '\x1b', len) == NULL && memchr(clean, '\n', len) == NULL);
    pieces_check(clean, len, 4 + size % 32);
    if (size > 0)
        must(text_cut(raw, size, 4 + size % 32) > 0);
    free(other);
    free(clean);
    free(raw);
    return 0;
}
