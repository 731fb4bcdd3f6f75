/*
 * connect.h: reaches a server, over the network, a Unix-domain socket or a command, within a time.
 */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include "../protocol.h"
#include "../wire/address.h"

#include <sys/types.h>

/* Why there is no connection. */
struct connect_failure {
    int status;      /* for exit(3): EX_NOHOST, EX_UNAVAILABLE, EX_OSERR */
    char text[1024]; /* one sentence */
    char hint[512];  /* what else to try, fit to stand behind the sentence; mostly empty */
};

/*
 * Looks the host up and tries its addresses, one after another, each with its share of the time
 * that is left until the deadline (clock.h). Returns a socket, non-blocking and
 * close-on-exec, or -1 and the failure. The look-up runs in a thread of its own, which outlives a
 * resolver that does not answer in time.
 */
int connect_server(const struct address *, int64_t deadline, struct connect_failure *);

/*
 * Starts the command with one end of a socket pair as standard input and output; returns the other
 * end, non-blocking and close-on-exec, and the process, or -1 and the failure.
 */
int connect_command(const char *command, pid_t *pid, struct connect_failure *);

#endif
