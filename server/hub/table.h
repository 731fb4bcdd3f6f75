/*
 * table.h: a hash table whose links stand in its entries. It grows by itself; where there is no
 * memory for that, its chains get longer and nothing fails.
 *
 * Strangers choose names and addresses, so the hash is keyed with a seed from the system
 * (SipHash-1-3 by Aumasson and Bernstein): they cannot find strings that collide.
 */
#ifndef SERVER_HUB_TABLE_H
#define SERVER_HUB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an entry embeds. Zeroed memory is in no table. */
struct table_entry {
    struct table_entry *next;
    uint64_t hash;
};

struct table_seed {
    uint64_t key[2];
};

struct table {
    struct table_entry **slots;
    size_t slot_count; /* a power of two */
    size_t count;
    const struct table_seed *seed; /* the caller's, as long as the table lives */
};

/* The structure of that type which embeds this entry as its member. */
#define TABLE_ENTRY(type, member, entry) ((type *)(void *)((char *)(entry)-offsetof(type, member)))

/* A seed from the system's generator. False where there is none. */
bool table_seed_read(struct table_seed *);

/* False where there is no memory. */
bool table_init(struct table *, const struct table_seed *);
/* Frees the table; the entries are the caller's. A zeroed table is ignored. */
void table_free(struct table *);

uint64_t table_hash(const struct table *, const void *bytes, size_t len);

/*
 * The entries with this hash, one after the other; NULL: no more. The caller compares the keys, for
 * different keys may have one hash.
 */
struct table_entry *table_first(const struct table *, uint64_t hash);
struct table_entry *table_next(const struct table_entry *);

void table_add(struct table *, struct table_entry *, uint64_t hash);
/* Takes out an entry that is in the table. */
void table_remove(struct table *, struct table_entry *);

#endif
