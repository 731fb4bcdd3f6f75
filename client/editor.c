/*
 * editor.c: see editor.h. Bytes become keys, and keys change the line.
 */
#include "editor.h"
#include "../wire/name.h"
#include "../wire/text.h"
#include "../wire/utf8.h"
#include "display.h"
#include "history.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BACKSPACE 0x08
#define KEY_TAB 0x09
#define KEY_ESCAPE 0x1B
#define KEY_DELETE 0x7F

/* Longer escape sequences than that of any key we know are skipped. */
#define SEQUENCE_MAX 8

enum input_state {
    INPUT_TEXT,
    INPUT_ESCAPE,   /* behind ESC */
    INPUT_SEQUENCE, /* up to a final byte */
    INPUT_STRING    /* an answer of the terminal, up to ST or a control character */
};

struct editor {
    char prompt[NAME_LEN_MAX];
    struct edit_buffer edit;
    size_t finished; /* length of the line that was finished and still stands in edit.text */
    struct history history;
    struct completion completion;
    struct display display;

    enum input_state state;
    char sequence[SEQUENCE_MAX + 1]; /* what came behind ESC */
    size_t sequence_len;
    char utf8[4]; /* the beginning of a character */
    size_t utf8_len;
    bool after_cr;
    bool pasting;
    bool bell;
};

/* ---- Keys --------------------------------------------------------------------------------- */

typedef enum editor_event editor_key(struct editor *);

static void key_character(struct editor *ed, uint32_t character)
{
    if (!edit_insert(&ed->edit, character))
        ed->bell = true;
}

static enum editor_event key_home(struct editor *ed)
{
    ed->edit.cursor = 0;
    return EDITOR_NONE;
}

static enum editor_event key_end(struct editor *ed)
{
    ed->edit.cursor = ed->edit.len;
    return EDITOR_NONE;
}

static enum editor_event key_left(struct editor *ed)
{
    ed->edit.cursor = edit_previous(&ed->edit, ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_right(struct editor *ed)
{
    ed->edit.cursor = edit_next(&ed->edit, ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_word_left(struct editor *ed)
{
    ed->edit.cursor = edit_word_previous(&ed->edit, ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_word_right(struct editor *ed)
{
    ed->edit.cursor = edit_word_next(&ed->edit, ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_backspace(struct editor *ed)
{
    edit_delete(&ed->edit, edit_previous(&ed->edit, ed->edit.cursor), ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_delete(struct editor *ed)
{
    edit_delete(&ed->edit, ed->edit.cursor, edit_next(&ed->edit, ed->edit.cursor));
    return EDITOR_NONE;
}

static enum editor_event key_delete_or_end(struct editor *ed)
{
    return ed->edit.len == 0 ? EDITOR_END : key_delete(ed);
}

static enum editor_event key_kill_word(struct editor *ed)
{
    edit_delete(&ed->edit, edit_word_previous(&ed->edit, ed->edit.cursor), ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_kill_to_start(struct editor *ed)
{
    edit_delete(&ed->edit, 0, ed->edit.cursor);
    return EDITOR_NONE;
}

static enum editor_event key_kill_to_end(struct editor *ed)
{
    edit_delete(&ed->edit, ed->edit.cursor, ed->edit.len);
    return EDITOR_NONE;
}

static enum editor_event key_clear_screen(struct editor *ed)
{
    display_clear(&ed->display);
    return EDITOR_NONE;
}

static enum editor_event key_suspend(struct editor *ed)
{
    (void)ed;
    return EDITOR_SUSPEND;
}

static enum editor_event key_interrupt(struct editor *ed)
{
    if (ed->edit.len == 0)
        return EDITOR_INTERRUPT;
    edit_delete(&ed->edit, 0, ed->edit.len);
    history_leave(&ed->history);
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

static enum editor_event key_up(struct editor *ed)
{
    struct span text = edit_text(&ed->edit);

    if (history_previous(&ed->history, &text))
        edit_set(&ed->edit, text);
    return EDITOR_NONE;
}

static enum editor_event key_down(struct editor *ed)
{
    struct span text = edit_text(&ed->edit);

    if (history_next(&ed->history, &text))
        edit_set(&ed->edit, text);
    return EDITOR_NONE;
}

/* What is pasted goes out, but it was not typed: it would only push out what was. */
static enum editor_event key_enter(struct editor *ed)
{
    ed->finished = ed->edit.len;
    if (!ed->pasting)
        history_add(&ed->history, edit_text(&ed->edit));
    history_leave(&ed->history);
    edit_delete(&ed->edit, 0, ed->edit.len);
    return EDITOR_LINE;
}

static enum editor_event key_tab(struct editor *ed)
{
    if (!completion_step(&ed->completion, &ed->edit))
        ed->bell = true;
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
        key_character(ed, '\t');
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
        key_character(ed, cp);
        ed->utf8_len -= n;
        memmove(ed->utf8, ed->utf8 + n, ed->utf8_len);
    }
}

static enum editor_event editor_byte(struct editor *ed, unsigned char byte)
{
    if (byte != KEY_TAB)
        completion_leave(&ed->completion);
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
        key_character(ed, byte);
    } else {
        ed->utf8[ed->utf8_len++] = (char)byte;
        utf8_take(ed, false);
    }
    return EDITOR_NONE;
}

/* ---- The interface ------------------------------------------------------------------------ */

struct editor *editor_new(const char *prompt, unsigned rows, unsigned columns)
{
    struct editor *ed = calloc(1, sizeof *ed);
    size_t len = text_cut(prompt, strlen(prompt), NAME_LEN_MAX);

    if (ed == NULL)
        return NULL;
    memcpy(ed->prompt, prompt, len);
    display_init(&ed->display, (struct span){ed->prompt, len}, &ed->edit, rows, columns);
    return ed;
}

void editor_free(struct editor *ed)
{
    if (ed == NULL)
        return;
    history_free(&ed->history);
    free(ed);
}

void editor_complete_from(struct editor *ed, completion_names *names, void *context)
{
    ed->completion.names = names;
    ed->completion.context = context;
}

enum editor_event editor_feed(struct editor *ed, const char **at, const char *end)
{
    while (*at < end) {
        enum editor_event event = editor_byte(ed, (unsigned char)*(*at)++);
        if (event != EDITOR_NONE)
            return event;
    }
    return EDITOR_NONE;
}

struct span editor_line(const struct editor *ed)
{
    return (struct span){ed->edit.text, ed->finished};
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
    display_hide(&ed->display, out);
}

void editor_show(struct editor *ed, struct outbuf *out)
{
    display_show(&ed->display, out);
}

void editor_refresh(struct editor *ed, struct outbuf *out)
{
    if (ed->bell)
        outbuf_puts(out, "\a");
    ed->bell = false;
    display_refresh(&ed->display, out);
}

void editor_resize(struct editor *ed, unsigned rows, unsigned columns, struct outbuf *out)
{
    if (display_resize(&ed->display, rows, columns))
        editor_refresh(ed, out);
}
