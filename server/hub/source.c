/* source.c: keys of addresses and users, and a table of sources by key. */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rate.h"

/* What a key's first byte says. */
enum kind { KIND_USER, KIND_V4, KIND_V6_NETWORK, KIND_V6_LINK };

/* Of an IPv6 address: those of its network. */
#define NETWORK_LEN 8
#define NETWORK_BITS 64
#define COUNT_ROOM_FIRST 16

/* ---- Keys ------------------------------------------------------------------------------------ */

struct source_key source_key(const struct origin *origin)
{
    struct source_key key = {{0}};
    unsigned char *at = key.bytes + 1;

    if (origin->local) {
        key.bytes[0] = KIND_USER;
        memcpy(at, &origin->uid, sizeof(origin->uid));
    } else if (origin->ip.version != IP_V6) {
        key.bytes[0] = KIND_V4;
        memcpy(at, origin->ip.bytes, IP_BYTES_MAX);
    } else if (!ip_is_link_local(&origin->ip)) {
        key.bytes[0] = KIND_V6_NETWORK;
        memcpy(at, origin->ip.bytes, NETWORK_LEN);
    } else {
        key.bytes[0] = KIND_V6_LINK;
        memcpy(at, origin->ip.bytes, IP_BYTES_MAX);
        memcpy(at + IP_BYTES_MAX, &origin->ip.scope, sizeof(origin->ip.scope));
    }
    return key;
}

/* Of a link there is a scope, which is this machine's. */
bool source_key_is_address(const struct source_key *key)
{
    return key->bytes[0] == KIND_V4 || key->bytes[0] == KIND_V6_NETWORK;
}

bool source_key_equal(const struct source_key *a, const struct source_key *b)
{
    return memcmp(a->bytes, b->bytes, SOURCE_KEY_LEN) == 0;
}

void source_format(char out[SOURCE_TEXT_MAX], const struct source_key *key)
{
    enum kind kind = (enum kind)key->bytes[0];
    const unsigned char *at = key->bytes + 1;
    struct ip_range range = {.ip.version = kind == KIND_V4 ? IP_V4 : IP_V6};
    uint32_t scope;
    uid_t uid;

    if (kind == KIND_USER) {
        memcpy(&uid, at, sizeof(uid));
        snprintf(out, SOURCE_TEXT_MAX, "uid %lu", (unsigned long)uid);
        return;
    }
    memcpy(range.ip.bytes, at, IP_BYTES_MAX);
    range.bits = kind == KIND_V4 ? 32 : kind == KIND_V6_NETWORK ? NETWORK_BITS : 128;
    ip_range_format(out, &range);
    memcpy(&scope, at + IP_BYTES_MAX, sizeof(scope));
    if (kind == KIND_V6_LINK && scope != 0)
        sprintf(out + strlen(out), "%%%lu", (unsigned long)scope);
}

/* ---- The table ------------------------------------------------------------------------------- */

bool sources_init(struct sources *sources, const struct table_seed *seed)
{
    *sources = (struct sources){0};
    list_init(&sources->idle);
    return table_init(&sources->table, seed);
}

static void source_free(struct sources *sources, struct source *source)
{
    timer_set(&sources->timers, &source->timer, TIME_NEVER);
    list_remove(&source->equals);
    table_remove(&sources->table, &source->entry);
    free(source);
}

void sources_free(struct sources *sources)
{
    if (sources->idle.next == NULL) /* sources_init() was not reached */
        return;
    while (!list_is_empty(&sources->idle))
        source_free(sources, LIST_ENTRY(struct source, equals, sources->idle.next));
    timers_free(&sources->timers);
    table_free(&sources->table);
    free(sources->by_count);
}

static uint64_t key_hash(const struct sources *sources, const struct source_key *key)
{
    return table_hash(&sources->table, key->bytes, SOURCE_KEY_LEN);
}

struct source *source_find(const struct sources *sources, const struct source_key *key)
{
    struct table_entry *entry = table_first(&sources->table, key_hash(sources, key));

    for (; entry != NULL; entry = table_next(entry)) {
        struct source *source = TABLE_ENTRY(struct source, entry, entry);

        if (source_key_equal(&source->key, key))
            return source;
    }
    return NULL;
}

