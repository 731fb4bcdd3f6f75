/*
 * servers.h: the NATS servers that are tried one after the other: those that were given, and those
 * that they tell of.
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

/* Reads `host`, `host:port` or `[ipv6]:port`, separated by commas. False where one of them is none,
 * or there are too many. Zeroed memory before. */
bool servers_set(struct servers *, struct span list);
/* An array of `host:port` replaces those that servers told of before. What is none is skipped. */
void servers_learn(struct servers *, struct json urls);

/*
 * The next address to try: the next one of the present server, or the first of the next server,
 * whose name is looked up, which can take seconds. NULL where that failed; *error is its code.
 */
const struct addrinfo *servers_next(struct servers *, int *error);
/* The list begins anew with the next one. */
bool servers_are_tried(const struct servers *);
/* The present server is not tried at its other addresses. */
void servers_leave(struct servers *);
/* Writes `host:port` of the present server. */
void servers_name(const struct servers *, char out[SERVER_NAME_MAX]);

#endif
