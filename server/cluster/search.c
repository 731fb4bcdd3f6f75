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
/* More parts than this are not collected: that would be a million members. */
#define PARTS_MAX 16384u

static void snapshot_clear(struct snapshot *snapshot)
{
    free(snapshot->bytes);
    *snapshot = (struct snapshot){.place = 0};
}

void search_free(struct search *s)
{
    snapshot_clear(&s->taking);
    snapshot_clear(&s->best);
}

void search_begin(struct search *s)
{
    uint64_t back = s->back;

    search_free(s);
    *s = (struct search){.back = back};
}

/* All parts of a snapshot are there. An earlier one that will do is better only than none. */
static void snapshot_found(struct search *s, uint64_t known)
{
    struct snapshot *found = &s->taking;
    struct span bytes = {found->bytes, found->len};

    if (replica_hash(bytes) == found->hash && replica_stamp(bytes, &found->stamp) &&
        found->place + 1 >= s->first) {
        s->passed |= found->stamp > known;
        if (s->best.bytes == NULL || found->stamp <= known) {
            snapshot_clear(&s->best);
            s->best = *found;
            s->following = 0;
            *found = (struct snapshot){.place = 0};
        }
    }
    snapshot_clear(found);
}

static void part_take(struct search *s, const struct room_request *request, uint64_t known)
{
    const struct snapshot_part *part = &request->part;
    struct snapshot *taking = &s->taking;
    char *bytes;

    if (part->index == 0) {
        snapshot_clear(taking);
        taking->place = part->place;
        taking->hash = part->hash;
    }
    if (part->place != taking->place || part->hash != taking->hash || part->index != taking->next ||
        part->count > PARTS_MAX)
        return;
    bytes = realloc(taking->bytes, taking->len + request->text.len);
    if (bytes == NULL) /* as if it had not been stored */
        return;
    memcpy(bytes + taking->len, request->text.at, request->text.len);
    taking->bytes = bytes;
    taking->len += request->text.len;
    if (++taking->next == part->count)
        snapshot_found(s, known);
}

/* The best that was found will do. */
static bool search_fits(const struct search *s, const struct search_goal *goal)
{
    if (s->best.bytes == NULL)
        return false;
    return goal->known != 0 ? s->best.stamp <= goal->known : s->following >= goal->log_size;
}

bool search_take(
    struct search *s, const struct frame_message *message, const struct search_goal *goal)
{
    struct requests requests;
    struct stored_request stored;

    s->last_time = message->time / 1000u;
    if (s->first == 0) {
        s->first = message->sequence;
        s->first_time = s->last_time;
    }
    s->following += message->bytes.len;
    if (requests_open(&requests, message->bytes))
        while (requests_next(&requests, &stored))
            if (stored.request.kind == ROOM_PART && stored.request.part.place < message->sequence)
                part_take(s, &stored.request, goal->known);
    return search_fits(s, goal) && (goal->known == 0 || s->passed);
}

/* How far back the next pass begins: as far as the transcript's end is, at the pace of what was
 * read, and a little further. */
static uint64_t further_back(const struct search *s, uint64_t known)
{
    uint64_t most = s->back > UINT64_MAX / FURTHER ? 0 : s->back * FURTHER;
    uint64_t passes;

    if (known == 0 || most == 0 || known >= s->first_time || s->last_time <= s->first_time)
        return most;
    passes = (s->last_time - known) / (s->last_time - s->first_time) + 1;
    return passes < FURTHER && passes * s->back + NEAR < most ? passes * s->back + NEAR : most;
}

enum search_result search_end(struct search *s, uint64_t sequence, const struct search_goal *goal)
{
    bool is_whole = s->back == 0 || s->first == 0 || s->first + s->back > sequence + 1;

    if (search_fits(s, goal) || (s->best.bytes != NULL && is_whole))
        return SEARCH_FOUND;
    if (is_whole)
        return SEARCH_NONE;
    s->back = further_back(s, goal->known);
    return SEARCH_FURTHER;
}
