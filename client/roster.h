/*
 * roster.h: the names of the members, as the server sends them.
 */
#ifndef CLIENT_ROSTER_H
#define CLIENT_ROSTER_H

#include "../protocol.h"
#include <stdbool.h>
#include <stddef.h>

/* More names than any room has: a limit for a hostile server. Further names are discarded. */
#define ROSTER_MAX 100000

/* Zeroed memory is an empty roster. Sorted without regard to ASCII case; no name twice. */
struct roster {
    char (*at)[NAME_LEN_MAX + 1];
    size_t len;
    size_t size;
    bool sorted;   /* false while a list is being received */
    bool complete; /* a list has been received */
};

/* Copies a name from the server, cleaned and cut to the length of names. */
void name_copy_clean(char out[NAME_LEN_MAX + 1], struct span name);

/* Removes the next name of a `here` line from the front of names. False: no more. */
bool here_next(struct span *names, struct span *name);

/* Adds the names of a `here` line. The first one after a complete list begins a new list. */
void roster_here(struct roster *, struct span names);
/* `users` has come: the list is complete. */
void roster_complete(struct roster *);

void roster_add(struct roster *, struct span name);
void roster_remove(struct roster *, struct span name);

/* True if the name is in the roster, in any ASCII case. */
bool roster_has(struct roster *, const char *name);
/* The i-th name, not counting that one; NULL after the last. */
const char *roster_other(struct roster *, const char *name, size_t i);

void roster_clear(struct roster *);
void roster_free(struct roster *);

#endif
