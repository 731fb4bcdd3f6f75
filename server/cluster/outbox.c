/* outbox.c: a list of sealed batches, and a ring of the tickets of their requests. */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "server/hub/codec.h"
#include "server/hub/link.h"

/* The limit of a batch until the engine has told the real one. */
#define BATCH_MAX_UNKNOWN 65536u
/* The limit of what is kept. Beyond it clients are not read. */
#define KEPT_MAX (4u << 20)
/* So many requests have space where outbox_has_room(): a turn ends sessions two at a time. */
#define SPARE_REQUESTS 4u
/* An upgrade rejects a state with more batches than this. */
#define MANY 1000000u

bool outbox_init(struct outbox *o)
{
    *o = (struct outbox){.next = 1, .batch_max = BATCH_MAX_UNKNOWN, .open = malloc(BATCH_MAX)};
    return o->open != NULL;
}

/* It is the first one, or the one behind that. */
static void sealed_free(struct outbox *o, struct sealed *sealed)
{
    struct sealed *before = sealed == o->first ? NULL : o->first;

    if (before == NULL)
        o->first = sealed->next;
    else
        before->next = sealed->next;
    if (o->last == sealed)
        o->last = before;
    if (o->unsent == sealed)
        o->unsent = sealed->next;
    o->bytes -= sealed->len;
    free(sealed);
}

void outbox_clear(struct outbox *o)
{
    while (o->first != NULL)
        sealed_free(o, o->first);
    o->next = 1;
    o->open_len = 0;
}

void outbox_free(struct outbox *o)
{
    struct ticket ticket;

    while (outbox_take(o, &ticket))
        item_free(ticket.answer);
    outbox_clear(o);
    free(o->open);
    free(o->ring);
}

/* ---- Requests -------------------------------------------------------------------------------- */

_Static_assert(
    BATCH_MIN >= BATCH_HEAD_MAX + SPARE_REQUESTS * REQUEST_MAX, "no batch would have room");

/* Requests that still fit into the open batch. The limit may have fallen since it was opened. */
static size_t open_space(const struct outbox *o)
{
    size_t used = BATCH_HEAD_MAX + o->open_len;

    return used < o->batch_max ? (o->batch_max - used) / REQUEST_MAX : 0;
}

bool outbox_has_room(const struct outbox *o)
{
    return o->bytes < KEPT_MAX && open_space(o) >= SPARE_REQUESTS;
}

static bool ring_grow(struct outbox *o)
{
    size_t size = o->ring_size == 0 ? 64 : 2 * o->ring_size;
    struct ticket *ring;

    if (o->count < o->ring_size)
        return true;
    ring = malloc(size * sizeof(ring[0]));
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < o->count; i++)
        ring[i] = o->ring[(o->oldest + i) & (o->ring_size - 1)];
    free(o->ring);
    o->ring = ring;
    o->ring_size = size;
    o->oldest = 0;
    return true;
}

bool outbox_put(struct outbox *o, const struct room_request *request, const struct ticket *ticket)
{
    struct ticket *place;

    if (open_space(o) == 0 || !ring_grow(o))
        return false;
    place = &o->ring[(o->oldest + o->count++) & (o->ring_size - 1)];
    *place = *ticket;
    place->text = (uint32_t)request->text.len;
    o->open_len += request_write(o->open + o->open_len, request);
    return true;
}

uint32_t outbox_author(const struct outbox *o)
{
    return o->count == 0 ? 0 : o->ring[o->oldest & (o->ring_size - 1)].author;
}

