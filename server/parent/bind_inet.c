/* bind_inet.c: TCP; see bind.h. */
#include "bind.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "listener.h"

/* How often another free port is tried, where the first address's is taken at the next one. */
#define PORT_TRIES 20

/* One of the addresses that a name stands for. */
struct candidate {
    struct sockaddr_storage address;
    socklen_t len;
    int fd; /* -1: it could not be bound, for error */
    int error;
};

struct candidates {
    struct candidate all[LISTENERS_MAX];
    size_t count;
};

int bind_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd != -1 && (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
                        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)) {
        close(fd);
        return -1;
    }
    return fd;
}

int bind_status(int error)
{
    return error == EACCES || error == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

/* The port's place in the address. */
static in_port_t *port_of(struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)address)->sin6_port
                                          : &((struct sockaddr_in *)address)->sin_port;
}

/* A socket that listens there, or will; -1 with errno. */
static int socket_listen(const struct listeners *ls, const struct candidate *c, bool only_v6)
{
    int fd = bind_socket(c->address.ss_family);
    int error;

    if (fd == -1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (c->address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){only_v6}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)&c->address, c->len) == 0 &&
        (ls->later || listen(fd, LISTENER_BACKLOG) == 0))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* ---- `*` ------------------------------------------------------------------------------------- */

/* The kernel has IPv6, and its sockets can be for both families. */
static bool both_families_exist(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    int fd = bind_socket(AF_INET6);
    bool exist;

    if (fd == -1)
        return false;
    exist = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) == 0 &&
            bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;
    close(fd);
    return exist;
}

int bind_any(struct listeners *ls, const char *port)
{
    bool both = both_families_exist();
    struct candidate any = {.len = both ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)};
    char text[PEER_TEXT_MAX];

    any.address.ss_family = both ? AF_INET6 : AF_INET;
    *port_of(&any.address) = htons((in_port_t)strtoul(port, NULL, 10));
    any.fd = socket_listen(ls, &any, false);
    if (any.fd != -1)
        return listeners_add(ls, any.fd, NULL);
    any.error = errno;
    address_format(text, (struct sockaddr *)&any.address);
    return listeners_fail(ls, bind_status(any.error), text, strerror(any.error));
}

/* ---- Every address of a name ----------------------------------------------------------------- */

/* A hosts file may give a name the same address twice; and a former -l may have had it. */
static bool is_new(
    const struct candidates *cs, const struct listeners *ls, const struct addrinfo *ai)
{
    char text[PEER_TEXT_MAX];

    for (size_t i = 0; i < cs->count; i++)
        if (cs->all[i].len == ai->ai_addrlen &&
            memcmp(&cs->all[i].address, ai->ai_addr, ai->ai_addrlen) == 0)
            return false;
    address_format(text, ai->ai_addr);
    return !listeners_have(ls, text);
}

static void candidates_collect(
    struct candidates *cs, const struct listeners *ls, const struct addrinfo *list)
{
    cs->count = 0;
    for (const struct addrinfo *ai = list; ai != NULL && cs->count < LISTENERS_MAX;
         ai = ai->ai_next) {
        struct candidate *c = &cs->all[cs->count];

        if (!is_new(cs, ls, ai))
            continue;
        *c = (struct candidate){.len = ai->ai_addrlen, .fd = -1};
        memcpy(&c->address, ai->ai_addr, ai->ai_addrlen);
        cs->count++;
    }
}

static void candidates_close(struct candidates *cs)
{
    for (size_t i = 0; i < cs->count; i++) {
        if (cs->all[i].fd != -1)
            close(cs->all[i].fd);
        cs->all[i].fd = -1;
    }
}

/* Binds all of them, with port 0 to the port that the first one gets. How many are bound. */
static size_t candidates_bind(struct candidates *cs, const struct listeners *ls, in_port_t port)
{
    size_t bound = 0;

    for (size_t i = 0; i < cs->count; i++) {
        struct candidate *c = &cs->all[i];
        struct sockaddr_storage got;
        socklen_t len = sizeof(got);

        *port_of(&c->address) = port;
        c->fd = socket_listen(ls, c, true);
        c->error = errno;
        bound += c->fd != -1;
        if (port == 0 && c->fd != -1 && getsockname(c->fd, (struct sockaddr *)&got, &len) == 0)
            port = *port_of(&got);
    }
    return bound;
}

/* The port that was free at the first address is taken at another one. */
static bool port_clashes(const struct candidates *cs, in_port_t port, size_t bound)
{
    if (port != 0 || bound == 0)
        return false;
    for (size_t i = 0; i < cs->count; i++)
        if (cs->all[i].fd == -1 && cs->all[i].error == EADDRINUSE)
            return true;
    return false;
}

/* One that cannot be bound is an error only where none can. The exit status for it. */
static int candidate_report(const struct listeners *ls, const struct candidate *c, bool others)
{
    char text[PEER_TEXT_MAX];

    address_format(text, (const struct sockaddr *)&c->address);
    if (!others)
        return listeners_fail(ls, bind_status(c->error), text, strerror(c->error));
    report(ls->report, LOG_WARNING, "%s: %s; listening on the other addresses of this name", text,
        strerror(c->error));
    return 0;
}

static int candidates_listen(struct candidates *cs, struct listeners *ls, in_port_t port)
{
    size_t bound = candidates_bind(cs, ls, port);
    int status = 0;

    for (int tries = 1; port_clashes(cs, port, bound) && tries < PORT_TRIES; tries++) {
        candidates_close(cs);
        bound = candidates_bind(cs, ls, port);
    }
    for (size_t i = 0; i < cs->count; i++) {
        int next = cs->all[i].fd != -1 ? listeners_add(ls, cs->all[i].fd, NULL)
                                       : candidate_report(ls, &cs->all[i], bound > 0);

        status = next == 0 ? status : next;
    }
    return status;
}

int bind_host(struct listeners *ls, const char *text, const struct address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    struct candidates cs;
    int error = getaddrinfo(address->host, address->port, &hints, &list);

    if (error != 0)
        return listeners_fail(
            ls, EX_UNAVAILABLE, text, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
    candidates_collect(&cs, ls, list);
    freeaddrinfo(list);
    return candidates_listen(&cs, ls, htons((in_port_t)strtoul(address->port, NULL, 10)));
}
