/*
 * hub.c: the turn. It reads everything that is readable, a bounded piece from each worker, round
 * robin, applies it, hands the log to the transcript's writer, and then lets every link send:
 * reading all before writing any is what makes batches, and batches are the speed.
 */
#include "hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#include "accounts.h"
#include "backpressure.h"
#include "codec.h"
#include "commands.h"
#include "compat/compat.h"
#include "connection.h"
#include "deadlines.h"
#include "disk.h"
#include "ending.h"
#include "greeting.h"
#include "hub_private.h"
#include "input.h"
#include "log.h"
#include "login.h"
#include "operator.h"
#include "output.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "server/journal/journal.h"
#include "settle.h"
#include "snapshot.h"
#include "status.h"
#include "stream.h"
#include "users.h"
#include "welcome.h"

/*
 * Starting a worker suspends the hub until the new image runs, which takes a tenth of a
 * millisecond, or ten times that where other processes want the processors. So many in one turn, at
 * most, and none later in the turn than this; in a large room the rest of a turn takes longer, too.
 */
#define STARTS_MAX 16
#define STARTS_US 1000u
#define STARTS_US_PER_MEMBER 2u
/*
 * Joins and quits are told to all, but not one by one: to wake ten thousand clients for each of ten
 * thousand that come would be most of the work. For this long for each member after all have
 * been woken, mere joins and quits wait for company; in a room of a hundred that is two
 * milliseconds. What somebody says never waits.
 */
#define QUIET_US 20u

/* Timestamps that are so far ahead of the clock are reported, and how often. */
#define AHEAD_US 86400000000u
#define AHEAD_REPORT_US 60000000u

static const struct span no_text = {NULL, 0};

/* What is done with the outcome of each kind of request. */
static completion *const completions[ROOM_REQUESTS] = {
    [ROOM_LOGIN] = login_made,
    [ROOM_SAY] = command_said,
    [ROOM_ACT] = command_said,
    [ROOM_POST] = command_posted,
    [ROOM_RENAME] = command_renamed,
    [ROOM_LEAVE] = session_left,
    [ROOM_RESUME] = login_resumed,
    [ROOM_KICK] = operator_kicked,
};

/* ---- Making and freeing ---------------------------------------------------------------------- */

static bool hub_init(struct hub *hub)
{
    const struct hub_config *config = &hub->config;
    struct connections *cs = &hub->connections;
    struct log *log = log_new(config->log_bytes);
    struct log *held = config->sync ? log_new(config->log_bytes) : NULL;
    bool done = room_init(&hub->room, log, held, &hub->seed);

    journal_init(&hub->journal, config->sync);
    backpressure_init(&hub->backpressure, config->wait_us);
    done = tokens_init(&hub->tokens, &hub->seed) && done;
    done = accounts_init(&hub->accounts, &hub->seed) && done;
    done = connections_init(cs, config, &hub->seed) && done;
    done = input_init(&hub->buffer) && done;
    cs->room = &hub->room;
    cs->journal = &hub->journal;
    cs->tokens = &hub->tokens;
    cs->accounts = &hub->accounts;
    cs->completions = completions;
    if (config->cluster != NULL)
        cs->cluster = cluster_new(config->cluster);
    done = done && (cs->cluster != NULL || config->cluster == NULL);
    hub->logins_at = hub->review_at = TIME_NEVER;
    return done && log != NULL && (held != NULL || !config->sync);
}

struct hub *hub_new(const struct hub_config *config)
{
    struct hub *hub = calloc(1, sizeof(*hub));

    if (hub == NULL)
        return NULL;
    hub->config = *config;
    if (!table_seed_read(&hub->seed)) {
        free(hub);
        errno = EIO;
        return NULL;
    }
    if (!hub_init(hub)) {
        hub_free(hub);
        errno = ENOMEM;
        return NULL;
    }
    return hub;
}

/* Frees the welcomes that wait for held lines. */
static void welcomes_free(struct list *all)
{
    for (struct list *at = all->next; at != NULL && at != all; at = at->next)
        welcome_cancel(LIST_ENTRY(struct connection, all, at));
}

