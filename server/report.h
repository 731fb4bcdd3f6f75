/*
 * report.h: the operator's log: lines on stderr or to syslog.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_to {
    REPORT_STDERR,  /* "chatd: text", by the name that the program was built with */
    REPORT_JOURNAL, /* the same with a priority prefix, sd-daemon(3) */
    REPORT_SYSLOG,
    REPORT_BOTH /* stderr and syslog: a server that will detach is starting */
};

/* The number of lines that the log did not take and that were not reported yet. Zero at first. */
struct report_loss {
    uint64_t lines;
};

/*
 * Lines of long reports that the log has not taken yet: bytes from at to len are entries, a byte of
 * priority and a NUL-terminated line each. Zero at first.
 *
 *   at <= len <= size
 */
struct report_queue {
    char *bytes;
    size_t at;
    size_t len;
    size_t size;
    uint64_t stuck_since; /* the log has taken nothing since then; 0: it has */
};

/* Lines a second, in any second, that strangers can cause. */
#define REPORT_LIMIT_LINES 10

/* The times of the last lines that strangers have caused. Zero at first. */
struct report_limit {
    uint64_t times[REPORT_LIMIT_LINES]; /* of the last lines, as a ring: */
    unsigned oldest;
    unsigned long left; /* out, since the last line that was said */
};

struct report {
    enum report_to to;
    struct report_loss *loss;       /* NULL: they are not counted */
    struct report_queue *queue;     /* for report_long(); NULL: no line waits */
    struct report_limit *strangers; /* for report_stranger(); NULL: no limit */
    int syslog;                     /* of syslog_connect() */
    int level; /* lines of a lower priority than this (LOG_INFO, ...) are not written */
};

/* all (-v): every line; kept: the log is stored, so joins and leaves too; else notices and errors.
 */
void report_set_level(struct report *, bool all, bool kept);

/*
 * Writes one line. priority is syslog(3)'s (LOG_ERR, ...). Never blocks: if the log takes nothing
 * now, the line is left out and counted, and the count precedes the next line that the log takes.
 * Bytes that are not safe to print are replaced.
 */
void report(const struct report *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The same for a line of a report that may have thousands: where the log takes nothing now, it
 * waits. It is left out if megabytes wait already, or once the log has taken nothing for 5 seconds.
 */
void report_long(const struct report *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the lines that wait, and then how many were left out, as far as the log takes them.
 * Returns in how many milliseconds to call it again, -1: no need. */
int report_turn(const struct report *);
/* Leaves out and counts the lines that wait. */
void report_drop(const struct report *);

/*
 * The same for a line that clients, strangers among them, can cause: joins and leaves, refusals,
 * errors of workers. All of these together are at most REPORT_LIMIT_LINES a second; what exceeds
 * that is counted. now is in microseconds, of any clock that does not step back.
 */
void report_stranger(const struct report *, uint64_t now, int priority, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
