/* TCP beyond POSIX: see compat.h. */
#include "os.h"

#include "compat.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#if defined(__linux__) && !defined(TCP_RTO_MAX_MS)
#define TCP_RTO_MAX_MS 44 /* Linux 6.15 */
#endif

/* How soon a vanished peer is noticed: the first question after 60 s, the end after 110 s. */
enum {
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 5,
    ASK_INTERVAL_MAX_MS = 15000,
    UNSENT_MAX = 16 * 1024,
    SEND_BUFFER = 128 * 1024
};

/* Each of these is a help, none a condition: a failure changes nothing that must be said. */
static void option_set(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

void tcp_prepare(int fd)
{
    /* Where unsent bytes can be bounded, the kernel sizes the buffer by what is under way. */
#ifdef TCP_NOTSENT_LOWAT
    option_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
    (void)SEND_BUFFER;
#else
    option_set(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
#endif
    option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    option_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#ifdef TCP_KEEPIDLE
    option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
#endif
#ifdef TCP_RTO_MAX_MS
    option_set(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, ASK_INTERVAL_MAX_MS);
#endif
}
