/*
 * notify.h: the service manager's interface: sockets that it passes (sd_listen_fds(3)), readiness
 * and state that it is sent (sd_notify(3)), and log lines with a priority prefix (sd-daemon(3)).
 * The environment variables are removed once they are read.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct codec;

/* The first of the sockets that were handed over. */
#define NOTIFY_FIRST_FD 3

/* The manager's socket. */
struct notify {
    int fd; /* -1: the manager has asked for no messages */
    struct sockaddr_un address;
    socklen_t len;
};

/* How many sockets were passed to this process; the first is NOTIFY_FIRST_FD. */
int notify_sockets(void);
/* True if stderr is the manager's journal. */
bool notify_reads_stderr(void);

/* Finds the manager's socket. */
void notify_open(struct notify *);
/* Sends these assignments, one a line. Never blocks: if the socket is full they are dropped. */
void notify_say(const struct notify *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes it for the next program, or takes it over; see codec.h. */
void notify_state(struct notify *, struct codec *);

#endif
