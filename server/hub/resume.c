/* resume.c: what passes from one connection to another. */
#include "resume.h"

#include "connection.h"
#include "room.h"

/* The new connection waits behind the lines of the old one, which the disk may refuse. */
static void resume_wait(struct connections *cs, struct connection *c, uint32_t author)
{
    c->resumption.author = author;
    c->resumption.lost = 0;
    list_append(&cs->resuming, &c->waiting);
    hold_wait(&cs->room->hold, &c->resumption.waiter, WAITER_RESUME);
    deadline_set(cs, c, DEADLINE_RESUME, TIME_NEVER);
}

void resume_settled(struct connections *cs, uint32_t author, bool refused)
{
    for (struct list *at = cs->resuming.next; at != &cs->resuming; at = at->next) {
        struct resumption *r = &LIST_ENTRY(struct connection, waiting, at)->resumption;

        if (r->author == author)
            r->lost = refused ? r->lost + 1 : 0;
    }
}

/* The client has seen no answer to the lines that the disk did not take, and sends them again. One
 * in front of a line that was taken cannot be told. */
void resume_ready(struct connections *cs, struct connection *c)
{
    if (c->token->answered != TOKEN_UNKNOWN)
        c->token->answered -= c->resumption.lost;
    c->resumption.author = 0;
    list_remove(&c->waiting);
    connection_unpause(cs, c);
}

void resume_pass(struct connections *cs, struct connection *old)
{
    struct token *token = old->token;
    struct connection *claimant = token->claimant;

    token->holder = claimant;
    token->claimant = NULL;
    claimant->person = old->person;
    if (claimant->person != NULL) {
        claimant->person->link = NULL; /* until its welcome */
        claimant->person->source = claimant->source->key;
        connection_leave_nameless(cs, claimant);
    }
    old->person = NULL;
    old->token = NULL;
    if (hold_is_empty(&cs->room->hold))
        connection_unpause(cs, claimant);
    else
        resume_wait(cs, claimant, old->out.link.author);
}

void resume_forget(struct connection *c)
{
    list_remove(&c->resumption.waiter.entry);
    if (c->token != NULL && c->token->claimant == c) {
        c->token->claimant = NULL;
        c->token = NULL;
    }
}

/* The worker waits for the hub, which does not read: for the rate, the stream, or another node. */
static bool is_held_up(const struct connection *c)
{
    return !list_is_empty(&c->in.queued) || c->in.pause == PAUSE_UNTIL ||
           c->in.pause == PAUSE_STREAM || c->in.pause == PAUSE_PRIVATE;
}

void resume_late(struct connections *cs, struct connection *claimant)
{
    struct connection *old = claimant->token == NULL ? NULL : claimant->token->holder;

    deadline_set(cs, claimant, DEADLINE_RESUME, cs->turn.now + RESUME_US);
    if (old != NULL && old != claimant && !is_held_up(old))
        connection_kill(cs, old);
}
