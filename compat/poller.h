/*
 * compat/poller.h: waits for many descriptors at once. poll(2) everywhere, epoll(7) on Linux
 * unless built with -DUSE_POLL; both level-triggered and alike in all that stands here.
 */
#ifndef COMPAT_POLLER_H
#define COMPAT_POLLER_H

#include <signal.h>
#include <stddef.h>

struct poller;

struct poller_event {
    void *tag;
    short revents; /* POLLIN, POLLOUT, POLLERR, POLLHUP */
};

/* NULL with errno. The poller holds no descriptor but (with epoll) its own, close-on-exec. */
struct poller *poller_new(void);
void poller_free(struct poller *);

/*
 * Adds fd, or changes what is waited for: POLLIN, POLLOUT, both; errors and hang-ups come with
 * either. With events 0 it stays known and nothing at all is reported for it. tag comes back
 * in each event; the poller never follows it. Setting what is set already costs nothing.
 * 0, or -1 with errno and nothing changed.
 */
int poller_set(struct poller *, int fd, short events, void *tag);

/* Forgets fd; to be called before it is closed. Not an error where fd is not known. */
void poller_remove(struct poller *, int fd);

/*
 * Waits at most timeout_ms (-1: no timeout) with this signal mask (NULL: the present one; see
 * poll_masked() in compat.h) and writes at most max events. Events that do not fit come first in
 * the next call, so every descriptor is reported in time. Returns their number, 0 after the
 * timeout, or -1 with errno: EINTR if a signal was handled.
 *
 * An event may concern a descriptor that the caller removes while it handles earlier events. So
 * nothing that a tag points to may be freed before all events are handled.
 */
int poller_wait(
    struct poller *, int timeout_ms, const sigset_t *mask, struct poller_event *out, size_t max);

#endif
