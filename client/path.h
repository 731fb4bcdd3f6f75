/*
 * path.h: the way to the server over TCP: how much its kernel is ready to take, and whether it is
 * still there.
 *
 * A path that is dead has to be told from a server that does not read. With bytes under way that
 * no acknowledgement comes for, the kernel repeats them for a quarter of an hour; with bytes that
 * the server has no room for, it asks ever more rarely, after a while every two minutes. The first
 * is noticed here, and the second does not happen: no more is written than the server's kernel has
 * announced that it takes. So the send queue is empty while a server does not read, and keepalive,
 * which needs that, asks its kernel every few seconds.
 *
 * All of it is harmless where the connection is not TCP, or the system does not tell.
 */
#ifndef CLIENT_PATH_H
#define CLIENT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often path_is_dead() is to be asked while path_is_watched(), in ms. */
#define PATH_LOOK 5000

struct path {
    uint64_t written; /* since path_begin() */
    uint64_t base;    /* what the kernel counts as acknowledged at that time */
    uint64_t acked;   /* when it was looked at last */
    int64_t stuck;    /* since when the kernel has repeated the same bytes (clock.h); -1 */
    bool watched;     /* not all that was written is known to be acknowledged */
};

/* A new connection, on which nothing was written yet. */
void path_begin(struct path *, int fd);
/* How many bytes may be written now: SIZE_MAX where that is not known. */
size_t path_room(const struct path *, int fd);
void path_written(struct path *, size_t len);

bool path_is_watched(const struct path *);
/* True if the peer has acknowledged nothing for STUCK_MAX: the path is dead. */
bool path_is_dead(struct path *, int fd);

#endif
