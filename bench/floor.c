/*
 * floor.c: the least that a relay of chatd's protocol can do, in three shapes; chatd is compared
 * with it.
 *
 *   floor [-r | -d] [-l ADDRESS]
 *
 * A client's first line is its name and is answered by `you NAME`; each later line is sent to all
 * clients as `STAMP msg NAME TEXT`, where STAMP never changes. So the lines are as long as chatd's,
 * and nothing else is done that chatd does: no checks, no clock, no users list, no joins, no
 * history, no gaps. Without an option one process holds the clients' sockets. With -r (relay) each
 * client has a process, a fresh image of this program, that copies bytes between its socket and one
 * end of a socketpair, in both directions. With -d (direct) that process copies only what the
 * client says, and the hub writes to the clients' sockets itself.
 *
 * One log, a cursor per client, edge-triggered epoll, and turns: read everything that is ready,
 * once, then write everything, with one sendmsg(2) per client. Linux only. Nothing here is an
 * example of how to treat errors.
 */
#define _GNU_SOURCE
#include "bench/floor_worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STAMP "2026-01-01T00:00:00.000000Z"
#define NAME_LEN_MAX 8
#define READ_SIZE (64u << 10)
#define LOG_SIZE (4u << 20)
/* What one read can grow to: "x\n" becomes a stamp, a verb, a name and "x\n". */
#define READ_GROWN (24 * READ_SIZE)
/* Unsent bytes in a client's socket, in the direct shape: bounds the kernel's memory per client. */
#define UNSENT_MAX (16 << 10)
/* The cursor of a client that has no name yet. */
#define NOWHERE UINT64_MAX
#define EVENTS 1024
/* In one turn: a worker takes a millisecond to start, and members wait meanwhile. */
#define ACCEPTED_MAX 16

enum shape { SHAPE_ONE, SHAPE_RELAY, SHAPE_DIRECT };

struct client {
    int in;  /* -1: gone; freed as soon as it is not among the ready ones */
    int out; /* the same descriptor as `in`, but for the direct shape */
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
    char *log; /* a ring of LOG_SIZE bytes: slowest <= head <= slowest + LOG_SIZE */
    uint64_t head;
    uint64_t slowest;
    char *in; /* READ_SIZE for what was held, READ_SIZE for what is read */
    struct client **clients;
    size_t count;
    size_t cap;
    struct client **ready; /* of the same capacity */
    size_t ready_count;
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(71);
}

/* ---- Clients -------------------------------------------------------------------------------- */

static void client_watch(struct hub *h, struct client *c, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events | EPOLLET, .data.ptr = c};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
        die("epoll_ctl");
}

