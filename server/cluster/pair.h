/*
 * pair.h: the engine's end of its pair with the hub.
 */
#ifndef SERVER_CLUSTER_PAIR_H
#define SERVER_CLUSTER_PAIR_H

#include "batch.h"
#include "buffer.h"
#include "frame.h"

/* The largest frame that the hub sends is a batch. */
#define PAIR_IN_SIZE (FRAME_HEAD + BATCH_MAX)
/* The frames that one message of the stream can cause: itself, an end and a few states. */
#define PAIR_SPACE (FRAME_HEAD + FRAME_PAYLOAD_MAX + FRAME_END_SIZE + 4 * FRAME_STATE_MAX)
#define PAIR_OUT_SIZE (2 * PAIR_SPACE)

struct pair {
    int fd;
    struct buffer in;
    struct buffer out;
    size_t told_len; /* of the last state, which is not told twice */
    char told[FRAME_STATE_MAX];
    char in_bytes[PAIR_IN_SIZE];
    char out_bytes[PAIR_OUT_SIZE];
};

void pair_init(struct pair *, int fd);
/* PAIR_SPACE bytes are free. */
bool pair_has_space(const struct pair *);
/* Queue a frame for the hub. Without that space only a state may be told; it may be dropped. */
void pair_tell_state(struct pair *, const struct frame_state *);
void pair_tell_message(struct pair *, const struct frame_message *);
void pair_tell_end(struct pair *, const struct frame_end *);
/* A question of another node's, and an answer. It is dropped where there is no space, or where it
 * is too long. */
void pair_tell_question(struct pair *, const struct frame_letter *);
void pair_tell_answer(struct pair *, const struct frame_answered *);

#endif
