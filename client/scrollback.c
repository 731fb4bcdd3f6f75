/* scrollback.c: adds lines, drops the oldest, and draws the latest. */
#include "scrollback.h"

#include <string.h>

/* For a terminal of unknown width. */
#define COLUMNS_USUAL 80

/* Drops about half of the text at once, so that memory is not moved for each line. */
static void scrollback_trim(struct outbuf *text)
{
    const char *lf = memchr(text->at + SCROLLBACK_MAX / 2, '\n', text->len - SCROLLBACK_MAX / 2);

    outbuf_take(text, lf != NULL ? (size_t)(lf + 1 - text->at) : text->len);
}

void scrollback_add(struct scrollback *scrollback, struct span line)
{
    outbuf_add(&scrollback->text, line.at, line.len);
    outbuf_puts(&scrollback->text, "\n");
    if (scrollback->text.len > SCROLLBACK_MAX)
        scrollback_trim(&scrollback->text);
}

bool scrollback_next(const struct scrollback *scrollback, struct span *line)
{
    const struct outbuf *text = &scrollback->text;
    const char *at, *end;

    if (text->len == 0)
        return false;
    at = line->at != NULL ? line->at + line->len + 1 : text->at;
    end = text->at + text->len;
    if (at == end)
        return false;
    *line = (struct span){at, (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at)};
    return true;
}

/* The line that ends before that place; begin > 0. */
static struct span scrollback_line_before(const struct scrollback *scrollback, size_t begin)
{
    const char *at = scrollback->text.at;
    size_t end = begin - 1;

    for (begin = end; begin > 0 && at[begin - 1] != '\n';)
        begin--;
    return (struct span){at + begin, end - begin};
}

static size_t line_rows(struct span line, size_t columns, size_t indent)
{
    struct outbuf wrapped = {0};
    size_t rows;

    outbuf_line(&wrapped, line, columns, indent);
    rows = text_rows(wrapped.at, wrapped.len, columns != 0 ? columns : COLUMNS_USUAL);
    outbuf_free(&wrapped);
    return rows;
}

void scrollback_draw(const struct scrollback *scrollback, size_t rows, size_t columns,
    size_t indent, struct outbuf *out)
{
    const struct outbuf *text = &scrollback->text;
    size_t begin = text->len;
    struct span line = {0};

    while (begin > 0) {
        struct span before = scrollback_line_before(scrollback, begin);
        size_t needed = line_rows(before, columns, indent);
        if (needed > rows)
            break;
        rows -= needed;
        line = before;
        begin = (size_t)(line.at - text->at);
    }
    if (line.at == NULL)
        return;
    do
        outbuf_line(out, line, columns, indent);
    while (scrollback_next(scrollback, &line));
}

void scrollback_clear(struct scrollback *scrollback)
{
    scrollback->text.len = 0;
}

void scrollback_free(struct scrollback *scrollback)
{
    outbuf_free(&scrollback->text);
}
