/* cluster.c: the states of this node in the cluster, and what follows from each frame. */
#include "cluster.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

#include "compat/compat.h"
#include "server/hub/codec.h"
#include "server/hub/log.h"
#include "server/hub/replica.h"
#include "server/hub/timers.h"
#include "server/report.h"

/* How often an idle node publishes an empty batch, so that the others do not take it for gone. */
#define BEAT_US 2000000u
/* When to try again after an allocation has failed. */
#define RETRY_US 100000u
/* How long a node that starts waits for the snapshot of a stream that was made anew. */
#define SNAPSHOT_US 30000000u

/* ---- Making and freeing ---------------------------------------------------------------------- */

struct cluster *cluster_new(const struct cluster_config *config)
{
    struct cluster *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->config = *config;
    engine_end_init(&c->engine);
    c->retry_at = c->wait_until = TIME_NEVER;
    c->search.back = SEARCH_BACK;
    if (!outbox_init(&c->outbox) || !mailbox_init(&c->mailbox) || !inbox_init(&c->inbox)) {
        cluster_free(c, NULL);
        return NULL;
    }
    return c;
}

void cluster_free(struct cluster *c, struct poller *poller)
{
    if (c == NULL)
        return;
    engine_end_close(&c->engine, poller);
    outbox_free(&c->outbox);
    mailbox_free(&c->mailbox);
    search_free(&c->search);
    copy_drop(&c->copy);
    inbox_free(&c->inbox);
    free(c);
}

static void cluster_finish(struct cluster *c, enum cluster_end end)
{
    c->state = CLUSTER_ENDED;
    c->end = end;
}

/* ---- The engine ------------------------------------------------------------------------------ */

/* What was read and not taken out is told again by the next engine. */
static void engine_forget(struct cluster *c)
{
    inbox_drop(&c->inbox);
    engine_end_reset(&c->engine);
    outbox_rewind(&c->outbox);
    mailbox_forget(&c->mailbox);
}

static void engine_lose(struct cluster *c, struct poller *poller, const struct report *r)
{
    report(r, LOG_WARNING, "the cluster's engine has ended");
    engine_end_close(&c->engine, poller);
    engine_forget(c);
}

bool cluster_set_engine(struct cluster *c, int fd, struct poller *poller)
{
    bool searches = c->inbox.sequence == 0 && !c->search.whole;
    bool watches = renewal_wants_watch(&c->renewal);
    const struct frame_setup setup = {.next = searches ? 0 : c->inbox.sequence + 1,
        .back = watches ? SEARCH_BACK : c->search.back,
        .time = c->inbox.time,
        .watches = watches,
        .room = c->config.room,
        .node = c->config.node,
        .credentials = {c->config.credentials, strlen(c->config.credentials)},
        .servers = c->config.servers};

    engine_end_close(&c->engine, poller);
    if (!engine_end_set(&c->engine, fd, &setup, poller))
        return false;
    search_begin(&c->search);
    engine_forget(c);
    if (c->state == CLUSTER_REWINDING)
        c->state = CLUSTER_LOADING;
    c->renewal.state = RENEWAL_NONE;
    if (watches) {
        renewal_begin(&c->renewal);
        c->engine.state = ENGINE_GONE; /* that was logged */
    }
    return true;
}

bool cluster_has_engine(const struct cluster *c)
{
    return c->engine.fd != -1;
}

/* The present engine reads what is not wanted any more. */
static bool engine_is_stale(const struct cluster *c)
{
    return c->state == CLUSTER_REWINDING ||
           (c->state != CLUSTER_ENDED && renewal_changes(&c->renewal));
}

bool cluster_wants_engine(const struct cluster *c)
{
    return engine_is_stale(c) || (c->engine.fd == -1 && c->state != CLUSTER_ENDED);
}

void cluster_ready(struct cluster *c, short revents)
{
    c->engine.revents |= revents;
}

bool cluster_is_well(const struct cluster *c)
{
    return c->engine.fd != -1 && c->engine.state == ENGINE_READY;
}

