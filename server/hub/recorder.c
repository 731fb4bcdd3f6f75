/*
 * recorder.c: the transcript from the hub's side. The writer is one more reader of the log, but the
 * first: members are shown nothing that it has not been handed, so what was echoed survives the
 * hub's death; with -s nothing that it has not confirmed. It answers with the stamp up to which
 * the file holds the events, so that one that died is replaced without a loss.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/poller.h"
#include "hub_private.h"
#include "server/journal/transcript.h"

/* Without -s: how long the room waits for a writer that takes nothing. */
#define BEHIND_US 200000u
/* No member has it: gaps in the file count none of anybody's lines. */
#define WRITER_ID UINT32_MAX

/* ---- At a start
 * ----------------------------------------------------------------------------------- */

size_t hub_log_size(const struct hub *hub)
{
    return log_size(hub->log);
}

void hub_remember(struct hub *hub, const char *line, size_t len, uint64_t stamp, bool keep)
{
    char lf = '\n';
    struct iovec parts[2] = {{(char *)line, len}, {&lf, 1}};

    if (stamp > hub->stamp)
        hub->stamp = stamp;
    if (keep)
        log_append(hub->log, parts, 2, stamp, 0);
    else
        log_note_dropped(hub->log, stamp);
}

void hub_remember_gap(struct hub *hub, uint64_t stamp)
{
    if (stamp > hub->stamp)
        hub->stamp = stamp;
    log_note_dropped(hub->log, stamp);
}

/* The file has everything before pos, or says how much it lacks. */
static void file_to(struct hub *hub, uint64_t pos)
{
    struct recorder *r = &hub->recorder;

    r->filed = pos;
    r->filed_count = log_count(hub->log, pos);
    if (pos > r->kept)
        r->kept = pos;
}

void hub_remember_end(struct hub *hub)
{
    file_to(hub, log_head(hub->log));
}

void hub_say_absent(struct hub *hub, const char *name)
{
    hub_clock(hub);
    hub_event(hub, "quit", name, "lost", (struct span){NULL, 0}, 0);
}

static void writer_end(struct hub *hub)
{
    struct recorder *r = &hub->recorder;
    struct member *w = r->writer;

    if (w == NULL)
        return;
    /* Something may have been put into its outbox in this very turn. */
    for (struct member **m = &hub->dirty_first; *m != NULL; m = &(*m)->next_dirty)
        if (*m == w) {
            *m = w->next_dirty;
            break;
        }
    poller_remove(hub->config.poller, w->fd);
    close(w->fd);
    outbox_clear(&w->out);
    free(w);
    r->writer = NULL;
    r->ready = false;
}

/* It has died, or hung up. */
static void writer_lose(struct hub *hub)
{
    if (hub->recorder.writer == NULL)
        return;
    report(hub->config.report, LOG_WARNING, "the transcript's writer has ended");
    writer_end(hub);
}

bool hub_set_writer(struct hub *hub, int fd, bool sync, uint64_t now)
{
    struct recorder *r = &hub->recorder;
    struct member *w = calloc(1, sizeof(*w));

    if (w == NULL || poller_set(hub->config.poller, fd, POLLIN, w) == -1) {
        free(w);
        return false;
    }
    writer_lose(hub); /* one whose end was not noticed yet */
    w->fd = fd;
    w->interest = POLLIN;
    w->id = WRITER_ID;
    w->reaped = true; /* it is not for the hub to signal or to wait for */
    w->progress = now;
    w->out.ahead = true;
    strcpy(w->peer, "transcript");
    line_splitter_init(&r->splitter, r->held, sizeof(r->held) - 1);
    r->writer = w;
    r->wanted = true;
    r->sync = sync;
    r->ready = false;
    return true;
}

void recorder_free(struct hub *hub)
{
    writer_end(hub);
}

/* ---- What cannot be kept on the disk is taken back
 * ------------------------------------------------ */

