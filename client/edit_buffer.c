/* edit_buffer.c: see edit_buffer.h. */
#include "edit_buffer.h"

#include "../wire/unicode.h"
#include "../wire/utf8.h"
#include "screen.h"

#include <string.h>

size_t edit_next(const struct edit_buffer *edit, size_t at)
{
    return at < edit->len ? at + cluster_first(edit->text + at, edit->len - at).len : at;
}

/* ASCII always begins a cluster. */
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

size_t edit_word_start(const struct edit_buffer *edit, size_t at)
{
    while (at > 0 && !blank_at(edit, at - 1))
        at--;
    return at;
}

size_t edit_word_previous(const struct edit_buffer *edit, size_t at)
{
    while (at > 0 && blank_at(edit, at - 1))
        at--;
    return edit_word_start(edit, at);
}

size_t edit_word_next(const struct edit_buffer *edit, size_t at)
{
    while (at < edit->len && blank_at(edit, at))
        at++;
    while (at < edit->len && !blank_at(edit, at))
        at++;
    return at;
}

bool edit_replace(struct edit_buffer *edit, size_t from, size_t to, struct span bytes)
{
    if (edit->len - (to - from) + bytes.len > EDIT_LINE_MAX)
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
    return true;
}

void edit_delete(struct edit_buffer *edit, size_t from, size_t to)
{
    edit_replace(edit, from, to, (struct span){0});
}

bool edit_set(struct edit_buffer *edit, struct span text)
{
    return edit_replace(edit, 0, edit->len, text);
}

bool edit_insert(struct edit_buffer *edit, uint32_t character)
{
    char bytes[4];

    if (char_class(character) == CHAR_DROPPED)
        return true;
    if (char_class(character) == CHAR_REPLACED)
        character = CHAR_REPLACEMENT;
    return edit_replace(
        edit, edit->cursor, edit->cursor, (struct span){bytes, utf8_encode(character, bytes)});
}

struct span edit_text(const struct edit_buffer *edit)
{
    return (struct span){edit->text, edit->len};
}
