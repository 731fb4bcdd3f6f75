/* rig.c: starts the worker, and both of its ends. */
#include "compat/os.h"

#include "compat/compat.h"
#include "rig.h"
#include "server/sandbox.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#define WORKER_NAME "chatd: worker"

/* ---- Starting ---- */

static void pair_local(int type, int pair[2])
{
    ensure(socketpair(AF_UNIX, type, 0, pair) == 0, "socketpair: %s", strerror(errno));
}

/* A connection over loopback. Else than with buffers of a set size, the kernel takes megabytes
 * before anybody has to wait. */
static void pair_tcp(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int size = 65536;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ensure(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
               listen(listener, 1) == 0 &&
               getsockname(listener, (struct sockaddr *)&address, &len) == 0,
        "listen: %s", strerror(errno));
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    ensure(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0 &&
               setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0,
        "buffers");
    ensure(connect(pair[0], (struct sockaddr *)&address, sizeof address) == 0, "connect");
    pair[1] = accept(listener, NULL, NULL);
    ensure(pair[1] != -1, "accept: %s", strerror(errno));
    tcp_prepare(pair[1]);
    close(listener);
}

static void pair_open(int pair[2], bool tcp, bool cuts)
{
    if (tcp)
        pair_tcp(pair);
    else
        pair_local(cuts ? SOCK_SEQPACKET : SOCK_STREAM, pair);
    for (int i = 0; i < 2; i++)
        ensure(fcntl(pair[i], F_SETFL, O_NONBLOCK) == 0, "fcntl");
}

#ifdef __linux__

bool filters_can_refuse(void)
{
    uint32_t action = SECCOMP_RET_ERRNO;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

void filters_refuse(void)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(instructions), instructions};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        _exit(99);
}

#endif

/* A sanitizer's calls are not among those that a filter allows. */
char rig_sandbox(void)
{
    const char *options = getenv("CHATD_OPTIONS");

    if (options != NULL && strstr(options, "-S off") != NULL)
        return sandbox_letter(SANDBOX_NONE);
    return sandbox_letter(sandbox_probe());
}

static _Noreturn void be_worker(
    const struct rig_start *start, const int client[2], const int hub[2], char *title)
{
    static struct proctitle where;
    char *mode = title + strlen(WORKER_NAME) + 1;

    /* As arguments lie in memory, where titles are written over them. */
    strcpy(title, WORKER_NAME);
    if (start->mode != NULL)
        strcpy(mode, start->mode);
    else
        mode[0] = rig_sandbox();
    if (start->proxied)
        mode[1] = WORKER_PROXY;
    where = (struct proctitle){.at = title, .room = TITLE_ROOM, .args = TITLE_ROOM};
    dup2(client[1], 200);
    dup2(hub[1], 201);
    dup2(200, 0);
    dup2(201, 1);
    descriptors_close_from(3);
    signal(SIGTERM, SIG_DFL); /* as an exec does: libcheck has a handler */
    if (start->in_child != NULL)
        start->in_child();
    worker_main(&where, mode);
}

void rig_start_as(struct rig *rig, const struct rig_start *start)
{
    int client[2];
    int hub[2];

    memset(rig, 0, sizeof *rig);
    pair_open(client, start->kind == RIG_TCP, start->kind == RIG_CLIENT_CUTS);
    pair_open(hub, false, start->kind == RIG_HUB_CUTS);
    rig->title = mmap(NULL, TITLE_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ensure(rig->title != MAP_FAILED, "mmap");
    rig->pid = fork();
    ensure(rig->pid != -1, "fork: %s", strerror(errno));
    if (rig->pid == 0)
        be_worker(start, client, hub, rig->title);
    close(hub[1]);
    rig->client = client[0];
    rig->shared = client[1];
    rig->hub = hub[0];
}

void rig_start(struct rig *rig, enum rig_kind kind)
{
    rig_start_as(rig, &(struct rig_start){.kind = kind});
}

/* ---- The hub ---- */

void hub_read_more(struct rig *rig)
{
    struct received *up = &rig->up;

    while (rig->hub != -1 && !up->over) {
        if (up->size - up->len < 65536) {
            up->size = 2 * up->size + 65536;
            up->bytes = realloc(up->bytes, up->size);
            ensure(up->bytes != NULL, "no memory");
        }
        ssize_t n = recv(rig->hub, up->bytes + up->len, up->size - up->len, 0);
        if (n == -1 && errno == EAGAIN)
            return;
        up->over = n <= 0;
        up->len += n > 0 ? (size_t)n : 0;
    }
}

void rig_wait(struct rig *rig, short client, short hub, int64_t deadline)
{
    struct pollfd fds[2] = {
        {.fd = client != 0 ? rig->client : -1, .events = client},
        {.fd = rig->hub, .events = hub},
    };
    int64_t left = deadline - clock_ms();

    ensure(left > 0, "too late; the hub has \"%.*s\"", (int)(rig->up.len < 100 ? rig->up.len : 100),
        rig->up.bytes);
    ensure(poll(fds, 2, (int)left) != -1, "poll: %s", strerror(errno));
}

void hub_expect_bytes(struct rig *rig, const char *want, size_t len)
{
    struct received *up = &rig->up;
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    size_t same = 0;

    for (hub_read_more(rig); up->len < len && !up->over; hub_read_more(rig))
        rig_wait(rig, 0, POLLIN, deadline);
    while (same < up->len && same < len && up->bytes[same] == want[same])
        same++;
    ensure(same == len, "at %zu of %zu: \"%.*s\" instead of \"%.*s\"", same, len,
        (int)(up->len - same < 60 ? up->len - same : 60), up->bytes + same,
        (int)(len - same < 60 ? len - same : 60), want + same);
    up->len -= len;
    memmove(up->bytes, up->bytes + len, up->len);
}

void hub_expect(struct rig *rig, const char *want)
{
    hub_expect_bytes(rig, want, strlen(want));
}

void hub_expect_end(struct rig *rig)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    for (hub_read_more(rig); !rig->up.over; hub_read_more(rig))
        rig_wait(rig, 0, POLLIN, deadline);
    ensure(rig->up.len == 0, "\"%.*s\" instead of the end", (int)rig->up.len, rig->up.bytes);
}

