/*
 * name.c: trims, replaces, cuts and suffixes names.
 */
#include "name.h"

#include <stdint.h>
#include <string.h>

#include "number.h"
#include "span.h"
#include "text.h"
#include "unicode.h"
#include "utf8.h"

static struct span name_trim(const char *raw, size_t len)
{
    size_t begin = 0, end, at, n;
    uint32_t cp;

    for (; begin < len; begin += n) {
        n = utf8_decode(raw + begin, len - begin, &cp);
        if (cp != '/' && !char_is_space(cp) && char_class(cp) != CHAR_DROPPED)
            break;
    }
    for (end = at = begin; at < len; at += n) {
        n = utf8_decode(raw + at, len - at, &cp);
        if (!char_is_space(cp) && char_class(cp) != CHAR_DROPPED)
            end = at + n;
    }
    return (struct span){raw + begin, end - begin};
}

/* True for characters that become `_` in a name. (Marks do, too, if they have no base.) */
static bool char_is_nameless(uint32_t cp)
{
    switch (char_class(cp)) {
    case CHAR_PLAIN:
        return cp == ':' || cp == CHAR_REPLACEMENT || char_is_space(cp);
    case CHAR_MARK:
    case CHAR_DROPPED:
        return false;
    case CHAR_SELECTOR:
    case CHAR_JOINER:
    case CHAR_REPLACED:
        return true;
    }
    return true;
}

size_t name_clean(char out[NAME_LEN_MAX + 1], const char *raw, size_t len)
{
    struct span name = name_trim(raw, len);
    size_t used = 0;
    unsigned marks = 0;
    bool based = false; /* the last character can be a base: it is not a `_` of ours */

    for (size_t at = 0, n; at < name.len; at += n) {
        uint32_t cp;
        n = utf8_decode(name.at + at, name.len - at, &cp);
        if (char_class(cp) == CHAR_DROPPED)
            continue;
        bool mark = char_is_combining(cp);
        bool garbage = char_is_nameless(cp) || (mark && !based);
        size_t size = garbage ? 1 : n;

        if (mark && !garbage && ++marks > MARKS_MAX)
            continue;
        if (used + size > NAME_LEN_MAX)
            break;
        memcpy(out + used, garbage ? "_" : name.at + at, size);
        used += size;
        if (garbage || !mark) {
            based = !garbage;
            marks = 0;
        }
    }
    out[used] = '\0';
    return used;
}

bool name_is_clean(const char *s, size_t len)
{
    char clean[NAME_LEN_MAX + 1];

    return len > 0 && len <= NAME_LEN_MAX && name_clean(clean, s, len) == len &&
           memcmp(clean, s, len) == 0;
}

size_t name_suffixed(char out[NAME_LEN_MAX + 1], const char *name, unsigned n)
{
    char suffix[24] = "_";
    size_t size = 1 + number_write(suffix + 1, n);
    size_t base = text_cut(name, strlen(name), NAME_LEN_MAX - size);

    memcpy(out, name, base);
    memcpy(out + base, suffix, size);
    out[base + size] = '\0';
    return base + size;
}

bool name_base(char out[NAME_LEN_MAX + 1], const char *name)
{
    const char *mark = strrchr(name, '_');
    const char *number = mark == NULL ? "" : mark + 1;

    if (mark == NULL || mark == name || number[0] < '1' || number[0] > '9' ||
        strcmp(number, "1") == 0 || number[strspn(number, "0123456789")] != '\0')
        return false;
    memcpy(out, name, (size_t)(mark - name));
    out[mark - name] = '\0';
    return true;
}

void name_fold(char out[NAME_LEN_MAX + 1], const char *name)
{
    size_t i;

    for (i = 0; i < NAME_LEN_MAX && name[i] != '\0'; i++)
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    out[i] = '\0';
}

bool name_equal(const char *a, const char *b)
{
    char folded_a[NAME_LEN_MAX + 1];
    char folded_b[NAME_LEN_MAX + 1];

    name_fold(folded_a, a);
    name_fold(folded_b, b);
    return strcmp(folded_a, folded_b) == 0;
}
