/* table.c: chained hashing with SipHash-1-3. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "compat/compat.h"

#define SLOTS_FIRST 64

bool table_seed_read(struct table_seed *seed)
{
    return random_bytes(seed->key, sizeof(seed->key));
}

static uint64_t bits_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = bits_rotate(v[1], 13) ^ v[0];
    v[3] = bits_rotate(v[3], 16) ^ v[2];
    v[0] = bits_rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = bits_rotate(v[1], 17) ^ v[2];
    v[3] = bits_rotate(v[3], 21) ^ v[0];
    v[2] = bits_rotate(v[2], 32);
}

/* Up to 8 bytes as a number, the first one least significant on every machine. */
static uint64_t word_read(const unsigned char *bytes, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

uint64_t table_hash(const struct table *table, const void *bytes, size_t len)
{
    const uint64_t *key = table->seed->key;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
        key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *at = bytes;
    size_t left = len;

    for (;;) {
        uint64_t word = left >= 8 ? word_read(at, 8) : word_read(at, left) | (uint64_t)len << 56;

        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        if (left < 8)
            break;
        at += 8;
        left -= 8;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool table_init(struct table *table, const struct table_seed *seed)
{
    *table = (struct table){.slot_count = SLOTS_FIRST, .seed = seed};
    table->slots = calloc(table->slot_count, sizeof(table->slots[0]));
    if (table->slots == NULL)
        table->slot_count = 0;
    return table->slots != NULL;
}

void table_free(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

static struct table_entry **table_slot(const struct table *table, uint64_t hash)
{
    return &table->slots[hash & (table->slot_count - 1)];
}

struct table_entry *table_first(const struct table *table, uint64_t hash)
{
    struct table_entry *entry = *table_slot(table, hash);

    while (entry != NULL && entry->hash != hash)
        entry = entry->next;
    return entry;
}

struct table_entry *table_next(const struct table_entry *entry)
{
    uint64_t hash = entry->hash;

    do {
        entry = entry->next;
    } while (entry != NULL && entry->hash != hash);
    return (struct table_entry *)entry;
}

static void entry_link(struct table *table, struct table_entry *entry)
{
    struct table_entry **slot = table_slot(table, entry->hash);

    entry->next = *slot;
    *slot = entry;
}

static void table_grow(struct table *table)
{
    size_t old_count = table->slot_count;
    struct table_entry **old = table->slots;
    struct table_entry **bigger = calloc(2 * old_count, sizeof(bigger[0]));

    if (bigger == NULL)
        return;
    table->slots = bigger;
    table->slot_count = 2 * old_count;
    for (size_t i = 0; i < old_count; i++)
        while (old[i] != NULL) {
            struct table_entry *entry = old[i];

            old[i] = entry->next;
            entry_link(table, entry);
        }
    free(old);
}

void table_add(struct table *table, struct table_entry *entry, uint64_t hash)
{
    if (table->count >= table->slot_count)
        table_grow(table);
    entry->hash = hash;
    entry_link(table, entry);
    table->count++;
}

void table_remove(struct table *table, struct table_entry *entry)
{
    struct table_entry **at = table_slot(table, entry->hash);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    entry->next = NULL;
    table->count--;
}
