/*
 * test_table.c: the hash table: what is in it is found, once, whatever came and went; its hash is
 * SipHash-1-3, which depends on every bit of key and text.
 */
#include "harness.h"
#include "server/hub/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 3000

struct thing {
    struct table_entry entry;
    unsigned number;
    bool is_in;
};

static uint32_t seed;

static uint32_t random_next(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * limit) >> 32);
}

static const struct table_seed zero = {{0, 0}};

static struct thing *thing_find(const struct table *table, unsigned number, uint64_t hash)
{
    struct table_entry *entry = table_first(table, hash);

    while (entry != NULL && TABLE_ENTRY(struct thing, entry, entry)->number != number)
        entry = table_next(entry);
    return entry == NULL ? NULL : TABLE_ENTRY(struct thing, entry, entry);
}

static uint64_t hash_of(const struct table *table, unsigned number)
{
    return table_hash(table, &number, sizeof number);
}

/* With a hash of its own for each, and with five for all, so that only the numbers differ. */
START_TEST(found_once)
{
    static struct thing things[ENTRIES];
    struct table table;
    size_t count = 0;

    memset(things, 0, sizeof things);
    ensure(table_init(&table, &zero), "no memory");
    seed = (uint32_t)_i;
    for (int step = 0; step < 100000; step++) {
        unsigned number = random_next(ENTRIES);
        struct thing *thing = &things[number];
        uint64_t hash = _i == 0 ? hash_of(&table, number) : number % 5;

        ensure(thing_find(&table, number, hash) == (thing->is_in ? thing : NULL), "%u", number);
        if (thing->is_in)
            table_remove(&table, &thing->entry);
        else
            table_add(&table, &thing->entry, hash);
        thing->number = number;
        thing->is_in = !thing->is_in;
        count += thing->is_in ? 1 : SIZE_MAX;
        ensure(table.count == count, "%zu instead of %zu", table.count, count);
    }
    table_free(&table);
    table_free(&table);
}
END_TEST

/* The table grows with its entries: a look-up costs the same. */
START_TEST(it_grows)
{
    static struct thing things[ENTRIES];
    struct table table;

    memset(things, 0, sizeof things);
    ensure(table_init(&table, &zero), "no memory");
    for (unsigned i = 0; i < ENTRIES; i++)
        table_add(&table, &things[i].entry, hash_of(&table, i));
    ensure(table.slot_count >= ENTRIES / 2, "%zu slots", table.slot_count);
    for (size_t slot = 0; slot < table.slot_count; slot++) {
        size_t length = 0;

        for (struct table_entry *at = table.slots[slot]; at != NULL; at = at->next)
            length++;
        ensure(length < 20, "%zu in one slot", length);
    }
    table_free(&table);
}
END_TEST

static unsigned bits(uint64_t x)
{
    unsigned count = 0;

    for (; x != 0; x &= x - 1)
        count++;
    return count;
}

/* Every bit of the key and of the text changes about half of the hash. */
START_TEST(every_bit_counts)
{
    struct table_seed keys = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    struct table table = {.seed = &keys};
    unsigned char text[32];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * 7);
    for (size_t len = 0; len <= sizeof text; len++) {
        uint64_t hash = table_hash(&table, text, len);

        ensure(hash == table_hash(&table, text, len), "it is always the same");
        ensure(len == 0 || bits(hash ^ table_hash(&table, text, len - 1)) > 10, "its length");
        for (size_t bit = 0; bit < 8 * len; bit++) {
            text[bit / 8] ^= (unsigned char)(1u << bit % 8);
            ensure(bits(hash ^ table_hash(&table, text, len)) > 10, "bit %zu of %zu", bit, len);
            text[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        for (size_t bit = 0; bit < 128; bit++) {
            keys.key[bit / 64] ^= UINT64_C(1) << bit % 64;
            ensure(bits(hash ^ table_hash(&table, text, len)) > 10, "bit %zu of the key", bit);
            keys.key[bit / 64] ^= UINT64_C(1) << bit % 64;
        }
    }
}
END_TEST

/* SipHash-1-3 with the key 00 01 .. 0f, of the texts "", 00, 00 01, ... */
START_TEST(known_hashes)
{
    static const uint64_t known[] = {
        UINT64_C(0xabac0158050fc4dc),
        UINT64_C(0xc9f49bf37d57ca93),
        UINT64_C(0x82cb9b024dc7d44d),
        UINT64_C(0x8bf80ab8e7ddf7fb),
        UINT64_C(0xcf75576088d38328),
        UINT64_C(0xdef9d52f49533b67),
        UINT64_C(0xc50d2b50c59f22a7),
        UINT64_C(0xd3927d989bb11140),
        UINT64_C(0x369095118d299a8e),
        UINT64_C(0x25a48eb36c063de4),
        UINT64_C(0x79de85ee92ff097f),
        UINT64_C(0x70c118c1f94dc352),
        UINT64_C(0x78a384b157b4d9a2),
        UINT64_C(0x306f760c1229ffa7),
        UINT64_C(0x605aa111c0f95d34),
        UINT64_C(0xd320d86d2a519956),
        UINT64_C(0xcc4fdd1a7d908b66),
        UINT64_C(0x9cf2689063dbd80c),
    };
    const struct table_seed keys = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    struct table table = {.seed = &keys};
    unsigned char text[COUNT_OF(known)];

    for (size_t len = 0; len < COUNT_OF(known); len++) {
        text[len] = (unsigned char)len;
        ensure(table_hash(&table, text, len) == known[len], "%zu bytes: %llx", len,
            (unsigned long long)table_hash(&table, text, len));
    }
}
END_TEST

START_TEST(seeds_differ)
{
    struct table_seed a;
    struct table_seed b;

    ensure(table_seed_read(&a) && table_seed_read(&b), "no random bytes");
    ensure(memcmp(&a, &b, sizeof a) != 0, "the same twice");
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {found_once, 2, 20},
        {it_grows, 1, 5},
        {every_bit_counts, 1, 5},
        {known_hashes, 1, 5},
        {seeds_differ, 1, 5},
    };

    return tests_run("table", tests, COUNT_OF(tests));
}
