/*
 * nats_client.h: the engine as a client of NATS: logs in, handles the operations of the server, and
 * keeps the deadlines.
 */
#ifndef SERVER_CLUSTER_NATS_CLIENT_H
#define SERVER_CLUSTER_NATS_CLIENT_H

#include <poll.h>
#include <stdint.h>

struct upstream;

/* What poll(2) is to wait for. */
void nats_client_wait(const struct upstream *, struct pollfd *);
/* Reads and processes input, as far as the hub has space for what it causes. */
void nats_client_read(struct upstream *, short revents, uint64_t now);
/* Does what is due, publishes what is in the window, and sends. */
void nats_client_turn(struct upstream *, uint64_t now);
/* When the next turn is due. */
uint64_t nats_client_due(const struct upstream *);

#endif
