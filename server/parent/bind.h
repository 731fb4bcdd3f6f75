/*
 * bind.h: creates the sockets of one address and listens on them. The functions return 0, or the
 * exit status (sysexits(3)) after a report.
 */
#ifndef SERVER_BIND_H
#define SERVER_BIND_H

#include <sys/types.h>

#include "wire/address.h"

struct listeners;

/* Every address of a host; text is what the operator wrote. */
int bind_host(struct listeners *, const char *text, const struct address *);
/*
 * `*`: one socket for both families where the system has IPv6, else IPv4 alone. One socket, so
 * that port 0 is the same free port for both.
 */
int bind_any(struct listeners *, const char *port);
/* A Unix-domain socket, with that mode from the first instant. */
int bind_path(struct listeners *, const char *path, mode_t mode);

/* ---- Between the files that bind ------------------------------------------------------------- */

/* A stream socket, close-on-exec and non-blocking; -1 with errno. */
int bind_socket(int family);
/* The exit status for an errno of bind(2). */
int bind_status(int error);

#endif
