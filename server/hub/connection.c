/* connection.c: the records, their lists and tables, and the end of each. */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/poller.h"
#include "log.h"
#include "rate.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "users.h"

/* What is read of a pair only to be counted; it holds no more, but its worker may not be dead yet.
 */
#define DISCARD_SIZE 16384
#define DISCARD_READS 64

bool connections_init(
    struct connections *cs, const struct hub_config *config, const struct table_seed *seed)
{
    struct list *const lists[] = {&cs->all, &cs->followers, &cs->marked, &cs->unseen, &cs->inputs,
        &cs->starts, &cs->logins, &cs->joined, &cs->resuming, &cs->draining, &cs->finished};

    memset(cs, 0, sizeof(*cs));
    cs->config = config;
    cs->next_author = 1;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        list_init(lists[i]);
    return table_init(&cs->by_pid, seed) && table_init(&cs->by_author, seed) &&
           sources_init(&cs->sources, seed) && bans_init(&cs->bans, seed);
}

/* Counts the connection for its source. False without memory. */
static bool connection_enter_source(struct connections *cs, struct connection *c)
{
    struct source_key key = source_key(&c->origin);

    c->source = source_enter(&cs->sources, &key, cs->turn.now);
    if (c->source == NULL)
        return false;
    if (c->session != SESSION_PREPARING || c->person != NULL ||
        source_add_nameless(&cs->sources, c->source, &c->nameless))
        return true;
    source_leave(&cs->sources, c->source, cs->turn.now);
    return false;
}

void connection_leave_nameless(struct connections *cs, struct connection *c)
{
    source_remove_nameless(&cs->sources, c->source, &c->nameless);
}

bool connection_move(struct connections *cs, struct connection *c, const struct origin *origin)
{
    struct source_key key = source_key(origin);
    struct source *source = source_enter(&cs->sources, &key, cs->turn.now);
    struct source *old = c->source;

    if (source == NULL)
        return false;
    connection_leave_nameless(cs, c);
    if (!source_add_nameless(&cs->sources, source, &c->nameless)) {
        source_leave(&cs->sources, source, cs->turn.now);
        (void)source_add_nameless(&cs->sources, old, &c->nameless); /* there was space for it */
        return false;
    }
    source_leave(&cs->sources, old, cs->turn.now);
    c->source = source;
    c->origin = *origin;
    return true;
}

static void connection_leave_source(struct connections *cs, struct connection *c)
{
    connection_leave_nameless(cs, c);
    source_leave(&cs->sources, c->source, cs->turn.now);
}

static void connection_free(struct connection *c)
{
    list_remove(&c->all);
    link_clear(&c->out.link);
    item_free(c->private.echo);
    free(c->in.held);
    free(c);
}

void connections_free(struct connections *cs)
{
    if (cs->all.next == NULL) /* connections_init() was not reached */
        return;
    while (!list_is_empty(&cs->all)) {
        struct connection *c = LIST_ENTRY(struct connection, all, cs->all.next);

        connection_close_input(cs, c);
        connection_close_output(cs, c);
        list_remove(&c->waiting);
        list_remove(&c->in.queued);
        connection_leave_source(cs, c);
        connection_free(c);
    }
    connections_free_finished(cs);
    timers_free(&cs->timers);
    table_free(&cs->by_pid);
    table_free(&cs->by_author);
    sources_free(&cs->sources);
    bans_free(&cs->bans);
}

void connections_free_finished(struct connections *cs)
{
    while (!list_is_empty(&cs->finished))
        connection_free(LIST_ENTRY(struct connection, all, cs->finished.next));
}

/* ---- Tables and lists ------------------------------------------------------------------------ */

static uint64_t pid_hash(const struct connections *cs, pid_t pid)
{
    return table_hash(&cs->by_pid, &pid, sizeof(pid));
}

static uint64_t author_hash(const struct connections *cs, uint32_t author)
{
    return table_hash(&cs->by_author, &author, sizeof(author));
}

struct connection *connection_by_pid(const struct connections *cs, pid_t pid)
{
    struct table_entry *entry = table_first(&cs->by_pid, pid_hash(cs, pid));

    for (; entry != NULL; entry = table_next(entry)) {
        struct connection *c = TABLE_ENTRY(struct connection, worker.by_pid, entry);

        if (c->worker.pid == pid)
            return c;
    }
    return NULL;
}

struct connection *connection_by_author(const struct connections *cs, uint32_t author)
{
    struct table_entry *entry = table_first(&cs->by_author, author_hash(cs, author));

