/* display.c: the rows of the edited line, and the cursor movements between them. */
#include "display.h"

#include <string.h>

/* ---- The text: the prompt, and the line behind it ---- */

static size_t text_end(const struct display *display)
{
    return display->prompt.len + display->edit->len;
}

static size_t text_cursor(const struct display *display)
{
    return display->prompt.len + display->edit->cursor;
}

/* The text from that position to the end of the prompt, or of the line. */
static struct span text_from(const struct display *display, size_t at)
{
    struct span text = display->prompt;

    if (at >= text.len) {
        at -= text.len;
        text = edit_text(display->edit);
    }
    return (struct span){text.at + at, text.len - at};
}

/* A cluster never contains the end of the prompt and the beginning of the line. */
static struct cluster cluster_at(const struct display *display, size_t at)
{
    struct span text = text_from(display, at);

    return cluster_first(text.at, text.len);
}

/* ---- Rows ---- */

/* The number of rows, and the position of the cursor in them. */
struct layout {
    size_t rows;
    size_t row;       /* of the cursor */
    size_t row_start; /* position of the beginning of that row */
};

/* The end of the row that begins there. A row has at least one cluster, except at the end. */
static size_t row_end(const struct display *display, size_t at, size_t *used)
{
    *used = 0;
    while (at < text_end(display)) {
        struct cluster cluster = cluster_at(display, at);

        if (*used != 0 && *used + cluster.columns > display->columns)
            break;
        *used += cluster.columns;
        at += cluster.len;
    }
    return at;
}

static struct layout layout_make(const struct display *display)
{
    struct layout layout = {0};
    size_t at = 0;
    size_t next;
    size_t used;

    for (;;) {
        next = row_end(display, at, &used);
        if (at <= text_cursor(display)) {
            layout.row = layout.rows;
            layout.row_start = at;
        }
        layout.rows++;
        /* The end of the text needs a column, too. */
        if (next == text_end(display) && (next == at || used < display->columns))
            return layout;
        at = next;
    }
}

/* The width of [from, to). */
static size_t text_columns(const struct display *display, size_t from, size_t to, bool *sure)
{
    size_t columns = 0;

    *sure = true;
    while (from < to) {
        struct cluster cluster = cluster_at(display, from);

        columns += cluster.columns;
        *sure = *sure && cluster.sure;
        from += cluster.len;
    }
    return columns;
}

/* The number of rows that can be on the screen; one is left for other output. */
static size_t window_rows(const struct display *display)
{
    return display->rows > 1 ? display->rows - 1 : 1;
}

static void cursor_move(struct outbuf *out, size_t n, const char *direction)
{
    if (n == 0)
        return;
    outbuf_puts(out, "\x1b[");
    if (n > 1)
        outbuf_number(out, n);
    outbuf_puts(out, direction);
}

/* Tabs come from pasted text only, and are shown as one column. */
static void draw_span(struct span text, struct outbuf *out)
{
    const char *end = text.at + text.len;
    const char *tab;

    while (text.at < end && (tab = memchr(text.at, '\t', (size_t)(end - text.at))) != NULL) {
        outbuf_add(out, text.at, (size_t)(tab - text.at));
        outbuf_puts(out, " ");
        text.at = tab + 1;
    }
    outbuf_add(out, text.at, (size_t)(end - text.at));
}

static void draw_text(const struct display *display, size_t from, size_t to, struct outbuf *out)
{
    while (from < to) {
        struct span rest = text_from(display, from);

        rest.len = rest.len < to - from ? rest.len : to - from;
        draw_span(rest, out);
        from += rest.len;
    }
}

/*
 * Moves the cursor from a row of the window to its position. If terminals differ in the width of
 * the text before it, that text is written again, which puts the cursor where this terminal has it.
 */
static void draw_cursor(
    struct display *display, const struct layout *layout, size_t from, struct outbuf *out)
{
    size_t row = layout->row - display->top;
    bool sure;
    size_t column = text_columns(display, layout->row_start, text_cursor(display), &sure);

    if (row < from)
        cursor_move(out, from - row, "A");
    else
        cursor_move(out, row - from, "B");
    outbuf_puts(out, "\r");
    if (sure)
        cursor_move(out, column, "C");
    else
        draw_text(display, layout->row_start, text_cursor(display), out);
    display->drawn_row = row;
    display->drawn_column = column;
    display->drawn_cursor = text_cursor(display);
}

/* Scrolls the window so that it contains the cursor and as much text as possible. */
static void window_follow(struct display *display, const struct layout *layout)
{
    size_t window = window_rows(display);

    if (layout->rows < display->top + window)
        display->top = layout->rows > window ? layout->rows - window : 0;
    if (layout->row < display->top)
        display->top = layout->row;
    if (layout->row >= display->top + window)
        display->top = layout->row - window + 1;
}