void hub_free(struct hub *hub)
{
    if (hub == NULL)
        return;
    welcomes_free(&hub->connections.all);
    greeting_forget(&hub->connections);
    connections_free(&hub->connections);
    cluster_free(hub->connections.cluster, hub->config.poller);
    journal_close(&hub->journal, hub->config.poller);
    tokens_free(&hub->tokens);
    accounts_free(&hub->connections);
    room_free(&hub->room);
    input_free(&hub->buffer);
    free(hub);
}

/* ---- What the poller and the parent say ------------------------------------------------------ */

bool hub_admit(struct hub *hub, const struct client *client, uint64_t now)
{
    hub->connections.turn.now = now;
    return connection_new(&hub->connections, client) != NULL;
}

/* A client that has sent nothing yet is ready: with its first byte, or gone without one. One that
 * waits for its worker is ready again in each turn. */
static void silent_ready(struct connections *cs, struct connection *c)
{
    char byte;

    if (!list_is_empty(&c->waiting))
        return;
    ssize_t n = recv(c->out.link.fd, &byte, 1, MSG_PEEK);
    if (n > 0)
        connection_begin(cs, c);
    else if (n == 0 || (n == -1 && !error_passes(errno)))
        session_end(cs, c, ENDING_LOST, n == 0 ? "left" : "lost", no_text);
}

void hub_ready(struct hub *hub, void *tag, short revents)
{
    struct connections *cs = &hub->connections;
    struct watch *watch = tag;
    struct connection *c;

    switch (watch->kind) {
    case WATCH_CLIENT:
        c = LIST_ENTRY(struct connection, out.watch, watch);
        if (c->in.state == INPUT_SILENT && c->out.state == OUTPUT_OPEN)
            silent_ready(cs, c);
        else if (c->out.state != OUTPUT_CLOSED)
            output_ready(cs, c, revents);
        break;
    case WATCH_PAIR:
        input_ready(cs, LIST_ENTRY(struct connection, worker.watch, watch), revents);
        break;
    case WATCH_WRITER:
        journal_ready(&hub->journal, revents);
        break;
    case WATCH_ENGINE:
        cluster_ready(cs->cluster, revents);
        break;
    case WATCH_ACCOUNT:
        account_ready(account_of_watch(watch));
        break;
    }
}

void hub_review(struct hub *hub)
{
    if (hub->config.standing != NULL)
        hub->review_at = 0;
}

