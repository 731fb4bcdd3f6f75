/*
 * engines.h: the process between the hub and the cluster (server/cluster/engine.h): its start, and
 * another one's after its death; and what a node's end in the cluster means for the server.
 */
#ifndef SERVER_ENGINES_H
#define SERVER_ENGINES_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "cluster_options.h"
#include "secret.h"
#include "server/cluster/membership.h"
#include "server/report.h"

struct codec;
struct hub;
struct notify;

/* Zeroed but for the pointers, no engine was started. */
struct engines {
    struct hub *hub;
    struct children *children;
    const struct notify *notify;
    const struct report *report;
    const struct cluster_options *options;
    struct secret credentials;
    struct cluster_config config; /* for the hub */
    uint64_t start_at;            /* no engine is started before */
    uint64_t extend_at;           /* while the room is loaded: the manager is told again */
    char end[64 + NODE_NAME_MAX]; /* why the node has ended, where that has its name */
    bool failing;                 /* the last start failed, and that was reported */
};

/* At the start, before root is given up: reads the file of -K. Returns 0, or the exit status after
 * a report. */
int engines_load(struct engines *);
/* What the hub is told; NULL: there is no -c. */
const struct cluster_config *engines_config(struct engines *);
/* SIGHUP: reads the file of -K again, for the next engine, which is started if it has changed. */
void engines_reload(struct engines *);
/* Starts an engine where there is none; in how many milliseconds again, -1: no need. */
int engines_turn(struct engines *, uint64_t now);
/* The node has ended in its cluster, and not because the server stops: why, as a line for the log,
 * and the exit status. NULL: it has not. */
const char *engines_end(struct engines *, int *status);
/* Writes what another program cannot read, or takes it over; see codec.h. */
void engines_state(struct engines *, struct codec *);

#endif
