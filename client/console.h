/*
 * console.h: what the user sees and types at: standard output and error, the terminal and its
 * modes, the view and the line editor behind them. Arriving text, messages and typed keys come
 * from two threads; one lock lets them onto the screen one after another.
 */
#ifndef CLIENT_CONSOLE_H
#define CLIENT_CONSOLE_H

#include "../protocol.h"
#include "editor.h"
#include "modes.h"
#include "output.h"
#include "view.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

enum console_format {
    CONSOLE_NOTHING, /* refusals only */
    CONSOLE_PRETTY,
    CONSOLE_WIRE, /* the server's lines */
    CONSOLE_BOT,  /* the same, for a bot, which may close its input: then it wants no more */
    CONSOLE_NAMES /* of a users list */
};

struct console_setup {
    int out;         /* where events go: standard output, or a bot's input */
    int wake;        /* a byte written there wakes the loop, to call console_poll() */
    bool wants_keys; /* standard input is read */
    bool plain;
    bool quiet;
    enum view_notice bell; /* rings for that much and more; NOTICE_NONE: never */
    enum console_format format;
};

enum console_owner {
    KEYBOARD_OURS,    /* from console_start() on */
    KEYBOARD_LENT,    /* the command of -c may ask its user something */
    KEYBOARD_RETURNED /* for good, by console_stop() */
};

/* The editor's line. Unless it is EDITING_OFF, the terminal's modes are the editor's. */
enum console_editing {
    EDITING_OFF,
    EDITING_ON,    /* but between console_begin() and console_end() */
    EDITING_REDRAW /* Ctrl-L: to be drawn again, with what is above it, when the terminal takes it
                    */
};

struct console {
    struct console_setup setup;
    bool keyboard; /* standard input is a terminal that is read */
    bool screen;   /* out is a terminal */
    bool shared;   /* and standard error is the same one: messages go the same way */

    pthread_mutex_t lock;     /* over all that follows */
    enum console_owner owner; /* of the keyboard */
    struct view view;
    struct output output;
    enum view_notice notice; /* what the events since console_begin() deserve */
    struct outbuf notes;     /* for standard error, where that is not the same terminal */
    struct editor *editor;   /* NULL: the kernel edits, or nobody */
    enum console_editing editing;
    unsigned rows;    /* of the terminal; 0: not known */
    int64_t keys_due; /* when editor_expire() is; -1: never */
    int64_t retry_at; /* when the terminal is tried again; -1: when it is ready */
    struct modes modes;
};

/* Looks at the descriptors and the environment; changes nothing yet. */
void console_init(struct console *, const struct console_setup *);
/* The name that is asked for, before there is a connection. */
void console_ask(struct console *, const char *name);

/*
 * Takes the keyboard: line editing begins, if there is any. What was typed while it was lent was
 * meant for somebody else, and goes. Does nothing where it is taken already, or given back for
 * good.
 */
void console_start(struct console *);
/* Gives the keyboard to another process; a half-typed line waits for the next console_start(). */
void console_lend(struct console *);
/* True where the keyboard is not lent. */
bool console_owns_keys(struct console *);
/*
 * Gives the keyboard back, with its modes as they were; keys are those that were read for the
 * editor and not used. What is left of a paste goes nowhere: a shell would run it. Hardly waits for
 * a terminal that is held (Ctrl-S), and may be called again.
 */
void console_stop(struct console *, struct span keys);
/* The program ends: writes what is left, to a terminal that is not held. */
void console_finish(struct console *);
/* Stopped by Ctrl-Z or from outside, until continued. */
void console_suspend(struct console *);
/* Continued, without having been asked before it was stopped: puts all right. */
void console_continue(struct console *);
/* The window may have changed its size. */
void console_resize(struct console *);

/*
 * Ctrl-C came as a signal: throws away what is half typed, in a terminal whose kernel does the
 * editing. Returns false where there was nothing. Whole lines that were not read yet go to `whole`,
 * which has room for size bytes; their length in *len.
 */
bool console_clear_line(struct console *, char *whole, size_t size, size_t *len);

/*
 * Keys for the editor; see editor_feed(). Events that only concern what is shown are dealt with
 * here, and so are commands that the server does not get (/ignore).
 */
enum editor_event console_feed(struct console *, const char **at, const char *end);
/*
 * What the loop has to wait for besides keys: a terminal that takes output again, fd -1 where that
 * is not waited for; and until when, a deadline of clock.h: half a key that was read ends then.
 * After that, unless keys have come, console_tick() does what is due.
 */
struct pollfd console_poll(struct console *, int64_t *due);
void console_tick(struct console *);

/* Any number of these between console_begin() and console_end() reaches the screen at once. */
void console_begin(struct console *);
void console_event(struct console *, const struct event *, struct span line);
/* A line whose verb is unknown: for CONSOLE_WIRE. */
void console_line(struct console *, struct span line);
/* A message like that of console_say(). */
void console_note(struct console *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Waits until it is written. False when it could not be: console->output.error says why. */
bool console_end(struct console *);

/* Ends what goes to a bot, unless the other thread waits to write it, and cannot be disturbed. */
void console_close(struct console *);

/* So many lines wait for a connection, or for too long for their echo: for the prompt to show. */
void console_waiting(struct console *, unsigned long lines);

/* A new connection: see view_restart(). */
void console_restart(struct console *);

/* One message on standard error, behind "chat: "; not between console_begin() and console_end(). */
void console_say(struct console *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