/* ---- The way there --------------------------------------------------------------------------- */

bool cluster_has_room(const struct cluster *c)
{
    return c->state == CLUSTER_RUNNING && outbox_has_room(&c->outbox);
}

bool cluster_submit(
    struct cluster *c, const struct room_request *request, const struct ticket *ticket)
{
    return c->state == CLUSTER_RUNNING && outbox_put(&c->outbox, request, ticket);
}

void cluster_stop(struct cluster *c)
{
    const struct room_request stop = {.kind = ROOM_NODE_STOP};
    const struct ticket nobody = {.owner = NULL};

    if (c->state == CLUSTER_RUNNING && outbox_put(&c->outbox, &stop, &nobody))
        c->state = CLUSTER_STOPPING;
    else if (c->state != CLUSTER_STOPPING && c->state != CLUSTER_ENDED)
        cluster_finish(c, CLUSTER_STOPPED);
}

struct node *cluster_node(const struct cluster *c, const struct room *room)
{
    return nodes_find(&room->nodes, c->config.node);
}

/* The transcript may end behind the stream: it was written with a clock that was ahead, or in
 * another room. What follows must have later stamps to be written to it. */
static bool start_put(struct cluster *c, const struct room *room)
{
    const struct room_request start = {.kind = ROOM_NODE_START, .size = c->stream_size};
    const struct room_request stamp = {.kind = ROOM_STAMP, .stamp = room->known};
    const struct ticket nobody = {.owner = NULL};

    return outbox_put(&c->outbox, &start, &nobody) &&
           (room->known <= room->stamp || outbox_put(&c->outbox, &stamp, &nobody));
}

/* An incarnation is one more than the last of this node, and has a random value of its own. */
static bool incarnation_choose(struct cluster *c, const struct room *room)
{
    struct incarnation next = {.number = nodes_last_number(&room->nodes, c->config.node) + 1};

    if (!random_bytes(&next.random, sizeof(next.random)) || !start_put(c, room))
        return false;
    c->incarnation = next;
    return true;
}

static void outbox_close(struct cluster *c, unsigned form, uint64_t now)
{
    bool beats = c->state == CLUSTER_RUNNING && now >= c->beat_at && c->outbox.first == NULL;

    if (c->outbox.open_len == 0 && !beats)
        return;
    if (!outbox_seal(&c->outbox, c->config.node, c->incarnation, form)) {
        c->retry_at = now + RETRY_US;
        return;
    }
    c->beat_at = now + BEAT_US;
    if (c->waits_since == 0)
        c->waits_since = now;
}

/* What is before the next frame is needed only while it is applied. */
static void cluster_compact(struct cluster *c)
{
    if (c->apply.phase == APPLY_IDLE)
        inbox_compact(&c->inbox);
}

static bool room_hash(struct room *room, uint64_t *hash)
{
    struct codec codec = {.loading = false};

    replica_state(room, &codec);
    *hash = codec.bad ? 0 : replica_hash((struct span){codec.buf, codec.len});
    free(codec.buf);
    return !codec.bad;
}

/* This node has a room, and the next incarnation of it, if there is to be one. */
static bool may_renew(const struct cluster *c)
{
    return c->state == CLUSTER_RUNNING ||
           (c->state == CLUSTER_STARTING && c->incarnation.number != 0);
}

/* Tries to make the stream anew, from this node's room. It comes back as a message, as any other
 * node's does. */
static void stream_renew(struct cluster *c, struct room *room, const struct report *r)
{
    const struct batch_id head = {.node = c->config.node,
        .incarnation = c->incarnation.number,
        .nonce = c->incarnation.random,
        .form = (uint8_t)room->nodes.form};
    struct renewal_note note = {.stamp = room->stamp, .sequence = c->inbox.sequence};
    struct frame_renew renew = {.last = c->renewal.last};
    char bytes[RENEWAL_MAX];

    if (!room_hash(room, &note.hash))
        return;
    renew.bytes = (struct span){bytes, renewal_write(bytes, &head, &note)};
    if (mailbox_renew(&c->mailbox, &renew))
        report(r, LOG_NOTICE, "the room's stream is to be made anew, behind message %llu",
            (unsigned long long)renew.last);
}

