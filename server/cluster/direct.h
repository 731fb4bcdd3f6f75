/*
 * direct.h: questions of one node to another, and their answers, as requests and replies of NATS:
 * they go from server to server and nothing of them is stored. What is in them is the hub's affair.
 *
 * Node NODE of room ROOM listens to `chat-priv.ROOM.NODE`. A question is asked once, and an answer
 * is given once: where one is lost, nobody learns of it.
 */
#ifndef SERVER_CLUSTER_DIRECT_H
#define SERVER_CLUSTER_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/span.h"

struct nats_operation;
struct upstream;

/* The login is accepted: listens to the questions for this node. */
void direct_open(struct upstream *);
/* The hub's FRAME_ASK and FRAME_ANSWER. A question that cannot be asked now is answered at once, by
 * nothing. False where the payload is none. */
bool direct_ask(struct upstream *, struct span payload, uint64_t now);
bool direct_answer(struct upstream *, struct span payload);
/* A message has come. False: it is neither a question nor the answer to one. */
bool direct_take(struct upstream *, const struct nats_operation *);

#endif
