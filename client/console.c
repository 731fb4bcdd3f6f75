/*
 * console.c: see console.h.
 */
#include "console.h"

#include "../compat/compat.h"
#include "../wire/text.h"
#include "clock.h"
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

/* What is put between events and the screen is written when it is this long. */
#define TEXT_ENOUGH 65536
#define MESSAGE_MAX 1024
/* How long a terminal that is held may keep the program from leaving, in ms. */
#define HELD_PATIENCE 200
/* How long the rest of a paste may pause, and how long it may take, in ms. */
#define PASTE_PAUSE 1000
#define PASTE_PATIENCE 10000

static const char prompt[] = "> ";

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

void console_init(struct console *console, const struct console_setup *setup)
{
    unsigned rows, columns = 0;
    bool fancy = !setup->plain && !terminal_is_dumb();

    *console = (struct console){.setup = *setup, .keys_due = -1};
    pthread_mutex_init(&console->lock, NULL);
    console->keyboard = setup->wants_keys && isatty(STDIN_FILENO);
    console->screen = isatty(setup->out);
    if (console->screen)
        terminal_size(setup->out, &rows, &columns);
    console->view.terminal = console->screen;
    console->view.columns = columns;
    console->view.quiet = setup->quiet;
    console->view.colour = console->screen && fancy && !variable_is_set("NO_COLOR");
    console->setup.bell = setup->bell && console->screen;
    if (console->keyboard && console->screen && fancy && setup->format != CONSOLE_NOTHING) {
        console->editor = editor_new(prompt, rows, columns);
        if (console->editor != NULL)
            editor_complete_from(console->editor, view_other, &console->view);
    }
}

/* ---- Writing: all with the lock held ------------------------------------------------- */

static void text_write(struct console *console)
{
    if (console->text.len > 0 && console->setup.out >= 0 &&
        !write_all(console->setup.out, console->text.at, console->text.len)) {
        if (!console->setup.is_bot && console->error == 0)
            console->error = errno;
        console->setup.out = -1;
    }
    console->text.len = 0;
}

static void line_hide(struct console *console)
{
    if (console->editing)
        editor_hide(console->editor, &console->text);
}

static void line_show(struct console *console)
{
    if (console->editing)
        editor_show(console->editor, &console->text);
    text_write(console);
}

/* ---- Modes --------------------------------------------------------------------------- */

/*
 * The editor reads keys. Without it the kernel goes on editing lines, but Ctrl-C leaves what is
 * half typed where console_clear_line() can find it.
 */
static void modes_change(struct console *console)
{
    struct termios modes;

    if (!console->changed && tcgetattr(STDIN_FILENO, &console->before) < 0)
        return;
    modes = console->before;
    if (console->editor != NULL) {
        modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
        modes.c_cc[VMIN] = 1;
        modes.c_cc[VTIME] = 0;
    } else {
        modes.c_lflag |= NOFLSH;
    }
    console->changed = true;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
}

/*
 * In the background too, where asking for it would stop the program. If the end of a paste has not
 * come, what the terminal has of it goes.
 */
static void modes_restore(struct console *console)
{
    sigset_t stop, mask;

    if (!console->changed)
        return;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stop, &mask);
    if (console->editor != NULL && editor_is_pasting(console->editor))
        tcflush(STDIN_FILENO, TCIFLUSH);
    tcsetattr(STDIN_FILENO, TCSANOW, &console->before);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    console->changed = false;
}

static void console_take(struct console *console)
{
    if (!console->keyboard || console->owner != KEYBOARD_OURS)
        return;
    modes_change(console);
    if (console->editor != NULL) {
        editor_start(console->editor, &console->text);
        console->editing = true;
    }
    text_write(console);
}

static void console_give(struct console *console)
{
    if (console->editing)
        editor_stop(console->editor, &console->text);
    console->editing = false;
    text_write(console);
    modes_restore(console);
}

void console_start(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    if (console->owner == KEYBOARD_LENT) {
        console->owner = KEYBOARD_OURS;
        if (console->keyboard)
            tcflush(STDIN_FILENO, TCIFLUSH);
    }
    if (!console->changed)
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

/* False where the other thread does not let go of the screen in time, for the terminal is held. */
static bool console_lock_soon(struct console *console)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += HELD_PATIENCE * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return pthread_mutex_timedlock(&console->lock, &until) == 0;
}

static void keys_drop(struct console *console, const char *at, size_t len)
{
    const char *end = at + len;

    while (at < end)
        editor_feed(console->editor, &at, end);
}

