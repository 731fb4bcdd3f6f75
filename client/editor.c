/*
 * editor.c: see editor.h. Bytes become keys, and keys change the line.
 */
#include "editor.h"
#include "../wire/name.h"
#include "display.h"
#include "history.h"
#include "keys.h"
#include "paste.h"
#include "undo.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a counter in the prompt. */
#define COUNTER_MAX 40

/* The effect of a key, as far as it matters for the next key. */
enum deed {
    DEED_OTHER,
    DEED_TYPED,
    DEED_ERASED, /* a character */
    DEED_KILLED,
    DEED_COMPLETED
};

/* Counters in the prompt. */
struct prompt_counts {
    size_t held;           /* lines of a paste, to be sent by Return */
    unsigned long waiting; /* lines not confirmed by the server */
};

struct editor {
    char prompt[2 * COUNTER_MAX + NAME_LEN_MAX];
    const char *question;        /* the prompt without counters */
    struct prompt_counts counts; /* in the prompt now */
    unsigned long waiting;
    struct edit_buffer edit;
    struct edit_buffer finished; /* the last complete line */
    struct span line;            /* that, or a held one: for editor_line() */
    struct edit_buffer killed;   /* for Ctrl-Y */
    struct undo undo;
    enum deed deed; /* of this key, and of the last one */
    enum deed last;
    struct paste paste;
    struct history history;
    struct completion completion;
    struct display display;
    struct keys keys;
    bool paused;  /* editor_expire() has ended a paste; its rest may still come */
    bool sending; /* editor_feed() returns the held lines, and then the edited one */
    bool bell;
};

/* ---- Keys --------------------------------------------------------------------------------- */

typedef enum editor_event editor_command(struct editor *);

/* To be called before a change, which can be undone. A run of typing is one change. */
static void change_begin(struct editor *ed, enum deed deed)
{
    bool goes_on = deed == ed->last && deed != DEED_OTHER && deed != DEED_KILLED;

    if (!goes_on)
        undo_save(&ed->undo, &ed->edit);
    ed->deed = deed;
}

static enum editor_event key_insert(struct editor *ed, uint32_t character)
{
    change_begin(ed, DEED_TYPED);
    if (!edit_insert(&ed->edit, character))
        ed->bell = true;
    return EDITOR_NONE;
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

static enum editor_event text_erase(struct editor *ed, size_t from, size_t to)
{
    if (from != to)
        change_begin(ed, DEED_ERASED);
    edit_delete(&ed->edit, from, to);
    return EDITOR_NONE;
}

static enum editor_event key_backspace(struct editor *ed)
{
    return text_erase(ed, edit_previous(&ed->edit, ed->edit.cursor), ed->edit.cursor);
}

static enum editor_event key_delete(struct editor *ed)
{
    return text_erase(ed, ed->edit.cursor, edit_next(&ed->edit, ed->edit.cursor));
}

static enum editor_event key_delete_or_end(struct editor *ed)
{
    return ed->edit.len == 0 && ed->paste.lines == 0 ? EDITOR_END : key_delete(ed);
}

/* Successive kills are joined. */
static enum editor_event text_kill(struct editor *ed, size_t from, size_t to)
{
    struct edit_buffer *killed = &ed->killed;
    struct span text = edit_range(&ed->edit, from, to);

    if (from == to)
        return EDITOR_NONE;
    change_begin(ed, DEED_KILLED);
    paste_forget(&ed->paste);
    if (ed->last != DEED_KILLED)
        edit_set(killed, (struct span){0});
    killed->cursor = to == ed->edit.cursor ? 0 : killed->len;
    if (edit_is_pasted(&ed->edit, from))
        edit_paste(killed, text);
    else
        edit_replace(killed, killed->cursor, killed->cursor, text);
    edit_delete(&ed->edit, from, to);
    return EDITOR_NONE;
}

static enum editor_event key_kill_word(struct editor *ed)
{
    return text_kill(ed, edit_blank_word_previous(&ed->edit, ed->edit.cursor), ed->edit.cursor);
}

static enum editor_event key_kill_word_left(struct editor *ed)
{
    return text_kill(ed, edit_word_previous(&ed->edit, ed->edit.cursor), ed->edit.cursor);
}

static enum editor_event key_kill_word_right(struct editor *ed)
{
    return text_kill(ed, ed->edit.cursor, edit_word_next(&ed->edit, ed->edit.cursor));
}

static enum editor_event key_kill_to_start(struct editor *ed)
{
    return text_kill(ed, 0, ed->edit.cursor);
}

static enum editor_event key_kill_to_end(struct editor *ed)
{
    return text_kill(ed, ed->edit.cursor, ed->edit.len);
}

/* Held lines that were dropped come back, or what was killed after that. */
static enum editor_event key_yank(struct editor *ed)
{
    struct span text = edit_text(&ed->killed);
    size_t cursor = ed->edit.cursor;

