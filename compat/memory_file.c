/* A file without a name: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MFD_ALLOW_SEALING

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3, which complains of a file without it */
#endif

static int file_new(void)
{
    int fd = memfd_create("chatd", MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd == -1 && errno == EINVAL)
        fd = memfd_create("chatd", MFD_ALLOW_SEALING);
    return fd;
}

static bool file_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

#else

static int file_new(void)
{
    char path[] = "/tmp/chatd.XXXXXX";
    int fd = mkstemp(path);

    if (fd != -1)
        unlink(path);
    return fd;
}

static bool file_seal(int fd)
{
    return fd != -1;
}

#endif

/* Not write_all(): that would wait for memory, which may never come. */
static bool file_fill(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static int file_fail(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

int memory_file(const char *bytes, size_t len)
{
    int fd = file_new();

    if (fd == -1 || (file_fill(fd, bytes, len) && file_seal(fd)))
        return fd;
    return file_fail(fd);
}

int memory_file_blank(size_t len)
{
    int fd = file_new();

    if (fd == -1 || (fcntl(fd, F_SETFD, FD_CLOEXEC) != -1 && ftruncate(fd, (off_t)len) == 0))
        return fd;
    return file_fail(fd);
}
