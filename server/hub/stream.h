/*
 * stream.h: what comes back of the room's stream. It is applied step by step, as far as the log has
 * space: outcomes of this node's requests go to their completions, and a session whose person has
 * left, or has gone on elsewhere, by another's request ends.
 */
#ifndef SERVER_HUB_STREAM_H
#define SERVER_HUB_STREAM_H

#include <stdbool.h>
#include <stdint.h>

struct connections;

/* Reads and applies. */
void stream_turn(struct connections *);
/* Members are told, once, that nothing is stored for a while, and that it is stored again. */
void stream_tell(struct connections *);
/* There is something to apply, and memory was not short; it may wait for space in the log. */
bool stream_has_more(const struct connections *);
/* When a turn is due at the latest; TIME_NEVER: no need. */
uint64_t stream_due(const struct connections *);

#endif
