/*
 * editor.c: keys change the line, the line is laid out in rows, the rows are drawn.
 *
 * Rows are ended here, by CR LF, and never by the terminal: a terminal that has written its last
 * column waits there with the cursor before it wraps, and terminals differ in what ends that wait.
 * The end of the line counts as one more column, so the cursor never has to stand behind a full
 * row, and nothing is erased while the terminal waits.
 */
#include "editor.h"
#include "../wire/text.h"
#include "../wire/unicode.h"
#include "../wire/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_BACKSPACE 0x08
#define KEY_TAB 0x09
#define KEY_ESCAPE 0x1B
#define KEY_DELETE 0x7F

#define REPLACEMENT 0xFFFD

/* Longer escape sequences than that of any key we know are skipped. */
#define SEQUENCE_MAX 8

enum input_state {
    INPUT_TEXT,
    INPUT_ESCAPE,   /* behind ESC */
    INPUT_SEQUENCE, /* up to a final byte */
    INPUT_STRING    /* an answer of the terminal, up to ST or a control character */
};

struct history {
    struct span lines[EDITOR_HISTORY_MAX];
    size_t len;
    size_t at; /* the line that is shown; len: none of these, but what the user was typing */
};

/* Names that fit what stood before the cursor when Tab was first pressed. */
struct completion {
    editor_names *names;
    void *context;
    bool active;
    size_t word; /* where in the text the word begins */
    size_t len;  /* of what stands there now */
    size_t next; /* the name to try next */
    char prefix[NAME_LEN_MAX + 1];
};

struct editor {
    /* Prompt and line are one text, for they are drawn as one. */
    char text[NAME_LEN_MAX + EDITOR_LINE_MAX];
    size_t start; /* of the line */
    size_t end;
    size_t cursor;
    size_t finished; /* length of the line that was finished and still stands at start */

    char draft[EDITOR_LINE_MAX]; /* what the user was typing before he looked into the history */
    size_t draft_len;
    struct history history;
    struct completion completion;

    enum input_state state;
    char sequence[SEQUENCE_MAX + 1]; /* what came behind ESC */
    size_t sequence_len;
    char utf8[4]; /* the beginning of a character */
    size_t utf8_len;
    bool after_cr;
    bool pasting;

    unsigned rows; /* of the terminal */
    unsigned columns;
    size_t top; /* the first row of the text that is on the screen, where not all of them are */
    /* What the screen shows, if shown is set; to be brought up to date by editor_refresh(). */
    bool shown;
    size_t drawn_rows;
    size_t drawn_row; /* of the cursor, counted from top */
    size_t drawn_column;
    size_t drawn_cursor;
    size_t appended; /* ASCII characters added at the end since */
    bool changed;    /* in other ways */
    bool cleared;    /* Ctrl-L */
    bool bell;
};

/* ---- The text ----------------------------------------------------------------------------- */

/* The cluster at that place. The prompt and the line have none in common. */
static struct cluster cluster_at(const struct editor *ed, size_t at)
{
    return cluster_first(ed->text + at, (at < ed->start ? ed->start : ed->end) - at);
}

static size_t cluster_next(const struct editor *ed, size_t at)
{
    return at < ed->end ? at + cluster_at(ed, at).len : at;
}

/* Where the cluster before that place begins. ASCII always begins one. */
static size_t cluster_previous(const struct editor *ed, size_t at)
{
    size_t begin = at;
    size_t next;

    if (at <= ed->start)
        return ed->start;
    do
        begin--;
    while (begin > ed->start && (unsigned char)ed->text[begin] >= 0x80);
    while ((next = cluster_next(ed, begin)) < at)
        begin = next;
    return begin;
}

static bool space_at(const struct editor *ed, size_t at)
{
    return ed->text[at] == ' ' || ed->text[at] == '\t';
}

static size_t word_previous(const struct editor *ed, size_t at)
{
    while (at > ed->start && space_at(ed, at - 1))
        at--;
    while (at > ed->start && !space_at(ed, at - 1))
        at--;
    return at;
}

