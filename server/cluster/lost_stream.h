/*
 * lost_stream.h: this node where the stream is gone. An engine watches what is stored there; either
 * the stream is found again, or one that another node has made anew, or this node makes it anew.
 * The message and the times are those of renewal.h; here is what they do to this node and its
 * room.
 */
#ifndef SERVER_CLUSTER_LOST_STREAM_H
#define SERVER_CLUSTER_LOST_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster_state.h"

/* The engine has told a state. A stream that is gone is watched from now on. What was loaded of it
 * is not a room: in LOADING the node begins again or, where something was applied, ends, and loads
 * when the program is started again. */
void lost_stream_follow(struct cluster *, bool is_gone, uint64_t now);

/* While it is watched: the engine has told a message of what is stored there. */
void lost_stream_take(struct cluster *, struct room *, const struct report *,
    const struct frame_message *, uint64_t now);
/* While it is watched: what is stored there ends at that sequence. */
void lost_stream_end(struct cluster *, struct room *, const struct report *, uint64_t sequence);
/* The stream was made anew by that message: this node goes on behind it if its room is the same.
 * Else it ends or, in LOADING, loads again. Without memory to see that, its room is taken for
 * another one. */
void lost_stream_meet(struct cluster *, struct room *, const struct report *,
    const struct frame_message *, const struct renewal_note *);

/* When this node is to make the stream anew; TIME_NEVER: it is not known, or it has no room yet, or
 * not the next incarnation of it. */
uint64_t lost_stream_due(const struct cluster *);
/* Tries to, from this node's room. Its message comes back as any other node's does. Without memory
 * nothing is done this time. */
void lost_stream_renew(struct cluster *, struct room *, const struct report *, uint64_t now);

#endif
