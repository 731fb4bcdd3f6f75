/* node.c: which batches are applied, and which nodes are gone. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

/* A node is gone if nothing of it was stored for this time. */
#define GONE_US 15000000u
/* The clock advances at most by this time from one message to the next. */
#define STEP_MAX_US 2000000u
/* A place is so many messages, bytes (1/32 of a stream of 1 GiB) or microseconds from the last. */
#define PLACE_MESSAGES 10000u
#define PLACE_BYTES (32u << 20)
#define PLACE_US 600000000u

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

void nodes_advance(struct nodes *nodes, uint64_t time)
{
    uint64_t step = nodes->time != 0 && time > nodes->time ? time - nodes->time : 0;

    nodes->clock += step < STEP_MAX_US ? step : STEP_MAX_US;
    nodes->time = time > nodes->time ? time : nodes->time;
    for (struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        if (node->state == NODE_RUNNING && nodes->clock - node->heard > GONE_US)
            node->state = NODE_ENDING;
}

bool nodes_pass(struct nodes *nodes, uint64_t sequence, size_t len)
{
    struct place *place = &nodes->place;

    place->bytes += len;
    if (sequence - place->sequence < PLACE_MESSAGES && place->bytes < PLACE_BYTES &&
        nodes->clock - place->clock < PLACE_US)
        return false;
    *place = (struct place){.sequence = sequence, .clock = nodes->clock};
    return true;
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

bool incarnation_equal(struct incarnation a, struct incarnation b)
{
    return a.number == b.number && a.random == b.random;
}

void node_hear(const struct nodes *nodes, struct node *node, struct incarnation incarnation)
{
    if (node->state == NODE_RUNNING && incarnation_equal(node->incarnation, incarnation))
        node->heard = nodes->clock;
}

bool node_accepts(
    const struct node *node, struct incarnation incarnation, uint64_t batch, bool begins)
{
    if (begins)
        return incarnation.number > node->incarnation.number && batch == 1;
    return node->state == NODE_RUNNING && incarnation_equal(node->incarnation, incarnation) &&
           batch == node->batch + 1;
}
