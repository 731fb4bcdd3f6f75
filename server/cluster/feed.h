/*
 * feed.h: the room's stream, at a server that has accepted the login. Finds or makes the stream,
 * and reads it through an ordered consumer. At its end it reads on, and publishes the batches of
 * the window from then on. If a message is missing it makes another consumer.
 */
#ifndef SERVER_CLUSTER_FEED_H
#define SERVER_CLUSTER_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/span.h"

struct nats_operation;
struct upstream;

/* The login is accepted. */
void feed_open(struct upstream *, uint64_t now);
/* Asks the server for the stream. May be called again. */
void feed_ask(struct upstream *, uint64_t now);
/* A message has come. */
void feed_take(struct upstream *, const struct nats_operation *, uint64_t now);
/* FRAME_RENEW: its bytes are to be stored; they replace earlier ones. False: it is malformed. */
bool feed_renew(struct upstream *, struct span payload);
/* Does what is due, and publishes what is in the window. */
void feed_turn(struct upstream *, uint64_t now);
/* When the next turn is due. */
uint64_t feed_due(const struct upstream *);

#endif
