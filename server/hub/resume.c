/* resume.c: what passes from one connection to another. */
#include "resume.h"

#include "connection.h"
#include "room.h"

void resume_pass(struct connections *cs, struct connection *old)
{
    struct token *token = old->token;
    struct connection *claimant = token->claimant;

    token->holder = claimant;
    token->claimant = NULL;
    claimant->person = old->person;
    if (claimant->person != NULL) {
        claimant->person->link = NULL; /* until its welcome */
        connection_leave_nameless(cs, claimant);
    }
    old->person = NULL;
    old->token = NULL;
    connection_unpause(cs, claimant);
}

void resume_forget(struct connection *c)
{
    if (c->token != NULL && c->token->claimant == c) {
        c->token->claimant = NULL;
        c->token = NULL;
    }
}

void resume_late(struct connections *cs, struct connection *claimant)
{
    struct connection *old = claimant->token == NULL ? NULL : claimant->token->holder;

    deadline_set(cs, claimant, DEADLINE_RESUME, cs->turn.now + RESUME_US);
    if (old != NULL && old != claimant)
        connection_kill(cs, old);
}
