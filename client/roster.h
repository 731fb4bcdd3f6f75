/*
 * roster.h: the names of those who are here, as the server tells them.
 */
#ifndef CLIENT_ROSTER_H
#define CLIENT_ROSTER_H

#include "../protocol.h"
#include <stdbool.h>
#include <stddef.h>

/* No room is that full; a hostile server may say so. Further names are not remembered. */
#define ROSTER_MAX 100000

/* Zeroed memory is an empty one. Sorted without regard to ASCII case, each name once. */
struct roster {
    char (*at)[NAME_LEN_MAX + 1];
    size_t len;
    size_t size;
    bool sorted;   /* unless a list is being read */
    bool complete; /* all of a list has been read */
};

/* A name from the server as it is kept and shown: clean, and no longer than names are. */
void name_take(char out[NAME_LEN_MAX + 1], struct span name);

/* Takes the next name out of those of a `here` line; false when there is none left. */
bool here_next(struct span *names, struct span *name);

/* A `here` line's names. The first line behind a complete list begins another one. */
void roster_here(struct roster *, struct span names);
/* `users`: the list is complete. */
void roster_complete(struct roster *);

void roster_add(struct roster *, struct span name);
void roster_remove(struct roster *, struct span name);

/* A name is in it, in any ASCII case. */
bool roster_has(struct roster *, const char *name);
/* The i-th of those who do not have that name, NULL behind the last one. */
const char *roster_other(struct roster *, const char *name, size_t i);

void roster_clear(struct roster *);
void roster_free(struct roster *);

#endif
