/*
 * batch.h: the head of a batch of requests, by which a node recognises its own batches in the
 * stream. Its bytes: "CB", the form, the length of the node's name, the name, and the three numbers
 * of struct batch_id, 8 bytes each, most significant first.
 */
#ifndef SERVER_CLUSTER_BATCH_H
#define SERVER_CLUSTER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/span.h"

/* Bytes in the name of a node, and of a room. */
#define NODE_NAME_MAX 32
#define BATCH_HEAD_MAX (4 + NODE_NAME_MAX + 3 * 8)
/* The largest batch, head included. */
#define BATCH_MAX 262144
/* A stream whose limit for a message is smaller than this cannot be used. */
#define BATCH_MIN 51200

/*
 * The newest form of batches that this program reads; it reads all before it. The head is the same
 * in all forms. A room's nodes write the newest that all of them read, see room.h, ROOM_FORM.
 */
#ifndef BATCH_FORM
#define BATCH_FORM 1
#endif

/* Identifies a batch. node points into the bytes that were read. */
struct batch_id {
    struct span node;
    uint64_t incarnation; /* of the node: its starts are numbered in the stream */
    uint64_t nonce;       /* a random number of the incarnation */
    uint64_t number;      /* of the batch in its incarnation, from 1 */
    uint8_t form;         /* 0, where it is written, stands for the first one */
};

/* The name of a node or a room: 1 to NODE_NAME_MAX letters, digits, '-' and '_'. */
bool batch_name_is_valid(struct span name);
/* Writes the head, whose node has 1 to NODE_NAME_MAX bytes. Returns its length. */
size_t batch_id_write(char out[BATCH_HEAD_MAX], const struct batch_id *);
/* Reads the head in front of these bytes. Returns its length; 0 where there is none. */
size_t batch_id_read(struct batch_id *, struct span bytes);
/* It is the same batch, in whatever form. */
bool batch_id_equal(const struct batch_id *, const struct batch_id *);

#endif