bool hub_reaped(struct hub *hub, pid_t pid, int status)
{
    struct connections *cs = &hub->connections;
    struct connection *c = connection_by_pid(cs, pid);

    if (c == NULL)
        return false;
    table_remove(&cs->by_pid, &c->worker.by_pid);
    c->worker.state = WORKER_REAPED;
    c->worker.status = status;
    report_stranger(hub->config.report, cs->turn.now, LOG_DEBUG, "%s: worker %ld ended, status %d",
        c->peer, (long)pid, status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        output_goodbye(cs, c);
    /* The quit of a member waits its turn: the log must have space for it. */
    connection_queue_input(cs, c);
    connection_finish(cs, c);
    return true;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static void worker_start(struct hub *hub, struct connection *c)
{
    struct connections *cs = &hub->connections;
    int pair;
    pid_t pid = hub->config.start_worker(hub->config.context, c->out.link.fd, c->is_proxied, &pair);

    if (pid != -1) {
        hub->start_failing = false;
        connection_set_worker(cs, c, pid, pair);
        return;
    }
    if (!hub->start_failing)
        report_stranger(hub->config.report, cs->turn.now, LOG_WARNING, "cannot start a worker: %s",
            strerror(errno));
    hub->start_failing = true;
    (void)connection_say(cs, c, "error full no worker can be started, try later");
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
}

static void workers_start(struct hub *hub)
{
    struct list *starts = &hub->connections.starts;
    uint64_t until = clock_us() + STARTS_US + hub->room.member_count * STARTS_US_PER_MEMBER;

    for (int i = 0; i < STARTS_MAX && !list_is_empty(starts); i++) {
        worker_start(hub, LIST_ENTRY(struct connection, waiting, list_take(starts)));
        if (clock_us() >= until)
            break;
    }
}

/* ---- The turn -------------------------------------------------------------------------------- */

void hub_begin_turn(struct hub *hub, uint64_t now)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    hub->connections.turn.now = now;
    hub->connections.turn.wall = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* Events were made when the clock was wrong, and timestamps only grow. */
static bool is_ahead(const struct hub *hub)
{
    return hub->room.stamp > hub->connections.turn.wall + AHEAD_US;
}

static void report_ahead(struct hub *hub)
{
    const struct turn *turn = &hub->connections.turn;

    if (!is_ahead(hub) || turn->now < hub->ahead_at)
        return;
    report(hub->config.report, LOG_WARNING,
        "the room's timestamps are %llu days ahead of the clock: it was ahead when they were made",
        (unsigned long long)((hub->room.stamp - turn->wall) / AHEAD_US));
    hub->ahead_at = turn->now + AHEAD_REPORT_US;
}

static void journal_turn(struct hub *hub)
{
    struct connections *cs = &hub->connections;
    const struct hub_config *config = &hub->config;
    uint64_t visible;

    journal_read(&hub->journal, &hub->room, config->poller, config->report, cs->turn.now);
    settle_lines(cs);
    visible =
        journal_write(&hub->journal, &hub->room, config->poller, config->report, cs->turn.now);
    if (visible <= cs->turn.visible)
        return;
    cs->turn.visible = visible;
    while (!list_is_empty(&cs->unseen))
        list_append(&cs->marked, list_take(&cs->unseen));
}

/* The connections that were marked, and all that follow the log where it has grown. */
static void send_all(struct hub *hub)
{
    struct connections *cs = &hub->connections;
    uint64_t head = log_head(hub->room.log);
    uint64_t floor = head;
    struct list *next;

    while (!list_is_empty(&cs->marked)) {
        struct list *first = list_take(&cs->marked);

        output_send(cs, LIST_ENTRY(struct connection, out.marked, first));
    }
    if (cs->turn.visible == hub->sent_to || (!hub->room.urgent && cs->turn.now < hub->flush_at))
        return;
    hub->sent_to = cs->turn.visible;
    hub->room.urgent = hub->room.urgent && cs->turn.visible < log_head(room_lines(&hub->room));
    for (struct list *at = cs->followers.next; at != &cs->followers; at = next) {
        struct connection *c = LIST_ENTRY(struct connection, out.follower, at);

        next = at->next;
        if (c->out.link.state == LINK_READY)
            output_send(cs, c);
        if (link_needs(&c->out.link) < floor)
            floor = link_needs(&c->out.link);
    }
    cs->floor = floor;
    hub->flush_at = clock_us() + hub->room.member_count * QUIET_US;
}

/* When the next turn is due at the latest. */
static uint64_t next_turn(struct hub *hub)
{
    struct connections *cs = &hub->connections;
    uint64_t now = cs->turn.now;
    uint64_t next = time_earlier(timers_next(&cs->timers), journal_due(&hub->journal, &hub->room));
    uint64_t pressure = backpressure_due(&hub->backpressure, cs);
    struct settled line;

    next = time_earlier(next, pressure);
    next = time_earlier(next, timers_next(&cs->sources.timers));
    next = time_earlier(next, accounts_due(cs));
    if (is_ahead(hub))
        next = time_earlier(next, hub->ahead_at);
    if (journal_next(&hub->journal, &hub->room, &line)) /* there was no memory */
        next = time_earlier(next, now + MEMORY_RETRY_US);
    if (hub->buffer.stuck != NULL)
        next = time_earlier(next, now + MEMORY_RETRY_US);
    else if (!cs->turn.waits && !list_is_empty(&cs->inputs))
        return now;
    if (pressure == TIME_NEVER && stream_has_more(cs))
        return now;
    next = time_earlier(next, stream_due(cs));
    if (!cs->turn.waits)
        next = time_earlier(next, time_earlier(hub->logins_at, hub->review_at));
    if (!list_is_empty(&cs->starts) || !list_is_empty(&cs->marked))
        return now;
    if (cs->turn.visible != hub->sent_to)
        next = time_earlier(next, hub->flush_at);
    return next;
}

/* As far as the log has space; the rest follows in the next turn. */
static void review_sessions(struct hub *hub)
{
    struct connections *cs = &hub->connections;

    if (hub->review_at > cs->turn.now || hub->stopping)
        return;
    hub->review_at = operators_review(cs) ? TIME_NEVER : cs->turn.now;
}

/* Nothing of this node is on its way to the stream, nor will be; true where there is none. */
static bool cluster_has_ended(const struct hub *hub)
{
    const struct cluster *cluster = hub->connections.cluster;

    return cluster == NULL || cluster->state == CLUSTER_ENDED;
}

void hub_end_sessions(struct hub *hub)
{
    struct connections *cs = &hub->connections;
    struct list *next;

    for (struct list *at = cs->all.next; at != &cs->all; at = next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);

        next = at->next;
        if (c->session == SESSION_LEFT)
            continue;
        if (!connections_have_room(cs))
            return;
        session_end(cs, c, ENDING_WORKER, "lost", no_text);
    }
}

static int milliseconds_until(uint64_t when, uint64_t now)
{
    if (when == TIME_NEVER)
        return -1;
    if (when <= now)
        return 0;
    return when - now > 3600000000u ? 3600000 : (int)((when - now + 999) / 1000);
}

int hub_turn(struct hub *hub, uint64_t now)
{
    struct connections *cs = &hub->connections;

    hub_begin_turn(hub, now);
    report_ahead(hub);
    backpressure_begin(&hub->backpressure, cs);
    deadlines_run(cs);
    connections_begin_waiting(cs);
    accounts_turn(cs);
    if (hub->stopping)
        hub_end_sessions(hub);
    review_sessions(hub);
    stream_turn(cs);
    input_read_all(cs, &hub->buffer);
    hub->logins_at = logins_make(cs);
    if (cs->cluster != NULL)
        cluster_flush(cs->cluster, cs->room, hub->config.poller, hub->config.report, now);
    backpressure_end(&hub->backpressure, cs);
    if (hub->stopping && cs->count == 0 && cluster_has_ended(hub))
        journal_finish(&hub->journal);
    journal_turn(hub);
    disk_turn(cs, &hub->disk_told);
    stream_tell(cs);
    send_all(hub);
    if (!hub->stopping)
        workers_start(hub); /* what others have said does not wait for it */
    greeting_forget(cs);
    users_forget(&hub->room); /* written anew when it is wanted again: it carries the time */
    input_forget_closed(&hub->buffer);
    connections_free_finished(cs);
    return milliseconds_until(next_turn(hub), now);
}

/* ---- The whole room -------------------------------------------------------------------------- */

void hub_stop(struct hub *hub, uint64_t now)
{
    struct connections *cs = &hub->connections;

    if (hub->stopping)
        return;
    hub->stopping = true;
    hub_begin_turn(hub, now);
    if (cs->cluster != NULL)
        cluster_stop(cs->cluster);
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);

        if (c->session == SESSION_LEFT)
            continue;
        (void)connection_say(cs, c, "note the room is closing");
        session_stop_output(cs, c);
        connection_kill(cs, c);
        connection_close_input(cs, c);
    }
}

