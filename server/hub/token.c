/* token.c: the table of tokens, and the list of those that expire. */
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/compat.h"

/* How long a token is valid after its session's end. */
#define TOKEN_VALID_US (600u * 1000000u)

bool tokens_init(struct tokens *tokens, const struct table_seed *seed)
{
    list_init(&tokens->over);
    return table_init(&tokens->table, seed);
}

static void token_free(struct tokens *tokens, struct token *token)
{
    list_remove(&token->over);
    table_remove(&tokens->table, &token->entry);
    free(token);
}

void tokens_free(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->table.slot_count; i++)
        while (tokens->table.slots[i] != NULL)
            token_free(tokens, TABLE_ENTRY(struct token, entry, tokens->table.slots[i]));
    table_free(&tokens->table);
}

void token_add(struct tokens *tokens, struct token *token)
{
    table_add(&tokens->table, &token->entry, table_hash(&tokens->table, token->text, TOKEN_LEN));
    list_init(&token->over);
    if (token->holder == NULL)
        list_append(&tokens->over, &token->over);
}

struct token *token_new(struct tokens *tokens, struct connection *holder, const char *login)
{
    struct token *token = calloc(1, sizeof(*token));
    unsigned char bytes[TOKEN_LEN / 2];

    if (token == NULL || !random_bytes(bytes, sizeof(bytes))) {
        free(token);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(token->text + 2 * i, 3, "%02x", bytes[i]);
    token->holder = holder;
    strcpy(token->login, login);
    token_add(tokens, token);
    return token;
}

struct token *token_adopt(
    struct tokens *tokens, const char *text, struct connection *holder, const char *login)
{
    struct token *token = calloc(1, sizeof(*token));

    if (token == NULL)
        return NULL;
    memcpy(token->text, text, TOKEN_LEN);
    strcpy(token->login, login);
    token->answered = TOKEN_UNKNOWN;
    token->holder = holder;
    token_add(tokens, token);
    return token;
}

void token_drop(struct tokens *tokens, struct token *token)
{
    token_free(tokens, token);
}

/* The list is in the order of the ends. One that is claimed is kept until its claimant has it. */
static void tokens_expire(struct tokens *tokens, uint64_t now)
{
    while (!list_is_empty(&tokens->over)) {
        struct token *token = LIST_ENTRY(struct token, over, tokens->over.next);

        if (now - token->over_at <= TOKEN_VALID_US)
            return;
        token_free(tokens, token);
    }
}

struct token *token_find(struct tokens *tokens, struct span text, uint64_t now)
{
    struct table_entry *entry;

    tokens_expire(tokens, now);
    if (text.len != TOKEN_LEN)
        return NULL;
    entry = table_first(&tokens->table, table_hash(&tokens->table, text.at, text.len));
    while (entry != NULL &&
           memcmp(TABLE_ENTRY(struct token, entry, entry)->text, text.at, text.len) != 0)
        entry = table_next(entry);
    return entry == NULL ? NULL : TABLE_ENTRY(struct token, entry, entry);
}

void token_end(struct tokens *tokens, struct token *token, uint64_t now)
{
    token->holder = NULL;
    token->over_at = now;
    tokens_expire(tokens, now);
    list_remove(&token->over);
    list_append(&tokens->over, &token->over);
}

void token_hold(struct token *token, struct connection *holder)
{
    token->holder = holder;
    list_remove(&token->over);
}
