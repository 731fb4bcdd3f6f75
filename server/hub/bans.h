/*
 * bans.h: sources whose connections are refused for some time. A ban is put on somebody, and is of
 * the source of that session: it is found by the source, and lifted by the name.
 *
 * Times are microseconds of CLOCK_MONOTONIC.
 */
#ifndef SERVER_HUB_BANS_H
#define SERVER_HUB_BANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "source.h"
#include "table.h"
#include "wire/name.h"
#include "wire/span.h"

struct codec;

/* So many at once, at most. */
#define BANS_MAX 1024

/* Until it is over or lifted; one that is over goes when the next is put. */
struct ban {
    struct table_entry entry;
    struct list all;
    struct source_key key;
    uint64_t until;
    bool told; /* where several machines share the room: all know it, or need not */
    char name[NAME_LEN_MAX + 1]; /* on whom it was put */
};

struct bans {
    struct table table; /* by source */
    struct list all;    /* in the order in which they were put */
    bool to_tell;       /* to the other machines: those that are not told */
};

/* False without memory; bans_free() then too. */
bool bans_init(struct bans *, const struct table_seed *);
void bans_free(struct bans *);

/* There is space for one more. */
bool bans_have_space(struct bans *, uint64_t now);
/* Puts one, or changes the end of the one that this name has at this source. NULL without memory.
 */
struct ban *bans_put(struct bans *, const struct source_key *, const char *name, uint64_t until);
/* A ban that was put on this name, in any case, is in force. */
bool bans_have_name(struct bans *, struct span name, uint64_t now);
/* Lifts what was put on it. */
void bans_lift(struct bans *, struct span name, uint64_t now);
/* A ban of that source is in force. */
bool bans_have(const struct bans *, const struct source_key *, uint64_t now);

/* Writes them, or fills empty ones; see codec.h. */
void bans_state(struct bans *, struct codec *);

#endif
