/* report.c: see report.h. */
#include "report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
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

int report_turn(const struct report *r)
{
    return write_loss(r) ? -1 : LOSS_RETRY_MS;
}

__attribute__((format(printf, 3, 0))) static void vreport(
    const struct report *report, int priority, const char *format, va_list ap)
{
    char text[REPORT_MAX];
    char clean[3 * REPORT_MAX + 1];
    int n = vsnprintf(text, sizeof(text), format, ap);

    if (n < 0)
        return;
    clean[text_clean(clean, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1)] = '\0';
    if ((!write_loss(report) || !write_line(report, priority, clean)) && report->loss != NULL)
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
    vreport(report, priority, format, ap);
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
    vreport(r, priority, format, ap);
    va_end(ap);
}
