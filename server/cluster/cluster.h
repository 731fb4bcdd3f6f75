/*
 * cluster.h: the hub's end of the room's stream: the pair to the engine, the requests of this node
 * on their way to the stream, and the messages that come back. A room on one machine has none.
 */
#ifndef SERVER_CLUSTER_CLUSTER_H
#define SERVER_CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster_state.h"

struct poller;
struct report;

/* The result of one step of a message. */
struct applied {
    enum apply_step step; /* STEP_EVENT or STEP_REQUEST */
    enum room_result result;
    struct room_outcome outcome;
    const struct room_request *request; /* of STEP_REQUEST; valid until the next step */
    bool mine;                          /* this node made the request; ticket is its ticket */
    struct ticket ticket;
};

/* NULL without memory. */
struct cluster *cluster_new(const struct cluster_config *);
/* Answers of tickets are freed, the pair is closed. NULL is ignored. */
void cluster_free(struct cluster *, struct poller *);

/* ---- The engine ------------------------------------------------------------------------------ */

/* An engine was started: fd is the hub's end of its pair, which the cluster closes. To be called
 * again for its successor; no batch is lost. False without memory: then fd is the caller's. */
bool cluster_set_engine(struct cluster *, int fd, struct poller *);
bool cluster_has_engine(const struct cluster *);
/* There is none, or it began at another place of the stream than is wanted now. */
bool cluster_wants_engine(const struct cluster *);
/* The poller reported these events for the pair. */
void cluster_ready(struct cluster *, short revents);
/* Logs once a minute that the cluster is not ready. */
void cluster_tell(struct cluster *, const struct report *, uint64_t now);

/* ---- The way there --------------------------------------------------------------------------- */

/* Requests are taken, and there is space for a few. */
bool cluster_has_room(const struct cluster *);
/* Takes a request, and a ticket that comes back with it. False without memory, and where requests
 * are not taken: then the ticket is still the caller's. */
bool cluster_submit(struct cluster *, const struct room_request *, const struct ticket *);
/* Seals the open batch, or makes a heartbeat where one is due, and hands the engine what it takes.
 */
void cluster_flush(
    struct cluster *, struct room *, struct poller *, const struct report *, uint64_t now);
/* The persons of this node leave; nothing more is taken. */
void cluster_stop(struct cluster *);

/* ---- The way back ---------------------------------------------------------------------------- */

/* A turn begins: reads what the engine has sent, as far as there is space. */
void cluster_read(struct cluster *, struct poller *, const struct report *);
/* The next thing that comes of what was read; the room has space for an event. False: there is no
 * more now, or before it comes what cluster_take_direct() takes. */
bool cluster_next(
    struct cluster *, struct room *, const struct report *, struct applied *, uint64_t now);
/* Takes the question or the answer of another node that stood before what is applied next: its
 * payload stays until something else is called here. False: there is none. */
bool cluster_take_direct(struct cluster *, struct frame *);
/* The last message of the stream of which nothing is left to apply. */
uint64_t cluster_applied(const struct cluster *);
/* Something was read that is not applied yet. */
bool cluster_has_more(const struct cluster *);
/* In CLUSTER_LOST: the next ticket whose request will not come back. False: that were all, and a
 * new incarnation begins. */
bool cluster_take_lost(struct cluster *, struct ticket *);
/* When a turn is due at the latest; TIME_NEVER: no need. */
uint64_t cluster_due(const struct cluster *);

/* ---- Handing over ---------------------------------------------------------------------------- */

/* Writes it, or fills a new one; see codec.h. Owners of tickets are written by the caller. */
void cluster_state(struct cluster *, struct codec *, struct room *,
    void (*ticket_state)(void *, struct ticket *), void *context);
/* After an upgrade: tells the new poller of the pair. False with errno. */
bool cluster_restored(struct cluster *, struct poller *);

#endif
