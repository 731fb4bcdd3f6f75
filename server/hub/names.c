/* names.c: see names.h. Two chained hash tables: the names themselves, and hints where to look. */
#include "names.h"
#include "wire/number.h"

#include <stdlib.h>
#include <string.h>

/* Suffixes have up to this many digits; a room never holds ten million. */
#define DIGITS_MAX 7
/* More different bases than this and the hints begin anew: they save time, they decide nothing. */
#define HINTS_MAX 4096

struct name {
    struct name *next;
    void *holder;
    char folded[NAME_LEN_MAX + 1];
};

/*
 * For one base: for suffixes of d digits, every number below low[d - 1] is taken. Without it,
 * ten thousand people called bob would each try all the bobs before them.
 */
struct hint {
    struct hint *next;
    unsigned low[DIGITS_MAX];
    char base[NAME_LEN_MAX + 1];
};

struct names {
    struct name **slots;
    size_t slot_count; /* a power of two */
    size_t count;
    struct hint *hints[HINTS_MAX];
    size_t hint_count;
};

/* FNV-1a: names are short and an attacker gains a longer chain, not a crash. */
static size_t hash(const char *s)
{
    uint32_t h = 2166136261u;

    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h ^ (h >> 15);
}

struct names *names_new(void)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names == NULL)
        return NULL;
    names->slot_count = 64;
    names->slots = calloc(names->slot_count, sizeof(struct name *));
    if (names->slots == NULL) {
        free(names);
        return NULL;
    }
    return names;
}

static void hints_clear(struct names *names)
{
    for (size_t i = 0; i < HINTS_MAX; i++) {
        struct hint *hint = names->hints[i];

        while (hint != NULL) {
            struct hint *next = hint->next;

            free(hint);
            hint = next;
        }
        names->hints[i] = NULL;
    }
    names->hint_count = 0;
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    for (size_t i = 0; i < names->slot_count; i++) {
        struct name *name = names->slots[i];

        while (name != NULL) {
            struct name *next = name->next;

            free(name);
            name = next;
        }
    }
    hints_clear(names);
    free(names->slots);
    free(names);
}

static struct name **name_slot(const struct names *names, const char *folded)
{
    struct name **slot = &names->slots[hash(folded) & (names->slot_count - 1)];

    while (*slot != NULL && strcmp((*slot)->folded, folded) != 0)
        slot = &(*slot)->next;
    return slot;
}

/* Twice the slots. Where there is no memory the chains just grow longer. */
static void grow(struct names *names)
{
    size_t old_count = names->slot_count;
    struct name **old = names->slots;
    struct name **bigger = calloc(old_count * 2, sizeof(struct name *));

    if (bigger == NULL)
        return;
    names->slots = bigger;
    names->slot_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++)
        while (old[i] != NULL) {
            struct name *name = old[i];
            struct name **slot = &bigger[hash(name->folded) & (names->slot_count - 1)];

            old[i] = name->next;
            name->next = *slot;
            *slot = name;
        }
    free(old);
}

static struct hint **hint_slot(struct names *names, const char *base)
{
    struct hint **slot = &names->hints[hash(base) % HINTS_MAX];

    while (*slot != NULL && strcmp((*slot)->base, base) != 0)
        slot = &(*slot)->next;
    return slot;
}

/* The hint of a base, made where it is missing; NULL without memory, which costs time only. */
static struct hint *hint_get(struct names *names, const char *base)
{
    struct hint **slot = hint_slot(names, base);
    struct hint *hint = *slot;
    unsigned first = 1;

    if (hint != NULL)
        return hint;
    if (names->hint_count >= HINTS_MAX) {
        hints_clear(names);
        slot = hint_slot(names, base);
    }
    hint = calloc(1, sizeof(*hint));
    if (hint == NULL)
        return NULL;
    strcpy(hint->base, base);
    for (int i = 0; i < DIGITS_MAX; i++, first *= 10)
        hint->low[i] = i == 0 ? 2 : first;
    *slot = hint;
    names->hint_count++;
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

/* Looks for a free suffix among the numbers of so many digits, from first to 10 * first - 1. */
static bool find_suffix(struct names *names, const char *wanted, int digits, unsigned first,
    names_reserved *reserved, void *context, char out[NAME_LEN_MAX + 1])
{
    char folded[NAME_LEN_MAX + 1];
    char base[NAME_LEN_MAX + 1];
    unsigned limit = digits == 1 ? 10 : first * 10;
    int unused;
    struct hint *hint;
    unsigned n = digits == 1 ? 2 : first;

    name_suffixed(out, wanted, n);
    name_fold(folded, out);
    hint = suffix_of(folded, base, &unused) != 0 ? hint_get(names, base) : NULL;
    if (hint != NULL)
        n = hint->low[digits - 1];
    for (; n < limit; n++) {
        name_suffixed(out, wanted, n);
        name_fold(folded, out);
        if (*name_slot(names, folded) == NULL && (reserved == NULL || !reserved(context, folded)))
            break;
    }
    if (hint != NULL)
        hint->low[digits - 1] = n;
    return n < limit;
}

static bool find_free(struct names *names, const char *wanted, names_reserved *reserved,
    void *context, char out[NAME_LEN_MAX + 1])
{
    char folded[NAME_LEN_MAX + 1];
    unsigned first = 1;

    name_fold(folded, wanted);
    strcpy(out, wanted);
    if (*name_slot(names, folded) == NULL && (reserved == NULL || !reserved(context, folded)))
        return true;
    for (int digits = 1; digits <= DIGITS_MAX; digits++, first *= 10)
        if (find_suffix(names, wanted, digits, first, reserved, context, out))
            return true;
    return false;
}

bool names_take(struct names *names, const char *wanted, void *holder, names_reserved *reserved,
    void *context, char out[NAME_LEN_MAX + 1])
{
    struct name *name = malloc(sizeof(*name));
    struct name **slot;

    if (name == NULL)
        return false;
    if (!find_free(names, wanted, reserved, context, out)) {
        free(name);
        return false;
    }
    if (names->count >= names->slot_count)
        grow(names);
    name_fold(name->folded, out);
    slot = name_slot(names, name->folded);
    name->holder = holder;
    name->next = NULL;
    *slot = name;
    names->count++;
    return true;
}

bool names_put(struct names *names, const char *wanted, void *holder)
{
    char taken[NAME_LEN_MAX + 1];

    return names_find(names, wanted) == NULL &&
           names_take(names, wanted, holder, NULL, NULL, taken);
}

void names_give(struct names *names, const char *text, void *holder)
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, text);
    name = *name_slot(names, folded);
    if (name != NULL)
        name->holder = holder;
}

void names_release(struct names *names, const char *text)
{
    char folded[NAME_LEN_MAX + 1];
    char base[NAME_LEN_MAX + 1];
    struct name **slot;
    struct name *name;
    unsigned number;
    int digits = 0;

    name_fold(folded, text);
    slot = name_slot(names, folded);
    name = *slot;
    if (name == NULL)
        return;
    *slot = name->next;
    free(name);
    names->count--;
    number = suffix_of(folded, base, &digits);
    if (number >= 2) {
        struct hint *hint = *hint_slot(names, base);

        if (hint != NULL && hint->low[digits - 1] > number)
            hint->low[digits - 1] = number;
    }
}

void *names_find(const struct names *names, const char *text)
{
    char folded[NAME_LEN_MAX + 1];
    struct name *name;

    name_fold(folded, text);
    name = *name_slot(names, folded);
    return name == NULL ? NULL : name->holder;
}
