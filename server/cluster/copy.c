/* copy.c: see copy.h. */
#include "copy.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "outbox.h"
#include "server/hub/codec.h"
#include "server/hub/replica.h"
#include "server/report.h"

/* A part has at most so many bytes: a request has space for them. */
#define PART_MAX LINE_CLEAN_MAX
/* Nodes that have told nothing are waited for during this time of the stream's clock. */
#define WAIT_US 5000000u

void copy_drop(struct copy *copy)
{
    free(copy->bytes);
    *copy = (struct copy){.state = COPY_NONE};
}

void copy_take(struct copy *copy, struct room *room, bool tells)
{
    struct codec codec = {.loading = false};

    copy_drop(copy);
    replica_state(room, &codec);
    if (codec.bad) {
        free(codec.buf);
        return;
    }
    *copy = (struct copy){.state = tells ? COPY_TELLING : COPY_CHECKING,
        .place = room->nodes.place.sequence,
        .hash = replica_hash((struct span){codec.buf, codec.len}),
        .bytes = codec.buf,
        .len = codec.len};
}

/* ---- Telling and storing --------------------------------------------------------------------- */

static bool copy_put(struct copy *copy, struct outbox *outbox, struct room_request *request)
{
    const struct ticket nobody = {.owner = NULL};

    request->part.place = copy->place;
    request->part.hash = copy->hash;
    return outbox_put(outbox, request, &nobody);
}

static uint32_t parts_of(const struct copy *copy)
{
    return (uint32_t)((copy->len + PART_MAX - 1) / PART_MAX);
}

static bool part_put(struct copy *copy, struct outbox *outbox)
{
    size_t at = (size_t)copy->part * PART_MAX;
    size_t len = copy->len - at < PART_MAX ? copy->len - at : PART_MAX;
    struct room_request request = {.kind = ROOM_PART,
        .text = {copy->bytes + at, len},
        .part = {.index = copy->part, .count = parts_of(copy)}};

    return copy_put(copy, outbox, &request);
}

void copy_turn(struct copy *copy, struct outbox *outbox)
{
    struct room_request hash = {.kind = ROOM_HASH};

    if (copy->state == COPY_TELLING && copy_put(copy, outbox, &hash))
        copy->state = COPY_COMPARING;
    while (copy->state == COPY_WRITING && outbox_has_room(outbox) && part_put(copy, outbox))
        if (++copy->part == parts_of(copy))
            copy_drop(copy);
}

bool copy_is_waiting(const struct copy *copy)
{
    return copy->state == COPY_TELLING || copy->state == COPY_WRITING;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static bool has_told(const struct node *node, uint64_t place)
{
    return node->state == NODE_RUNNING && node->told_place == place;
}

/* All that run have told. A node that began to run behind the place never does. */
static bool all_have_told(const struct nodes *nodes, uint64_t place)
{
    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        if (node->state == NODE_RUNNING && !has_told(node, place))
            return false;
    return true;
}

static size_t votes_for(const struct nodes *nodes, const struct node *voted, uint64_t place)
{
    size_t votes = 0;

    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        votes += has_told(node, place) && node->told_hash == voted->told_hash;
    return votes;
}

/* others: only those that have told another hash than this node's. */
static const struct node *vote(const struct copy *copy, const struct nodes *nodes, bool others)
{
    const struct node *best = NULL;
    size_t most = 0;

    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;) {
        bool counts = has_told(node, copy->place) && !(others && node->told_hash == copy->hash);
        size_t votes = counts ? votes_for(nodes, node, copy->place) : 0;

        if (votes > most || (votes > 0 && votes == most && strcmp(node->name, best->name) < 0)) {
            best = node;
            most = votes;
        }
    }
    return best;
}

/* What a node tells of which the start was missed is not heard, so it has no vote here. The others
 * have counted it: if one of them has another state, that is right. */
const struct node *copy_compare(const struct copy *copy, const struct nodes *nodes)
{
    const struct node *other;

    if (copy->state == COPY_NONE || copy->state == COPY_WRITING ||
        (nodes->clock - nodes->place.clock <= WAIT_US && !all_have_told(nodes, copy->place)))
        return NULL;
    other = nodes->place.is_doubted ? vote(copy, nodes, true) : NULL;
    return other != NULL ? other : vote(copy, nodes, false);
}

static void difference_tell(
    const struct copy *copy, struct span name, const struct node *right, const struct report *r)
{
    report(r, LOG_ERR, "node %.*s has another room than %s at message %llu of the stream",
        (int)name.len, name.at, right->name, (unsigned long long)copy->place);
}

/* Nodes of which the state differs from the right one. A node that does not run tells its own only:
 * what others had told when it was stored is in their logs. */
static void differing_tell(const struct copy *copy, const struct nodes *nodes,
    const struct node *right, struct span name, const struct report *r)
{
    if (copy->state == COPY_CHECKING) {
        if (right->told_hash != copy->hash)
            difference_tell(copy, name, right, r);
        return;
    }
    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;)
        if (has_told(node, copy->place) && node->told_hash != right->told_hash)
            difference_tell(copy, (struct span){node->name, strlen(node->name)}, right, r);
}

bool copy_follow(
    struct copy *copy, const struct nodes *nodes, struct span name, const struct report *r)
{
    const struct node *right = copy_compare(copy, nodes);

    if (right == NULL)
        return true;
    differing_tell(copy, nodes, right, name, r);
    if (right->told_hash != copy->hash)
        return false;
    if (copy->state != COPY_CHECKING && span_equal(name, right->name))
        copy->state = COPY_WRITING;
    else
        copy_drop(copy);
    return true;
}
