/*
 * hub_state.c: the whole room in a form that the next hub takes over. hub_state() is the form: the
 * same lines write it and read it. Change it, and HANDOVER_VERSION in handover.h changes too.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "compat/poller.h"
#include "hub_private.h"

/* More in one list than this is no room's state. */
#define MANY 10000000u

/* Bytes that several members wait for are written once; the others say which they mean. */
struct blobs {
    struct blob **seen;
    size_t count;
};

static void blob_state(struct codec *c, struct blobs *blobs, struct blob **blob)
{
    size_t which = 0;
    size_t len;

    if (!c->loading)
        while (which < blobs->count && blobs->seen[which] != *blob)
            which++;
    codec_size(c, &which);
    if (which > blobs->count || c->bad) {
        c->bad = true;
        return;
    }
    if (which == blobs->count) {
        struct blob **seen = realloc(blobs->seen, (which + 1) * sizeof(*seen));

        len = c->loading ? 0 : (*blob)->len;
        codec_size(c, &len);
        if (c->loading)
            *blob = len > c->len ? NULL : malloc(sizeof(**blob) + len);
        if (seen != NULL)
            blobs->seen = seen;
        if (seen == NULL || *blob == NULL || c->bad) {
            c->bad = true;
            return;
        }
        if (c->loading)
            (*blob)->refs = 0;
        (*blob)->len = len;
        codec_bytes(c, (*blob)->bytes, len);
        seen[blobs->count++] = *blob;
    }
    *blob = blobs->seen[which];
    if (c->loading)
        (*blob)->refs++;
}

/* One item; NULL after loading where it is bad. */
static struct item *item_state(struct codec *c, struct blobs *blobs, struct item *item)
{
    unsigned kind = item == NULL ? 0 : item->kind;
    size_t room = item == NULL ? 0 : item->kind == ITEM_GAP ? GAP_TEXT_MAX : item->len;

    kind = codec_choice(c, kind, ITEM_GAP + 1);
    codec_size(c, &room);
    if (c->loading) {
        item = room > c->len ? NULL : item_new(kind == ITEM_BLOB ? 0 : room);
        if (item == NULL) {
            c->bad = true;
            return NULL;
        }
        item->kind = kind;
        item->len = room;
    }
    codec_u64(c, &item->due);
    codec_u64(c, &item->after);
    codec_u64(c, &item->shown);
    codec_u64(c, &item->count);
    codec_u64(c, &item->mine);
    codec_bool(c, &item->counted);
    codec_size(c, &item->len);
    codec_size(c, &item->sent);
    if (item->kind == ITEM_BLOB)
        blob_state(c, blobs, &item->blob);
    else
        codec_bytes(c, item->bytes, room);
    c->bad |= item->len > room || item->sent > item->len;
    return item;
}

static void outbox_state(struct codec *c, struct blobs *blobs, struct outbox *out)
{
    struct item *item = out->first;
    size_t count = 0;

    codec_bool(c, &out->reads_log);
    codec_bool(c, &out->ahead);
    codec_u64(c, &out->cursor);
    codec_u64(c, &out->moved_to);
    codec_u64(c, &out->limit);
    for (; item != NULL; item = item->next)
        count++;
    codec_size(c, &count);
    item = out->first;
    for (size_t i = 0; i < count && !c->bad; i++) {
        struct item *done = item_state(c, blobs, item);

        if (c->loading && done != NULL)
            outbox_insert(out, out->last, done);
        else if (item != NULL)
            item = item->next;
    }
}

static void member_flags(struct codec *c, struct member *m)
{
    bool *const flags[] = {&m->eof, &m->reaped, &m->blocked, &m->deaf, &m->shut, &m->seated,
        &m->posting, &m->wrong, &m->passed, &m->wants_token, &m->has_history, &m->has_since,
        &m->resumes, &m->named, &m->goodbye, &m->faulty, &m->killed, &m->over};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        codec_bool(c, flags[i]);
}

static void member_state(struct codec *c, struct blobs *blobs, struct member *m)
{
    uint64_t history = m->history;
    uint64_t *const numbers[] = {&m->wake, &m->arrived, &m->progress, &m->rate_at, &m->joined_stamp,
        &m->since, &history, &m->received, &m->skipped};

    codec_fd(c, &m->fd);
    codec_int(c, &m->pid);
    codec_int(c, &m->status);
    codec_u32(c, &m->id);
    m->state = codec_choice(c, m->state, MEMBER_LEAVING + 1);
    m->pause = codec_choice(c, m->pause, PAUSE_OUTBOX + 1);
    member_flags(c, m);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        codec_u64(c, numbers[i]);
    m->history = (unsigned long)history;
    codec_text(c, m->peer, sizeof(m->peer));
    codec_text(c, m->login, sizeof(m->login));
    codec_text(c, m->name, sizeof(m->name));
    codec_block(c, &m->held, &m->held_len, 2 * READ_MAX);
    outbox_state(c, blobs, &m->out);
}

/* ---- Everybody ------------------------------------------------------------------------------- */

/* A member that was loaded takes its place in all the lists that it belongs to. */
static void member_settle(struct hub *hub, struct codec *c, struct member *m)
{
    member_remember(hub, m);
    m->queued = m->dirty = false;
    m->interest = -1;
    if (m->named)
        c->bad |= !names_put(hub->names, m->name, m);
    hub->members += m->seated;
    if (m->state == MEMBER_NAMED) {
        if (hub->named_count == NAMED_MAX)
            c->bad = true;
        else
            hub->named[hub->named_count++] = m;
    }
    if (m->over) {
        m->next_over = hub->over_first;
        hub->over_first = m;
        return;
    }
    member_queue_input(hub, m);
    outbox_mark(hub, m);
}