/* Joins, leaves and new names have happened; what somebody said has not, as long as nobody saw it.
 */
static bool is_said(const char *line, size_t len)
{
    struct event event;

    return event_parse(&event, line, len) && verb_is_message(event.verb);
}

struct removal {
    struct log_removed *lines;
    size_t count;
};

static uint64_t moved_up(const struct removal *r, uint64_t pos)
{
    uint64_t less = 0;

    for (size_t i = 0; i < r->count && r->lines[i].start < pos; i++)
        less += (r->lines[i].end < pos ? r->lines[i].end : pos) - r->lines[i].start;
    return pos - less;
}

static struct member *author_of(const struct hub *hub, uint32_t id)
{
    for (struct member *m = hub->first; m != NULL; m = m->next)
        if (m->id == id && !m->over)
            return m;
    return NULL;
}

/* Puts the answer, which is used up, in the place where the echo would have been. */
static void refuse_line(struct hub *hub, const struct log_removed *line, struct item *error)
{
    struct member *m = author_of(hub, line->author);
    struct item *before = NULL;
    struct item *next;

    hub->counters.echoed--;
    hub->counters.refused++;
    if (m == NULL || m->deaf) {
        item_free(error);
        return;
    }
    next = m->out.first;
    if (!m->posting) {
        while (next != NULL && next->due <= line->start)
            before = next, next = next->next;
        error->due = error->after = line->start;
    } else {
        /* One who posts has his echo as an item of his own: it is replaced. */
        while (next != NULL && next->shown != line->end)
            before = next, next = next->next;
        if (next != NULL)
            outbox_remove(&m->out, before);
        error->due = error->after = outbox_end(hub, &m->out);
    }
    outbox_insert(&m->out, before, error);
    outbox_mark(hub, m);
}

static void outbox_move_up(struct outbox *out, const struct removal *r)
{
    if (out->reads_log) {
        out->cursor = moved_up(r, out->cursor);
        out->moved_to = moved_up(r, out->moved_to);
    }
    if (out->limit != UINT64_MAX)
        out->limit = moved_up(r, out->limit);
    for (struct item *item = out->first; item != NULL; item = item->next) {
        item->shown = moved_up(r, item->shown);
        if (out->reads_log) {
            item->due = moved_up(r, item->due);
            item->after = moved_up(r, item->after);
        }
    }
}

static void errors_free(struct item *errors)
{
    while (errors != NULL) {
        struct item *next = errors->next;

        item_free(errors);
        errors = next;
    }
}

/* So many answers, as a chain; NULL without memory for all of them. */
static struct item *errors_new(struct hub *hub, uint64_t count)
{
    struct item *errors = NULL;

    for (uint64_t i = 0; i < count; i++) {
        struct item *error =
            item_say(hub, "error not-recorded the disk does not take it; nobody has got it");

        if (error == NULL) {
            errors_free(errors);
            return NULL;
        }
        error->next = errors;
        errors = error;
    }
    return errors;
}

/*
 * Takes back what was said in [from, *to), and answers it; *to is then where that is now. False
 * without memory; then nothing has changed.
 */
static bool take_back(struct hub *hub, uint64_t from, uint64_t *to)
{
    struct item *errors = errors_new(hub, log_count(hub->log, *to) - log_count(hub->log, from));
    struct removal r = {.count = SIZE_MAX};

    if (errors != NULL)
        r.count = log_remove(hub->log, from, *to, is_said, &r.lines);
    if (r.count == SIZE_MAX) {
        errors_free(errors);
        return false;
    }
    for (size_t i = 0; i < r.count; i++) {
        struct item *error = errors;

        errors = error->next;
        refuse_line(hub, &r.lines[i], error);
    }
    errors_free(errors);
    /* What stood behind such a line may now be due where everybody has long been. */
    for (struct member *m = hub->first; m != NULL; m = m->next) {
        outbox_move_up(&m->out, &r);
        outbox_mark(hub, m);
    }
    if (hub->recorder.writer != NULL)
        outbox_move_up(&hub->recorder.writer->out, &r);
    *to = moved_up(&r, *to);
    free(r.lines);
    return true;
}

