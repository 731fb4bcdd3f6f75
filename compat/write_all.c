/* Writing that does not stop halfway: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <unistd.h>

/* How often in a row, and after how many ms, a write is repeated that found no memory. */
#define SHORTAGES_MAX 100
#define SHORTAGE_PAUSE 10

bool error_passes(int error)
{
    return error == EINTR || error == EAGAIN || error == ENOMEM || error == ENOBUFS;
}

bool write_all(int fd, const char *bytes, size_t len)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int shortages = 0;

    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            shortages = 0;
        } else if (n < 0 && errno == EAGAIN) { /* another process may have made it non-blocking */
            poll(&ready, 1, -1);
        } else if (n == 0 || errno != EINTR) { /* a file is always ready: poll(2) would not wait */
            if (n < 0 && !error_passes(errno))
                return false;
            if (++shortages > SHORTAGES_MAX)
                return false;
            poll(NULL, 0, SHORTAGE_PAUSE);
        }
    }
    return true;
}
