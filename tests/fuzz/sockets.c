/* sockets.c: see sockets.h. */
#include "sockets.h"
#include "compat/compat.h"
#include "compat/poller.h"
#include "fuzz.h"
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux's net.core.wmem_default, and what it counts for a piece besides its bytes. */
#define BUFFER_DEFAULT 212992
#define PIECE_COST 512

/* One end: what has come and was not read is [start, len) of bytes. */
struct end {
    int descriptors;  /* 0: it is closed */
    struct end *peer; /* NULL: it is closed */
    struct text bytes;
    size_t start;
    size_t cost;  /* of what has come, besides its bytes */
    size_t limit; /* of what the other end may be given */
    bool no_more_in;
    bool no_more_out;
    int error;
    struct end *spare; /* the next one that is not in use */
};

struct slot {
    short events;
    void *tag;
};

struct poller {
    size_t next; /* where poller_wait() begins to look */
    struct slot slots[SOCKETS_MAX];
};

static struct end *ends[SOCKETS_MAX];
static struct end *spares;          /* used again, with the memory for their bytes */
static bool inherited[SOCKETS_MAX]; /* it stays open in another program */
static size_t ends_top;             /* behind the highest that is open */
static bool executing;

int __real_close(int fd);
int __wrap_close(int fd);
int __real_dup(int fd);
int __wrap_dup(int fd);
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/* ---- Descriptors ---- */

/* NULL: it is not one of these. */
static struct end *end_of(int fd)
{
    return fd >= SOCKETS_FIRST && fd < SOCKETS_FIRST + SOCKETS_MAX ? ends[fd - SOCKETS_FIRST]
                                                                   : NULL;
}

static int end_number(struct end *end)
{
    size_t i = 0;

    while (i < SOCKETS_MAX && ends[i] != NULL)
        i++;
    must(i < SOCKETS_MAX);
    ends[i] = end;
    inherited[i] = false;
    end->descriptors++;
    if (i >= ends_top)
        ends_top = i + 1;
    return (int)i + SOCKETS_FIRST;
}

static struct end *end_new(void)
{
    struct end *end = spares;

    if (end == NULL)
        end = must_allocate(sizeof *end);
    else
        spares = end->spare;
    *end = (struct end){
        .bytes = {.at = end->bytes.at, .size = end->bytes.size}, .limit = BUFFER_DEFAULT};
    return end;
}

int socketpair_cloexec_nonblock(int sv[2])
{
    struct end *a = end_new();
    struct end *b = end_new();

    a->peer = b;
    b->peer = a;
    sv[0] = end_number(a);
    sv[1] = end_number(b);
    return 0;
}

static size_t end_held(const struct end *end)
{
    return end->bytes.len - end->start;
}

static void end_close(struct end *end)
{
    struct end *peer = end->peer;

    if (peer != NULL) {
        peer->no_more_in = peer->no_more_out = true;
        if (end_held(end) > 0)
            peer->error = ECONNRESET;
        peer->peer = NULL;
    }
    end->spare = spares;
    spares = end;
}

