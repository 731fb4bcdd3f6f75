/* refusal.c: sends the line, and discards input until the close. */
#include "refusal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compat/poller.h"
#include "timeout.h"
#include "wire/stamp.h"

/* How long a client may take to close. */
#define REFUSED_US 2000000u

static bool send_error(int fd, const char *text)
{
    char line[256];
    struct timespec ts;
    int n;

    clock_gettime(CLOCK_REALTIME, &ts);
    stamp_format(line, (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u);
    n = snprintf(line + STAMP_LEN, sizeof(line) - STAMP_LEN, " error %s\n", text);
    return send(fd, line, STAMP_LEN + (size_t)n, MSG_NOSIGNAL) != -1;
}

void refusals_add(struct refusals *rs, int fd, const char *text, uint64_t now)
{
    struct refusal *r = &rs->all[rs->count];

    if (!send_error(fd, text) || shutdown(fd, SHUT_WR) == -1 || rs->count == REFUSALS_MAX ||
        poller_set(rs->poller, fd, POLLIN, r) == -1) {
        close(fd);
        return;
    }
    *r = (struct refusal){.fd = fd, .until = now + REFUSED_US};
    rs->count++;
}

static void refusal_end(struct refusals *rs, struct refusal *r)
{
    poller_remove(rs->poller, r->fd);
    close(r->fd);
    *r = rs->all[--rs->count];
    if (r != &rs->all[rs->count])
        (void)poller_set(rs->poller, r->fd, POLLIN, r);
}

/* What the client still sends is discarded until its end, so that it gets its answer. */
static void refusal_read(struct refusals *rs, struct refusal *r)
{
    char buf[4096];
    ssize_t n = recv(r->fd, buf, sizeof(buf), 0);

    if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        refusal_end(rs, r);
}

/* A place may have been filled anew since the event: reading there is harmless. */
bool refusals_ready(struct refusals *rs, void *tag)
{
    uintptr_t at = (uintptr_t)tag;

    if (at < (uintptr_t)&rs->all[0] || at >= (uintptr_t)&rs->all[REFUSALS_MAX])
        return false;
    if (at < (uintptr_t)&rs->all[rs->count])
        refusal_read(rs, tag);
    return true;
}

int refusals_turn(struct refusals *rs, uint64_t now)
{
    int timeout = -1;

    for (size_t i = rs->count; i-- > 0;)
        if (rs->all[i].until <= now)
            refusal_end(rs, &rs->all[i]);
    for (size_t i = 0; i < rs->count; i++)
        timeout = timeout_earlier(timeout, timeout_until(rs->all[i].until, now));
    return timeout;
}
