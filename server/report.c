/* report.c: writes lines, limits their number, and queues what cannot be written now. */
#include "report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "protocol.h"
#include "wire/text.h"

/* A line of at most PIPE_BUF bytes is written to a pipe whole or, after poll says so, at once. */
#define REPORT_MAX 512
/* The span in which at most REPORT_LIMIT_LINES lines are written. */
#define LIMIT_US 1000000u

/* How often to try to report that lines were left out. */
#define LOSS_RETRY_MS 1000

/* The queue of a report's lines: its size at first and at most, how often to try to write, and
 * after how long to give up. A report of ten thousand members is two megabytes. */
#define QUEUE_FIRST 65536
#define QUEUE_MAX (1u << 23)
#define QUEUE_RETRY_MS 10
#define QUEUE_STUCK_US 5000000u

/* False where the line could not be written at once, and whole. */
static bool write_stderr(const struct report *report, int priority, const char *text)
{
    char line[3 * REPORT_MAX + 32];
    int n = report->to == REPORT_JOURNAL
                ? snprintf(line, sizeof(line), "<%d>" CHATD_PROGRAM ": %s\n", priority, text)
                : snprintf(line, sizeof(line), CHATD_PROGRAM ": %s\n", text);
    struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

    return n > 0 && (size_t)n < sizeof(line) && poll(&pfd, 1, 0) == 1 &&
           (pfd.revents & POLLOUT) != 0 && write(STDERR_FILENO, line, (size_t)n) == n;
}

/* True if at least one log took the line. */
static bool write_line(const struct report *r, int priority, const char *text)
{
    bool done = false;

    if (r->to != REPORT_SYSLOG)
        done = write_stderr(r, priority, text);
    if (r->to == REPORT_SYSLOG || r->to == REPORT_BOTH)
        done = syslog_line(r->syslog, CHATD_PROGRAM, priority, text) || done;
    return done;
}

/* Reports how many lines were left out; false if the log still takes nothing. */
static bool write_loss(const struct report *r)
{
    char text[REPORT_MAX];

    if (r->loss == NULL || r->loss->lines == 0)
        return true;
    snprintf(text, sizeof(text), "%llu line%s left out: the log was not read",
        (unsigned long long)r->loss->lines, r->loss->lines == 1 ? "" : "s");
    if (!write_line(r, LOG_WARNING, text))
        return false;
    r->loss->lines = 0;
    return true;
}

/* ---- Lines that wait ------------------------------------------------------------------------- */

/* Makes space for so many bytes. False: there is none. */
static bool queue_reserve(struct report_queue *q, size_t bytes)
{
    size_t size = q->size != 0 ? 2 * q->size : QUEUE_FIRST;
    char *more;

    if (q->at > 0) {
        q->len -= q->at;
        memmove(q->bytes, q->bytes + q->at, q->len);
        q->at = 0;
    }
    if (q->size - q->len >= bytes)
        return true;
    more = size > QUEUE_MAX ? NULL : realloc(q->bytes, size);
    if (more == NULL)
        return false;
    q->bytes = more;
    q->size = size;
    return true;
}

static bool report_keep(struct report_queue *q, int priority, const char *text)
{
    size_t len = strlen(text) + 1;

    if (q == NULL || (q->size - q->len < 1 + len && !queue_reserve(q, 1 + len)))
        return false;
    q->bytes[q->len] = (char)priority;
    memcpy(q->bytes + q->len + 1, text, len);
    q->len += 1 + len;
    return true;
}

static bool queue_is_empty(const struct report_queue *q)
{
    return q == NULL || q->at == q->len;
}

static void queue_clear(struct report_queue *q)
{
    free(q->bytes);
    *q = (struct report_queue){.bytes = NULL};
}

/* False where lines still wait. */
static bool queue_write(const struct report *r)
{
    struct report_queue *q = r->queue;

    while (!queue_is_empty(q)) {
        const char *text = q->bytes + q->at + 1;

        if (!write_line(r, q->bytes[q->at], text)) {
            if (q->stuck_since == 0)
                q->stuck_since = clock_us();
            return false;
        }
        q->stuck_since = 0;
        q->at += 1 + strlen(text) + 1;
    }
    if (q != NULL)
        queue_clear(q);
    return true;
}

void report_drop(const struct report *r)
{
    struct report_queue *q = r->queue;

    while (!queue_is_empty(q)) {
        q->at += 1 + strlen(q->bytes + q->at + 1) + 1;
        if (r->loss != NULL)
            r->loss->lines++;
    }
    if (q != NULL)
        queue_clear(q);
}

int report_turn(const struct report *r)
{
    if (!queue_write(r)) {
        if (clock_us() - r->queue->stuck_since < QUEUE_STUCK_US)
            return QUEUE_RETRY_MS;
        report_drop(r);
    }
    return write_loss(r) ? -1 : LOSS_RETRY_MS;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 0))) static void vreport(
    const struct report *report, bool waits, int priority, const char *format, va_list ap)
{
    char text[REPORT_MAX];
    char clean[3 * REPORT_MAX + 1];
    int n = vsnprintf(text, sizeof(text), format, ap);

    if (n < 0)
        return;
    clean[text_clean(clean, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1)] = '\0';
    if ((!waits || queue_is_empty(report->queue)) && write_loss(report) &&
        write_line(report, priority, clean))
        return;
    if (!(waits && report_keep(report->queue, priority, clean)) && report->loss != NULL)
        report->loss->lines++;
}

void report_set_level(struct report *r, bool all, bool kept)
{
    r->level = all ? LOG_DEBUG : kept ? LOG_INFO : LOG_NOTICE;
}

void report(const struct report *report, int priority, const char *format, ...)
{
    va_list ap;

    if (priority > report->level)
        return;
    va_start(ap, format);
    vreport(report, false, priority, format, ap);
    va_end(ap);
}

void report_long(const struct report *report, int priority, const char *format, ...)
{
    va_list ap;

    if (priority > report->level)
        return;
    va_start(ap, format);
    vreport(report, true, priority, format, ap);
    va_end(ap);
}

/* True if that many more lines, one or two, keep the limit. */
static bool limit_allows(const struct report_limit *limit, uint64_t now, unsigned lines)
{
    uint64_t time = limit->times[(limit->oldest + lines - 1) % REPORT_LIMIT_LINES];

    return time == 0 || now - time >= LIMIT_US;
}

static void limit_count(struct report_limit *limit, uint64_t now)
{
    limit->times[limit->oldest] = now;
    limit->oldest = (limit->oldest + 1) % REPORT_LIMIT_LINES;
}

/* True if the next line may be written; reports before it how many were left out. */
static bool limit_passes(const struct report *r, uint64_t now, int priority)
{
    struct report_limit *limit = r->strangers;

    if (!limit_allows(limit, now, limit->left > 0 ? 2 : 1)) {
        limit->left++;
        return false;
    }
    if (limit->left > 0) {
        report(r, priority, "%lu lines like the next were left out", limit->left);
        limit_count(limit, now);
    }
    limit->left = 0;
    limit_count(limit, now);
    return true;
}

void report_stranger(const struct report *r, uint64_t now, int priority, const char *format, ...)
{
    va_list ap;

    if (priority > r->level || (r->strangers != NULL && !limit_passes(r, now, priority)))
        return;
    va_start(ap, format);
    vreport(r, false, priority, format, ap);
    va_end(ap);
}
