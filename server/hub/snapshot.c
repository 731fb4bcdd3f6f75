/* snapshot.c: each function describes one structure's form, for writing and for reading. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "connection.h"
#include "log.h"
#include "replica.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "server/journal/journal.h"
#include "welcome.h"

/* A state with more records of one kind than this is not valid. */
#define MANY 10000000u
/* More input than this is never held for one connection. */
#define HELD_MAX (2u * 65536u)
/* Stands for "none" where a number of a record is meant. */
#define NOWHERE SIZE_MAX

/* What is known by number while a snapshot is written or read. */
struct numbers {
    struct connection **connections;
    size_t connection_count;
    struct person **persons; /* in the order of their joins, then the posters */
    size_t person_count;
    struct shared **shared;
    size_t shared_count;
};

/* ---- Items ----------------------------------------------------------------------------------- */

/* Room for one more. */
static bool shared_add(struct numbers *n, struct shared *shared)
{
    struct shared **bigger;

    if ((n->shared_count & (n->shared_count - 1)) == 0) {
        size_t room = n->shared_count == 0 ? 1 : 2 * n->shared_count;

        bigger = realloc(n->shared, room * sizeof(bigger[0]));
        if (bigger == NULL)
            return false;
        n->shared = bigger;
    }
    n->shared[n->shared_count++] = shared;
    shared->place = n->shared_count;
    return true;
}

/* Bytes that several connections wait for are written once; the others give their number. */
static void shared_state(struct codec *c, struct numbers *n, struct shared **shared)
{
    size_t place = c->loading || (*shared)->place == 0 ? n->shared_count + 1 : (*shared)->place;
    size_t len = c->loading ? 0 : (*shared)->len;

    codec_size(c, &place);
    if (c->bad || place == 0 || place > n->shared_count + 1) {
        c->bad = true;
        return;
    }
    if (place <= n->shared_count) {
        *shared = n->shared[place - 1];
    } else {
        codec_size(c, &len);
        if (c->loading) {
            *shared = len > c->len ? NULL : calloc(1, sizeof(**shared) + len);
            if (*shared != NULL)
                (*shared)->len = len;
        }
        if (*shared == NULL || !shared_add(n, *shared)) {
            c->bad = true;
            return;
        }
        codec_bytes(c, (*shared)->bytes, len);
    }
    (*shared)->refs += c->loading;
}

/* One item; when reading, a new one, NULL where it is bad. */
static struct item *item_state(struct codec *c, struct numbers *n, struct item *item)
{
    unsigned kind = item == NULL ? 0 : item->kind;
    size_t room = item == NULL ? 0 : item->room;

    kind = codec_choice(c, kind, ITEM_ECHO + 1);
    codec_size(c, &room);
    if (c->loading) {
        item = c->bad || room > LINE_OUT_MAX ? NULL : item_new(room);
        if (item == NULL) {
            c->bad = true;
            return NULL;
        }
        item->kind = kind;
    }
    codec_u64(c, &item->due);
    codec_u64(c, &item->after);
    codec_u64(c, &item->visible);
    codec_u64(c, &item->count);
    codec_u64(c, &item->mine);
    codec_size(c, &item->len);
    codec_size(c, &item->sent);
    c->bad |= item->sent > item->len || (item->kind != ITEM_SHARED && item->len > room);
    if (item->kind == ITEM_SHARED)
        shared_state(c, n, &item->shared);
    else if (!c->bad)
        codec_bytes(c, item->bytes, item->len);
    if (c->loading && c->bad) {
        item->shared = NULL; /* a reference that may not have been counted */
        item_free(item);
        return NULL;
    }
    return item;
}

static void queue_state(
    struct codec *c, struct numbers *n, struct link *link, struct item *first, bool waits)
{
    struct item *item = first;
    size_t count = 0;

    for (; item != NULL; item = item->next)
        count++;
    codec_size(c, &count);
    item = first;
    for (size_t i = 0; i < count && !c->bad; i++) {
        struct item *done = item_state(c, n, item);

        if (done == NULL)
            return;
        if (c->loading)
            link_restore(link, done, waits);
        else
            item = item->next;
    }
}

