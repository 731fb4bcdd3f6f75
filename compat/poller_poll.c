/* The poller by poll(2): see poller.h. */
#include "compat.h"
#include "poller.h"

#if !defined(__linux__) || defined(USE_POLL)

#include <errno.h>
#include <stdlib.h>

/*
 * fds and tags are parallel and without holes, so that poll() takes fds as it is; the last one
 * moves into the place of one that goes. places[fd] is the place of fd in them, or -1.
 * A descriptor without interest is there as its complement, which is negative: poll() skips it.
 */
struct poller {
    struct pollfd *fds;
    void **tags;
    size_t count, room;
    int *places;
    size_t places_room;
    size_t first; /* where looking for events begins, so that none is always behind the others */
};

static int fd_real(const struct pollfd *p)
{
    return p->fd < 0 ? ~p->fd : p->fd;
}

struct poller *poller_new(void)
{
    return calloc(1, sizeof(struct poller));
}

void poller_free(struct poller *p)
{
    if (p == NULL)
        return;
    free(p->fds);
    free(p->tags);
    free(p->places);
    free(p);
}

static int place_of(const struct poller *p, int fd)
{
    return fd >= 0 && (size_t)fd < p->places_room ? p->places[fd] : -1;
}

static int places_grow(struct poller *p, int fd)
{
    size_t room = p->places_room == 0 ? 64 : p->places_room;

    while (room <= (size_t)fd)
        room *= 2;
    if (room == p->places_room)
        return 0;
    int *places = realloc(p->places, room * sizeof *places);
    if (places == NULL)
        return -1;
    for (size_t i = p->places_room; i < room; i++)
        places[i] = -1;
    p->places = places;
    p->places_room = room;
    return 0;
}

static int fds_grow(struct poller *p)
{
    if (p->count < p->room)
        return 0;
    size_t room = p->room == 0 ? 64 : 2 * p->room;
    struct pollfd *fds = realloc(p->fds, room * sizeof *fds);
    if (fds == NULL)
        return -1;
    p->fds = fds;
    void **tags = realloc(p->tags, room * sizeof *tags);
    if (tags == NULL)
        return -1;
    p->tags = tags;
    p->room = room;
    return 0;
}

int poller_set(struct poller *p, int fd, short events, void *tag)
{
    int place = place_of(p, fd);

    if (fd < 0) {
        errno = EBADF;
        return -1;
    }
    if (place == -1) {
        if (places_grow(p, fd) == -1 || fds_grow(p) == -1)
            return -1;
        place = (int)p->count++;
        p->places[fd] = place;
    }
    p->fds[place] = (struct pollfd){events == 0 ? ~fd : fd, events, 0};
    p->tags[place] = tag;
    return 0;
}

void poller_remove(struct poller *p, int fd)
{
    int place = place_of(p, fd);

    if (place == -1)
        return;
    p->count--;
    p->fds[place] = p->fds[p->count];
    p->tags[place] = p->tags[p->count];
    p->places[fd_real(&p->fds[place])] = place;
    p->places[fd] = -1;
}

int poller_wait(
    struct poller *p, int timeout_ms, const sigset_t *mask, struct poller_event *out, size_t max)
{
    int ready = poll_masked(p->fds, (nfds_t)p->count, timeout_ms, mask);
    size_t n = 0;

    if (ready <= 0)
        return ready;
    for (size_t seen = 0; seen < p->count && n < max && ready > 0; seen++) {
        if (p->first >= p->count)
            p->first = 0;
        const struct pollfd *at = &p->fds[p->first];
        if (at->fd >= 0 && at->revents != 0) {
            out[n++] = (struct poller_event){p->tags[p->first], at->revents};
            ready--;
        }
        p->first++;
    }
    return (int)n;
}

#endif