/* Batches are kept while there is no stream for them. */
static struct outbox *outbox_to_send(struct cluster *c)
{
    static struct outbox none;

    return c->renewal.state == RENEWAL_NONE ? &c->outbox : &none;
}

void cluster_flush(struct cluster *c, struct room *room, struct poller *poller,
    const struct report *r, uint64_t now)
{
    if (c->state == CLUSTER_LOADING && now >= c->wait_until)
        cluster_finish(c, CLUSTER_CUT);
    if (may_renew(c) && renewal_is_due(&c->renewal, now))
        stream_renew(c, room, r);
    if (c->state == CLUSTER_STARTING && c->incarnation.number == 0 &&
        !incarnation_choose(c, room)) {
        c->retry_at = now + RETRY_US;
        return;
    }
    if (c->state == CLUSTER_RUNNING)
        copy_turn(&c->copy, &c->outbox);
    if (copy_is_waiting(&c->copy) && cluster_has_room(c)) /* there was no memory */
        c->retry_at = now + RETRY_US;
    outbox_close(c, room->nodes.form, now);
    if (c->engine.fd == -1)
        return;
    if (inbox_is_full(&c->inbox))
        cluster_compact(c); /* cluster_read() does it only where there is something to be read */
    engine_end_listen(
        &c->engine, &c->inbox, poller, engine_end_send(&c->engine, outbox_to_send(c), &c->mailbox));
}

static uint64_t tell_due(const struct cluster *c)
{
    return c->state == CLUSTER_ENDED ? TIME_NEVER : engine_end_tell_due(&c->engine);
}

uint64_t cluster_due(const struct cluster *c)
{
    uint64_t beat =
        c->state == CLUSTER_RUNNING && c->outbox.first == NULL ? c->beat_at : TIME_NEVER;

    if (mailbox_due(&c->mailbox) < beat)
        beat = mailbox_due(&c->mailbox);
    if (tell_due(c) < beat)
        beat = tell_due(c);
    if (may_renew(c) && renewal_due(&c->renewal) < beat)
        beat = renewal_due(&c->renewal);
    if (c->state == CLUSTER_LOADING && c->wait_until < beat)
        beat = c->wait_until;
    if ((engine_is_stale(c) && c->engine.fd != -1) ||
        (cluster_has_room(c) && copy_is_waiting(&c->copy) && c->retry_at == TIME_NEVER))
        return 0;
    return beat < c->retry_at ? beat : c->retry_at;
}

/* ---- What is read ---------------------------------------------------------------------------- */

void cluster_read(struct cluster *c, struct poller *poller, const struct report *r)
{
    c->retry_at = TIME_NEVER; /* all of it is tried in this turn */
    if (engine_is_stale(c) && c->engine.fd != -1) {
        engine_end_close(&c->engine, poller);
        engine_forget(c);
    }
    if (c->engine.fd == -1 || (c->engine.revents & (POLLIN | POLLHUP | POLLERR)) == 0)
        return;
    cluster_compact(c);
    if (!inbox_read(&c->inbox, &c->engine))
        engine_lose(c, poller, r);
}

/* In other states what was read is left where it is. */
static bool is_reading(const struct cluster *c)
{
    return c->state != CLUSTER_ENDED && c->state != CLUSTER_LOST && c->state != CLUSTER_REWINDING &&
           !renewal_changes(&c->renewal);
}

bool cluster_has_more(const struct cluster *c)
{
    const struct inbox *in = &c->inbox;
    struct span rest = {in->bytes + in->at, in->len - in->at};
    struct frame frame;

    return is_reading(c) &&
           (c->apply.phase != APPLY_IDLE || frame_next(&frame, &rest) != FRAME_NONE);
}

/* ---- States ---------------------------------------------------------------------------------- */