    if (paste_restore(&ed->paste, &ed->edit)) {
        undo_clear(&ed->undo);
        return EDITOR_NONE;
    }
    change_begin(ed, DEED_OTHER);
    if (text.len == 0 ||
        !(edit_is_pasted(&ed->killed, 0) ? edit_paste(&ed->edit, text)
                                         : edit_replace(&ed->edit, cursor, cursor, text)))
        ed->bell = true;
    return EDITOR_NONE;
}

static enum editor_event key_transpose(struct editor *ed)
{
    change_begin(ed, DEED_OTHER);
    if (!edit_transpose(&ed->edit))
        ed->bell = true;
    return EDITOR_NONE;
}

static enum editor_event key_undo(struct editor *ed)
{
    if (!undo_back(&ed->undo, &ed->edit))
        ed->bell = true;
    return EDITOR_NONE;
}

static enum editor_event key_redraw(struct editor *ed)
{
    (void)ed;
    return EDITOR_REDRAW;
}

static enum editor_event key_suspend(struct editor *ed)
{
    (void)ed;
    return EDITOR_SUSPEND;
}

static enum editor_event key_interrupt(struct editor *ed)
{
    ed->paused = false;
    if (paste_cancel(&ed->paste))
        return EDITOR_NONE;
    if (ed->edit.len == 0 && ed->paste.lines == 0)
        return EDITOR_INTERRUPT;
    change_begin(ed, DEED_OTHER);
    edit_delete(&ed->edit, 0, ed->edit.len);
    paste_drop(&ed->paste);
    history_leave(&ed->history);
    return EDITOR_NONE;
}

static enum editor_event show_line(struct editor *ed, struct span line)
{
    undo_clear(&ed->undo);
    edit_set(&ed->edit, line);
    return EDITOR_NONE;
}

static enum editor_event key_up(struct editor *ed)
{
    struct span line;

    if (history_previous(&ed->history, edit_text(&ed->edit), ed->edit.cursor, &line))
        show_line(ed, line);
    return EDITOR_NONE;
}

static enum editor_event key_down(struct editor *ed)
{
    struct span line;

