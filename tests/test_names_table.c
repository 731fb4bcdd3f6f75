/*
 * test_names_table.c: the table of names against the rule itself: the first free one of name,
 * name_2, name_3, ..., found by trying each of them. Two tables with other seeds, one of which
 * forgets its hints now and then, must agree: hints decide nothing.
 */
#include "harness.h"
#include "server/hub/names.h"
#include "server/hub/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX 6000

struct held {
    char name[NAME_LEN_MAX + 1];
    char folded[NAME_LEN_MAX + 1];
    size_t sharers; /* 0: it has a holder */
};

/* What must be in the table. */
struct model {
    struct held held[HELD_MAX];
    size_t count;
    uint32_t seed;
};

static struct model model; /* too large for a stack */
static const struct table_seed seeds[] = {{{1, 2}}, {{UINT64_MAX, 77}}};

static uint32_t random_next(uint32_t limit)
{
    model.seed = model.seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)model.seed * limit) >> 32);
}

static struct held *model_find(const char *folded)
{
    for (size_t i = 0; i < model.count; i++)
        if (strcmp(model.held[i].folded, folded) == 0)
            return &model.held[i];
    return NULL;
}

static bool is_reserved(names_mask reserved, unsigned n)
{
    return n <= NAMES_MASK_BITS && (reserved >> (n - 1) & 1) != 0;
}

static bool model_is_free(const char *name, bool sharing)
{
    char folded[NAME_LEN_MAX + 1];
    const struct held *held;

    name_fold(folded, name);
    held = model_find(folded);
    return held == NULL || (sharing && held->sharers > 0);
}

/* The rule. */
static void model_choose(
    char out[NAME_LEN_MAX + 1], const char *wanted, bool sharing, names_mask reserved)
{
    unsigned n = 1;

    strcpy(out, wanted);
    while (!model_is_free(out, sharing) || is_reserved(reserved, n))
        name_suffixed(out, wanted, ++n);
}

/* Mostly nothing is reserved; sometimes some forms are, sometimes nearly all. */
static names_mask random_mask(void)
{
    names_mask mask = random_next(UINT32_MAX) | (names_mask)random_next(UINT32_MAX) << 32;

    switch (random_next(6)) {
    case 0:
        return mask;
    case 1:
        return mask & (names_mask)(random_next(256) << random_next(20));
    case 2:
        return mask | (((names_mask)1 << random_next(NAMES_MASK_BITS)) - 1);
    }
    return 0;
}

static void model_put(struct held *held, const char *name)
{
    strcpy(held->name, name);
    name_fold(held->folded, name);
}

static void model_take(struct names *names, struct names *other, const char *wanted)
{
    bool sharing = random_next(4) == 0;
    struct held *held = &model.held[model.count];
    void *holder = sharing ? NULL : held;
    names_mask reserved = random_mask();
    char want[NAME_LEN_MAX + 1];
    char got[NAME_LEN_MAX + 1];
    char too[NAME_LEN_MAX + 1];

    model_choose(want, wanted, sharing, reserved);
    ensure(names_take(names, wanted, holder, reserved, got), "no memory");
    ensure(names_take(other, wanted, holder, reserved, too), "no memory");
    ensure(strcmp(got, want) == 0, "%s became %s, not %s", wanted, got, want);
    ensure(strcmp(got, too) == 0, "%s became %s and %s", wanted, got, too);
    name_fold(too, got);
    if (model_find(too) != NULL) {
        model_find(too)->sharers++;
        return;
    }
    model_put(held, got);
    held->sharers = sharing;
    ensure(++model.count < HELD_MAX, "too many");
    ensure(
        names_find(names, got) == holder && names_find(names, held->folded) == holder, "not there");
}

/* The old name does not count as taken. */
static void change(struct names *names, struct names *other, const char *wanted)
{
    struct held *held = &model.held[random_next((uint32_t)model.count)];
    void *holder = names_find(names, held->folded);
    names_mask reserved = random_mask();
    char want[NAME_LEN_MAX + 1];
    char old[NAME_LEN_MAX + 1];
    char got[NAME_LEN_MAX + 1];
    char too[NAME_LEN_MAX + 1];

    if (held->sharers > 0)
        return;
    strcpy(old, held->name);
    held->folded[0] = '\0';
    model_choose(want, wanted, false, reserved);
    names_change(names, old, wanted, reserved, got);
    names_change(other, old, wanted, reserved, too);
    ensure(strcmp(got, want) == 0, "%s became %s, not %s", old, got, want);
    ensure(strcmp(got, too) == 0, "%s became %s and %s", old, got, too);
    model_put(held, got);
    ensure(names_find(names, got) == holder, "another one holds %s", got);
    name_fold(too, old);
    ensure(model_find(too) != NULL || names_find(names, old) == NULL, "%s is still there", old);
}

static void release(struct names *names, size_t which)
{
    ensure(
        (names_find(names, model.held[which].folded) != NULL) == (model.held[which].sharers == 0),
        "not there");
    names_release(names, which % 2 == 0 ? model.held[which].name : model.held[which].folded);
    ensure(names_find(names, model.held[which].name) == NULL, "still there");
}

static void release_both(struct names *names, struct names *other, size_t which)
{
    release(names, which);
    release(other, which);
    if (model.held[which].sharers > 1) {
        model.held[which].sharers--;
        return;
    }
    model.held[which] = model.held[--model.count];
}

