/* names.c: two hash tables: the names themselves, and hints where to look for a free suffix. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "wire/number.h"

/* Suffixes have up to this many digits; a room never holds ten million. */
#define DIGITS_MAX 7
/* More different bases than this and the hints begin anew: they save time, they decide nothing. */
#define HINTS_MAX 4096

struct name {
    struct table_entry entry;
    void *holder;   /* NULL: it is shared */
    size_t sharers; /* by so many */
    char folded[NAME_LEN_MAX + 1];
};

/* Whom a name is looked for: for a sharer, a name that is shared is not taken. */
enum seeker { SEEKER_HOLDER, SEEKER_SHARER, SEEKERS };

/*
 * For one base: for suffixes of d digits, every number below low[seeker][d - 1] is taken. Without
 * it, ten thousand people called bob would each try all the bobs before them.
 */
struct hint {
    struct table_entry entry;
    struct hint *older;
    unsigned low[SEEKERS][DIGITS_MAX];
    char base[NAME_LEN_MAX + 1];
};

struct names {
    struct table names;
    struct table hints;
    struct hint *newest_hint; /* the chain of all of them */
};

static struct name *name_find(const struct names *names, const char *folded)
{
    uint64_t hash = table_hash(&names->names, folded, strlen(folded));
    struct table_entry *entry = table_first(&names->names, hash);

    while (entry != NULL && strcmp(TABLE_ENTRY(struct name, entry, entry)->folded, folded) != 0)
        entry = table_next(entry);
    return entry == NULL ? NULL : TABLE_ENTRY(struct name, entry, entry);
}

static struct hint *hint_find(const struct names *names, const char *base)
{
    uint64_t hash = table_hash(&names->hints, base, strlen(base));
    struct table_entry *entry = table_first(&names->hints, hash);

    while (entry != NULL && strcmp(TABLE_ENTRY(struct hint, entry, entry)->base, base) != 0)
        entry = table_next(entry);
    return entry == NULL ? NULL : TABLE_ENTRY(struct hint, entry, entry);
}

struct names *names_new(const struct table_seed *seed)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names == NULL)
        return NULL;
    if (!table_init(&names->names, seed) || !table_init(&names->hints, seed)) {
        names_free(names);
        return NULL;
    }
    return names;
}

static void hints_clear(struct names *names)
{
    struct hint *hint;

    while ((hint = names->newest_hint) != NULL) {
        names->newest_hint = hint->older;
        table_remove(&names->hints, &hint->entry);
        free(hint);
    }
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    for (size_t i = 0; i < names->names.slot_count; i++) {
        struct table_entry *entry;

        while ((entry = names->names.slots[i]) != NULL) {
            names->names.slots[i] = entry->next;
            free(TABLE_ENTRY(struct name, entry, entry));
        }
    }
    hints_clear(names);
    table_free(&names->names);
    table_free(&names->hints);
    free(names);
}

/* The hint of a base, made where it is missing; NULL without memory, which costs time only. */
static struct hint *hint_get(struct names *names, const char *base)
{
    struct hint *hint = hint_find(names, base);
    unsigned first = 1;

    if (hint != NULL)
        return hint;
    if (names->hints.count >= HINTS_MAX)
        hints_clear(names);
    hint = calloc(1, sizeof(*hint));
    if (hint == NULL)
        return NULL;
    strcpy(hint->base, base);
    for (int i = 0; i < DIGITS_MAX; i++, first *= 10)
        hint->low[SEEKER_HOLDER][i] = hint->low[SEEKER_SHARER][i] = i == 0 ? 2 : first;
    hint->older = names->newest_hint;
    names->newest_hint = hint;
    table_add(&names->hints, &hint->entry, table_hash(&names->hints, base, strlen(base)));
    return hint;
}

/* Splits "base_7" into base and 7; 0 where a name has no such end. */
static unsigned suffix_of(const char *folded, char base[NAME_LEN_MAX + 1], int *digits)
{
    const char *mark = strrchr(folded, '_');
    unsigned long number;

    if (mark == NULL || mark == folded || mark[1] == '0' || strlen(mark + 1) > DIGITS_MAX ||
        !number_parse(mark + 1, strlen(mark + 1), 9999999, &number))
        return 0;
    memcpy(base, folded, (size_t)(mark - folded));
    base[mark - folded] = '\0';
    *digits = (int)strlen(mark + 1);
    return (unsigned)number;
}

static bool is_taken(const struct names *names, const char *folded, enum seeker seeker)
{
    const struct name *name = name_find(names, folded);

    return name != NULL && (seeker == SEEKER_HOLDER || name->holder != NULL);
}

bool names_are_free(const struct names *names, const char *text, bool sharing)
{
    char folded[NAME_LEN_MAX + 1];

    name_fold(folded, text);
    return !is_taken(names, folded, sharing ? SEEKER_SHARER : SEEKER_HOLDER);
}

