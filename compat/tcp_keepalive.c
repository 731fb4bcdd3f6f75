/* How soon an idle peer that has vanished is noticed: see compat.h. */
#include "os.h"

#include "compat.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

void tcp_keepalive(int fd, int idle, int interval, int count)
{
    const int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
#ifdef TCP_KEEPIDLE
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
#else
    (void)idle;
    (void)interval;
    (void)count;
#endif
}