/* The same names in a table without hints. */
static struct names *names_again(struct names *names, int which)
{
    struct names *again = names_new(&seeds[which]);

    ensure(again != NULL, "no memory");
    for (size_t i = 0; i < model.count; i++) {
        size_t times = model.held[i].sharers == 0 ? 1 : model.held[i].sharers;

        while (times-- > 0)
            ensure(names_put(again, model.held[i].name, names_find(names, model.held[i].name)),
                "no memory, or twice");
    }
    names_free(names);
    return again;
}

/* ---- Names that get into each other's way ---- */

#define SIXTY "sixty_bytes_sixty_bytes_sixty_bytes_sixty_bytes_sixty_bytes_"

static const char *const wanteds[] = {
    "bob",
    "BOB",
    "Bob_2",
    "bob_2_2",
    "bob_",
    "bob__2",
    "bob_9",
    "bob_10",
    "bob_02",
    "bob_1",
    "bob_0",
    "_",
    "_2",
    "2",
    SIXTY "four",
    SIXTY "fOUR",
    SIXTY "fo_2",
    SIXTY "five",
    SIXTY "f_10",
    SIXTY "\xc3\xa9\xc3\xa9", /* cut between characters, ... */
    SIXTY "x\xe4\xbd\xa0",    /* ... never within one */
    &(SIXTY "x\xe4\xbd\xa0")[1],
    "\xe4\xbd\xa0\xe5\xa5\xbd",
    "127.0.0.1:65432",
    "bob_9999999",
    "bob_10000000",
    "bob_99999999999999999999",
};

START_TEST(first_free)
{
    struct names *names = names_new(&seeds[0]);
    struct names *other = names_new(&seeds[1]);

    model = (struct model){.seed = (uint32_t)_i};
    ensure(names != NULL && other != NULL, "no memory");
    for (int i = 0; i < 6000; i++) {
        const char *wanted = wanteds[random_next(COUNT_OF(wanteds))];

        /* Crowds come and go. */
        if (model.count > 0 && random_next(100) < (i / 500 % 2 == 0 ? 30u : 70u))
            release_both(names, other, random_next((uint32_t)model.count));
        else if (model.count > 0 && random_next(5) == 0)
            change(names, other, wanted);
        else
            model_take(names, other, wanted);
        if (random_next(50) == 0)
            other = names_again(other, 1);
    }
    while (model.count > 0)
        release_both(names, other, 0);
    names_free(names);
    names_free(other);
}
END_TEST

/* More bases than there are hints. */
START_TEST(many_bases)
{
    struct names *names = names_new(&seeds[0]);
    char wanted[NAME_LEN_MAX + 1];

    model = (struct model){.seed = 1};
    ensure(names != NULL, "no memory");
    for (int i = 0; i < 5000; i++) {
        char got[NAME_LEN_MAX + 1];

        snprintf(wanted, sizeof wanted, "base%d", i);
        for (int k = 1; k <= 3; k++) {
            char want[NAME_LEN_MAX + 1];

            snprintf(want, sizeof want, k == 1 ? "base%d" : "base%d_%d", i, k);
            ensure(names_take(names, wanted, &model, 0, got), "no memory");
            ensure(strcmp(got, want) == 0, "%s instead of %s", got, want);
        }
        snprintf(wanted, sizeof wanted, "base%d_2", i / 2);
        names_release(names, wanted);
        snprintf(wanted, sizeof wanted, "base%d", i / 2);
        ensure(names_take(names, wanted, &model, 0, got), "no memory");
        ensure(strstr(got, "_2") != NULL, "%s", got);
    }
    names_free(names);
}
END_TEST

START_TEST(holders)
{
    struct names *names = names_new(&seeds[0]);
    char got[NAME_LEN_MAX + 1];
    int ann;
    int ben;

    ensure(names_take(names, "Ann", &ann, 0, got), "no memory");
    ensure(names_find(names, "aNN") == &ann && names_find(names, "ann_2") == NULL, "holder");
    names_give(names, "ANN", &ben);
    ensure(names_find(names, "ann") == &ben, "given away");
    names_give(names, "ben", &ann);
    names_release(names, "ben");
    ensure(names_find(names, "ben") == NULL, "nobody is ben");
    names_release(names, "aNn");
    ensure(names_find(names, "Ann") == NULL, "released");
    ensure(names_put(names, "eve", &ann) && names_find(names, "EVE") == &ann, "put");
    ensure(!names_put(names, "Eve", &ben) && names_find(names, "eve") == &ann, "put twice");
    ensure(names_take(names, "eve", &ben, 0, got) && strcmp(got, "eve_2") == 0, "taken");
    ensure(!names_put(names, "EVE", NULL), "not to be shared");
    ensure(names_put(names, "ci", NULL) && names_put(names, "CI", NULL), "shared");
    ensure(names_find(names, "ci") == NULL && !names_put(names, "ci", &ann), "not to be held");
    names_release(names, "ci");
    ensure(!names_put(names, "ci", &ann), "one still shares it");
    names_release(names, "Ci");
    ensure(names_put(names, "ci", &ann), "free");
    names_free(names);
    names_free(NULL);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {first_free, 6, 60},
        {many_bases, 1, 30},
        {holders, 1, 4},
    };

    return tests_run("names_table", tests, COUNT_OF(tests));
}
