/*
 * fuzz_replica.c: any bytes as a snapshot. A room that is loaded from them is sound: it is written
 * as the same bytes, everybody is found by what they are found by, and all leave when their nodes
 * stop.
 */
#include "fuzz.h"
#include "server/hub/codec.h"
#include "server/hub/link.h"
#include "server/hub/log.h"
#include "server/hub/replica.h"
#include "server/hub/room.h"

static void written_check(struct room *room, const char *bytes, size_t size)
{
    struct codec codec = {.loading = false};

    replica_state(room, &codec);
    must(!codec.bad && codec.len == size && memcmp(codec.buf, bytes, size) == 0);
    free(codec.buf);
}

static void persons_check(const struct room *room, const struct list *persons)
{
    for (const struct list *at = persons->next; at != persons; at = at->next) {
        struct person *person = LIST_ENTRY(struct person, entry, at);

        must(room_find_number(room, person->node, person->number) == person);
        must(person->token[0] == '\0' || room_find_token(room, person->token) == person);
        must(room_find(room, person->name) == (person->kind == PERSON_MEMBER ? person : NULL));
    }
}

/* The log may have other lines than the room's persons, so nothing is looked at in it. */
static void nodes_stop(struct room *room)
{
    struct room_request stop = {.kind = ROOM_NODE_STOP, .time = 1};
    struct room_outcome outcome;

    while ((stop.node = nodes_next(&room->nodes, stop.node)) != NULL)
        while (room_apply(room, &stop, &outcome) == ROOM_MORE) {}
    must(list_is_empty(&room->members) && list_is_empty(&room->posters));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct table_seed seed = {{1, 2}};
    char *copy = must_copy(data, size);
    struct room room;

    must(room_init(&room, log_new(0), NULL, &seed));
    if (replica_load(&room, (struct span){copy, size})) {
        written_check(&room, copy, size);
        persons_check(&room, &room.members);
        persons_check(&room, &room.posters);
        nodes_stop(&room);
    }
    free(copy);
    room_free(&room);
    return 0;
}
