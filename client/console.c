/* console.c: keys to the editor, events to the view, and what is drawn of both. */
#include "console.h"

#include "../compat/compat.h"
#include "../protocol.h"
#include "../wire/text.h"
#include "clock.h"
#include "local.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bytes after which output is written although more events are coming. */
#define TEXT_ENOUGH 65536
/* Rows above the edited line on a terminal of unknown size. */
#define ROWS_USUAL 23
#define MESSAGE_MAX 1024
#define MESSAGE_LINE_MAX (3 * MESSAGE_MAX + 8)
/* How long a stopped terminal may delay the end of the program, in ms. */
#define HELD_PATIENCE 200
/* Until the next write to a terminal that poll(2) called ready but that accepted nothing, in ms. */
#define RETRY_PAUSE 20
/* For the rest of a paste: the longest pause, and the total, in ms. */
#define PASTE_PAUSE 1000
#define PASTE_PATIENCE 10000

static const char prompt[] = "> ";
static const char message_begin[] = CHAT_PROGRAM ": ";

static bool variable_is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0';
}

static bool terminal_is_dumb(void)
{
    const char *term = getenv("TERM");

    return term == NULL || *term == '\0' || strcmp(term, "dumb") == 0;
}

static bool terminal_has_256(void)
{
    const char *term = getenv("TERM");

    return (term != NULL && (strstr(term, "256") != NULL || strstr(term, "direct") != NULL)) ||
           variable_is_set("COLORTERM");
}

void console_init(struct console *console, const struct console_setup *setup)
{
    unsigned rows = 0, columns = 0;
    bool fancy = !setup->plain && !terminal_is_dumb();

    *console = (struct console){.setup = *setup, .keys_due = -1, .retry_at = -1};
    pthread_mutex_init(&console->lock, NULL);
    output_init(&console->output, setup->out);
    console->keyboard = setup->wants_keys && isatty(STDIN_FILENO);
    console->screen = console->output.kind == OUTPUT_TERMINAL;
    console->shared = terminal_is_same(setup->out, STDERR_FILENO);
    if (console->screen)
        terminal_size(setup->out, &rows, &columns);
    console->rows = rows;
    console->view.terminal = console->screen;
    console->view.columns = setup->plain ? 0 : columns;
    console->view.quiet = setup->quiet;
    if (console->screen && fancy && !variable_is_set("NO_COLOR"))
        console->view.colour = terminal_has_256() ? COLOUR_256 : COLOUR_BASIC;
    if (!console->screen)
        console->setup.bell = NOTICE_NONE;
    if (console->keyboard && console->screen && fancy && setup->format != CONSOLE_NOTHING) {
        console->editor = editor_new(prompt, rows, columns);
        if (console->editor != NULL)
            editor_complete_from(console->editor, people_other, &console->view.people);
    }
}

/* ---- The line on the screen: all with the lock held ---------------------------------- */

static struct outbuf *console_text(struct console *console)
{
    return &console->output.text;
}

static void line_hide(struct console *console)
{
    if (console->editing != EDITING_OFF)
        editor_hide(console->editor, console_text(console));
}

static void line_show(struct console *console)
{
    if (console->editing != EDITING_OFF)
        editor_show(console->editor, console_text(console));
}

/* Updates the line. If the terminal has pending output, that is done when it is written. */
static void line_refresh(struct console *console)
{
    if (!output_offer(&console->output) || console->editing == EDITING_OFF)
        return;
    if (console->editing == EDITING_REDRAW) {
        editor_clear(console->editor, console_text(console));
        view_redraw(&console->view, console->rows > 1 ? console->rows - 1 : ROWS_USUAL,
            console_text(console));
        line_show(console);
    }
    console->editing = EDITING_ON;
    editor_refresh(console->editor, console_text(console));
    output_offer(&console->output);
}

/* Waits until all is written; not for the loop's thread. */
static void text_write(struct console *console)
{
    do {
        output_wait(&console->output, &console->lock, -1);
        line_refresh(console);
    } while (console_text(console)->len > 0);
}

/* ---- The keyboard's owner ------------------------------------------------------------ */

static void console_take(struct console *console)
{
    if (!console->keyboard || console->owner != KEYBOARD_OURS)
        return;
    modes_take(&console->modes, console->editor != NULL ? MODES_EDITOR : MODES_KERNEL);
    if (console->editor != NULL) {
        editor_start(console->editor, console_text(console));
        console->editing = EDITING_ON;
    }
    output_offer(&console->output);
}

static void console_give(struct console *console)
{
    bool pasting = console->editor != NULL && editor_is_pasting(console->editor);

    if (console->editing != EDITING_OFF)
        editor_stop(console->editor, console_text(console));
    console->editing = EDITING_OFF;
    modes_give(&console->modes, pasting);
    if (console->screen)
        output_wait(&console->output, &console->lock, HELD_PATIENCE);
}

