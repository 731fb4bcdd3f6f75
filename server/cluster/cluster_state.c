/* cluster_state.c: from one state of this node to the next. */
#include "cluster_state.h"

#include <sys/socket.h>
#include <syslog.h>

#include "compat/compat.h"
#include "server/hub/room.h"
#include "server/report.h"

/* A request to compare that has led to nothing is repeated after this time of the stream's clock.
 */
#define COMPARE_AGAIN_US 10000000u

void cluster_finish(struct cluster *c, enum cluster_end end)
{
    c->state = CLUSTER_ENDED;
    c->end = end;
}

struct node *cluster_node(const struct cluster *c, const struct room *room)
{
    return nodes_find(&room->nodes, c->config.node);
}

bool cluster_is_well(const struct cluster *c)
{
    return c->engine.fd != -1 && c->engine.state == ENGINE_READY;
}

/* ---- Incarnations ---------------------------------------------------------------------------- */

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
bool incarnation_choose(struct cluster *c, const struct room *room)
{
    struct incarnation next = {.number = nodes_last_number(&room->nodes, c->config.node) + 1};

    if (!random_bytes(&next.random, sizeof(next.random)) || !start_put(c, room))
        return false;
    c->incarnation = next;
    return true;
}

/* The engine may be in the middle of a frame, or have batches that the servers do not take: it is
 * replaced. */
void cluster_begin_again(struct cluster *c)
{
    bool is_stuck = outbox_oldest(&c->outbox) != NULL && !cluster_is_well(c);

    if (c->engine.fd != -1 && (is_stuck || outbox_is_cut(&c->outbox)))
        (void)shutdown(c->engine.fd, SHUT_RDWR);
    outbox_clear(&c->outbox);
    c->forming = false;
    copy_drop(&c->copy);
    c->incarnation = (struct incarnation){0, 0};
    c->waits_since = 0;
    c->state = CLUSTER_STARTING;
}

/* ---- What follows from a message ------------------------------------------------------------- */

/* The start of another program of this name, or an earlier one's, has come before this one's. */
static void start_failed(struct cluster *c)
{
    struct ticket start;

    while (outbox_take(&c->outbox, &start)) {}
    cluster_begin_again(c);
}

void state_follow(struct cluster *c, const struct room *room)
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

void form_follow(struct cluster *c, const struct room *room)
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

void missed_follow(struct cluster *c, const struct room *room, const struct report *r)
{
    const struct ticket nobody = {.owner = NULL};
    const struct room_request compare = {
        .kind = ROOM_COMPARE, .part = {.place = c->inbox.sequence}};
    if (c->state != CLUSTER_RUNNING || !outbox_has_room(&c->outbox) ||
        (c->compare_at != 0 && room->nodes.clock - c->compare_at < COMPARE_AGAIN_US))
        return;
    if (!nodes_have_missed(&room->nodes) || !outbox_put(&c->outbox, &compare, &nobody))
        return;
    c->compare_at = room->nodes.clock;
    report(r, LOG_WARNING, "a message is missing in the stream: all nodes compare their rooms");
}
