/* listener.c: accepts clients, a bounded number in a turn, and pauses after an error. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "path.h"
#include "server/hub/codec.h"
#include "timeout.h"

/* Where accept(2) fails: how long it is not tried, unless a descriptor is freed before. */
#define PAUSE_US 100000u

/* ---- The sockets ----------------------------------------------------------------------------- */

int listeners_fail(const struct listeners *ls, int status, const char *what, const char *why)
{
    report(ls->report, LOG_ERR, "%s: %s", what, why);
    return status;
}

/* A name in the abstract namespace has a NUL before it and none behind it. */
static void local_format(
    char text[LISTENER_TEXT_MAX], const struct sockaddr_un *un, socklen_t un_len)
{
    size_t len = un_len > offsetof(struct sockaddr_un, sun_path)
                     ? un_len - offsetof(struct sockaddr_un, sun_path)
                     : 0;
    bool abstract = len > 0 && un->sun_path[0] == '\0';

    snprintf(text, LISTENER_TEXT_MAX, "%s%.*s", abstract ? "@" : "", (int)(len - abstract),
        un->sun_path + abstract);
}

/* The socket is for every address of both families. */
static bool is_for_both(int fd, const struct sockaddr_in6 *in6)
{
    int only_v6 = 1;
    socklen_t len = sizeof(only_v6);

    return in6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &len) == 0 && only_v6 == 0;
}

/* What the socket listens on, as one gives it to chatd(8). False with errno. */
static bool listener_describe(struct listener *l)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    if (getsockname(l->fd, (struct sockaddr *)&ss, &len) == -1)
        return false;
    l->local = ss.ss_family == AF_UNIX;
    if (l->local)
        local_format(l->text, (struct sockaddr_un *)&ss, len);
    else if (is_for_both(l->fd, (struct sockaddr_in6 *)&ss))
        snprintf(l->text, sizeof(l->text), "*:%u", ntohs(((struct sockaddr_in6 *)&ss)->sin6_port));
    else
        address_format(l->text, (struct sockaddr *)&ss);
    return true;
}

/* Remembers the socket's inode: at the end the file is removed only if it still is this one. */
static void listener_note_file(struct listener *l, const char *path)
{
    struct stat st;

    if (lstat(path, &st) == -1)
        return;
    l->path = path_absolute(path);
    l->dev = st.st_dev;
    l->ino = st.st_ino;
}

/* The path of a socket on which nothing listens would be stale for another server. */
static bool listener_listen(const struct listeners *ls, struct listener *l)
{
    if (ls->later && !l->local)
        return true;
    return listen(l->fd, LISTENER_BACKLOG) == 0 &&
           poller_set(ls->poller, l->fd, ls->later ? 0 : POLLIN, l) == 0;
}

int listeners_begin(struct listeners *ls)
{
    if (!ls->later)
        return 0;
    ls->later = false;
    for (size_t i = 0; i < ls->count; i++)
        if (!listener_listen(ls, &ls->all[i]))
            return listeners_fail(ls, EX_UNAVAILABLE, ls->all[i].text, strerror(errno));
    return 0;
}

int listeners_add(struct listeners *ls, int fd, const char *path)
{
    struct listener *l = &ls->all[ls->count];
    const char *why = NULL;

    if (ls->count == LISTENERS_MAX) {
        close(fd);
        return listeners_fail(ls, EX_UNAVAILABLE, "-l", "too many addresses");
    }
    *l = (struct listener){.fd = fd};
    if (!listener_describe(l) || !listener_listen(ls, l))
        why = strerror(errno);
    if (path != NULL)
        listener_note_file(l, path);
    ls->count++;
    return why == NULL ? 0 : listeners_fail(ls, EX_UNAVAILABLE, l->text, why);
}

bool listeners_have(const struct listeners *ls, const char *text)
{
    for (size_t i = 0; i < ls->count; i++)
        if (strcmp(ls->all[i].text, text) == 0)
            return true;
    return false;
}

int listeners_adopt(struct listeners *ls, int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
        return listeners_fail(ls, EX_UNAVAILABLE, "a socket that was handed over", strerror(errno));
    return listeners_add(ls, fd, NULL);
}

void listeners_announce(const struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        report(ls->report, LOG_NOTICE, "listening on %s", ls->all[i].text);
}

void listeners_describe(const struct listeners *ls, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ls->count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", ls->all[i].text);
}

