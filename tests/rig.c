/* rig.c: see rig.h. */
#include "compat/os.h"

#include "compat/compat.h"
#include "rig.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Starting ---- */

static void pair_local(int type, int pair[2])
{
    ensure(socketpair(AF_UNIX, type, 0, pair) == 0, "socketpair: %s", strerror(errno));
}

/* A connection over loopback, which can be reset. */
static void pair_tcp(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int room = 65536;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ensure(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
               listen(listener, 1) == 0 &&
               getsockname(listener, (struct sockaddr *)&address, &len) == 0,
        "listen: %s", strerror(errno));
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    /* Else the kernel takes megabytes before anybody has to wait. */
    ensure(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0 &&
               setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0 &&
               setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0,
        "buffers");
    ensure(connect(pair[0], (struct sockaddr *)&address, sizeof address) == 0, "connect");
    pair[1] = accept(listener, NULL, NULL);
    ensure(pair[1] != -1, "accept: %s", strerror(errno));
    tcp_prepare(pair[1]);
    close(listener);
}

static void nonblocking(int fd)
{
    ensure(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
}

/* A sanitizer's calls are not among those that the cage allows. */
static bool is_caged(void)
{
    const char *options = getenv("CHATD_OPTIONS");

    return options == NULL || strstr(options, "-S off") == NULL;
}

static _Noreturn void be_worker(
    const int client[2], const int hub[2], char *title, void (*in_child)(void))
{
    static struct proctitle where;

    where = (struct proctitle){.at = title, .room = TITLE_ROOM, .args = TITLE_ROOM};
    dup2(client[1], 200);
    dup2(hub[1], 201);
    dup2(200, 0);
    dup2(201, 1);
    descriptors_close_from(3);
    if (in_child != NULL)
        in_child();
    worker_main(&where, is_caged());
}

void rig_start_as(struct rig *rig, enum rig_kind kind, void (*in_child)(void))
{
    int client[2];
    int hub[2];

    memset(rig, 0, sizeof *rig);
    if (kind == RIG_TCP)
        pair_tcp(client);
    else
        pair_local(kind == RIG_CLIENT_CUTS ? SOCK_SEQPACKET : SOCK_STREAM, client);
    pair_local(kind == RIG_HUB_CUTS ? SOCK_SEQPACKET : SOCK_STREAM, hub);
    for (int i = 0; i < 2; i++) {
        nonblocking(client[i]);
        nonblocking(hub[i]);
    }
    rig->title = mmap(NULL, TITLE_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ensure(rig->title != MAP_FAILED, "mmap");
    rig->pid = fork();
    ensure(rig->pid != -1, "fork: %s", strerror(errno));
    if (rig->pid == 0)
        be_worker(client, hub, rig->title, in_child);
    close(client[1]);
    close(hub[1]);
    rig->client = client[0];
    rig->hub = hub[0];
}

/* ---- Talking ---- */

/* Reads what is there. */
void heard_more(struct heard *heard, int fd)
{
    while (fd != -1 && !heard->over) {
        if (heard->size - heard->len < 65536) {
            heard->size = 2 * heard->size + 65536;
            heard->bytes = realloc(heard->bytes, heard->size);
            ensure(heard->bytes != NULL, "no memory");
        }
        ssize_t n = recv(fd, heard->bytes + heard->len, heard->size - heard->len, 0);
        if (n == -1 && errno == EAGAIN)
            return;
        heard->over = n <= 0;
        heard->error = n == -1 ? errno : 0;
        heard->len += n > 0 ? (size_t)n : 0;
    }
}

/* Waits until either end has something, or can be written to where that is wanted. */
void rig_wait(struct rig *rig, short client, short hub, int64_t deadline)
{
    struct pollfd fds[2] = {
        {.fd = rig->down.over && client == POLLIN ? -1 : rig->client, .events = client},
        {.fd = rig->up.over && hub == POLLIN ? -1 : rig->hub, .events = hub},
    };
    int64_t left = deadline - clock_ms();

    ensure(left > 0, "too late; the hub has heard \"%.*s\" and the client \"%.*s\"",
        (int)(rig->up.len < 100 ? rig->up.len : 100), rig->up.bytes,
        (int)(rig->down.len < 100 ? rig->down.len : 100), rig->down.bytes);
    ensure(poll(fds, 2, (int)left) != -1, "poll: %s", strerror(errno));
}

/* What was heard begins with these bytes, which are taken. */
static void expect_bytes(struct heard *heard, const char *want, size_t len)
{
    size_t same = 0;

    while (same < heard->len && same < len && heard->bytes[same] == want[same])
        same++;
    ensure(same == len, "at %zu of %zu: \"%.*s\" instead of \"%.*s\"", same, len,
        (int)(heard->len - same < 60 ? heard->len - same : 60), heard->bytes + same,
        (int)(len - same < 60 ? len - same : 60), want + same);
    heard->len -= len;
    memmove(heard->bytes, heard->bytes + len, heard->len);
}

/* What comes up begins with these bytes. */
void hub_hears_bytes(struct rig *rig, const char *want, size_t len)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    for (heard_more(&rig->up, rig->hub); rig->up.len < len && !rig->up.over;
         heard_more(&rig->up, rig->hub))
        rig_wait(rig, 0, POLLIN, deadline);
    expect_bytes(&rig->up, want, len);
}

void hub_hears(struct rig *rig, const char *want)
{
    hub_hears_bytes(rig, want, strlen(want));
}

void hub_hears_end(struct rig *rig)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    for (heard_more(&rig->up, rig->hub); !rig->up.over; heard_more(&rig->up, rig->hub))
        rig_wait(rig, 0, POLLIN, deadline);
    ensure(rig->up.len == 0, "\"%.*s\" instead of the end", (int)rig->up.len, rig->up.bytes);
}

