/*
 * editor.h: a typed line that survives what arrives.
 *
 * A pure state machine: bytes from the terminal go in; events for the caller come out, and screen
 * text, which is added to an outbuf that the caller writes. Nothing here reads, writes, waits,
 * catches signals or sets terminal modes. The caller turns ICANON, ECHO, ISIG and IEXTEN off (OPOST
 * may stay on) and serialises the calls.
 *
 * The line is drawn at the bottom of what has been printed. Anything else that is to be printed
 * goes between editor_hide() and editor_show() and ends with a newline:
 *
 *     editor_hide(editor, out);
 *     view_event(view, event, out);       (as many as there are)
 *     editor_show(editor, out);
 *     write out
 */
#ifndef CLIENT_EDITOR_H
#define CLIENT_EDITOR_H

#include "../wire/span.h"
#include "completion.h"
#include "screen.h"
#include <stdbool.h>
#include <stddef.h>

enum editor_event {
    EDITOR_NONE,      /* all input is used up and the screen is up to date */
    EDITOR_LINE,      /* a line is finished: editor_line() */
    EDITOR_INTERRUPT, /* Ctrl-C on an empty line: the user leaves */
    EDITOR_TOO_LONG,  /* a paste of more than EDIT_MAX bytes has been dropped */
    EDITOR_REDRAW,    /* Ctrl-L: editor_clear(), draw what is above, editor_show() */
    EDITOR_SUSPEND,   /* Ctrl-Z: editor_stop(), stop yourself, editor_start() when continued */
    EDITOR_END        /* Ctrl-D on an empty line: end of input */
};

struct editor;

/*
 * A new editor, hidden, with an empty line behind a prompt of at most NAME_LEN_MAX bytes, which
 * stays valid. NULL without memory.
 */
struct editor *editor_new(const char *prompt, unsigned rows, unsigned columns);
void editor_free(struct editor *);

/* Tab completes commands, and names from there. */
void editor_complete_from(struct editor *, completion_names *, void *context);

/*
 * Takes bytes from [*at, end), up to the first event or to the end of them, and moves *at behind
 * what it took. Call it until EDITOR_NONE. Any cut of the input gives the same events. The screen
 * is brought up to date by editor_refresh(), at any time later. A line's text leaves the screen
 * when it is finished; showing it is up to the caller.
 */
enum editor_event editor_feed(struct editor *, const char **at, const char *end);
/* Draws what has changed, where the line is shown. */
void editor_refresh(struct editor *, struct outbuf *out);

/*
 * The finished line, without its end, as the session takes it; valid until the next editor_feed().
 * Well-formed UTF-8 without anything that text_clean() would replace; of controls, it holds TAB at
 * most (pasted). A line that begins with `/` is a command, for pasted text gets another one.
 */
struct span editor_line(const struct editor *);

/*
 * Keys come in one piece, nearly always, and pastes without rests: what is half received ends by
 * editor_expire(), to be called that many ms after the last byte, unless another comes before. -1:
 * nothing is half received.
 */
int editor_pause(const struct editor *);
enum editor_event editor_expire(struct editor *); /* to be called until EDITOR_NONE */

/* A paste has begun, and its end has not come. */
bool editor_is_pasting(const struct editor *);

/*
 * Shows the line, and turns bracketed paste on. stop hides it and turns that off. restart is for a
 * screen that others may have written to: it forgets what was there, and starts.
 */
void editor_start(struct editor *, struct outbuf *out);
void editor_stop(struct editor *, struct outbuf *out);
void editor_restart(struct editor *, struct outbuf *out);

/*
 * hide takes the line off the screen and leaves the cursor at the left edge where the line was;
 * show draws it again there, cursor and all. Nothing happens where it is so already.
 */
void editor_hide(struct editor *, struct outbuf *out);
void editor_show(struct editor *, struct outbuf *out);

/* So many lines wait for the server: the prompt counts them. */
void editor_waiting(struct editor *, unsigned long lines);
/* Erases the whole screen; the line is hidden then. */
void editor_clear(struct editor *, struct outbuf *out);

/* The window has this size now (0 means unknown: 24 or 80), for the next refresh. */
void editor_resize(struct editor *, unsigned rows, unsigned columns);

#endif
