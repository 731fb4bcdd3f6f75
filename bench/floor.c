/*
 * floor.c: the least that a relay of chatd's wire can do, for chatd to be held against.
 *
 *   floor [-n | -e] [-l ADDRESS]
 *
 * A client's first line is its name and is answered by `you NAME`; each later line goes to
 * everybody as `STAMP msg NAME TEXT`, where STAMP never changes. So the lines are as long as
 * chatd's, and nothing else is done that chatd does: no checks, no clock, no list, no joins, no
 * history, nobody moved ahead. Without an option one process holds the clients' sockets (floor 1).
 * With -n each client has a process that pumps bytes between its socket and one end of a socketpair
 * (floor n), with -e that process is a fresh image, as in chatd.
 *
 * One log, a cursor per client, edge-triggered epoll, and turns: read everything that is ready,
 * once, then write everything. Linux only. Nothing here is an example of how to treat errors.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif

#define STAMP "2026-01-01T00:00:00.000000Z"
#define NAME_LEN_MAX 8
#define READ_SIZE (64u << 10)
#define LOG_SIZE (4u << 20)
/* What one read can grow to: "x\n" becomes a stamp, a verb, a name and "x\n". */
#define READ_GROWN (24 * READ_SIZE)
/* Low descriptors through which clients are handed to new processes: see worker_start(). */
#define SLOTS 16
#define SLOT_BASE 8
#define SLOT_END (SLOT_BASE + 2 * SLOTS)
/* The cursor of a client that has no name yet. */
#define NOWHERE UINT64_MAX

enum shape { SHAPE_ONE, SHAPE_FORK, SHAPE_EXEC };
enum { SLOT_FREE, SLOT_LENT, SLOT_BACK };

struct client {
    int fd; /* -1: gone, to be forgotten when it is not among the ready */
    bool ready;
    bool hung_up;
    bool writable;
    uint64_t at;
    size_t prefix_len; /* 0: no name yet */
    char prefix[sizeof STAMP + 5 + NAME_LEN_MAX + 1];
    char *held; /* the beginning of a line */
    size_t held_len;
};

struct hub {
    enum shape shape;
    int listener;
    int epoll;
    int devnull;
    char *log;
    uint64_t head;
    uint64_t slowest;
    char *in; /* READ_SIZE for what was held, READ_SIZE for what is read */
    struct client **clients;
    size_t count;
    size_t cap;
    struct client **ready; /* room for cap */
    size_t ready_count;
    _Atomic unsigned char *slots; /* shared with the children */
};

static volatile sig_atomic_t child_died;

static void on_child(int sig)
{
    (void)sig;
    child_died = 1;
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(71);
}

static void *map_memory(size_t size, int flags)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

/* ---- A client's process --------------------------------------------------------------------- */

struct flow {
    int from;
    int to;
    size_t at;
    size_t len;
    char buf[READ_SIZE];
};

/* Reads once if there is nothing to be sent, and sends once. False at the end. */
static bool flow_move(struct flow *f, bool readable)
{
    if (f->len == 0 && readable) {
        ssize_t n = recv(f->from, f->buf, sizeof f->buf, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        f->at = 0;
        f->len = (size_t)n;
    }
    if (f->len > 0) {
        ssize_t n = send(f->to, f->buf + f->at, f->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        f->at += (size_t)n;
        f->len -= (size_t)n;
    }
    return true;
}

static _Noreturn void worker_main(int client, int hub)
{
    /* Not initialised as a whole: a page of a buffer is had when it is needed. */
    struct flow up;
    struct flow down;
    up.from = down.to = client;
    up.to = down.from = hub;
    up.len = down.len = 0;
    for (;;) {
        struct pollfd p[2] = {
            {.fd = client,
                .events = (short)((up.len == 0 ? POLLIN : 0) | (down.len > 0 ? POLLOUT : 0))},
            {.fd = hub,
                .events = (short)((down.len == 0 ? POLLIN : 0) | (up.len > 0 ? POLLOUT : 0))},
        };
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            _exit(1);
        if ((p[1].revents || down.len > 0) && !flow_move(&down, p[1].revents != 0))
            _exit(0);
        if ((p[0].revents || up.len > 0) && !flow_move(&up, p[0].revents != 0))
            _exit(0);
    }
}

/*
 * What runs in the child. Its table of descriptors is the parent's own until close_range() gives it
 * one that ends behind the slots: ten thousand others are never copied.
 */
static _Noreturn void worker_begin(struct hub *h, unsigned slot)
{
    unsigned fd = SLOT_BASE + 2 * slot;
    char arg[16];
    if (syscall(SYS_close_range, SLOT_END, ~0u, CLOSE_RANGE_UNSHARE) != 0)
        _exit(1);
    atomic_store(&h->slots[slot], SLOT_BACK);
    syscall(SYS_close_range, 3u, fd - 1, 0u);
    syscall(SYS_close_range, fd + 2, ~0u, 0u);
    if (h->shape == SHAPE_FORK)
        worker_main((int)fd, (int)fd + 1);
    snprintf(arg, sizeof arg, "%u", fd);
    execl("/proc/self/exe", "floor", "-w", arg, (char *)NULL);
    _exit(1);
}

/* Slots whose children have tables of their own are the parent's again. */
static bool slots_sweep(struct hub *h)
{
    bool lent = false;
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&h->slots[i]) == SLOT_BACK) {
            dup2(h->devnull, SLOT_BASE + 2 * i);
            dup2(h->devnull, SLOT_BASE + 2 * i + 1);
            atomic_store(&h->slots[i], SLOT_FREE);
        }
        lent |= atomic_load(&h->slots[i]) == SLOT_LENT;
    }
    return lent;
}

