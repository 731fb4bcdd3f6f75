/*
 * operator.h: what operators do to others, and what the access rules say of those who are here.
 */
#ifndef SERVER_HUB_OPERATOR_H
#define SERVER_HUB_OPERATOR_H

#include <stdbool.h>

#include "connection.h"
#include "protocol.h"
#include "submission.h"

/*
 * /kick, /ban and /unban, of an operator that is a member: the answer is a note, behind the quit
 * where there is one, or an error. The room has space for an event.
 */
enum taken operator_line(struct connections *, struct connection *, const struct request *);
/* Completion of ROOM_KICK, which is for a room on several machines. */
completion operator_kicked;
/* A kick was applied that has removed the person of this session: it is over. */
void operator_end(struct connections *, struct connection *, const struct room_request *kick);
/* It is a ban, and the person was this node's: every node is told the source. */
void operator_ban_source(
    struct connections *, const struct source_key *, const struct room_request *kick);
/* A ban was applied: it is in force here, or lifted. */
void operator_ban(struct connections *, const struct room_request *ban);
/* Tells the other nodes again of bans that were not stored when this node was gone for them. */
void operator_tell_bans(struct connections *);
/*
 * Compares every session with the access rules: sets which clients are operators, and ends the
 * sessions of clients that are refused now. False if the log has no more space: call it again; it
 * begins anew.
 */
bool operators_review(struct connections *);

#endif
