/*
 * editor.h: the line editor. Other output may arrive while a line is typed.
 *
 * A pure state machine: it takes bytes from the terminal and returns events; text for the screen is
 * added to an outbuf that the caller writes. It does not read, write, wait, catch signals or set
 * terminal modes. The caller turns ICANON, ECHO, ISIG and IEXTEN off (OPOST may stay on) and
 * serialises the calls.
 *
 * The line is drawn below everything printed so far. Other output is added between editor_hide()
 * and editor_show() and ends with a newline:
 *
 *     editor_hide(editor, out);
 *     view_event(view, event, out);       (any number of times)
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
    EDITOR_NONE,      /* no more input */
    EDITOR_LINE,      /* a line is complete: editor_line() */
    EDITOR_INTERRUPT, /* Ctrl-C on an empty line: the user leaves */
    EDITOR_TOO_LONG,  /* a paste of more than EDIT_MAX bytes has been dropped */
    EDITOR_REFUSED,   /* several lines behind a command have been dropped, see paste.h */
    EDITOR_REDRAW,    /* Ctrl-L: editor_clear(), draw the text above, editor_show() */
    EDITOR_SUSPEND,   /* Ctrl-Z: editor_stop(), stop yourself, editor_start() when continued */
    EDITOR_END        /* Ctrl-D on an empty line: end of input */
};

struct editor;

/*
 * Returns a new editor, hidden, with an empty line, or NULL if there is no memory. The prompt has
 * at most NAME_LEN_MAX bytes; the caller keeps it valid. A size of 0 is unknown: 24 rows, 80
 * columns.
 */
struct editor *editor_new(const char *prompt, unsigned rows, unsigned columns);
void editor_free(struct editor *);

/* Tab completes commands, and the names that this function returns. */
void editor_complete_from(struct editor *, completion_names *, void *context);

/*
 * Takes bytes from [*at, end) up to the first event, and advances *at. Call it until EDITOR_NONE;
 * it may return events without taking bytes. Any split of the input gives the same events. The
 * screen is updated by editor_refresh(), at any later time. A complete line is removed from the
 * screen; the caller shows it, or not.
 */
enum editor_event editor_feed(struct editor *, const char **at, const char *end);
/*
 * These bytes have been read together and are fed next. After a paste that paused for so long that
 * editor_expire() ended it, bytes with a line end among them are its rest, and not typed. Without
 * this call, bytes after such a pause are typed.
 */
void editor_arrived(struct editor *, struct span bytes);
/* Updates the screen, if the line is shown. */
void editor_refresh(struct editor *, struct outbuf *out);

/*
 * The complete line, without a line end, for session_input(); valid until the next editor_feed().
 * It is clean (text_clean()). A line that begins with `/` is a command: in a pasted line that
 * begins with `/` that character is doubled.
 */
struct span editor_line(const struct editor *);

/*
 * When to call editor_expire(), in ms after the last byte; -1: no key or paste is incomplete. It
 * ends an incomplete key or paste. Call it until it returns EDITOR_NONE.
 */
int editor_pause(const struct editor *);
enum editor_event editor_expire(struct editor *);

/* True from the beginning of a paste to its end. */
bool editor_is_pasting(const struct editor *);

/*
 * start shows the line and turns bracketed paste on; stop hides it and turns bracketed paste off.
 * restart is start for a screen that other programs may have changed: the old line is not erased.
 */
void editor_start(struct editor *, struct outbuf *out);
void editor_stop(struct editor *, struct outbuf *out);
void editor_restart(struct editor *, struct outbuf *out);

/*
 * hide erases the line and leaves the cursor at the left edge of its first row; show draws it there
 * again. Both do nothing if the line is hidden or shown already.
 */
void editor_hide(struct editor *, struct outbuf *out);
void editor_show(struct editor *, struct outbuf *out);

/* Sets the number of unconfirmed lines in the prompt. */
void editor_waiting(struct editor *, unsigned long lines);
/* Erases the whole screen, and hides the line. */
void editor_clear(struct editor *, struct outbuf *out);

/*
 * Sets the size of the terminal (0: unknown), for the next refresh. True: rows of the line may have
 * come back from above a smaller screen: treat it as EDITOR_REDRAW.
 */
bool editor_resize(struct editor *, unsigned rows, unsigned columns);

#endif
