/* memory_file.c: see compat.h. */
#include "os.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compat.h"

int memory_file(void)
{
#ifdef MFD_ALLOW_SEALING
    return memfd_create("chatd", 0);
#else
    char path[] = "/tmp/chatd.XXXXXX";
    int fd = mkstemp(path);

    if (fd != -1)
        unlink(path);
    return fd;
#endif
}