    if (history_next(&ed->history, edit_text(&ed->edit), ed->edit.cursor, &line))
        show_line(ed, line);
    return EDITOR_NONE;
}

/* Completes the edited line. In pasted text, a `/` at the beginning is doubled. */
static bool line_finish(struct editor *ed)
{
    struct edit_buffer *finished = &ed->finished;
    bool is_text = edit_is_pasted(&ed->edit, 0) && ed->edit.text[0] == '/';

    if (!edit_set(finished, edit_text(&ed->edit)) ||
        (is_text && !edit_replace(finished, 0, 0, (struct span){"/", 1})))
        return false;
    ed->line = edit_text(finished);
    edit_delete(&ed->edit, 0, ed->edit.len);
    history_leave(&ed->history);
    undo_clear(&ed->undo);
    return true;
}

static enum editor_event line_send(struct editor *ed)
{
    if (!line_finish(ed)) {
        ed->bell = true;
        return EDITOR_NONE;
    }
    history_add(&ed->history, ed->line);
    history_leave(&ed->history);
    return EDITOR_LINE;
}

/*
 * Returns the next held line, and the edited one after them. Of the held lines only the last is
 * added to the history: all of them would displace the typed ones.
 */
static enum editor_event paste_send(struct editor *ed)
{
    ed->sending = paste_next(&ed->paste, &ed->line);
    if (!ed->sending) {
        paste_finish(&ed->paste);
        return ed->edit.len > 0 ? line_send(ed) : EDITOR_NONE;
    }
    if (ed->paste.lines == 0) {
        history_add(&ed->history, ed->line);
        history_leave(&ed->history);
    }
    return EDITOR_LINE;
}

static enum editor_event key_enter(struct editor *ed)
{
    if (ed->paste.lines == 0)
        return line_send(ed);
    if (paste_is_all(&ed->paste, &ed->edit))
        edit_delete(&ed->edit, 0, ed->edit.len);
    return paste_send(ed);
}

static enum editor_event key_tab(struct editor *ed)
{
    change_begin(ed, DEED_COMPLETED);
    if (!completion_step(&ed->completion, &ed->edit))
        ed->bell = true;
    return EDITOR_NONE;
}

/* ---- Which key does what ---- */

static const struct binding {
    enum key_code code;
    unsigned modifiers;
    char character;
    editor_command *command;
} bindings[] = {
    {KEY_CHARACTER, KEY_CTRL, 'a', key_home},
    {KEY_CHARACTER, KEY_CTRL, 'b', key_left},
    {KEY_CHARACTER, KEY_CTRL, 'c', key_interrupt},
    {KEY_CHARACTER, KEY_CTRL, 'd', key_delete_or_end},
    {KEY_CHARACTER, KEY_CTRL, 'e', key_end},
    {KEY_CHARACTER, KEY_CTRL, 'f', key_right},
    {KEY_CHARACTER, KEY_CTRL, 'k', key_kill_to_end},
    {KEY_CHARACTER, KEY_CTRL, 'l', key_redraw},
    {KEY_CHARACTER, KEY_CTRL, 'n', key_down},
    {KEY_CHARACTER, KEY_CTRL, 'p', key_up},
    {KEY_CHARACTER, KEY_CTRL, 't', key_transpose},
    {KEY_CHARACTER, KEY_CTRL, 'u', key_kill_to_start},
    {KEY_CHARACTER, KEY_CTRL, 'w', key_kill_word},
    {KEY_CHARACTER, KEY_CTRL, 'y', key_yank},
    {KEY_CHARACTER, KEY_CTRL, 'z', key_suspend},
    {KEY_CHARACTER, KEY_CTRL, '_', key_undo},
    {KEY_CHARACTER, KEY_ALT, 'b', key_word_left},
    {KEY_CHARACTER, KEY_ALT, 'd', key_kill_word_right},
    {KEY_CHARACTER, KEY_ALT, 'f', key_word_right},
    {KEY_ENTER, 0, 0, key_enter},
    {KEY_ENTER, KEY_ALT, 0, key_enter},
    {KEY_TAB, 0, 0, key_tab},
    {KEY_BACKSPACE, 0, 0, key_backspace},
    {KEY_BACKSPACE, KEY_ALT, 0, key_kill_word_left},
    {KEY_DELETE, 0, 0, key_delete},
    {KEY_DELETE, KEY_CTRL, 0, key_kill_word_right},
    {KEY_LEFT, 0, 0, key_left},
    {KEY_LEFT, KEY_CTRL, 0, key_word_left},
    {KEY_LEFT, KEY_ALT, 0, key_word_left},
    {KEY_RIGHT, 0, 0, key_right},
    {KEY_RIGHT, KEY_CTRL, 0, key_word_right},
    {KEY_RIGHT, KEY_ALT, 0, key_word_right},
    {KEY_UP, 0, 0, key_up},
    {KEY_DOWN, 0, 0, key_down},
    {KEY_HOME, 0, 0, key_home},
    {KEY_END, 0, 0, key_end},
};

/* Shift is ignored: it has made another character already, or has no meaning. */
static editor_command *binding_find(struct key key)
{
    key.modifiers &= ~KEY_SHIFT;
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        const struct binding *binding = &bindings[i];

        if (binding->code == key.code && binding->modifiers == key.modifiers &&
            (uint32_t)binding->character == key.character)
            return binding->command;
    }
    return NULL;
}

/* Keys in a paste: text is collected, others are ignored. */
static enum editor_event editor_pasted(struct editor *ed, struct key key)
{
    if (key.code == KEY_CHARACTER && key.modifiers == 0)
        paste_add(&ed->paste, key.character);
    else if (key.code == KEY_TAB)
        paste_add(&ed->paste, '\t');
    else if (key.code == KEY_ENTER)
        paste_add(&ed->paste, '\n');
    return EDITOR_NONE;
}

/* Holding lines cannot be undone. */
static enum editor_event paste_apply(struct editor *ed)
{
    size_t lines = ed->paste.lines;

    ed->paused = false;
    change_begin(ed, DEED_OTHER);
    switch (paste_end(&ed->paste, &ed->edit)) {
    case PASTE_TAKEN:
        break;
    case PASTE_OVERSIZE:
        return EDITOR_TOO_LONG;
    case PASTE_REFUSED:
        return EDITOR_REFUSED;
    }
    if (ed->paste.lines != lines)
        undo_clear(&ed->undo);
    return EDITOR_NONE;
}

static enum editor_event editor_key(struct editor *ed, struct key key)
{
    editor_command *command = binding_find(key);

    ed->last = ed->deed;
    ed->deed = DEED_OTHER;
    if (key.code != KEY_TAB)
        completion_leave(&ed->completion);
    if (key.code == KEY_PASTE_BEGIN)
        paste_begin(&ed->paste);
    else if (key.code == KEY_PASTE_END)
        return paste_apply(ed);
    else if (ed->keys.pasting)
        return editor_pasted(ed, key);
    else if (key.code == KEY_CHARACTER && key.modifiers == 0)
        return key_insert(ed, key.character);
    return command != NULL ? command(ed) : EDITOR_NONE;
}

