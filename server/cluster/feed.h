/*
 * feed.h: the room's stream at a server that has accepted the login: it is found, or made, read to
 * its end with an ordered consumer, and read on; the batches of the window are published from then
 * on. Where something is missing it begins again.
 */
#ifndef SERVER_CLUSTER_FEED_H
#define SERVER_CLUSTER_FEED_H

#include <stdint.h>

struct nats_operation;
struct upstream;

/* The login is accepted. */
void feed_open(struct upstream *, uint64_t now);
/* Asks for the stream, again where it was asked before. */
void feed_ask(struct upstream *, uint64_t now);
/* A message has come. */
void feed_take(struct upstream *, const struct nats_operation *, uint64_t now);
/* Does what is due, and publishes what is in the window. */
void feed_turn(struct upstream *, uint64_t now);
/* When the next turn is due. */
uint64_t feed_due(const struct upstream *);

#endif