    for (; entry != NULL; entry = table_next(entry)) {
        struct connection *c = TABLE_ENTRY(struct connection, by_author, entry);

        if (c->out.link.author == author)
            return c;
    }
    return NULL;
}

/* Makes the links of a record, whose values are set or zero. */
static void connection_init(struct connection *c)
{
    struct list *const lists[] = {&c->all, &c->out.follower, &c->out.marked, &c->in.queued,
        &c->waiting, &c->nameless, &c->resumption.waiter.entry};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        list_init(lists[i]);
    for (size_t i = 0; i < DEADLINES; i++)
        c->deadlines[i] = TIME_NEVER;
    c->out.watch.kind = WATCH_CLIENT;
    c->worker.watch.kind = WATCH_PAIR;
}

static void connection_register(struct connections *cs, struct connection *c)
{
    list_append(&cs->all, &c->all);
    table_add(&cs->by_author, &c->by_author, author_hash(cs, c->out.link.author));
    cs->count++;
    cs->left += c->session == SESSION_LEFT;
}

struct connection *connection_new(struct connections *cs, const struct client *client)
{
    struct connection *c = calloc(1, sizeof(*c));
    uint64_t now = cs->turn.now;

    if (c == NULL || !timers_reserve(&cs->timers, cs->count + 1)) {
        free(c);
        return NULL;
    }
    connection_init(c);
    link_init(&c->out.link, client->fd, cs->next_author, now);
    c->worker.pair = -1;
    c->arrived = now;
    c->origin = client->origin;
    c->is_operator = client->is_operator;
    c->is_proxied = client->is_proxied;
    memcpy(c->peer, client->peer, sizeof(c->peer));
    if (!connection_enter_source(cs, c)) {
        free(c);
        return NULL;
    }
    if (poller_set(cs->config->poller, client->fd, POLLIN, &c->out.watch) == -1) {
        connection_leave_source(cs, c);
        free(c);
        return NULL;
    }
    c->out.watch.events = POLLIN;
    cs->next_author = cs->next_author == LOG_AUTHOR_MAX - 1 ? 1 : cs->next_author + 1;
    connection_register(cs, c);
    deadline_set(cs, c, DEADLINE_NAME, now + cs->config->login_us);
    return c;
}

/* The timer is for the earliest deadline. */
static void timer_update(struct connections *cs, struct connection *c)
{
    uint64_t first = TIME_NEVER;

    for (size_t i = 0; i < DEADLINES; i++)
        if (c->deadlines[i] < first)
            first = c->deadlines[i];
    timer_set(&cs->timers, &c->timer, first);
}

struct connection *connection_blank(void)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    connection_init(c);
    link_init(&c->out.link, -1, 0, 0);
    c->worker.pair = -1;
    return c;
}

bool connection_restore(struct connections *cs, struct connection *c)
{
    if (!timers_reserve(&cs->timers, cs->count + 1) || !connection_enter_source(cs, c))
        return false;
    connection_register(cs, c);
    if (c->worker.state == WORKER_RUNNING || c->worker.state == WORKER_KILLED)
        table_add(&cs->by_pid, &c->worker.by_pid, pid_hash(cs, c->worker.pid));
    if (c->out.link.follows && c->out.state != OUTPUT_CLOSED)
        list_append(&cs->followers, &c->out.follower);
    if (c->session == SESSION_NAMED && c->in.under_way == 0)
        list_append(&cs->logins, &c->waiting);
    if (c->in.pause == PAUSE_ACCOUNT) /* it asks again */
        c->in.pause = PAUSE_NONE;
    if (c->session == SESSION_LEFT)
        list_append(&cs->draining, &c->waiting);
    else if (c->resumption.author != 0)
        list_append(&cs->resuming, &c->waiting);
    if (c->in.pause == PAUSE_BEGIN) {
        list_append(&c->source->waiting, &c->waiting);
        timer_set(&cs->sources.timers, &c->source->timer, 0);
    }
    timer_update(cs, c);
    connection_mark(cs, c);
    if (c->in.state != INPUT_SILENT)
        connection_queue_input(cs, c);
    return true;
}

void connection_set_worker(struct connections *cs, struct connection *c, pid_t pid, int pair)
{
    c->worker.state = WORKER_RUNNING;
    c->worker.pid = pid;
    c->worker.pair = pair;
    c->in.state = c->is_proxied ? INPUT_HEADER : INPUT_OPEN;
    table_add(&cs->by_pid, &c->worker.by_pid, pid_hash(cs, pid));
    connection_listen(cs, c);
}

const char *connection_name(const struct connection *c)
{
    if (c->person != NULL)
        return c->person->name;
    return c->prepared.name[0] != '\0' ? c->prepared.name : "nobody";
}

