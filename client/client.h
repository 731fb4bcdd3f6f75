/*
 * client.h: what the two threads of chat share, and the two of them.
 *
 * The sender is the main thread: it reads the input, handles signals, writes to the server, keeps
 * the clocks and decides when to leave. The receiver reads from the server and prints, and with -k
 * finds the server again. Neither waits for the other: what they share is locked for as long as it
 * takes to look at it or to hand bytes to the kernel, and never while printing.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "connect.h"
#include "console.h"
#include "options.h"
#include "session.h"

#include <pthread.h>

/* The exit status for "the answer is no"; the others are those of sysexits.h. */
#define EXIT_NO 1

/* Why the receiver has ended. */
enum client_end {
    CLIENT_ON,       /* it has not */
    CLIENT_GONE,     /* the stream has ended, or broken */
    CLIENT_STRANGER, /* what came is not from a chatd */
    CLIENT_TURNED_AWAY,
    CLIENT_OUTPUT /* nothing more can be printed */
};

struct client {
    const struct options *options;
    struct console console; /* has a lock of its own */
    int64_t patience;       /* for a server that is silent when it should not be, ms; -1: any */
    int64_t leave_at;       /* -W, counted from the start; -1: never */
    int wake[2];            /* wakes the sender */

    pthread_mutex_t lock; /* over all that follows */
    struct session session;
    /* The server's descriptor: one number for all connections, so that neither thread ever uses
     * one that the other has closed. */
    int link;
    pid_t command; /* of -c, behind it; -1 */
    bool up;       /* it is a connection that can be written to */
    bool shut;     /* it has been half-closed: all is said */
    int64_t heard; /* when the last line came, or the connection */
    bool silent;   /* nothing has come for too long, so it was given up */
    bool woken;    /* the sender is being woken and does not look yet */
    bool enough;   /* -C messages have come */
    enum client_end end;
    char why[256]; /* what the server said when it turned us away */
};

/* Opens the connection, the first one; returns the descriptor, or -1. */
int client_connect(struct client *, pid_t *command, struct connect_failure *);
/* Wakes the sender; from any thread. */
void client_wake(struct client *);

/* The receiver's thread; the argument is the client. */
void *receiver_main(void *client);

/*
 * The sender, until all is over; input is standard input or a bot's output, or -1. Returns the
 * exit status. *signal is what the program must die of, or 0.
 */
int sender_run(struct client *, int input, pid_t bot, int *signal);

#endif
