/*
 * commands.h: the lines after the name. Each is answered by exactly one line, in order: an event
 * goes into the log for all, everything else to the client that asked.
 */
#ifndef SERVER_HUB_COMMANDS_H
#define SERVER_HUB_COMMANDS_H

#include <stddef.h>

#include "connection.h"
#include "submission.h"

/* A line of a member or a poster. The room has space for an event. */
enum taken command_line(struct connections *, struct connection *, const char *line, size_t len);
/* The line is a request, so that it may be taken while others of its connection are under way. */
bool command_may_overtake(const struct connection *, const char *line, size_t len);
/* Completions of ROOM_SAY and ROOM_ACT, of ROOM_POST, of ROOM_RENAME. */
completion command_said;
completion command_posted;
completion command_renamed;
/* The line is not a message: it is too long. */
enum taken command_too_long(struct connections *, struct connection *);
/*
 * The disk did not take a message that this connection had sent: it is told so instead of the echo.
 * end: of the message, in the held lines. False without memory: try again.
 */
bool command_not_recorded(struct connections *, struct connection *, uint64_t end);

#endif
