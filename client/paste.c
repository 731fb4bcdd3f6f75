/* paste.c: the lines of a paste: inserted, held, sent or dropped. */
#include "paste.h"

#include "../protocol.h"

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

/* Adds a line of several pieces. is_text: a `/` at its beginning is text and is doubled. */
static void held_add(struct paste *paste, const struct span pieces[], size_t count, bool is_text)
{
    struct edit_buffer *held = &paste->held;
    size_t begin = held->len;

    for (size_t i = 0; i < count; i++)
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

static size_t breaks_count(struct span text)
{
    size_t lines = 0;

    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

/* True for a typed command. `//` begins a text. */
static bool edit_is_command(const struct edit_buffer *edit)
{
    return edit->len > 0 && edit->text[0] == '/' && !edit_is_pasted(edit, 0) &&
           (edit->len == 1 || edit->text[1] != '/');
}

/*
 * Finds the command to repeat before each line: `/msg NAME ` or `/me ` before the cursor, or
 * nothing. False: another command, which takes one line.
 */
static bool repeat_find(const struct edit_buffer *edit, struct span *repeat)
{
    struct span before = edit_range(edit, 0, edit->cursor);
    struct request request;
    const char *end;

    *repeat = (struct span){"", 0};
    if (!edit_is_command(edit))
        return true;
    request = request_parse(before.at, before.len, true);
    if (request.command == CMD_MSG && request.name.len > 0)
        end = request.name.at + request.name.len;
    else if (request.command == CMD_ME)
        end = before.at + strlen("/me");
    else
        return false;
    if (end >= before.at + before.len) /* the paste would change the word */
        return false;
    *repeat = (struct span){before.at, (size_t)(end + 1 - before.at)};
    return true;
}

/* Makes room for the lines, each with the command before it and perhaps a slash. */
static bool lines_reserve(struct paste *paste, const struct edit_buffer *edit, struct span rest)
{
    size_t lines = breaks_count(rest) + 1;

    return edit_reserve(&paste->held, edit->len + rest.len + (2 + paste->repeat.len) * lines);
}

/* Holds the lines; the edited text is put before the first and after the last one. */
static enum paste_outcome lines_hold(
    struct paste *paste, struct edit_buffer *edit, struct span rest)
{
    struct span before = edit_range(edit, 0, edit->cursor);
    struct span behind = edit_range(edit, edit->cursor, edit->len);
    bool is_text = edit_is_pasted(edit, 0) || edit->cursor == 0;
    struct span repeat;

    if (!repeat_find(edit, &repeat))
        return PASTE_REFUSED;
    if (!edit_set(&paste->repeat, repeat) || !lines_reserve(paste, edit, rest))
        return PASTE_OVERSIZE;
    for (bool first = true; rest.len > 0; first = false) {
        struct span line = line_take(&rest);
        struct span pieces[] = {first ? before : edit_text(&paste->repeat), line, behind};

        held_add(paste, pieces, rest.len > 0 ? 2 : 3, first ? is_text : paste->repeat.len == 0);
    }
    edit_set(edit, edit_text(&paste->repeat));
    return PASTE_TAKEN;
}

enum paste_outcome paste_end(struct paste *paste, struct edit_buffer *edit)
{
    struct span text = edit_text(&paste->text);
    bool whole = paste->state == PASTE_OPEN;

    paste->state = PASTE_NONE;
    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (!whole)
        return PASTE_OVERSIZE;
    if (breaks_count(text) > 0)
        return lines_hold(paste, edit, text);
    return edit_paste(edit, text) ? PASTE_TAKEN : PASTE_OVERSIZE;
}

bool paste_is_all(const struct paste *paste, const struct edit_buffer *edit)
{
    struct span repeat = edit_text(&paste->repeat);

    return paste->lines > 0 && edit->len == repeat.len &&
           (repeat.len == 0 || memcmp(edit->text, repeat.at, repeat.len) == 0);
}

void paste_finish(struct paste *paste)
{
    paste->held.len = paste->held.cursor = 0;
    paste->lines = paste->sent = 0;
}

void paste_drop(struct paste *paste)
{
    if (paste->lines > 0)
        edit_set(&paste->aside, edit_range(&paste->held, paste->sent, paste->held.len));
    paste_finish(paste);
}

bool paste_restore(struct paste *paste, struct edit_buffer *edit)
{
    struct edit_buffer *held = &paste->held;
    struct span aside = edit_text(&paste->aside);

    if (aside.len == 0 || !edit_replace(held, held->len, held->len, aside))
        return false;
    paste->lines += breaks_count(aside);
    if (edit->len == 0)
        edit_set(edit, edit_text(&paste->repeat));
    paste_forget(paste);
    return true;
}

void paste_forget(struct paste *paste)
{
    paste->aside.len = 0;
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
    edit_free(&paste->repeat);
    edit_free(&paste->aside);
}
