/*
 * replay.h: which lines have to be sent again after a broken connection.
 *
 * The server tells it in one of two ways. `resumed N`: it has answered N lines of the session in
 * all. `resumed ?`, or nothing: then the room's events of the time in between are the receipts.
 * Room lines are sent exactly once in either case, private ones and operators' commands at most
 * once.
 *
 * A state machine without I/O, like the session that it belongs to. It lasts from the broken
 * connection to the next complete welcome, over further connections that do not get that far:
 * the events that they brought do not come again.
 */
#ifndef CLIENT_REPLAY_H
#define CLIENT_REPLAY_H

#include "queue.h"

/* What `/resume` was answered with on this connection. */
enum replay_answer {
    REPLAY_SILENCE, /* nothing (yet), or it was not asked */
    REPLAY_COUNT,
    REPLAY_UNKNOWN
};

struct replay {
    enum replay_answer answer;
    unsigned long count;         /* with REPLAY_COUNT */
    char then[NAME_LEN_MAX + 1]; /* one's name at this point of the past; empty: no longer there */
    unsigned long echoes;        /* how many lines the events have shown */
    bool gap;                    /* there may have been more */
};

/* The connection has broken on which the queue's lines went out; me is one's name there. */
void replay_begin(struct replay *, struct queue *, const char *me);
/* Another connection is tried. */
void replay_connect(struct replay *);
/* An event of the welcome: of the time in between, a gap in it, or `resumed`. */
void replay_event(struct replay *, struct queue *, const struct event *);
/*
 * The welcome is complete: what remains in the queue is to be sent, from its start. Returns how
 * many lines were refused, or are lost, and adds them to the losses. sees_events is false for a
 * poster: a server may not have told it the events of the time between.
 */
unsigned long replay_end(struct replay *, struct queue *, bool sees_events, struct losses *losses);

#endif