/* Another incarnation: what was under way has come to nothing. The engine may be in the middle of a
 * frame, or have batches that the servers do not take: it is replaced. */
static void cluster_begin_again(struct cluster *c)
{
    bool is_stuck = c->outbox.first != NULL && !cluster_is_well(c);

    if (c->engine.fd != -1 && (is_stuck || outbox_is_cut(&c->outbox)))
        (void)shutdown(c->engine.fd, SHUT_RDWR);
    outbox_clear(&c->outbox);
    c->forming = false;
    copy_drop(&c->copy);
    c->incarnation = (struct incarnation){0, 0};
    c->waits_since = 0;
    c->state = CLUSTER_STARTING;
}

bool cluster_take_lost(struct cluster *c, struct ticket *ticket)
{
    if (outbox_take(&c->outbox, ticket))
        return true;
    cluster_begin_again(c);
    return false;
}

/* The start of another program of this name, or an earlier one's, has come before this one's. */
static void start_failed(struct cluster *c)
{
    struct ticket start;

    while (outbox_take(&c->outbox, &start)) {}
    cluster_begin_again(c);
}

/* What the room says about this node after a message. */
static void state_follow(struct cluster *c, const struct room *room)
{
    const struct node *node = cluster_node(c, room);
    bool own = node != NULL && incarnation_equal(node->incarnation, c->incarnation);
    bool runs = own && node->state == NODE_RUNNING;

    switch (c->state) {
    case CLUSTER_STARTING:
        c->was_running |= runs;
        if (runs)
            c->state = CLUSTER_RUNNING;
        else if (c->incarnation.number != 0 &&
                 nodes_last_number(&room->nodes, c->config.node) >= c->incarnation.number)
            start_failed(c);
        break;
    case CLUSTER_RUNNING:
        if (!own)
            cluster_finish(c, CLUSTER_TAKEN);
        else if (!runs)
            c->state = CLUSTER_LOST;
        break;
    case CLUSTER_STOPPING:
        if (!runs)
            cluster_finish(c, CLUSTER_STOPPED);
        break;
    case CLUSTER_LOADING:
    case CLUSTER_REWINDING:
    case CLUSTER_LOST:
    case CLUSTER_ENDED:
        break;
    }
}

/* ---- A stream that is gone ------------------------------------------------------------------- */

/* The engine has told a state. What was loaded of a stream that is gone is not a room; it is loaded
 * again, from the beginning or, when the program is. */
static void renewal_follow(struct cluster *c, bool is_gone, uint64_t now)
{
    if (c->renewal.state == RENEWAL_WATCHING) {
        renewal_hear(&c->renewal, is_gone, now);
    } else if (is_gone && c->state == CLUSTER_LOADING && c->inbox.sequence == 0) {
        c->search.whole = false;
        c->state = CLUSTER_REWINDING;
    } else if (is_gone && c->state == CLUSTER_LOADING) {
        cluster_finish(c, CLUSTER_DIFFERS);
    } else if (is_gone && c->state != CLUSTER_ENDED) {
        c->renewal.state = RENEWAL_LOST;
    }
}

/* What was loaded comes to nothing. The snapshot behind that message is looked for. */
static void loading_begin_again(struct cluster *c, struct room *room,
    const struct frame_message *message, const struct renewal_note *note)
{
    c->search.anew = (struct search_anew){message->sequence, message->time / 1000u, note->stamp};
    c->search.whole = false;
    c->inbox.sequence = c->inbox.time = 0;
    c->state = CLUSTER_REWINDING;
    if (!room_clear(room))
        cluster_finish(c, CLUSTER_DIFFERS);
}

/* The stream was made anew by that message: this node goes on behind it if its room is the same.
 * Without memory to see that, the room is taken for another one. */
