/* replica.c: each function describes one structure's form, for writing and for reading. */
#include "replica.h"

#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "room.h"
#include "server/cluster/requests.h"

/* Incremented with every change of what is written here. */
#define FORM 1
/* A state with more records of one kind than this is not valid. */
#define MANY 10000000u
/* Stands for "none" where a node's place is meant: the room is on one machine. */
#define NOWHERE UINT64_MAX

static uint64_t list_count(const struct list *list)
{
    uint64_t count = 0;

    for (const struct list *at = list->next; at != list; at = at->next)
        count++;
    return count;
}

static void count_state(struct codec *c, uint64_t *count)
{
    codec_u64(c, count);
    c->bad |= *count > MANY;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void node_state(struct codec *c, struct node *node)
{
    node->state = codec_choice(c, node->state, NODE_ENDING + 1);
    codec_u64(c, &node->incarnation.number);
    codec_u64(c, &node->incarnation.random);
    codec_u64(c, &node->batch);
    codec_u64(c, &node->heard);
    codec_u32(c, &node->reads);
}

static void node_load(struct codec *c, struct nodes *nodes)
{
    char name[NODE_NAME_MAX + 1] = "";
    struct span span = {name, 0};
    struct node *node = NULL;

    codec_text(c, name, sizeof(name));
    span.len = strlen(name);
    if (!c->bad && batch_name_is_valid(span) && nodes_find(nodes, span) == NULL)
        node = nodes_add(nodes, span);
    if (node == NULL)
        c->bad = true;
    else
        node_state(c, node);
}

static void nodes_state(struct codec *c, struct nodes *nodes)
{
    uint64_t count = list_count(&nodes->all);

    codec_u64(c, &nodes->time);
    codec_u64(c, &nodes->clock);
    codec_u32(c, &nodes->form);
    codec_u64(c, &nodes->size);
    codec_u64(c, &nodes->forgotten);
    codec_u64(c, &nodes->place.sequence);
    codec_u64(c, &nodes->place.bytes);
    codec_u64(c, &nodes->place.clock);
    count_state(c, &count);
    if (c->loading) {
        for (; count > 0 && !c->bad; count--)
            node_load(c, nodes);
        return;
    }
    for (struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;) {
        codec_text(c, node->name, sizeof(node->name));
        node_state(c, node);
    }
}

/* A node is known by its place in the room's list. */
static void node_number(struct codec *c, const struct room *room, struct node **node)
{
    const struct nodes *nodes = &room->nodes;
    struct node *at = nodes_next(nodes, NULL);
    uint64_t place = 0;

    for (; *node != NULL && at != *node; at = nodes_next(nodes, at))
        place++;
    place = c->loading || *node != NULL ? place : NOWHERE;
    codec_u64(c, &place);
    if (!c->loading || place == NOWHERE)
        return;
    for (; place > 0 && at != NULL; place--)
        at = nodes_next(nodes, at);
    c->bad |= at == NULL;
    *node = c->bad ? NULL : at;
}

/* ---- Persons --------------------------------------------------------------------------------- */

static void person_state(struct codec *c, const struct room *room, struct person *p)
{
    codec_u64(c, &p->joined);
    codec_text(c, p->name, sizeof(p->name));
    codec_text(c, p->login, sizeof(p->login));
    node_number(c, room, &p->node);
    codec_u32(c, &p->number);
    codec_text(c, p->token, sizeof(p->token));
}

/* Nobody has its number or its token. */
static bool person_is_new(const struct room *room, const struct person *p)
{
    return (p->node == NULL || room_find_number(room, p->node, p->number) == NULL) &&
           (p->token[0] == '\0' || room_find_token(room, p->token) == NULL);
}

static void person_load(struct codec *c, struct room *room, enum person_kind kind)
{
    struct person *p = calloc(1, sizeof(*p));

    if (p != NULL) {
        p->kind = kind;
        person_state(c, room, p);
    }
    if (p == NULL || c->bad || !person_is_new(room, p) || !room_restore(room, p)) {
        free(p);
        c->bad = true;
    }
}

/* In their order, by which names are shared and lists are written. */
static void persons_state(
    struct codec *c, struct room *room, struct list *persons, enum person_kind kind)
{
    uint64_t count = list_count(persons);

    count_state(c, &count);
    if (c->loading) {
        for (; count > 0 && !c->bad; count--)
            person_load(c, room, kind);
        return;
    }
    for (struct list *at = persons->next; at != persons; at = at->next)
        person_state(c, room, LIST_ENTRY(struct person, entry, at));
}

static struct person *person_of_node(struct list *at)
{
    return LIST_ENTRY(struct person, of_node, at);
}

/* The one of that number becomes the node's last. */
static void person_move(
    struct codec *c, const struct room *room, struct node *node, uint32_t number)
{
    struct person *p = room_find_number(room, node, number);

    c->bad |= p == NULL;
    if (c->bad)
        return;
    list_remove(&p->of_node);
    list_append(&node->persons, &p->of_node);
}

/*
 * The persons of a node quit in the order in which they came to it, which differs from that of
 * their joins when a session has gone on at another node. When all have been moved to the end of
 * the list, the first of them is the list's first, unless one was moved twice and another not.
 */
static void order_state(struct codec *c, const struct room *room, struct node *node)
{
    struct list *at = node->persons.next;
    uint64_t count = list_count(&node->persons);
    uint64_t expected = count;
    uint32_t first = 0;

    count_state(c, &count);
    c->bad |= count != expected;
    for (uint64_t i = 0; i < count && !c->bad; i++) {
        uint32_t number = c->loading ? 0 : person_of_node(at)->number;

        codec_u32(c, &number);
        first = i == 0 ? number : first;
        if (c->loading)
            person_move(c, room, node, number);
        else
            at = at->next;
    }
    if (c->loading && !c->bad && count > 0)
        c->bad |= person_of_node(node->persons.next)->number != first;
}

/* ---- The whole ------------------------------------------------------------------------------- */

void replica_state(struct room *room, struct codec *c)
{
    uint64_t form = FORM;

    codec_u64(c, &form);
    c->bad |= form != FORM;
    codec_u64(c, &room->stamp);
    nodes_state(c, &room->nodes);
    persons_state(c, room, &room->members, PERSON_MEMBER);
    persons_state(c, room, &room->posters, PERSON_POSTER);
    for (struct node *node = NULL; (node = nodes_next(&room->nodes, node)) != NULL;)
        order_state(c, room, node);
}

/* Between two messages nobody is leaving. */
static bool nodes_are_sound(const struct nodes *nodes)
{
    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        if (node->state == NODE_ENDING || node->heard > nodes->clock || node->reads == 0)
            return false;
    return nodes->place.clock <= nodes->clock && nodes->form > 0;
}

static bool persons_are_sound(const struct list *persons)
{
    for (struct list *at = persons->next; at != persons; at = at->next) {
        const struct person *p = LIST_ENTRY(struct person, entry, at);
        struct span login = {p->login, strlen(p->login)};
        struct span token = {p->token, strlen(p->token)};

        if (p->node == NULL || p->node->state != NODE_RUNNING ||
            !request_takes_name((struct span){p->name, strlen(p->name)}) ||
            (login.len > 0 && !request_takes_name(login)) ||
            (token.len > 0 && !request_takes_token(token)))
            return false;
    }
    return true;
}

bool replica_load(struct room *room, struct span bytes)
{
    struct codec c = {.loading = true, .buf = (char *)bytes.at, .len = bytes.len};

    replica_state(room, &c);
    return !c.bad && c.at == c.len && room->stamp < ROOM_STAMP_MAX &&
           nodes_are_sound(&room->nodes) && persons_are_sound(&room->members) &&
           persons_are_sound(&room->posters);
}

bool replica_stamp(struct span bytes, uint64_t *stamp)
{
    struct codec c = {.loading = true, .buf = (char *)bytes.at, .len = bytes.len};
    uint64_t form = 0;

    codec_u64(&c, &form);
    codec_u64(&c, stamp);
    return !c.bad && form == FORM;
}

uint64_t replica_hash(struct span bytes)
{
    const struct table_seed none = {{0, 0}};
    const struct table table = {.seed = &none};

    return table_hash(&table, bytes.at, bytes.len);
}
