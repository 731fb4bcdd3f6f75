/* fstat() by its own system call: see compat.h. */
#include "os.h"

#include "compat.h"

#include <sys/stat.h>

#ifdef FILE_STAT_IS_FSTAT

#include <sys/syscall.h>
#include <unistd.h>

int file_stat(int fd, struct stat *st)
{
    return (int)syscall(SYS_fstat, fd, st);
}

#else

int file_stat(int fd, struct stat *st)
{
    return fstat(fd, st);
}

#endif
