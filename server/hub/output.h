/*
 * output.h: how a client gets what it is told, and how that ends: what is pending is delivered,
 * then the writing side is shut down, and what the client still sends is read and discarded until
 * it has seen the end; closing a socket with unread input would reset the connection.
 */
#ifndef SERVER_HUB_OUTPUT_H
#define SERVER_HUB_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct connections;

/* How long the output of a connection may last after its end, beside a second for each 4 KiB. */
#define DRAIN_US 60000000u
/* The same where the worker has crashed, and when the server stops. */
#define DRAIN_SHORT_US 2000000u

/* From here on the client is sent the log, from cursor to limit. */
void output_follow(struct connections *, struct connection *, uint64_t cursor, uint64_t limit);
/* Sends what can be sent, and takes the next step where that is all. */
void output_send(struct connections *, struct connection *);
/*
 * The session is over: what is pending is delivered, for at most that time; DRAIN_US is extended by
 * a second for each 4 KiB.
 */
void output_drain(struct connections *, struct connection *, uint64_t limit_us);
/*
 * The client has said goodbye: its worker has exited, or the socket shows it; before the goodbye
 * lines may wait for the client to take answers. Where it takes nothing, or less than what drains,
 * it is cut: no answer is sent any more, and its lines count.
 */
void output_goodbye(struct connections *, struct connection *);
/* The session is over, and what is pending is dropped: the client is shown the end. */
void output_end(struct connections *, struct connection *);
/* The client's socket is ready, as the poller says. */
void output_ready(struct connections *, struct connection *, short revents);
/* DEADLINE_WATCH: true where the peer does not acknowledge any more: it is gone. */
bool output_is_dead(struct connections *, struct connection *);
/* DEADLINE_GOODBYE, DEADLINE_DRAIN and DEADLINE_DISCARD. */
void output_goodbye_due(struct connections *, struct connection *);
void output_drain_due(struct connections *, struct connection *);
void output_discard_due(struct connections *, struct connection *);

#endif