void console_ask(struct console *console, const char *name)
{
    asked_set(&console->view.people.asked, (struct span){name, strlen(name)});
}

void console_start(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    if (console->owner == KEYBOARD_LENT) {
        console->owner = KEYBOARD_OURS;
        if (console->keyboard)
            tcflush(STDIN_FILENO, TCIFLUSH);
    }
    if (!console->modes.changed)
        console_take(console);
    pthread_mutex_unlock(&console->lock);
}

void console_lend(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    if (console->owner == KEYBOARD_OURS) {
        console_give(console);
        console->owner = KEYBOARD_LENT;
    }
    pthread_mutex_unlock(&console->lock);
}

bool console_owns_keys(struct console *console)
{
    bool owns;

    pthread_mutex_lock(&console->lock);
    owns = console->owner == KEYBOARD_OURS;
    pthread_mutex_unlock(&console->lock);
    return owns;
}

/* Discards keys. Returns the number of lines in them. */
static size_t keys_drop(struct console *console, const char *at, size_t len)
{
    const char *end = at + len;
    enum editor_event event;
    size_t lines = 0;

    while ((event = editor_feed(console->editor, &at, end)) != EDITOR_NONE)
        lines += event == EDITOR_LINE;
    return lines;
}

/* Reads and discards the rest of a paste. */
static void paste_skip(struct console *console)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t deadline = clock_now() + PASTE_PATIENCE;
    char bytes[4096];

    while (editor_is_pasting(console->editor) && clock_left(deadline) > 0) {
        int awake = poll(&ready, 1, PASTE_PAUSE);
        ssize_t n = awake > 0 ? read(STDIN_FILENO, bytes, sizeof bytes) : awake;
        if (n == 0 || (n < 0 && !error_passes(errno)))
            return;
        keys_drop(console, bytes, n > 0 ? (size_t)n : 0);
    }
}

void console_stop(struct console *console, struct span keys)
{
    size_t lines = 0;

    if (!console->keyboard)
        return;
    pthread_mutex_lock(&console->lock);
    if (console->editing != EDITING_OFF) {
        line_hide(console);
        lines = keys_drop(console, keys.at, keys.len);
        paste_skip(console);
    }
    console_give(console);
    console->owner = KEYBOARD_RETURNED;
    pthread_mutex_unlock(&console->lock);
    if (lines > 0)
        console_say(console, "not sent: %zu line%s", lines, lines == 1 ? "" : "s");
}

void console_finish(struct console *console)
{
    if (!console->screen)
        return;
    pthread_mutex_lock(&console->lock);
    output_wait(&console->output, &console->lock, HELD_PATIENCE);
    pthread_mutex_unlock(&console->lock);
}

void console_suspend(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    console_give(console);
    pthread_mutex_unlock(&console->lock);
    signals_suffer(SIGTSTP);
    console_continue(console);
}

void console_continue(struct console *console)
{
    signals_take(SIGCONT);
    pthread_mutex_lock(&console->lock);
    if (console->editing != EDITING_OFF) {
        modes_take(&console->modes, MODES_EDITOR);
        editor_restart(console->editor, console_text(console));
    } else {
        console_take(console);
    }
    pthread_mutex_unlock(&console->lock);
    console_resize(console);
}

void console_resize(struct console *console)
{
    unsigned rows, columns;

    if (!console->screen)
        return;
    terminal_size(console->setup.out, &rows, &columns);
    pthread_mutex_lock(&console->lock);
    console->rows = rows;
    console->view.columns = console->setup.plain ? 0 : columns;
    if (console->editor != NULL && editor_resize(console->editor, rows, columns) &&
        console->editing != EDITING_OFF)
        console->editing = EDITING_REDRAW;
    line_refresh(console);
    pthread_mutex_unlock(&console->lock);
}

/* ---- The keyboard -------------------------------------------------------------------- */

static enum editor_event keys_feed(struct console *console, const char **at, const char *end)
{
    enum editor_event event;
    int pause;

    pthread_mutex_lock(&console->lock);
    event = editor_feed(console->editor, at, end);
    if (event == EDITOR_REDRAW)
        console->editing = EDITING_REDRAW;
    pause = editor_pause(console->editor);
    console->keys_due = pause >= 0 ? clock_now() + pause : -1;
    line_refresh(console);
    pthread_mutex_unlock(&console->lock);
    return event;
}

