/*
 * cluster_state.h: the states of this node in the cluster, and how it comes from one to the next:
 * its incarnations, and what the room says about it. What it loads first: loading.h. The rest of
 * the hub uses cluster.h.
 */
#ifndef SERVER_CLUSTER_CLUSTER_STATE_H
#define SERVER_CLUSTER_CLUSTER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "apply.h"
#include "copy.h"
#include "engine_end.h"
#include "mailbox.h"
#include "membership.h"
#include "outbox.h"
#include "renewal.h"
#include "search.h"

/*
 * LOADING -> STARTING -> RUNNING -> STOPPING -> ENDED; LOADING -> REWINDING -> LOADING;
 * RUNNING -> LOST -> STARTING; any -> ENDED. What becomes of a stream that is gone: lost_stream.h.
 */
enum cluster_state {
    CLUSTER_LOADING,   /* the stream has not been read to its end yet */
    CLUSTER_REWINDING, /* another engine is to begin elsewhere in the stream */
    CLUSTER_STARTING,  /* the start of an incarnation is under way */
    CLUSTER_RUNNING,   /* requests are taken */
    CLUSTER_LOST,      /* for the others this node was gone; its tickets are to be taken */
    CLUSTER_STOPPING,  /* the stop is under way */
    CLUSTER_ENDED
};

/*
 * This node in its cluster: what is under way to the stream (outbox) and to other nodes (mailbox),
 * what has come (inbox, and in apply the message that is being applied), and what it does about
 * snapshots and a stream that is gone. It lives as long as the hub, and is handed over at an
 * upgrade.
 */
struct cluster {
    struct cluster_config config;
    enum cluster_state state;
    enum cluster_end end;
    struct incarnation incarnation; /* of this node; 0: it is yet to be chosen */
    uint64_t stream_size; /* the bytes that the stream may have, as the engine said; 0: no limit */
    struct engine_end engine;
    struct outbox outbox;
    struct inbox inbox;
    struct apply apply;
    struct mailbox mailbox;
    struct frame direct;  /* a question or an answer of another node, to be taken; kind 0: none */
    struct search search; /* until the room is loaded */
    struct copy copy;
    struct renewal renewal;
    uint64_t wait_until;  /* for a snapshot that is yet to be stored, in LOADING; TIME_NEVER */
    uint64_t beat_at;     /* a heartbeat is due then */
    uint64_t waits_since; /* no batch has come back since then; 0: none is under way */
    uint64_t compare_at;  /* the clock when a request to compare was made last; 0: never */
    uint64_t retry_at;    /* what had no memory is tried again then; TIME_NEVER */
    bool told;            /* members know that nothing is stored */
    bool was_running;     /* it has been RUNNING */
    bool forming;         /* a request about forms is under way */
};

/* This node has left its cluster: ENDED. */
void cluster_finish(struct cluster *, enum cluster_end);
/* This node; NULL: it has never started. */
struct node *cluster_node(const struct cluster *, const struct room *);
/* As far as is known, the stream and a majority of its servers are available. */
bool cluster_is_well(const struct cluster *);

/* In STARTING: chooses the next incarnation, and puts its start into the open batch. False without
 * memory or random bytes: to be tried again. */
bool incarnation_choose(struct cluster *, const struct room *);
/* Another incarnation: what was under way has come to nothing, and its tickets were taken. */
void cluster_begin_again(struct cluster *);

/* A message was applied. Takes the state that follows from what the room says about this node. */
void state_follow(struct cluster *, const struct room *);
/* The same for the form of batches. Says what this program reads; and, when all nodes read more
 * than what is written, that it shall be written. A node that reads less than what is written by
 * then has no place in the room. */
void form_follow(struct cluster *, const struct room *);
/* The same for batches of a node that are missing, while later ones have come: this node has been
 * given a wrong copy of the stream, or that one has. All nodes are asked to compare their rooms. */
void missed_follow(struct cluster *, const struct room *, const struct report *);

#endif
