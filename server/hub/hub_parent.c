/*
 * hub_parent.c: what the parent asks and tells: connections and members, the transcript, and
 * the cluster.
 */
#include "hub.h"

#include <sys/socket.h>

#include "bans.h"
#include "compat/compat.h"
#include "ending.h"
#include "hub_private.h"
#include "log.h"
#include "output.h"
#include "server/cluster/cluster.h"
#include "source.h"

static const struct span no_text = {NULL, 0};

/* ---- Connections and members ----------------------------------------------------------------- */

size_t hub_connections(const struct hub *hub)
{
    return hub->connections.count;
}

size_t hub_sessions(const struct hub *hub)
{
    return hub->connections.count - hub->connections.left;
}

size_t hub_nameless(const struct hub *hub)
{
    return hub->connections.sources.nameless;
}

size_t hub_connections_from(const struct hub *hub, const struct origin *origin)
{
    struct source_key key = source_key(origin);
    const struct source *source = source_find(&hub->connections.sources, &key);

    return source == NULL ? 0 : source->connections;
}

bool hub_is_banned(const struct hub *hub, const struct origin *origin, uint64_t now)
{
    struct source_key key = source_key(origin);

    return bans_have(&hub->connections.bans, &key, now);
}

static struct connection *oldest_nameless(const struct hub *hub)
{
    struct list *oldest = sources_oldest_nameless(&hub->connections.sources);

    return oldest == NULL ? NULL : LIST_ENTRY(struct connection, nameless, oldest);
}

uint64_t hub_nameless_since(const struct hub *hub)
{
    const struct connection *c = oldest_nameless(hub);

    return c == NULL ? TIME_NEVER : c->arrived;
}

bool hub_nameless_waits(const struct hub *hub)
{
    const struct connection *c = oldest_nameless(hub);
    char byte;

    if (c == NULL || !list_is_empty(&hub->connections.starts))
        return c != NULL;
    if (c->worker.heard || !list_is_empty(&c->waiting)) /* it waits for -r */
        return false;
    return (c->worker.pair != -1 && recv(c->worker.pair, &byte, 1, MSG_PEEK) > 0) ||
           recv(c->out.link.fd, &byte, 1, MSG_PEEK) > 0;
}

bool hub_end_nameless(struct hub *hub, uint64_t now)
{
    struct connections *cs = &hub->connections;
    struct connection *c = oldest_nameless(hub);

    if (c == NULL)
        return false;
    cs->turn.now = now;
    (void)connection_say(cs, c, "error full others want to come in; give your name sooner");
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
    return true;
}

bool hub_cut_draining(struct hub *hub, uint64_t now)
{
    struct connections *cs = &hub->connections;

    cs->turn.now = now;
    while (!list_is_empty(&cs->draining)) {
        struct list *first = list_take(&cs->draining);
        struct connection *c = LIST_ENTRY(struct connection, waiting, first);

        if (c->out.state == OUTPUT_CLOSED && c->in.state == INPUT_CLOSED)
            continue; /* only its process has not ended */
        if (c->out.state != OUTPUT_CLOSED)
            output_send(cs, c);
        connection_kill(cs, c);
        connection_close_input(cs, c);
        connection_close_output(cs, c);
        connection_finish(cs, c);
        return true;
    }
    return false;
}

size_t hub_members(const struct hub *hub)
{
    return hub->room.member_count;
}

/* ---- The transcript -------------------------------------------------------------------------- */

size_t hub_log_size(const struct hub *hub)
{
    return log_size(hub->room.log);
}

void hub_remember(struct hub *hub, struct span line, const struct event *event)
{
    room_remember(&hub->room, line,
        (struct log_line){.stamp = event->stamp, .message = verb_is_message(event->verb)});
}

void hub_remember_gap(struct hub *hub, uint64_t stamp)
{
    room_remember_gap(&hub->room, stamp);
}

void hub_remember_end(struct hub *hub)
{
    if (hub->connections.cluster != NULL) {
        hub->room.known = hub->room.stamp;
        hub->room.stamp = 0; /* the stream gives these events their stamps once more */
        if (hub->room.known >= ROOM_STAMP_TOLD_MAX)
            cluster_finish(hub->connections.cluster, CLUSTER_FUTURE);
    }
    hub->connections.turn.visible = hub->sent_to = log_head(hub->room.log);
    journal_begin(&hub->journal, &hub->room);
}

void hub_remember_absent(struct hub *hub, const char *name)
{
    if (hub->connections.cluster != NULL)
        return; /* the stream says how they left */
    hub_begin_turn(hub, hub->connections.turn.now);
    room_remember_absent(&hub->room, name, hub->connections.turn.wall);
}

bool hub_set_writer(struct hub *hub, int fd, uint64_t now)
{
    return journal_set_writer(&hub->journal, fd, hub->config.poller, hub->config.report, now);
}

void hub_miss_writer(struct hub *hub)
{
    journal_miss_writer(&hub->journal);
}

void hub_finish_writer(struct hub *hub)
{
    journal_finish(&hub->journal);
}

bool hub_has_writer(const struct hub *hub)
{
    return journal_has_writer(&hub->journal);
}

bool hub_is_unsure_of_file(const struct hub *hub)
{
    return journal_is_unsure(&hub->journal, &hub->room);
}

bool hub_wants_file(const struct hub *hub)
{
    return journal_wants_file(&hub->journal);
}

bool hub_file_fails(const struct hub *hub)
{
    return journal_fails(&hub->journal);
}

uint64_t hub_unwritten(const struct hub *hub)
{
    return journal_unwritten(&hub->journal, &hub->room);
}

/* The lines are in the file now, so the log has space for quits that it had none for. */
bool hub_write_rest(struct hub *hub, int fd, int *pair, uint64_t *quits)
{
    struct connections *cs = &hub->connections;
    const struct log *lines = room_lines(&hub->room);
    uint64_t count = log_count(lines, log_head(lines));
    bool done = journal_write_rest(&hub->journal, &hub->room, fd, pair);

    while (done && *pair != -1 && hub_sessions(hub) > 0) {
        cs->turn.head_max = log_head(lines) + log_size(lines) / 2;
        hub_end_sessions(hub);
        done = journal_write_rest(&hub->journal, &hub->room, fd, pair);
    }
    *quits = log_count(lines, log_head(lines)) - count;
    return done && hub_sessions(hub) == 0;
}

/* ---- The cluster ----------------------------------------------------------------------------- */

bool hub_set_engine(struct hub *hub, int fd)
{
    return cluster_set_engine(hub->connections.cluster, fd, hub->config.poller);
}

bool hub_wants_engine(const struct hub *hub)
{
    const struct cluster *cluster = hub->connections.cluster;

    return cluster != NULL && cluster_wants_engine(cluster);
}

bool hub_rewinds(const struct hub *hub)
{
    const struct cluster *cluster = hub->connections.cluster;

    return cluster != NULL && cluster->state == CLUSTER_REWINDING;
}

bool hub_is_loading(const struct hub *hub)
{
    const struct cluster *cluster = hub->connections.cluster;

    return cluster != NULL && !cluster->was_running;
}

enum cluster_end hub_cluster_end(const struct hub *hub)
{
    const struct cluster *cluster = hub->connections.cluster;

    return cluster == NULL ? CLUSTER_GOES_ON : cluster->end;
}
