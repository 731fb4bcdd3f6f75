/* Writing that does not stop halfway: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <unistd.h>

bool error_passes(int error)
{
    return error == EINTR || error == EAGAIN || error == ENOMEM || error == ENOBUFS;
}

bool write_all(int fd, const char *bytes, size_t len)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n < 0 && !error_passes(errno)) {
            return false;
        } else if (n < 0 && errno != EINTR) { /* another process may have made it non-blocking */
            poll(&ready, 1, -1);
        }
    }
    return true;
}
