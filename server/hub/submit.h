/*
 * submit.h: the one way to change the room. A request is a value: it is submitted, and when it has
 * been applied its completion gets the outcome. On one machine both happen in the same call. In a
 * cluster the outcome comes with the stream, see stream.h.
 *
 * An answer never overtakes the answers to earlier lines: while requests of a connection are under
 * way, only messages are taken from it, because they are requests, too.
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