void hub_dies(struct rig *rig)
{
    close(rig->hub);
    close(rig->shared);
    rig->hub = rig->shared = -1;
}

/* ---- The client ---- */

/* Waits for something, and takes at most len bytes of it. */
static size_t client_read(struct rig *rig, char *bytes, size_t len)
{
    struct pollfd pfd = {.fd = rig->client, .events = POLLIN};

    ensure(poll(&pfd, 1, (int)(deadline_in(RIG_PATIENCE_MS) - clock_ms())) == 1, "nothing comes");
    ssize_t n = recv(rig->client, bytes, len, 0);
    ensure(n != -1, "%s", strerror(errno));
    return (size_t)n;
}

void client_expect(struct rig *rig, const char *want)
{
    char bytes[100];
    size_t len = client_read(rig, bytes, strlen(want));

    ensure(len == strlen(want) && memcmp(bytes, want, len) == 0, "\"%.*s\" instead of \"%s\"",
        (int)len, bytes, want);
}

void client_expect_end(struct rig *rig)
{
    char byte;

    ensure(client_read(rig, &byte, 1) == 0, "a byte instead of the end");
}

void client_closes(struct rig *rig)
{
    close(rig->client);
    rig->client = -1;
}

void client_resets(struct rig *rig)
{
    struct linger now = {.l_onoff = 1};

    ensure(setsockopt(rig->client, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0, "SO_LINGER");
    client_closes(rig);
}

/* ---- Either ---- */

void fd_give(int fd, const char *bytes, size_t len)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n == -1) {
            ensure(errno == EAGAIN || errno == ENOBUFS, "send: %s", strerror(errno));
            ensure(clock_ms() < deadline, "it is not taken");
            poll(&writable, 1, (int)(deadline - clock_ms()));
            continue;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

void fd_say(int fd, const char *text)
{
    fd_give(fd, text, strlen(text));
}

size_t fd_stuff(int fd, const char *bytes, size_t len)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    size_t sent = 0;

    /* The other side may still be about to take some: it is full when that lasts. */
    for (int full = 0; full < 20; full++) {
        ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);

        if (n > 0) {
            sent += (size_t)n;
            full = 0;
        }
        ensure(sent < len && deadline_wait(deadline), "it takes everything");
    }
    return sent;
}

/* ---- Ending ---- */

void rig_settles(struct rig *rig)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    char byte;

    while (recv(rig->shared, &byte, 1, MSG_PEEK) > 0)
        ensure(deadline_wait(deadline), "the worker does not read");
}

void rig_shows(struct rig *rig, const char *title)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    while (strcmp(rig->title, title) != 0)
        ensure(deadline_wait(deadline), "\"%s\" instead of \"%s\"", rig->title, title);
}

/* A worker never writes to its client. */
static void client_check(struct rig *rig)
{
    char byte;

    if (rig->client != -1)
        ensure(recv(rig->client, &byte, 1, 0) <= 0, "the client has got something");
}

void rig_ends_with(struct rig *rig, int want)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    int status;

    while (waitpid(rig->pid, &status, WNOHANG) == 0)
        ensure(deadline_wait(deadline), "it does not end");
    ensure(status == want, "status 0x%x", (unsigned)status);
    client_check(rig);
    if (rig->client != -1)
        close(rig->client);
    if (rig->shared != -1)
        close(rig->shared);
    if (rig->hub != -1)
        close(rig->hub);
    munmap(rig->title, TITLE_ROOM);
    free(rig->up.bytes);
}

void rig_ends(struct rig *rig)
{
    rig_ends_with(rig, 0);
}

void rig_finish(struct rig *rig)
{
    shutdown(rig->client, SHUT_WR);
    hub_expect(rig, CONTROL_LEFT);
    hub_expect_end(rig);
    rig_ends(rig);
}
