/* opener.c: see opener.h. The result is one message with the descriptor. */
#include "opener.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/compat.h"

#define OLD_FILE_FD 0
#define HUB_FD 1

static bool is_old_file(int fd)
{
    struct stat old;
    struct stat new;

    return fstat(OLD_FILE_FD, &old) == 0 && fstat(fd, &new) == 0 &&
           old.st_dev == new.st_dev &&old.st_ino == new.st_ino;
}

_Noreturn void opener_main(const char *path, bool sync)
{
    char why[TRANSCRIPT_WHY_MAX] = "";
    int fd = transcript_open(path, why);

    if (fd != -1 && is_old_file(fd))
        _exit(0);
    if (fd != -1 && (!transcript_lock(fd, why) || !transcript_check(fd, why))) {
        close(fd);
        fd = -1;
    }
    if (fd != -1 && sync)
        (void)transcript_sync_name(path, why);
    (void)descriptor_send(HUB_FD, why, strlen(why) + 1, fd);
    _exit(0);
}

int opener_result(int pair, char why[TRANSCRIPT_WHY_MAX])
{
    int fd;
    ssize_t n = descriptor_receive(pair, why, TRANSCRIPT_WHY_MAX - 1, &fd);

    why[n > 0 ? n : 0] = '\0';
    return fd;
}
