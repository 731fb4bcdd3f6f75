/* edit_buffer.c: inserts, deletes and moves, by clusters and words. */
#include "edit_buffer.h"

#include "../wire/text.h"
#include "../wire/unicode.h"
#include "../wire/utf8.h"
#include "screen.h"

#include <stdlib.h>
#include <string.h>

size_t edit_next(const struct edit_buffer *edit, size_t at)
{
    return at < edit->len ? at + cluster_first(edit->text + at, edit->len - at).len : at;
}

/* An ASCII character always begins a cluster. */
size_t edit_previous(const struct edit_buffer *edit, size_t at)
{
    size_t begin = at;
    size_t next;

    if (at == 0)
        return 0;
    do
        begin--;
    while (begin > 0 && (unsigned char)edit->text[begin] >= 0x80);
    while ((next = edit_next(edit, begin)) < at)
        begin = next;
    return begin;
}

static bool blank_at(const struct edit_buffer *edit, size_t at)
{
    return edit->text[at] == ' ' || edit->text[at] == '\t';
}

size_t edit_blank_word_start(const struct edit_buffer *edit, size_t at)
{
    while (at > 0 && !blank_at(edit, at - 1))
        at--;
    return at;
}

size_t edit_blank_word_previous(const struct edit_buffer *edit, size_t at)
{
    while (at > 0 && blank_at(edit, at - 1))
        at--;
    return edit_blank_word_start(edit, at);
}

/* ASCII letters and digits, and all non-ASCII characters except spaces. */
static bool word_at(const struct edit_buffer *edit, size_t at)
{
    unsigned char byte = (unsigned char)edit->text[at];
    uint32_t cp;

    if (byte < 0x80)
        return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
    utf8_decode(edit->text + at, edit->len - at, &cp);
    return !char_is_space(cp);
}

size_t edit_word_previous(const struct edit_buffer *edit, size_t at)
{
    size_t before = edit_previous(edit, at);

    for (; at > 0 && !word_at(edit, before); before = edit_previous(edit, at))
        at = before;
    for (; at > 0 && word_at(edit, before); before = edit_previous(edit, at))
        at = before;
    return at;
}

size_t edit_word_next(const struct edit_buffer *edit, size_t at)
{
    while (at < edit->len && !word_at(edit, at))
        at = edit_next(edit, at);
    while (at < edit->len && word_at(edit, at))
        at = edit_next(edit, at);
    return at;
}

bool edit_reserve(struct edit_buffer *edit, size_t more)
{
    size_t len = edit->len + more;
    size_t size = edit->size != 0 ? edit->size : 256;
    char *text;

    if (len > EDIT_MAX)
        return false;
    while (size < len)
        size *= 2;
    if (size == edit->size)
        return true;
    text = realloc(edit->text, size);
    if (text == NULL)
        return false;
    edit->text = text;
    edit->size = size;
    return true;
}

/* The new position of the beginning or the end of the pasted text after a replacement. */
static size_t border_move(size_t at, size_t from, size_t to, size_t len, bool begins)
{
    if (at >= to && (begins || at > from))
        return at - (to - from) + len;
    if (at <= from)
        return at;
    return begins ? from + len : from;
}

bool edit_replace(struct edit_buffer *edit, size_t from, size_t to, struct span bytes)
{
    if (!edit_reserve(edit, bytes.len > to - from ? bytes.len - (to - from) : 0))
        return false;
    if (from == edit->len && bytes.len == 1 && (unsigned char)*bytes.at < 0x80)
        edit->appended++;
    else if (from != to || bytes.len != 0)
        edit->changed = true;
    memmove(edit->text + from + bytes.len, edit->text + to, edit->len - to);
    if (bytes.len != 0)
        memcpy(edit->text + from, bytes.at, bytes.len);
    edit->len += bytes.len - (to - from);
    edit->cursor = from + bytes.len;
    edit->pasted_from = border_move(edit->pasted_from, from, to, bytes.len, true);
    edit->pasted_to = border_move(edit->pasted_to, from, to, bytes.len, false);
    if (edit->pasted_from >= edit->pasted_to)
        edit->pasted_from = edit->pasted_to = 0;
    return true;
}

void edit_delete(struct edit_buffer *edit, size_t from, size_t to)
{
    edit_replace(edit, from, to, (struct span){0});
}

bool edit_set(struct edit_buffer *edit, struct span text)
{
    edit->pasted_from = edit->pasted_to = 0;
    return edit_replace(edit, 0, edit->len, text);
}

bool edit_insert(struct edit_buffer *edit, uint32_t character)
{
    char raw[4];
    char clean[3 * sizeof raw];
    size_t len = text_clean(clean, raw, utf8_encode(character, raw));

    return edit_replace(edit, edit->cursor, edit->cursor, (struct span){clean, len});
}

bool edit_transpose(struct edit_buffer *edit)
{
    size_t middle = edit->cursor < edit->len ? edit->cursor : edit_previous(edit, edit->len);
    size_t from = edit_previous(edit, middle);
    size_t to = edit_next(edit, middle);
    struct edit_buffer both = {0};
    bool done = false;

    if (from == middle || middle == to)
        return false;
    if (edit_set(&both, edit_range(edit, middle, to)) &&
        edit_replace(&both, both.len, both.len, edit_range(edit, from, middle)))
        done = edit_replace(edit, from, to, edit_text(&both));
    edit_free(&both);
    return done;
}

bool edit_paste(struct edit_buffer *edit, struct span bytes)
{
    size_t from = edit->cursor;

    if (!edit_replace(edit, from, from, bytes))
        return false;
    if (edit->pasted_from == edit->pasted_to || from < edit->pasted_from)
        edit->pasted_from = from;
    if (edit->cursor > edit->pasted_to)
        edit->pasted_to = edit->cursor;
    return true;
}

bool edit_is_pasted(const struct edit_buffer *edit, size_t at)
{
    return edit->pasted_from <= at && at < edit->pasted_to;
}

struct span edit_text(const struct edit_buffer *edit)
{
    return edit_range(edit, 0, edit->len);
}

struct span edit_range(const struct edit_buffer *edit, size_t from, size_t to)
{
    if (edit->text == NULL)
        return (struct span){"", 0};
    return (struct span){edit->text + from, to - from};
}

void edit_free(struct edit_buffer *edit)
{
    free(edit->text);
    *edit = (struct edit_buffer){0};
}
