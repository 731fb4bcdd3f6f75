/*
 * cluster_options.h: what -c, -N and -K say: the room's stream and this node's name in it.
 */
#ifndef SERVER_CLUSTER_OPTIONS_H
#define SERVER_CLUSTER_OPTIONS_H

#include "server/cluster/batch.h"

/* Zeroed, the room is on one machine. */
struct cluster_options {
    char *servers; /* allocated, for the life of the program; NULL: there is no -c */
    char room[NODE_NAME_MAX + 1];
    char node[NODE_NAME_MAX + 1];
    char *credentials_file; /* NULL: none */
};

/* nats://HOST[:PORT][,HOST[:PORT]].../ROOM. Returns NULL, or what is wrong. */
const char *cluster_url_parse(struct cluster_options *, const char *text);
/* A node's name. Returns NULL, or what is wrong. */
const char *cluster_node_parse(struct cluster_options *, const char *text);
/* Without -N: the host's name up to its first dot. Returns NULL, or what is wrong. */
const char *cluster_node_default(struct cluster_options *);

#endif
