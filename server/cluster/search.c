/* search.c: see search.h. */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "requests.h"
#include "server/hub/replica.h"

/* From one pass to the next, at most: reading what was read before costs an eighth. */
#define FURTHER 8u
/* Two places of snapshots are not further apart, and its parts follow a place soon. */
#define NEAR 20000u
/* One of more parts than this is not collected: that would be a million members. */
#define PARTS_MAX 16384u

static void snapshot_clear(struct snapshot *snapshot)
{
    free(snapshot->bytes);
    *snapshot = (struct snapshot){.place = 0};
}

void search_free(struct search *s)
{
    for (size_t i = 0; i < SEARCH_AT_ONCE; i++)
        snapshot_clear(&s->taking[i]);
    snapshot_clear(&s->best);
}

void search_begin(struct search *s)
{
    const struct search before = *s;

    search_free(s);
    *s = (struct search){.anew = before.anew, .back = before.back, .whole = before.whole};
}

/* The newest that will do is best; one that will not is better only than none. */
static bool snapshot_is_better(
    const struct snapshot *found, const struct snapshot *best, uint64_t known)
{
    if (best->bytes == NULL)
        return true;
    return found->stamp <= known && (best->stamp > known || best->place < found->place);
}

/* All parts of a snapshot are there. */
static void snapshot_found(struct search *s, struct snapshot *found, uint64_t known)
{
    struct span bytes = {found->bytes, found->len};

    if (replica_hash(bytes) == found->hash && replica_stamp(bytes, &found->stamp) &&
        found->place + 1 >= s->first && found->place >= s->anew.sequence &&
        (found->place > s->anew.sequence || s->anew.hash == 0 || found->hash == s->anew.hash) &&
        found->stamp >= s->anew.stamp) {
        s->passed |= found->stamp > known;
        if (snapshot_is_better(found, &s->best, known)) {
            snapshot_clear(&s->best);
            s->best = *found;
            s->following = 0;
            *found = (struct snapshot){.place = 0};
        }
    }
    snapshot_clear(found);
}

/* What the part is of: the first part begins a snapshot, instead of the one of the earliest place.
 * NULL: it was not begun. */
static struct snapshot *snapshot_of(struct search *s, const struct snapshot_part *part)
{
    struct snapshot *earliest = &s->taking[0];

    for (struct snapshot *at = s->taking; at < s->taking + SEARCH_AT_ONCE; at++) {
        if (at->place == part->place && at->hash == part->hash && at->count == part->count)
            return at;
        if (at->place < earliest->place)
            earliest = at;
    }
    if (part->index != 0 || part->place == 0 || part->count > PARTS_MAX)
        return NULL;
    snapshot_clear(earliest);
    *earliest = (struct snapshot){.place = part->place, .hash = part->hash, .count = part->count};
    return earliest;
}

static void part_take(struct search *s, const struct room_request *request, uint64_t known)
{
    const struct snapshot_part *part = &request->part;
    struct snapshot *taking = snapshot_of(s, part);
    char *bytes;

    if (taking == NULL || part->index != taking->next)
        return;
    bytes = realloc(taking->bytes, taking->len + request->text.len);
    if (bytes == NULL) /* as if it had not been stored */
        return;
    memcpy(bytes + taking->len, request->text.at, request->text.len);
    taking->bytes = bytes;
    taking->len += request->text.len;
    if (++taking->next == part->count)
        snapshot_found(s, taking, known);
}

/* The best that was found will do. */
static bool search_fits(const struct search *s, const struct search_goal *goal)
{
    if (s->best.bytes == NULL)
        return false;
    return goal->known != 0 ? s->best.stamp <= goal->known : s->following >= goal->log_size;
}

void search_begin_anew(struct search *s, const struct search_anew *anew)
{
    search_free(s);
    s->anew = *anew;
    s->following = 0;
    s->whole = s->passed = false;
}

/* All that there is behind the message that made the stream anew was read. */
static bool search_is_anew(const struct search *s)
{
    return s->anew.sequence != 0 && s->first != 0 && s->first <= s->anew.sequence + 1;
}

bool search_take(
    struct search *s, const struct frame_message *message, const struct search_goal *goal)
{
    struct requests requests;
    struct stored_request stored;

    if (s->first == 0) {
        s->first = message->sequence;
        s->first_time = message->time / 1000u;
    }
    if (message->sequence == s->first + s->back / 2)
        s->half_time = message->time / 1000u;
    s->following += message->bytes.len;
    if (requests_open(&requests, message->bytes))
        while (requests_next(&requests, &stored))
            if (stored.request.kind == ROOM_PART && stored.request.part.place < message->sequence)
                part_take(s, &stored.request, goal->known);
    return s->waits ? s->best.bytes != NULL
                    : s->first > 1 && search_fits(s, goal) && (goal->known == 0 || s->passed);
}

/* How far back the next pass begins: where the transcript ends, at the pace of the older half of
 * what was read, and a little further. */
static uint64_t further_back(const struct search *s, uint64_t known)
{
    uint64_t most = s->back > UINT64_MAX / FURTHER ? 0 : s->back * FURTHER;
    uint64_t halves;

    if (known == 0 || most == 0 || known >= s->first_time || s->half_time <= s->first_time)
        return most;
    halves = (s->first_time - known) / (s->half_time - s->first_time) + 1;
    if (halves >= 2 * FURTHER || s->back + halves * (s->back / 2) + NEAR >= most)
        return most;
    return s->back + halves * (s->back / 2) + NEAR;
}

enum search_result search_end(struct search *s, uint64_t sequence, const struct search_goal *goal)
{
    bool is_whole =
        s->back == 0 || s->first == 0 || s->first + s->back > sequence + 1 || search_is_anew(s);

    s->whole = s->first == 1 && s->anew.sequence == 0;
    if (s->whole)
        return SEARCH_WHOLE;
    if (search_fits(s, goal) || (s->best.bytes != NULL && is_whole))
        return SEARCH_FOUND;
    s->waits = is_whole && s->anew.sequence != 0;
    if (is_whole)
        return s->waits ? SEARCH_WAIT : SEARCH_NONE;
    s->back = further_back(s, goal->known);
    return SEARCH_FURTHER;
}
