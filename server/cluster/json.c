/*
 * json.c: a scanner by recursive descent, whose depth is bounded. A value is scanned once as a
 * whole to check it; then parts of it are found by scanning again.
 */
#include "json.h"

#include <string.h>

#include "wire/utf8.h"

#define REPLACEMENT 0xFFFDu

/* What is left of the text. */
struct scan {
    const char *at;
    const char *end;
};

/* Scans one value from the front; its kind, or JSON_NONE where it is malformed. */
static enum json_kind value_scan(struct scan *s, unsigned depth);

static void space_skip(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

/* Takes this character, if it is the next. */
static bool char_take(struct scan *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits. */
static bool unit_take(struct scan *s, uint32_t *unit)
{
    *unit = 0;
    if (s->end - s->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(*s->at++);

        if (digit == -1)
            return false;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* What follows `\u`: one unit, or two that are surrogates of each other. */
static bool unicode_take(struct scan *s, uint32_t *cp)
{
    uint32_t low;

    if (!unit_take(s, cp) || (*cp >= 0xDC00 && *cp <= 0xDFFF))
        return false;
    if (*cp < 0xD800 || *cp > 0xDFFF)
        return true;
    if (!char_take(s, '\\') || !char_take(s, 'u') || !unit_take(s, &low) || low < 0xDC00 ||
        low > 0xDFFF)
        return false;
    *cp = 0x10000 + ((*cp - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* What follows a backslash. */
static bool escape_take(struct scan *s, uint32_t *cp)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;

    if (char_take(s, 'u'))
        return unicode_take(s, cp);
    if (s->at == s->end || *s->at == '\0' || (letter = strchr(letters, *s->at)) == NULL)
        return false;
    s->at++;
    *cp = (unsigned char)meanings[letter - letters];
    return true;
}

/* The next character of a string, which is not at its closing quote. */
static bool character_take(struct scan *s, uint32_t *cp)
{
    if (s->at == s->end || (unsigned char)*s->at < 0x20)
        return false;
    if (char_take(s, '\\'))
        return escape_take(s, cp);
    s->at += utf8_decode(s->at, (size_t)(s->end - s->at), cp);
    return *cp != UTF8_BAD;
}

static bool string_scan(struct scan *s)
{
    uint32_t cp;

    if (!char_take(s, '"'))
        return false;
    while (!char_take(s, '"'))
        if (!character_take(s, &cp))
            return false;
    return true;
}

/* ---- Other values ---------------------------------------------------------------------------- */

static bool digits_scan(struct scan *s)
{
    const char *from = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > from;
}

static bool number_scan(struct scan *s)
{
    (void)char_take(s, '-');
    if (!char_take(s, '0') && !digits_scan(s))
        return false;
    if (char_take(s, '.') && !digits_scan(s))
        return false;
    if (!char_take(s, 'e') && !char_take(s, 'E'))
        return true;
    if (!char_take(s, '+'))
        (void)char_take(s, '-');
    return digits_scan(s);
}

static bool word_scan(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

/* The name of a member and its colon. */
static bool name_scan(struct scan *s)
{
    space_skip(s);
    if (!string_scan(s))
        return false;
    space_skip(s);
    return char_take(s, ':');
}

static bool sequence_scan(struct scan *s, unsigned depth, bool named, char close)
{
    if (depth == 0)
        return false;
    s->at++;
    space_skip(s);
    if (char_take(s, close))
        return true;
    do {
        if ((named && !name_scan(s)) || value_scan(s, depth - 1) == JSON_NONE)
            return false;
    } while (char_take(s, ','));
    return char_take(s, close);
}

static enum json_kind value_scan(struct scan *s, unsigned depth)
{
    enum json_kind kind = JSON_NONE;

    space_skip(s);
    if (s->at == s->end)
        return JSON_NONE;
    if (*s->at == '{')
        kind = sequence_scan(s, depth, true, '}') ? JSON_OBJECT : JSON_NONE;
    else if (*s->at == '[')
        kind = sequence_scan(s, depth, false, ']') ? JSON_ARRAY : JSON_NONE;
    else if (*s->at == '"')
        kind = string_scan(s) ? JSON_STRING : JSON_NONE;
    else if (word_scan(s, "true"))
        kind = JSON_TRUE;
    else if (word_scan(s, "false"))
        kind = JSON_FALSE;
    else if (word_scan(s, "null"))
        kind = JSON_NULL;
    else if (number_scan(s))
        kind = JSON_NUMBER;
    space_skip(s);
    return kind;
}

/* ---- Looking into what was parsed ------------------------------------------------------------ */

/* The text of the value that begins here. */
static struct json value_take(struct scan *s)
{
    struct json value;

    space_skip(s);
    value.text.at = s->at;
    value.kind = value_scan(s, JSON_DEPTH_MAX);
    value.text.len = (size_t)(s->at - value.text.at);
    while (value.text.len > 0 && strchr(" \t\r\n", value.text.at[value.text.len - 1]) != NULL)
        value.text.len--;
    return value;
}

bool json_parse(struct json *value, struct span text)
{
    struct scan s;

    *value = (struct json){.kind = JSON_NONE};
    if (text.len == 0)
        return false;
    s = (struct scan){text.at, text.at + text.len};
    *value = value_take(&s);
    return value->kind != JSON_NONE && s.at == s.end;
}

struct json json_member(struct json object, const char *name)
{
    struct scan s;
    struct span found;
    struct json value;

    if (object.kind != JSON_OBJECT)
        return (struct json){.kind = JSON_NONE};
    s = (struct scan){object.text.at + 1, object.text.at + object.text.len};
    while (*s.at != '}') {
        space_skip(&s);
        found.at = s.at + 1;
        if (!string_scan(&s))
            break; /* an empty object with white space in it */
        found.len = (size_t)(s.at - found.at) - 1;
        space_skip(&s);
        s.at++;
        value = value_take(&s);
        if (span_equal(found, name))
            return value;
        (void)char_take(&s, ',');
    }
    return (struct json){.kind = JSON_NONE};
}

struct json json_element(struct json array, size_t *place)
{
    struct scan s;
    struct json value;

    if (array.kind != JSON_ARRAY)
        return (struct json){.kind = JSON_NONE};
    s = (struct scan){array.text.at + 1 + *place, array.text.at + array.text.len};
    space_skip(&s);
    if (*s.at == ']')
        return (struct json){.kind = JSON_NONE};
    value = value_take(&s);
    (void)char_take(&s, ',');
    *place = (size_t)(s.at - array.text.at) - 1;
    return value;
}

bool json_number(struct json number, uint64_t *value)
{
    uint64_t sum = 0;

    if (number.kind != JSON_NUMBER)
        return false;
    for (size_t i = 0; i < number.text.len; i++) {
        unsigned digit = (unsigned)number.text.at[i] - '0';

        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

size_t json_string(struct json string, char *out, size_t size)
{
    struct scan s;
    size_t len = 0;
    uint32_t cp;

    out[0] = '\0';
    if (string.kind != JSON_STRING)
        return 0;
    s = (struct scan){string.text.at + 1, string.text.at + string.text.len};
    while (*s.at != '"' && character_take(&s, &cp)) {
        char bytes[4];
        size_t n = utf8_encode(cp == 0 ? REPLACEMENT : cp, bytes);

        if (len + n >= size)
            break;
        memcpy(out + len, bytes, n);
        len += n;
    }
    out[len] = '\0';
    return len;
}
