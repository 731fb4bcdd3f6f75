/* path.c: the counters of TCP_INFO, looked at over time, and keepalive. */
#include "path.h"

#include "../compat/compat.h"
#include "clock.h"

/* With the first look, and the time until the kernel has begun to repeat: noticed within 50 s. */
#define STUCK_MAX 35000

/* Keepalive of an idle path: seconds until the first probe, between two, and unanswered ones. */
#define KEEPALIVE_IDLE 20
#define KEEPALIVE_INTERVAL 5
#define KEEPALIVE_COUNT 5

void path_begin(struct path *path, int fd)
{
    struct tcp_progress progress;

    *path = (struct path){.stuck = -1};
    if (!tcp_progress(fd, &progress))
        return;
    path->base = progress.acked;
    tcp_keepalive(fd, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT);
}

size_t path_room(const struct path *path, int fd)
{
    struct tcp_progress progress;
    uint64_t limit;

    if (!tcp_progress(fd, &progress) || progress.window == TCP_WINDOW_UNKNOWN)
        return SIZE_MAX;
    limit = progress.acked - path->base + progress.window;
    return limit > path->written ? (size_t)(limit - path->written) : 0;
}

void path_written(struct path *path, size_t len)
{
    path->written += len;
    path->watched = true;
}

bool path_is_watched(const struct path *path)
{
    return path->watched;
}

bool path_is_dead(struct path *path, int fd)
{
    struct tcp_progress progress;

    if (!tcp_progress(fd, &progress))
        path->watched = false;
    else if (progress.acked - path->base >= path->written)
        path->watched = false;
    if (!path->watched || !progress.repeats || progress.acked != path->acked)
        path->stuck = -1;
    else if (path->stuck < 0)
        path->stuck = clock_now();
    path->acked = progress.acked;
    return path->stuck >= 0 && clock_now() - path->stuck >= STUCK_MAX;
}
