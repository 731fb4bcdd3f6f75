/*
 * requests.h: encodes and decodes the requests of a batch (doc/cluster.md has the format). Every
 * node checks every batch: one that is malformed anywhere is void as a whole, at all nodes alike.
 */
#ifndef SERVER_CLUSTER_REQUESTS_H
#define SERVER_CLUSTER_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "server/hub/room.h"

/* The largest size of one encoded request. */
#define REQUEST_MAX (1u + 4u + 2u + LINE_CLEAN_MAX + 2u * (1u + NAME_LEN_MAX) + 64u)

/* ---- Writing --------------------------------------------------------------------------------- */

/*
 * Writes a request; returns its length, at most REQUEST_MAX. A person is written as its
 * number; author and time are not written.
 */
size_t request_write(char *out, const struct room_request *);
/* Encoded requests, without the head of a batch: hashes, parts of snapshots and requests to compare
 * among them get the place 0, which is none. */
void requests_displace(char *bytes, size_t len);

/* A name, or a login, can be written: not empty, clean, without white space. */
bool request_takes_name(struct span name);
/* A token of this text can be written: 32 hexadecimal digits. */
bool request_takes_token(struct span text);

/* ---- Reading --------------------------------------------------------------------------------- */

/* A batch that is read. The bytes are the caller's. */
struct requests {
    struct batch_id id; /* its node points into the batch */
    struct span rest;   /* the requests that follow */
    bool begins;        /* the first request says that the incarnation starts */
};

/* One decoded request. Its spans point into the batch, its strings into this structure. */
struct stored_request {
    struct room_request request; /* its pointers are to this structure and the batch */
    char name[NAME_LEN_MAX + 1];
    char login[NAME_LEN_MAX + 1];
    char token[TOKEN_LEN + 1];
};

/* Checks the whole batch. False: it is void. */
bool requests_open(struct requests *, struct span bytes);
/* The next one is a login. */
bool requests_next_is_login(const struct requests *);
/* Decodes the next request, after requests_open(). False: there is none. */
bool requests_next(struct requests *, struct stored_request *);

#endif
