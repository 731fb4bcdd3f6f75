/*
 * speakers.h: recent speakers: the order of their messages, and their colours.
 */
#ifndef CLIENT_SPEAKERS_H
#define CLIENT_SPEAKERS_H

#include "roster.h"

#include <stddef.h>

/* Speakers that are kept. The one whose last message is the oldest is replaced. */
#define SPEAKERS_MAX 64

struct speaker {
    char name[NAME_LEN_MAX + 1];
    unsigned long spoke;     /* sequence number of the last message */
    unsigned long whispered; /* the same for private messages; 0: none */
    unsigned hue;
};

/* Zeroed memory is an empty table. */
struct speakers {
    struct speaker at[SPEAKERS_MAX];
    size_t len;
    unsigned long messages; /* the last sequence number */
};

/* Notes a message. Names are clean, and compared without regard to ASCII case. */
void speakers_add(struct speakers *, const char *name, bool in_private);
void speakers_rename(struct speakers *, const char *name, const char *to);
/*
 * Returns the hue of a speaker, less than hues. It depends on the name only, unless another speaker
 * has that hue and a free one is left.
 */
unsigned speakers_hue(struct speakers *, const char *name, unsigned hues);
/*
 * Sets sorted to the speakers that are in the roster, except that name, the latest first; with
 * in_private, by their private messages first. Returns their number.
 */
size_t speakers_sort(const struct speakers *, struct roster *, const char *without, bool in_private,
    const struct speaker *sorted[SPEAKERS_MAX]);

#endif
