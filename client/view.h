/*
 * view.h: how an event looks, on a terminal or in a pipe.
 *
 * Pure but for the time zone: events go in, text comes out. Every line ends with LF. Whatever the
 * server says is cleaned here (text_clean), so nothing that goes out can do anything to a terminal.
 */
#ifndef CLIENT_VIEW_H
#define CLIENT_VIEW_H

#include "../protocol.h"
#include "roster.h"
#include "screen.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * Zeroed memory is a view for a pipe: one line per event, no colour, no wrapping. The caller sets
 * the first block and may change it at any time; the second belongs to view.c.
 */
struct view {
    bool terminal;    /* short times, day lines, marks around the past */
    bool colour;      /* SGR sequences */
    bool quiet;       /* no joins, no quits, nor who is there at the beginning */
    unsigned columns; /* wrap there; 0: do not wrap */

    char name[NAME_LEN_MAX + 1]; /* one's own; empty until `you` */
    bool present;                /* `you` has come: what comes now is no history */
    bool marked;                 /* the past has its mark */
    int day;                     /* the last event's, in local time; 0: none yet */
    unsigned long count;         /* how many are here */
    struct roster roster;
    struct outbuf line; /* the line being made */
};

/*
 * Adds to out how the event looks (nothing, for some). True where it deserves a bell: somebody else
 * said one's name, or said something in private, now.
 */
bool view_event(struct view *, const struct event *, struct outbuf *out);

/* A new connection: what comes until the next `you` is past again. */
void view_restart(struct view *);

/*
 * The i-th of the others who are here, NULL behind the last one; a completion_names. context is the
 * struct view.
 */
const char *view_other(void *context, size_t i);

/* For `chat -l`: the names of a `here` event, one a line. Touches no view. */
void view_here(const struct event *here, struct outbuf *out);

void view_free(struct view *);

#endif
