/* cluster.c: the turn of the hub's end, and what follows from each frame. */
#include "cluster.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "loading.h"
#include "lost_stream.h"
#include "server/hub/codec.h"
#include "server/hub/room.h"
#include "server/hub/timers.h"
#include "server/report.h"

/* How often an idle node publishes an empty batch, so that the others do not take it for gone. */
#define BEAT_US 2000000u
/* When to try again after an allocation has failed. */
#define RETRY_US 100000u

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
    bool watches = renewal_wants_watch(&c->renewal);
    const struct frame_setup setup = {.next = loading_is_searching(c) ? 0 : c->inbox.sequence + 1,
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

/* No heartbeat is due while a batch is under way. */
static uint64_t beat_due(const struct cluster *c)
{
    bool beats = c->state == CLUSTER_RUNNING && outbox_oldest(&c->outbox) == NULL;

    return beats ? c->beat_at : TIME_NEVER;
}

static void outbox_close(struct cluster *c, unsigned form, uint64_t now)
{
    if (c->outbox.open_len == 0 && now < beat_due(c))
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

/* Batches are kept while there is no stream for them: then it is NULL. */
static struct outbox *outbox_to_send(struct cluster *c)
{
    return c->renewal.state == RENEWAL_NONE ? &c->outbox : NULL;
}

void cluster_flush(struct cluster *c, struct room *room, struct poller *poller,
    const struct report *r, uint64_t now)
{
    if (loading_due(c) <= now)
        cluster_finish(c, CLUSTER_LATE);
    if (lost_stream_due(c) <= now)
        lost_stream_renew(c, room, r, now);
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
    if (c->engine.fd == -1 || engine_is_stale(c))
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
    uint64_t due = time_earlier(c->retry_at, beat_due(c));

    if ((engine_is_stale(c) && c->engine.fd != -1) ||
        (cluster_has_room(c) && copy_is_waiting(&c->copy) && c->retry_at == TIME_NEVER))
        return 0;
    due = time_earlier(due, mailbox_due(&c->mailbox));
    due = time_earlier(due, tell_due(c));
    due = time_earlier(due, lost_stream_due(c));
    return time_earlier(due, loading_due(c));
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

bool cluster_take_lost(struct cluster *c, struct ticket *ticket)
{
    if (outbox_take(&c->outbox, ticket))
        return true;
    cluster_begin_again(c);
    return false;
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
    lost_stream_follow(c, state.state == ENGINE_GONE, now);
    loading_wait_again(c, now);
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
    const struct sealed *oldest = outbox_oldest(&c->outbox);

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

static void inbox_take(
    struct cluster *c, struct room *room, const struct report *r, struct span payload, uint64_t now)
{
    struct frame_message message;
    struct renewal_note note;
    uint64_t last = c->inbox.sequence;

    if (!frame_message_read(&message, payload)) {
        cluster_finish(c, CLUSTER_NOT_VALID);
    } else if (c->renewal.state == RENEWAL_WATCHING) {
        lost_stream_take(c, room, r, &message, now);
    } else if (loading_is_searching(c)) {
        loading_take(c, room, r, &message);
    } else if (message.sequence > last + 1) {
        cluster_finish(c, CLUSTER_CUT);
    } else if (message.sequence == last + 1 && renewal_read(&note, message.bytes)) {
        lost_stream_meet(c, room, r, &message, &note);
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
        lost_stream_end(c, room, r, end.sequence);
        return;
    }
    c->stream_size = end.size;
    if (end.sequence > c->inbox.sequence && loading_is_searching(c))
        loading_end(c, room, r, end.sequence, now);
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

/* In these states the room is compared with that of other nodes. */
static bool copy_is_taken(const struct cluster *c)
{
    return c->state == CLUSTER_LOADING || c->state == CLUSTER_STARTING ||
           c->state == CLUSTER_RUNNING;
}

/* What is right is in a snapshot. A node that has started, or is about to, ends, since members have
 * seen another room, and loads it when it is started again. */
static void room_differs(struct cluster *c, struct room *room)
{
    if (c->state == CLUSTER_LOADING)
        loading_begin_right(c, room);
    else
        cluster_finish(c, CLUSTER_DIFFERS);
}

static void message_done(struct cluster *c, struct room *room, const struct report *r, uint64_t now)
{
    const struct node *node = cluster_node(c, room);

    if (c->inbox.mine && node != NULL && incarnation_equal(node->incarnation, c->incarnation))
        outbox_forget(&c->outbox, node->batch);
    if (c->inbox.mine)
        c->waits_since = outbox_oldest(&c->outbox) == NULL ? 0 : now;
    if (c->inbox.mine && !c->apply.valid)
        cluster_finish(c, CLUSTER_NOT_VALID);
    state_follow(c, room);
    form_follow(c, room);
    if (nodes_pass(&room->nodes, c->inbox.sequence, c->apply.message.len) && copy_is_taken(c))
        copy_take(&c->copy, room, c->state == CLUSTER_RUNNING);
    if (copy_is_taken(c) && !copy_follow(&c->copy, &room->nodes, c->config.node, r))
        room_differs(c, room);
    missed_follow(c, room, r);
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
    c->end = (enum cluster_end)codec_choice(codec, c->end, CLUSTER_FUTURE + 1);
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
    if (codec->loading && loading_is_searching(c))
        c->state = CLUSTER_REWINDING; /* what was found is not handed over */
}

bool cluster_restored(struct cluster *c, struct poller *poller)
{
    return engine_end_restored(&c->engine, poller);
}
