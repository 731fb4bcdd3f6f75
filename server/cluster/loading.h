/*
 * loading.h: a node before it has a room. In LOADING it searches the stream for a snapshot (which
 * one: search.h), loads it, and goes to REWINDING: the next engine begins behind the snapshot, or
 * further back, and its messages are searched or applied in LOADING again. Where it finds nothing
 * to begin from, the node ends.
 */
#ifndef SERVER_CLUSTER_LOADING_H
#define SERVER_CLUSTER_LOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster_state.h"

/* Nothing is applied yet, nor is it known from where on. */
bool loading_is_searching(const struct cluster *);
/* While it searches: a message of the stream. Where the search is over with it, the snapshot is
 * loaded. */
void loading_take(
    struct cluster *, struct room *, const struct report *, const struct frame_message *);
/* While it searches: the stream ends at that sequence. Where a snapshot is yet to be stored, it is
 * waited for until wait_until. */
void loading_end(
    struct cluster *, struct room *, const struct report *, uint64_t sequence, uint64_t now);
/* The engine has told a state: what is waited for is waited for as long again. */
void loading_wait_again(struct cluster *, uint64_t now);
/* When it is not waited for any longer: TIME_NEVER where nothing is, or while the servers are away.
 */
uint64_t loading_due(const struct cluster *);
/* In LOADING: the stream was made anew by that message, and the room that was loaded is not the
 * one it goes on with. The room is cleared, and the snapshot behind that message is looked for. */
void loading_begin_anew(
    struct cluster *, struct room *, const struct frame_message *, const struct renewal_note *);
/* The same where the room that was loaded is another one than is right at the last place. What led
 * to it, a copy of the stream that differs, would lead to it again. */
void loading_begin_right(struct cluster *, struct room *);

#endif
