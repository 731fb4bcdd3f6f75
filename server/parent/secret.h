/*
 * secret.h: the file of -k, whose first line lets people in.
 */
#ifndef SERVER_SECRET_H
#define SERVER_SECRET_H

#include <stddef.h>

#include "protocol.h"
#include "server/report.h"

/* The first line, cleaned as is what a client types: it may grow to three times its length. */
#define SECRET_SIZE (3 * LINE_IN_MAX + 1)

enum secret_result {
    SECRET_READ,
    SECRET_EMPTY,      /* or too long to be ever given */
    SECRET_UNREADABLE, /* with errno */
    SECRET_EXPOSED     /* others may read or change the file */
};

/*
 * Reads the secret into out, as a string. An empty one (nobody can give it) is written for
 * SECRET_EMPTY; otherwise out is left as it was.
 */
enum secret_result secret_read(const char *path, char out[SECRET_SIZE]);

/*
 * Reads it with a report of what is wrong, and returns 0 or the exit status. At the start a secret
 * that cannot be read is empty; at SIGHUP (again) the old one stays, which the user of -u may not
 * be able to read again. path NULL: nothing is done.
 */
int secret_load(const char *path, char out[SECRET_SIZE], bool again, const struct report *);

#endif