static void link_snapshot(struct codec *c, struct numbers *n, struct link *link)
{
    codec_fd(c, &link->fd);
    link->state = codec_choice(c, link->state, LINK_RESET + 1);
    codec_bool(c, &link->follows);
    codec_u32(c, &link->author);
    codec_u64(c, &link->cursor);
    codec_u64(c, &link->moved_to);
    codec_u64(c, &link->limit);
    codec_u64(c, &link->skipped);
    codec_u64(c, &link->progress);
    codec_u64(c, &link->sent);
    queue_state(c, n, link, link->first, false);
    queue_state(c, n, link, link->waiting, true);
}

/* ---- Persons --------------------------------------------------------------------------------- */

/* A person has one connection, or none. */
static void person_number(struct codec *c, struct numbers *n, struct person **which)
{
    size_t place = *which == NULL ? NOWHERE : (*which)->place;

    codec_size(c, &place);
    if (!c->loading || place == NOWHERE)
        return;
    c->bad |= place >= n->person_count || n->persons[place] == NULL;
    if (c->bad)
        return;
    *which = n->persons[place];
    n->persons[place] = NULL;
}

/* In the order of their joins, then the posters. */
static void persons_number(struct list *persons, struct numbers *n)
{
    for (struct list *at = persons->next; at != persons; at = at->next) {
        struct person *person = LIST_ENTRY(struct person, entry, at);

        person->place = n->person_count;
        n->persons[n->person_count++] = person;
    }
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void welcome_state(struct codec *c, struct numbers *n, struct connection *connection)
{
    struct welcome *w = connection->welcome;
    bool is_there = w != NULL;

    codec_bool(c, &is_there);
    if (!is_there || c->bad)
        return;
    if (c->loading) {
        w = connection->welcome = calloc(1, sizeof(*w));
        if (w == NULL) {
            c->bad = true;
            return;
        }
        w->connection = connection;
        list_init(&w->waiter.entry);
    }
    codec_u64(c, &w->joins);
    codec_u64(c, &w->after);
    for (int i = 0; i < 5 && !c->bad; i++) {
        struct item **items[] = {&w->token, &w->gap, &w->list, &w->greeting, &w->you};
        bool has = *items[i] != NULL;

        codec_bool(c, &has);
        if (has && !c->bad)
            *items[i] = item_state(c, n, *items[i]);
    }
}

static void way_in_state(struct codec *c, struct connection *connection)
{
    struct input *in = &connection->in;
    struct preparation *prepared = &connection->prepared;
    struct worker *worker = &connection->worker;
    uint64_t history = prepared->history;

    in->state = codec_choice(c, in->state, INPUT_CLOSED + 1);
    in->pause = codec_choice(c, in->pause, PAUSE_ACCOUNT + 1);
    codec_block(c, &in->held, &in->held_len, HELD_MAX);
    codec_u64(c, &in->rate_at);
    codec_u64(c, &in->lines);
    codec_u32(c, &in->under_way);
    codec_size(c, &in->under_way_bytes);
    codec_u32(c, &prepared->wishes);
    codec_u64(c, &history);
    prepared->history = (unsigned long)history;
    codec_u64(c, &prepared->since);
    codec_text(c, prepared->name, sizeof(prepared->name));
    worker->state = codec_choice(c, worker->state, WORKER_REAPED + 1);
    codec_fd(c, &worker->pair);
    codec_bool(c, &worker->torn);
    worker->heard |= c->loading;
    codec_int(c, &worker->pid);
    codec_int(c, &worker->status);
}

static void way_out_state(struct codec *c, struct numbers *n, struct connection *connection)
{
    struct output *out = &connection->out;

    out->state = codec_choice(c, out->state, OUTPUT_CLOSED + 1);
    codec_bool(c, &out->client_closed);
    codec_u64(c, &out->drain_until);
    codec_u64(c, &out->quiet_since);
    codec_u64(c, &out->acked);
    codec_u64(c, &out->goodbye_at);
    codec_u64(c, &out->goodbye_sent);
    link_snapshot(c, n, &out->link);
}

static void origin_state(struct codec *c, struct origin *origin)
{
    codec_bool(c, &origin->local);
    codec_u32(c, &origin->uid);
    origin->ip.version = (enum ip_version)codec_choice(c, origin->ip.version, IP_V6 + 1);
    codec_u32(c, &origin->ip.scope);
    codec_bytes(c, origin->ip.bytes, sizeof(origin->ip.bytes));
}

static void private_state(struct codec *c, struct numbers *n, struct private *private)
{
    bool is_there = private->echo != NULL;

    codec_bool(c, &is_there);
    if (!is_there || c->bad)
        return;
    codec_u64(c, &private->number);
    codec_text(c, private->to, sizeof(private->to));
    private->echo = item_state(c, n, private->echo);
}

static void connection_state(struct codec *c, struct numbers *n, struct connection *connection)
{
    connection->session = codec_choice(c, connection->session, SESSION_LEFT + 1);
    way_in_state(c, connection);
    way_out_state(c, n, connection);
    for (size_t i = 0; i < DEADLINES; i++)
        codec_u64(c, &connection->deadlines[i]);
    codec_u64(c, &connection->arrived);
    origin_state(c, &connection->origin);
    codec_text(c, connection->peer, sizeof(connection->peer));
    codec_u32(c, &connection->resumption.author);
    codec_u64(c, &connection->resumption.lost);
    codec_text(c, connection->login_name, sizeof(connection->login_name));
    codec_bool(c, &connection->is_operator);
    codec_bool(c, &connection->is_proxied);
    person_number(c, n, &connection->person);
    private_state(c, n, &connection->private);
    welcome_state(c, n, connection);
}

static void connections_save(struct connections *cs, struct codec *c, struct numbers *n)
{
    size_t i = 0;

    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        n->connections[i] = LIST_ENTRY(struct connection, all, at);
        n->connections[i]->place = i;
        connection_state(c, n, n->connections[i++]);
    }
}