/* ---- Output ---------------------------------------------------------------------------------- */

uint64_t connections_time(const struct connections *cs)
{
    return room_time(cs->room, cs->turn.wall);
}

bool connections_have_room(const struct connections *cs)
{
    if (cs->cluster != NULL)
        return cluster_has_room(cs->cluster) || cs->cluster->state == CLUSTER_STOPPING ||
               cs->cluster->state == CLUSTER_ENDED;
    return log_head(room_lines(cs->room)) + LINE_OUT_MAX <= cs->turn.head_max;
}

void connection_mark(struct connections *cs, struct connection *c)
{
    if (c->out.state != OUTPUT_CLOSED && list_is_empty(&c->out.marked))
        list_append(&cs->marked, &c->out.marked);
}

void connection_put_now(struct connections *cs, struct connection *c, struct item *item)
{
    item->due = item->after = link_end(&c->out.link, log_head(cs->room->log));
    link_put(&c->out.link, item);
    connection_mark(cs, c);
}

void connection_put(struct connections *cs, struct connection *c, struct item *item)
{
    if (hold_is_empty(&cs->room->hold)) {
        connection_put_now(cs, c, item);
    } else {
        link_wait(&c->out.link, &cs->room->hold, item);
        connection_mark(cs, c);
    }
}

bool connection_say(struct connections *cs, struct connection *c, const char *format, ...)
{
    struct item *item;
    va_list ap;

    va_start(ap, format);
    item = item_vtext(connections_time(cs), format, ap);
    va_end(ap);
    if (item == NULL)
        return false;
    connection_put(cs, c, item);
    return true;
}

bool connection_say_users(struct connections *cs, struct connection *c)
{
    struct shared *list;
    struct item *item;

    if (c->out.link.lists > 0) {
        connection_pause(cs, c, PAUSE_QUEUE, TIME_NEVER);
        return false;
    }
    list = users_now(cs->room, cs->turn.wall);
    item = list == NULL ? NULL : item_shared(list);
    if (item == NULL)
        return false;
    connection_put(cs, c, item);
    return true;
}

/* ---- The worker ------------------------------------------------------------------------------ */

