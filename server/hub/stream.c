/* stream.c: applies what comes back, and completes the requests of this node. */
#include "stream.h"

#include <string.h>
#include <syslog.h>

#include "connection.h"
#include "ending.h"
#include "link.h"
#include "log.h"
#include "login.h"
#include "operator.h"
#include "private.h"
#include "room.h"
#include "server/cluster/cluster.h"

/* Members get a note when nothing was stored for this time: a change of the stream's leader takes
 * five to seven seconds. */
#define TELL_US 8000000u

static const struct span no_text = {NULL, 0};

/* ---- Outcomes -------------------------------------------------------------------------------- */

/* No request of the connection is under way any more. */
static void connection_quiet(struct connections *cs, struct connection *c)
{
    if (c->session != SESSION_LEFT)
        return;
    session_pass_on(cs, c);
    connection_finish(cs, c);
}

/* The request has come back, or (ROOM_NOBODY) will not. */
static void ticket_redeem(struct connections *cs, const struct ticket *ticket,
    const struct room_request *request, enum room_result result, const struct room_outcome *outcome)
{
    const struct submission s = {
        .request = *request, .connection = ticket->owner, .answer = ticket->answer};

    if (ticket->owner == NULL)
        return;
    cs->completions[ticket->kind](cs, &s, result, outcome);
    connection_remove_under_way(cs, ticket->owner, ticket->text);
    if (ticket->owner->in.under_way == 0)
        connection_quiet(cs, ticket->owner);
}

/* ---- Persons that are lost ------------------------------------------------------------------- */

/* The connection of that person, which was this node's. One that is passing to another connection
 * has no way out. */
static struct connection *connection_of_outcome(
    const struct connections *cs, const struct room_outcome *outcome)
{
    if (outcome->parted != NULL)
        return connection_by_author(cs, outcome->parted->author);
    if (outcome->node != cluster_node(cs->cluster, cs->room))
        return NULL;
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);

        if (c->person == outcome->person)
            return c;
    }
    return NULL;
}

/* The session was resumed at another node, where its token is valid now. A connection here that has
 * claimed it must ask the other node, too. */
static void token_leave(struct connections *cs, struct connection *c)
{
    struct token *token = c->token;

    c->token = NULL;
    if (token == NULL)
        return;
    if (token->claimant != NULL) {
        token->claimant->token = NULL;
        connection_unpause(cs, token->claimant);
    }
    token_drop(cs->tokens, token);
}

static void session_moved(struct connections *cs, struct connection *c)
{
    token_leave(cs, c);
    c->person = NULL;
    session_end(cs, c, ENDING_MOVED, "lost", no_text);
}

/* The other nodes have dropped this one. The session's own quit is its client's last event. */
static void session_cut_off(struct connections *cs, struct connection *c)
{
    c->person = NULL;
    (void)connection_say(cs, c, NODE_CUT_OFF);
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
}

static void event_follow(struct connections *cs, const struct applied *applied)
{
    struct connection *c = connection_of_outcome(cs, &applied->outcome);

    if (c != NULL && c->session != SESSION_LEFT)
        session_cut_off(cs, c);
    else if (c != NULL)
        c->person = NULL;
}

/* The connection with the token of a session that was resumed elsewhere and has no person here: its
 * leave was stored after the resumption, so it removed no person, or its login has not come back.
 * NULL: there is none; then the token is not valid any more. */
static struct connection *token_holder(struct connections *cs, const char *text)
{
    struct token *token = token_find(cs->tokens, (struct span){text, strlen(text)}, cs->turn.now);

    if (token == NULL || token->holder != NULL)
        return token == NULL ? NULL : token->holder;
    token_drop(cs->tokens, token);
    return NULL;
}

/* A connection, here or at another node, has resumed the session. If an earlier one was told how
 * many lines were answered, the number was wrong. */
static void resume_follow(struct connections *cs, const struct applied *applied)
{
    struct connection *c = connection_of_outcome(cs, &applied->outcome);

    if (c == NULL)
        c = token_holder(cs, applied->request->token);
    if (c == NULL)
        return;
    if (c->session == SESSION_LEFT) {
        token_leave(cs, c);
        c->person = NULL;
    } else {
        session_moved(cs, c);
    }
}

/* An operator, here or elsewhere, has removed the person. A session that is over still has it while
 * its requests are under way; a connection that claims it ends. One whose leave is under way has no
 * person, and its connection may be gone; its source is banned, too. */
static void kick_follow(struct connections *cs, const struct applied *applied)
{
    const struct room_outcome *outcome = &applied->outcome;
    const struct room_request *kick = applied->request;
    struct connection *c = connection_of_outcome(cs, outcome);

    if (kick->minutes > 0 && outcome->node == cluster_node(cs->cluster, cs->room))
        operator_ban_source(cs, c != NULL ? &c->source->key : &outcome->source, kick);
    if (c == NULL)
        return;
    c->person = NULL;
    operator_end(cs, c, kick);
}

