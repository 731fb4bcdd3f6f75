/* listener.c: see listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
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
#include <time.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "notify.h"
#include "path.h"
#include "server/hub/codec.h"

/* The kernel cuts it to what it allows. */
#define BACKLOG 4096
/* Without descriptors: how long nobody is accepted, unless one is freed before. */
#define PAUSE_US 100000u
/* The kernel knows no such address: another one of the same name may do. */
#define NO_FAMILY (-1)
/* How long one who was refused may take to hang up. */
#define REFUSED_US 2000000u

/* ---- Opening --------------------------------------------------------------------------------- */

static int fail(const struct listeners *ls, int status, const char *what, const char *why)
{
    report(ls->report, LOG_ERR, "%s: %s", what, why);
    return status;
}

static int status_of(int error)
{
    return error == EACCES || error == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

static int socket_new(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd != -1 && (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
                        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Makes a listening socket one of ours. */
static int add(struct listeners *ls, int fd, bool local, const char *text)
{
    struct listener *l = &ls->all[ls->count];

    if (ls->count == LISTENERS_MAX || listen(fd, BACKLOG) == -1 ||
        poller_set(ls->poller, fd, POLLIN, l) == -1) {
        close(fd);
        return fail(ls, EX_UNAVAILABLE, text,
            ls->count == LISTENERS_MAX ? "too many addresses" : strerror(errno));
    }
    *l = (struct listener){.fd = fd, .local = local};
    snprintf(l->text, sizeof(l->text), "%s", text);
    ls->count++;
    return 0;
}

static int open_inet(struct listeners *ls, const struct addrinfo *ai, bool only_v6)
{
    char text[PEER_TEXT_MAX];
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    int on = 1;
    int fd = socket_new(ai->ai_family);

    address_format(text, ai->ai_addr);
    if (fd == -1 && errno == EAFNOSUPPORT)
        return NO_FAMILY;
    if (fd == -1)
        return fail(ls, EX_UNAVAILABLE, text, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){only_v6}, sizeof(int));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 || listen(fd, BACKLOG) == -1) {
        int error = errno;

        close(fd);
        return fail(ls, status_of(error), text, strerror(error));
    }
    if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
        address_format(text, (struct sockaddr *)&ss);
    return add(ls, fd, false, text);
}

/*
 * `*`: one socket for both families where the system has IPv6, else IPv4 alone. One socket, so
 * that port 0 is the same free port for both.
 */
static int open_any(struct listeners *ls, const char *port)
{
    unsigned short number = htons((unsigned short)strtoul(port, NULL, 10));
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = number};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = number};
    struct addrinfo ai = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&six, .ai_addrlen = sizeof(six)};
    int fd = socket_new(AF_INET6);
    int status;

    if (fd != -1) {
        bool usable = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) == 0;
        struct sockaddr_in6 try = {.sin6_family = AF_INET6};

        usable = usable && bind(fd, (struct sockaddr *)&try, sizeof(try)) == 0;
        close(fd);
        if (usable)
            return open_inet(ls, &ai, false);
    }
    ai.ai_family = AF_INET;
    ai.ai_addr = (struct sockaddr *)&four;
    ai.ai_addrlen = sizeof(four);
    status = open_inet(ls, &ai, false);
    return status == NO_FAMILY ? fail(ls, EX_UNAVAILABLE, "*", strerror(EAFNOSUPPORT)) : status;
}

static int open_host(struct listeners *ls, const char *text, const struct address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    int status = NO_FAMILY;
    int error = getaddrinfo(address->host, address->port, &hints, &list);

    if (error != 0)
        return fail(ls, EX_UNAVAILABLE, text, gai_strerror(error));
    for (struct addrinfo *ai = list; ai != NULL && (status == 0 || status == NO_FAMILY);
         ai = ai->ai_next) {
        int next = open_inet(ls, ai, true);

        status = next == NO_FAMILY ? status : next;
    }
    freeaddrinfo(list);
    return status == NO_FAMILY ? fail(ls, EX_UNAVAILABLE, text, strerror(EAFNOSUPPORT)) : status;
}

/*
 * Is the file at the path a socket that nobody listens on any more? Only such a one is replaced;
 * a live socket, a link, or any other file is left alone.
 */
static const char *clear_stale(const char *path, const struct sockaddr_un *un)
{
    struct stat st;
    int fd;
    int error = 0;

    if (lstat(path, &st) == -1)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(st.st_mode))
        return "exists and is no socket";
    fd = socket_new(AF_UNIX);
    if (fd == -1)
        return strerror(errno);
    if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == -1)
        error = errno;
    close(fd);
    if (error != ECONNREFUSED)
        return error == 0 || error == EAGAIN ? "somebody listens there already" : strerror(error);
    return unlink(path) == -1 && errno != ENOENT ? strerror(errno) : NULL;
}

/* The umask makes the mode right from the first instant; the chmod adds what a umask cannot. */
static int bind_local(int fd, const struct sockaddr_un *un, mode_t mode)
{
    mode_t old = umask(~mode & 0777);
    int result = bind(fd, (const struct sockaddr *)un, sizeof(*un));
    int error = errno;

    umask(old);
    errno = error;
    return result;
}

