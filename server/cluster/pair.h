/*
 * pair.h: the engine's end of its pair with the hub.
 */
#ifndef SERVER_CLUSTER_PAIR_H
#define SERVER_CLUSTER_PAIR_H

#include "buffer.h"
#include "frame.h"

/* The largest frame that the hub sends is a batch; two of the largest fit on the way out. */
#define PAIR_IN_SIZE (262144 + FRAME_HEAD)
#define PAIR_OUT_SIZE (2 * (FRAME_HEAD + FRAME_PAYLOAD_MAX))

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
/* There is space for a frame of any size. */
bool pair_has_space(const struct pair *);
/* Tell the hub. There must be space, but for a state, which is dropped where there is none. */
void pair_tell_state(struct pair *, const struct frame_state *);
void pair_tell_message(struct pair *, const struct frame_message *);
void pair_tell_end(struct pair *, uint64_t sequence);

#endif
