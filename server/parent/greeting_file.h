/*
 * greeting_file.h: the file of -g, whose lines greet those who join.
 */
#ifndef SERVER_GREETING_FILE_H
#define SERVER_GREETING_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/report.h"

/* What the file may hold. Each client that joins has this much more pending, and a time per line.
 */
#define GREETING_BYTES_MAX 8192
#define GREETING_LINES_MAX 100

/* Zeroed, there is none. */
struct greeting {
    char text[3 * GREETING_BYTES_MAX + 2]; /* clean lines, each with its LF */
    bool once; /* it came out of a pipe, a FIFO or a device: it cannot be read again */
};

/*
 * At the start, while the descriptors of the caller are still open (path may be one of them):
 * returns 0, or the exit status after a report. path NULL: nothing is done.
 */
int greeting_load(struct greeting *, const char *path, const struct report *);
/* At SIGHUP: the old greeting stays, with a report, where the file cannot be read or is wrong. */
void greeting_reload(struct greeting *, const char *path, const struct report *);

#endif