/* True where the event was a paste that is not taken, which is said. */
static bool say_not_pasted(struct console *console, enum editor_event event)
{
    if (event == EDITOR_TOO_LONG)
        console_say(console, "not pasted: more than %zu MB", EDIT_MAX >> 20);
    else if (event == EDITOR_REFUSED)
        console_say(console, "not pasted: several lines go behind /msg NAME or /me only");
    return event == EDITOR_TOO_LONG || event == EDITOR_REFUSED;
}

/* See local_command(). */
static bool console_command(struct console *console, struct span line)
{
    bool done;

    pthread_mutex_lock(&console->lock);
    line_hide(console);
    done = local_command(&console->view, line, console_text(console));
    line_show(console);
    output_offer(&console->output);
    pthread_mutex_unlock(&console->lock);
    return done;
}

static bool line_is_cleared(struct console *console, struct span line)
{
    bool cleared;

    pthread_mutex_lock(&console->lock);
    cleared = line.len > 0 && modes_is_interrupt(&console->modes, line.at[line.len - 1]);
    pthread_mutex_unlock(&console->lock);
    return cleared;
}

void console_interrupted(struct console *console)
{
    if (console->keyboard)
        message_write(STDIN_FILENO, "\n", 1, HELD_PATIENCE);
}

enum editor_event console_typed(struct console *console, struct span line)
{
    bool shows = console->setup.format == CONSOLE_PRETTY || console->setup.format == CONSOLE_WIRE;

    if (line_is_cleared(console, line)) {
        console_interrupted(console);
        return line.len == 1 ? EDITOR_INTERRUPT : EDITOR_NONE;
    }
    if (!shows || line.len == 0 || line.at[line.len - 1] != '\n')
        return EDITOR_LINE;
    line.len--;
    return console_command(console, line) ? EDITOR_NONE : EDITOR_LINE;
}

void console_arrived(struct console *console, struct span keys)
{
    pthread_mutex_lock(&console->lock);
    editor_arrived(console->editor, keys);
    pthread_mutex_unlock(&console->lock);
}

enum editor_event console_feed(struct console *console, const char **at, const char *end)
{
    for (;;) {
        enum editor_event event = keys_feed(console, at, end);
        if (!say_not_pasted(console, event) && event != EDITOR_REDRAW &&
            (event != EDITOR_LINE || !console_command(console, editor_line(console->editor))))
            return event;
    }
}

struct pollfd console_poll(struct console *console, int64_t *due)
{
    struct pollfd wanted = {.fd = -1, .events = POLLOUT};

    pthread_mutex_lock(&console->lock);
    *due = clock_earlier(console->keys_due, console->retry_at);
    if (console->screen && console_text(console)->len > 0 && console->retry_at < 0)
        wanted.fd = console->output.fd;
    pthread_mutex_unlock(&console->lock);
    return wanted;
}

/* In a paste, an incomplete sequence ends first, and later the paste. */
static enum editor_event console_expire_keys(struct console *console)
{
    int before = editor_pause(console->editor);
    enum editor_event event = editor_expire(console->editor);
    int after = editor_pause(console->editor);

    console->keys_due = after > before ? console->keys_due + after - before : -1;
    return event;
}

/* A Linux terminal with room for one byte is ready for poll(2), but accepts no newline. */
void console_tick(struct console *console)
{
    enum editor_event event = EDITOR_NONE;
    size_t left;

    pthread_mutex_lock(&console->lock);
    left = console_text(console)->len;
    if (console->keys_due >= 0 && clock_left(console->keys_due) == 0)
        event = console_expire_keys(console);
    if (clock_left(console->retry_at) == 0)
        console->retry_at = -1;
    if (console->retry_at < 0) {
        line_refresh(console);
        if (console_text(console)->len > 0 && console_text(console)->len >= left)
            console->retry_at = clock_now() + RETRY_PAUSE;
    }
    pthread_mutex_unlock(&console->lock);
    say_not_pasted(console, event);
}

/* ---- Events -------------------------------------------------------------------------- */

static bool verb_is_quiet(enum verb verb)
{
    return verb == VERB_JOIN || verb == VERB_QUIT;
}

void console_begin(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    line_hide(console);
}

void console_line(struct console *console, struct span line)
{
    if (console->setup.format != CONSOLE_WIRE && console->setup.format != CONSOLE_BOT)
        return;
    if (console->screen)
        scrollback_add(&console->view.recent, line);
    outbuf_line(console_text(console), line, 0, 0);
}

/* If events are not shown: tells that the name is not the one that was asked for. */
static void name_note(struct console *console, struct span given)
{
    char name[NAME_LEN_MAX + 1];
    char why[ASKED_WHY_MAX];

    name_copy_clean(name, given);
    asked_explain(&console->view.people.asked, name, why);
    if (*why != '\0')
        console_note(console, "%syou are %s", why, name);
}

