/*
 * token.h: the tokens of /token, with which a session outlives its connection. A token is valid
 * while its session has a connection, and for ten minutes after that. How another connection takes
 * over the session is in resume.h.
 */
#ifndef SERVER_HUB_TOKEN_H
#define SERVER_HUB_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "protocol.h"
#include "table.h"
#include "wire/name.h"
#include "wire/span.h"

struct connection;

/* How many lines of the session have been answered is not known: it was at another node. */
#define TOKEN_UNKNOWN UINT64_MAX

/*
 * The session is open while it has a holder; then it is over, since over_at, and in the list of
 * those that expire. claimant: a newer connection that waits for the holder's end.
 */
struct token {
    struct table_entry entry;
    struct list over; /* among those whose session is over, in the order of their ends */
    struct connection *holder;
    struct connection *claimant;
    uint64_t answered; /* lines after the name that have been answered in all */
    uint64_t rate_at;  /* -r, see rate.h: of the last connection; an upgrade forgets it */
    uint64_t over_at;  /* microseconds of CLOCK_MONOTONIC */
    char text[TOKEN_LEN + 1];
    char login[NAME_LEN_MAX +
               1]; /* valid only for clients with this proved login; empty: with none */
};

struct tokens {
    struct table table;
    struct list over;
};

/* False without memory. */
bool tokens_init(struct tokens *, const struct table_seed *);
void tokens_free(struct tokens *);

/* A new token, held by that connection, which has proved this login (empty: none); NULL without
 * memory or randomness. */
struct token *token_new(struct tokens *, struct connection *holder, const char *login);
/* The token of a session that goes on here and was at another node; NULL without memory. */
struct token *token_adopt(
    struct tokens *, const char *text, struct connection *holder, const char *login);
/* The session has gone on at another node: here it is not valid any more. */
void token_drop(struct tokens *, struct token *);
/* Puts a token that was handed over where it is found. */
void token_add(struct tokens *, struct token *);
/* Frees the tokens that have expired, then finds one; NULL: it is not valid. */
struct token *token_find(struct tokens *, struct span text, uint64_t now);
/* The session has no connection any more. */
void token_end(struct tokens *, struct token *, uint64_t now);
/* The session that was over has a connection again. */
void token_hold(struct token *, struct connection *holder);

#endif
