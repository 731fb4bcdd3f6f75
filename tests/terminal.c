/*
 * terminal.c: cells, a cursor, and the few sequences that are used. libcheck reports each passed
 * ck_assert to its parent process; what is done for each character is checked without.
 */
#include "terminal.h"

#include "../client/screen.h"
#include "../protocol.h"
#include "wire/unicode.h"
#include "wire/utf8.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct terminal *terminal_new(unsigned rows, unsigned columns)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);

    ck_assert_ptr_nonnull(terminal);
    terminal_resize(terminal, rows, columns);
    return terminal;
}

void terminal_free(struct terminal *terminal)
{
    free(terminal->cells);
    free(terminal->history);
    free(terminal);
}

static struct terminal_cell *cell_at(const struct terminal *terminal, unsigned row, unsigned column)
{
    return &terminal->cells[row * terminal->columns + column];
}

const char *terminal_row(const struct terminal *terminal, unsigned row)
{
    static char text[TERMINAL_TEXT_MAX + 1];
    size_t len = 0;
    size_t end = 0;

    if (row >= terminal->rows)
        ck_abort_msg("there is no row %u", row);
    for (unsigned column = 0; column < terminal->columns; column++) {
        const struct terminal_cell *cell = cell_at(terminal, row, column);
        size_t n = strlen(cell->text);

        if (cell->right_half)
            continue;
        memcpy(text + len, n != 0 ? cell->text : " ", n != 0 ? n : 1);
        len += n != 0 ? n : 1;
        if (n != 0)
            end = len;
    }
    text[end] = '\0';
    return text;
}

/* Empties all cells from there to the beginning of another row. */
static void erase(struct terminal *terminal, unsigned row, unsigned column, unsigned to_row)
{
    struct terminal_cell *from = cell_at(terminal, row, column);

    memset(from, 0, (size_t)(cell_at(terminal, to_row, 0) - from) * sizeof *from);
}

static void erase_row(struct terminal *terminal)
{
    memset(cell_at(terminal, terminal->row, terminal->column), 0,
        (terminal->columns - terminal->column) * sizeof *terminal->cells);
}

static void scroll(struct terminal *terminal)
{
    const char *text = terminal_row(terminal, 0);
    size_t len = strlen(text);

    terminal->history = realloc(terminal->history, terminal->history_len + len + 1);
    ck_assert_ptr_nonnull(terminal->history);
    memcpy(terminal->history + terminal->history_len, text, len);
    terminal->history_len += len;
    terminal->history[terminal->history_len++] = '\n';
    memmove(terminal->cells, cell_at(terminal, 1, 0),
        (terminal->rows - 1) * terminal->columns * sizeof *terminal->cells);
    erase(terminal, terminal->rows - 1, 0, terminal->rows);
}

static void line_feed(struct terminal *terminal)
{
    terminal->waits = false;
    if (terminal->row + 1 == terminal->rows)
        scroll(terminal);
    else
        terminal->row++;
}

/* The cell that the last character went to. */
static struct terminal_cell *cell_before(struct terminal *terminal)
{
    struct terminal_cell *row = cell_at(terminal, terminal->row, 0);
    unsigned column = terminal->column;

    if (!terminal->waits && column > 0)
        column--;
    if (row[column].right_half)
        column--;
    return &row[column];
}

static void cell_append(struct terminal_cell *cell, const char *bytes, size_t len)
{
    size_t used = strlen(cell->text);

    if (used + len >= sizeof cell->text)
        ck_abort_msg("too many marks: %s", cell->text);
    memcpy(cell->text + used, bytes, len);
    cell->text[used + len] = '\0';
}

static bool joined_to(const struct terminal_cell *cell, uint32_t cp)
{
    size_t len = strlen(cell->text);

    if (cp >= 0x1F3FB && cp <= 0x1F3FF)
        return true;
    return len >= 3 && memcmp(cell->text + len - 3, "\xE2\x80\x8D", 3) == 0;
}

