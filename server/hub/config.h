/*
 * config.h: the hub's configuration and its callbacks into the parent. All times are microseconds;
 * points in time are of CLOCK_MONOTONIC.
 */
#ifndef SERVER_HUB_CONFIG_H
#define SERVER_HUB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"
#include "source.h"
#include "wire/address.h"

struct cluster_config;
struct poller;
struct report;

/* What the access rules say of a client. */
enum standing {
    STANDING_REFUSED,
    STANDING_CLIENT,
    STANDING_OPERATOR /* it may give operator commands */
};

/* Accounts that are looked up at once, at most. */
#define LOOKUPS_MAX 8

/* What is pointed to must outlive the hub. */
struct hub_config {
    size_t log_bytes;
    bool sync;            /* -s: events are held until the transcript's writer has confirmed them */
    unsigned history;     /* messages for a joiner who asks for no number */
    uint64_t login_us;    /* a session must have given its name by then */
    uint64_t wait_us;     /* how long the room waits for slow readers, chatd(8), -w */
    unsigned rate;        /* lines a second from one client; 0: no limit */
    const char *secret;   /* what /pass must give, not empty; NULL: nothing */
    const char *greeting; /* clean lines for those who join, each with its LF; NULL: none */
    const struct cluster_config *cluster; /* -c; NULL: the room is on one machine */
    struct poller *poller;
    const struct report *report;
    /*
     * Starts a worker for a client's socket, which stays the caller's: a process of its own, and
     * the hub's end of its pair in *pair (non-blocking, close-on-exec; the hub closes it). It
     * expects a proxy's header where the client is proxied. Returns its pid, or -1 with errno.
     */
    pid_t (*start_worker)(void *context, int client, bool proxied, int *pair);
    /* Sends a signal to a worker that was started and is not reaped yet. */
    void (*signal_worker)(void *context, pid_t pid, int signal);
    /*
     * Starts a process that looks up an account: kind 'u' whose login the uid in key is, 'n'
     * whether key is a login. It writes `+NAME` or `-` and LF to the other end of *pair
     * (non-blocking, close-on-exec; the hub closes it), or just ends: it does not know. Returns its
     * pid, or -1 with errno. NULL: names need no proof (-a).
     */
    pid_t (*start_lookup)(void *context, char kind, const char *key, int *pair);
    /* Ends it, if it is not reaped yet. */
    void (*end_lookup)(void *context, pid_t pid);
    /* What the access rules say now of a client that was admitted; NULL: there are no rules. */
    enum standing (*standing)(void *context, const struct origin *, int fd);
    /* For a connection whose real address came from a proxy, and which is counted there already:
     * the CODE TEXT of an error if it is refused; NULL if it is admitted. May be NULL itself. */
    const char *(*refusal)(void *context, const struct origin *, int fd, uint64_t now);
    void *context;
};

/* A connection that was accepted. */
struct client {
    int fd;
    struct origin origin;
    bool is_operator;         /* it may give operator commands */
    bool is_proxied;          /* the origin is a proxy's, which tells the client's address */
    char peer[PEER_TEXT_MAX]; /* ip:port or local:PID; a clean name but for its colons */
};

#endif
