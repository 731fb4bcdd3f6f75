/* submit.c: on one machine a request is applied at once. */
#include "submit.h"

#include "connection.h"
#include "room.h"
#include "server/cluster/cluster.h"

/* A request names its person by a number, which every node knows. A ban and the leave of a session
 * that has ended here have no owner: no completion waits for the outcome. */
static bool submit_to_stream(struct connections *cs, const struct submission *s)
{
    struct connection *c = s->connection;
    struct room_request request = s->request;
    const struct ticket ticket = {
        .owner = request.kind == ROOM_LEAVE || request.kind == ROOM_BAN ? NULL : c,
        .answer = s->answer,
        .kind = request.kind,
        .author = request.author};

    if (request.person != NULL)
        request.number = request.person->number;
    else if (c != NULL)
        request.number = c->out.link.author;
    if (!cluster_submit(cs->cluster, &request, &ticket))
        return false;
    if (ticket.owner != NULL)
        connection_add_under_way(c, request.text.len);
    return true;
}

bool submit(struct connections *cs, const struct submission *s)
{
    struct room_outcome outcome;
    enum room_result result;

    if (cs->cluster != NULL)
        return submit_to_stream(cs, s);
    result = room_apply(cs->room, &s->request, &outcome);
    if (result == ROOM_LATER)
        return false;
    cs->completions[s->request.kind](cs, s, result, &outcome);
    return true;
}
