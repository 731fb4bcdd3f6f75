/*
 * report.h: what the server says to its operator: lines on stderr or to syslog.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum report_to {
    REPORT_STDERR,  /* "chatd: text", by the name that the program was built with */
    REPORT_JOURNAL, /* the same with a priority prefix, sd-daemon(3) */
    REPORT_SYSLOG,
    REPORT_BOTH /* stderr and syslog: a server that will detach is starting */
};

/* Lines that a log did not take, since it was last said how many. Zero at first. */
struct report_loss {
    uint64_t lines;
};

/* Lines a second, in any second, that strangers can cause. */
#define REPORT_LIMIT_LINES 10

/* When something that strangers can cause at will was said. Zero at first. */
struct report_limit {
    uint64_t times[REPORT_LIMIT_LINES]; /* of the last lines, as a ring: */
    unsigned oldest;
    unsigned long left; /* out, since the last line that was said */
};

struct report {
    enum report_to to;
    struct report_loss *loss;       /* NULL: they are not counted */
    struct report_limit *strangers; /* for report_stranger(); NULL: no limit */
    int syslog;                     /* of syslog_connect() */
    int level; /* what is more detailed than this priority (LOG_INFO, ...) is not said */
};

/* Decides what is said: all (-v), what is worth keeping, or what is worth a line on a terminal. */
void report_set_level(struct report *, bool all, bool kept);

/*
 * Says one line. priority is syslog(3)'s (LOG_ERR, ...). Never blocks: where the log takes nothing
 * now, the line is left out, and the log has a line with the count before the next one that it
 * takes. Bytes that are not safe to print are replaced.
 */
void report(const struct report *, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says how many lines were left out, as soon as the log takes that; in how many milliseconds it is
 * to be tried again, -1: no need. */
int report_turn(const struct report *);

/*
 * Says what a client causes, a stranger among others: joins and leaves, refusals, errors of
 * workers. All of these together are REPORT_LIMIT_LINES a second at most; then only how many were
 * left out. now is in microseconds, of any clock that does not step back.
 */
void report_stranger(const struct report *, uint64_t now, int priority, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
