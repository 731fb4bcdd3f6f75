/*
 * copy.h: the state of the room at its last place (node.h), as bytes. Each node that runs tells the
 * hash of its own in the stream. When all have told it, each compares them: the
 * largest group of nodes is right, of two that are alike the one with the first name. The node with
 * the first name of that group stores the bytes, in parts, as a snapshot. So there is one writer,
 * and nobody has to ask who that is. A node that is loaded compares its own with those that were
 * told: it may have been given a wrong copy of the stream.
 */
#ifndef SERVER_CLUSTER_COPY_H
#define SERVER_CLUSTER_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/hub/node.h"

struct outbox;
struct report;
struct room;

/* NONE -> TELLING -> COMPARING -> WRITING -> NONE; TELLING -> WRITING; NONE -> CHECKING;
 * any -> NONE */
enum copy_state {
    COPY_NONE,
    COPY_CHECKING,  /* it is not told, and others have not told theirs */
    COPY_TELLING,   /* its hash is to be told */
    COPY_COMPARING, /* that is under way, or done; others have not told theirs */
    COPY_WRITING    /* its parts are stored */
};

struct copy {
    enum copy_state state;
    uint64_t place;
    uint64_t hash;
    char *bytes;
    size_t len;
    uint32_t part; /* the next one that is to be stored */
};

/* Zeroed memory is none. */
void copy_drop(struct copy *);
/* The room is at a place. This node tells its hash, now or when it runs; or it only compares it
 * with those of others. Without memory there is no copy this time. */
void copy_take(struct copy *, struct room *, bool tells);
/* Puts what is to be told or stored into the open batch, as far as there is space. */
void copy_turn(struct copy *, struct outbox *);
/* It has something to put there. */
bool copy_is_waiting(const struct copy *);

/* A message was applied. Returns the node whose hash is right, of that name the first, when it is
 * time to compare; NULL: it is not yet, or there is nothing to compare. */
const struct node *copy_compare(const struct copy *, const struct nodes *);
/* The same, and what follows for the node of that name: nodes that differ are reported, and its
 * snapshot is to be stored if it is the writer. False: its own state is the wrong one. */
bool copy_follow(struct copy *, const struct nodes *, struct span name, const struct report *);

#endif
