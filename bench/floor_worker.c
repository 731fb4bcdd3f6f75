#define _GNU_SOURCE
#include "bench/floor_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif

#define READ_SIZE (64u << 10)

/*
 * A client's socket and the worker's end of the pair are handed over as descriptors 2 N and 2 N + 1
 * of a slot, far below those of the clients. The child shares the parent's table of descriptors
 * until it has asked for one of its own that ends behind the slots: a table of ten thousand is
 * never copied.
 */
#define SLOTS 16
#define SLOT_BASE 8
#define SLOT_END (SLOT_BASE + 2 * SLOTS)

enum { SLOT_FREE, SLOT_LENT, SLOT_BACK };

static volatile sig_atomic_t child_died;
/* Shared with the children, which mark a slot when they have a table of their own. */
static _Atomic unsigned char *slots;
static int devnull;

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

void workers_init(void)
{
    struct sigaction sa = {.sa_handler = on_child};
    slots = mmap(NULL, SLOTS, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
    if (slots == MAP_FAILED)
        die("mmap");
    devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = SLOT_BASE; fd < SLOT_END; fd++)
        dup2(devnull, fd);
    sigaction(SIGCHLD, &sa, NULL);
}

/* Runs in the child. */
static _Noreturn void worker_begin(unsigned slot, bool one_way, pid_t parent)
{
    unsigned fd = SLOT_BASE + 2 * slot;
    char arg[16];
    if (syscall(SYS_close_range, SLOT_END, ~0u, CLOSE_RANGE_UNSHARE) != 0)
        _exit(1);
    atomic_store(&slots[slot], SLOT_BACK);
    syscall(SYS_close_range, 3u, fd - 1, 0u);
    syscall(SYS_close_range, fd + 2, ~0u, 0u);
    /* A one-way worker never reads from the hub. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    snprintf(arg, sizeof arg, "%u", fd);
    execl("/proc/self/exe", "floor", one_way ? "-W" : "-w", arg, (char *)NULL);
    _exit(1);
}

bool workers_sweep(void)
{
    bool lent = false;
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&slots[i]) == SLOT_BACK) {
            dup2(devnull, SLOT_BASE + 2 * i);
            dup2(devnull, SLOT_BASE + 2 * i + 1);
            atomic_store(&slots[i], SLOT_FREE);
        }
        lent |= atomic_load(&slots[i]) == SLOT_LENT;
    }
    return lent;
}

static unsigned slot_find(void)
{
    for (unsigned slot = 0;; slot++) {
        if (slot == SLOTS) {
            workers_sweep();
            slot = 0;
        }
        if (atomic_load(&slots[slot]) == SLOT_FREE)
            return slot;
    }
}

int worker_start(int client, bool one_way)
{
    unsigned slot = slot_find();
    pid_t self = getpid();
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    dup2(client, SLOT_BASE + 2 * (int)slot);
    dup2(pair[1], SLOT_BASE + 2 * (int)slot + 1);
    atomic_store(&slots[slot], SLOT_LENT);
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        worker_begin(slot, one_way, self);
    if (pid < 0)
        die("clone");
    close(pair[1]);
    return pair[0];
}

void workers_reap(void)
{
    if (!child_died)
        return;
    child_died = 0;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

/* ---- In the worker ------------------------------------------------------------------------- */

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

_Noreturn void worker_run_both_ways(int client, int hub)
{
    /* Not initialised as a whole: a page of a buffer is allocated when it is first used. */
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

/* Two blocking calls for each piece: no worker can do with less. */
_Noreturn void worker_run_one_way(int client, int hub)
{
    char buf[READ_SIZE];
    ssize_t n;
    while ((n = recv(client, buf, sizeof buf, 0)) > 0) {
        for (ssize_t at = 0, sent; at < n; at += sent) {
            sent = send(hub, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
            if (sent <= 0)
                _exit(0);
        }
    }
    _exit(0);
}
