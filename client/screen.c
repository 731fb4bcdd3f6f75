/* screen.c: clusters and their columns, and rows that end between words. */
#define _XOPEN_SOURCE 700 /* wcwidth(3) */

#include "screen.h"

#include "../protocol.h"
#include "../wire/text.h"
#include "../wire/unicode.h"
#include "../wire/utf8.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* ---- Output ------------------------------------------------------------------------------- */

static bool outbuf_make_room(struct outbuf *out, size_t len)
{
    size_t size = out->size != 0 ? out->size : 4096;
    char *at;

    if (len > OUTBUF_MAX - out->len)
        return false;
    while (size - out->len < len)
        size *= 2;
    if (size == out->size)
        return true;
    at = realloc(out->at, size);
    if (at == NULL)
        return false;
    out->at = at;
    out->size = size;
    return true;
}

void outbuf_add(struct outbuf *out, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (!outbuf_make_room(out, len)) {
        out->lost = true;
        return;
    }
    memcpy(out->at + out->len, bytes, len);
    out->len += len;
}

void outbuf_puts(struct outbuf *out, const char *text)
{
    outbuf_add(out, text, strlen(text));
}

void outbuf_number(struct outbuf *out, unsigned long number)
{
    char digits[3 * sizeof number + 1];

    snprintf(digits, sizeof digits, "%lu", number);
    outbuf_puts(out, digits);
}

void outbuf_clean(struct outbuf *out, const char *bytes, size_t len)
{
    if (text_is_clean(bytes, len))
        outbuf_add(out, bytes, len);
    else if (outbuf_make_room(out, 3 * len))
        out->len += text_clean(out->at + out->len, bytes, len);
    else
        out->lost = true;
}

void outbuf_take(struct outbuf *out, size_t len)
{
    out->len -= len;
    memmove(out->at, out->at + len, out->len);
}

void outbuf_free(struct outbuf *out)
{
    free(out->at);
    *out = (struct outbuf){0};
}

/* ---- Width -------------------------------------------------------------------------------- */

#define ZWJ 0x200D
#define EMOJI_SELECTOR 0xFE0F

/*
 * Joined emoji are one picture on some terminals and several on others. The larger width is used. A
 * cluster has a limit; the longest sequence that Unicode recommends, a kiss of two people, has 11
 * columns.
 */
#define CLUSTER_COLUMNS_MAX 12

void screen_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static bool char_is_regional(uint32_t cp)
{
    return cp >= 0x1F1E6 && cp <= 0x1F1FF;
}

static bool char_is_skin_tone(uint32_t cp)
{
    return cp >= 0x1F3FB && cp <= 0x1F3FF;
}

/* Characters that the C library does not know: those from 1F000 on are probably newer emoji. */
static unsigned char_columns(uint32_t cp, bool *sure)
{
    int columns;

    if ((cp >= 0x20 && cp < 0x7F) || cp == '\t')
        return 1;
    if (char_is_combining(cp))
        return 0;
    columns = wcwidth((wchar_t)cp);
    if (columns >= 0)
        return (unsigned)columns;
    *sure = false;
    return cp >= 0x1F000 ? 2 : 1;
}

/* True if cp, of that width, belongs to the cluster that ends with the character before. */
static bool cluster_takes(
    const struct cluster *cluster, uint32_t before, uint32_t cp, unsigned columns)
{
    if (columns == 0)
        return true;
    if (cluster->columns + columns > CLUSTER_COLUMNS_MAX)
        return false;
    return (before == ZWJ && cp >= 0x2000) || (char_is_skin_tone(cp) && before >= 0x80) ||
           (char_is_regional(before) && char_is_regional(cp) && cluster->columns == 1);
}

struct cluster cluster_first(const char *text, size_t len)
{
    struct cluster cluster = {.sure = true};
    uint32_t before;
    uint32_t cp;

