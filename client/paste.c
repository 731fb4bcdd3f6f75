/* paste.c: see paste.h. */
#include "paste.h"

#include <string.h>

void paste_begin(struct paste *paste)
{
    paste->state = PASTE_OPEN;
    paste->text.len = paste->text.cursor = 0;
}

void paste_add(struct paste *paste, uint32_t character)
{
    struct edit_buffer *text = &paste->text;
    bool added;

    if (paste->state != PASTE_OPEN)
        return;
    if (character == '\n' && (text->len == 0 || text->text[text->len - 1] == '\n'))
        return;
    if (character == '\n')
        added = edit_replace(text, text->len, text->len, (struct span){"\n", 1});
    else
        added = edit_insert(text, character);
    if (!added)
        paste->state = PASTE_TOO_LONG;
}

bool paste_cancel(struct paste *paste)
{
    bool pasting = paste->state != PASTE_NONE;

    paste->state = PASTE_NONE;
    return pasting;
}

void paste_drop(struct paste *paste)
{
    paste->held.len = paste->held.cursor = 0;
    paste->lines = paste->sent = 0;
}

/* Adds a line of three pieces. is_text: a `/` at its beginning is text and is doubled. */
static void held_add(struct paste *paste, const struct span pieces[3], bool is_text)
{
    struct edit_buffer *held = &paste->held;
    size_t begin = held->len;

    for (size_t i = 0; i < 3; i++)
        edit_replace(held, held->len, held->len, pieces[i]);
    if (is_text && held->text[begin] == '/')
        edit_replace(held, begin, begin, (struct span){"/", 1});
    edit_replace(held, held->len, held->len, (struct span){"\n", 1});
    paste->lines++;
}

static struct span line_take(struct span *text)
{
    const char *lf = text->len > 0 ? memchr(text->at, '\n', text->len) : NULL;
    struct span line = {text->at, lf != NULL ? (size_t)(lf - text->at) : text->len};
    size_t taken = line.len + (lf != NULL);

    *text = (struct span){text->at + taken, text->len - taken};
    return line;
}

static size_t lines_in(struct span text)
{
    size_t lines = 0;

    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

/* Holds the lines; the edited text is put before the first and after the last one. */
static bool lines_hold(struct paste *paste, struct edit_buffer *edit, struct span rest)
{
    struct span before = edit_range(edit, 0, edit->cursor);
    struct span behind = edit_range(edit, edit->cursor, edit->len);
    bool is_text = edit_is_pasted(edit, 0) || edit->cursor == 0;

    /* A slash may be added to each line. */
    if (!edit_reserve(&paste->held, edit->len + rest.len + 2 * lines_in(rest) + 2))
        return false;
    for (bool first = true; rest.len > 0; first = false) {
        struct span line = line_take(&rest);
        struct span pieces[] = {before, line, behind};
        if (!first)
            pieces[0].len = 0;
        if (rest.len > 0)
            pieces[2].len = 0;
        held_add(paste, pieces, is_text || !first);
    }
    edit_delete(edit, 0, edit->len);
    return true;
}

bool paste_end(struct paste *paste, struct edit_buffer *edit)
{
    struct span text = edit_text(&paste->text);
    bool whole = paste->state == PASTE_OPEN;

    paste->state = PASTE_NONE;
    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (!whole)
        return false;
    return lines_in(text) > 0 ? lines_hold(paste, edit, text) : edit_paste(edit, text);
}

bool paste_next(struct paste *paste, struct span *line)
{
    struct span rest = edit_range(&paste->held, paste->sent, paste->held.len);

    if (rest.len == 0)
        return false;
    *line = line_take(&rest);
    paste->sent += line->len + 1;
    paste->lines--;
    return true;
}

void paste_free(struct paste *paste)
{
    edit_free(&paste->text);
    edit_free(&paste->held);
}
