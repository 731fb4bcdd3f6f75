/* apply.c: which batch is applied, and its requests one after the other. */
#include "apply.h"

#include "server/hub/codec.h"

/* A form that the room has not changed to is nobody's. */
static bool batch_open(struct apply *a, const struct room *room)
{
    return requests_open(&a->requests, a->message) && a->requests.id.form <= room->nodes.form;
}

void apply_begin(struct apply *a, struct room *room, struct span bytes, uint64_t time)
{
    struct node *node;

    *a = (struct apply){.phase = APPLY_GONE, .time = time, .message = bytes};
    a->valid = batch_open(a, room);
    nodes_advance(&room->nodes, time);
    node = a->valid ? nodes_find(&room->nodes, a->requests.id.node) : NULL;
    if (node != NULL)
        node_hear(&room->nodes, node, batch_incarnation(&a->requests.id));
}

bool apply_will_count(const struct apply *a, const struct room *room)
{
    const struct node unknown = {.incarnation = {.number = room->nodes.forgotten}};
    const struct batch_id *id = &a->requests.id;
    const struct node *node = a->valid ? nodes_find(&room->nodes, id->node) : NULL;

    return a->valid && node_accepts(node == NULL ? &unknown : node, batch_incarnation(id),
                           id->number, a->requests.begins);
}

/* A person of a node that is gone leaves; false: there are no such nodes any more. */
static bool gone_step(struct apply *a, struct room *room, struct room_outcome *outcome)
{
    struct room_request stop = {.kind = ROOM_NODE_STOP, .time = a->time};

    while ((stop.node = nodes_ending(&room->nodes)) != NULL)
        if (room_apply(room, &stop, outcome) == ROOM_MORE)
            return true;
    return false;
}

/* What does not depend on what the node had stored before, and is not known yet. */
static bool is_heard(const struct room_request *request, const struct node *node)
{
    return request->kind == ROOM_COMPARE ||
           (request->kind == ROOM_HASH && request->part.place > node->told_place);
}

/*
 * A batch that is not its node's next one changes nothing. But what it tells of the node's state is
 * heard, and that states are to be compared: where the node has read another message in the place
 * of one that was read here, all of its batches are void here, and there is no other sign of it.
 */
static void void_hear(const struct apply *a, struct room *room)
{
    struct requests requests = a->requests;
    struct node *node = a->valid ? nodes_find(&room->nodes, requests.id.node) : NULL;
    struct stored_request stored;
    struct room_outcome outcome;

    if (a->valid && !requests.begins &&
        requests.id.incarnation > nodes_last_number(&room->nodes, requests.id.node))
        nodes_miss_start(&room->nodes);
    if (node == NULL || node->state != NODE_RUNNING ||
        !incarnation_equal(node->incarnation, batch_incarnation(&requests.id)))
        return;
    node_miss(&room->nodes, node, requests.id.number);
    while (requests_next(&requests, &stored)) {
        stored.request.node = node;
        if (is_heard(&stored.request, node))
            (void)room_apply(room, &stored.request, &outcome);
    }
}

/* Decides whether the batch is applied, when those that are gone are out of the way. */
static enum apply_step batch_accept(struct apply *a, struct room *room)
{
    const struct batch_id *id = &a->requests.id;

    a->phase = APPLY_IDLE;
    if (!apply_will_count(a, room)) {
        void_hear(a, room);
        return STEP_DONE;
    }
    a->node = nodes_find(&room->nodes, id->node);
    if (a->node == NULL && (a->node = nodes_add(&room->nodes, id->node)) == NULL) {
        a->phase = APPLY_GONE;
        return STEP_LATER;
    }
    a->phase = APPLY_REQUESTS;
    return STEP_REQUEST;
}

static enum apply_step request_step(
    struct apply *a, struct room *room, enum room_result *result, struct room_outcome *outcome)
{
    struct room_request *request = &a->next.request;

    if (!a->has_next)
        a->undone = a->requests.rest;
    if (!a->has_next && !requests_next(&a->requests, &a->next)) {
        a->phase = APPLY_IDLE;
        a->node->batch = a->requests.id.number;
        a->node->missed_since = 0;
        return STEP_DONE;
    }
    a->has_next = true;
    request->time = a->time;
    request->node = a->node;
    request->author = a->author;
    request->person = room_find_number(room, a->node, request->number);
    *result = room_apply(room, request, outcome);
    if (*result == ROOM_LATER)
        return STEP_LATER;
    a->has_next = *result == ROOM_MORE;
    return a->has_next ? STEP_EVENT : STEP_REQUEST;
}

enum apply_step apply_next(
    struct apply *a, struct room *room, enum room_result *result, struct room_outcome *outcome)
{
    enum apply_step step;

    switch (a->phase) {
    case APPLY_IDLE:
        return STEP_DONE;
    case APPLY_GONE:
        if (gone_step(a, room, outcome))
            return STEP_EVENT;
        step = batch_accept(a, room);
        if (a->phase != APPLY_REQUESTS)
            return step;
        break;
    case APPLY_REQUESTS:
        break;
    }
    return request_step(a, room, result, outcome);
}

static void place_state(struct codec *c, const char *bytes, size_t len, const char **at)
{
    size_t place = *at == NULL ? 0 : (size_t)(*at - bytes);

    codec_size(c, &place);
    c->bad |= place > len;
    *at = c->bad ? bytes : bytes + place;
}

void apply_state(struct apply *a, struct codec *c, struct room *room, const char *bytes, size_t len)
{
    struct span rest = a->has_next ? a->undone : a->requests.rest;

    a->phase = (enum apply_phase)codec_choice(c, a->phase, APPLY_REQUESTS + 1);
    codec_u64(c, &a->time);
    if (a->phase == APPLY_IDLE || c->bad)
        return;
    place_state(c, bytes, len, &a->message.at);
    codec_size(c, &a->message.len);
    place_state(c, bytes, len, &rest.at);
    if (!c->loading || c->bad)
        return;
    if (a->message.len > len - (size_t)(a->message.at - bytes) || rest.at < a->message.at ||
        rest.at > a->message.at + a->message.len) {
        c->bad = true;
        return;
    }
    a->valid = batch_open(a, room);
    rest.len = (size_t)(a->message.at + a->message.len - rest.at);
    if (a->phase == APPLY_REQUESTS) {
        a->requests.rest = rest;
        a->node = nodes_find(&room->nodes, a->requests.id.node);
        c->bad |= !a->valid || a->node == NULL;
    }
}
