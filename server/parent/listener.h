/*
 * listener.h: the TCP and Unix-domain sockets that are listened on, and what is accepted there.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"
#include "server/hub/source.h"
#include "server/report.h"
#include "wire/address.h"

struct codec;
struct poller;

#define LISTENERS_MAX 64
/* The kernel cuts it to what it allows. */
#define LISTENER_BACKLOG 4096
/* Fits every socket's address as text. */
#define LISTENER_TEXT_MAX 128

struct listener {
    int fd;
    bool local;
    bool failing;                 /* accept(2) has failed, and not drained its backlog since */
    char text[LISTENER_TEXT_MAX]; /* the address, with the real port */
    char *path; /* of a Unix-domain socket that is ours to remove; NULL otherwise */
    dev_t dev;
    ino_t ino;
};

/* All of them. Zeroed but for poller and report, it is empty. */
struct listeners {
    struct poller *poller;
    const struct report *report;
    struct listener all[LISTENERS_MAX];
    size_t count;
    bool later;            /* TCP sockets are bound, and listened on from listeners_begin() on */
    uint64_t paused_until; /* no connection is accepted before; 0: not paused */
};

/* A connection that was accepted and not yet admitted or refused. */
struct accepted {
    int fd;
    struct origin origin;
    char peer[PEER_TEXT_MAX]; /* ip:port or local:PID */
};

/*
 * Listens on a bound socket; path is its file, which is removed at the end, or NULL. The descriptor
 * is taken in either case. Returns 0, or the exit status after a report.
 */
int listeners_add(struct listeners *, int fd, const char *path);
/* The room is there: clients may connect. Returns 0, or the exit status after a report. */
int listeners_begin(struct listeners *);
/* One of them has that address as its text. */
bool listeners_have(const struct listeners *, const char *text);
/* Reports "what: why" as an error and returns the status. */
int listeners_fail(const struct listeners *, int status, const char *what, const char *why);
/* Listens on a socket that the service manager has opened. */
int listeners_adopt(struct listeners *, int fd);
/* Reports "listening on ADDRESS" for each socket: the room is ready. */
void listeners_announce(const struct listeners *);
/* Writes all addresses in a line, as one gives them to chatd(8), cut at size. */
void listeners_describe(const struct listeners *, char *out, size_t size);
/* Writes them for the next program, or takes them over; see codec.h. */
void listeners_state(struct listeners *, struct codec *);
/* Stops listening and removes the sockets' files that are still ours. */
void listeners_close(struct listeners *);

/* True where a poller's tag is a listener of these. */
bool listeners_own(const struct listeners *, const void *tag);
/*
 * The next connection at the listener of that tag, with a descriptor that is the caller's. False
 * where there is none now. Where accept(2) fails, all listeners are paused for a moment; from the
 * first failure until the backlog is drained that is one line in the log.
 */
bool listeners_accept(struct listeners *, void *tag, uint64_t now, struct accepted *);
/* No connection is accepted until then. */
void listeners_wait(struct listeners *, uint64_t until);
/* Ends a pause that is over; in how many milliseconds again, -1: no need. */
int listeners_turn(struct listeners *, uint64_t now);
/* A descriptor is free again. */
void listeners_resume(struct listeners *);

#endif