void listeners_state(struct listeners *ls, struct codec *c)
{
    codec_size(c, &ls->count);
    if (ls->count > LISTENERS_MAX) {
        c->bad = true;
        ls->count = 0;
    }
    for (size_t i = 0; i < ls->count; i++) {
        struct listener *l = &ls->all[i];
        size_t len = l->path == NULL ? 0 : strlen(l->path) + 1;

        codec_fd(c, &l->fd);
        codec_bool(c, &l->local);
        codec_text(c, l->text, sizeof(l->text));
        codec_block(c, &l->path, &len, 4096);
        codec_bytes(c, &l->dev, sizeof(l->dev));
        codec_bytes(c, &l->ino, sizeof(l->ino));
        if (len > 0 && l->path[len - 1] != '\0')
            c->bad = true;
        if (c->loading && !c->bad && poller_set(ls->poller, l->fd, POLLIN, l) == -1)
            c->bad = true;
    }
}

static void path_remove(const struct listener *l)
{
    struct stat st;

    if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
}

void listeners_close(struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++) {
        struct listener *l = &ls->all[i];

        if (l->path != NULL)
            path_remove(l);
        free(l->path);
        poller_remove(ls->poller, l->fd);
        close(l->fd);
    }
    ls->count = 0;
    ls->paused_until = 0;
}

/* ---- Accepting ------------------------------------------------------------------------------- */

bool listeners_own(const struct listeners *ls, const void *tag)
{
    uintptr_t at = (uintptr_t)tag;

    return at >= (uintptr_t)&ls->all[0] && at < (uintptr_t)&ls->all[LISTENERS_MAX];
}

/* False where one of them could not be watched: then all are tried again later. */
static bool listeners_watch(struct listeners *ls, short events)
{
    bool watched = true;

    for (size_t i = 0; i < ls->count; i++)
        watched = poller_set(ls->poller, ls->all[i].fd, events, &ls->all[i]) == 0 && watched;
    return watched;
}

static bool is_failing(const struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        if (ls->all[i].failing)
            return true;
    return false;
}

/*
 * The next connection stays in the backlog, so poll would report the listener at once, again and
 * again: for a moment, or until a descriptor is free, no listener is looked at.
 */
static void listeners_pause(struct listeners *ls, struct listener *l, uint64_t now)
{
    if (!is_failing(ls))
        report(ls->report, LOG_WARNING, "cannot accept connections on %s: %s; trying again",
            l->text, strerror(errno));
    l->failing = true;
    ls->paused_until = now + PAUSE_US;
    (void)listeners_watch(ls, 0);
}

void listeners_resume(struct listeners *ls)
{
    if (ls->paused_until == 0)
        return;
    if (listeners_watch(ls, POLLIN))
        ls->paused_until = 0;
    else
        ls->paused_until += PAUSE_US;
}

static void accepted_describe(
    struct accepted *v, const struct listener *l, const struct sockaddr *sa)
{
    pid_t pid = 0;

    v->origin = (struct origin){.local = l->local, .uid = (uid_t)-1, .ip = ip_of(sa)};
    if (!l->local) {
        address_format(v->peer, sa);
        tcp_prepare(v->fd);
        return;
    }
    (void)socket_peer_pid(v->fd, &pid, &v->origin.uid);
    snprintf(v->peer, sizeof(v->peer), "local:%ld", (long)pid);
}

bool listeners_accept(struct listeners *ls, void *tag, uint64_t now, struct accepted *v)
{
    struct listener *l = tag;
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    if (ls->count == 0 || ls->paused_until != 0)
        return false;
    v->fd = accept_cloexec_nonblock(l->fd, (struct sockaddr *)&ss, &len);
    if (v->fd != -1) {
        accepted_describe(v, l, (struct sockaddr *)&ss);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        l->failing = false;
    else if (!accept_error_is_connections(errno))
        listeners_pause(ls, l, now);
    return false;
}

void listeners_wait(struct listeners *ls, uint64_t until)
{
    if (until <= ls->paused_until)
        return;
    ls->paused_until = until;
    (void)listeners_watch(ls, 0);
}

int listeners_turn(struct listeners *ls, uint64_t now)
{
    if (ls->paused_until != 0 && ls->paused_until <= now)
        listeners_resume(ls);
    return ls->paused_until == 0 ? -1 : timeout_until(ls->paused_until, now);
}
