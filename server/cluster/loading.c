/* loading.c: what the room is loaded from, and loading it. */
#include "loading.h"

#include <syslog.h>

#include "server/hub/log.h"
#include "server/hub/replica.h"
#include "server/hub/room.h"
#include "server/hub/timers.h"
#include "server/report.h"

/* How long a node that starts waits for a snapshot that it needs. */
#define SNAPSHOT_US 30000000u

bool loading_is_searching(const struct cluster *c)
{
    return (c->state == CLUSTER_LOADING || c->state == CLUSTER_REWINDING) &&
           c->inbox.sequence == 0 && !c->search.whole;
}

/* The room goes on from there. */
static void snapshot_load(struct cluster *c, struct room *room, const struct report *r)
{
    const struct snapshot *best = &c->search.best;
    const struct search_anew *anew = &c->search.anew;

    if (!replica_load(room, (struct span){best->bytes, best->len}) ||
        room->nodes.place.sequence != best->place) {
        cluster_finish(c, CLUSTER_CUT);
        return;
    }
    if (room->nodes.form > c->config.form) {
        cluster_finish(c, CLUSTER_FORM);
        return;
    }
    room_note_missing(room);
    if (room->known > anew->stamp && room->known < anew->time && room->stamp < anew->time)
        room_note_lost(room, anew->time);
    c->inbox.sequence = best->place;
    c->wait_until = TIME_NEVER;
    report(r, LOG_INFO, "the room is loaded from a snapshot at message %llu, of %llu bytes",
        (unsigned long long)best->place, (unsigned long long)best->len);
    search_free(&c->search);
    c->state = CLUSTER_REWINDING;
}

static struct search_goal search_goal(const struct room *room)
{
    return (struct search_goal){.known = room->known, .log_size = log_size(room->log)};
}

/* That message has made the stream anew: it is searched from there. */
static void search_from(
    struct cluster *c, const struct frame_message *message, const struct renewal_note *note)
{
    const struct search_anew anew = {
        .sequence = message->sequence, .time = message->time / 1000u, .stamp = note->stamp};

    search_begin_anew(&c->search, &anew);
}

void loading_take(struct cluster *c, struct room *room, const struct report *r,
    const struct frame_message *message)
{
    const struct search_goal goal = search_goal(room);
    struct renewal_note note;

    if (message->sequence > c->search.anew.sequence && renewal_read(&note, message->bytes))
        search_from(c, message, &note);
    if (search_take(&c->search, message, &goal))
        snapshot_load(c, room, r);
}

void loading_end(
    struct cluster *c, struct room *room, const struct report *r, uint64_t sequence, uint64_t now)
{
    const struct search_goal goal = search_goal(room);

    switch (search_end(&c->search, sequence, &goal)) {
    case SEARCH_FOUND:
        snapshot_load(c, room, r);
        break;
    case SEARCH_WHOLE:
    case SEARCH_FURTHER:
        c->state = CLUSTER_REWINDING;
        break;
    case SEARCH_WAIT:
        if (c->wait_until != TIME_NEVER)
            break;
        c->wait_until = now + SNAPSHOT_US;
        report(r, LOG_NOTICE, "the snapshot of the room is yet to be stored");
        break;
    case SEARCH_NONE:
        cluster_finish(c, CLUSTER_CUT);
        break;
    }
}

void loading_wait_again(struct cluster *c, uint64_t now)
{
    if (c->wait_until != TIME_NEVER)
        c->wait_until = now + SNAPSHOT_US;
}

uint64_t loading_due(const struct cluster *c)
{
    return c->state == CLUSTER_LOADING && cluster_is_well(c) ? c->wait_until : TIME_NEVER;
}

static void loading_begin_again(struct cluster *c, struct room *room)
{
    c->inbox.sequence = c->inbox.time = 0;
    c->state = CLUSTER_REWINDING;
    if (!room_clear(room))
        cluster_finish(c, CLUSTER_DIFFERS);
}

void loading_begin_anew(struct cluster *c, struct room *room, const struct frame_message *message,
    const struct renewal_note *note)
{
    search_from(c, message, note);
    loading_begin_again(c, room);
}

void loading_begin_right(struct cluster *c, struct room *room)
{
    const struct node *right = copy_compare(&c->copy, &room->nodes);
    const struct search_anew place = {.sequence = c->copy.place, .hash = right->told_hash};

    copy_drop(&c->copy);
    search_begin_anew(&c->search, &place);
    loading_begin_again(c, room);
}
