/* deadlines.c: what is done at each of a connection's deadlines, and which of them wait for space.
 */
#include "deadlines.h"

#include "connection.h"
#include "ending.h"
#include "list.h"
#include "login.h"
#include "output.h"
#include "private.h"
#include "resume.h"
#include "timers.h"

/* What found no space in the log is tried again after this time. */
#define SPACE_RETRY_US 100000u

static const struct span no_text = {NULL, 0};

/* The connection is gone: no goodbye will come. */
static void connection_lost(struct connections *cs, struct connection *c)
{
    if (c->session == SESSION_LEFT) {
        connection_close_output(cs, c);
        connection_finish(cs, c);
    } else {
        session_end(cs, c, ENDING_LOST, "lost", no_text);
    }
}

static void deadline_due(struct connections *cs, struct connection *c, enum deadline deadline)
{
    switch (deadline) {
    case DEADLINE_NAME:
        login_late(cs, c);
        break;
    case DEADLINE_WAKE:
        connection_unpause(cs, c);
        break;
    case DEADLINE_RESUME:
        resume_late(cs, c);
        break;
    case DEADLINE_BROKEN:
        connection_lost(cs, c);
        break;
    case DEADLINE_WATCH:
        if (output_is_dead(cs, c))
            connection_lost(cs, c);
        break;
    case DEADLINE_GOODBYE:
        output_goodbye_due(cs, c);
        break;
    case DEADLINE_DRAIN:
        output_drain_due(cs, c);
        break;
    case DEADLINE_DISCARD:
        output_discard_due(cs, c);
        break;
    case DEADLINE_LISTEN:
        connection_listen(cs, c);
        break;
    case DEADLINE_LOGIN:
        login_waits(cs, c);
        break;
    case DEADLINE_PRIVATE:
        private_late(cs, c);
        break;
    case DEADLINES:
        break;
    }
}

/* Does it end the session of a person, for which the log, or the queue to the stream, must have
 * space? What was relayed and is not read for want of space may be the name. */
static bool deadline_needs_room(const struct connection *c, enum deadline deadline)
{
    bool ends_person = c->person != NULL || connection_waits_for_person(c);

    switch (deadline) {
    case DEADLINE_NAME:
        return ends_person || !list_is_empty(&c->in.queued);
    case DEADLINE_BROKEN:
    case DEADLINE_WATCH:
        return ends_person;
    case DEADLINE_WAKE:
    case DEADLINE_RESUME:
    case DEADLINE_GOODBYE:
    case DEADLINE_DRAIN:
    case DEADLINE_DISCARD:
    case DEADLINE_LISTEN:
    case DEADLINE_LOGIN:
    case DEADLINE_PRIVATE:
    case DEADLINES:
        break;
    }
    return false;
}

static void connection_due(struct connections *cs, struct connection *c)
{
    for (enum deadline d = 0; d < DEADLINES && !c->finished; d++) {
        uint64_t at = c->deadlines[d];

        if (at > cs->turn.now)
            continue;
        deadline_set(cs, c, d, TIME_NEVER);
        if (deadline_needs_room(c, d) && !connections_have_room(cs))
            deadline_set(cs, c, d, cs->turn.now + SPACE_RETRY_US);
        else
            deadline_due(cs, c, d);
    }
}

void deadlines_run(struct connections *cs)
{
    struct timer *timer;

    while ((timer = timers_take_due(&cs->timers, cs->turn.now)) != NULL)
        connection_due(cs, LIST_ENTRY(struct connection, timer, timer));
}
