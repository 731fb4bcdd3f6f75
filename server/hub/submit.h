/*
 * submit.h: the one way to the room for what is asked of it. A request is a value: it is submitted,
 * and when it has been applied its outcome comes to a completion. On one machine both happen in the
 * same call; where several share the room, the outcome comes with the stream, see stream.h.
 *
 * An answer never overtakes those to earlier lines: while requests of a connection are under way
 * nothing else of it is taken but messages, which are requests, too.
 */
#ifndef SERVER_HUB_SUBMIT_H
#define SERVER_HUB_SUBMIT_H

#include <stdbool.h>

struct connections;
struct submission;

/*
 * Hands a request over. False without memory: then nothing has happened, and the answer's memory is
 * still the caller's. The room has space for an event: connections_have_room().
 */
bool submit(struct connections *, const struct submission *);

#endif