/* Gives the client a process; returns the hub's end of the pair. */
static int worker_start(struct hub *h, int client)
{
    unsigned slot = 0;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    while (atomic_load(&h->slots[slot]) != SLOT_FREE) {
        if (++slot == SLOTS) {
            slots_sweep(h);
            slot = 0;
        }
    }
    dup2(client, SLOT_BASE + 2 * (int)slot);
    dup2(pair[1], SLOT_BASE + 2 * (int)slot + 1);
    atomic_store(&h->slots[slot], SLOT_LENT);
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        worker_begin(h, slot);
    if (pid < 0)
        die("clone");
    close(client);
    close(pair[1]);
    return pair[0];
}

/* ---- The hub -----------------------------------------------------------------------------------
 */

static void client_add(struct hub *h, int fd)
{
    struct client *c = calloc(1, sizeof *c);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->clients = realloc(h->clients, h->cap * sizeof(struct client *));
        h->ready = realloc(h->ready, h->cap * sizeof(struct client *));
    }
    if (!c || !h->clients || !h->ready || epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
        die("client");
    c->fd = fd;
    c->writable = true;
    c->at = NOWHERE;
    h->clients[h->count++] = c;
}

static void client_gone(struct client *c)
{
    close(c->fd);
    c->fd = -1;
    c->at = NOWHERE;
}

static void log_append(struct hub *h, const char *s, size_t len)
{
    size_t at = h->head % LOG_SIZE;
    size_t first = len < LOG_SIZE - at ? len : LOG_SIZE - at;
    memcpy(h->log + at, s, first);
    memcpy(h->log, s + first, len - first);
    h->head += len;
}

