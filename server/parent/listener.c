/* listener.c: see listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
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
#include "server/hub/codec.h"
#include "timeout.h"

/* Without descriptors: how long nobody is accepted, unless one is freed before. */
#define PAUSE_US 100000u
/* ---- The sockets ----------------------------------------------------------------------------- */

int listeners_fail(const struct listeners *ls, int status, const char *what, const char *why)
{
    report(ls->report, LOG_ERR, "%s: %s", what, why);
    return status;
}

int listeners_add(struct listeners *ls, int fd, bool local, const char *text)
{
    struct listener *l = &ls->all[ls->count];

    if (ls->count == LISTENERS_MAX || listen(fd, LISTENER_BACKLOG) == -1 ||
        poller_set(ls->poller, fd, POLLIN, l) == -1) {
        close(fd);
        return listeners_fail(ls, EX_UNAVAILABLE, text,
            ls->count == LISTENERS_MAX ? "too many addresses" : strerror(errno));
    }
    *l = (struct listener){.fd = fd, .local = local};
    snprintf(l->text, sizeof(l->text), "%s", text);
    ls->count++;
    return 0;
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

int listeners_adopt(struct listeners *ls, int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    char text[LISTENER_TEXT_MAX];

    if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
        return listeners_fail(ls, EX_UNAVAILABLE, "a socket that was handed over", strerror(errno));
    if (ss.ss_family == AF_UNIX)
        local_format(text, (struct sockaddr_un *)&ss, len);
    else
        address_format(text, (struct sockaddr *)&ss);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
        return listeners_fail(ls, EX_UNAVAILABLE, text, strerror(errno));
    return listeners_add(ls, fd, ss.ss_family == AF_UNIX, text);
}

void listeners_announce(const struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        report(ls->report, LOG_NOTICE, "listening on %s", ls->all[i].text);
}

/* The port of an address that stands for every address of the machine; else NULL. */
static const char *port_of_any(const char *text)
{
    if (strncmp(text, "[::]:", 5) == 0)
        return text + 5;
    return strncmp(text, "0.0.0.0:", 8) == 0 ? text + 8 : NULL;
}

void listeners_describe(const struct listeners *ls, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ls->count && len < size; i++) {
        const char *text = ls->all[i].text;
        const char *port = port_of_any(text);

        len += (size_t)snprintf(out + len, size - len, "%s%s%s", i > 0 ? ", " : "",
            port != NULL ? "*:" : "", port != NULL ? port : text);
    }
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

/* ---- Visitors
 * ------------------------------------------------------------------------------------ */

bool listeners_own(const struct listeners *ls, const void *tag)
{
    uintptr_t at = (uintptr_t)tag;

    return at >= (uintptr_t)&ls->all[0] && at < (uintptr_t)&ls->all[LISTENERS_MAX];
}

static void listen_again(struct listeners *ls, short events)
{
    for (size_t i = 0; i < ls->count; i++)
        (void)poller_set(ls->poller, ls->all[i].fd, events, &ls->all[i]);
}

/*
 * No descriptor for the next one, who stays in the backlog. The listeners would be ready for ever,
 * so they are not looked at until a descriptor is free or a moment has passed.
 */
static void pause_all(struct listeners *ls, uint64_t now, const char *why)
{
    if (!ls->told)
        report(ls->report, LOG_WARNING, "cannot accept: %s; waiting", why);
    ls->told = true;
    ls->paused_until = now + PAUSE_US;
    listen_again(ls, 0);
}

void listeners_resume(struct listeners *ls)
{
    if (ls->paused_until == 0)
        return;
    ls->paused_until = 0;
    listen_again(ls, POLLIN);
}

static void visitor_describe(struct visitor *v, const struct listener *l, const struct sockaddr *sa)
{
    pid_t pid = 0;

    v->local = l->local;
    if (!l->local) {
        address_format(v->peer, sa);
        tcp_prepare(v->fd);
        return;
    }
    v->uid = (uid_t)-1;
    (void)socket_peer_pid(v->fd, &pid, &v->uid);
    snprintf(v->peer, sizeof(v->peer), "local:%ld", (long)pid);
}

bool listeners_accept(struct listeners *ls, void *tag, uint64_t now, struct visitor *v)
{
    const struct listener *l = tag;
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    if (ls->count == 0 || ls->paused_until != 0)
        return false;
    v->fd = accept_cloexec_nonblock(l->fd, (struct sockaddr *)&ss, &len);
    if (v->fd == -1) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_all(ls, now, strerror(errno));
        return false;
    }
    ls->told = false;
    visitor_describe(v, l, (struct sockaddr *)&ss);
    return true;
}

int listeners_turn(struct listeners *ls, uint64_t now)
{
    if (ls->paused_until != 0 && ls->paused_until <= now)
        listeners_resume(ls);
    return ls->paused_until == 0 ? -1 : timeout_until(ls->paused_until, now);
}
