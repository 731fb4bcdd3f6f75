/* bans.c: a table of bans by source. */
#include "bans.h"

#include <stdlib.h>
#include <string.h>

#include "codec.h"

bool bans_init(struct bans *bans, const struct table_seed *seed)
{
    list_init(&bans->all);
    return table_init(&bans->table, seed);
}

static void ban_free(struct bans *bans, struct ban *ban)
{
    list_remove(&ban->all);
    table_remove(&bans->table, &ban->entry);
    free(ban);
}

void bans_free(struct bans *bans)
{
    if (bans->all.next == NULL) /* bans_init() was not reached */
        return;
    while (!list_is_empty(&bans->all))
        ban_free(bans, LIST_ENTRY(struct ban, all, bans->all.next));
    table_free(&bans->table);
}

static uint64_t key_hash(const struct bans *bans, const struct source_key *key)
{
    return table_hash(&bans->table, key->bytes, SOURCE_KEY_LEN);
}

static void bans_expire(struct bans *bans, uint64_t now)
{
    struct list *next;

    for (struct list *at = bans->all.next; at != &bans->all; at = next) {
        struct ban *ban = LIST_ENTRY(struct ban, all, at);

        next = at->next;
        if (ban->until <= now)
            ban_free(bans, ban);
    }
}

bool bans_have_space(struct bans *bans, uint64_t now)
{
    bans_expire(bans, now);
    return bans->table.count < BANS_MAX;
}

/* The one that was put on this name at this source; NULL: there is none. */
static struct ban *ban_find(const struct bans *bans, const struct source_key *key, const char *name)
{
    struct table_entry *entry = table_first(&bans->table, key_hash(bans, key));

    for (; entry != NULL; entry = table_next(entry)) {
        struct ban *ban = TABLE_ENTRY(struct ban, entry, entry);

        if (source_key_equal(&ban->key, key) && name_equal(ban->name, name))
            return ban;
    }
    return NULL;
}

static void ban_add(struct bans *bans, struct ban *ban)
{
    list_append(&bans->all, &ban->all);
    table_add(&bans->table, &ban->entry, key_hash(bans, &ban->key));
}

struct ban *bans_put(
    struct bans *bans, const struct source_key *key, const char *name, uint64_t until)
{
    struct ban *ban = ban_find(bans, key, name);

    if (ban == NULL) {
        ban = calloc(1, sizeof(*ban));
        if (ban == NULL)
            return NULL;
        ban->key = *key;
        strcpy(ban->name, name);
        ban_add(bans, ban);
    }
    ban->until = until;
    return ban;
}

/* The first ban on that name; NULL: there is none. */
static struct ban *ban_named(struct bans *bans, struct span name, uint64_t now)
{
    char text[NAME_LEN_MAX + 1];

    if (name.len > NAME_LEN_MAX)
        return NULL;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    bans_expire(bans, now);
    for (struct list *at = bans->all.next; at != &bans->all; at = at->next) {
        struct ban *ban = LIST_ENTRY(struct ban, all, at);

        if (name_equal(ban->name, text))
            return ban;
    }
    return NULL;
}

bool bans_have_name(struct bans *bans, struct span name, uint64_t now)
{
    return ban_named(bans, name, now) != NULL;
}

void bans_lift(struct bans *bans, struct span name, uint64_t now)
{
    struct ban *ban;

    while ((ban = ban_named(bans, name, now)) != NULL)
        ban_free(bans, ban);
}

bool bans_have(const struct bans *bans, const struct source_key *key, uint64_t now)
{
    struct table_entry *entry = table_first(&bans->table, key_hash(bans, key));

    for (; entry != NULL; entry = table_next(entry)) {
        const struct ban *ban = TABLE_ENTRY(const struct ban, entry, entry);

        if (source_key_equal(&ban->key, key) && ban->until > now)
            return true;
    }
    return false;
}

/* ---- Handing over ---------------------------------------------------------------------------- */

static void ban_state(struct ban *ban, struct codec *c)
{
    codec_bytes(c, ban->key.bytes, SOURCE_KEY_LEN);
    codec_u64(c, &ban->until);
    codec_bool(c, &ban->told);
    codec_text(c, ban->name, sizeof(ban->name));
}

static void ban_load(struct bans *bans, struct codec *c)
{
    struct ban *ban = calloc(1, sizeof(*ban));

    if (ban != NULL)
        ban_state(ban, c);
    if (ban == NULL || c->bad) {
        c->bad = true;
        free(ban);
        return;
    }
    ban_add(bans, ban);
}

void bans_state(struct bans *bans, struct codec *c)
{
    size_t count = bans->table.count;

    codec_size(c, &count);
    codec_bool(c, &bans->to_tell);
    c->bad |= count > BANS_MAX;
    if (c->loading) {
        for (size_t i = 0; i < count && !c->bad; i++)
            ban_load(bans, c);
        return;
    }
    for (struct list *at = bans->all.next; at != &bans->all; at = at->next)
        ban_state(LIST_ENTRY(struct ban, all, at), c);
}
