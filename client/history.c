/* history.c: see history.h. */
#include "history.h"

#include <stdlib.h>
#include <string.h>

static bool spans_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* A copy, or nothing where there is no memory. */
static struct span span_copy(struct span text)
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

/* Whether the text would be lost: not sent yet, nor kept as the draft. */
static bool history_leaves_draft(const struct history *history, struct span text)
{
    if (history->at == history->len)
        return true;
    return history->draft.len == 0 && !spans_equal(history->lines[history->at], text);
}

static struct span history_show(struct history *history, size_t at, struct span text)
{
    if (history_leaves_draft(history, text)) {
        free((char *)history->draft.at);
        history->draft = span_copy(text);
    }
    history->at = at;
    return at == history->len ? history->draft : history->lines[at];
}

bool history_previous(struct history *history, struct span *text)
{
    if (history->at == 0)
        return false;
    *text = history_show(history, history->at - 1, *text);
    return true;
}

bool history_next(struct history *history, struct span *text)
{
    if (history->at == history->len)
        return false;
    *text = history_show(history, history->at + 1, *text);
    return true;
}

void history_free(struct history *history)
{
    for (size_t i = 0; i < history->len; i++)
        free((char *)history->lines[i].at);
    free((char *)history->draft.at);
    *history = (struct history){0};
}
