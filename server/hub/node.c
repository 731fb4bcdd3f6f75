/* node.c: which batches are applied, and which nodes are gone. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

/* A node is gone if nothing of it was stored for this time. */
#define GONE_US 15000000u
/* One that is OFF is forgotten if nothing of it was stored for a day. */
#define FORGET_US 86400000000u
/* The clock advances at most by this time from one message to the next. */
#define STEP_MAX_US 2000000u
/* A place is so many messages, this share of the stream's size, or so many microseconds from the
 * last. */
#define PLACE_MESSAGES 10000u
#define PLACE_SHARE 32u
#define PLACE_US 600000000u
/* So many bytes at least: parts of snapshots are stored in the stream, too, and must not lead to
 * the next one. And so many where the stream has no limit, as if it had 1 GiB. */
#define PLACE_BYTES_MIN (2u << 20)
#define PLACE_BYTES (32u << 20)

/* A batch that was overtaken by others is stored again within a few seconds. */
#define MISSED_US 3000000u

void nodes_init(struct nodes *nodes)
{
    *nodes = (struct nodes){.form = 1};
    list_init(&nodes->all);
}

void nodes_free(struct nodes *nodes)
{
    if (nodes->all.next == NULL) /* nodes_init() was not reached */
        return;
    while (!list_is_empty(&nodes->all))
        free(LIST_ENTRY(struct node, entry, list_take(&nodes->all)));
}

struct node *nodes_next(const struct nodes *nodes, const struct node *node)
{
    struct list *next = node == NULL ? nodes->all.next : node->entry.next;

    return next == &nodes->all ? NULL : LIST_ENTRY(struct node, entry, next);
}

struct node *nodes_find(const struct nodes *nodes, struct span name)
{
    struct node *node = NULL;

    while ((node = nodes_next(nodes, node)) != NULL && !span_equal(name, node->name)) {}
    return node;
}

struct node *nodes_add(struct nodes *nodes, struct span name)
{
    struct node *node = calloc(1, sizeof(*node));

    if (node == NULL)
        return NULL;
    memcpy(node->name, name.at, name.len);
    node->reads = 1;
    list_init(&node->persons);
    list_append(&nodes->all, &node->entry);
    return node;
}

uint64_t nodes_last_number(const struct nodes *nodes, struct span name)
{
    const struct node *node = nodes_find(nodes, name);

    return node == NULL ? nodes->forgotten : node->incarnation.number;
}

/* Its persons have left. */
static void node_forget(struct nodes *nodes, struct node *node)
{
    if (node->incarnation.number > nodes->forgotten)
        nodes->forgotten = node->incarnation.number;
    list_remove(&node->entry);
    free(node);
}

void nodes_advance(struct nodes *nodes, uint64_t time)
{
    uint64_t step = nodes->time != 0 && time > nodes->time ? time - nodes->time : 0;
    struct node *next;

    nodes->clock += step < STEP_MAX_US ? step : STEP_MAX_US;
    nodes->time = time > nodes->time ? time : nodes->time;
    for (struct node *node = nodes_next(nodes, NULL); node != NULL; node = next) {
        uint64_t silence = nodes->clock - node->heard;

        next = nodes_next(nodes, node);
        if (node->state == NODE_RUNNING && silence > GONE_US)
            node->state = NODE_ENDING;
        else if (node->state == NODE_OFF && silence > FORGET_US)
            node_forget(nodes, node);
    }
}

static uint64_t place_bytes(const struct nodes *nodes)
{
    uint64_t share = nodes->size / PLACE_SHARE;

    if (nodes->size == 0)
        return PLACE_BYTES;
    return share > PLACE_BYTES_MIN ? share : PLACE_BYTES_MIN;
}

bool nodes_pass(struct nodes *nodes, uint64_t sequence, size_t len)
{
    struct place *place = &nodes->place;

    place->bytes += len;
    if (sequence - place->sequence < PLACE_MESSAGES && place->bytes < place_bytes(nodes) &&
        nodes->clock - place->clock < PLACE_US)
        return false;
    *place = (struct place){
        .sequence = sequence, .clock = nodes->clock, .is_doubted = nodes->start_missed != 0};
    nodes->start_missed = 0;
    return true;
}

void nodes_want_place(struct nodes *nodes, uint64_t sequence)
{
    if (sequence != 0 && sequence >= nodes->place.sequence)
        nodes->place.bytes = place_bytes(nodes);
}

void nodes_renew(struct nodes *nodes, uint64_t sequence)
{
    nodes->place = (struct place){.sequence = sequence, .clock = nodes->clock};
    nodes->start_missed = 0;
    for (struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        node->told_place = 0; /* that was another stream's */
}

struct node *nodes_ending(const struct nodes *nodes)
{
    struct node *node = NULL;

    while ((node = nodes_next(nodes, node)) != NULL && node->state != NODE_ENDING) {}
    return node;
}

unsigned nodes_read(const struct nodes *nodes)
{
    unsigned newest = 0;

    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        if (node->state == NODE_RUNNING && (newest == 0 || node->reads < newest))
            newest = node->reads;
    return newest;
}

struct incarnation batch_incarnation(const struct batch_id *id)
{
    return (struct incarnation){id->incarnation, id->nonce};
}

bool incarnation_equal(struct incarnation a, struct incarnation b)
{
    return a.number == b.number && a.random == b.random;
}

void node_hear(const struct nodes *nodes, struct node *node, struct incarnation incarnation)
{
    if (node->state == NODE_RUNNING && incarnation_equal(node->incarnation, incarnation))
        node->heard = nodes->clock;
}

void node_miss(const struct nodes *nodes, struct node *node, uint64_t batch)
{
    if (node->missed_since == 0 && batch > node->batch + 1)
        node->missed_since = nodes->clock;
}

void nodes_miss_start(struct nodes *nodes)
{
    if (nodes->start_missed == 0)
        nodes->start_missed = nodes->clock;
}

bool nodes_have_missed(const struct nodes *nodes)
{
    if (nodes->start_missed != 0 && nodes->clock - nodes->start_missed >= MISSED_US)
        return true;
    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;) {
        uint64_t since = node->missed_since + MISSED_US;

        if (node->state == NODE_RUNNING && node->missed_since != 0 && nodes->clock >= since &&
            nodes->place.clock < since)
            return true;
    }
    return false;
}

bool node_accepts(
    const struct node *node, struct incarnation incarnation, uint64_t batch, bool begins)
{
    if (begins)
        return incarnation.number > node->incarnation.number && batch == 1;
    return node->state == NODE_RUNNING && incarnation_equal(node->incarnation, incarnation) &&
           batch == node->batch + 1;
}