static void client_add(struct hub *h, int in, int out)
{
    struct client *c = calloc(1, sizeof *c);
    if (h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->clients = realloc(h->clients, h->cap * sizeof(struct client *));
        h->ready = realloc(h->ready, h->cap * sizeof(struct client *));
    }
    if (!c || !h->clients || !h->ready)
        die("client");
    c->in = in;
    c->out = out;
    c->writable = true;
    c->at = NOWHERE;
    h->clients[h->count++] = c;
    if (in == out) {
        client_watch(h, c, in, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
    } else {
        client_watch(h, c, in, EPOLLIN | EPOLLRDHUP);
        client_watch(h, c, out, EPOLLOUT);
    }
}

/* The worker has a copy of the socket, which would keep it open, and in the epoll set. */
static void client_close(struct hub *h, struct client *c)
{
    if (c->out != c->in) {
        epoll_ctl(h->epoll, EPOLL_CTL_DEL, c->out, NULL);
        shutdown(c->out, SHUT_RDWR);
        close(c->out);
    }
    close(c->in);
    c->in = c->out = -1;
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
    if (send(c->out, you, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
        client_close(h, c);
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

/* Keeps the beginning of a line for the next read. */
static void client_hold(struct hub *h, struct client *c, const char *at, size_t len)
{
    c->held_len = len;
    if (len >= READ_SIZE) {
        client_close(h, c);
    } else if (len > 0) {
        c->held = realloc(c->held, len);
        if (!c->held)
            die("realloc");
        memcpy(c->held, at, len);
    }
}

static void client_read(struct hub *h, struct client *c)
{
    ssize_t n = recv(c->in, h->in + READ_SIZE, READ_SIZE, MSG_DONTWAIT);
    if (n <= 0) {
        c->ready = false;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            client_close(h, c);
        return;
    }
    /* A short read took all there was, except for an end that has been announced. */
    c->ready = n == READ_SIZE || c->hung_up;
    const char *at = h->in + READ_SIZE - c->held_len;
    const char *end = h->in + READ_SIZE + n;
    const char *lf;
    if (c->held_len > 0)
        memcpy(h->in + READ_SIZE - c->held_len, c->held, c->held_len);
    while (c->in >= 0 && (lf = memchr(at, '\n', (size_t)(end - at)))) {
        client_line(h, c, at, (size_t)(lf + 1 - at));
        at = lf + 1;
    }
    if (c->in >= 0)
        client_hold(h, c, at, (size_t)(end - at));
}

static void client_write(struct hub *h, struct client *c)
{
    size_t from = c->at % LOG_SIZE;
    size_t len = (size_t)(h->head - c->at);
    size_t first = len < LOG_SIZE - from ? len : LOG_SIZE - from;
    struct iovec iov[2] = {{h->log + from, first}, {h->log, len - first}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = len > first ? 2 : 1};
    ssize_t n = sendmsg(c->out, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        client_close(h, c);
        return;
    }
    c->at += n > 0 ? (size_t)n : 0;
    c->writable = n == (ssize_t)len;
}

/* ---- Turns ---------------------------------------------------------------------------------- */

static bool hub_has_space(const struct hub *h)
{
    return LOG_SIZE - (h->head - h->slowest) >= READ_GROWN;
}

static void hub_accept(struct hub *h)
{
    /* In the direct shape the worker's reads block. */
    int flags = SOCK_CLOEXEC | (h->shape == SHAPE_DIRECT ? 0 : SOCK_NONBLOCK);
    for (int i = 0; i < ACCEPTED_MAX; i++) {
        int fd = accept4(h->listener, NULL, NULL, flags);
        if (fd < 0)
            return;
        if (h->shape == SHAPE_ONE) {
            client_add(h, fd, fd);
        } else if (h->shape == SHAPE_DIRECT) {
            client_add(h, worker_start(fd, true), fd);
        } else {
            int in = worker_start(fd, false);
            close(fd);
            client_add(h, in, in);
        }
    }
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

/* One piece from every client that has something, as long as the log has space for it. */
static void hub_read(struct hub *h)
{
    size_t left = 0;
    for (size_t i = 0; i < h->ready_count; i++) {
        struct client *c = h->ready[i];
        if (c->in < 0)
            c->ready = false;
        else if (hub_has_space(h))
            client_read(h, c);
        if (c->ready)
            h->ready[left++] = c;
    }
    h->ready_count = left;
}

/* To every client what it has not been sent yet. Those that are gone are freed on the way. */
static void hub_write(struct hub *h)
{
    uint64_t slowest = h->head;
    for (size_t i = 0; i < h->count;) {
        struct client *c = h->clients[i];
        if (c->at < h->head && c->writable)
            client_write(h, c);
        if (c->at < slowest)
            slowest = c->at;
        if (c->in < 0 && !c->ready) {
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
    struct epoll_event events[EVENTS];
    for (;;) {
        int wait = h->ready_count > 0 && hub_has_space(h) ? 0 : -1;
        if (h->shape != SHAPE_ONE && workers_sweep() && wait < 0)
            wait = 1;
        int n = epoll_wait(h->epoll, events, EVENTS, wait);
        for (int i = 0; i < n; i++)
            hub_event(h, &events[i]);
        hub_read(h);
        hub_write(h);
        workers_reap();
    }
}

/* ---- Start ---------------------------------------------------------------------------------- */

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

/* HOST:PORT in numbers. The sockets that it accepts inherit the options. */
static int listen_inet(const char *address, enum shape shape)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(address, ':');
    int on = 1;
    int unsent = UNSENT_MAX;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
    if (inet_pton(AF_INET, host, &sin.sin_addr) != 1)
        die(address);
    sin.sin_port = htons((uint16_t)atoi(colon + 1));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (shape == SHAPE_DIRECT)
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    if (bind(fd, (struct sockaddr *)&sin, sizeof sin) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
        die(address);
    fprintf(stderr, "floor: listening on %s:%u\n", host, (unsigned)ntohs(sin.sin_port));
    return fd;
}

/* Workers do not inherit it. */
static void *map_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (p == MAP_FAILED || madvise(p, size, MADV_DONTFORK) != 0)
        die("mmap");
    return p;
}

static void hub_init(struct hub *h, enum shape shape, const char *address)
{
    struct rlimit files;
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    workers_init();
    h->shape = shape;
    h->log = map_memory(LOG_SIZE);
    h->in = map_memory((size_t)2 * READ_SIZE);
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->listener = strchr(address, '/') ? listen_path(address) : listen_inet(address, shape);
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->listener, &ev) != 0)
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    static struct hub hub;
    enum shape shape = SHAPE_ONE;
    const char *address = "127.0.0.1:0";
    int opt;
    while ((opt = getopt(argc, argv, "rdl:w:W:")) != -1) {
        switch (opt) {
        case 'r':
            shape = SHAPE_RELAY;
            break;
        case 'd':
            shape = SHAPE_DIRECT;
            break;
        case 'l':
            address = optarg;
            break;
        case 'w':
            worker_run_both_ways(atoi(optarg), atoi(optarg) + 1);
        case 'W':
            worker_run_one_way(atoi(optarg), atoi(optarg) + 1);
        default:
            fprintf(stderr, "usage: floor [-r | -d] [-l ADDRESS]\n");
            return 64;
        }
    }
    hub_init(&hub, shape, address);
    hub_run(&hub);
}
