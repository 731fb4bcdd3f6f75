/* The poller by epoll(7): see poller.h. */
#include "os.h"

#include "compat.h"
#include "poller.h"

#if defined(__linux__) && !defined(USE_POLL)

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

_Static_assert(
    POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP,
    "poll's bits are epoll's");

/* A descriptor's registration. Events 0: it is not registered, because epoll reports errors and
 * hang-ups of every registered descriptor. */
struct slot {
    void *tag;
    short events;
};

/* slots is indexed by descriptor. events is the kernel's form of what poller_wait() returns. */
struct poller {
    int fd;
    struct slot *slots;
    size_t room;
    struct epoll_event *events;
    size_t events_room;
};

struct poller *poller_new(void)
{
    struct poller *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd == -1) {
        free(p);
        return NULL;
    }
    return p;
}

void poller_free(struct poller *p)
{
    if (p == NULL)
        return;
    close(p->fd);
    free(p->slots);
    free(p->events);
    free(p);
}

static int slots_grow(struct poller *p, int fd)
{
    size_t room = p->room == 0 ? 64 : p->room;

    while (room <= (size_t)fd)
        room *= 2;
    if (room == p->room)
        return 0;
    struct slot *slots = realloc(p->slots, room * sizeof *slots);
    if (slots == NULL)
        return -1;
    for (size_t i = p->room; i < room; i++)
        slots[i] = (struct slot){0};
    p->slots = slots;
    p->room = room;
    return 0;
}

int poller_set(struct poller *p, int fd, short events, void *tag)
{
    if (fd < 0) {
        errno = EBADF;
        return -1;
    }
    if (slots_grow(p, fd) == -1)
        return -1;
    struct slot *slot = &p->slots[fd];
    if (events != slot->events) {
        struct epoll_event wanted = {.events = (uint32_t)events, .data.fd = fd};
        int what = slot->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
        if (epoll_ctl(p->fd, what, fd, &wanted) == -1)
            return -1;
    }
    *slot = (struct slot){tag, events};
    return 0;
}

void poller_remove(struct poller *p, int fd)
{
    if (fd < 0 || (size_t)fd >= p->room)
        return;
    if (p->slots[fd].events != 0)
        epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
    p->slots[fd] = (struct slot){0};
}

static int events_grow(struct poller *p, size_t max)
{
    if (max <= p->events_room)
        return 0;
    struct epoll_event *events = realloc(p->events, max * sizeof *events);
    if (events == NULL)
        return -1;
    p->events = events;
    p->events_room = max;
    return 0;
}

int poller_wait(
    struct poller *p, int timeout_ms, const sigset_t *mask, struct poller_event *out, size_t max)
{
    if (events_grow(p, max) == -1)
        return -1;
    int ready = epoll_pwait(p->fd, p->events, (int)max, timeout_ms, mask);
    for (int i = 0; i < ready; i++) {
        const struct slot *slot = &p->slots[p->events[i].data.fd];
        out[i] = (struct poller_event){slot->tag, (short)p->events[i].events};
    }
    return ready;
}

#endif
