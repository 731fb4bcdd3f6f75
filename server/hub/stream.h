/*
 * stream.h: applies the messages of the room's stream, step by step, as far as the log has space.
 * The outcome of a request of this node goes to its completion. If a request of another node has
 * removed a person of this node, or resumed its session there, the session here ends.
 */
#ifndef SERVER_HUB_STREAM_H
#define SERVER_HUB_STREAM_H

#include <stdbool.h>
#include <stdint.h>

struct connections;

/* Once a turn: reads messages and applies them. */
void stream_turn(struct connections *);
/* Once a turn: tells members when storing has failed for a while, and when it works again. */
void stream_tell(struct connections *);
/* A step can be made at once, if the log has space. False also after a step without memory. */
bool stream_has_more(const struct connections *);
/* When a turn is due at the latest; TIME_NEVER: no need. */
uint64_t stream_due(const struct connections *);

#endif
