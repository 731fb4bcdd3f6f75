/*
 * notify.h: what a service manager hands to a server and is told by it, as systemd and others do
 * it: sockets (sd_listen_fds(3)), readiness and state (sd_notify(3)), a log that wants levels
 * (sd-daemon(3)). All of it comes by the environment, and is taken out of there.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct codec;

/* The first of the sockets that were handed over. */
#define NOTIFY_FIRST_FD 3

/* Where to tell. */
struct notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t len;
};

/* How many sockets were handed over to this very process, from NOTIFY_FIRST_FD on. */
int notify_sockets(void);
/* What is said on stderr goes to the journal. */
bool notify_reads_stderr(void);

/* Finds where to tell. */
void notify_open(struct notify *);
/* Tells these variables, a line each. Never blocks: what cannot be taken now is lost. */
void notify_say(const struct notify *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes it for the next program, or takes it over; see codec.h. */
void notify_state(struct notify *, struct codec *);

#endif
