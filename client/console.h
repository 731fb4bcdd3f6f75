/*
 * console.h: standard output and standard error, the terminal and its modes, the view and the line
 * editor. Events come from one thread, keys from the other; one lock serialises them. It is not
 * held during a write that may block.
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
    CONSOLE_NOTHING, /* no events; messages on standard error only */
    CONSOLE_PRETTY,
    CONSOLE_WIRE, /* the server's lines */
    CONSOLE_BOT,  /* the same for a bot, which may close its input */
    CONSOLE_NAMES /* of a users list */
};

struct console_setup {
    int out;         /* where events go: standard output, or a bot's input */
    int wake;        /* a byte written there makes the loop call console_poll() again */
    bool wants_keys; /* standard input is read */
    bool plain;
    bool quiet;
    enum view_notice bell; /* the least notice that rings the bell; NOTICE_NONE: never */
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
    EDITING_ON,    /* the line is shown, except between console_begin() and console_end() */
    EDITING_REDRAW /* to be drawn again, with what is above it, when the terminal takes it
                    */
};

struct console {
    struct console_setup setup;
    bool keyboard; /* standard input is a terminal that is read */
    bool screen;   /* out is a terminal */
    bool shared;   /* standard error is the same terminal; messages use the same queue */

    pthread_mutex_t lock;     /* over all that follows */
    enum console_owner owner; /* of the keyboard */
    struct view view;
    struct output output;
    enum view_notice notice; /* the highest one since console_begin() */
    struct outbuf notes;     /* of console_note(), for standard error, unless shared */
    struct editor *editor;   /* NULL: the kernel edits, or no keys are read */
    enum console_editing editing;
    unsigned rows;    /* of the terminal; 0: not known */
    int64_t keys_due; /* when to call editor_expire(); -1: never */
    int64_t retry_at; /* when to write to the terminal again; -1: when poll(2) says so */
    struct modes modes;
};

/* Examines the descriptors and the environment. Does not change the terminal. */
void console_init(struct console *, const struct console_setup *);
/* Sets the name that is asked for, as it was typed. To be called before the first event. */
void console_ask(struct console *, const char *name);

/*
 * Takes the keyboard: line editing begins, if there is any. Keys that were typed while it was lent
 * are discarded: they were meant for the other process. Does nothing if the keyboard is taken
 * already or was returned for good.
 */
void console_start(struct console *);
/* Gives the keyboard to another process; a half-typed line waits for the next console_start(). */
void console_lend(struct console *);
/* True where the keyboard is not lent. */
bool console_owns_keys(struct console *);
/*
 * Ends line editing and restores the modes of the terminal. keys are bytes that were read and not
 * used. The rest of a paste is discarded, because a shell would run it. Waits at most 200 ms for a
 * stopped terminal. May be called again.
 */
void console_stop(struct console *, struct span keys);
/* Writes the rest of the output before the program ends, unless the terminal is stopped. */
void console_finish(struct console *);
/* Stops the program as Ctrl-Z does, and returns when it is continued. */
void console_suspend(struct console *);
/* The program was stopped and continued by signals: sets the modes and draws the line again. */
void console_continue(struct console *);
/* The size of the terminal may have changed. */
void console_resize(struct console *);

/* Keys have been read together; see editor_arrived(). */
void console_arrived(struct console *, struct span keys);
/*
 * Feeds keys to the editor; see editor_feed(). Handles EDITOR_REDRAW, EDITOR_TOO_LONG,
 * EDITOR_REFUSED and the commands of local.h itself and does not return those.
 */
enum editor_event console_feed(struct console *, const char **at, const char *end);
/*
 * Takes a line, with its end, that the kernel has edited. EDITOR_LINE: it is for the session.
 * EDITOR_INTERRUPT: Ctrl-C on an empty line. EDITOR_NONE: Ctrl-C has cleared it, or it was one of
 * the commands of local.h.
 */
enum editor_event console_typed(struct console *, struct span line);
/* The kernel has shown ^C: what follows begins a row. */
void console_interrupted(struct console *);
/*
 * Returns what the loop has to poll besides its own descriptors: a terminal with pending output, or
 * fd -1; and sets *due to a deadline (clock.h). After poll(2), if no keys have come, the loop calls
 * console_tick(), which writes pending output and ends incomplete keys.
 */
struct pollfd console_poll(struct console *, int64_t *due);
void console_tick(struct console *);

/* Events between console_begin() and console_end() are written together, and ring the bell once. */
void console_begin(struct console *);
void console_event(struct console *, const struct event *, struct span line);
/* A line whose verb is unknown: for CONSOLE_WIRE. */
void console_line(struct console *, struct span line);
/* The same as console_say(), between console_begin() and console_end(). */
void console_note(struct console *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Returns when all is written. False: a write failed; the errno is console->output.error. */
bool console_end(struct console *);

/* Closes the input of a bot, unless the other thread is writing to it. */
void console_close(struct console *);

/* Sets the number of waiting lines that the prompt shows: without a connection, or without an echo.
 */
void console_waiting(struct console *, unsigned long lines);

/* A new connection: see view_restart(). */
void console_restart(struct console *);

/* Writes a message to standard error, after "chat: ". Not between console_begin() and
 * console_end().
 */
void console_say(struct console *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