/* Writes the rows of the window. The cursor is at the left edge of an empty row. */
static void draw_all(struct display *display, struct outbuf *out)
{
    struct layout layout = layout_make(display);
    size_t at = 0;
    size_t row;
    size_t next;
    size_t used;

    window_follow(display, &layout);
    for (row = 0; row < display->top; row++)
        at = row_end(display, at, &used);
    for (;; row++) {
        next = row_end(display, at, &used);
        draw_text(display, at, next, out);
        at = next;
        if (row + 1 == layout.rows || row + 1 == display->top + window_rows(display))
            break;
        outbuf_puts(out, "\r\n");
    }
    display->drawn_rows = row - display->top + 1;
    draw_cursor(display, &layout, row - display->top, out);
    display->edit->appended = 0;
    display->edit->changed = false;
}

/*
 * Erases the first row of the window and all below, and leaves the cursor at the left edge. Not in
 * one step: tmux copies a screen that is erased from its first position into its history.
 */
static void erase_all(struct display *display, struct outbuf *out)
{
    outbuf_puts(out, "\r");
    cursor_move(out, display->drawn_row, "A");
    outbuf_puts(out, "\x1b[K");
    if (display->drawn_rows > 1)
        outbuf_puts(out, "\n\x1b[J\x1b[A");
}

/* The frequent cases, typing at the end and moving, do not draw all. */
static bool refresh_little(struct display *display, struct outbuf *out)
{
    struct layout layout;

    if (display->edit->changed)
        return false;
    if (display->edit->appended != 0) {
        if (text_cursor(display) != text_end(display) ||
            display->drawn_cursor != text_end(display) - display->edit->appended ||
            display->drawn_column + display->edit->appended >= display->columns)
            return false;
        draw_text(display, display->drawn_cursor, text_end(display), out);
        display->drawn_column += display->edit->appended;
        display->drawn_cursor = text_cursor(display);
        display->edit->appended = 0;
        return true;
    }
    if (text_cursor(display) == display->drawn_cursor)
        return true;
    layout = layout_make(display);
    if (layout.row < display->top || layout.row >= display->top + window_rows(display))
        return false;
    draw_cursor(display, &layout, display->drawn_row, out);
    return true;
}

/*
 * Adjusts the state of the screen to a narrower terminal. Most terminals reflow: they fold each
 * row, and a cursor after a row that is full now stays on that row. On other terminals this erases
 * a row or two too many if a row no longer fits.
 */
static void rows_reflow(struct display *display, size_t columns)
{
    size_t rows = 0;
    size_t cursor_row = 0;
    size_t at = 0;
    size_t used;

    for (size_t row = 0; row < display->top + display->drawn_rows; row++) {
        at = row_end(display, at, &used);
        if (row == display->top + display->drawn_row) {
            bool behind = used != 0 && display->drawn_column == used;

            cursor_row = rows + (display->drawn_column - behind) / columns;
        }
        if (row >= display->top)
            rows += used > columns ? (used + columns - 1) / columns : 1;
    }
    display->drawn_rows = rows;
    display->drawn_row = cursor_row;
}

/* ---- The interface ---- */

void display_init(struct display *display, struct span prompt, struct edit_buffer *edit,
    unsigned rows, unsigned columns)
{
    *display = (struct display){.prompt = prompt, .edit = edit};
    display_resize(display, rows, columns);
}

void display_hide(struct display *display, struct outbuf *out)
{
    if (!display->shown)
        return;
    erase_all(display, out);
    display->shown = false;
}

void display_show(struct display *display, struct outbuf *out)
{
    if (display->shown)
        return;
    draw_all(display, out);
    display->shown = true;
}

void display_prompt(struct display *display, struct span prompt)
{
    display->prompt = prompt;
    display->edit->changed = true;
}

void display_forget(struct display *display)
{
    display->shown = false;
}

void display_refresh(struct display *display, struct outbuf *out)
{
    if (!display->shown || refresh_little(display, out))
        return;
    erase_all(display, out);
    draw_all(display, out);
}

bool display_resize(struct display *display, unsigned rows, unsigned columns)
{
    bool returned;

    rows = rows != 0 ? rows : 24;
    columns = columns != 0 ? columns : 80;
    if (rows == display->rows && columns == display->columns)
        return false;
    returned = display->spilled && (rows > display->rows || columns > display->columns);
    if (display->shown)
        rows_reflow(display, columns);
    display->spilled = !returned && (display->spilled || display->drawn_rows > rows);
    display->rows = rows;
    display->columns = columns;
    display->edit->changed = true;
    return returned;
}
