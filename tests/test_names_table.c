/*
 * test_names_table.c: the table of names against the rule itself: the first free one of name,
 * name_2, name_3, ..., found by trying each of them.
 */
#include "harness.h"
#include "server/hub/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX 6000

struct held {
    char name[NAME_LEN_MAX + 1];
    char folded[NAME_LEN_MAX + 1];
};

/* What must be in the table; each one's holder is its element's address when it was taken. */
struct model {
    struct held held[HELD_MAX];
    size_t count;
    uint32_t seed;
    unsigned reserves; /* of all folded names, one in so many is reserved; 0: none */
};

static struct model model; /* too large for a stack */

static uint32_t random_next(uint32_t limit)
{
    model.seed = model.seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)model.seed * limit) >> 32);
}

static bool is_reserved(void *context, const char *folded)
{
    const struct model *m = context;
    unsigned sum = 0;

    for (; *folded != '\0'; folded++)
        sum = sum * 31 + (unsigned char)*folded;
    return m->reserves != 0 && sum % m->reserves == 0;
}

static struct held *model_find(const char *folded)
{
    for (size_t i = 0; i < model.count; i++)
        if (strcmp(model.held[i].folded, folded) == 0)
            return &model.held[i];
    return NULL;
}

static bool model_is_free(const char *name)
{
    char folded[NAME_LEN_MAX + 1];

    name_fold(folded, name);
    return model_find(folded) == NULL && !is_reserved(&model, folded);
}

/* The rule. */
static void model_choose(char out[NAME_LEN_MAX + 1], const char *wanted)
{
    unsigned n = 1;

    strcpy(out, wanted);
    while (!model_is_free(out))
        name_suffixed(out, wanted, ++n);
}

static void take(struct names *names, const char *wanted)
{
    struct held *held = &model.held[model.count];
    char want[NAME_LEN_MAX + 1];
    char got[NAME_LEN_MAX + 1];

    model_choose(want, wanted);
    ensure(names_take(names, wanted, held, is_reserved, &model, got), "no memory");
    ensure(strcmp(got, want) == 0, "%s became %s, not %s", wanted, got, want);
    strcpy(held->name, got);
    name_fold(held->folded, got);
    ensure(++model.count < HELD_MAX, "too many");
    ensure(names_find(names, got) != NULL && names_find(names, held->folded) != NULL, "not there");
}

static void release(struct names *names, size_t which)
{
    ensure(names_find(names, model.held[which].folded) != NULL, "not there");
    names_release(names, which % 2 == 0 ? model.held[which].name : model.held[which].folded);
    ensure(names_find(names, model.held[which].name) == NULL, "still there");
    model.held[which] = model.held[--model.count];
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
    struct names *names = names_new();

    model = (struct model){.seed = (uint32_t)_i, .reserves = _i % 2 == 0 ? 0 : 7};
    ensure(names != NULL, "no memory");
    for (int i = 0; i < 6000; i++) {
        /* Crowds come and go. */
        if (model.count > 0 && random_next(100) < (i / 500 % 2 == 0 ? 30u : 70u))
            release(names, random_next((uint32_t)model.count));
        else
            take(names, wanteds[random_next(COUNT_OF(wanteds))]);
    }
    while (model.count > 0)
        release(names, 0);
    names_free(names);
}
END_TEST

/* More bases than there are hints. */
START_TEST(many_bases)
{
    struct names *names = names_new();
    char wanted[NAME_LEN_MAX + 1];

    model = (struct model){.seed = 1};
    ensure(names != NULL, "no memory");
    for (int i = 0; i < 5000; i++) {
        char got[NAME_LEN_MAX + 1];

        snprintf(wanted, sizeof wanted, "base%d", i);
        for (int k = 1; k <= 3; k++) {
            char want[NAME_LEN_MAX + 1];

            snprintf(want, sizeof want, k == 1 ? "base%d" : "base%d_%d", i, k);
            ensure(names_take(names, wanted, &model, NULL, NULL, got), "no memory");
            ensure(strcmp(got, want) == 0, "%s instead of %s", got, want);
        }
        snprintf(wanted, sizeof wanted, "base%d_2", i / 2);
        names_release(names, wanted);
        snprintf(wanted, sizeof wanted, "base%d", i / 2);
        ensure(names_take(names, wanted, &model, NULL, NULL, got), "no memory");
        ensure(strstr(got, "_2") != NULL, "%s", got);
    }
    names_free(names);
}
END_TEST

START_TEST(holders)
{
    struct names *names = names_new();
    char got[NAME_LEN_MAX + 1];
    int ann;
    int ben;

    ensure(names_take(names, "Ann", &ann, NULL, NULL, got), "no memory");
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
    ensure(names_take(names, "eve", &ben, NULL, NULL, got) && strcmp(got, "eve_2") == 0, "taken");
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