static bool is_inherited(int fd)
{
    return end_of(fd) != NULL ? inherited[fd - SOCKETS_FIRST]
                              : (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

int __wrap_close(int fd)
{
    struct end *end = end_of(fd);

    if (executing && is_inherited(fd))
        return 0;
    if (end == NULL)
        return memory_close(fd) ? 0 : __real_close(fd);
    ends[fd - SOCKETS_FIRST] = NULL;
    while (ends_top > 0 && ends[ends_top - 1] == NULL)
        ends_top--;
    if (--end->descriptors == 0)
        end_close(end);
    return 0;
}

int __wrap_dup(int fd)
{
    struct end *end = end_of(fd);

    return end == NULL ? __real_dup(fd) : end_number(end);
}

void sockets_execute(bool begin)
{
    executing = begin;
}

unsigned sockets_count(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < ends_top; i++)
        count += ends[i] != NULL;
    return count;
}

/* ---- Bytes ---- */

static bool is_full(const struct end *peer, size_t limit)
{
    return end_held(peer) + peer->cost >= limit;
}

/* What was read makes room when it is more than the rest. */
static void end_compact(struct end *end)
{
    if (end->start == 0 || end->start < end_held(end))
        return;
    memmove(end->bytes.at, end->bytes.at + end->start, end_held(end));
    end->bytes.len -= end->start;
    end->start = 0;
}

/* As much as there is room for; a piece is at most half of what there may be. */
static size_t end_give(struct end *end, const char *bytes, size_t len)
{
    struct end *peer = end->peer;
    size_t given = 0;

    end_compact(peer);
    while (given < len && !is_full(peer, end->limit)) {
        size_t n = end->limit / 2 - 64;

        n = n < len - given ? n : len - given;
        text_add(&peer->bytes, bytes + given, n);
        peer->cost += PIECE_COST;
        given += n;
    }
    return given;
}

static ssize_t end_fail(int error)
{
    errno = error;
    return -1;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct end *end = end_of(fd);
    size_t sent = 0;
    size_t wanted = 0;

    if (end == NULL)
        return __real_sendmsg(fd, message, flags);
    if (end->peer == NULL || end->no_more_out || end->peer->no_more_in)
        return end_fail(EPIPE);
    for (size_t i = 0; i < message->msg_iovlen && sent == wanted; i++) {
        wanted += message->msg_iov[i].iov_len;
        sent += end_give(end, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    }
    return sent == 0 && wanted > 0 ? end_fail(EAGAIN) : (ssize_t)sent;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    char *copy = (char *)(uintptr_t)bytes;
    struct iovec piece = {.iov_base = copy, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    return end_of(fd) == NULL ? __real_send(fd, bytes, len, flags)
                              : __wrap_sendmsg(fd, &message, flags);
}

/* Of the cost goes what goes of the bytes. */
static void end_forget(struct end *end, size_t len)
{
    end->cost -= end->cost * len / end_held(end);
    end->start += len;
    if (end->start == end->bytes.len)
        end->start = end->bytes.len = 0;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
    struct end *end = end_of(fd);
    size_t n;
    int error;

    if (end == NULL)
        return __real_recv(fd, bytes, size, flags);
    n = end_held(end) < size ? end_held(end) : size;
    error = end->error;
    if (n > 0) {
        memcpy(bytes, end->bytes.at + end->start, n);
        if ((flags & MSG_PEEK) == 0)
            end_forget(end, n);
        return (ssize_t)n;
    }
    end->error = 0;
    if (error != 0)
        return end_fail(error);
    return end->no_more_in ? 0 : end_fail(EAGAIN);
}

int __wrap_shutdown(int fd, int how)
{
    struct end *end = end_of(fd);

    if (end == NULL)
        return __real_shutdown(fd, how);
    must(how == SHUT_WR);
    end->no_more_out = true;
    if (end->peer != NULL)
        end->peer->no_more_in = true;
    return 0;
}

/* The system doubles it. */
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    struct end *end = end_of(fd);
    int bytes;

    if (end == NULL)
        return __real_setsockopt(fd, level, name, value, len);
    must(level == SOL_SOCKET && name == SO_SNDBUF && len == sizeof bytes);
    memcpy(&bytes, value, sizeof bytes);
    end->limit = 2 * (size_t)bytes;
    return 0;
}

/* What some C libraries call in their place: for fortified code, or with 64-bit times and offsets.
 */

ssize_t __wrap___recv_chk(int fd, void *bytes, size_t size, size_t room, int flags);
ssize_t __wrap___sendmsg64(int fd, const struct msghdr *message, int flags)
    __attribute__((alias("__wrap_sendmsg")));
int __wrap___setsockopt64(int fd, int level, int name, const void *value, socklen_t len)
    __attribute__((alias("__wrap_setsockopt")));

ssize_t __wrap___recv_chk(int fd, void *bytes, size_t size, size_t room, int flags)
{
    must(size <= room);
    return __wrap_recv(fd, bytes, size, flags);
}

/* Of these only whether they stay open in another program is set. */
#define WRAP_FCNTL(name)                                                                           \
    int __real_##name(int fd, int what, ...) __attribute__((weak));                                \
    int __wrap_##name(int fd, int what, ...);                                                      \
    int __wrap_##name(int fd, int what, ...)                                                       \
    {                                                                                              \
        va_list ap;                                                                                \
        void *value;                                                                               \
                                                                                                   \
        va_start(ap, what);                                                                        \
        value = va_arg(ap, void *);                                                                \
        va_end(ap);                                                                                \
        if (end_of(fd) == NULL)                                                                    \
            return __real_##name(fd, what, value);                                                 \
        must(what == F_SETFD);                                                                     \
        inherited[fd - SOCKETS_FIRST] = value == NULL;                                             \
        return 0;                                                                                  \
    }

WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)
WRAP_FCNTL(__fcntl_time64)

/* ---- What is ready ---- */

static bool is_writable(const struct end *end)
{
    return end->peer == NULL || 4 * (end_held(end->peer) + end->peer->cost) <= end->limit;
}

static short end_ready(const struct end *end)
{
    short ready = 0;

    if (end_held(end) > 0 || end->no_more_in)
        ready |= POLLIN;
    if (is_writable(end))
        ready |= POLLOUT;
    if (end->no_more_in && end->no_more_out)
        ready |= POLLHUP;
    if (end->error != 0)
        ready |= POLLERR;
    return ready;
}

bool socket_peer_ended(int fd)
{
    const struct end *end = end_of(fd);

    return end != NULL && end->no_more_in;
}

struct poller *poller_new(void)
{
    return must_allocate(sizeof(struct poller));
}

void poller_free(struct poller *p)
{
    free(p);
}

int poller_set(struct poller *p, int fd, short events, void *tag)
{
    must(end_of(fd) != NULL);
    p->slots[fd - SOCKETS_FIRST] = (struct slot){events, tag};
    return 0;
}

void poller_remove(struct poller *p, int fd)
{
    if (end_of(fd) != NULL)
        p->slots[fd - SOCKETS_FIRST] = (struct slot){0};
}

int poller_wait(
    struct poller *p, int timeout_ms, const sigset_t *mask, struct poller_event *out, size_t max)
{
    size_t found = 0;

    (void)mask;
    must(timeout_ms == 0); /* nobody else would make anything ready */
    for (size_t i = 0; i < ends_top && found < max; i++) {
        size_t at = (p->next + i) % ends_top;
        const struct slot *slot = &p->slots[at];
        short ready;

        if (slot->events == 0)
            continue;
        must(ends[at] != NULL);
        ready = (short)(end_ready(ends[at]) & (slot->events | POLLHUP | POLLERR));
        if (ready != 0)
            out[found++] = (struct poller_event){slot->tag, ready};
    }
    p->next = ends_top > 0 ? (p->next + 1) % ends_top : 0;
    return (int)found;
}
