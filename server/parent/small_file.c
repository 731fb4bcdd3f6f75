/* small_file.c: reads until the end, a limit or a deadline. */
#include "small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "compat/compat.h"

int small_file_open(const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int error;

    if (fd == -1 || fstat(fd, st) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* False with errno: nothing has come by then. */
static bool wait_readable(int fd, uint64_t until)
{
    uint64_t now = clock_us();
    struct pollfd waiting = {.fd = fd, .events = POLLIN};

    if (now < until && poll(&waiting, 1, (int)((until - now) / 1000) + 1) != 0)
        return true;
    errno = ETIMEDOUT;
    return false;
}

ssize_t small_file_read(int fd, char *buf, size_t size, bool line, int wait_ms)
{
    uint64_t until = clock_us() + (uint64_t)wait_ms * 1000u;
    size_t len = 0;

    while (len < size && !(line && memchr(buf, '\n', len) != NULL)) {
        ssize_t n = read(fd, buf + len, size - len);

        if (n == 0)
            break;
        if (n > 0) {
            len += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_readable(fd, until))
                return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)len;
}
