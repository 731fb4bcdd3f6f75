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
#include <unistd.h>

#include "listener.h"

/* The kernel knows no such address: another one of the same name may do. */
#define NO_FAMILY (-1)

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

static int bind_inet(struct listeners *ls, const struct addrinfo *ai, bool only_v6)
{
    char text[PEER_TEXT_MAX];
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    int on = 1;
    int fd = bind_socket(ai->ai_family);

    address_format(text, ai->ai_addr);
    if (fd == -1 && errno == EAFNOSUPPORT)
        return NO_FAMILY;
    if (fd == -1)
        return listeners_fail(ls, EX_UNAVAILABLE, text, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){only_v6}, sizeof(int));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 || listen(fd, LISTENER_BACKLOG) == -1) {
        int error = errno;

        close(fd);
        return listeners_fail(ls, bind_status(error), text, strerror(error));
    }
    if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
        address_format(text, (struct sockaddr *)&ss);
    return listeners_add(ls, fd, false, text);
}

int bind_any(struct listeners *ls, const char *port)
{
    unsigned short number = htons((unsigned short)strtoul(port, NULL, 10));
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = number};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = number};
    struct addrinfo ai = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&six, .ai_addrlen = sizeof(six)};
    int fd = bind_socket(AF_INET6);
    int status;

    if (fd != -1) {
        bool usable = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) == 0;
        struct sockaddr_in6 try = {.sin6_family = AF_INET6};

        usable = usable && bind(fd, (struct sockaddr *)&try, sizeof(try)) == 0;
        close(fd);
        if (usable)
            return bind_inet(ls, &ai, false);
    }
    ai.ai_family = AF_INET;
    ai.ai_addr = (struct sockaddr *)&four;
    ai.ai_addrlen = sizeof(four);
    status = bind_inet(ls, &ai, false);
    return status == NO_FAMILY ? listeners_fail(ls, EX_UNAVAILABLE, "*", strerror(EAFNOSUPPORT))
                               : status;
}

int bind_host(struct listeners *ls, const char *text, const struct address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    int status = NO_FAMILY;
    int error = getaddrinfo(address->host, address->port, &hints, &list);

    if (error != 0)
        return listeners_fail(ls, EX_UNAVAILABLE, text, gai_strerror(error));
    for (struct addrinfo *ai = list; ai != NULL && (status == 0 || status == NO_FAMILY);
         ai = ai->ai_next) {
        int next = bind_inet(ls, ai, true);

        status = next == NO_FAMILY ? status : next;
    }
    freeaddrinfo(list);
    return status == NO_FAMILY ? listeners_fail(ls, EX_UNAVAILABLE, text, strerror(EAFNOSUPPORT))
                               : status;
}
