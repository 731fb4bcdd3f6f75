/* renewal.c: see renewal.h. */
#include "renewal.h"

#include <string.h>

#include "big_endian.h"
#include "server/hub/codec.h"

/* The kind of the request, beside those of requests.c. */
#define CODE_RENEWAL 17
/* Behind the head. */
#define BODY_SIZE (1 + 4 + 3 * 8)
/* The stream must be gone for this time before a node makes it anew. */
#define GONE_US 30000000u
/* After this all nodes to which it is gone have noticed that. What was stored before is read late
 * where there is much to read. */
#define NOTICED_US 10000000u
/* An attempt that has led to nothing is repeated after this. */
#define AGAIN_US 2000000u

/* ---- The message ----------------------------------------------------------------------------- */

size_t renewal_write(
    char out[RENEWAL_MAX], const struct batch_id *head, const struct renewal_note *note)
{
    struct batch_id id = *head;
    char *at = out;

    id.number = 0;
    at += batch_id_write(at, &id);
    *at++ = CODE_RENEWAL;
    u32_put(at, 0);
    u64_put(at + 4, note->hash);
    u64_put(at + 12, note->stamp);
    u64_put(at + 20, note->sequence);
    return (size_t)(at + BODY_SIZE - 1 - out);
}

bool renewal_read(struct renewal_note *note, struct span bytes)
{
    struct batch_id id;
    size_t head = batch_id_read(&id, bytes);
    const char *at;

    if (head == 0 || bytes.len != head + BODY_SIZE || id.number != 0 ||
        !batch_name_is_valid(id.node))
        return false;
    at = bytes.at + head;
    if (*at != CODE_RENEWAL || u32_get(at + 1) != 0)
        return false;
    *note = (struct renewal_note){.node = id.node,
        .hash = u64_get(at + 5),
        .stamp = u64_get(at + 13),
        .sequence = u64_get(at + 21)};
    return true;
}

/* ---- Watching -------------------------------------------------------------------------------- */

void renewal_begin(struct renewal *n)
{
    *n = (struct renewal){.state = RENEWAL_WATCHING, .last = RENEWAL_UNKNOWN};
}

void renewal_hear(struct renewal *n, bool is_gone, uint64_t now)
{
    if (!is_gone) {
        n->since = 0;
        n->last = RENEWAL_UNKNOWN;
    } else if (n->since == 0) {
        n->since = now;
        n->due = now + GONE_US;
    }
}

void renewal_take(struct renewal *n, uint64_t sequence)
{
    n->last = sequence;
}

void renewal_find(
    struct renewal *n, uint64_t sequence, uint64_t time, const struct renewal_note *note)
{
    struct renewal_found *found = &n->found;

    *found = (struct renewal_found){.sequence = sequence, .time = time, .note = *note};
    memcpy(found->node, note->node.at, note->node.len);
    found->note.node.at = found->node;
}

bool renewal_end(struct renewal *n, uint64_t sequence)
{
    n->last = sequence;
    if (n->found.sequence > sequence) /* that stream is gone, too */
        n->found.sequence = 0;
    return n->found.sequence != 0;
}

bool renewal_will_not_come(const struct renewal *n, uint64_t time, uint64_t applied, uint64_t now)
{
    return n->found.sequence == 0 && n->since != 0 && now - n->since >= NOTICED_US &&
           time > applied && time - applied >= NOTICED_US;
}

uint64_t renewal_due(const struct renewal *n)
{
    return n->state == RENEWAL_WATCHING && n->since != 0 && n->last != RENEWAL_UNKNOWN ? n->due
                                                                                       : UINT64_MAX;
}

void renewal_try(struct renewal *n, uint64_t now)
{
    n->due = now + AGAIN_US;
}

bool renewal_changes(const struct renewal *n)
{
    return n->state == RENEWAL_LOST || n->state == RENEWAL_FOUND;
}

bool renewal_wants_watch(const struct renewal *n)
{
    return n->state == RENEWAL_LOST || n->state == RENEWAL_WATCHING;
}

/* ---- Handing over ---------------------------------------------------------------------------- */

void renewal_hand(struct renewal *n, struct codec *c)
{
    n->state = (enum renewal_state)codec_choice(c, n->state, RENEWAL_FOUND + 1);
    if (c->loading && n->state == RENEWAL_WATCHING)
        n->state = RENEWAL_LOST; /* what the engine has told is not handed over: it is read again */
}
