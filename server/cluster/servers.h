/*
 * servers.h: the NATS servers that are tried one after the other: those of -c, and those that their
 * INFO names.
 */
#ifndef SERVER_CLUSTER_SERVERS_H
#define SERVER_CLUSTER_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "json.h"
#include "wire/span.h"

#define SERVERS_MAX 32
#define SERVERS_DEFAULT_PORT "4222"
#define SERVER_HOST_MAX 256
#define SERVER_NAME_MAX (SERVER_HOST_MAX + 8)

struct nats_server {
    char host[SERVER_HOST_MAX];
    char port[6];
};

struct addrinfo;

/* given <= count, current < count */
struct servers {
    struct nats_server at[SERVERS_MAX];
    size_t count;
    size_t given;
    size_t current;              /* the one that was tried last */
    struct addrinfo *found;      /* its addresses */
    const struct addrinfo *next; /* the one to be tried next */
};

/* Parses a list of `host`, `host:port` or `[ipv6]:port`, separated by commas, into zeroed memory.
 * False: one of them is malformed, or there are too many. */
bool servers_set(struct servers *, struct span list);
/* An array of `host:port` replaces the servers of an earlier INFO. Malformed ones are skipped. */
void servers_learn(struct servers *, struct json urls);

/*
 * The next address to try: the next one of the present server, or the first one of the next server.
 * The lookup of its name can take seconds. NULL if it fails; *error is getaddrinfo()'s.
 */
const struct addrinfo *servers_next(struct servers *, int *error);
/* All were tried: the next one is the first of the list. */
bool servers_are_tried(const struct servers *);
/* Skips the other addresses of the present server. */
void servers_leave(struct servers *);
/* Writes `host:port` of the present server. */
void servers_name(const struct servers *, char out[SERVER_NAME_MAX]);

#endif
