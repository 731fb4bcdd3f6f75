/* Closes every descriptor from one on: see compat.h. */
#include "os.h"

#include "compat.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__)

#include <sys/syscall.h>

/* Called by number: the kernel has it since 5.9, the libraries for not as long. */
static bool close_by_kernel(int lowest)
{
#ifdef SYS_close_range
    return syscall(SYS_close_range, (unsigned)lowest, ~0U, 0U) == 0;
#else
    return lowest < 0;
#endif
}

#elif defined(__FreeBSD__) || defined(__DragonFly__) || defined(__NetBSD__) || defined(__OpenBSD__)

static bool close_by_kernel(int lowest)
{
    closefrom(lowest);
    return true;
}

#else

static bool close_by_kernel(int lowest)
{
    return lowest < 0;
}

#endif

/* The kernel's list bears that what it lists is closed while it is read. */
static bool close_by_directory(int lowest)
{
    DIR *dir = opendir("/dev/fd");

    if (dir == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd >= lowest && fd != dirfd(dir))
            close(fd);
    }
    closedir(dir);
    return true;
}

void descriptors_close_from(int lowest)
{
    if (close_by_kernel(lowest) || close_by_directory(lowest))
        return;
    long limit = sysconf(_SC_OPEN_MAX);
    for (long fd = lowest; fd < limit; fd++)
        close((int)fd);
}
