/* test_token.c: tokens: found as long as their session lives and for ten minutes after its end. */
#include "harness.h"
#include "server/hub/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000u
#define VALID (600u * (uint64_t)SECOND)

static const struct table_seed seed = {{1, 2}};

/* Tokens know their holders by their addresses only. */
static struct connection *holder(int number)
{
    static char places[100];

    return (struct connection *)(void *)&places[number];
}

static struct span text_of(const struct token *token)
{
    return (struct span){token->text, TOKEN_LEN};
}

START_TEST(they_are_found)
{
    struct tokens tokens;
    struct token *all[500];
    char wrong[TOKEN_LEN + 1];

    ensure(tokens_init(&tokens, &seed), "no memory");
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i] = token_new(&tokens, holder(0), "");
        ensure(all[i] != NULL && strlen(all[i]->text) == TOKEN_LEN &&
                   strspn(all[i]->text, "0123456789abcdef") == TOKEN_LEN,
            "no token: %s", all[i]->text);
        ensure(all[i]->answered == 0 && all[i]->claimant == NULL, "a new session");
    }
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        ensure(token_find(&tokens, text_of(all[i]), VALID * 9) == all[i], "not found");
        memcpy(wrong, all[i]->text, sizeof wrong);
        wrong[i % TOKEN_LEN] = wrong[i % TOKEN_LEN] == 'a' ? 'b' : 'a';
        ensure(token_find(&tokens, (struct span){wrong, TOKEN_LEN}, 0) == NULL, "a wrong one");
        ensure(token_find(&tokens, (struct span){all[i]->text, TOKEN_LEN - 1}, 0) == NULL, "short");
    }
    ensure(token_find(&tokens, (struct span){NULL, 0}, 0) == NULL, "an empty one");
    tokens_free(&tokens);
}
END_TEST

START_TEST(they_expire)
{
    struct tokens tokens;
    struct token *a;
    struct token *b;
    char text[TOKEN_LEN + 1];

    ensure(tokens_init(&tokens, &seed), "no memory");
    a = token_new(&tokens, holder(1), "");
    b = token_new(&tokens, holder(2), "");
    memcpy(text, a->text, sizeof text);
    token_end(&tokens, a, 5 * SECOND);
    token_end(&tokens, b, 6 * SECOND);
    ensure(a->holder == NULL, "it is held");
    ensure(token_find(&tokens, text_of(a), 5 * SECOND + VALID) == a, "after ten minutes exactly");
    token_hold(b, holder(3));
    ensure(token_find(&tokens, (struct span){text, TOKEN_LEN}, 5 * SECOND + VALID + 1) == NULL,
        "after more");
    ensure(tokens.table.count == 1, "it is not freed");
    ensure(token_find(&tokens, text_of(b), VALID * 3) == b && b->holder == holder(3),
        "one that is held again does not expire");
    token_end(&tokens, b, VALID * 3);
    ensure(token_find(&tokens, text_of(b), VALID * 4) == b, "its time begins anew");
    tokens_free(&tokens);
}
END_TEST

/* One after the other ends, and nothing of those that have expired is left. */
START_TEST(many)
{
    struct tokens tokens;
    uint64_t now = 0;

    ensure(tokens_init(&tokens, &seed), "no memory");
    for (int i = 0; i < 5000; i++) {
        now += SECOND;
        token_end(&tokens, token_new(&tokens, holder(i % 100), ""), now);
    }
    ensure(tokens.table.count <= 602, "%zu are left", tokens.table.count);
    tokens_free(&tokens);
}
END_TEST

/* What a hub hands over: put back in the order of their ends, they expire in it. */
START_TEST(put_back)
{
    struct tokens tokens;

    ensure(tokens_init(&tokens, &seed), "no memory");
    for (int i = 0; i < 4; i++) {
        struct token *token = calloc(1, sizeof *token);

        ensure(token != NULL, "no memory");
        snprintf(token->text, sizeof token->text, "%032d", i);
        token->holder = i == 3 ? holder(3) : NULL;
        token->over_at = (uint64_t)i * SECOND;
        token_add(&tokens, token);
    }
    ensure(token_find(&tokens, (struct span){"00000000000000000000000000000002", 32},
               VALID + SECOND + 1) != NULL,
        "the third is valid");
    ensure(tokens.table.count == 2, "two have expired: %zu", tokens.table.count);
    tokens_free(&tokens);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {they_are_found, 1, 5},
        {they_expire, 1, 5},
        {many, 1, 5},
        {put_back, 1, 5},
    };

    return tests_run("token", tests, COUNT_OF(tests));
}