static void members_state(struct codec *c, struct blobs *blobs, struct hub *hub)
{
    size_t count = hub->workers;
    struct member *m = hub->first;

    codec_size(c, &count);
    c->bad |= count > MANY;
    for (size_t i = 0; i < count && !c->bad; i++) {
        if (c->loading)
            m = calloc(1, sizeof(*m));
        if (m == NULL) {
            c->bad = true;
            return;
        }
        m->place = i;
        member_state(c, blobs, m);
        if (c->loading)
            member_settle(hub, c, m);
        else
            m = m->next;
    }
}

static struct member *member_at(const struct hub *hub, size_t place)
{
    struct member *m = hub->first;

    while (m != NULL && m->place != place)
        m = m->next;
    return m;
}

static void seat_member_state(struct codec *c, const struct hub *hub, struct member **member)
{
    size_t place = *member == NULL ? SIZE_MAX : (*member)->place;

    codec_size(c, &place);
    if (c->loading)
        *member = place == SIZE_MAX ? NULL : member_at(hub, place);
}

static void seat_state(struct codec *c, struct hub *hub, struct seat *seat)
{
    codec_text(c, seat->token, sizeof(seat->token));
    codec_u64(c, &seat->answered);
    codec_u64(c, &seat->over_at);
    codec_bool(c, &seat->listed);
    seat_member_state(c, hub, &seat->member);
    seat_member_state(c, hub, &seat->taker);
}

static void seat_load(struct codec *c, struct hub *hub)
{
    struct seat *seat = calloc(1, sizeof(*seat));

    if (seat == NULL) {
        c->bad = true;
        return;
    }
    seat_state(c, hub, seat);
    if (strlen(seat->token) != sizeof(seat->token) - 1)
        c->bad = true;
    if (c->bad) {
        free(seat);
        return;
    }
    if (seat->member != NULL)
        seat->member->seat = seat;
    if (seat->taker != NULL)
        seat->taker->seat = seat;
    seat_put(hub, seat);
}

/* Those whose session is over first, in the order in which they are forgotten. */
static void seats_state(struct codec *c, struct hub *hub)
{
    size_t count = 0;
    struct seat *seat;

    for (size_t i = 0; i < SEAT_SLOTS; i++)
        for (seat = hub->seats[i]; seat != NULL; seat = seat->next)
            count++;
    codec_size(c, &count);
    if (c->loading) {
        for (size_t i = 0; i < count && !c->bad; i++)
            seat_load(c, hub);
        return;
    }
    for (seat = hub->seats_oldest; seat != NULL; seat = seat->newer)
        seat_state(c, hub, seat);
    for (size_t i = 0; i < SEAT_SLOTS; i++)
        for (seat = hub->seats[i]; seat != NULL; seat = seat->next)
            if (!seat->listed)
                seat_state(c, hub, seat);
}

static void recorder_state(struct codec *c, struct blobs *blobs, struct hub *hub)
{
    struct recorder *r = &hub->recorder;
    bool has_writer = r->writer != NULL;

    codec_bool(c, &r->wanted);
    codec_bool(c, &r->sync);
    codec_bool(c, &r->ready);
    codec_bool(c, &r->behind);
    codec_bool(c, &r->failing);
    codec_u64(c, &r->kept);
    codec_u64(c, &r->filed);
    codec_u64(c, &r->filed_count);
    codec_u64(c, &r->waiting_since);
    codec_bool(c, &has_writer);
    if (!has_writer)
        return;
    if (c->loading) {
        r->writer = calloc(1, sizeof(*r->writer));
        if (r->writer == NULL) {
            c->bad = true;
            return;
        }
        line_splitter_init(&r->splitter, r->held, sizeof(r->held) - 1);
        r->readable = true;
    }
    member_state(c, blobs, r->writer);
    r->writer->interest = c->loading ? -1 : r->writer->interest;
    codec_bytes(c, r->held, sizeof(r->held));
    codec_size(c, &r->splitter.len);
    codec_bool(c, &r->splitter.skipping);
    c->bad |= r->splitter.len > sizeof(r->held);
}

static void counters_state(struct codec *c, struct counters *counters)
{
    uint64_t *const numbers[] = {&counters->received, &counters->echoed, &counters->answered,
        &counters->refused, &counters->ended, &counters->gaps, &counters->skipped,
        &counters->logins, &counters->faults};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        codec_u64(c, numbers[i]);
}

bool hub_state(struct hub *hub, struct codec *c)
{
    struct blobs blobs = {NULL, 0};

    if (hub->stuck != NULL || hub->stopping)
        return false;
    log_state(hub->log, c);
    codec_u64(c, &hub->stamp);
    codec_u64(c, &hub->shown);
    codec_u64(c, &hub->floor);
    codec_u64(c, &hub->sent_to);
    codec_u32(c, &hub->next_id);
    counters_state(c, &hub->counters);
    members_state(c, &blobs, hub);
    seats_state(c, hub);
    recorder_state(c, &blobs, hub);
    free(blobs.seen);
    hub->next_ring = c->loading ? 0 : hub->next_ring;
    return !c->bad;
}

/* The poller is new too: everybody is told to it. */
bool hub_listen(struct hub *hub)
{
    struct member *w = hub->recorder.writer;

    for (struct member *m = hub->first; m != NULL; m = m->next) {
        if (m->over || m->fd == -1)
            continue;
        member_listen(hub, m);
        if (m->interest == -1)
            return false;
    }
    if (w != NULL)
        member_listen(hub, w);
    return w == NULL || w->interest != -1;
}
