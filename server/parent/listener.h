/*
 * listener.h: where people come in: TCP and Unix-domain sockets that are listened on, and those
 * whom there is no room for.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"
#include "server/report.h"
#include "wire/address.h"

struct codec;
struct poller;

#define LISTENERS_MAX 64
/* People who were told `full` and have not hung up yet. */
#define REFUSALS_MAX 8
/* Fits every socket's address as text. */
#define LISTENER_TEXT_MAX 128

struct listener {
    int fd;
    bool local;
    char text[LISTENER_TEXT_MAX]; /* the address, with the real port */
    char *path; /* of a Unix-domain socket that is ours to remove; NULL otherwise */
    dev_t dev;
    ino_t ino;
};

struct refusal {
    int fd;
    uint64_t until;
};

/* All of them. Zeroed but for poller and report, it is empty. */
struct listeners {
    struct poller *poller;
    const struct report *report;
    struct listener all[LISTENERS_MAX];
    size_t count;
    struct refusal refused[REFUSALS_MAX];
    size_t refused_count;
    uint64_t paused_until; /* no descriptors: nobody is accepted before; 0: not paused */
    bool told;             /* so the operator knows of this episode */
};

/* One who has come in. */
struct visitor {
    int fd;
    bool local;
    uid_t uid;                /* of a local one */
    char peer[PEER_TEXT_MAX]; /* ip:port or local:PID */
};

/*
 * Opens every socket that an address stands for. mode is for Unix-domain sockets. Returns 0, or the
 * exit status (sysexits(3)) after a report of what failed.
 */
int listeners_open(struct listeners *, const char *address, mode_t mode);
/*
 * Takes over `adopted` sockets that the service manager has handed over, from NOTIFY_FIRST_FD on,
 * and opens the addresses; the default one where there is neither. As listeners_open().
 */
int listeners_open_all(
    struct listeners *, int adopted, const char *const *addresses, size_t count, mode_t mode);
/* Takes over a socket that somebody else has opened and listens on. */
int listeners_adopt(struct listeners *, int fd);
/* Reports "listening on ADDRESS" for each socket: the room is ready. */
void listeners_announce(const struct listeners *);
/* Writes all addresses in a line, as one gives them to chatd(8), cut at size. */
void listeners_describe(const struct listeners *, char *out, size_t size);
/* Writes them for the next program, or takes them over; see codec.h. Refusals end. */
void listeners_state(struct listeners *, struct codec *);
/* Stops listening and removes the sockets' files that are still ours. */
void listeners_close(struct listeners *);

/* True where a poller's tag is a listener or a refusal of these. */
bool listeners_own(const struct listeners *, const void *tag);
/*
 * The next visitor at the listener of that tag, with a descriptor that is the caller's. False
 * where there is none now; it may be that there are no descriptors, then all listeners are paused.
 */
bool listeners_accept(struct listeners *, void *tag, uint64_t now, struct visitor *);
/* Tells a visitor that there is no room (an error line) and hangs up as soon as he has seen it. */
void listeners_refuse(struct listeners *, const struct visitor *, const char *error, uint64_t now);
/* Ends pauses and refusals that are over; milliseconds until the next of them, -1: none. */
int listeners_turn(struct listeners *, uint64_t now);
/* A descriptor is free again. */
void listeners_resume(struct listeners *);

#endif
