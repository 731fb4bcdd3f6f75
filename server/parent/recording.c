/* recording.c: see recording.h. There is one writer at a time, and each kind of process is started
 * at most once a second. */
#include "recording.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "notify.h"
#include "server/hub/codec.h"
#include "server/hub/hub.h"
#include "server/journal/opener.h"
#include "server/journal/readback.h"
#include "server/journal/transcript.h"
#include "timeout.h"

#define RETRY_US 1000000u
/* How long a start waits for the first writer's first word. */
#define FIRST_WORD_MS 10000
/* By how much a start that waits is extended, once a second: it has to read the file after that. */
#define EXTEND_US 30000000u

void recording_init(struct recording *r)
{
    *r = (struct recording){.file = -1, .next = -1, .opener = -1};
}

static void descriptor_close(int *fd)
{
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

/* ---- The start ------------------------------------------------------------------------------- */

/* Returns the hub's end of the new writer's pair, or -1. Starting a process closes a copy of the
 * file's descriptor, which removes the mark: set it again. */
static int writer_spawn(struct recording *r, uint64_t now)
{
    int pair = -1;
    bool started = children_start_writer(r->children, r->file, r->path, r->sync, &pair);

    transcript_mark(r->file);
    r->start_at = now + RETRY_US;
    return started ? pair : -1;
}

/* Gives the hub that pair. False without one, or without memory. */
static bool writer_set(struct recording *r, int pair, uint64_t now)
{
    if (pair == -1)
        return false;
    if (hub_set_writer(r->hub, pair, now))
        return true;
    close(pair);
    return false;
}

/* Until a writer has said where its file ends it takes no lines, and on a busy machine that can be
 * long after its start. What members got before that would not outlive the hub. */
static void first_word_await(int pair)
{
    struct pollfd pfd = {.fd = pair, .events = POLLIN};

    (void)poll(&pfd, 1, FIRST_WORD_MS);
}

/* The service manager's limit for a start does not run out while an earlier writer is at work. */
static void start_waits(void *context)
{
    const struct recording *r = context;

    notify_say(r->notify, "EXTEND_TIMEOUT_USEC=%u\nSTATUS=waiting for an earlier writer to finish",
        EXTEND_US);
}

static bool recording_open(struct recording *r)
{
    const struct transcript_waiter waiter = {start_waits, r};
    char why[TRANSCRIPT_WHY_MAX];

    r->file = transcript_open(r->path, why);
    if (r->file != -1 && transcript_lock_waiting(r->file, r->path, r->report, &waiter, why) &&
        transcript_check(r->file, why)) {
        if (r->sync && !transcript_sync_name(r->path, why))
            report(r->report, LOG_WARNING, "%s: %s", r->path, why);
        return true;
    }
    report(r->report, LOG_ERR, "%s: %s", r->path, why);
    return false;
}

int recording_begin(struct recording *r)
{
    int pair;

    if (r->path == NULL)
        return 0;
    if (!recording_open(r) || !readback(r->file, r->path, r->hub, r->report))
        return EX_CANTCREAT;
    pair = writer_spawn(r, clock_us());
    if (pair != -1)
        first_word_await(pair);
    if (writer_set(r, pair, clock_us()))
        return 0;
    report(r->report, LOG_ERR, "cannot start the transcript's writer: %s", strerror(errno));
    return EX_OSERR;
}

/* ---- Another file ---------------------------------------------------------------------------- */

void recording_reopen(struct recording *r, uint64_t now)
{
    if (r->path == NULL)
        return;
    r->again = r->opener != -1;
    if (r->again)
        return;
    r->open_at = now + RETRY_US;
    if (!children_start_opener(r->children, r->file, r->path, r->sync, &r->opener)) {
        r->opener = -1;
        report(r->report, LOG_ERR, "%s: cannot be opened anew: %s", r->path, strerror(errno));
    }
    transcript_mark(r->file);
}

void recording_opened(struct recording *r)
{
    char why[TRANSCRIPT_WHY_MAX];
    int fd = opener_result(r->opener, why);

    descriptor_close(&r->opener);
    if (fd != -1) {
        descriptor_close(&r->next);
        r->next = fd;
        recording_renew(r);
    } else if (why[0] != '\0' && !r->reported) {
        report(r->report, LOG_ERR, "%s: cannot be opened anew: %s%s", r->path, why,
            hub_wants_file(r->hub) ? "" : "; the old file is written on");
    }
    if (fd != -1 && why[0] != '\0')
        report(r->report, LOG_WARNING, "%s: %s", r->path, why);
    r->reported = fd == -1 && hub_wants_file(r->hub);
    if (r->again)
        recording_reopen(r, clock_us());
}

/* ---- Another writer -------------------------------------------------------------------------- */

void recording_renew(struct recording *r)
{
    r->start_at = 0;
    hub_finish_writer(r->hub);
}

/*
 * A writer that was killed on its way to the next file may have written lines that it did not
 * answer for. Only another one on the same file can tell: it finishes the file first.
 */
static void writer_restart(struct recording *r, uint64_t now)
{
    bool finish_first = r->next != -1 && hub_is_unsure_of_file(r->hub);

    if (r->next != -1 && !finish_first) {
        descriptor_close(&r->file);
        r->file = r->next;
        r->next = -1;
    }
    if (writer_set(r, writer_spawn(r, now), now)) {
        r->reported = false;
        if (finish_first)
            recording_renew(r);
        return;
    }
    if (!r->reported)
        report(r->report, LOG_ERR, "cannot start the transcript's writer: %s", strerror(errno));
    r->reported = true;
    hub_miss_writer(r->hub);
}

int recording_turn(struct recording *r, uint64_t now)
{
    bool wants_file = r->path != NULL && r->opener == -1 && hub_wants_file(r->hub);

    if (wants_file && now >= r->open_at)
        recording_reopen(r, now);
    if (r->path != NULL && !hub_has_writer(r->hub)) {
        if (now >= r->start_at)
            writer_restart(r, now);
        return timeout_until(r->start_at, now);
    }
    return wants_file ? timeout_until(r->open_at, now) : -1;
}

/* ---- The exit -------------------------------------------------------------------------------- */

/* Leaves what the writer was not handed yet to another process, with quits that come behind it.
 * False: it is lost. */
static bool rest_leave(struct recording *r, uint64_t *quits)
{
    int lines = memory_file_blank(0);
    int pair = -1;
    bool done = lines != -1 && hub_write_rest(r->hub, lines, &pair, quits);

    if (done && pair != -1)
        done = lseek(lines, 0, SEEK_SET) == 0 && children_start_remainder(r->children, lines, pair);
    if (lines != -1)
        close(lines);
    return done;
}

void recording_end(struct recording *r)
{
    unsigned long long missing = r->path == NULL ? 0 : hub_unwritten(r->hub);
    uint64_t quits = 0;
    bool left = missing > 0 && !hub_is_done(r->hub) && rest_leave(r, &quits);

    missing += quits;

    if (left && !hub_file_fails(r->hub))
        report(r->report, LOG_WARNING, "%s: the disk is slow: the writer goes on with %llu events",
            r->path, missing);
    else if (missing > 0)
        report(r->report, LOG_WARNING, "%s: %llu events are missing from the transcript", r->path,
            missing);
}

void recording_state(struct recording *r, struct codec *c)
{
    codec_fd(c, &r->file);
    codec_fd(c, &r->next);
    codec_fd(c, &r->opener);
    codec_bool(c, &r->again);
    codec_u64(c, &r->start_at);
}