static void connections_load(struct connections *cs, struct codec *c, struct numbers *n)
{
    for (size_t i = 0; i < n->connection_count && !c->bad; i++) {
        struct connection *connection = connection_blank();

        if (connection == NULL) {
            c->bad = true;
            return;
        }
        n->connections[i] = connection;
        connection_state(c, n, connection);
        if (!connection_restore(cs, connection))
            c->bad = true;
    }
}

/* Persons find their way out. On one machine none is without a connection. */
static void persons_restore(struct codec *c, struct numbers *n)
{
    for (size_t i = 0; i < n->person_count && !c->bad; i++)
        c->bad |= n->persons[i] != NULL && n->persons[i]->node == NULL;
    for (size_t i = 0; i < n->connection_count && !c->bad; i++) {
        struct connection *connection = n->connections[i];

        if (connection->session == SESSION_MEMBER || connection->session == SESSION_POSTER) {
            c->bad |= connection->person == NULL;
            if (!c->bad)
                connection->person->link = &connection->out.link;
        }
    }
}

/* ---- Waiters, tokens ------------------------------------------------------------------------- */

static struct connection *waiter_owner(struct waiter *waiter)
{
    switch (waiter->kind) {
    case WAITER_ITEM:
        return LIST_ENTRY(
            struct connection, out.link, LIST_ENTRY(struct item, waiter, waiter)->link);
    case WAITER_STOP:
        return LIST_ENTRY(struct connection, out.link, LIST_ENTRY(struct link, stop, waiter));
    case WAITER_RESUME:
        return LIST_ENTRY(struct connection, resumption.waiter, waiter);
    case WAITER_WELCOME:
        break;
    }
    return LIST_ENTRY(struct welcome, waiter, waiter)->connection;
}

/* The next waiter of that kind that is not in the list yet; NULL where there is none. */
static struct waiter *waiter_of(struct connection *connection, enum waiter_kind kind)
{
    struct item *item = connection->out.link.waiting;

    switch (kind) {
    case WAITER_ITEM:
        while (item != NULL && !list_is_empty(&item->waiter.entry))
            item = item->next;
        return item == NULL ? NULL : &item->waiter;
    case WAITER_STOP:
        return list_is_empty(&connection->out.link.stop.entry) ? &connection->out.link.stop : NULL;
    case WAITER_RESUME:
        return list_is_empty(&connection->resumption.waiter.entry) ? &connection->resumption.waiter
                                                                   : NULL;
    case WAITER_WELCOME:
        break;
    }
    return connection->welcome == NULL ? NULL : &connection->welcome->waiter;
}

static void waiter_state(
    struct codec *c, struct numbers *n, struct hold *hold, struct waiter *waiter)
{
    size_t place = waiter == NULL ? 0 : waiter_owner(waiter)->place;
    unsigned kind = waiter == NULL ? 0 : waiter->kind;
    uint64_t ticket = waiter == NULL ? 0 : waiter->ticket;

