/*
 * view.h: how an event looks, on a terminal or in a pipe.
 *
 * Pure but for the time zone: events go in, text comes out. Every line ends with LF. Whatever the
 * server says is cleaned here (text_clean), so nothing that goes out can do anything to a terminal.
 */
#ifndef CLIENT_VIEW_H
#define CLIENT_VIEW_H

#include "../protocol.h"
#include "completion.h"
#include "ignored.h"
#include "roster.h"
#include "screen.h"
#include "scrollback.h"
#include "speakers.h"
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum view_colour {
    COLOUR_NONE,  /* no SGR sequences at all */
    COLOUR_BASIC, /* the eight colours that every terminal has */
    COLOUR_256
};

/*
 * VIEW_PAST to VIEW_PAST_MARKED: the heading of the past has been shown. Both to VIEW_PRESENT:
 * `you` has come. VIEW_PRESENT to VIEW_PAST: another connection, by view_restart().
 */
enum view_when { VIEW_PAST, VIEW_PAST_MARKED, VIEW_PRESENT };

/* The speakers that view_other() tells first, as they were when it began. */
struct view_latest {
    char at[SPEAKERS_MAX][NAME_LEN_MAX + 1];
    size_t len;
};

/*
 * Joins and the like that come first in the past: a heading is put before them if something was
 * said in it, which is not known yet.
 */
struct view_early {
    struct scrollback lines;
    struct tm first_time; /* of the first of them */
    bool waits;           /* the line being made is one of them */
};

/*
 * Zeroed memory is a view for a pipe: one line per event, no colour, no wrapping. The caller sets
 * the first block and may change it at any time; the second belongs to view.c.
 */
struct view {
    bool terminal; /* short times, day lines, marks around the past */
    bool quiet;    /* no joins, no quits, nor who is there at the beginning */
    enum view_colour colour;
    unsigned columns; /* wrap there; 0: do not wrap */

    char asked[NAME_LEN_MAX + 1]; /* the name that one would like; empty: any */
    char name[NAME_LEN_MAX + 1];  /* the one that one has; empty until `you` */
    enum view_when when;
    int day;             /* the last event's, in local time; 0: none yet */
    unsigned long count; /* how many are here */
    struct roster roster;
    struct speakers speakers;
    struct view_latest latest;
    struct ignored ignored;
    struct outbuf line; /* the line being made */
    struct scrollback recent;
    struct view_early early;
};

/* How much attention an event deserves. */
enum view_notice {
    NOTICE_NONE,
    NOTICE_MESSAGE, /* somebody else has said something, now */
    NOTICE_MENTION  /* and in private, or with one's own name in it */
};

/* Adds to out how the event looks (nothing, for some). */
enum view_notice view_event(struct view *, const struct event *, struct outbuf *out);

/* The event is a message of somebody who is ignored; view_event() adds nothing for it. */
bool view_ignores(const struct view *, const struct event *);

/* Adds a line of clean text that is no event. */
void view_line(struct view *, struct span line, struct outbuf *out);
/* Adds the latest lines once more, as many as have room in that many rows. */
void view_redraw(const struct view *, size_t rows, struct outbuf *out);

/* A new connection: what comes until the next `you` is past again. */
void view_restart(struct view *);

/* The others who are here, the last speaker first; a completion_names for a struct view. */
const char *view_other(void *context, enum completion_kind kind, size_t i);

/*
 * What to say before "you are NAME" where another name was asked for: "ann is taken; ". Empty where
 * it is that name, or where none was asked for. out holds NAME_LEN_MAX + 32 bytes.
 */
void view_explain_name(char *out, const char *asked, const char *name);

/* For `chat -l`: the names of a `here` event, one a line. Touches no view. */
void view_here(const struct event *here, struct outbuf *out);

void view_free(struct view *);

#endif
