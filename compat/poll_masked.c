/* ppoll(): see compat.h. */
/* In glibc before 2.40 a fortified ppoll() takes a 64-bit timespec for one of 32 bits. */
#undef _FORTIFY_SOURCE
#include "os.h"

#include "compat.h"

#if defined(__APPLE__)

#include <errno.h>

int poll_masked(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *mask)
{
    sigset_t old;

    if (mask == NULL)
        return poll(fds, count, timeout_ms);
    sigprocmask(SIG_SETMASK, mask, &old);
    int ready = poll(fds, count, timeout_ms);
    int error = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return ready;
}

#else

#include <time.h>

int poll_masked(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *mask)
{
    struct timespec span = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

    return ppoll(fds, count, timeout_ms < 0 ? NULL : &span, mask);
}

#endif