    cluster.len = utf8_decode(text, len, &before);
    cluster.columns = char_columns(before, &cluster.sure);
    while (cluster.len < len) {
        bool sure = true;
        size_t n = utf8_decode(text + cluster.len, len - cluster.len, &cp);
        unsigned columns = char_columns(cp, &sure);

        if (!cluster_takes(&cluster, before, cp, columns)) {
            /* Some terminals join any character that follows a ZWJ. */
            cluster.sure = cluster.sure && !(before == ZWJ && cp >= 0x80);
            break;
        }
        if (columns != 0 || cp == EMOJI_SELECTOR || !sure)
            cluster.sure = false;
        cluster.len += n;
        cluster.columns += columns;
        if (cp == EMOJI_SELECTOR && cluster.columns == 1)
            cluster.columns = 2;
        before = cp;
    }
    return cluster;
}

/* ---- Rows --------------------------------------------------------------------------------- */

/* The length of an SGR sequence at that position; 0: there is none. */
static size_t sgr_len(const char *at, const char *end)
{
    const char *m = *at == '\x1b' ? memchr(at, 'm', (size_t)(end - at)) : NULL;

    return m != NULL ? (size_t)(m + 1 - at) : 0;
}

static bool is_blank(const char *at)
{
    return *at == ' ' || *at == '\t';
}

/* Returns the beginning of the next word, and its column. */
static const char *blanks_skip(const char *at, const char *end, size_t *column)
{
    for (; at < end && is_blank(at); at++)
        *column = *at == ' ' ? *column + 1 : (*column / 8 + 1) * 8;
    return at;
}

/* The text between two positions at which a row may end. */
struct word {
    size_t columns;
    bool visible; /* it has characters, possibly combining ones only, besides SGR sequences */
};

/* Returns the next position at which a row may end. */
static const char *word_skip(const char *at, const char *end, struct word *word)
{
    *word = (struct word){0};
    while (at < end && !is_blank(at)) {
        struct cluster cluster = {.len = sgr_len(at, end)};

        if (cluster.len == 0) {
            cluster = cluster_first(at, (size_t)(end - at));
            word->visible = true;
        }
        if (cluster.columns > 1 && word->columns != 0)
            break;
        at += cluster.len;
        word->columns += cluster.columns;
        if (cluster.columns > 1)
            break;
    }
    return at;
}

static void add_blanks(struct outbuf *out, size_t n)
{
    while (n-- > 0)
        outbuf_puts(out, " ");
}

void outbuf_wrap(struct outbuf *out, const char *text, size_t len, size_t columns, size_t indent)
{
    const char *end = text + len;
    size_t column = 0;
    struct word word;

    while (text < end) {
        size_t begin = column;
        const char *at = blanks_skip(text, end, &begin);

        text = word_skip(at, end, &word);
        if (begin + word.columns > columns && word.visible && indent + word.columns <= columns) {
            outbuf_puts(out, "\n");
            column = 0;
            begin = indent;
        }
        /* A blank before combining characters is their base; without it they would be added to the
         * previous base. */
        if (word.visible) {
            add_blanks(out, begin - column);
            column = begin + word.columns;
        }
        outbuf_add(out, at, (size_t)(text - at));
        if (column > columns)
            column %= columns;
    }
}

void outbuf_line(struct outbuf *out, struct span line, size_t columns, size_t indent)
{
    if (columns != 0)
        outbuf_wrap(out, line.at, line.len, columns, indent);
    else
        outbuf_add(out, line.at, line.len);
    outbuf_puts(out, "\n");
}

size_t text_rows(const char *text, size_t len, size_t columns)
{
    const char *end = text + len;
    size_t rows = len > 0 ? 1 : 0;
    size_t used = 0;

    while (text < end) {
        struct cluster cluster = {.len = sgr_len(text, end)};

        if (*text == '\n') {
            cluster.len = 1;
            used = 0;
            rows += text + 1 < end;
        } else if (cluster.len == 0) {
            cluster = cluster_first(text, (size_t)(end - text));
        }
        if (used + cluster.columns > columns) {
            used = 0;
            rows++;
        }
        used += cluster.columns;
        text += cluster.len;
    }
    return rows;
}
