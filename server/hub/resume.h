/*
 * resume.h: moves a session to another connection. When the old connection has ended, the new one
 * gets its person and its token (chat-protocol(7), RESUMING).
 */
#ifndef SERVER_HUB_RESUME_H
#define SERVER_HUB_RESUME_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct connections;

/* How long the old connection's worker may take to relay its input before it is killed. */
#define RESUME_US 5000000u

/* The holder of a claimed token has ended: its person and token pass to the claimant. */
void resume_pass(struct connections *, struct connection *old);
/* A held line of this author was settled: refused by the disk, or taken. */
void resume_settled(struct connections *, uint32_t author, bool refused);
/* All lines before a resumption are settled. */
void resume_ready(struct connections *, struct connection *);
/* Withdraws a connection's claim, because it ends. */
void resume_forget(struct connection *);
/* The old connection has not ended in time: its worker is killed. */
void resume_late(struct connections *, struct connection *claimant);

#endif
