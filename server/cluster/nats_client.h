/*
 * nats_client.h: the engine as a client of NATS: logs in to one server after the other, sorts what
 * they say, and sees to the times.
 */
#ifndef SERVER_CLUSTER_NATS_CLIENT_H
#define SERVER_CLUSTER_NATS_CLIENT_H

#include <poll.h>
#include <stdint.h>

struct upstream;

/* What poll(2) is to wait for. */
void nats_client_wait(const struct upstream *, struct pollfd *);
/* Reads what is there, within what the hub can be told of. */
void nats_client_read(struct upstream *, short revents, uint64_t now);
/* Does what is due, publishes what is in the window, and sends. */
void nats_client_turn(struct upstream *, uint64_t now);
/* When the next turn is due. */
uint64_t nats_client_due(const struct upstream *);

#endif
