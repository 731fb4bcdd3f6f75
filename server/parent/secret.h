/*
 * secret.h: the file of -k, whose first line is the secret that a client must give.
 */
#ifndef SERVER_SECRET_H
#define SERVER_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol.h"
#include "server/report.h"

/* What fits behind "/pass " in a client's line. */
#define SECRET_LEN_MAX (LINE_IN_MAX - 6)

/* Zeroed, there is none. */
struct secret {
    char text[SECRET_LEN_MAX + 1];
    bool once; /* it came out of a pipe, a FIFO or a device: it cannot be read again */
};

enum secret_result {
    SECRET_READ,
    SECRET_EMPTY,
    SECRET_TOO_LONG,
    SECRET_UNCLEAN,    /* cleaning would change it: chat-protocol(7), TEXT */
    SECRET_UNREADABLE, /* with errno */
    SECRET_EXPOSED     /* others may read or change the file */
};

/*
 * Reads the first line of a file. Out of a pipe or a FIFO it is waited for, at most wait_ms.
 * Unless the result is SECRET_READ the secret is left as it was.
 */
enum secret_result secret_read(struct secret *, const char *path, int wait_ms);

/*
 * At the start, while the descriptors of the caller are still open (path may be one of them):
 * returns 0, or the exit status after a report. path NULL: nothing is done.
 */
int secret_load(struct secret *, const char *path, const struct report *);
/*
 * At SIGHUP: the old secret stays, with a report, where the file cannot be read, as perhaps by the
 * user of -u, or is wrong.
 */
void secret_reload(struct secret *, const char *path, const struct report *);

#endif
