/*
 * connection.h: the connection to the server: one after another with -k, always under one
 * descriptor number, so that neither thread ever uses a descriptor that the other has closed.
 *
 * The owner (struct client) serialises the calls.
 */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

#include "options.h"
#include "path.h"
#include "session.h"

#include <sys/types.h>

/*
 * DOWN to MADE: connection_adopt(). MADE to UP: the first line has come. MADE and UP to SHUT: there
 * is nothing more to send; to SILENT: the server was silent for too long. MADE, UP and SHUT to
 * DOWN: it has ended or broken. SILENT stays until the next connection is MADE, to keep the reason.
 */
enum connection_state {
    CONNECTION_DOWN,  /* none; with -k the next one is being made */
    CONNECTION_MADE,  /* lines can be written; no line has come yet */
    CONNECTION_UP,    /* lines can be written */
    CONNECTION_SHUT,  /* half-closed, and still read */
    CONNECTION_SILENT /* given up */
};

struct connection {
    const struct options *options; /* where to */
    enum connection_state state;
    int fd;        /* -1 before the first */
    pid_t command; /* of -c, behind it; -1 */
    struct path path;
    int64_t heard;  /* when the last line came, or the connection; clock.h */
    int64_t looked; /* when the path was looked at, or the connection came */
};

void connection_init(struct connection *, const struct options *);

/* Makes what a dialer has found (dialer.h) the connection, in place of the one before. */
void connection_adopt(struct connection *, int fd, pid_t command);

/* Lines can be written to it; or it can be read at least. */
bool connection_is_open(const struct connection *);
bool connection_is_alive(const struct connection *);
/* A line has come; the second counts against the silence of connection_silence_ends(). */
void connection_answered(struct connection *);
void connection_hear(struct connection *);
/* When to write more. */
enum connection_more {
    CONNECTION_DONE, /* nothing */
    CONNECTION_FULL, /* when the descriptor takes more */
    CONNECTION_LATER /* after a pause: the server takes no more now, and no event shows when it does
                      */
};

/* Writes what the session has pending, as much as kernel and server take. */
enum connection_more connection_write(struct connection *, struct session *);
/* When the path is to be looked at; -1: not now. */
int64_t connection_looks_at(const struct connection *);
/* Looks at the path, and drops the connection if it is dead. */
void connection_look(struct connection *);
/* There is nothing more to send: says goodbye and shuts down the sending side. */
void connection_finish(struct connection *, struct session *);
/* It has ended or broken, or is given up: nothing more is read from it, or written. */
void connection_drop(struct connection *, enum connection_state why);

/*
 * The deadline for the next line of the server; -1: none. After it, a server that has been sent the
 * goodbye is done, and one that is new does not answer.
 */
int64_t connection_silence_ends(const struct connection *, const struct session *);

/* At the end of the program: drops it, and ends the command of -c. */
void connection_close(struct connection *);

#endif