bool outbox_take(struct outbox *o, struct ticket *ticket)
{
    if (o->count == 0)
        return false;
    *ticket = o->ring[o->oldest & (o->ring_size - 1)];
    o->oldest++;
    o->count--;
    return true;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void sealed_append(struct outbox *o, struct sealed *sealed)
{
    if (o->last == NULL)
        o->first = sealed;
    else
        o->last->next = sealed;
    o->last = sealed;
    if (o->unsent == NULL)
        o->unsent = sealed;
    o->bytes += sealed->len;
}

bool outbox_seal(struct outbox *o, struct span node, struct incarnation incarnation, unsigned form)
{
    const struct batch_id id = {
        node, incarnation.number, incarnation.random, o->next, (uint8_t)form};
    char head[BATCH_HEAD_MAX];
    size_t head_len = batch_id_write(head, &id);
    struct sealed *sealed = malloc(sizeof(*sealed) + FRAME_HEAD + head_len + o->open_len);

    if (sealed == NULL)
        return false;
    *sealed = (struct sealed){.number = o->next++, .len = FRAME_HEAD + head_len + o->open_len};
    frame_head_write(sealed->frame, FRAME_PUBLISH, head_len + o->open_len);
    memcpy(sealed->frame + FRAME_HEAD, head, head_len);
    memcpy(sealed->frame + FRAME_HEAD + head_len, o->open, o->open_len);
    o->open_len = 0;
    sealed_append(o, sealed);
    return true;
}

void outbox_forget(struct outbox *o, uint64_t number)
{
    struct sealed *oldest;

    while ((oldest = outbox_oldest(o)) != NULL && oldest->number <= number) {
        if (oldest == o->unsent && outbox_is_cut(o))
            oldest->number = 0;
        else
            sealed_free(o, oldest);
    }
}

struct sealed *outbox_oldest(const struct outbox *o)
{
    return o->first != NULL && o->first->number == 0 ? o->first->next : o->first;
}

/* ---- Sending --------------------------------------------------------------------------------- */

bool outbox_send(struct outbox *o, int fd)
{
    struct sealed *at = o->unsent;

    if (at == NULL)
        return true;
    if (!frames_send(fd, at->frame, at->len, &at->sent))
        return false;
    o->unsent = at->next;
    if (at->number == 0)
        sealed_free(o, at);
    return true;
}

bool outbox_is_cut(const struct outbox *o)
{
    return o->unsent != NULL && o->unsent->sent > 0;
}

bool outbox_is_waiting(const struct outbox *o)
{
    return o->unsent != NULL;
}

void outbox_rewind(struct outbox *o)
{
    if (o->first != NULL && o->first->number == 0)
        sealed_free(o, o->first);
    for (struct sealed *at = o->first; at != NULL; at = at->next)
        at->sent = 0;
    o->unsent = o->first;
}

void outbox_displace(struct outbox *o)
{
    struct batch_id id;

    for (struct sealed *at = o->first; at != NULL; at = at->next) {
        char *batch = at->frame + FRAME_HEAD;
        size_t len = at->len - FRAME_HEAD;
        size_t head = batch_id_read(&id, (struct span){batch, len});

        requests_displace(batch + head, len - head);
    }
    requests_displace(o->open, o->open_len);
}

/* ---- Handing over ---------------------------------------------------------------------------- */

static void sealed_state(struct outbox *o, struct codec *c, struct sealed *sealed)
{
    size_t len = sealed == NULL ? 0 : sealed->len;

    codec_size(c, &len);
    if (c->loading) {
        sealed = c->bad || len > FRAME_HEAD + BATCH_MAX ? NULL : calloc(1, sizeof(*sealed) + len);
        if (sealed == NULL) {
            c->bad = true;
            return;
        }
        sealed->len = len;
        sealed_append(o, sealed);
    }
    codec_u64(c, &sealed->number);
    codec_size(c, &sealed->sent);
    c->bad |= sealed->sent > sealed->len;
    codec_bytes(c, sealed->frame, sealed->len);
}

static void batches_state(struct outbox *o, struct codec *c)
{
    struct sealed *at = o->first;
    size_t count = 0;

    for (; at != NULL; at = at->next)
        count++;
    codec_size(c, &count);
    c->bad |= count > MANY;
    at = o->first;
    for (size_t i = 0; i < count && !c->bad; i++) {
        sealed_state(o, c, c->loading ? NULL : at);
        at = c->loading ? NULL : at->next;
    }
    while (c->loading && o->unsent != NULL && o->unsent->sent == o->unsent->len)
        o->unsent = o->unsent->next;
}

void outbox_state(
    struct outbox *o, struct codec *c, void (*ticket_state)(void *, struct ticket *), void *context)
{
    size_t count = o->count;

    c->bad |= o->open_len > 0;
    codec_u64(c, &o->next);
    codec_size(c, &o->batch_max);
    c->bad |= o->batch_max < BATCH_MIN || o->batch_max > BATCH_MAX;
    batches_state(o, c);
    codec_size(c, &count);
    for (size_t i = 0; i < count && !c->bad; i++) {
        struct ticket ticket = {.owner = NULL};

        if (!c->loading)
            ticket = o->ring[(o->oldest + i) & (o->ring_size - 1)];
        ticket_state(context, &ticket);
        ticket.kind = (enum room_request_kind)codec_choice(c, ticket.kind, ROOM_REQUESTS);
        codec_u32(c, &ticket.author);
        codec_u32(c, &ticket.text);
        if (!c->loading)
            continue;
        if (c->bad || !ring_grow(o)) {
            item_free(ticket.answer);
            c->bad = true;
            return;
        }
        o->ring[(o->oldest + o->count++) & (o->ring_size - 1)] = ticket;
    }
}