/* The text that is left out is the last part of the line. */
static void console_wire(struct console *console, const struct event *event, struct span line)
{
    if (console->setup.quiet && verb_is_quiet(event->verb))
        return;
    if (event->text.len > 0 && people_ignores_text(&console->view.people, event))
        line.len -= event->text.len + 1;
    console_line(console, line);
}

static void console_show(struct console *console, const struct event *event, struct span line)
{
    struct outbuf *text = console_text(console);

    enum view_notice notice;

    switch (console->setup.format) {
    case CONSOLE_NOTHING:
        if (event->verb == VERB_YOU)
            name_note(console, event->name);
        break;
    case CONSOLE_PRETTY:
        notice = view_event(&console->view, event, text);
        if (notice > console->notice)
            console->notice = notice;
        break;
    case CONSOLE_WIRE:
        if (console->keyboard)
            people_follow(&console->view.people, event);
        if (!people_ignores(&console->view.people, event))
            console_wire(console, event, line);
        break;
    case CONSOLE_BOT:
        console_wire(console, event, line);
        break;
    case CONSOLE_NAMES:
        if (event->verb == VERB_HERE)
            view_here(event, text);
        break;
    }
}

void console_event(struct console *console, const struct event *event, struct span line)
{
    console_show(console, event, line);
    if (console_text(console)->len < TEXT_ENOUGH)
        return;
    line_show(console);
    text_write(console);
    line_hide(console);
}

/* Writes the messages of console_note(), without the lock. */
static void notes_write(struct console *console)
{
    struct outbuf notes = console->notes;

    if (notes.len == 0)
        return;
    console->notes = (struct outbuf){0};
    pthread_mutex_unlock(&console->lock);
    message_write(STDERR_FILENO, notes.at, notes.len, HELD_PATIENCE);
    outbuf_free(&notes);
    pthread_mutex_lock(&console->lock);
}

bool console_end(struct console *console)
{
    bool written;

    if (console->setup.bell != NOTICE_NONE && console->notice >= console->setup.bell)
        outbuf_puts(console_text(console), "\a");
    console->notice = NOTICE_NONE;
    line_show(console);
    if (console_text(console)->lost && console->output.error == 0)
        console->output.error = ENOMEM;
    text_write(console);
    notes_write(console);
    written = console->output.error == 0 || console->setup.format == CONSOLE_BOT;
    pthread_mutex_unlock(&console->lock);
    return written;
}

void console_close(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    output_close(&console->output);
    pthread_mutex_unlock(&console->lock);
}

void console_waiting(struct console *console, unsigned long lines)
{
    pthread_mutex_lock(&console->lock);
    if (console->editor != NULL)
        editor_waiting(console->editor, lines);
    line_refresh(console);
    pthread_mutex_unlock(&console->lock);
}

void console_restart(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    view_restart(&console->view);
    pthread_mutex_unlock(&console->lock);
}

/* ---- Messages ------------------------------------------------------------------------ */

/* Shows a message above the line. The loop writes what the terminal does not accept now. */
static void message_show(struct console *console, const char *line, size_t len)
{
    bool taken;

    pthread_mutex_lock(&console->lock);
    line_hide(console);
    view_line(&console->view, (struct span){line, len - 1}, console_text(console));
    line_show(console);
    taken = output_offer(&console->output);
    pthread_mutex_unlock(&console->lock);
    if (!taken && write(console->setup.wake, "", 1) < 0)
        return; /* a full pipe wakes the loop, too */
}

static size_t message_format(char line[MESSAGE_LINE_MAX], const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Formats and cleans a message. Returns its length. */
static size_t message_format(char line[MESSAGE_LINE_MAX], const char *format, va_list arguments)
{
    char text[MESSAGE_MAX];
    size_t len = sizeof message_begin - 1;

    memcpy(line, message_begin, len);
    vsnprintf(text, sizeof text, format, arguments);
    len += text_clean(line + len, text, strlen(text));
    line[len++] = '\n';
    return len;
}

void console_say(struct console *console, const char *format, ...)
{
    char line[MESSAGE_LINE_MAX];
    size_t len;
    va_list arguments;

    va_start(arguments, format);
    len = message_format(line, format, arguments);
    va_end(arguments);
    if (console->shared)
        message_show(console, line, len);
    else
        message_write(STDERR_FILENO, line, len, HELD_PATIENCE);
}

void console_note(struct console *console, const char *format, ...)
{
    char line[MESSAGE_LINE_MAX];
    va_list arguments;
    size_t len;

    va_start(arguments, format);
    len = message_format(line, format, arguments);
    va_end(arguments);
    if (console->shared)
        view_line(&console->view, (struct span){line, len - 1}, console_text(console));
    else
        outbuf_add(&console->notes, line, len);
}