    codec_size(c, &place);
    kind = codec_choice(c, kind, WAITER_RESUME + 1);
    codec_u64(c, &ticket);
    if (!c->loading)
        return;
    waiter = c->bad || place >= n->connection_count ? NULL : waiter_of(n->connections[place], kind);
    if (waiter == NULL) {
        c->bad = true;
        return;
    }
    waiter->kind = kind;
    waiter->ticket = ticket;
    list_append(&hold->waiters, &waiter->entry);
}

static void waiters_state(struct codec *c, struct numbers *n, struct hold *hold)
{
    struct list *at;
    size_t count = 0;

    for (at = hold->waiters.next; at != &hold->waiters; at = at->next)
        count++;
    codec_size(c, &count);
    at = hold->waiters.next;
    for (size_t i = 0; i < count && !c->bad; i++) {
        waiter_state(c, n, hold, c->loading ? NULL : LIST_ENTRY(struct waiter, entry, at));
        at = c->loading ? at : at->next;
    }
}

static void connection_number(struct codec *c, const struct numbers *n, struct connection **which)
{
    size_t place = *which == NULL ? NOWHERE : (*which)->place;

    codec_size(c, &place);
    if (!c->loading)
        return;
    c->bad |= place != NOWHERE && place >= n->connection_count;
    *which = c->bad || place == NOWHERE ? NULL : n->connections[place];
}

static void token_state(struct codec *c, const struct numbers *n, struct token *token)
{
    codec_text(c, token->text, sizeof(token->text));
    codec_text(c, token->login, sizeof(token->login));
    codec_u64(c, &token->answered);
    codec_u64(c, &token->over_at);
    connection_number(c, n, &token->holder);
    connection_number(c, n, &token->claimant);
}

static void token_load(struct connections *cs, struct codec *c, const struct numbers *n)
{
    struct token *token = calloc(1, sizeof(*token));

    if (token != NULL)
        token_state(c, n, token);
    if (token == NULL || c->bad || strlen(token->text) != TOKEN_LEN) {
        free(token);
        c->bad = true;
        return;
    }
    if (token->holder != NULL)
        token->holder->token = token;
    if (token->claimant != NULL)
        token->claimant->token = token;
    token_add(cs->tokens, token);
}

/* Those whose session is over come first, in the order in which they expire. */
static void tokens_state(struct connections *cs, struct codec *c, const struct numbers *n)
{
    struct tokens *tokens = cs->tokens;
    size_t count = tokens->table.count;

    codec_size(c, &count);
    if (c->loading) {
        for (size_t i = 0; i < count && !c->bad; i++)
            token_load(cs, c, n);
        return;
    }
    for (struct list *at = tokens->over.next; at != &tokens->over; at = at->next)
        token_state(c, n, LIST_ENTRY(struct token, over, at));
    for (size_t i = 0; i < tokens->table.slot_count; i++)
        for (struct table_entry *at = tokens->table.slots[i]; at != NULL; at = at->next) {
            struct token *token = TABLE_ENTRY(struct token, entry, at);

            if (token->holder != NULL)
                token_state(c, n, token);
        }
}

/* ---- Sources --------------------------------------------------------------------------------- */

static void source_state(struct codec *c, struct source *source)
{
    codec_bytes(c, source->key.bytes, sizeof(source->key.bytes));
    codec_u64(c, &source->rate_at);
    codec_u64(c, &source->pass_at);
    codec_u64(c, &source->idle_since);
}

