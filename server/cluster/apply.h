/*
 * apply.h: applies the messages of the stream to the room, one at a time. Each is applied in steps
 * of at most one event, because the log may have no space for more in this turn. The result depends
 * on the room and the message alone, so it is the same at every node.
 */
#ifndef SERVER_CLUSTER_APPLY_H
#define SERVER_CLUSTER_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requests.h"

struct codec;

/* IDLE -> GONE -> REQUESTS -> IDLE; GONE -> IDLE if the batch is not applied. */
enum apply_phase {
    APPLY_IDLE,
    APPLY_GONE,    /* first, the persons of nodes that are gone leave */
    APPLY_REQUESTS /* the requests of the batch */
};

/* The message that is being applied. */
struct apply {
    enum apply_phase phase;
    bool valid;    /* it is a batch */
    bool has_next; /* next is decoded, and not done yet */
    struct span message;
    struct requests requests;
    struct span undone; /* if has_next: the requests from next on */
    struct node *node;  /* in REQUESTS: the node that made the batch */
    uint64_t time;
    uint32_t author; /* of the next request, if this node made it; the caller sets it */
    struct stored_request next;
};

enum apply_step {
    STEP_DONE,    /* the message is applied; the next one may begin */
    STEP_EVENT,   /* a person has left because their node is gone or has ended */
    STEP_REQUEST, /* one request of the batch is done */
    STEP_LATER    /* no memory: call apply_next() again later */
};

/*
 * Begins with a message, which was stored at this time (microseconds since 1970). The bytes must
 * stay valid until STEP_DONE.
 */
void apply_begin(struct apply *, struct room *, struct span bytes, uint64_t time);
/* After apply_begin(): it is a batch, and its requests will be applied. */
bool apply_will_count(const struct apply *, const struct room *);
/*
 * Makes the next step. After STEP_REQUEST, apply->next.request is the request, and *result and
 * *outcome are its result. After STEP_EVENT, *outcome tells which person has left.
 */
enum apply_step apply_next(
    struct apply *, struct room *, enum room_result *result, struct room_outcome *outcome);

/*
 * Encodes or decodes the state; see codec.h. bytes is the buffer that holds the message; the caller
 * encodes it. The room has been decoded before.
 */
void apply_state(struct apply *, struct codec *, struct room *, const char *bytes, size_t len);

#endif
