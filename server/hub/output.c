/* output.c: sending, draining, discarding. */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "compat/compat.h"
#include "connection.h"
#include "log.h"
#include "room.h"

/* A client that takes so much in a second, at least, gets everything that is pending. */
#define DRAIN_BYTES_PER_SECOND 4096u
/* After the last byte: how long input is discarded, and how long a silence means that the client
 * sends nothing that a reset could meet. */
#define DISCARD_US 2000000u
#define QUIET_US 300000u
#define QUIET_STEP_US 100000u
/* How often to check that the peer's kernel acknowledges data, and after how long it is dead. */
#define WATCH_US 10000000u
#define DEAD_SECONDS 80
/* After a failed write, how long complete lines are still taken. */
#define BROKEN_US 5000000u
#define DISCARD_MAX 16384

void output_follow(struct connections *cs, struct connection *c, uint64_t cursor, uint64_t limit)
{
    link_follow(&c->out.link, cursor, limit);
    if (cursor < cs->floor)
        cs->floor = cursor;
    if (list_is_empty(&c->out.follower))
        list_append(&cs->followers, &c->out.follower);
}

static void output_close(struct connections *cs, struct connection *c)
{
    connection_close_output(cs, c);
    connection_finish(cs, c);
}

/* ---- After the last byte --------------------------------------------------------------------- */

static void output_discard(struct connections *cs, struct connection *c)
{
    c->out.state = OUTPUT_DISCARDING;
    if (link_is_open(&c->out.link))
        link_break(&c->out.link, LINK_SHUT);
    (void)shutdown(c->out.link.fd, SHUT_WR);
    list_remove(&c->out.follower);
    c->out.quiet_since = cs->turn.now;
    c->out.drain_until = cs->turn.now + DISCARD_US;
    deadline_set(cs, c, DEADLINE_DRAIN, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_DISCARD, cs->turn.now + QUIET_US);
    connection_listen(cs, c);
}

static void discard_read(struct connections *cs, struct connection *c)
{
    char bytes[DISCARD_MAX];
    ssize_t n = recv(c->out.link.fd, bytes, sizeof(bytes), 0);

    if (n > 0)
        c->out.quiet_since = cs->turn.now;
    else if (n == 0 || !error_passes(errno))
        output_close(cs, c);
}

void output_discard_due(struct connections *cs, struct connection *c)
{
    uint64_t now = cs->turn.now;
    bool quiet = now - c->out.quiet_since >= QUIET_US && tcp_all_acked(c->out.link.fd);

    if (now >= c->out.drain_until || quiet)
        output_close(cs, c);
    else
        deadline_set(cs, c, DEADLINE_DISCARD,
            now + QUIET_STEP_US < c->out.drain_until ? now + QUIET_STEP_US : c->out.drain_until);
}

/* ---- Draining -------------------------------------------------------------------------------- */

void output_drain(struct connections *cs, struct connection *c, uint64_t limit_us)
{
    uint64_t pending = link_pending(&c->out.link, log_head(cs->room->log));
    uint64_t until = cs->turn.now + limit_us;

    if (c->out.state != OUTPUT_OPEN)
        return;
    if (limit_us == DRAIN_US)
        until += pending / DRAIN_BYTES_PER_SECOND * 1000000u;
    c->out.state = OUTPUT_DRAINING;
    c->out.drain_until = until;
    c->out.link.progress = cs->turn.now;
    deadline_set(cs, c, DEADLINE_DRAIN, cs->turn.now + limit_us);
    deadline_set(cs, c, DEADLINE_BROKEN, TIME_NEVER);
    connection_mark(cs, c);
}

/* What the peer takes of the kernel's buffer is progress, too. */
static uint64_t progress_look(struct connections *cs, struct connection *c)
{
    uint64_t acked = tcp_bytes_acked(c->out.link.fd);

    if (acked != c->out.acked)
        c->out.link.progress = cs->turn.now;
    c->out.acked = acked;
    return c->out.link.progress;
}

/* A client that takes nothing for the whole time is given up; so is one that takes too long. */
void output_drain_due(struct connections *cs, struct connection *c)
{
    uint64_t next = progress_look(cs, c) + DRAIN_US;

    if (next > c->out.drain_until)
        next = c->out.drain_until;
    if (cs->turn.now >= next)
        output_close(cs, c);
    else
        deadline_set(cs, c, DEADLINE_DRAIN, next);
}