bool hub_is_done(const struct hub *hub)
{
    return hub->connections.count == 0 && cluster_has_ended(hub) &&
           journal_is_done(&hub->journal, &hub->room);
}

void hub_signal_workers(struct hub *hub, int signal)
{
    struct list *all = &hub->connections.all;

    for (struct list *at = all->next; at != all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);

        if (c->worker.state == WORKER_RUNNING || c->worker.state == WORKER_KILLED)
            hub->config.signal_worker(hub->config.context, c->worker.pid, signal);
    }
}

void hub_report(struct hub *hub, uint64_t now)
{
    hub->connections.turn.now = now;
    status_report(&hub->connections);
}

void hub_describe_cluster(const struct hub *hub, char *out, size_t size)
{
    status_describe_cluster(&hub->connections, out, size);
}

/* ---- Handing over ---------------------------------------------------------------------------- */

bool hub_state(struct hub *hub, struct codec *c)
{
    struct connections *cs = &hub->connections;

    if (hub->buffer.stuck != NULL || hub->stopping)
        return false;
    codec_u64(c, &hub->sent_to);
    codec_u64(c, &cs->turn.visible);
    codec_bool(c, &hub->disk_told);
    snapshot(cs, c);
    if (c->loading)
        hub->logins_at = cs->turn.now;
    return !c->bad;
}

bool hub_listen(struct hub *hub)
{
    struct list *all = &hub->connections.all;

    for (struct list *at = all->next; at != all; at = at->next)
        connection_listen(&hub->connections, LIST_ENTRY(struct connection, all, at));
    if (hub->connections.cluster != NULL &&
        !cluster_restored(hub->connections.cluster, hub->config.poller))
        return false;
    return journal_restored(&hub->journal, hub->config.poller);
}
