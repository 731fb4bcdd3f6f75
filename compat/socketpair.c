/* socketpair() without a moment in which an end could leak: see compat.h. */
#include "os.h"

#include "compat.h"

#if defined(SOCK_CLOEXEC)

int socketpair_cloexec_nonblock(int sv[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv);
}

#else

#include <fcntl.h>
#include <unistd.h>

int socketpair_cloexec_nonblock(int sv[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
        return -1;
    for (int i = 0; i < 2; i++)
        if (fcntl(sv[i], F_SETFD, FD_CLOEXEC) == -1 || fcntl(sv[i], F_SETFL, O_NONBLOCK) == -1) {
            close(sv[0]);
            close(sv[1]);
            return -1;
        }
    return 0;
}

#endif