/* ---- The prompt ---- */

static struct prompt_counts prompt_counts(const struct editor *ed)
{
    size_t held = ed->paste.lines;

    if (held > 0 && ed->edit.len > 0 && !paste_is_all(&ed->paste, &ed->edit))
        held++;
    return (struct prompt_counts){held, ed->waiting};
}

static void prompt_refresh(struct editor *ed)
{
    struct prompt_counts counts = prompt_counts(ed);
    char waiting[COUNTER_MAX] = "";
    char held[COUNTER_MAX] = "";
    int len;

    if (counts.held == ed->counts.held && counts.waiting == ed->counts.waiting)
        return;
    ed->counts = counts;
    if (counts.waiting > 0)
        snprintf(waiting, sizeof waiting, "[%lu waiting] ", counts.waiting);
    if (counts.held > 0)
        snprintf(held, sizeof held, "[%zu lines] ", counts.held);
    len = snprintf(ed->prompt, sizeof ed->prompt, "%s%s%s", waiting, held, ed->question);
    display_prompt(&ed->display, (struct span){ed->prompt, (size_t)len});
}

/* ---- The interface ------------------------------------------------------------------------ */

struct editor *editor_new(const char *prompt, unsigned rows, unsigned columns)
{
    struct editor *ed = calloc(1, sizeof *ed);

    if (ed == NULL)
        return NULL;
    ed->question = prompt;
    display_init(&ed->display, (struct span){prompt, strlen(prompt)}, &ed->edit, rows, columns);
    return ed;
}

void editor_free(struct editor *ed)
{
    if (ed == NULL)
        return;
    edit_free(&ed->edit);
    edit_free(&ed->finished);
    edit_free(&ed->killed);
    undo_clear(&ed->undo);
    paste_free(&ed->paste);
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
    enum editor_event event = ed->sending ? paste_send(ed) : EDITOR_NONE;
    struct key key;

    while (event == EDITOR_NONE && (key = keys_next(&ed->keys, at, end)).code != KEY_NONE)
        event = editor_key(ed, key);
    return event;
}

struct span editor_line(const struct editor *ed)
{
    return ed->line;
}

int editor_pause(const struct editor *ed)
{
    return keys_pause(&ed->keys);
}

enum editor_event editor_expire(struct editor *ed)
{
    enum editor_event event = EDITOR_NONE;
    bool pasting = ed->keys.pasting;
    struct key key;

    while (event == EDITOR_NONE && (key = keys_expire(&ed->keys)).code != KEY_NONE)
        event = editor_key(ed, key);
    if (pasting && !ed->keys.pasting)
        ed->paused = true;
    return event;
}

static bool bytes_have(struct span bytes, char c)
{
    return bytes.len > 0 && memchr(bytes.at, c, bytes.len) != NULL;
}

/* A user presses Return alone, or behind text that came long before. */
void editor_arrived(struct editor *ed, struct span bytes)
{
    static const char mark[] = "\x1b[200~";
    const char *at = mark;

    if (!ed->paused || bytes_have(bytes, '\003') ||
        (!bytes_have(bytes, '\r') && !bytes_have(bytes, '\n')))
        return;
    if (bytes.len == 1)
        ed->paused = false;
    else
        editor_key(ed, keys_next(&ed->keys, &at, mark + strlen(mark)));
}

bool editor_is_pasting(const struct editor *ed)
{
    return ed->keys.pasting;
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

void editor_restart(struct editor *ed, struct outbuf *out)
{
    display_forget(&ed->display);
    outbuf_puts(out, "\r\x1b[K");
    editor_start(ed, out);
}

void editor_hide(struct editor *ed, struct outbuf *out)
{
    display_hide(&ed->display, out);
}

void editor_show(struct editor *ed, struct outbuf *out)
{
    prompt_refresh(ed);
    display_show(&ed->display, out);
}

void editor_refresh(struct editor *ed, struct outbuf *out)
{
    if (ed->bell)
        outbuf_puts(out, "\a");
    ed->bell = false;
    prompt_refresh(ed);
    display_refresh(&ed->display, out);
}

void editor_waiting(struct editor *ed, unsigned long lines)
{
    ed->waiting = lines;
}

/* Not in one step, see erase_all() in display.c. */
void editor_clear(struct editor *ed, struct outbuf *out)
{
    display_forget(&ed->display);
    outbuf_puts(out, "\x1b[H\x1b[K\n\x1b[J\x1b[H");
}

bool editor_resize(struct editor *ed, unsigned rows, unsigned columns)
{
    return display_resize(&ed->display, rows, columns);
}
