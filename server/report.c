/* report.c: see report.h. */
#include "report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../compat/compat.h"
#include "../protocol.h"

/* A line of at most PIPE_BUF bytes is written to a pipe whole or, after poll says so, at once. */
#define REPORT_MAX 512

static void write_stderr(const struct report *report, int priority, const char *text)
{
    char line[3 * REPORT_MAX + 32];
    int n = report->to == REPORT_JOURNAL
                ? snprintf(line, sizeof(line), "<%d>chatd: %s\n", priority, text)
                : snprintf(line, sizeof(line), "chatd: %s\n", text);
    struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT) != 0 &&
        write(STDERR_FILENO, line, (size_t)n) == -1)
        return; /* there is nobody left to tell */
}

void report(const struct report *report, int priority, const char *format, ...)
{
    char text[REPORT_MAX];
    char clean[3 * REPORT_MAX + 1];
    int n;
    va_list ap;

    if (priority >= LOG_INFO && !report->verbose)
        return;
    va_start(ap, format);
    n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (n < 0)
        return;
    clean[text_clean(clean, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1)] = '\0';
    if (report->to != REPORT_SYSLOG)
        write_stderr(report, priority, clean);
    if (report->to == REPORT_SYSLOG || report->to == REPORT_BOTH)
        syslog_line(report->syslog, "chatd", priority, clean);
}

bool report_due(uint64_t *last, uint64_t now, uint64_t every_us)
{
    if (*last != 0 && now - *last < every_us)
        return false;
    *last = now;
    return true;
}
