/* The uid that stands for all that have no number here: see compat.h. */
#include "os.h"

#include "compat.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __linux__

/* The first len numbers of a file of the kernel's. */
static int numbers_read(const char *path, unsigned long numbers[3])
{
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd != -1)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return sscanf(text, "%lu %lu %lu", &numbers[0], &numbers[1], &numbers[2]);
}

/* In a namespace that has all numbers, as the first one, that number is a user like others. */
bool uid_is_unmapped(uid_t uid)
{
    unsigned long overflow[3] = {65534};
    unsigned long map[3];

    (void)numbers_read("/proc/sys/kernel/overflowuid", overflow);
    if (uid != (uid_t)overflow[0])
        return false;
    return numbers_read("/proc/self/uid_map", map) != 3 || map[0] != 0 || map[2] != 4294967295;
}

#else

bool uid_is_unmapped(uid_t uid)
{
    (void)uid;
    return false;
}

#endif
