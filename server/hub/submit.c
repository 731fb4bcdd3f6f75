/* submit.c: on one machine a request is applied at once. */
#include "submit.h"

#include "connection.h"
#include "room.h"

bool submit(struct connections *cs, const struct submission *s)
{
    struct room_outcome outcome;
    enum room_result result = room_apply(cs->room, &s->request, &outcome);

    if (result == ROOM_LATER)
        return false;
    cs->completions[s->request.kind](cs, s, result, &outcome);
    return true;
}
