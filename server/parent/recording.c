/* recording.c: see recording.h. */
#include "recording.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "server/hub/codec.h"
#include "server/hub/hub.h"
#include "server/journal/readback.h"
#include "server/journal/transcript.h"
#include "timeout.h"

#define RETRY_US 1000000u

static bool writer_start(struct recording *r, int file, uint64_t now)
{
    int pair;

    r->begun = now;
    if (!children_start_writer(r->children, file, r->path, r->sync, &pair))
        return false;
    if (hub_set_writer(r->hub, pair, now))
        return true;
    close(pair);
    return false;
}

int recording_begin(struct recording *r)
{
    int status = EX_CANTCREAT;
    int file;

    if (r->path == NULL)
        return 0;
    file = transcript_open(r->path, true, r->report);
    if (file == -1)
        return EX_CANTCREAT;
    if (readback(file, r->path, r->hub, r->report)) {
        status = writer_start(r, file, clock_us()) ? 0 : EX_OSERR;
        if (status != 0)
            report(r->report, LOG_ERR, "cannot start the transcript's writer: %s", strerror(errno));
    }
    close(file);
    return status;
}

void recording_died(struct recording *r)
{
    r->due = r->begun + RETRY_US;
}

/* Why the file cannot be opened is reported once. */
static void writer_restart(struct recording *r, uint64_t now)
{
    static const struct report silent = {.to = REPORT_STDERR};
    int file = transcript_open(r->path, false, r->missing ? &silent : r->report);

    r->due = now + RETRY_US;
    r->missing = file == -1 || !writer_start(r, file, now);
    if (r->missing)
        hub_miss_writer(r->hub);
    else
        r->due = 0;
    if (file != -1)
        close(file);
}

int recording_turn(struct recording *r, uint64_t now)
{
    if (r->due != 0 && now >= r->due)
        writer_restart(r, now);
    return r->due == 0 ? -1 : timeout_until(r->due, now);
}

void recording_state(struct recording *r, struct codec *c)
{
    codec_u64(c, &r->due);
}
