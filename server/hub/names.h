/*
 * names.h: the names that are in use. Names that differ only in ASCII case are the same. A name
 * belongs to one holder, or is shared by any number of posters, but never both. A name that is
 * taken gets a suffix, _2, _3, ..., the first that is free.
 */
#ifndef SERVER_HUB_NAMES_H
#define SERVER_HUB_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/name.h"

struct names;
struct table_seed;

/* NULL where there is no memory. The seed is the caller's, as long as the names live. */
struct names *names_new(const struct table_seed *);
void names_free(struct names *);

/*
 * Which forms of a name must not be given: bit 0 stands for the name itself, bit n - 1 for the name
 * with the suffix _n. A login name of the machine that the client has not proved is such a form.
 */
typedef uint64_t names_mask;
#define NAMES_MASK_BITS 64

/*
 * Takes the first free one of wanted, wanted_2, wanted_3, ... for holder and writes it to out. With
 * holder NULL the name is shared: those that others share are free then. wanted is clean. False
 * where there is no memory; then nothing was taken.
 */
bool names_take(struct names *, const char *wanted, void *holder, names_mask reserved,
    char out[NAME_LEN_MAX + 1]);
/* Takes exactly this name; holder NULL shares it. False where it is not free, or without memory. */
bool names_put(struct names *, const char *name, void *holder);
/*
 * Gives the holder of old the first free one of wanted, wanted_2, ... instead, where old itself
 * does not count as taken: out may be old again. old must be held. Cannot fail: it takes no memory.
 */
void names_change(struct names *, const char *old, const char *wanted, names_mask reserved,
    char out[NAME_LEN_MAX + 1]);
/* The name could be taken, or shared, as it is. */
bool names_are_free(const struct names *, const char *name, bool sharing);
/* Gives a name that is held to another holder. */
void names_give(struct names *, const char *name, void *holder);
/* Gives the name back; it is free at once, or when the last of those that share it does so. */
void names_release(struct names *, const char *name);
/* The holder of a name in any case; NULL where nobody has it, or it is shared. */
void *names_find(const struct names *, const char *name);

#endif
