/*
 * speakers.h: who has spoken lately, when last, and in which hue they are shown.
 */
#ifndef CLIENT_SPEAKERS_H
#define CLIENT_SPEAKERS_H

#include "roster.h"

#include <stddef.h>

/* So many are remembered; the one who has been silent for the longest time is forgotten. */
#define SPEAKERS_MAX 64

struct speaker {
    char name[NAME_LEN_MAX + 1];
    unsigned long spoke;     /* number of their last message, counted from 1 */
    unsigned long whispered; /* the same of private ones; 0: none */
    unsigned hue;
};

/* Zeroed memory is an empty one. */
struct speakers {
    struct speaker at[SPEAKERS_MAX];
    size_t len;
    unsigned long messages; /* so far */
};

/* The name, which is clean, has spoken. */
void speakers_add(struct speakers *, const char *name, bool in_private);
void speakers_rename(struct speakers *, const char *name, const char *to);
/*
 * A hue below hues for a name that has spoken: the same one in every chat, unless another speaker
 * has that one and there are others left.
 */
unsigned speakers_hue(struct speakers *, const char *name, unsigned hues);
/*
 * Writes pointers to those who are in the roster, without the one with that name, the latest first,
 * with in_private those first who have spoken in private; how many.
 */
size_t speakers_sort(const struct speakers *, struct roster *, const char *without, bool in_private,
    const struct speaker *sorted[SPEAKERS_MAX]);

#endif