static void character_put(struct terminal *terminal, const char *bytes, size_t len)
{
    struct terminal_cell *before = cell_before(terminal);
    unsigned columns = cluster_first(bytes, len).columns;
    struct terminal_cell *cell;
    uint32_t cp;

    utf8_decode(bytes, len, &cp);
    if (columns == 0 || (terminal->joins && joined_to(before, cp))) {
        cell_append(before, bytes, len);
        return;
    }
    if (terminal->waits || terminal->column + columns > terminal->columns) {
        line_feed(terminal);
        terminal->column = 0;
    }
    cell = cell_at(terminal, terminal->row, terminal->column);
    memset(cell, 0, columns * sizeof *cell);
    cell_append(cell, bytes, len);
    for (unsigned i = 1; i < columns; i++)
        cell[i].right_half = true;
    terminal->column += columns;
    if (terminal->column == terminal->columns) {
        terminal->column--;
        terminal->waits = true;
    }
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* A CSI sequence: its parameters, and the final byte. */
static void sequence(struct terminal *terminal, const char *parameters, char final)
{
    unsigned number = (unsigned)strtoul(parameters, NULL, 10);
    unsigned n = number != 0 ? number : 1;

    if (strcmp(parameters, "?2004") == 0) {
        terminal->paste = final == 'h';
        return;
    }
    switch (final) {
    case 'A':
        terminal->row -= smaller(n, terminal->row);
        break;
    case 'B':
        terminal->row = smaller(terminal->row + n, terminal->rows - 1);
        break;
    case 'C':
        terminal->column = smaller(terminal->column + n, terminal->columns - 1);
        break;
    case 'H':
        ck_assert_str_eq(parameters, "");
        terminal->row = terminal->column = 0;
        break;
    case 'J':
        if (number != 2 && terminal->row == 0 && terminal->column == 0)
            ck_abort_msg("tmux takes that for a screen to be kept in its history");
        if (number == 2)
            erase(terminal, 0, 0, terminal->rows);
        else
            erase(terminal, terminal->row, terminal->column, terminal->rows);
        return;
    case 'K':
        erase_row(terminal);
        return;
    default:
        ck_abort_msg("unknown sequence: CSI %s %c", parameters, final);
    }
    terminal->waits = false;
}

/* The length of the sequence behind ESC [. */
static size_t sequence_read(struct terminal *terminal, const char *bytes, size_t len)
{
    char parameters[16];
    size_t n = 0;

    while (n < len && bytes[n] < '@')
        n++;
    if (n == len || n >= sizeof parameters)
        ck_abort_msg("an unfinished sequence");
    memcpy(parameters, bytes, n);
    parameters[n] = '\0';
    sequence(terminal, parameters, bytes[n]);
    return n + 1;
}

static size_t character(struct terminal *terminal, const char *bytes, size_t len)
{
    uint32_t cp;
    size_t n = utf8_decode(bytes, len, &cp);

    if (cp == UTF8_BAD || char_is_forbidden(cp) || cp == '\t')
        ck_abort_msg("%x was written", (unsigned)cp);
    character_put(terminal, bytes, n);
    return n;
}

void terminal_write(struct terminal *terminal, const char *bytes, size_t len, bool onlcr)
{
    while (len > 0) {
        size_t n = 1;

        if (len > 2 && bytes[0] == '\x1b' && bytes[1] == '[') {
            n = 2 + sequence_read(terminal, bytes + 2, len - 2);
        } else if (*bytes == '\n') {
            line_feed(terminal);
            if (onlcr)
                terminal->column = 0;
        } else if (*bytes == '\r') {
            terminal->column = 0;
            terminal->waits = false;
        } else if (*bytes == '\a') {
            terminal->bells++;
        } else {
            n = character(terminal, bytes, len);
        }
        bytes += n;
        len -= n;
    }
}

void terminal_resize(struct terminal *terminal, unsigned rows, unsigned columns)
{
    struct terminal_cell *cells = calloc((size_t)rows * columns, sizeof *cells);

    ck_assert_ptr_nonnull(cells);
    ck_assert_uint_le(columns, TERMINAL_COLUMNS_MAX);
    while (terminal->rows != 0 && terminal->row >= rows) {
        scroll(terminal);
        terminal->row--;
    }
    for (unsigned row = 0; row < smaller(rows, terminal->rows); row++)
        memcpy(&cells[row * columns], cell_at(terminal, row, 0),
            smaller(columns, terminal->columns) * sizeof *cells);
    free(terminal->cells);
    terminal->cells = cells;
    terminal->rows = rows;
    terminal->columns = columns;
    terminal->column = smaller(terminal->column, columns - 1);
    terminal->waits = false;
}
