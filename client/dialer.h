/*
 * dialer.h: finds the server: the addresses of the list in turn, with pauses that grow, and says
 * once why it cannot be reached.
 *
 * Used by one thread at a time: the main one for the first connection, then the receiver.
 */
#ifndef CLIENT_DIALER_H
#define CLIENT_DIALER_H

#include "connect.h"
#include "console.h"
#include "options.h"

/* How many reasons are remembered, so that none is said twice in a row of failures. */
#define DIALER_REASONS 8

struct dialer {
    const struct options *options; /* where to, and for how long */
    size_t next;                   /* the address that is tried next */
    int delay;                     /* before the next round, in ms */
    bool worked;                   /* there was a room: nobody has to be told how to start one */
    unsigned said_count;
    struct connect_failure said[DIALER_REASONS];
};

/* What a dialer returns. */
struct dialed {
    int fd;        /* -1: no connection */
    pid_t command; /* of -c, behind it; else -1 */
    struct connect_failure failure;
};

void dialer_init(struct dialer *, const struct options *);
/* A connection is as it should be: waits begin short again, and reasons are new. */
void dialer_reset(struct dialer *);
/* The next address of the list is tried first. True where there is another one. */
bool dialer_move_on(struct dialer *);

/*
 * One round: starts the command of -c, or tries each address once, in what -w gives to all of them
 * together, and until the deadline (clock.h) at the latest.
 */
struct dialed dialer_try(struct dialer *, int64_t deadline);
/*
 * Rounds with pauses between them until one works, or until the deadline. Says why it cannot, once
 * per reason.
 */
struct dialed dialer_dial(struct dialer *, struct console *, int64_t deadline);
/* The pause before a round, shorter where the deadline is near. */
void dialer_pause(struct dialer *, int64_t deadline);

#endif
