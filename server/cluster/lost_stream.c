/* lost_stream.c: this node where the stream is gone, and where one is made anew. */
#include "lost_stream.h"

#include <stdlib.h>
#include <syslog.h>

#include "loading.h"
#include "server/hub/codec.h"
#include "server/hub/replica.h"
#include "server/hub/room.h"
#include "server/hub/timers.h"
#include "server/report.h"

static bool room_hash(struct room *room, uint64_t *hash)
{
    struct codec codec = {.loading = false};

    replica_state(room, &codec);
    *hash = codec.bad ? 0 : replica_hash((struct span){codec.buf, codec.len});
    free(codec.buf);
    return !codec.bad;
}

uint64_t lost_stream_due(const struct cluster *c)
{
    bool may_renew =
        c->state == CLUSTER_RUNNING || (c->state == CLUSTER_STARTING && c->incarnation.number != 0);

    return may_renew ? renewal_due(&c->renewal) : TIME_NEVER;
}

void lost_stream_renew(struct cluster *c, struct room *room, const struct report *r, uint64_t now)
{
    const struct batch_id head = {.node = c->config.node,
        .incarnation = c->incarnation.number,
        .nonce = c->incarnation.random,
        .form = (uint8_t)room->nodes.form};
    struct renewal_note note = {.stamp = room->stamp, .sequence = c->inbox.sequence};
    struct frame_renew renew = {.last = c->renewal.last};
    char bytes[RENEWAL_MAX];

    renewal_try(&c->renewal, now);
    if (!room_hash(room, &note.hash))
        return;
    renew.bytes = (struct span){bytes, renewal_write(bytes, &head, &note)};
    if (mailbox_renew(&c->mailbox, &renew))
        report(r, LOG_NOTICE, "the room's stream is to be made anew, behind message %llu",
            (unsigned long long)renew.last);
}

void lost_stream_follow(struct cluster *c, bool is_gone, uint64_t now)
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

/* The room is the one of that note; without memory to see that, it is not. */
static bool room_is_noted(struct room *room, const struct renewal_note *note)
{
    uint64_t hash;

    return room_hash(room, &hash) && hash == note->hash;
}

/* This node's room goes on behind that message. */
static void stream_go_on(struct cluster *c, struct room *room, uint64_t sequence, uint64_t time)
{
    c->inbox.sequence = sequence;
    c->inbox.time = time;
    nodes_renew(&room->nodes, sequence);
    copy_drop(&c->copy);
    if (c->state == CLUSTER_RUNNING || c->state == CLUSTER_STARTING)
        copy_take(&c->copy, room, true);
    if (c->renewal.state == RENEWAL_WATCHING) { /* it had applied places that have been lost */
        outbox_displace(&c->outbox);
        c->renewal.state = RENEWAL_FOUND;
    }
}

void lost_stream_meet(struct cluster *c, struct room *room, const struct report *r,
    const struct frame_message *message, const struct renewal_note *note)
{
    int len = (int)note->node.len;

    if (room_is_noted(room, note)) {
        report(r, LOG_NOTICE,
            "node %.*s has made the room's stream anew: it goes on at message %llu", len,
            note->node.at, (unsigned long long)message->sequence);
        stream_go_on(c, room, message->sequence, message->time);
    } else if (c->state == CLUSTER_LOADING) {
        loading_begin_anew(c, room, message, note);
    } else {
        report(r, LOG_ERR, "node %.*s has made the room's stream anew, and has another room", len,
            note->node.at);
        cluster_finish(c, CLUSTER_DIFFERS);
    }
}

/* The node that has stored this, and that runs in this node's room; NULL: it is none, or this one.
 */
static const struct node *author_of(
    const struct cluster *c, const struct room *room, struct span bytes)
{
    struct batch_id id;
    const struct node *node;

    if (batch_id_read(&id, bytes) == 0 || id.number == 0)
        return NULL;
    node = nodes_find(&room->nodes, id.node);
    if (node == NULL || node == cluster_node(c, room) || node->state != NODE_RUNNING ||
        !incarnation_equal(node->incarnation, batch_incarnation(&id)))
        return NULL;
    return node;
}

/* One that was stored before what this node has applied is part of what its room is; unless the
 * clock of the server that stores them now is behind, and the room is still the one of that note.
 */
static bool renewal_is_new(
    const struct frame_message *message, const struct renewal_note *note, struct room *room)
{
    return message->time / 1000u > room->nodes.time || room_is_noted(room, note);
}

/* A message of what is stored where the stream was. It may be the one that was applied last: then
 * the servers had lost it only for a while. Or it is of a node that goes on without a word, since
 * the stream has all that it has applied: it has new members and messages by now, so this node
 * follows. */
void lost_stream_take(struct cluster *c, struct room *room, const struct report *r,
    const struct frame_message *message, uint64_t now)
{
    struct renewal_note note;
    const struct node *node = author_of(c, room, message->bytes);

    if (message->sequence == c->inbox.sequence && message->time == c->inbox.time) {
        c->renewal.state = RENEWAL_FOUND;
    } else if (node != NULL &&
               renewal_will_not_come(&c->renewal, message->time / 1000u, room->nodes.time, now)) {
        report(r, LOG_ERR, "node %s goes on in a stream without message %llu, which this node has",
            node->name, (unsigned long long)c->inbox.sequence);
        cluster_finish(c, CLUSTER_DIFFERS);
    } else {
        renewal_take(&c->renewal, message->sequence);
        if (renewal_read(&note, message->bytes) && renewal_is_new(message, &note, room))
            renewal_find(&c->renewal, message->sequence, message->time, &note);
    }
}

void lost_stream_end(
    struct cluster *c, struct room *room, const struct report *r, uint64_t sequence)
{
    const struct renewal_found *found = &c->renewal.found;
    const struct frame_message message = {.sequence = found->sequence, .time = found->time};

    if (renewal_end(&c->renewal, sequence))
        lost_stream_meet(c, room, r, &message, &found->note);
}