/* Returns how many of the bytes the pair has taken. */
static size_t pair_send(const struct worker *worker, const char *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = send(worker->pair, bytes + done, len - done, MSG_NOSIGNAL);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/*
 * The pair's way down carries a few short words only: it is never full, or the worker is stopped,
 * and then nothing that it is told would help. A word that was cut is ended before the next one.
 */
void worker_say(struct connection *c, const char *word, size_t len)
{
    struct worker *worker = &c->worker;
    size_t sent;

    if (worker->pair == -1 || (worker->torn && pair_send(worker, "\n", 1) != 1))
        return;
    sent = pair_send(worker, word, len);
    worker->torn = sent > 0 && sent < len;
}

void worker_set_title(struct connection *c)
{
    char word[sizeof(CONTROL_TITLE) + NAME_LEN_MAX + PEER_TEXT_MAX + 2];
    char *at = stpcpy(word, CONTROL_TITLE);

    at = stpcpy(at, connection_name(c));
    *at++ = ' ';
    at = stpcpy(at, c->peer);
    *at++ = '\n';
    worker_say(c, word, (size_t)(at - word));
}

/* ---- Input ----------------------------------------------------------------------------------- */

void connection_queue_input(struct connections *cs, struct connection *c)
{
    bool over = c->session == SESSION_LEFT && c->in.state == INPUT_CLOSED;

    if (!over && list_is_empty(&c->in.queued))
        list_append(&cs->inputs, &c->in.queued);
}

void connection_pause(
    struct connections *cs, struct connection *c, enum pause pause, uint64_t until)
{
    c->in.pause = pause;
    deadline_set(cs, c, pause == PAUSE_RESUME ? DEADLINE_RESUME : DEADLINE_WAKE, until);
    if (pause == PAUSE_QUEUE && c->deadlines[DEADLINE_GOODBYE] == TIME_NEVER)
        deadline_set(cs, c, DEADLINE_GOODBYE, cs->turn.now + GOODBYE_LOOK_US);
}

void connection_unpause(struct connections *cs, struct connection *c)
{
    if (c->in.pause == PAUSE_RESUME && c->session == SESSION_PREPARING) {
        deadline_set(cs, c, DEADLINE_NAME, cs->turn.now + cs->config->login_us);
        deadline_set(cs, c, DEADLINE_LOGIN, TIME_NEVER);
    }
    c->in.pause = PAUSE_NONE;
    deadline_set(cs, c, DEADLINE_WAKE, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_RESUME, TIME_NEVER);
    connection_queue_input(cs, c);
}

bool connection_is_full(const struct connection *c)
{
    return c->out.link.bytes > QUEUE_MAX || c->in.under_way_bytes > UNDER_WAY_MAX;
}

void connection_look_at_queue(struct connections *cs, struct connection *c)
{
    if (c->in.pause == PAUSE_QUEUE && c->out.link.bytes < QUEUE_MAX / 2 &&
        c->in.under_way_bytes < UNDER_WAY_MAX / 2 && c->out.link.lists == 0)
        connection_unpause(cs, c);
}

void connection_add_under_way(struct connection *c, size_t text)
{
    c->in.under_way++;
    c->in.under_way_bytes += sizeof(struct ticket) + text;
}

void connection_remove_under_way(struct connections *cs, struct connection *c, size_t text)
{
    c->in.under_way--;
    c->in.under_way_bytes -= sizeof(struct ticket) + text;
    if (c->in.pause == PAUSE_STREAM && c->in.under_way == 0)
        connection_unpause(cs, c);
    connection_look_at_queue(cs, c);
}

bool connection_waits_for_person(const struct connection *c)
{
    return c->person == NULL && c->in.under_way > 0 &&
           (c->session == SESSION_PREPARING || c->session == SESSION_NAMED);
}

void connection_count_discarded(struct connections *cs)
{
    cs->counters.received++;
    cs->counters.discarded++;
}

bool connection_is_entering(const struct connection *c)
{
    return c->session == SESSION_NAMED || c->session == SESSION_WELCOME;
}

void connection_count_answer(struct connections *cs, struct connection *c, uint64_t *counter)
{
    cs->counters.received++;
    (*counter)++;
    c->in.lines++;
    if (c->token != NULL && c->token->answered != TOKEN_UNKNOWN)
        c->token->answered++;
}

/* ---- Deadlines and descriptors --------------------------------------------------------------- */

void deadline_set(struct connections *cs, struct connection *c, enum deadline deadline, uint64_t at)
{
    if (c->deadlines[deadline] == at)
        return;
    c->deadlines[deadline] = at;
    timer_update(cs, c);
}

static bool watch_set(struct connections *cs, int fd, struct watch *watch, short events)
{
    if (fd == -1 || watch->events == events)
        return true;
    if (poller_set(cs->config->poller, fd, events, watch) == -1)
        return false;
    watch->events = events;
    return true;
}

static short client_events(const struct connection *c)
{
    bool silent = c->in.state == INPUT_SILENT && list_is_empty(&c->waiting);

    if (silent || c->out.state == OUTPUT_DISCARDING)
        return POLLIN;
    return c->out.link.state == LINK_BLOCKED ? POLLOUT : 0;
}

/* What waits, in the queue while the room waits for slow readers or for its welcome, would be ready
 * all the time. */
static short pair_events(const struct connections *cs, const struct connection *c)
{
    bool waits = cs->turn.waits && !list_is_empty(&c->in.queued);

    return c->in.pause == PAUSE_NONE && !waits && !connection_is_entering(c) ? POLLIN : 0;
}

void connection_listen(struct connections *cs, struct connection *c)
{
    if (!watch_set(cs, c->out.link.fd, &c->out.watch, client_events(c)) ||
        !watch_set(cs, c->worker.pair, &c->worker.watch, pair_events(cs, c)))
        deadline_set(cs, c, DEADLINE_LISTEN, cs->turn.now + MEMORY_RETRY_US);
}

/* ---- Beginnings ------------------------------------------------------------------------------ */

/* How long the session has waited is not counted against its client. */
static void session_begin(struct connections *cs, struct connection *c)
{
    if (c->worker.state == WORKER_NONE)
        list_append(&cs->starts, &c->waiting);
    else if (c->in.pause == PAUSE_BEGIN)
        connection_unpause(cs, c);
    if (c->deadlines[DEADLINE_NAME] == TIME_NEVER)
        deadline_set(cs, c, DEADLINE_NAME, cs->turn.now + cs->config->login_us);
    connection_listen(cs, c);
}

static void source_begin_waiting(struct connections *cs, struct source *source)
{
    unsigned rate = cs->config->rate;
    uint64_t now = cs->turn.now;
    uint64_t due = TIME_NEVER;

    while (!list_is_empty(&source->waiting)) {
        due = rate_due(source->rate_at, rate, now);
        if (due > now)
            break;
        source->rate_at = rate_count(source->rate_at, rate, now);
        session_begin(cs, LIST_ENTRY(struct connection, waiting, list_take(&source->waiting)));
    }
    timer_set(
        &cs->sources.timers, &source->timer, list_is_empty(&source->waiting) ? TIME_NEVER : due);
}

void connection_begin(struct connections *cs, struct connection *c)
{
    struct source *source = c->source;
    bool proxy = c->is_proxied && c->worker.state == WORKER_NONE;

    if (proxy) {
        session_begin(cs, c);
        return;
    }
    if (list_is_empty(&source->waiting) &&
        rate_due(source->rate_at, cs->config->rate, cs->turn.now) <= cs->turn.now) {
        source->rate_at = rate_count(source->rate_at, cs->config->rate, cs->turn.now);
        session_begin(cs, c);
        return;
    }
    list_append(&source->waiting, &c->waiting);
    if (c->worker.state != WORKER_NONE)
        connection_pause(cs, c, PAUSE_BEGIN, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_NAME, TIME_NEVER);
    connection_listen(cs, c);
    source_begin_waiting(cs, source);
}

void connections_begin_waiting(struct connections *cs)
{
    struct timer *timer;

    while ((timer = timers_take_due(&cs->sources.timers, cs->turn.now)) != NULL)
        source_begin_waiting(cs, LIST_ENTRY(struct source, timer, timer));
}

/* ---- Ends ------------------------------------------------------------------------------------ */

void connection_kill(struct connections *cs, struct connection *c)
{
    if (c->worker.state != WORKER_RUNNING)
        return;
    c->worker.state = WORKER_KILLED;
    cs->config->signal_worker(cs->config->context, c->worker.pid, SIGKILL);
}

/* The descriptor leaves the poller first: the worker's copy of the socket keeps it open. */
static void watched_close(struct connections *cs, int *fd, struct watch *watch)
{
    if (*fd == -1)
        return;
    poller_remove(cs->config->poller, *fd);
    watch->events = 0;
    close(*fd);
    *fd = -1;
}

/* How far a stream of lines that is only counted has come. */
struct discarding {
    struct counters *counters;
    bool in_line;
    bool in_word; /* the line is a word of the worker's */
};

static void bytes_discard(struct discarding *d, const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) { /* of no bytes there is not even an address */
        if (at[i] == '\n') {
            d->counters->discarded += d->in_line && !d->in_word;
            d->counters->received += d->in_line && !d->in_word;
            d->in_line = d->in_word = false;
        } else if (!d->in_line) {
            d->in_line = true;
            d->in_word = at[i] == CONTROL_BYTE;
        }
    }
}

