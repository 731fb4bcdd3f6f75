/* accept() without a moment in which the descriptor could leak: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>

#if !defined(SOCK_CLOEXEC)

#include <fcntl.h>
#include <unistd.h>

int accept_cloexec_nonblock(int fd, struct sockaddr *addr, socklen_t *len)
{
    int client = accept(fd, addr, len);

    if (client != -1 &&
        (fcntl(client, F_SETFD, FD_CLOEXEC) == -1 || fcntl(client, F_SETFL, O_NONBLOCK) == -1)) {
        close(client);
        return -1;
    }
    return client;
}

#else

int accept_cloexec_nonblock(int fd, struct sockaddr *addr, socklen_t *len)
{
    return accept4(fd, addr, len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

#endif

bool accept_error_is_connections(int error)
{
    static const int errors[] = {
        EINTR,
        ECONNABORTED,
        EPROTO,
        ENETDOWN,
        ENOPROTOOPT,
        EHOSTDOWN,
        EHOSTUNREACH,
        EOPNOTSUPP,
        ENETUNREACH,
        ETIMEDOUT,
#ifdef ENONET
        ENONET,
#endif
    };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (error == errors[i])
            return true;
    return false;
}