static void renewal_meet(struct cluster *c, struct room *room, const struct report *r,
    const struct frame_message *message, const struct renewal_note *note)
{
    int len = (int)note->node.len;
    uint64_t hash;

    if (!room_hash(room, &hash) || hash != note->hash) {
        if (c->state == CLUSTER_LOADING) {
            loading_begin_again(c, room, message, note);
            return;
        }
        report(r, LOG_ERR, "node %.*s has made the room's stream anew, and has another room", len,
            note->node.at);
        cluster_finish(c, CLUSTER_DIFFERS);
        return;
    }
    report(r, LOG_NOTICE, "node %.*s has made the room's stream anew: it goes on at message %llu",
        len, note->node.at, (unsigned long long)message->sequence);
    c->inbox.sequence = message->sequence;
    c->inbox.time = message->time;
    nodes_renew(&room->nodes, message->sequence);
    copy_drop(&c->copy);
    if (c->state == CLUSTER_RUNNING || c->state == CLUSTER_STARTING)
        copy_take(&c->copy, room);
    if (c->renewal.state == RENEWAL_WATCHING)
        c->renewal.state = RENEWAL_FOUND;
}

/* The node that has stored this, and that runs in this node's room; NULL: it is none, or this one.
 */
static const struct node *author_of(
    const struct cluster *c, const struct room *room, struct span bytes)
{
    struct batch_id id;
    const struct node *node =
        batch_id_read(&id, bytes) == 0 ? NULL : nodes_find(&room->nodes, id.node);
    const struct incarnation incarnation = {id.incarnation, id.nonce};

    return node != NULL && node != cluster_node(c, room) && id.number != 0 &&
                   node->state == NODE_RUNNING && incarnation_equal(node->incarnation, incarnation)
               ? node
               : NULL;
}

/* A message of what is stored where the stream was. It may be the one that was applied last: then
 * the servers had lost it only for a while. Or it is of a node that goes on without a word, since
 * the stream has all that it has applied: it has new members and messages by now, so this node
 * follows. */
static void watch_take(struct cluster *c, const struct room *room, const struct report *r,
    const struct frame_message *message, uint64_t now)
{
    const struct node *node = author_of(c, room, message->bytes);

    if (message->sequence == c->inbox.sequence && message->time == c->inbox.time) {
        c->renewal.state = RENEWAL_FOUND;
    } else if (node != NULL && renewal_is_old(&c->renewal, now)) {
        report(r, LOG_ERR, "node %s goes on in a stream without message %llu, which this node has",
            node->name, (unsigned long long)c->inbox.sequence);
        cluster_finish(c, CLUSTER_DIFFERS);
    } else {
        renewal_look(
            &c->renewal, message->sequence, message->time, message->bytes, room->nodes.time);
    }
}

static void watch_end(
    struct cluster *c, struct room *room, const struct report *r, uint64_t sequence)
{
    const struct renewal_found *found = &c->renewal.found;
    const struct frame_message message = {.sequence = found->sequence, .time = found->time};

    if (renewal_end(&c->renewal, sequence))
        renewal_meet(c, room, r, &message, &found->note);
}

/* ---- Frames ---------------------------------------------------------------------------------- */

void cluster_tell(struct cluster *c, const struct report *r, uint64_t now)
{
    if (tell_due(c) <= now)
        engine_end_tell(&c->engine, r, now);
}

/* At the start a wrong password, or a server without JetStream, is the operator's to mend. */
static void state_take(struct cluster *c, struct span payload, const struct report *r, uint64_t now)
{
    struct frame_state state;

    if (!frame_state_read(&state, payload)) {
        cluster_finish(c, CLUSTER_NOT_VALID);
        return;
    }
    engine_end_take_state(&c->engine, &state, r, now);
    renewal_follow(c, state.state == ENGINE_GONE, now);
    if (state.batch_max != 0)
        c->outbox.batch_max = state.batch_max;
    if (c->state == CLUSTER_LOADING && state.state == ENGINE_REFUSED)
        cluster_finish(c, CLUSTER_REFUSED);
    else if (c->state == CLUSTER_LOADING && state.state == ENGINE_UNUSABLE)
        cluster_finish(c, CLUSTER_UNUSABLE);
}