static bool is_reserved(names_mask reserved, unsigned n)
{
    return n <= NAMES_MASK_BITS && (reserved >> (n - 1) & 1) != 0;
}

/* Looks for a free suffix among the numbers of so many digits, from first to 10 * first - 1. */
static bool find_suffix(struct names *names, enum seeker seeker, const char *wanted, int digits,
    unsigned first, names_mask reserved, char out[NAME_LEN_MAX + 1])
{
    char folded[NAME_LEN_MAX + 1];
    char base[NAME_LEN_MAX + 1];
    unsigned limit = digits == 1 ? 10 : first * 10;
    int unused;
    struct hint *hint;
    unsigned n = digits == 1 ? 2 : first;
    unsigned low = 0; /* the first that nobody has; this client may not get it */

    name_suffixed(out, wanted, n);
    name_fold(folded, out);
    hint = suffix_of(folded, base, &unused) != 0 ? hint_get(names, base) : NULL;
    if (hint != NULL)
        n = hint->low[seeker][digits - 1];
    for (; n < limit; n++) {
        name_suffixed(out, wanted, n);
        name_fold(folded, out);
        if (is_taken(names, folded, seeker))
            continue;
        low = low == 0 ? n : low;
        if (!is_reserved(reserved, n))
            break;
    }
    if (hint != NULL)
        hint->low[seeker][digits - 1] = low == 0 ? n : low;
    return n < limit;
}

static bool find_free(struct names *names, enum seeker seeker, const char *wanted,
    names_mask reserved, char out[NAME_LEN_MAX + 1])
{
    char folded[NAME_LEN_MAX + 1];
    unsigned first = 1;

    name_fold(folded, wanted);
    strcpy(out, wanted);
    if (!is_taken(names, folded, seeker) && !is_reserved(reserved, 1))
        return true;
    for (int digits = 1; digits <= DIGITS_MAX; digits++, first *= 10)
        if (find_suffix(names, seeker, wanted, digits, first, reserved, out))
            return true;
    return false;
}

/* Takes a name out of the table; its suffix is the first to try again. */
static void name_unlink(struct names *names, struct name *name)
{
    char base[NAME_LEN_MAX + 1];
    int digits = 0;
    unsigned number = suffix_of(name->folded, base, &digits);
    struct hint *hint = number >= 2 ? hint_find(names, base) : NULL;

    table_remove(&names->names, &name->entry);
    for (enum seeker seeker = 0; hint != NULL && seeker < SEEKERS; seeker++)
        if (hint->low[seeker][digits - 1] > number)
            hint->low[seeker][digits - 1] = number;
}

static void name_link(struct names *names, struct name *name, const char *text)
{
    name_fold(name->folded, text);
    table_add(
        &names->names, &name->entry, table_hash(&names->names, name->folded, strlen(name->folded)));
}

/* The name is free, for this seeker. fresh is used or freed. */
static void name_assign(struct names *names, struct name *fresh, const char *text, void *holder)
{
    struct name *name;

    fresh->holder = holder;
    fresh->sharers = holder == NULL;
    name_fold(fresh->folded, text);
    name = name_find(names, fresh->folded);
    if (name == NULL) {
        name_link(names, fresh, text);
        return;
    }
    name->sharers++;
    free(fresh);
}

bool names_take(struct names *names, const char *wanted, void *holder, names_mask reserved,
    char out[NAME_LEN_MAX + 1])
{
    struct name *name = calloc(1, sizeof(*name));

    if (name == NULL)
        return false;
    if (!find_free(names, holder == NULL ? SEEKER_SHARER : SEEKER_HOLDER, wanted, reserved, out)) {
        free(name);
        return false;
    }
    name_assign(names, name, out, holder);
    return true;
}

bool names_put(struct names *names, const char *text, void *holder)
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, text);
    if (is_taken(names, folded, holder == NULL ? SEEKER_SHARER : SEEKER_HOLDER))
        return false;
    name = calloc(1, sizeof(*name));
    if (name == NULL)
        return false;
    name_assign(names, name, text, holder);
    return true;
}

void names_give(struct names *names, const char *text, void *holder)
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, text);
    name = name_find(names, folded);
    if (name != NULL)
        name->holder = holder;
}

void names_release(struct names *names, const char *text)
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, text);
    name = name_find(names, folded);
    if (name == NULL || (name->holder == NULL && --name->sharers > 0))
        return;
    name_unlink(names, name);
    free(name);
}

void names_change(struct names *names, const char *old, const char *wanted, names_mask reserved,
    char out[NAME_LEN_MAX + 1])
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, old);
    name = name_find(names, folded);
    name_unlink(names, name);
    if (!find_free(names, SEEKER_HOLDER, wanted, reserved, out))
        strcpy(out, old);
    name_link(names, name, out);
}

void *names_find(const struct names *names, const char *text)
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, text);
    name = name_find(names, folded);
    return name == NULL ? NULL : name->holder;
}
