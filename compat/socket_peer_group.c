/* The groups of the other end: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__linux__)

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13; three architectures count differently */
#endif
/* A process with more groups than this is asked again with as much memory as it needs. */
enum { GROUPS_AT_ONCE = 64 };

static bool list_has(const gid_t *groups, socklen_t len, gid_t gid)
{
    for (size_t i = 0; i < len / sizeof groups[0]; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

/* The kernel has said how many bytes there are. */
static bool long_list_has(int fd, socklen_t len, gid_t gid)
{
    gid_t *groups = malloc(len);
    bool has = groups != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0 &&
               list_has(groups, len, gid);

    free(groups);
    return has;
}

bool socket_peer_in_group(int fd, gid_t gid)
{
    gid_t groups[GROUPS_AT_ONCE];
    socklen_t groups_len = sizeof groups;
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.gid == gid)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) == 0)
        return list_has(groups, groups_len, gid);
    return errno == ERANGE && long_list_has(fd, groups_len, gid);
}

#else

#include <unistd.h>

bool socket_peer_in_group(int fd, gid_t gid)
{
    uid_t uid;
    gid_t its;

    return getpeereid(fd, &uid, &its) == 0 && its == gid;
}

#endif