static size_t word_next(const struct editor *ed, size_t at)
{
    while (at < ed->end && space_at(ed, at))
        at++;
    while (at < ed->end && !space_at(ed, at))
        at++;
    return at;
}

/* Puts bytes in the place of [from, to) and the cursor behind them, or rings where they have no
 * room. */
static bool text_replace(struct editor *ed, size_t from, size_t to, const char *bytes, size_t len)
{
    if (ed->end - ed->start - (to - from) + len > EDITOR_LINE_MAX) {
        ed->bell = true;
        return false;
    }
    if (from == ed->end && len == 1 && (unsigned char)*bytes < 0x80)
        ed->appended++;
    else if (from != to || len != 0)
        ed->changed = true;
    memmove(ed->text + from + len, ed->text + to, ed->end - to);
    if (len != 0)
        memcpy(ed->text + from, bytes, len);
    ed->end += len - (to - from);
    ed->cursor = from + len;
    return true;
}

static void text_delete(struct editor *ed, size_t from, size_t to)
{
    text_replace(ed, from, to, NULL, 0);
}

static void text_set(struct editor *ed, const char *line, size_t len)
{
    text_replace(ed, ed->start, ed->end, line, len);
}

static void text_insert(struct editor *ed, uint32_t cp)
{
    char bytes[4];

    if (cp == UTF8_BAD || char_is_forbidden(cp))
        cp = REPLACEMENT;
    text_replace(ed, ed->cursor, ed->cursor, bytes, utf8_encode(cp, bytes));
}

/* ---- Keys --------------------------------------------------------------------------------- */

typedef enum editor_event editor_key(struct editor *);

static enum editor_event key_home(struct editor *ed)
{
    ed->cursor = ed->start;
    return EDITOR_NONE;
}

static enum editor_event key_end(struct editor *ed)
{
    ed->cursor = ed->end;
    return EDITOR_NONE;
}