/* Is it the oldest batch of this node that is under way? Not one that has only its number. */
static bool message_is_mine(const struct cluster *c, struct span bytes)
{
    const struct sealed *oldest = c->outbox.first;

    return oldest != NULL && bytes.len == oldest->len - FRAME_HEAD &&
           memcmp(bytes.at, oldest->frame + FRAME_HEAD, bytes.len) == 0;
}

/* Has another program made the next batch of this incarnation? It runs on a copy of this machine,
 * or it forges. The batch must not be applied: its requests change persons of this node, and there
 * are no tickets by which their connections would follow. */
static bool message_is_anothers(const struct cluster *c, const struct room *room)
{
    const struct batch_id *id = &c->apply.requests.id;
    const struct batch_id own = {.node = c->config.node,
        .incarnation = c->incarnation.number,
        .nonce = c->incarnation.random,
        .number = id->number};

    return !c->inbox.mine && apply_will_count(&c->apply, room) && batch_id_equal(id, &own);
}

/* Nothing is applied yet, nor is it known from where on. */
static bool is_searching(const struct cluster *c)
{
    return c->state == CLUSTER_LOADING && c->inbox.sequence == 0 && !c->search.whole;
}

/* The room goes on from there. */
static void snapshot_load(struct cluster *c, struct room *room, const struct report *r)
{
    const struct snapshot *best = &c->search.best;
    const struct search_anew *anew = &c->search.anew;

    if (!replica_load(room, (struct span){best->bytes, best->len}) ||
        room->nodes.place.sequence != best->place) {
        cluster_finish(c, CLUSTER_CUT);
        return;
    }
    if (room->nodes.form > c->config.form) {
        cluster_finish(c, CLUSTER_FORM);
        return;
    }
    room_note_missing(room);
    if (room->known > anew->stamp && room->known < anew->time)
        room_note_lost(room, anew->time);
    c->inbox.sequence = best->place;
    c->wait_until = TIME_NEVER;
    report(r, LOG_INFO, "the room is loaded from a snapshot at message %llu, of %llu bytes",
        (unsigned long long)best->place, (unsigned long long)best->len);
    search_free(&c->search);
    c->state = CLUSTER_REWINDING;
}

static struct search_goal search_goal(const struct room *room)
{
    return (struct search_goal){.known = room->known, .log_size = log_size(room->log)};
}

static void search_message(struct cluster *c, struct room *room, const struct report *r,
    const struct frame_message *message)
{
    const struct search_goal goal = search_goal(room);
    struct renewal_note note;

    if (renewal_read(&note, message->bytes))
        search_begin_anew(&c->search,
            &(struct search_anew){message->sequence, message->time / 1000u, note.stamp});
    if (search_take(&c->search, message, &goal))
        snapshot_load(c, room, r);
}

static void search_finish(
    struct cluster *c, struct room *room, const struct report *r, uint64_t sequence, uint64_t now)
{
    const struct search_goal goal = search_goal(room);

    switch (search_end(&c->search, sequence, &goal)) {
    case SEARCH_FOUND:
        snapshot_load(c, room, r);
        break;
    case SEARCH_WHOLE:
        c->search.whole = true;
        c->state = CLUSTER_REWINDING;
        break;
    case SEARCH_FURTHER:
        c->state = CLUSTER_REWINDING;
        break;
    case SEARCH_WAIT:
        if (c->wait_until != TIME_NEVER)
            break;
        c->wait_until = now + SNAPSHOT_US;
        report(r, LOG_NOTICE, "the room's stream was made anew; a snapshot is yet to be stored");
        break;
    case SEARCH_NONE:
        cluster_finish(c, CLUSTER_CUT);
        break;
    }
}

static void inbox_take(
    struct cluster *c, struct room *room, const struct report *r, struct span payload, uint64_t now)
{
    struct frame_message message;
    struct renewal_note note;
    uint64_t last = c->inbox.sequence;

