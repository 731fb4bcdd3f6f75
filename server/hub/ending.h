/*
 * ending.h: the ways in which a session ends, and the effect of each on the room, on pending output
 * and on the worker.
 */
#ifndef SERVER_HUB_ENDING_H
#define SERVER_HUB_ENDING_H

#include "submission.h"
#include "wire/span.h"

struct connection;
struct connections;

/* The cause of the end. */
enum ending {
    ENDING_GOODBYE, /* the client closed its side: all its lines were taken; output is drained */
    ENDING_LOST,    /* the connection broke: pending output is dropped */
    ENDING_SERVER,  /* /quit, a refusal, a timeout: output is drained, input is discarded */
    ENDING_KICKED,  /* by an operator: as SERVER, and the client gets its own quit */
    ENDING_WORKER,  /* the worker crashed, was killed or broke the rules: as SERVER, but shorter */
    ENDING_MOVED    /* another connection has its session: output is dropped, input discarded */
};

/*
 * Ends a session: its person leaves the room with this reason (left, lost, kicked, crashed) and
 * text, or passes to the connection that claims it. Nothing happens where it has ended already.
 * Where the person is a member the room must have space for the event: connections_have_room().
 */
void session_end(
    struct connections *, struct connection *, enum ending, const char *reason, struct span text);
/* What is left of a session that is over, its token and perhaps its person, passes to the
 * connection that claims it, or expires; as soon as none of its requests is under way. */
void session_pass_on(struct connections *, struct connection *);
/* Completion of ROOM_LEAVE. */
completion session_left;
/* The client gets the events up to now, and none after them. */
void session_stop_output(struct connections *, struct connection *);
/* The worker broke the rules: it is killed and the session ends. */
void session_fault(struct connections *, struct connection *, const char *why);
/* The worker's process has ended in another way than after its goodbye: kicked or crashed. */
void session_worker_died(struct connections *, struct connection *);
/* The worker has closed the pair: no more lines follow. */
void session_input_over(struct connections *, struct connection *);

#endif