/* What each of them has done; those without a connection come first, in the order of their list. */
static void sources_state(struct sources *sources, struct codec *c)
{
    size_t count = sources->table.count;
    struct source past;

    codec_size(c, &count);
    if (c->loading) {
        for (size_t i = 0; i < count && !c->bad; i++) {
            source_state(c, &past);
            c->bad |= !source_restore(sources, &past);
        }
        return;
    }
    for (struct list *at = sources->idle.next; at != &sources->idle; at = at->next)
        source_state(c, LIST_ENTRY(struct source, equals, at));
    for (size_t i = 0; i < sources->table.slot_count; i++)
        for (struct table_entry *at = sources->table.slots[i]; at != NULL; at = at->next) {
            struct source *source = TABLE_ENTRY(struct source, entry, at);

            if (source->connections > 0)
                source_state(c, source);
        }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void counters_state(struct codec *c, struct counters *counters)
{
    uint64_t *const numbers[] = {&counters->received, &counters->echoed, &counters->answered,
        &counters->refused, &counters->ended, &counters->discarded, &counters->logins,
        &counters->faults};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        codec_u64(c, numbers[i]);
}

static void room_state(struct codec *c, struct room *room)
{
    bool holds = room->hold.lines != NULL;

    log_state(room->log, c);
    codec_bool(c, &holds);
    c->bad |= holds != (room->hold.lines != NULL);
    if (holds && !c->bad)
        log_state(room->hold.lines, c);
    codec_u64(c, &room->hold.settled);
    codec_u64(c, &room->known);
    codec_bool(c, &room->urgent);
}

/* ---- The cluster ----------------------------------------------------------------------------- */

struct ticket_context {
    struct codec *codec;
    struct numbers *numbers;
};

/* Its owner, and the memory for its answer. */
static void ticket_state(void *context, struct ticket *ticket)
{
    struct ticket_context *t = context;
    bool has_answer = ticket->answer != NULL;

    connection_number(t->codec, t->numbers, &ticket->owner);
    codec_bool(t->codec, &has_answer);
    if (has_answer && !t->codec->bad)
        ticket->answer = item_state(t->codec, t->numbers, ticket->answer);
}

static void stream_state(struct connections *cs, struct codec *c, struct numbers *n)
{
    struct ticket_context context = {c, n};
    bool is_there = cs->cluster != NULL;

    codec_bool(c, &is_there);
    c->bad |= is_there != (cs->cluster != NULL);
    if (is_there && !c->bad)
        cluster_state(cs->cluster, c, cs->room, ticket_state, &context);
}

static size_t list_count(const struct list *list)
{
    size_t count = 0;

    for (const struct list *at = list->next; at != list; at = at->next)
        count++;
    return count;
}

/* The room is written, or loaded. */
static bool numbers_init(struct connections *cs, struct codec *c, struct numbers *n)
{
    const struct room *room = cs->room;
    size_t persons = list_count(&room->members) + list_count(&room->posters);

    *n = (struct numbers){.connection_count = cs->count};
    codec_size(c, &n->connection_count);
    if (c->bad || n->connection_count > MANY)
        return false;
    n->connections = calloc(n->connection_count + 1, sizeof(n->connections[0]));
    n->persons = calloc(persons + 1, sizeof(n->persons[0]));
    if (n->connections == NULL || n->persons == NULL)
        return false;
    persons_number(&cs->room->members, n);
    persons_number(&cs->room->posters, n);
    return true;
}

static void numbers_free(struct numbers *n)
{
    for (size_t i = 0; i < n->shared_count; i++)
        n->shared[i]->place = 0;
    free(n->shared);
    free(n->connections);
    free(n->persons);
}

/* Also of those whose session is over and whose leave is under way. */
static void persons_sources_state(struct codec *c, struct numbers *n)
{
    for (size_t i = 0; i < n->person_count && !c->bad; i++)
        codec_bytes(c, n->persons[i]->source.bytes, SOURCE_KEY_LEN);
}

void snapshot(struct connections *cs, struct codec *c)
{
    struct numbers n;

    room_state(c, cs->room);
    if (!c->bad)
        replica_state(cs->room, c);
    codec_u64(c, &cs->floor);
    codec_u32(c, &cs->next_author);
    counters_state(c, &cs->counters);
    if (!numbers_init(cs, c, &n))
        c->bad = true;
    if (!c->bad)
        persons_sources_state(c, &n);
    if (!c->bad && c->loading) {
        connections_load(cs, c, &n);
        persons_restore(c, &n);
    } else if (!c->bad) {
        connections_save(cs, c, &n);
    }
    if (!c->bad)
        waiters_state(c, &n, &cs->room->hold);
    if (!c->bad)
        tokens_state(cs, c, &n);
    if (!c->bad)
        stream_state(cs, c, &n);
    if (!c->bad)
        sources_state(&cs->sources, c);
    if (!c->bad)
        bans_state(&cs->bans, c);
    journal_state(cs->journal, c);
    numbers_free(&n);
}
