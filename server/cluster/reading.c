/* reading.c: what is found of the stream, and what was read of it. */
#include "reading.h"

#include <string.h>

#include "jetstream.h"
#include "wire/stamp.h"

/* Nodes that start together make the stream within this time. */
#define MADE_AT_ONCE_US 10000000u
/* How long servers, all together, may say that nothing more comes before the end that the leader
 * has told: theirs is behind the leader's stream, unless the last messages were removed. */
#define BEHIND_US 20000000u

/* ---- Its end --------------------------------------------------------------------------------- */

uint64_t reading_behind_time(const struct reading *r, uint64_t now)
{
    return r->behind_for + (r->behind_since != 0 ? now - r->behind_since : 0);
}

void reading_behind_end(struct reading *r)
{
    r->behind_since = r->behind_for = 0;
}

bool reading_is_done(struct reading *r, uint64_t now)
{
    if (r->next > r->end && r->proof == 0)
        return true;
    if (!r->is_idle)
        return false;
    if (r->behind_since == 0)
        r->behind_since = now;
    return reading_behind_time(r, now) >= BEHIND_US;
}

void reading_behind_pause(struct reading *r, uint64_t now)
{
    if (r->behind_since != 0)
        r->behind_for += now - r->behind_since;
    r->behind_since = 0;
}

/* ---- Whether it is the same stream ----------------------------------------------------------- */

/* Microseconds since 1970 of a time as servers write it, to the second; 0: it is none. */
static uint64_t created_time(const char *text)
{
    char stamp[STAMP_LEN + 1] = "YYYY-MM-DDTHH:MM:SS.000000Z";
    uint64_t time = 0;

    if (strlen(text) > strlen("YYYY-MM-DDTHH:MM:SS"))
        memcpy(stamp, text, strlen("YYYY-MM-DDTHH:MM:SS"));
    return stamp_parse(stamp, STAMP_LEN, &time) ? time : 0;
}

bool reading_is_made_anew(const struct reading *r, const struct jetstream_answer *stream)
{
    uint64_t a = created_time(r->created);
    uint64_t b = created_time(stream->created);

    if (r->created[0] == '\0' || strcmp(r->created, stream->created) == 0)
        return false;
    return a == 0 || b == 0 || (a > b ? a - b : b - a) > MADE_AT_ONCE_US;
}

bool reading_has_proof(const struct reading *r, const struct jetstream_answer *stream)
{
    return r->time != 0 && r->next > 1 && r->next > stream->first;
}

const char *reading_difference(const struct reading *r, const struct jetstream_answer *stream)
{
    if (r->next > stream->last + 1)
        return "the stream ends before what was read of it";
    if (r->next > 1 && reading_is_made_anew(r, stream) && !reading_has_proof(r, stream))
        return "the stream was made anew";
    return NULL;
}
