/* file_lock.c: a lock that belongs to the open file, without waiting. */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __sun
#include <unistd.h>
#else
#include <sys/file.h>
#endif

#include "compat.h"

/*
 * flock() and not fcntl(): its lock belongs to the open file, so the one that the hub takes goes
 * with the descriptor to the process that writes.
 */
bool file_lock(int fd)
{
#ifdef LOCK_EX
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
#else
    if (lockf(fd, F_TLOCK, 0) == 0)
        return true;
    if (errno == EACCES || errno == EAGAIN)
        errno = EWOULDBLOCK;
    return false;
#endif
}
