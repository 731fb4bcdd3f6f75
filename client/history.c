/* history.c: copies of the lines, and steps through them. */
#include "history.h"

#include <stdlib.h>
#include <string.h>

static bool spans_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* A copy; empty if there is no memory. */
static struct span entry_copy(struct span text)
{
    char *copy = text.len != 0 ? malloc(text.len) : NULL;

    if (copy == NULL)
        return (struct span){0};
    memcpy(copy, text.at, text.len);
    return (struct span){copy, text.len};
}

static void history_drop_oldest(struct history *history)
{
    free((char *)history->lines[0].at);
    history->len--;
    memmove(history->lines, history->lines + 1, history->len * sizeof history->lines[0]);
}

void history_add(struct history *history, struct span line)
{
    char *copy;

    if (line.len == 0 || (history->len != 0 && spans_equal(history->lines[history->len - 1], line)))
        return;
    copy = malloc(line.len);
    if (copy == NULL)
        return;
    memcpy(copy, line.at, line.len);
    if (history->len == HISTORY_LINES_MAX)
        history_drop_oldest(history);
    history->lines[history->len++] = (struct span){copy, line.len};
}

void history_leave(struct history *history)
{
    history->at = history->len;
}

static bool history_shows(const struct history *history, struct span text)
{
    return history->at < history->len && spans_equal(history->lines[history->at], text);
}

/* Makes an edited line the draft, unless another draft would be lost. */
static void history_begin(struct history *history, struct span text, size_t cursor)
{
    if (history_shows(history, text) || (history->at < history->len && history->draft.len > 0))
        return;
    free((char *)history->draft.at);
    history->draft = entry_copy(text);
    history->prefix = cursor < history->draft.len ? cursor : history->draft.len;
}

/* True for a line with the prefix that differs from the one on the screen. */
static bool history_fits(const struct history *history, size_t at, struct span text)
{
    struct span line = history->lines[at];

    return line.len >= history->prefix && !spans_equal(line, text) &&
           (history->prefix == 0 || memcmp(line.at, history->draft.at, history->prefix) == 0);
}

bool history_previous(struct history *history, struct span text, size_t cursor, struct span *found)
{
    size_t at = history->at;

    history_begin(history, text, cursor);
    while (at > 0 && !history_fits(history, at - 1, text))
        at--;
    if (at == 0)
        return false;
    history->at = at - 1;
    *found = history->lines[at - 1];
    return true;
}

bool history_next(struct history *history, struct span text, size_t cursor, struct span *found)
{
    size_t at = history->at + 1;

    if (history->at == history->len)
        return false;
    history_begin(history, text, cursor);
    while (at < history->len && !history_fits(history, at, text))
        at++;
    history->at = at;
    *found = at < history->len ? history->lines[at] : history->draft;
    return true;
}

void history_free(struct history *history)
{
    for (size_t i = 0; i < history->len; i++)
        free((char *)history->lines[i].at);
    free((char *)history->draft.at);
    *history = (struct history){0};
}
