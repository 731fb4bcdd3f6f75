/* pidfile.c: opens, locks, writes and removes the file. */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "server/hub/codec.h"

#define PID_TEXT_MAX 32
/* How often a file that another server removes meanwhile is opened again. */
#define TRIES 100

static size_t pid_text(char out[PID_TEXT_MAX])
{
    return (size_t)snprintf(out, PID_TEXT_MAX, "%ld\n", (long)getpid());
}

/* O_NONBLOCK: open(2) must not wait at a FIFO that nobody reads. */
static int pidfile_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0644);

    if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EEXIST;
        return -1;
    }
    return fd;
}

/* True if the path still names the open file. */
static bool file_is_there(const char *path, int fd)
{
    struct stat now;
    struct stat ours;

    return lstat(path, &now) == 0 && fstat(fd, &ours) == 0 && now.st_dev == ours.st_dev &&
           now.st_ino == ours.st_ino;
}

/* Opens and locks the file. A server that exits removes the file it has locked; if that happened
 * between open and lock, the new file at the path is tried. */
static int file_take(const char *path)
{
    int error;
    int fd;

    for (int i = 0; i < TRIES; i++) {
        fd = pidfile_open(path);
        if (fd == -1)
            return -1;
        if (!file_lock(fd)) {
            error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        if (file_is_there(path, fd))
            return fd;
        close(fd);
    }
    errno = EAGAIN;
    return -1;
}

/* Overwrites, then truncates, so that a reader never finds the file empty. */
static bool pidfile_fill(int fd)
{
    char text[PID_TEXT_MAX];
    size_t len = pid_text(text);
    ssize_t n = pwrite(fd, text, len, 0);

    if (n >= 0 && (size_t)n < len)
        errno = ENOSPC;
    return n == (ssize_t)len && ftruncate(fd, (off_t)len) == 0;
}

int pidfile_take(struct pidfile *p, const struct report *r)
{
    const char *why;

    if (p->path == NULL)
        return 0;
    p->fd = file_take(p->path);
    if (p->fd != -1 && pidfile_fill(p->fd))
        return 0;
    why = strerror(errno);
    if (p->fd == -1 && (errno == EWOULDBLOCK || errno == EAGAIN))
        why = "another server is running with it";
    report(r, LOG_ERR, "%s: %s", p->path, why);
    return EX_CANTCREAT;
}

static bool file_is_ours(int fd)
{
    char text[PID_TEXT_MAX];
    char found[PID_TEXT_MAX];
    ssize_t n = pread(fd, found, sizeof(found), 0);

    return n == (ssize_t)pid_text(text) && memcmp(found, text, (size_t)n) == 0;
}

void pidfile_release(struct pidfile *p)
{
    if (p->fd == -1)
        return;
    if (file_is_ours(p->fd) && file_is_there(p->path, p->fd) && unlink(p->path) == -1 &&
        ftruncate(p->fd, 0) == -1) {
        /* A stale ID stays: there is nothing else to try. */
    }
    close(p->fd);
    p->fd = -1;
}

void pidfile_state(struct pidfile *p, struct codec *c)
{
    codec_fd(c, &p->fd);
}
