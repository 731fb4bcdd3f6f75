/*
 * client.h: what the two threads of chat share.
 *
 * The loop (loop.h) is the main thread: it reads the input, handles signals, writes to the server,
 * keeps the clocks and decides when to leave. The receiver (receiver.h) reads from the server and
 * prints, and with -k finds the server again. Neither waits for the other: what they share is
 * locked for as long as it takes to look at it or to hand bytes to the kernel, and never while
 * printing.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "connection.h"
#include "console.h"
#include "dialer.h"
#include "options.h"
#include "session.h"

#include <pthread.h>

/* Why the receiver has ended. */
enum client_end {
    CLIENT_ON,         /* it has not */
    CLIENT_GONE,       /* the stream has ended, or broken */
    CLIENT_KICKED,     /* the same, after the server had said that this member is removed */
    CLIENT_UNANSWERED, /* the same, or silence for -w, before a line had come */
    CLIENT_NOT_CHATD,  /* what came is not from a chatd */
    CLIENT_REJECTED,   /* full, or refused */
    CLIENT_WAITED,     /* no welcome within -w from a server that did answer */
    CLIENT_UNREACHED,  /* no first connection was made in time; already reported */
    CLIENT_OUTPUT      /* nothing more can be printed */
};

struct client {
    const struct options *options;
    struct console console; /* has a lock of its own */
    int64_t leave_at;       /* -W, counted from the start; -1: never */
    int64_t first_until;    /* with -k the first connection is tried again until then */
    struct dialer dialer;   /* the main thread's, then the receiver's */
    int wake[2];            /* wakes the loop */

    pthread_mutex_t lock; /* over all that follows */
    struct session session;
    struct connection connection;
    bool enough; /* -C messages have come */
    enum client_end end;
    char why[256]; /* what the server said when it rejected or removed it, or let it wait */
    int unreached; /* the exit status of CLIENT_UNREACHED */
};

/* Nothing is connected, printed or started yet. False with errno. */
bool client_init(struct client *, const struct options *);
/* Where the server is, for messages: the command of -c, or the addresses. */
const char *client_server(const struct client *);
/* Wakes the loop; from any thread. */
void client_wake(struct client *);

#endif