static int open_path(struct listeners *ls, const char *path, mode_t mode)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat st;
    const char *why;
    int status;
    int fd;

    if (strlen(path) >= sizeof(un.sun_path))
        return fail(ls, EX_UNAVAILABLE, path, "path too long for a socket");
    strcpy(un.sun_path, path);
    why = clear_stale(path, &un);
    if (why != NULL)
        return fail(ls, EX_UNAVAILABLE, path, why);
    fd = socket_new(AF_UNIX);
    if (fd == -1 || bind_local(fd, &un, mode) == -1) {
        int error = errno;

        if (fd != -1)
            close(fd);
        return fail(ls, status_of(error), path, strerror(error));
    }
    /* Whatever happens to the path from here on, only this very file is removed at the end. */
    if (lstat(path, &st) == -1)
        memset(&st, 0, sizeof(st));
    status = add(ls, fd, true, path);
    if (status != 0) {
        unlink(path);
        return status;
    }
    ls->all[ls->count - 1].path = path_absolute(path);
    ls->all[ls->count - 1].dev = st.st_dev;
    ls->all[ls->count - 1].ino = st.st_ino;
    return 0;
}

int listeners_open(struct listeners *ls, const char *text, mode_t mode)
{
    struct address address;
    const char *why = address_parse(&address, text);

    if (why != NULL)
        return fail(ls, EX_USAGE, text, why);
    switch (address.kind) {
    case ADDRESS_INET:
        return open_host(ls, text, &address);
    case ADDRESS_ANY:
        return open_any(ls, address.port);
    case ADDRESS_PATH:
        return open_path(ls, address.path, mode);
    }
    return EX_SOFTWARE;
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
        return fail(ls, EX_UNAVAILABLE, "a socket that was handed over", strerror(errno));
    if (ss.ss_family == AF_UNIX)
        local_format(text, (struct sockaddr_un *)&ss, len);
    else
        address_format(text, (struct sockaddr *)&ss);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
        return fail(ls, EX_UNAVAILABLE, text, strerror(errno));
    return add(ls, fd, ss.ss_family == AF_UNIX, text);
}

int listeners_open_all(
    struct listeners *ls, int adopted, const char *const *addresses, size_t count, mode_t mode)
{
    int status = 0;

    if (count == 0 && adopted == 0)
        return listeners_open(ls, CHAT_DEFAULT_HOST ":" CHAT_DEFAULT_PORT, mode);
    for (int i = 0; i < adopted && status == 0; i++)
        status = listeners_adopt(ls, NOTIFY_FIRST_FD + i);
    for (size_t i = 0; i < count && status == 0; i++)
        status = listeners_open(ls, addresses[i], mode);
    return status;
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

    return at >= (uintptr_t)ls && at < (uintptr_t)(ls + 1);
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

static void refusal_end(struct listeners *ls, struct refusal *refusal)
{
    poller_remove(ls->poller, refusal->fd);
    close(refusal->fd);
    *refusal = ls->refused[--ls->refused_count];
    if (refusal != &ls->refused[ls->refused_count])
        (void)poller_set(ls->poller, refusal->fd, POLLIN, refusal);
    listeners_resume(ls);
}

/* What a refused visitor sends is thrown away until his end, so that he gets his answer. */
static void refusal_read(struct listeners *ls, struct refusal *refusal)
{
    char buf[4096];
    ssize_t n = recv(refusal->fd, buf, sizeof(buf), 0);

    if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        refusal_end(ls, refusal);
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

    if ((uintptr_t)tag >= (uintptr_t)&ls->refused[0]) {
        if ((struct refusal *)tag < &ls->refused[ls->refused_count])
            refusal_read(ls, tag);
        return false;
    }
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

void listeners_refuse(
    struct listeners *ls, const struct visitor *v, const char *error, uint64_t now)
{
    char line[256];
    struct timespec ts;
    int n;
    struct refusal *refusal = &ls->refused[ls->refused_count];

    clock_gettime(CLOCK_REALTIME, &ts);
    stamp_format(line, (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u);
    n = snprintf(line + STAMP_LEN, sizeof(line) - STAMP_LEN, " error %s\n", error);
    if (send(v->fd, line, STAMP_LEN + (size_t)n, MSG_NOSIGNAL) == -1 ||
        shutdown(v->fd, SHUT_WR) == -1 || ls->refused_count == REFUSALS_MAX ||
        poller_set(ls->poller, v->fd, POLLIN, refusal) == -1) {
        close(v->fd);
        return;
    }
    *refusal = (struct refusal){.fd = v->fd, .until = now + REFUSED_US};
    ls->refused_count++;
}

int listeners_turn(struct listeners *ls, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    if (ls->paused_until != 0 && ls->paused_until <= now)
        listeners_resume(ls);
    for (size_t i = ls->refused_count; i-- > 0;)
        if (ls->refused[i].until <= now)
            refusal_end(ls, &ls->refused[i]);
    if (ls->paused_until != 0)
        next = ls->paused_until;
    for (size_t i = 0; i < ls->refused_count; i++)
        if (ls->refused[i].until < next)
            next = ls->refused[i].until;
    return next == UINT64_MAX ? -1 : (int)((next - now + 999) / 1000);
}
