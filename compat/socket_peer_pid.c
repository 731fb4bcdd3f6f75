/* The peer's process and user: see compat.h. */
#include "os.h"

#include "compat.h"

#if defined(__linux__)

int socket_peer_pid(int fd, pid_t *pid, uid_t *uid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
        return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}

#else

#include <unistd.h>

int socket_peer_pid(int fd, pid_t *pid, uid_t *uid)
{
    gid_t gid;

    *pid = 0;
    return getpeereid(fd, uid, &gid);
}

#endif