void client_hears_bytes(struct rig *rig, const char *want, size_t len)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    for (heard_more(&rig->down, rig->client); rig->down.len < len && !rig->down.over;
         heard_more(&rig->down, rig->client))
        rig_wait(rig, POLLIN, 0, deadline);
    expect_bytes(&rig->down, want, len);
}

void client_hears(struct rig *rig, const char *want)
{
    client_hears_bytes(rig, want, strlen(want));
}

/* An orderly one. */
void client_hears_end(struct rig *rig)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);

    for (heard_more(&rig->down, rig->client); !rig->down.over; heard_more(&rig->down, rig->client))
        rig_wait(rig, POLLIN, 0, deadline);
    ensure(rig->down.len == 0, "\"%.*s\" instead of the end", (int)rig->down.len, rig->down.bytes);
    ensure(rig->down.error == 0, "%s", strerror(rig->down.error));
}

void client_closes(struct rig *rig)
{
    close(rig->client);
    rig->client = -1;
}

void fd_give(int fd, const char *bytes, size_t len)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};

    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n == -1) {
            ensure(errno == EAGAIN || errno == ENOBUFS, "send: %s", strerror(errno));
            ensure(poll(&writable, 1, RIG_PATIENCE_MS) == 1, "it does not take it");
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

/* ---- Ending ---- */

/* Waits for the worker's end, which is a quiet one. */
void rig_ends(struct rig *rig)
{
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    int status;

    while (waitpid(rig->pid, &status, WNOHANG) == 0)
        ensure(deadline_wait(deadline), "it does not end");
    ensure(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    if (rig->client != -1)
        close(rig->client);
    if (rig->hub != -1)
        close(rig->hub);
    munmap(rig->title, TITLE_ROOM);
    free(rig->up.bytes);
    free(rig->down.bytes);
}

/* The usual end: the client's goodbye, then the hub's. */
void rig_finish(struct rig *rig)
{
    shutdown(rig->client, SHUT_WR);
    hub_hears(rig, CONTROL_LEFT);
    shutdown(rig->hub, SHUT_WR);
    client_hears_end(rig);
    rig_ends(rig);
}
