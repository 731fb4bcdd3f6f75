/*
 * pace.c: slow readers. Nobody is dropped for being slow, and nobody stalls the room: who falls a
 * whole log behind makes the room wait, by not reading from those who speak, for as long as -w
 * allows; then he is moved ahead and told what he has missed.
 */
#include "hub_private.h"

/* A turn appends at most this part of the log, so that no reader that keeps up is overrun. */
#define TURN_PART 4

/* The first position that some reader still needs. */
static uint64_t find_floor(const struct hub *hub)
{
    uint64_t floor = log_head(hub->log);

    for (const struct member *m = hub->first; m != NULL; m = m->next)
        if (m->out.reads_log && !m->deaf && outbox_needs(&m->out) < floor &&
            outbox_needs(&m->out) < m->out.limit)
            floor = outbox_needs(&m->out);
    return recorder_needs(hub) < floor ? recorder_needs(hub) : floor;
}

/*
 * Moves those who are in the older half ahead to the newer. only_stuck: just those who have been
 * moved before and have not taken a byte since; for them nobody waits again.
 */
static void move_laggards(struct hub *hub, bool only_stuck)
{
    uint64_t head = log_head(hub->log);
    uint64_t target = log_line_from(hub->log, head - log_size(hub->log) / 2);

    /* Who waits for the disk is not slow; and nobody has a receipt for what may be taken back. */
    if (target > hub->shown)
        target = hub->shown;
    for (struct member *m = hub->first; m != NULL; m = m->next)
        if (m->out.reads_log && !m->deaf && outbox_needs(&m->out) < target &&
            (!only_stuck || m->out.cursor < m->out.moved_to))
            (void)outbox_move_ahead(hub, m, target);
    if (!only_stuck)
        recorder_move_ahead(hub, target);
    hub->floor = find_floor(hub);
}

/* How many bytes this turn may append without anybody losing something. */
static size_t room_now(const struct hub *hub)
{
    size_t part = log_size(hub->log) / TURN_PART;
    uint64_t tail = log_tail(hub->log);
    size_t room = log_room(hub->log, hub->floor > tail ? hub->floor : tail);

    return room < part ? room : part;
}

static bool room_is_short(const struct hub *hub)
{
    return room_now(hub) < LINE_OUT_MAX;
}

/* At a turn's end: who was waited for may have taken all, and then nothing else wakes the room. */
bool pace_is_short(struct hub *hub)
{
    hub->floor = find_floor(hub);
    return room_is_short(hub);
}

/*
 * How long the room has been held back since the slowest reader last took something. As long as he
 * takes a log within -w, the room goes at his pace and does not stand still: only what he is slower
 * than that is booked. So a bulk sender is lossless for all such readers, however long it sends.
 */
static uint64_t wait_now(struct hub *hub)
{
    uint64_t took = hub->paced_since == 0 ? 0 : hub->now - hub->paced_since;
    uint64_t taken = hub->floor > hub->paced_floor ? hub->floor - hub->paced_floor : 0;
    uint64_t fair = taken * hub->pacing.limit / log_size(hub->log);

    if (taken == 0)
        return took;
    if (hub->paced_since != 0) {
        pacing_wait(&hub->pacing, hub->now, took > fair ? took - fair : 0);
        hub->paced_since = hub->now;
    }
    hub->paced_floor = hub->floor;
    return 0;
}

/*
 * Finds how much may be said in this turn. Where a reader is a whole log behind, the room waits
 * for him, as long as it may, by not reading; then he is moved ahead.
 */
void pace_begin(struct hub *hub)
{
    uint64_t waited;
    uint64_t left;

    if (room_now(hub) < log_size(hub->log) / TURN_PART || hub->paced_since != 0)
        hub->floor = find_floor(hub);
    waited = wait_now(hub);
    if (room_is_short(hub))
        move_laggards(hub, true);
    left = pacing_left(&hub->pacing, hub->now);
    if (room_is_short(hub) && left <= waited) {
        pacing_wait(&hub->pacing, hub->now, waited);
        move_laggards(hub, false);
        hub->paced_since = hub->paced_since == 0 ? 0 : hub->now;
        left = pacing_left(&hub->pacing, hub->now);
        waited = 0;
    }
    hub->paced_floor = hub->floor;
    hub->pace_left = left > waited ? left - waited : 0;
    hub->budget = room_now(hub);
    hub->short_of_room = room_is_short(hub);
}

/* After the reading: does anybody with something to say have to wait? Then polling for what he
 * says would only spin. */
void pace_end(struct hub *hub)
{
    bool waiting = hub->short_of_room && (hub->input_first != NULL || hub->named_count > 0);
    bool was = hub->paced_since != 0;

    if (!waiting && !was)
        return;
    if (waiting && !was)
        hub->paced_since = hub->now;
    if (!waiting) {
        pacing_wait(&hub->pacing, hub->now, wait_now(hub));
        hub->paced_since = 0;
    }
    for (struct member *m = hub->input_first; m != NULL; m = m->next_queued)
        member_listen(hub, m);
}
