/*
 * view.h: formats events for people, on a terminal or in a pipe.
 *
 * Pure except for the time zone. Every line ends with LF. All text of the server is cleaned here
 * (text_clean()), so that it cannot control a terminal.
 */
#ifndef CLIENT_VIEW_H
#define CLIENT_VIEW_H

#include "../protocol.h"
#include "people.h"
#include "screen.h"
#include "scrollback.h"
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum view_colour {
    COLOUR_NONE,  /* no SGR sequences */
    COLOUR_BASIC, /* the eight basic colours */
    COLOUR_256
};

/*
 * Events before `you` are past. VIEW_PAST to VIEW_PAST_MARKED: the heading of the past was shown.
 * Both to VIEW_PRESENT: `you` has come. VIEW_PRESENT to VIEW_PAST: view_restart().
 */
enum view_when { VIEW_PAST, VIEW_PAST_MARKED, VIEW_PRESENT };

/*
 * Joins, quits and the like at the beginning of the past. They are kept until it is known whether
 * the past has messages: only then a heading is shown before them.
 */
struct view_early {
    struct scrollback lines;
    struct tm first_time; /* of the first line */
    bool waits;           /* the line under construction is one of them */
};

/*
 * Zeroed memory is a view for a pipe: one line per event, no colour, no wrapping. The caller sets
 * the first block and may change it at any time; the second belongs to view.c.
 */
struct view {
    bool terminal; /* short times, day lines, marks around the past */
    bool quiet;    /* no joins and quits, no users list in the welcome */
    enum view_colour colour;
    unsigned columns; /* width for wrapping; 0: no wrapping */

    struct people people;
    enum view_when when;
    int day;            /* of the last event, in local time; 0: no event yet */
    struct outbuf line; /* the line under construction */
    struct scrollback recent;
    struct view_early early;
};

/* How important an event is, for the bell. */
enum view_notice {
    NOTICE_NONE,
    NOTICE_MESSAGE, /* a message of another member, not of the past */
    NOTICE_MENTION  /* the same, and it is private or mentions the user's name */
};

/* Formats the event and adds the text to out; some events have none. It calls people_follow(). */
enum view_notice view_event(struct view *, const struct event *, struct outbuf *out);

/* Adds a line of clean text that is not an event, wrapped. */
void view_line(struct view *, struct span line, struct outbuf *out);
/* Adds the latest lines again: as many as fit in that many rows. */
void view_redraw(const struct view *, size_t rows, struct outbuf *out);

/* There is a new connection: events before the next `you` are past. */
void view_restart(struct view *);

/* For `chat -l`: adds the names of a `here` event, one on a line. */
void view_here(const struct event *here, struct outbuf *out);

void view_free(struct view *);

#endif