/* ---- What the writer says
 * ------------------------------------------------------------------------- */

/* The line that says how many events the file lacks before from. False: it lacks none. */
static bool say_gap(struct hub *hub, uint64_t stamp, uint64_t from)
{
    struct recorder *r = &hub->recorder;
    uint64_t count = log_count(hub->log, from) - r->filed_count;
    struct item *gap;

    if (r->filed == 0 || count == 0 || !log_dropped_after(hub->log, stamp))
        return false;
    gap = item_say(hub, "gap %llu 0", (unsigned long long)count);
    if (gap == NULL)
        return true;
    gap->due = gap->after = from;
    gap_stamp(hub, gap);
    outbox_insert(&r->writer->out, NULL, gap);
    return true;
}

/*
 * The first word of a writer: here its file ends, so there it goes on; but nothing that is in the
 * file's predecessor, which was moved away, comes again.
 */
static void writer_begins(struct hub *hub, uint64_t stamp)
{
    struct recorder *r = &hub->recorder;
    struct outbox *out = &r->writer->out;
    uint64_t from = log_after(hub->log, stamp);

    if (from < r->filed)
        from = r->filed;
    r->ready = true;
    r->kept = from;
    if (from < hub->floor)
        hub->floor = from;
    out->reads_log = true;
    out->cursor = out->moved_to = from;
    out->limit = UINT64_MAX;
    if (!say_gap(hub, stamp, from))
        file_to(hub, from);
}

/*
 * The disk takes nothing from here on: with -s what is said is taken back. Without memory for that
 * the writer goes: each turn tries it again, until the next writer may do better with these lines.
 */
static void give_up_to(struct hub *hub, uint64_t pos)
{
    struct recorder *r = &hub->recorder;

    r->failing = true;
    if (r->sync && pos > r->kept && !take_back(hub, r->kept, &pos)) {
        writer_end(hub);
        return;
    }
    if (pos > r->kept)
        r->kept = pos;
}

void hub_miss_writer(struct hub *hub)
{
    hub->recorder.failing = true;
}

static void writer_line(struct hub *hub, const char *line, size_t len)
{
    struct recorder *r = &hub->recorder;
    size_t kept = strlen(WRITER_KEPT);
    size_t lost = strlen(WRITER_LOST);
    size_t warn = strlen(WRITER_WARN);
    uint64_t stamp;
    uint64_t pos;

    if (len > kept && memcmp(line, WRITER_KEPT, kept) == 0 &&
        stamp_parse(line + kept, len - kept, &stamp)) {
        r->failing = false;
        if (!r->ready)
            writer_begins(hub, stamp);
        else if ((pos = log_after(hub->log, stamp)) > r->filed)
            file_to(hub, pos);
    } else if (len > lost && memcmp(line, WRITER_LOST, lost) == 0 &&
               stamp_parse(line + lost, len - lost, &stamp)) {
        give_up_to(hub, log_after(hub->log, stamp));
    } else if (len > warn && memcmp(line, WRITER_WARN, warn) == 0) {
        report(hub->config.report, LOG_WARNING, "%.*s", (int)(len - warn), line + warn);
    }
}

static void writer_read(struct hub *hub)
{
    struct recorder *r = &hub->recorder;
    char buf[8192];
    struct span line;
    ssize_t n = recv(r->writer->fd, buf, sizeof(buf), 0);
    const char *at = buf;

    r->readable = false;
    if (n == -1 && errno != ECONNRESET)
        return; /* nothing, or no memory, now */
    if (n <= 0) {
        writer_lose(hub);
        return;
    }
    while (r->writer != NULL && line_next(&r->splitter, &at, buf + n, &line) == LINE_READY)
        writer_line(hub, line.at, line.len);
}

