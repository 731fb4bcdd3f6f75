/* ending.c: a table of endings in the form of functions; see chat-protocol(7), Goodbye. */
#include "ending.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>

#include "connection.h"
#include "link.h"
#include "log.h"
#include "output.h"
#include "private.h"
#include "resume.h"
#include "room.h"
#include "submit.h"
#include "welcome.h"

static const struct span no_text = {NULL, 0};

static void report_end(struct connections *cs, const struct connection *c, const char *reason)
{
    report_stranger(cs->config->report, cs->turn.now, LOG_INFO, "%s: %s %s (pid %ld)", c->peer,
        connection_name(c), reason, (long)c->worker.pid);
}

void session_stop_output(struct connections *cs, struct connection *c)
{
    struct link *link = &c->out.link;

    if (!link_is_open(link) || !link->follows || !list_is_empty(&link->stop.entry))
        return;
    if (hold_is_empty(&cs->room->hold))
        link_stop(link, log_head(cs->room->log));
    else
        hold_wait(&cs->room->hold, &link->stop, WAITER_STOP);
}

static void person_leave(
    struct connections *cs, struct connection *c, const char *reason, struct span text)
{
    struct submission leave = {.connection = c,
        .request = {.kind = ROOM_LEAVE,
            .time = cs->turn.wall,
            .person = c->person,
            .reason = reason,
            .text = text}};

    if (c->person != NULL)
        c->person->link = NULL; /* it may be in the room until the stream has brought this */
    if (c->person != NULL || connection_waits_for_person(c))
        (void)submit(cs, &leave);
    c->person = NULL;
}

/* How many lines a session has had answered is known when none is under way any more. */
void session_pass_on(struct connections *cs, struct connection *c)
{
    if (c->token == NULL || c->in.under_way > 0)
        return;
    if (c->token->claimant != NULL) {
        resume_pass(cs, c);
        return;
    }
    person_leave(cs, c, "lost", no_text); /* one that was claimed, for a while */
    token_end(cs->tokens, c->token, cs->turn.now);
    c->token = NULL;
}

/* A connection that claims the session gets it with its person. */
static bool is_claimed(const struct connection *c)
{
    return c->token != NULL && c->token->claimant != NULL;
}

/* A burst that the session has used up is not there again for the connection that resumes it. */
static void rate_keep(const struct connection *c)
{
    if (c->token != NULL && c->token->rate_at < c->in.rate_at)
        c->token->rate_at = c->in.rate_at;
}

void session_left(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    (void)cs; /* the session has ended already, see session_end() */
    (void)s;
    (void)result;
    (void)outcome;
}

/* What becomes of the two directions and of the worker. */
static void connection_part(struct connections *cs, struct connection *c, enum ending how)
{
    switch (how) {
    case ENDING_GOODBYE:
        c->out.client_closed = true;
        output_drain(cs, c, DRAIN_US);
        return; /* the worker ends by itself */
    case ENDING_LOST:
        connection_close_output(cs, c);
        if (c->in.state == INPUT_BYE)
            return; /* so does it here */
        break;
    case ENDING_SERVER:
    case ENDING_KICKED:
        output_drain(cs, c, DRAIN_US);
        break;
    case ENDING_WORKER:
        output_drain(cs, c, DRAIN_SHORT_US);
        break;
    case ENDING_MOVED:
        output_end(cs, c);
        break;
    }
    connection_kill(cs, c);
    connection_close_input(cs, c);
}

void session_end(struct connections *cs, struct connection *c, enum ending how, const char *reason,
    struct span text)
{
    /* In a cluster the quit comes when this session is over. */
    bool sees_quit = how == ENDING_KICKED && cs->cluster == NULL;

    if (c->session == SESSION_LEFT)
        return;
    report_end(cs, c, reason);
    list_remove(&c->waiting);
    list_append(&cs->draining, &c->waiting);
    connection_leave_nameless(cs, c);
    welcome_cancel(c);
    resume_forget(c);
    private_forget(cs, c);
    rate_keep(c);
    if (!sees_quit)
        session_stop_output(cs, c);
    if (!is_claimed(c))
        person_leave(cs, c, reason, text);
    if (sees_quit)
        session_stop_output(cs, c);
    session_pass_on(cs, c);
    if (how != ENDING_GOODBYE)
        connection_discard(cs, c);
    c->session = SESSION_LEFT;
    cs->left++;
    c->in.pause = PAUSE_NONE;
    deadline_set(cs, c, DEADLINE_NAME, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_WAKE, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_RESUME, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_BROKEN, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_GOODBYE, TIME_NEVER);
    connection_part(cs, c, how);
    connection_finish(cs, c);
}

void session_fault(struct connections *cs, struct connection *c, const char *why)
{
    cs->counters.faults++;
    report_stranger(cs->config->report, cs->turn.now, LOG_WARNING,
        "%s: %s: the worker broke the rules (%s); it is ended (pid %ld)", c->peer,
        connection_name(c), why, (long)c->worker.pid);
    connection_kill(cs, c);
    session_end(cs, c, ENDING_WORKER, "crashed", no_text);
    connection_close_input(cs, c);
    connection_finish(cs, c);
}

void session_worker_died(struct connections *cs, struct connection *c)
{
    bool kicked = WIFSIGNALED(c->worker.status) && WTERMSIG(c->worker.status) == SIGTERM;

    if (kicked && c->session != SESSION_LEFT)
        (void)connection_say(cs, c, "note you have been removed from the room");
    session_end(cs, c, ENDING_WORKER, kicked ? "kicked" : "crashed", no_text);
    connection_close_input(cs, c);
    connection_finish(cs, c);
}

void session_input_over(struct connections *cs, struct connection *c)
{
    bool bye = c->in.state == INPUT_BYE;

    connection_close_input(cs, c);
    /* EOF without a goodbye: the worker crashed, and its wait status will say how; or a compromised
     * worker closed the pair. It is killed in either case. */
    if (!bye && c->session != SESSION_LEFT) {
        connection_kill(cs, c);
        if (c->worker.state == WORKER_REAPED)
            session_worker_died(cs, c);
    }
    connection_finish(cs, c);
}
