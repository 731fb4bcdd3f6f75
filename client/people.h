/*
 * people.h: who is in the room, as far as the events tell: the members and their number, who spoke
 * last, who is ignored, and the user's own name. It prints nothing.
 */
#ifndef CLIENT_PEOPLE_H
#define CLIENT_PEOPLE_H

#include "../protocol.h"
#include "asked.h"
#include "completion.h"
#include "ignored.h"
#include "roster.h"
#include "speakers.h"

#include <stdbool.h>
#include <stddef.h>

/* The speakers that people_other() returns first, copied at its first call for a word. */
struct people_latest {
    char at[SPEAKERS_MAX][NAME_LEN_MAX + 1];
    size_t len;
};

/* Zeroed memory is nobody. */
struct people {
    struct asked asked;          /* the name that the user asked for; the caller sets it */
    char name[NAME_LEN_MAX + 1]; /* the user's name; empty before the first `you` */
    bool present;                /* `you` has come on this connection: events are not past */
    unsigned long count;         /* members */
    struct roster roster;
    struct speakers speakers;
    struct people_latest latest;
    struct ignored ignored; /* local.h changes it */
};

/*
 * Takes an event. Joins, quits and nicks of the past do not change the members: the list comes
 * after them.
 */
void people_follow(struct people *, const struct event *);
/* There is a new connection: events before the next `you` are past. */
void people_restart(struct people *);

/* True if it is the user's own name, in any ASCII case. */
bool people_is_own(const struct people *, struct span name);
/* True if another member mentions the user's name, or before `you` the one asked for. */
bool people_mentioned(const struct people *, const struct event *);
/* The name on the last connection, or the one that was asked for. */
struct asked people_wanted(const struct people *);

/* True if the event is a message of an ignored name, which is not shown. */
bool people_ignores(const struct people *, const struct event *);
/* True if the event is shown, but not the text that an ignored name has put into it. */
bool people_ignores_text(const struct people *, const struct event *);

/* The other members, the last speaker first: a completion_names with struct people as context. */
const char *people_other(void *context, enum completion_kind kind, size_t i);

void people_free(struct people *);

#endif