static enum editor_event key_left(struct editor *ed)
{
    ed->cursor = cluster_previous(ed, ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_right(struct editor *ed)
{
    ed->cursor = cluster_next(ed, ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_word_left(struct editor *ed)
{
    ed->cursor = word_previous(ed, ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_word_right(struct editor *ed)
{
    ed->cursor = word_next(ed, ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_backspace(struct editor *ed)
{
    text_delete(ed, cluster_previous(ed, ed->cursor), ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_delete(struct editor *ed)
{
    text_delete(ed, ed->cursor, cluster_next(ed, ed->cursor));
    return EDITOR_NONE;
}

static enum editor_event key_delete_or_end(struct editor *ed)
{
    return ed->start == ed->end ? EDITOR_END : key_delete(ed);
}

static enum editor_event key_kill_word(struct editor *ed)
{
    text_delete(ed, word_previous(ed, ed->cursor), ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_kill_to_start(struct editor *ed)
{
    text_delete(ed, ed->start, ed->cursor);
    return EDITOR_NONE;
}

static enum editor_event key_kill_to_end(struct editor *ed)
{
    text_delete(ed, ed->cursor, ed->end);
    return EDITOR_NONE;
}

static enum editor_event key_clear_screen(struct editor *ed)
{
    ed->cleared = true;
    return EDITOR_NONE;
}

static enum editor_event key_suspend(struct editor *ed)
{
    (void)ed;
    return EDITOR_SUSPEND;
}

static enum editor_event key_interrupt(struct editor *ed)
{
    if (ed->start == ed->end)
        return EDITOR_INTERRUPT;
    text_delete(ed, ed->start, ed->end);
    ed->history.at = ed->history.len;
    return EDITOR_NONE;
}

static enum editor_event key_paste_begin(struct editor *ed)
{
    ed->pasting = true;
    return EDITOR_NONE;
}

static enum editor_event key_paste_end(struct editor *ed)
{
    ed->pasting = false;
    return EDITOR_NONE;
}

/* ---- History ------------------------------------------------------------------------------ */

/* Keeps the line that was typed, unless it is the one before it once more or memory is short. */
static void history_add(struct history *history, const char *line, size_t len)
{
    const struct span *last = history->len != 0 ? &history->lines[history->len - 1] : NULL;
    char *copy;

    if (len == 0 || (last != NULL && last->len == len && memcmp(last->at, line, len) == 0))
        return;
    copy = malloc(len);
    if (copy == NULL)
        return;
    memcpy(copy, line, len);
    if (history->len == EDITOR_HISTORY_MAX) {
        free((char *)history->lines[0].at);
        history->len--;
        memmove(history->lines, history->lines + 1, history->len * sizeof history->lines[0]);
    }
    history->lines[history->len++] = (struct span){copy, len};
}

/* Whether what stands there would be lost: not sent yet, nor kept as the draft. */
static bool history_leaves_draft(const struct editor *ed)
{
    const struct history *history = &ed->history;
    const struct span *line = &history->lines[history->at];
    size_t len = ed->end - ed->start;

    if (history->at == history->len)
        return true;
    return ed->draft_len == 0 &&
           (line->len != len || memcmp(line->at, ed->text + ed->start, len) != 0);
}

static void history_show(struct editor *ed, size_t at)
{
    struct history *history = &ed->history;

    if (history_leaves_draft(ed)) {
        ed->draft_len = ed->end - ed->start;
        memcpy(ed->draft, ed->text + ed->start, ed->draft_len);
    }
    history->at = at;
    if (at == history->len)
        text_set(ed, ed->draft, ed->draft_len);
    else
        text_set(ed, history->lines[at].at, history->lines[at].len);
}

static enum editor_event key_up(struct editor *ed)
{
    if (ed->history.at > 0)
        history_show(ed, ed->history.at - 1);
    return EDITOR_NONE;
}

static enum editor_event key_down(struct editor *ed)
{
    if (ed->history.at < ed->history.len)
        history_show(ed, ed->history.at + 1);
    return EDITOR_NONE;
}

/* What is pasted goes out, but it was not typed: it would only push out what was. */
static enum editor_event key_enter(struct editor *ed)
{
    ed->finished = ed->end - ed->start;
    if (!ed->pasting)
        history_add(&ed->history, ed->text + ed->start, ed->finished);
    ed->history.at = ed->history.len;
    text_delete(ed, ed->start, ed->end);
    return EDITOR_LINE;
}

/* ---- Completion --------------------------------------------------------------------------- */

static bool completion_begin(struct editor *ed)
{
    struct completion *completion = &ed->completion;
    size_t word = ed->cursor;

    while (word > ed->start && !space_at(ed, word - 1))
        word--;
    if (completion->names == NULL || ed->cursor - word > NAME_LEN_MAX)
        return false;
    completion->word = word;
    completion->len = ed->cursor - word;
    completion->next = 0;
    memcpy(completion->prefix, ed->text + word, completion->len);
    completion->prefix[completion->len] = '\0';
    return true;
}

/* The next name that fits, the first one again behind the last; NULL where none does. */
static const char *completion_find(struct completion *completion)
{
    size_t len = strlen(completion->prefix);
    const char *name;

    for (int pass = 0; pass < 2; pass++) {
        while ((name = completion->names(completion->context, completion->next)) != NULL) {
            completion->next++;
            if (strncasecmp(name, completion->prefix, len) == 0)
                return name;
        }
        completion->next = 0;
    }
    return NULL;
}

static enum editor_event key_tab(struct editor *ed)
{
    struct completion *completion = &ed->completion;
    const char *name = NULL;
    char word[NAME_LEN_MAX + 3];

    if (completion->active || completion_begin(ed))
        name = completion_find(completion);
    completion->active = name != NULL && strlen(name) <= NAME_LEN_MAX;
    if (!completion->active) {
        ed->bell = true;
        return EDITOR_NONE;
    }
    strcpy(word, name);
    strcat(word, completion->word == ed->start ? ": " : " ");
    if (text_replace(ed, completion->word, completion->word + completion->len, word, strlen(word)))
        completion->len = strlen(word);
    return EDITOR_NONE;
}

/* ---- Bytes to keys ------------------------------------------------------------------------ */

static editor_key *const control_keys[0x20] = {
    ['A' - '@'] = key_home,
    ['B' - '@'] = key_left,
    ['C' - '@'] = key_interrupt,
    ['D' - '@'] = key_delete_or_end,
    ['E' - '@'] = key_end,
    ['F' - '@'] = key_right,
    [KEY_BACKSPACE] = key_backspace,
    [KEY_TAB] = key_tab,
    ['\n'] = key_enter,
    ['K' - '@'] = key_kill_to_end,
    ['L' - '@'] = key_clear_screen,
    ['\r'] = key_enter,
    ['N' - '@'] = key_down,
    ['P' - '@'] = key_up,
    ['U' - '@'] = key_kill_to_start,
    ['W' - '@'] = key_kill_word,
    ['Z' - '@'] = key_suspend,
};

/* What stands behind ESC: xterm, rxvt, the Linux console, either cursor key mode. */
static const struct {
    const char *sequence;
    editor_key *key;
} sequence_keys[] = {
    {"[A", key_up},
    {"OA", key_up},
    {"[B", key_down},
    {"OB", key_down},
    {"[C", key_right},
    {"OC", key_right},
    {"[D", key_left},
    {"OD", key_left},
    {"[H", key_home},
    {"OH", key_home},
    {"[1~", key_home},
    {"[7~", key_home},
    {"[F", key_end},
    {"OF", key_end},
    {"[4~", key_end},
    {"[8~", key_end},
    {"[3~", key_delete},
    {"[1;5C", key_word_right},
    {"[1;5D", key_word_left},
    {"Oc", key_word_right},
    {"Od", key_word_left},
    {"f", key_word_right},
    {"b", key_word_left},
    {"[200~", key_paste_begin},
    {"[201~", key_paste_end},
};

/* Unknown sequences do nothing, and in a pasted text so do all but its end. */
static enum editor_event sequence_end(struct editor *ed)
{
    editor_key *key = NULL;

    ed->state = INPUT_TEXT;
    ed->sequence[ed->sequence_len] = '\0';
    for (size_t i = 0; i < sizeof sequence_keys / sizeof sequence_keys[0]; i++) {
        if (strcmp(ed->sequence, sequence_keys[i].sequence) == 0)
            key = sequence_keys[i].key;
    }
    if (key == NULL || (ed->pasting && key != key_paste_end))
        return EDITOR_NONE;
    return key(ed);
}

static void sequence_add(struct editor *ed, char byte)
{
    /* What is too long only has to be too long to match anything. */
    if (ed->sequence_len == SEQUENCE_MAX)
        ed->sequence_len--;
    ed->sequence[ed->sequence_len++] = byte;
}

/* A printable ASCII character behind ESC. */
static enum editor_event sequence_byte(struct editor *ed, char byte)
{
    bool linux_function_key;

    if (ed->state == INPUT_STRING)
        return EDITOR_NONE;
    sequence_add(ed, byte);
    if (ed->state == INPUT_ESCAPE) {
        if (strchr("P]X^_", byte) != NULL)
            ed->state = INPUT_STRING;
        else if (strchr("[O()", byte) != NULL)
            ed->state = INPUT_SEQUENCE;
        else
            return sequence_end(ed);
        return EDITOR_NONE;
    }
    linux_function_key = ed->sequence_len == 2 && memcmp(ed->sequence, "[[", 2) == 0;
    return byte < '@' || linux_function_key ? EDITOR_NONE : sequence_end(ed);
}

static enum editor_event control_byte(struct editor *ed, unsigned char byte)
{
    bool end_of_crlf = byte == '\n' && ed->after_cr;
    editor_key *key = byte == KEY_DELETE ? key_backspace : control_keys[byte];

    ed->after_cr = byte == '\r';
    ed->state = INPUT_TEXT;
    if (byte == KEY_ESCAPE) {
        ed->state = INPUT_ESCAPE;
        ed->sequence_len = 0;
        return EDITOR_NONE;
    }
    if (ed->pasting && byte == '\t')
        text_insert(ed, '\t');
    if (ed->pasting && key != key_enter)
        return EDITOR_NONE;
    return end_of_crlf || key == NULL ? EDITOR_NONE : key(ed);
}

/* How many bytes the character that begins with this byte has; 1 where none does. */
static size_t utf8_expected(char first)
{
    unsigned char byte = (unsigned char)first;

    if (byte < 0xC2 || byte > 0xF4)
        return 1;
    return byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/* Inserts the characters that are held; one that may still be finished waits, unless last. */
static void utf8_take(struct editor *ed, bool last)
{
    uint32_t cp;
    size_t n;

    while (ed->utf8_len != 0) {
        n = utf8_decode(ed->utf8, ed->utf8_len, &cp);
        if (!last && cp == UTF8_BAD && n == ed->utf8_len && n < utf8_expected(ed->utf8[0]))
            return;
        text_insert(ed, cp);
        ed->utf8_len -= n;
        memmove(ed->utf8, ed->utf8 + n, ed->utf8_len);
    }
}

static enum editor_event editor_byte(struct editor *ed, unsigned char byte)
{
    if (byte != KEY_TAB)
        ed->completion.active = false;
    if (byte < 0x80)
        utf8_take(ed, true);
    if (byte < 0x20 || byte == KEY_DELETE)
        return control_byte(ed, byte);
    ed->after_cr = false;
    if (ed->state != INPUT_TEXT && byte < 0x80)
        return sequence_byte(ed, (char)byte);
    if (ed->state == INPUT_STRING)
        return EDITOR_NONE;
    ed->state = INPUT_TEXT;
    if (byte < 0x80) {
        text_insert(ed, byte);
    } else {
        ed->utf8[ed->utf8_len++] = (char)byte;
        utf8_take(ed, false);
    }
    return EDITOR_NONE;
}

/* ---- The screen --------------------------------------------------------------------------- */

/* Where the cursor stands in the rows of the text. */
struct layout {
    size_t rows;
    size_t row;       /* of the cursor */
    size_t row_start; /* where in the text that row begins */
};

/* The end of the row that begins there: at least one cluster, or none at the end of the text. */
static size_t row_end(const struct editor *ed, size_t at, size_t *used)
{
    *used = 0;
    while (at < ed->end) {
        struct cluster cluster = cluster_at(ed, at);

        if (*used != 0 && *used + cluster.columns > ed->columns)
            break;
        *used += cluster.columns;
        at += cluster.len;
    }
    return at;
}

static struct layout layout_make(const struct editor *ed)
{
    struct layout layout = {0};
    size_t at = 0;
    size_t next;
    size_t used;

    for (;;) {
        next = row_end(ed, at, &used);
        if (at <= ed->cursor) {
            layout.row = layout.rows;
            layout.row_start = at;
        }
        layout.rows++;
        /* The end of the text needs a place too. */
        if (next == ed->end && (next == at || used < ed->columns))
            return layout;
        at = next;
    }
}

/* How many columns [from, to) takes. */
static size_t text_columns(const struct editor *ed, size_t from, size_t to, bool *sure)
{
    size_t columns = 0;

    *sure = true;
    while (from < to) {
        struct cluster cluster = cluster_at(ed, from);

        columns += cluster.columns;
        *sure = *sure && cluster.sure;
        from += cluster.len;
    }
    return columns;
}

/* How many rows of the text can be on the screen; one is left for what arrives. */
static size_t window_rows(const struct editor *ed)
{
    return ed->rows > 1 ? ed->rows - 1 : 1;
}

static void move(struct outbuf *out, size_t n, const char *direction)
{
    if (n == 0)
        return;
    outbuf_puts(out, "\x1b[");
    if (n > 1)
        outbuf_number(out, n);
    outbuf_puts(out, direction);
}

/* Tabs come from pasted text only; a column is enough to see that there is something. */
static void draw_text(const struct editor *ed, size_t from, size_t to, struct outbuf *out)
{
    const char *tab;

    while ((tab = memchr(ed->text + from, '\t', to - from)) != NULL) {
        outbuf_add(out, ed->text + from, (size_t)(tab - (ed->text + from)));
        outbuf_puts(out, " ");
        from = (size_t)(tab + 1 - ed->text);
    }
    outbuf_add(out, ed->text + from, to - from);
}

/*
 * Moves the cursor from a row of the window to its place. Where terminals disagree about what
 * stands left of it, that is written once more: the terminal itself knows best how wide it is.
 */
static void draw_cursor(
    struct editor *ed, const struct layout *layout, size_t from, struct outbuf *out)
{
    size_t row = layout->row - ed->top;
    bool sure;
    size_t column = text_columns(ed, layout->row_start, ed->cursor, &sure);

    if (row < from)
        move(out, from - row, "A");
    else
        move(out, row - from, "B");
    outbuf_puts(out, "\r");
    if (sure)
        move(out, column, "C");
    else
        draw_text(ed, layout->row_start, ed->cursor, out);
    ed->drawn_row = row;
    ed->drawn_column = column;
    ed->drawn_cursor = ed->cursor;
}

/* Scrolls the window so that the cursor is in it, and no more of it is empty than must be. */
static void window_follow(struct editor *ed, const struct layout *layout)
{
    size_t window = window_rows(ed);

    if (layout->rows < ed->top + window)
        ed->top = layout->rows > window ? layout->rows - window : 0;
    if (layout->row < ed->top)
        ed->top = layout->row;
    if (layout->row >= ed->top + window)
        ed->top = layout->row - window + 1;
}

/* Writes the window's rows, from the left edge of an empty row on. */
static void draw_all(struct editor *ed, struct outbuf *out)
{
    struct layout layout = layout_make(ed);
    size_t at = 0;
    size_t row;
    size_t next;
    size_t used;

    window_follow(ed, &layout);
    for (row = 0; row < ed->top; row++)
        at = row_end(ed, at, &used);
    for (;; row++) {
        next = row_end(ed, at, &used);
        draw_text(ed, at, next, out);
        at = next;
        if (row + 1 == layout.rows || row + 1 == ed->top + window_rows(ed))
            break;
        outbuf_puts(out, "\r\n");
    }
    ed->drawn_rows = row - ed->top + 1;
    draw_cursor(ed, &layout, row - ed->top, out);
    ed->appended = 0;
    ed->changed = false;
}

/*
 * Leaves the cursor at the left edge of the window's first row, with that and all below it empty.
 * Never in one step: a screen that is erased from its first place on goes to tmux's history.
 */
static void erase_all(struct editor *ed, struct outbuf *out)
{
    outbuf_puts(out, "\r");
    move(out, ed->drawn_row, "A");
    outbuf_puts(out, "\x1b[K");
    if (ed->drawn_rows > 1)
        outbuf_puts(out, "\n\x1b[J\x1b[A");
}

/* The two things that happen most need less than drawing all: typing at the end, and moving. */
static bool refresh_little(struct editor *ed, struct outbuf *out)
{
    struct layout layout;

    if (ed->changed || ed->cleared)
        return false;
    if (ed->appended != 0) {
        if (ed->cursor != ed->end || ed->drawn_cursor != ed->end - ed->appended ||
            ed->drawn_column + ed->appended >= ed->columns)
            return false;
        draw_text(ed, ed->drawn_cursor, ed->end, out);
        ed->drawn_column += ed->appended;
        ed->drawn_cursor = ed->cursor;
        ed->appended = 0;
        return true;
    }
    if (ed->cursor == ed->drawn_cursor)
        return true;
    layout = layout_make(ed);
    if (layout.row < ed->top || layout.row >= ed->top + window_rows(ed))
        return false;
    draw_cursor(ed, &layout, ed->drawn_row, out);
    return true;
}

static void editor_refresh(struct editor *ed, struct outbuf *out)
{
    if (ed->bell)
        outbuf_puts(out, "\a");
    ed->bell = false;
    if (!ed->shown || refresh_little(ed, out))
        return;
    if (ed->cleared)
        outbuf_puts(out, "\x1b[H\x1b[2J");
    else
        erase_all(ed, out);
    ed->cleared = false;
    draw_all(ed, out);
}

/*
 * What a narrower window has made of what is drawn. Terminals that reflow their text, as most do,
 * fold each row by itself, and leave a cursor that stood behind a row there if that is full now;
 * others are told here to erase a row or two too many, in the rare case that there was a row that
 * does not fit any more.
 */
static void rows_reflow(struct editor *ed, size_t columns)
{
    size_t rows = 0;
    size_t cursor_row = 0;
    size_t at = 0;
    size_t used;

    for (size_t row = 0; row < ed->top + ed->drawn_rows; row++) {
        at = row_end(ed, at, &used);
        if (row == ed->top + ed->drawn_row) {
            bool behind = used != 0 && ed->drawn_column == used;

            cursor_row = rows + (ed->drawn_column - behind) / columns;
        }
        if (row >= ed->top)
            rows += used > columns ? (used + columns - 1) / columns : 1;
    }
    ed->drawn_rows = rows;
    ed->drawn_row = cursor_row;
}

/* ---- The interface ------------------------------------------------------------------------ */

struct editor *editor_new(const char *prompt, unsigned rows, unsigned columns)
{
    struct editor *ed = calloc(1, sizeof *ed);

    if (ed == NULL)
        return NULL;
    ed->start = text_cut(prompt, strlen(prompt), NAME_LEN_MAX);
    memcpy(ed->text, prompt, ed->start);
    ed->end = ed->cursor = ed->start;
    ed->rows = rows != 0 ? rows : 24;
    ed->columns = columns != 0 ? columns : 80;
    return ed;
}

void editor_free(struct editor *ed)
{
    if (ed == NULL)
        return;
    for (size_t i = 0; i < ed->history.len; i++)
        free((char *)ed->history.lines[i].at);
    free(ed);
}

void editor_complete_from(struct editor *ed, editor_names *names, void *context)
{
    ed->completion.names = names;
    ed->completion.context = context;
}

enum editor_event editor_feed(
    struct editor *ed, const char **at, const char *end, struct outbuf *out)
{
    enum editor_event event;

    while (*at < end) {
        event = editor_byte(ed, (unsigned char)*(*at)++);
        if (event == EDITOR_LINE && *at == end)
            editor_refresh(ed, out); /* its echo may be long in coming */
        if (event != EDITOR_NONE)
            return event;
    }
    editor_refresh(ed, out);
    return EDITOR_NONE;
}

struct span editor_line(const struct editor *ed)
{
    return (struct span){ed->text + ed->start, ed->finished};
}

bool editor_in_escape(const struct editor *ed)
{
    return ed->state == INPUT_ESCAPE && !ed->pasting;
}

void editor_pause(struct editor *ed)
{
    if (editor_in_escape(ed))
        ed->state = INPUT_TEXT;
}

bool editor_is_pasting(const struct editor *ed)
{
    return ed->pasting;
}

void editor_start(struct editor *ed, struct outbuf *out)
{
    outbuf_puts(out, "\x1b[?2004h");
    editor_show(ed, out);
}

void editor_stop(struct editor *ed, struct outbuf *out)
{
    editor_hide(ed, out);
    outbuf_puts(out, "\x1b[?2004l");
}

void editor_hide(struct editor *ed, struct outbuf *out)
{
    if (!ed->shown)
        return;
    erase_all(ed, out);
    ed->shown = false;
}

void editor_show(struct editor *ed, struct outbuf *out)
{
    if (ed->shown)
        return;
    draw_all(ed, out);
    ed->shown = true;
}

void editor_resize(struct editor *ed, unsigned rows, unsigned columns, struct outbuf *out)
{
    rows = rows != 0 ? rows : 24;
    columns = columns != 0 ? columns : 80;
    if (rows == ed->rows && columns == ed->columns)
        return;
    if (ed->shown)
        rows_reflow(ed, columns);
    ed->rows = rows;
    ed->columns = columns;
    ed->changed = true;
    editor_refresh(ed, out);
}