/* The first line: from now on the client has a place in the log. */
static void client_login(struct hub *h, struct client *c, const char *name, size_t len)
{
    char you[sizeof c->prefix + 1];
    int n = (int)(len < NAME_LEN_MAX ? len : NAME_LEN_MAX);
    c->prefix_len = (size_t)snprintf(c->prefix, sizeof c->prefix, STAMP " msg %.*s ", n, name);
    c->at = h->head;
    n = snprintf(you, sizeof you, STAMP " you %.*s\n", n, name);
    if (send(c->fd, you, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
        client_gone(c);
}

static void client_line(struct hub *h, struct client *c, const char *line, size_t len)
{
    if (c->prefix_len == 0) {
        client_login(h, c, line, len - 1);
    } else if (len > 1) {
        log_append(h, c->prefix, c->prefix_len);
        log_append(h, line, len);
    }
}

static void client_read(struct hub *h, struct client *c)
{
    ssize_t n = recv(c->fd, h->in + READ_SIZE, READ_SIZE, MSG_DONTWAIT);
    if (n <= 0) {
        c->ready = false;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            client_gone(c);
        return;
    }
    /* A short read took all there was, but for an end that has been announced. */
    c->ready = n == READ_SIZE || c->hung_up;
    const char *at = h->in + READ_SIZE - c->held_len;
    const char *end = h->in + READ_SIZE + n;
    const char *lf;
    if (c->held_len > 0)
        memcpy(h->in + READ_SIZE - c->held_len, c->held, c->held_len);
    while (c->fd >= 0 && (lf = memchr(at, '\n', (size_t)(end - at)))) {
        client_line(h, c, at, (size_t)(lf + 1 - at));
        at = lf + 1;
    }
    c->held_len = (size_t)(end - at);
    if (c->held_len >= READ_SIZE) {
        client_gone(c);
        return;
    }
    if (c->held_len > 0) {
        c->held = realloc(c->held, c->held_len);
        if (!c->held)
            die("realloc");
        memcpy(c->held, at, c->held_len);
    }
}

static void client_write(struct hub *h, struct client *c)
{
    while (c->at < h->head) {
        size_t from = c->at % LOG_SIZE;
        size_t len = h->head - c->at;
        if (len > LOG_SIZE - from)
            len = LOG_SIZE - from;
        ssize_t n = send(c->fd, h->log + from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            client_gone(c);
            return;
        }
        if (n > 0)
            c->at += (size_t)n;
        if (n < (ssize_t)len) {
            c->writable = false;
            return;
        }
    }
}

static bool hub_has_room(const struct hub *h)
{
    return LOG_SIZE - (h->head - h->slowest) >= READ_GROWN;
}

static void hub_accept(struct hub *h)
{
    int fd;
    while ((fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        client_add(h, h->shape == SHAPE_ONE ? fd : worker_start(h, fd));
}

static void hub_event(struct hub *h, const struct epoll_event *ev)
{
    struct client *c = ev->data.ptr;
    if (!c) {
        hub_accept(h);
        return;
    }
    if (ev->events & EPOLLOUT)
        c->writable = true;
    if (ev->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->hung_up = true;
    if ((ev->events & ~(uint32_t)EPOLLOUT) && !c->ready) {
        c->ready = true;
        h->ready[h->ready_count++] = c;
    }
}

/* One piece from everybody who has something, as long as the log has room for it. */
static void hub_read(struct hub *h)
{
    size_t left = 0;
    for (size_t i = 0; i < h->ready_count; i++) {
        struct client *c = h->ready[i];
        if (c->fd < 0)
            c->ready = false;
        else if (hub_has_room(h))
            client_read(h, c);
        if (c->ready)
            h->ready[left++] = c;
    }
    h->ready_count = left;
}

/* To everybody what he is behind. Those who are gone are forgotten on the way. */
static void hub_write(struct hub *h)
{
    uint64_t slowest = h->head;
    for (size_t i = 0; i < h->count;) {
        struct client *c = h->clients[i];
        if (c->at < h->head && c->writable)
            client_write(h, c);
        if (c->at < slowest)
            slowest = c->at;
        if (c->fd < 0 && !c->ready) {
            h->clients[i] = h->clients[--h->count];
            free(c->held);
            free(c);
        } else {
            i++;
        }
    }
    h->slowest = slowest;
}

static _Noreturn void hub_run(struct hub *h)
{
    struct epoll_event events[1024];
    for (;;) {
        int wait = h->ready_count > 0 && hub_has_room(h) ? 0 : -1;
        if (h->shape != SHAPE_ONE && slots_sweep(h) && wait < 0)
            wait = 1;
        int n = epoll_wait(h->epoll, events, 1024, wait);
        for (int i = 0; i < n; i++)
            hub_event(h, &events[i]);
        hub_read(h);
        hub_write(h);
        if (child_died) {
            child_died = 0;
            while (waitpid(-1, NULL, WNOHANG) > 0)
                continue;
        }
    }
}

/* ---- Beginning
 * ------------------------------------------------------------------------------------ */

static int listen_path(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&sun, sizeof sun) != 0 || listen(fd, SOMAXCONN) != 0)
        die(path);
    fprintf(stderr, "floor: listening on %s\n", path);
    return fd;
}

/* HOST:PORT in numbers. The sockets that it accepts inherit TCP_NODELAY. */
static int listen_inet(const char *address)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(address, ':');
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
    if (inet_pton(AF_INET, host, &sin.sin_addr) != 1)
        die(address);
    sin.sin_port = htons((uint16_t)atoi(colon + 1));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sin, sizeof sin) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
        die(address);
    fprintf(stderr, "floor: listening on %s:%u\n", host, (unsigned)ntohs(sin.sin_port));
    return fd;
}

static void hub_init(struct hub *h, enum shape shape, const char *address)
{
    struct rlimit files;
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    struct sigaction sa = {.sa_handler = on_child};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    h->shape = shape;
    h->log = map_memory(LOG_SIZE, MAP_PRIVATE);
    h->in = map_memory(2 * READ_SIZE, MAP_PRIVATE);
    madvise(h->log, LOG_SIZE, MADV_DONTFORK);
    madvise(h->in, 2 * READ_SIZE, MADV_DONTFORK);
    h->slots = map_memory(SLOTS, MAP_SHARED);
    h->devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = SLOT_BASE; i < SLOT_END; i++)
        dup2(h->devnull, i);
    sigaction(SIGCHLD, &sa, NULL);
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->listener = strchr(address, '/') ? listen_path(address) : listen_inet(address);
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->listener, &ev) != 0)
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    static struct hub hub;
    enum shape shape = SHAPE_ONE;
    const char *address = "127.0.0.1:0";
    int opt;
    while ((opt = getopt(argc, argv, "nel:w:")) != -1) {
        switch (opt) {
        case 'n':
            shape = SHAPE_FORK;
            break;
        case 'e':
            shape = SHAPE_EXEC;
            break;
        case 'l':
            address = optarg;
            break;
        case 'w':
            worker_main(atoi(optarg), atoi(optarg) + 1);
            break;
        default:
            fprintf(stderr, "usage: floor [-n | -e] [-l ADDRESS]\n");
            return 64;
        }
    }
    hub_init(&hub, shape, address);
    hub_run(&hub);
}
