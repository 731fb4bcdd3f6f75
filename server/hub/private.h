/*
 * private.h: private messages to members of other nodes. The hub asks the receiver's hub, directly
 * and not by the stream; until it has answered, or does not within five seconds, no more lines of
 * the sender are taken, so that the answers keep their order. A message is sent once: where its
 * answer is lost, it may have been delivered.
 */
#ifndef SERVER_HUB_PRIVATE_H
#define SERVER_HUB_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"

/* The person is a member of another node. */
bool private_is_elsewhere(const struct connections *, const struct person *);
/* Sends a member's line to a member of another node. */
enum taken private_send(
    struct connections *, struct connection *, const struct person *to, struct span text);
/* There is no answer in time. */
void private_late(struct connections *, struct connection *);
/* The sender's session ends. The line counts as answered: it must not be sent again. */
void private_forget(struct connections *, struct connection *);

/* Takes the other node's question or answer that was read last. False: there is none. */
bool private_take(struct connections *);
/* Takes letters that were ahead of the room, and those that have waited too long. */
void private_turn(struct connections *);

#endif
