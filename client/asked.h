/*
 * asked.h: the name that the user asked for, and why they have another one.
 */
#ifndef CLIENT_ASKED_H
#define CLIENT_ASKED_H

#include "../wire/name.h"
#include "../wire/span.h"

/* Bytes of what was typed that are shown; cleaned, it may be three times as long. */
#define ASKED_SHOWN 60
#define ASKED_TYPED_MAX (3 * ASKED_SHOWN + sizeof "...")
#define ASKED_WHY_MAX (ASKED_TYPED_MAX + 32)

/* Zeroed memory: the address. */
struct asked {
    char name[NAME_LEN_MAX + 1]; /* clean; empty: the address is the name */
    char typed[ASKED_TYPED_MAX]; /* what it was made of; empty: the same */
};

void asked_set(struct asked *, struct span typed);
/*
 * Why the name is not the one that was asked for, as the beginning of a sentence: "ann is taken; ".
 * Empty if it is that name, or if none was asked for.
 */
void asked_explain(const struct asked *, const char *name, char out[ASKED_WHY_MAX]);

#endif
