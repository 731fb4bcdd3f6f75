/*
 * submission.h: a request on its way to the room, and what is done with its outcome.
 */
#ifndef SERVER_HUB_SUBMISSION_H
#define SERVER_HUB_SUBMISSION_H

#include "room.h"

struct connection;
struct connections;
struct item;

struct submission {
    struct room_request request;
    struct connection *connection; /* whose request it is; NULL: a ban, of this node */
    /* Memory for an answer that the outcome decides, or NULL; the completion's, which frees it
     * where there is no such answer. */
    struct item *answer;
};

/*
 * Handles the outcome of one kind of request. It cannot fail: the memory that it may need was
 * allocated before. The result is ROOM_DONE, ROOM_TAKEN, or ROOM_NOBODY: in a cluster, an earlier
 * request of the stream has made this one void.
 */
typedef void completion(
    struct connections *, const struct submission *, enum room_result, const struct room_outcome *);

#endif
