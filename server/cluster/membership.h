/*
 * membership.h: what the parent tells the hub of the cluster, and why a node is no longer in it.
 */
#ifndef SERVER_CLUSTER_MEMBERSHIP_H
#define SERVER_CLUSTER_MEMBERSHIP_H

#include "wire/span.h"

/* The setup of every engine. The text must outlive the hub. */
struct cluster_config {
    struct span servers; /* `host`, `host:port`, `[ipv6]:port`, separated by commas */
    struct span room;
    struct span node;
    unsigned form;           /* the newest form of batches that is read */
    const char *credentials; /* `user:password`, a token, or ""; may change from engine to engine */
};

/* Why a node has left its cluster. */
enum cluster_end {
    CLUSTER_GOES_ON,
    CLUSTER_STOPPED,   /* the hub was told to stop */
    CLUSTER_TAKEN,     /* another program has this node's name, or its incarnation */
    CLUSTER_CUT,       /* the stream has lost messages that are needed */
    CLUSTER_FORM,      /* the room has changed to a form that this program does not read */
    CLUSTER_DIFFERS,   /* the room of most nodes is another one than this node's */
    CLUSTER_REFUSED,   /* while it was loaded: the credentials are wrong */
    CLUSTER_UNUSABLE,  /* while it was loaded: there is no JetStream */
    CLUSTER_NOT_VALID, /* a malformed frame of the engine, or a void batch of this program */
    CLUSTER_LATE,      /* while it was loaded: a snapshot that is to be stored has not come */
    CLUSTER_FUTURE     /* the transcript ends too late: further events would have no stamps */
};

#endif
