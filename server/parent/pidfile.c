/* pidfile.c: see pidfile.h. */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#define PID_TEXT_MAX 32

static size_t pid_text(char out[PID_TEXT_MAX])
{
    return (size_t)snprintf(out, PID_TEXT_MAX, "%ld\n", (long)getpid());
}

/* O_NONBLOCK: a FIFO that nobody reads must not stop us. */
static int file_open(const char *path, int flags)
{
    struct stat st;
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0644);

    if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EEXIST;
        return -1;
    }
    return fd;
}

/* Over the old text and then cut: whoever looks meanwhile does not find the file empty. */
static bool file_fill(int fd, const char *text, size_t len)
{
    ssize_t n = write(fd, text, len);

    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    return n == (ssize_t)len && ftruncate(fd, (off_t)len) == 0;
}

bool pidfile_write(const char *path)
{
    char text[PID_TEXT_MAX];
    int fd = file_open(path, O_WRONLY | O_CREAT);
    int error;
    bool done;

    if (fd == -1)
        return false;
    done = file_fill(fd, text, pid_text(text));
    error = errno;
    if (close(fd) == -1 && done) {
        error = errno;
        done = false;
    }
    errno = error;
    return done;
}

int pidfile_make(const char *path, const struct report *r)
{
    if (path == NULL || pidfile_write(path))
        return 0;
    report(r, LOG_ERR, "%s: %s", path, strerror(errno));
    return EX_CANTCREAT;
}

void pidfile_remove(const char *path)
{
    char text[PID_TEXT_MAX];
    char found[PID_TEXT_MAX];
    int fd = path == NULL ? -1 : file_open(path, O_RDONLY);
    ssize_t n;

    if (fd == -1)
        return;
    n = read(fd, found, sizeof(found));
    close(fd);
    if (n == (ssize_t)pid_text(text) && memcmp(found, text, (size_t)n) == 0)
        (void)unlink(path);
}
