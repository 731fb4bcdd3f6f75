/* backpressure.c: finds the slowest reader, waits for it, moves it ahead. */
#include "backpressure.h"

#include "connection.h"
#include "log.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "server/journal/journal.h"

/* A turn appends at most this part of the log, so that no reader that keeps up is overrun. */
#define TURN_PART 4

void backpressure_init(struct backpressure *b, uint64_t limit_us)
{
    *b = (struct backpressure){.since = 0};
    pacing_init(&b->pacing, limit_us);
}

static struct link *link_of(struct list *follower)
{
    return &LIST_ENTRY(struct output, follower, follower)->link;
}

/* The first position of the log that some follower still needs. */
static uint64_t find_floor(const struct connections *cs)
{
    uint64_t floor = log_head(cs->room->log);

    for (struct list *at = cs->followers.next; at != &cs->followers; at = at->next)
        if (link_needs(link_of(at)) < floor)
            floor = link_needs(link_of(at));
    return floor;
}

/*
 * Moves the followers that are in the older half of the log ahead to the newer. only_stuck: just
 * those that were moved before and have not taken a byte since; nobody waits for them again.
 */
static void move_ahead(struct connections *cs, bool only_stuck)
{
    const struct log *log = cs->room->log;
    uint64_t target = log_line_from(log, log_head(log) - log_size(log) / 2);

    /* A reader that waits for the disk is not slow. */
    if (target > cs->turn.visible)
        target = cs->turn.visible;
    for (struct list *at = cs->followers.next; at != &cs->followers; at = at->next) {
        struct link *link = link_of(at);

        if (link_needs(link) < target && (!only_stuck || link->cursor < link->moved_to))
            (void)link_skip(link, log, target);
    }
    if (!only_stuck)
        journal_skip(cs->journal, cs->room, target);
    cs->floor = find_floor(cs);
}

static uint64_t position_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How many bytes may be appended to a log without losing what is needed from keep on. */
static size_t log_space(const struct log *log, uint64_t keep)
{
    uint64_t head = log_head(log);

    return log_room(log, position_later(keep < head ? keep : head, log_tail(log)));
}

/* How many bytes this turn may append, where readers need what begins at floor. */
static size_t space_before(const struct connections *cs, uint64_t floor)
{
    const struct room *room = cs->room;
    const struct hold *hold = &room->hold;
    uint64_t kept = journal_needs(cs->journal);
    size_t part = log_size(room->log) / TURN_PART;
    size_t space;

    if (hold->lines == NULL) {
        space = log_space(room->log, kept < floor ? kept : floor);
    } else {
        size_t held = (size_t)(log_head(hold->lines) - hold->settled);
        size_t settled = log_space(room->log, floor);
        size_t lines = log_space(hold->lines, kept);

        space = settled > held ? settled - held : 0;
        space = lines < space ? lines : space;
    }
    return space < part ? space : part;
}

/* How many bytes this turn may append without a reader losing something. */
static size_t space_now(const struct connections *cs)
{
    return space_before(cs, cs->floor);
}

static bool is_short(const struct connections *cs)
{
    return space_now(cs) < LINE_OUT_MAX;
}

/* No reader could make space: with -s the disk must take lines first, and no reader is charged. */
static bool disk_is_short(const struct connections *cs)
{
    return cs->room->hold.lines != NULL && space_before(cs, log_head(cs->room->log)) < LINE_OUT_MAX;
}

/* While the room is loaded from its stream, the transcript's writer is waited for. */
static bool is_loading(const struct connections *cs)
{
    return cs->cluster != NULL && !cs->cluster->was_running;
}

/*
 * How long the room has waited since the slowest reader last took something. Only the time by which
 * that reader exceeds its fair share (one log per -w) is charged, so a bulk sender is lossless for
 * all readers that take a log within -w, however long it sends.
 */
static uint64_t charge_wait(struct backpressure *b, struct connections *cs)
{
    uint64_t now = cs->turn.now;
    uint64_t took = b->since == 0 ? 0 : now - b->since;
    uint64_t taken = cs->floor > b->waiting_floor ? cs->floor - b->waiting_floor : 0;
    uint64_t fair = taken * b->pacing.limit / log_size(cs->room->log);

    if (taken == 0)
        return took;
    if (b->since != 0) {
        pacing_wait(&b->pacing, now, took > fair ? took - fair : 0);
        b->since = now;
    }
    b->waiting_floor = cs->floor;
    return 0;
}

void backpressure_begin(struct backpressure *b, struct connections *cs)
{
    uint64_t now = cs->turn.now;
    uint64_t waited;
    uint64_t left;

    if (space_now(cs) < log_size(cs->room->log) / TURN_PART || b->since != 0)
        cs->floor = find_floor(cs);
    if (disk_is_short(cs))
        b->since = 0;
    waited = charge_wait(b, cs);
    if (is_short(cs))
        move_ahead(cs, true);
    left = pacing_left(&b->pacing, now);
    if (is_short(cs) && left <= waited && !disk_is_short(cs) && !is_loading(cs)) {
        pacing_wait(&b->pacing, now, waited);
        move_ahead(cs, false);
        b->since = b->since == 0 ? 0 : now;
        left = pacing_left(&b->pacing, now);
        waited = 0;
    }
    b->waiting_floor = cs->floor;
    b->left = left > waited ? left - waited : 0;
    if (disk_is_short(cs))
        b->left = 0;
    b->is_short = is_short(cs);
    cs->turn.head_max = log_head(room_lines(cs->room)) + space_now(cs);
}

/* Is there something to be appended? In a cluster that is what the stream has brought. */
static bool is_wanted(const struct connections *cs)
{
    if (cs->cluster != NULL)
        return cluster_has_more(cs->cluster);
    return !list_is_empty(&cs->inputs) || !list_is_empty(&cs->logins);
}

/* True if no input is read, because there is no space in the log or in the queue to the stream. */
static bool input_waits(const struct backpressure *b, const struct connections *cs)
{
    return cs->cluster != NULL ? !connections_have_room(cs) : b->is_waiting;
}

void backpressure_end(struct backpressure *b, struct connections *cs)
{
    bool was = cs->turn.waits;

    b->is_waiting = b->is_short && is_wanted(cs);
    cs->turn.waits = input_waits(b, cs);
    if (b->is_waiting && b->since == 0 && !disk_is_short(cs))
        b->since = cs->turn.now;
    if (!b->is_waiting && b->since != 0) {
        pacing_wait(&b->pacing, cs->turn.now, charge_wait(b, cs));
        b->since = 0;
    }
    if (!cs->turn.waits && !was)
        return;
    for (struct list *at = cs->inputs.next; at != &cs->inputs; at = at->next)
        connection_listen(cs, LIST_ENTRY(struct connection, in.queued, at));
}

/* Where no time is left and there is no space all the same, only the disk, or memory, can end it.
 */
uint64_t backpressure_due(struct backpressure *b, struct connections *cs)
{
    if (!b->is_waiting)
        return TIME_NEVER;
    cs->floor = find_floor(cs);
    if (!is_short(cs))
        return cs->turn.now;
    return cs->turn.now + (b->left > 0 ? b->left + 1 : MEMORY_RETRY_US);
}