/* Reads on to the end of a paste, if one is under way. */
static void paste_drop(struct console *console)
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
    struct pollfd ready = {.fd = console->setup.out, .events = POLLOUT};
    bool locked;

    if (!console->keyboard)
        return;
    locked = console_lock_soon(console);
    if (locked && console->editing) {
        line_hide(console);
        keys_drop(console, keys.at, keys.len);
        paste_drop(console);
        if (poll(&ready, 1, HELD_PATIENCE) > 0)
            console_give(console);
    }
    modes_restore(console);
    console->owner = KEYBOARD_RETURNED;
    if (locked)
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
    if (console->editing) {
        line_hide(console);
        modes_change(console);
        line_show(console);
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
    console->view.columns = columns;
    if (console->editor != NULL)
        editor_resize(console->editor, rows, columns, &console->text);
    text_write(console);
    pthread_mutex_unlock(&console->lock);
}

/* ---- The keyboard -------------------------------------------------------------------- */

/* Reads what the kernel holds, finished or not. */
static size_t keyboard_drain(char *bytes, size_t size)
{
    struct termios modes;
    struct termios keys;
    ssize_t n;

    if (tcgetattr(STDIN_FILENO, &modes) < 0)
        return 0;
    keys = modes;
    keys.c_lflag &= ~(tcflag_t)ICANON;
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    n = read(STDIN_FILENO, bytes, size);
    tcsetattr(STDIN_FILENO, TCSANOW, &modes);
    return n > 0 ? (size_t)n : 0;
}

bool console_clear_line(struct console *console, char *whole, size_t size, size_t *len)
{
    size_t n;

    *len = 0;
    if (!console->keyboard || console->editor != NULL || !console_owns_keys(console))
        return false;
    n = keyboard_drain(whole, size);
    for (*len = n; *len > 0 && whole[*len - 1] != '\n';)
        --*len;
    if (n > *len)
        write_all(STDIN_FILENO, "\n", 1);
    return n > *len;
}

enum editor_event console_feed(struct console *console, const char **at, const char *end)
{
    enum editor_event event;
    int pause;

    pthread_mutex_lock(&console->lock);
    event = editor_feed(console->editor, at, end);
    pause = editor_pause(console->editor);
    console->keys_due = pause >= 0 ? clock_now() + pause : -1;
    editor_refresh(console->editor, &console->text);
    text_write(console);
    pthread_mutex_unlock(&console->lock);
    return event;
}

int64_t console_due(struct console *console)
{
    int64_t due;

    pthread_mutex_lock(&console->lock);
    due = console->keys_due;
    pthread_mutex_unlock(&console->lock);
    return due;
}

/* Half a sequence in a paste ends first, and then the paste. */
static void keys_expire(struct console *console)
{
    int before = editor_pause(console->editor);
    int after;

    editor_expire(console->editor);
    after = editor_pause(console->editor);
    console->keys_due = after > before ? console->keys_due + after - before : -1;
}

void console_tick(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    if (console->keys_due >= 0 && clock_left(console->keys_due) == 0) {
        keys_expire(console);
        editor_refresh(console->editor, &console->text);
        text_write(console);
    }
    pthread_mutex_unlock(&console->lock);
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
    if (console->setup.format != CONSOLE_WIRE)
        return;
    outbuf_add(&console->text, line.at, line.len);
    outbuf_puts(&console->text, "\n");
}

void console_event(struct console *console, const struct event *event, struct span line)
{
    switch (console->setup.format) {
    case CONSOLE_NOTHING:
        break;
    case CONSOLE_PRETTY:
        if (view_event(&console->view, event, &console->text) && console->setup.bell)
            outbuf_puts(&console->text, "\a");
        break;
    case CONSOLE_WIRE:
        if (console->setup.quiet && verb_is_quiet(event->verb))
            break;
        console_line(console, line);
        break;
    case CONSOLE_NAMES:
        if (event->verb == VERB_HERE)
            view_here(event, &console->text);
        break;
    }
    if (console->text.len >= TEXT_ENOUGH)
        text_write(console);
}

bool console_end(struct console *console)
{
    bool written;

    line_show(console);
    if (console->text.lost && console->error == 0)
        console->error = ENOMEM;
    written = console->error == 0;
    pthread_mutex_unlock(&console->lock);
    return written;
}

void console_close(struct console *console)
{
    if (!console_lock_soon(console))
        return;
    if (console->setup.out >= 0)
        close(console->setup.out);
    console->setup.out = -1;
    pthread_mutex_unlock(&console->lock);
}

void console_restart(struct console *console)
{
    pthread_mutex_lock(&console->lock);
    view_restart(&console->view);
    pthread_mutex_unlock(&console->lock);
}

/* ---- Messages ------------------------------------------------------------------------ */

void console_say(struct console *console, const char *format, ...)
{
    char text[MESSAGE_MAX];
    char line[3 * MESSAGE_MAX + 8] = "chat: ";
    size_t len = strlen(line);
    bool locked = console->editor != NULL && console_lock_soon(console);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    len += text_clean(line + len, text, strlen(text));
    line[len++] = '\n';
    if (locked) {
        line_hide(console);
        text_write(console);
    }
    write_all(STDERR_FILENO, line, len);
    if (locked) {
        line_show(console);
        pthread_mutex_unlock(&console->lock);
    }
}
