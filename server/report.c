/* report.c: see report.h. */
#include "report.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../protocol.h"

/* A line of at most PIPE_BUF bytes is written to a pipe whole or, after poll says so, at once. */
#define REPORT_MAX 512

static void write_stderr(const char *line, size_t len)
{
    struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT) != 0 &&
        write(STDERR_FILENO, line, len) == -1)
        return; /* there is nobody left to tell */
}

void report(const struct report *report, int priority, const char *format, ...)
{
    char text[REPORT_MAX];
    char clean[3 * REPORT_MAX];
    char line[3 * REPORT_MAX + 32];
    size_t len;
    int n;
    va_list ap;

    if (priority >= LOG_INFO && !report->verbose)
        return;
    va_start(ap, format);
    n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (n < 0)
        return;
    len = text_clean(clean, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    if (report->to == REPORT_SYSLOG) {
        syslog(priority, "%.*s", (int)len, clean);
        return;
    }
    if (report->to == REPORT_JOURNAL)
        n = snprintf(line, sizeof(line), "<%d>chatd: %.*s\n", priority, (int)len, clean);
    else
        n = snprintf(line, sizeof(line), "chatd: %.*s\n", (int)len, clean);
    write_stderr(line, (size_t)n);
}

bool report_due(uint64_t *last, uint64_t now, uint64_t every_us)
{
    if (*last != 0 && now - *last < every_us)
        return false;
    *last = now;
    return true;
}
