/*
 * apply.h: messages of the stream, applied to the room: one at a time, and each in steps of at most
 * one event, for a turn may have no space for more. What is applied, and how, depends on the room
 * and the message alone, so it is the same at every node.
 */
#ifndef SERVER_CLUSTER_APPLY_H
#define SERVER_CLUSTER_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requests.h"

struct codec;

/* IDLE -> GONE -> REQUESTS -> IDLE; GONE -> IDLE where the batch is not applied. */
enum apply_phase {
    APPLY_IDLE,
    APPLY_GONE,    /* persons of nodes that are gone leave first */
    APPLY_REQUESTS /* the requests of the batch */
};

/* The message that is being applied. */
struct apply {
    enum apply_phase phase;
    bool valid;    /* it is a batch */
    bool has_next; /* request is decoded, and not done */
    struct span message;
    struct requests requests;
    struct span undone; /* where has_next: the requests from the present one on */
    struct node *node;  /* in REQUESTS: whose requests they are */
    uint64_t time;
    uint32_t author; /* of the next request, where it is this node's; the caller sets it */
    struct stored_request next;
};

enum apply_step {
    STEP_DONE,    /* the message has no more; the next one may come */
    STEP_EVENT,   /* somebody has left because their node is gone or has ended */
    STEP_REQUEST, /* one request of the batch is done */
    STEP_LATER    /* no memory: the step is to be made again */
};

/*
 * A message that was stored at this time (microseconds since 1970). The bytes must stay until
 * STEP_DONE.
 */
void apply_begin(struct apply *, struct room *, struct span bytes, uint64_t time);
/*
 * The next step. After STEP_REQUEST, apply->next.request is the request, *result and *outcome what
 * came of it; after STEP_EVENT *outcome tells which person has left.
 */
enum apply_step apply_next(
    struct apply *, struct room *, enum room_result *result, struct room_outcome *outcome);

/*
 * Writes what is under way, or goes on with it; see codec.h. bytes: where the messages stand, which
 * are written elsewhere. The room is loaded already.
 */
void apply_state(struct apply *, struct codec *, struct room *, const char *bytes, size_t len);

#endif