void output_goodbye(struct connections *cs, struct connection *c)
{
    if (c->session == SESSION_LEFT || c->out.state != OUTPUT_OPEN)
        return;
    c->out.goodbye_at = cs->turn.now;
    c->out.goodbye_sent = c->out.link.sent;
    deadline_set(cs, c, DEADLINE_GOODBYE, cs->turn.now + DRAIN_US);
}

/* The time that what was pending at the goodbye, or came to that since, may take in all. */
static uint64_t goodbye_until(const struct connections *cs, const struct connection *c)
{
    const struct link *link = &c->out.link;
    uint64_t bytes = link->sent - c->out.goodbye_sent + link_pending(link, log_head(cs->room->log));

    return c->out.goodbye_at + DRAIN_US + bytes / DRAIN_BYTES_PER_SECOND * 1000000u;
}

/* A peer that is there and does not read may stay: then there is nothing to look at but that. */
static bool goodbye_has_come(struct connections *cs, struct connection *c)
{
    if (c->out.goodbye_at == 0 && socket_peer_ended(c->out.link.fd))
        output_goodbye(cs, c);
    if (c->out.goodbye_at != 0)
        return true;
    deadline_set(cs, c, DEADLINE_GOODBYE,
        c->in.pause == PAUSE_QUEUE ? cs->turn.now + GOODBYE_LOOK_US : TIME_NEVER);
    return false;
}

/* A client whose lines wait for something else, as for -r, is not slow. */
void output_goodbye_due(struct connections *cs, struct connection *c)
{
    uint64_t next;
    uint64_t until;

    if (c->out.state != OUTPUT_OPEN || !goodbye_has_come(cs, c))
        return;
    next = progress_look(cs, c) + DRAIN_US;
    until = goodbye_until(cs, c);
    if (c->in.pause != PAUSE_QUEUE)
        next = cs->turn.now + DRAIN_US;
    else if (until < next)
        next = until;
    if (cs->turn.now < next) {
        deadline_set(cs, c, DEADLINE_GOODBYE, next);
        return;
    }
    connection_close_output(cs, c);
    connection_unpause(cs, c);
}

void output_end(struct connections *cs, struct connection *c)
{
    if (c->out.state != OUTPUT_OPEN && c->out.state != OUTPUT_DRAINING)
        return;
    if (c->out.client_closed || c->out.link.state == LINK_PIPE || c->out.link.state == LINK_RESET)
        output_close(cs, c);
    else
        output_discard(cs, c);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* A write has failed: the worker reads what had arrived before, and says how that ended. */
static void output_fail(struct connections *cs, struct connection *c)
{
    list_remove(&c->out.follower);
    if (c->out.state == OUTPUT_OPEN)
        deadline_set(cs, c, DEADLINE_BROKEN, cs->turn.now + BROKEN_US);
    deadline_set(cs, c, DEADLINE_WATCH, TIME_NEVER);
}

void output_send(struct connections *cs, struct connection *c)
{
    struct link *link = &c->out.link;

    if (link->state == LINK_READY) {
        link_send(link, cs->room->log, cs->turn.visible, cs->turn.now);
        if (!link_is_open(link))
            output_fail(cs, c);
        else if (!c->origin.local && c->deadlines[DEADLINE_WATCH] == TIME_NEVER &&
                 link->progress == cs->turn.now)
            deadline_set(cs, c, DEADLINE_WATCH, cs->turn.now + WATCH_US);
    }
    /* Followers send again anyway when more is visible; a poster follows nothing. */
    if (link->state == LINK_READY && !link->follows && link_waits(link, cs->turn.visible)) {
        list_remove(&c->out.marked);
        list_append(&cs->unseen, &c->out.marked);
    }
    connection_look_at_queue(cs, c);
    if (c->out.state == OUTPUT_DRAINING && link_is_done(link))
        output_end(cs, c);
    else
        connection_listen(cs, c);
}

void output_ready(struct connections *cs, struct connection *c, short revents)
{
    if (c->out.state == OUTPUT_DISCARDING) {
        discard_read(cs, c);
        return;
    }
    if ((revents & (POLLOUT | POLLHUP | POLLERR)) != 0 && c->out.link.state == LINK_BLOCKED)
        c->out.link.state = LINK_READY;
    connection_mark(cs, c);
}

bool output_is_dead(struct connections *cs, struct connection *c)
{
    int fd = c->out.link.fd;
    bool pending = c->out.link.state == LINK_BLOCKED || !tcp_all_acked(fd);

    if (fd == -1 || !pending)
        return false;
    if (tcp_is_dead(fd, DEAD_SECONDS))
        return true;
    deadline_set(cs, c, DEADLINE_WATCH, cs->turn.now + WATCH_US);
    return false;
}
