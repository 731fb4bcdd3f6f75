/*
 * replica.h: the state of a room that is the same at all of its nodes, as bytes: persons and names,
 * nodes and their incarnations, the stream's clock, the last stamp. Not the log: its lines come
 * from the stream and the transcript. Nor what is a node's own: connections, bans, accounts.
 *
 * The bytes are stored in the stream as snapshots, and part of what one hub hands to the next. Two
 * rooms that are equal have equal bytes. doc/cluster.md has the form.
 */
#ifndef SERVER_HUB_REPLICA_H
#define SERVER_HUB_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/span.h"

struct codec;
struct room;

/* Writes the state, or fills an empty room; see codec.h. */
void replica_state(struct room *, struct codec *);

/* Reads what may be anybody's bytes into an empty room. False where they are no whole snapshot of
 * this form, or without memory: then the room can only be freed. */
bool replica_load(struct room *, struct span bytes);
/* The stamp of the last event before a snapshot. False: it is of no form that is known here. */
bool replica_stamp(struct span bytes, uint64_t *stamp);
/* The same at every node: SipHash-1-3 without a key. It finds faults, it proves nothing. */
uint64_t replica_hash(struct span bytes);

#endif
