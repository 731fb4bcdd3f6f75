/* Whether the peer has ended its side: see compat.h. */
#include "os.h"

#include "compat.h"

#include <poll.h>

#ifdef POLLRDHUP

bool socket_peer_ended(int fd)
{
    struct pollfd ended = {.fd = fd, .events = POLLRDHUP};

    return poll(&ended, 1, 0) == 1;
}

#else

bool socket_peer_ended(int fd)
{
    (void)fd;
    return false;
}

#endif
