/*
 * report.h: what the server says to its operator: lines on stderr or to syslog.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum report_to {
    REPORT_STDERR,  /* "chatd: text" */
    REPORT_JOURNAL, /* the same with a priority prefix, sd-daemon(3) */
    REPORT_SYSLOG,
    REPORT_BOTH /* stderr and syslog: a server that will detach is starting */
};

struct report {
    enum report_to to;
    int syslog;   /* of syslog_connect() */
    bool verbose; /* report LOG_INFO and LOG_DEBUG too */
};

/*
 * Says one line. priority is syslog(3)'s (LOG_ERR, ...). Never blocks: where stderr takes nothing
 * now, the line is lost. Bytes that are not safe to print are replaced.
 */
void report(const struct report *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True at most once in so many microseconds: *last is the caller's, zero at first. */
bool report_due(uint64_t *last, uint64_t now, uint64_t every_us);

#endif