/* ---- The turn
 * ------------------------------------------------------------------------------------- */

/* How far the room may be shown, and whether the disk has been waited for too long. */
static uint64_t find_shown(struct hub *hub)
{
    struct recorder *r = &hub->recorder;
    uint64_t head = log_head(hub->log);
    uint64_t handed;

    if (!r->wanted)
        return head;
    if (r->sync)
        return r->kept;
    handed = r->ready ? log_line_at(hub->log, r->writer->out.cursor) : r->kept;
    if (handed >= head) {
        if (r->behind)
            report(hub->config.report, LOG_NOTICE, "the transcript has caught up");
        r->behind = false;
        r->waiting_since = 0;
        return head;
    }
    if (r->waiting_since == 0 || handed > hub->shown)
        r->waiting_since = hub->now;
    if (!r->behind && hub->now - r->waiting_since >= BEHIND_US) {
        r->behind = true;
        report(hub->config.report, LOG_WARNING,
            "the disk is slow: the room goes on before the transcript has its lines");
    }
    return r->behind ? head : handed;
}

void recorder_turn(struct hub *hub)
{
    struct recorder *r = &hub->recorder;
    uint64_t shown;

    if (r->writer != NULL && r->readable)
        writer_read(hub);
    if (r->writer != NULL && r->ready) {
        outbox_flush(hub, r->writer);
        member_listen(hub, r->writer);
    }
    if (r->writer == NULL && r->failing && r->sync)
        give_up_to(hub, log_head(hub->log));
    shown = find_shown(hub);
    if (shown > hub->shown)
        hub->shown = shown;
}

uint64_t recorder_due(const struct hub *hub)
{
    const struct recorder *r = &hub->recorder;

    if (r->waiting_since == 0 || r->behind || r->sync)
        return UINT64_MAX;
    return r->waiting_since + BEHIND_US;
}

bool recorder_refuses(const struct hub *hub)
{
    return hub->recorder.sync && hub->recorder.failing;
}

uint64_t recorder_needs(const struct hub *hub)
{
    return hub->recorder.wanted ? hub->recorder.kept : UINT64_MAX;
}

void recorder_move_ahead(struct hub *hub, uint64_t target)
{
    struct recorder *r = &hub->recorder;

    if (!r->wanted || r->sync || r->kept >= target)
        return;
    if (r->writer != NULL && r->ready && outbox_needs(&r->writer->out) < target &&
        !outbox_move_ahead(hub, r->writer, target))
        return;
    r->kept = target;
}

void hub_reopen(struct hub *hub)
{
    struct member *w = hub->recorder.writer;
    struct item *item = item_new(strlen(WRITER_REOPEN));

    if (w == NULL || item == NULL) {
        if (item != NULL)
            item_free(item);
        return;
    }
    memcpy(item->bytes, WRITER_REOPEN, item->len);
    outbox_put(hub, w, item);
}

void recorder_say_quits(struct hub *hub)
{
    struct member *w = hub->recorder.writer;

    if (w == NULL)
        return;
    for (struct member *m = hub->first; m != NULL; m = m->next) {
        char stamp[STAMP_LEN];
        struct item *item;

        if (!m->seated)
            continue;
        item = item_say(hub, "quit %s lost", m->name);
        if (item == NULL)
            return; /* the next start says it */
        hub->stamp = hub->wall > hub->stamp ? hub->wall : hub->stamp + 1;
        stamp_format(stamp, hub->stamp);
        memcpy(item->bytes, stamp, STAMP_LEN);
        outbox_put(hub, w, item);
    }
}

bool hub_is_done(const struct hub *hub)
{
    const struct recorder *r = &hub->recorder;

    if (hub->workers > 0)
        return false;
    return r->writer == NULL ||
           (r->writer->out.first == NULL && r->writer->out.cursor >= log_head(hub->log));
}