    if (!frame_message_read(&message, payload)) {
        cluster_finish(c, CLUSTER_NOT_VALID);
    } else if (c->renewal.state == RENEWAL_WATCHING) {
        watch_take(c, room, r, &message, now);
    } else if (is_searching(c)) {
        search_message(c, room, r, &message);
    } else if (message.sequence > last + 1) {
        cluster_finish(c, CLUSTER_CUT);
    } else if (message.sequence == last + 1 && renewal_read(&note, message.bytes)) {
        renewal_meet(c, room, r, &message, &note);
    } else if (message.sequence == last + 1) {
        c->inbox.sequence = message.sequence;
        c->inbox.time = message.time;
        c->inbox.mine = message_is_mine(c, message.bytes);
        apply_begin(&c->apply, room, message.bytes, message.time / 1000u);
        if (message_is_anothers(c, room))
            cluster_finish(c, CLUSTER_TAKEN);
    }
}

static void take_end(
    struct cluster *c, struct room *room, const struct report *r, struct span payload, uint64_t now)
{
    struct frame_end end;

    if (!frame_end_read(&end, payload)) {
        cluster_finish(c, CLUSTER_NOT_VALID);
        return;
    }
    if (c->renewal.state == RENEWAL_WATCHING) {
        watch_end(c, room, r, end.sequence);
        return;
    }
    c->stream_size = end.size;
    if (end.sequence > c->inbox.sequence && is_searching(c))
        search_finish(c, room, r, end.sequence, now);
    else if (end.sequence > c->inbox.sequence)
        cluster_finish(c, CLUSTER_CUT);
    else if (c->state == CLUSTER_LOADING)
        c->state = CLUSTER_STARTING;
}

bool cluster_take_direct(struct cluster *c, struct frame *out)
{
    *out = c->direct;
    c->direct.kind = 0;
    return out->kind != 0;
}

uint64_t cluster_applied(const struct cluster *c)
{
    return c->apply.phase == APPLY_IDLE ? c->inbox.sequence : c->inbox.sequence - 1;
}

/* Takes the next frame out; false: there is none, or it is not for the room. */
static bool frame_take(struct cluster *c, struct room *room, const struct report *r, uint64_t now)
{
    struct inbox *in = &c->inbox;
    struct span rest = {in->bytes + in->at, in->len - in->at};
    struct frame frame;

    switch (frame_next(&frame, &rest)) {
    case FRAME_NONE:
        return false;
    case FRAME_BAD:
        cluster_finish(c, CLUSTER_NOT_VALID);
        return false;
    case FRAME_READY:
        break;
    }
    in->at = (size_t)(rest.at - in->bytes);
    if (frame.kind == FRAME_STATE)
        state_take(c, frame.payload, r, now);
    else if (frame.kind == FRAME_MESSAGE)
        inbox_take(c, room, r, frame.payload, now);
    else if (frame.kind == FRAME_END)
        take_end(c, room, r, frame.payload, now);
    else if (frame.kind == FRAME_ASKED || frame.kind == FRAME_ANSWERED)
        c->direct = frame;
    else
        cluster_finish(c, CLUSTER_NOT_VALID);
    return c->direct.kind == 0 && c->state != CLUSTER_ENDED;
}

/* ---- What comes of messages ------------------------------------------------------------------ */

/* Says what this program reads; and, when all nodes read more than what is written, that it shall
 * be written. A node that reads less than what is written by then has no place in the room. */
static void form_follow(struct cluster *c, const struct room *room)
{
    const struct node *node = cluster_node(c, room);
    const struct ticket nobody = {.owner = NULL};
    struct room_request request = {.kind = ROOM_NODE_READS, .form = c->config.form};

    if (c->state == CLUSTER_ENDED)
        return;
    if (room->nodes.form > c->config.form) {
        cluster_finish(c, CLUSTER_FORM);
        return;
    }
    if (c->state != CLUSTER_RUNNING || c->forming)
        return;
    if (node->reads == c->config.form) {
        request = (struct room_request){.kind = ROOM_FORM, .form = nodes_read(&room->nodes)};
        if (request.form <= room->nodes.form)
            return;
    }
    c->forming = outbox_has_room(&c->outbox) && outbox_put(&c->outbox, &request, &nobody);
}

