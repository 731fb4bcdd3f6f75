/*
 * names.h: the names that are in use. Every name is there once, whatever its ASCII case, and
 * belongs to one holder; a name that is taken is suffixed _2, _3, ..., the first that is free.
 */
#ifndef SERVER_NAMES_H
#define SERVER_NAMES_H

#include <stdbool.h>

#include "protocol.h"

struct names;

/* NULL where there is no memory. */
struct names *names_new(void);
void names_free(struct names *);

/*
 * Says of a folded name whether it may not be given out as it is (a login name that its asker has
 * not proved). NULL: every free name may be given.
 */
typedef bool names_reserved(void *context, const char *folded);

/*
 * Takes the first free one of wanted, wanted_2, wanted_3, ... for holder and writes it to out.
 * wanted is clean. False where there is no memory; then nothing was taken.
 */
bool names_take(struct names *, const char *wanted, void *holder, names_reserved *reserved,
    void *context, char out[NAME_LEN_MAX + 1]);
/* Takes exactly this name, which nobody has. False where somebody has it, or without memory. */
bool names_put(struct names *, const char *name, void *holder);
/* Gives a name that is held to another holder. */
void names_give(struct names *, const char *name, void *holder);
/* Gives the name back; it is free at once. */
void names_release(struct names *, const char *name);
/* The holder of a name in any case; NULL where nobody has it. */
void *names_find(const struct names *, const char *name);

#endif