void connection_discard(struct connections *cs, const struct connection *c)
{
    struct discarding d = {.counters = &cs->counters};
    char buf[DISCARD_SIZE];
    ssize_t n = 1;

    if (c->prepared.name[0] == '\0') /* no lines are counted before the name */
        return;
    bytes_discard(&d, c->in.next.at, c->in.next.len);
    bytes_discard(&d, c->in.held, c->in.held_len);
    for (int i = 0; i < DISCARD_READS && c->worker.pair != -1 && n > 0; i++) {
        n = recv(c->worker.pair, buf, sizeof(buf), 0);
        bytes_discard(&d, buf, n > 0 ? (size_t)n : 0);
    }
}

void connection_close_input(struct connections *cs, struct connection *c)
{
    watched_close(cs, &c->worker.pair, &c->worker.watch);
    c->in.state = INPUT_CLOSED;
    c->in.pause = PAUSE_NONE;
    free(c->in.held);
    c->in.held = NULL;
    c->in.held_len = 0;
}

void connection_close_output(struct connections *cs, struct connection *c)
{
    watched_close(cs, &c->out.link.fd, &c->out.watch);
    c->out.state = OUTPUT_CLOSED;
    if (link_is_open(&c->out.link))
        link_break(&c->out.link, LINK_SHUT);
    list_remove(&c->out.follower);
    list_remove(&c->out.marked);
}

void connection_finish(struct connections *cs, struct connection *c)
{
    if (c->finished || c->session != SESSION_LEFT || c->in.state != INPUT_CLOSED ||
        c->out.state != OUTPUT_CLOSED || c->in.under_way > 0 ||
        (c->worker.state != WORKER_NONE && c->worker.state != WORKER_REAPED))
        return;
    c->finished = true;
    list_remove(&c->in.queued);
    list_remove(&c->waiting);
    for (enum deadline d = 0; d < DEADLINES; d++)
        deadline_set(cs, c, d, TIME_NEVER);
    table_remove(&cs->by_author, &c->by_author);
    connection_leave_source(cs, c);
    list_remove(&c->all);
    list_append(&cs->finished, &c->all);
    cs->count--;
    cs->left--;
}