static void applied_follow(struct connections *cs, const struct applied *applied)
{
    if (applied->step == STEP_EVENT)
        event_follow(cs, applied);
    else if (applied->request->kind == ROOM_RESUME && applied->result == ROOM_DONE)
        resume_follow(cs, applied);
    else if (applied->request->kind == ROOM_KICK && applied->result == ROOM_DONE)
        kick_follow(cs, applied);
    else if (applied->request->kind == ROOM_BAN)
        operator_ban(cs, applied->request);
    if (applied->mine)
        ticket_redeem(cs, &applied->ticket, applied->request, applied->result, &applied->outcome);
}

/* Comes to nothing. A resumption has no place in the stream then, and must not be answered: it ends
 * as a login does. */
static void lost_redeem(struct connections *cs, struct ticket *ticket)
{
    const struct room_outcome nothing = {.person = NULL};
    struct room_request request;

    if (ticket->kind == ROOM_RESUME) {
        ticket->kind = ROOM_LOGIN;
        item_free(ticket->answer);
        ticket->answer = NULL;
    }
    request = (struct room_request){.kind = ticket->kind};
    ticket_redeem(cs, ticket, &request, ROOM_NOBODY, &nothing);
}

/* What was under way when this node was gone comes to nothing; the sessions of logins and
 * resumptions among it end. */
static void lost_follow(struct connections *cs)
{
    struct ticket ticket;

    report(cs->config->report, LOG_WARNING,
        "the cluster has taken this node for gone; its clients are told to connect again");
    while (cluster_take_lost(cs->cluster, &ticket))
        lost_redeem(cs, &ticket);
    cs->bans.to_tell = true;
}

/* ---- The turn -------------------------------------------------------------------------------- */

static bool log_has_space(const struct connections *cs)
{
    return log_head(room_lines(cs->room)) + LINE_OUT_MAX <= cs->turn.head_max;
}

/* Joins that follow one another share a list. */
static bool joins_go_on(const struct cluster *cluster)
{
    return cluster->apply.phase == APPLY_REQUESTS &&
           requests_next_is_login(&cluster->apply.requests);
}

/* Up to where something of another node is to be taken, or there is no more now. */
static void stream_apply(struct connections *cs)
{
    struct cluster *cluster = cs->cluster;
    struct applied applied;

    while (log_has_space(cs) && (joins_go_on(cluster) || logins_finish(cs)) &&
           cluster_next(cluster, cs->room, cs->config->report, &applied, cs->turn.now))
        applied_follow(cs, &applied);
}

void stream_turn(struct connections *cs)
{
    struct cluster *cluster = cs->cluster;

    if (cluster == NULL)
        return;
    cluster_read(cluster, cs->config->poller, cs->config->report);
    do
        stream_apply(cs);
    while (private_take(cs));
    if (logins_finish(cs) && cluster->state == CLUSTER_LOST)
        lost_follow(cs);
    operator_tell_bans(cs);
    private_turn(cs);
}

bool stream_has_more(const struct connections *cs)
{
    const struct cluster *cluster = cs->cluster;

    return cluster != NULL && cluster->retry_at == TIME_NEVER && list_is_empty(&cs->joined) &&
           cluster_has_more(cluster);
}

/* ---- Notes ----------------------------------------------------------------------------------- */

/* Nothing is stored, and that has lasted for a while. */
static bool stream_hangs(const struct connections *cs)
{
    uint64_t since = cs->cluster->waits_since;

    return since != 0 && cs->turn.now - since >= TELL_US;
}

void stream_tell(struct connections *cs)
{
    bool hangs = cs->cluster != NULL && stream_hangs(cs);

    if (cs->cluster != NULL)
        cluster_tell(cs->cluster, cs->config->report, cs->turn.now);
    if (cs->cluster == NULL || cs->cluster->told == hangs)
        return;
    cs->cluster->told = hangs;
    report(cs->config->report, hangs ? LOG_WARNING : LOG_NOTICE,
        hangs ? "nothing is stored in the cluster: messages and logins wait"
              : "the cluster stores messages again");
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);
        struct item *note;

        if (c->session != SESSION_MEMBER)
            continue;
        note = item_text(
            connections_time(cs), "note %s", hangs ? STREAM_HANGS : "the cluster answers again");
        if (note != NULL)
            connection_put_now(cs, c, note);
    }
}

uint64_t stream_due(const struct connections *cs)
{
    const struct cluster *cluster = cs->cluster;
    uint64_t due;

    if (cluster == NULL)
        return TIME_NEVER;
    due = cluster_due(cluster);
    if (!list_is_empty(&cs->joined) && cs->turn.now + MEMORY_RETRY_US < due)
        due = cs->turn.now + MEMORY_RETRY_US;
    if (cluster->waits_since != 0 && !cluster->told && cluster->waits_since + TELL_US < due)
        due = cluster->waits_since + TELL_US;
    return due;
}