/* Those of which nothing counts any more are as good as new. */
static void idle_expire(struct sources *sources, uint64_t now)
{
    while (!list_is_empty(&sources->idle)) {
        struct source *source = LIST_ENTRY(struct source, equals, sources->idle.next);

        if (now - source->idle_since < RATE_BURST_US)
            return;
        source_free(sources, source);
    }
}

static struct source *source_new(struct sources *sources, const struct source_key *key)
{
    struct source *source = calloc(1, sizeof(*source));

    if (source == NULL || !timers_reserve(&sources->timers, sources->table.count + 1)) {
        free(source);
        return NULL;
    }
    source->key = *key;
    list_init(&source->nameless);
    list_init(&source->equals);
    list_init(&source->waiting);
    list_init(&source->guesses);
    table_add(&sources->table, &source->entry, key_hash(sources, key));
    return source;
}

struct source *source_enter(struct sources *sources, const struct source_key *key, uint64_t now)
{
    struct source *source;

    idle_expire(sources, now);
    source = source_find(sources, key);
    if (source == NULL)
        source = source_new(sources, key);
    if (source == NULL)
        return NULL;
    if (source->connections++ == 0)
        list_remove(&source->equals);
    return source;
}

void source_leave(struct sources *sources, struct source *source, uint64_t now)
{
    if (--source->connections > 0)
        return;
    if (source->rate_at <= now && source->pass_at <= now) {
        source_free(sources, source);
        return;
    }
    source->idle_since = now;
    list_append(&sources->idle, &source->equals);
}

bool source_restore(struct sources *sources, const struct source *past)
{
    struct source *source = source_find(sources, &past->key);

    if (source == NULL) {
        source = source_new(sources, &past->key);
        if (source == NULL)
            return false;
        source->idle_since = past->idle_since;
        list_append(&sources->idle, &source->equals);
    }
    source->rate_at = past->rate_at;
    source->pass_at = past->pass_at;
    return true;
}

/* ---- Sessions without a name ----------------------------------------------------------------- */

/* Moves the heads of the lists: their entries point to them. */
static void lists_move(struct list *to, struct list *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        list_init(&to[i]);
        while (!list_is_empty(&from[i]))
            list_append(&to[i], list_take(&from[i]));
    }
}

static bool counts_reserve(struct sources *sources, size_t count)
{
    size_t room = sources->count_room == 0 ? COUNT_ROOM_FIRST : 2 * sources->count_room;
    struct list *lists;

    if (count <= sources->count_room)
        return true;
    lists = calloc(room, sizeof(lists[0]));
    if (lists == NULL)
        return false;
    lists_move(lists, sources->by_count, sources->count_room);
    for (size_t i = sources->count_room; i < room; i++)
        list_init(&lists[i]);
    free(sources->by_count);
    sources->by_count = lists;
    sources->count_room = room;
    return true;
}

/* Of sources with equal counts, one that has just come to that count stands behind the others; but
 * one that had more stands before those that never had. */
static void source_set_count(struct sources *sources, struct source *source, size_t count)
{
    bool falls = count < source->nameless_count;

    list_remove(&source->equals);
    source->nameless_count = count;
    if (count > 0) {
        struct list *equals = &sources->by_count[count - 1];

        list_append(falls ? equals->next : equals, &source->equals);
    }
    if (count > sources->most)
        sources->most = count;
    while (sources->most > 0 && list_is_empty(&sources->by_count[sources->most - 1]))
        sources->most--;
}

bool source_add_nameless(struct sources *sources, struct source *source, struct list *entry)
{
    if (!counts_reserve(sources, source->nameless_count + 1))
        return false;
    list_append(&source->nameless, entry);
    sources->nameless++;
    source_set_count(sources, source, source->nameless_count + 1);
    return true;
}

void source_remove_nameless(struct sources *sources, struct source *source, struct list *entry)
{
    if (list_is_empty(entry))
        return;
    list_remove(entry);
    sources->nameless--;
    source_set_count(sources, source, source->nameless_count - 1);
}

struct list *sources_oldest_nameless(const struct sources *sources)
{
    if (sources->most == 0)
        return NULL;
    return LIST_ENTRY(struct source, equals, sources->by_count[sources->most - 1].next)
        ->nameless.next;
}
