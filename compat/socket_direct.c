/* System calls on sockets by their own numbers: see compat.h. */
#include "os.h"

#include "compat.h"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

/*
 * Where one of these exists, a C library may use it in place of the call's own number. A filter
 * cannot look at the arguments of socketcall(2), which are in memory.
 */
#if defined(__linux__) && (defined(SYS_socketcall) || defined(SYS_recv))

#include <unistd.h>

ssize_t socket_recv(int fd, void *buf, size_t len)
{
    return syscall(SYS_recvfrom, fd, buf, len, 0, NULL, NULL);
}

ssize_t socket_send(int fd, const void *buf, size_t len)
{
    return syscall(SYS_sendto, fd, buf, len, MSG_NOSIGNAL, NULL, 0);
}

int socket_shutdown_write(int fd)
{
    return (int)syscall(SYS_shutdown, fd, SHUT_WR);
}

#else

ssize_t socket_recv(int fd, void *buf, size_t len)
{
    return recv(fd, buf, len, 0);
}

ssize_t socket_send(int fd, const void *buf, size_t len)
{
    return send(fd, buf, len, MSG_NOSIGNAL);
}

int socket_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR);
}

#endif