static void message_done(struct cluster *c, struct room *room, const struct report *r, uint64_t now)
{
    const struct node *node = cluster_node(c, room);

    if (c->inbox.mine && node != NULL && incarnation_equal(node->incarnation, c->incarnation))
        outbox_forget(&c->outbox, node->batch);
    if (c->inbox.mine)
        c->waits_since = c->outbox.first == NULL ? 0 : now;
    if (c->inbox.mine && !c->apply.valid)
        cluster_finish(c, CLUSTER_NOT_VALID);
    state_follow(c, room);
    form_follow(c, room);
    if (nodes_pass(&room->nodes, c->inbox.sequence, c->apply.message.len) &&
        c->state == CLUSTER_RUNNING)
        copy_take(&c->copy, room);
    if (c->state == CLUSTER_RUNNING && !copy_follow(&c->copy, &room->nodes, node, r))
        cluster_finish(c, CLUSTER_DIFFERS);
}

static void applied_fill(struct cluster *c, struct applied *out)
{
    out->request = out->step == STEP_REQUEST ? &c->apply.next.request : NULL;
    out->ticket = (struct ticket){.owner = NULL};
    out->mine = out->step == STEP_REQUEST && c->inbox.mine && outbox_take(&c->outbox, &out->ticket);
    if (out->mine && (out->request->kind == ROOM_NODE_READS || out->request->kind == ROOM_FORM))
        c->forming = false;
}

bool cluster_next(
    struct cluster *c, struct room *room, const struct report *r, struct applied *out, uint64_t now)
{
    while (is_reading(c)) {
        if (c->apply.phase == APPLY_IDLE && !frame_take(c, room, r, now))
            return false;
        if (c->apply.phase == APPLY_IDLE)
            continue;
        c->apply.author = c->inbox.mine ? outbox_author(&c->outbox) : 0;
        out->step = apply_next(&c->apply, room, &out->result, &out->outcome);
        switch (out->step) {
        case STEP_LATER:
            c->retry_at = now + RETRY_US;
            return false;
        case STEP_DONE:
            message_done(c, room, r, now);
            break;
        case STEP_EVENT:
        case STEP_REQUEST:
            applied_fill(c, out);
            return true;
        }
    }
    return false;
}

/* ---- Handing over ---------------------------------------------------------------------------- */

void cluster_state(struct cluster *c, struct codec *codec, struct room *room,
    void (*ticket_state)(void *, struct ticket *), void *context)
{
    c->state = (enum cluster_state)codec_choice(codec, c->state, CLUSTER_ENDED + 1);
    c->end = (enum cluster_end)codec_choice(codec, c->end, CLUSTER_NOT_VALID + 1);
    codec_u64(codec, &c->incarnation.number);
    codec_u64(codec, &c->incarnation.random);
    codec_u64(codec, &c->stream_size);
    codec_u64(codec, &c->beat_at);
    codec_u64(codec, &c->waits_since);
    codec_u64(codec, &c->retry_at);
    codec_bool(codec, &c->told);
    codec_bool(codec, &c->was_running);
    codec_bool(codec, &c->forming);
    engine_end_hand(&c->engine, codec);
    inbox_hand(&c->inbox, codec);
    if (!codec->bad)
        apply_state(&c->apply, codec, room, c->inbox.bytes, c->inbox.len);
    if (!codec->bad)
        outbox_state(&c->outbox, codec, ticket_state, context);
    if (!codec->bad)
        mailbox_state(&c->mailbox, codec);
    renewal_hand(&c->renewal, codec);
    if (codec->loading && is_searching(c))
        c->state = CLUSTER_REWINDING; /* what was found is not handed over */
}

bool cluster_restored(struct cluster *c, struct poller *poller)
{
    return engine_end_restored(&c->engine, poller);
}
