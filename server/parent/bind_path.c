/* bind_path.c: Unix-domain sockets; see bind.h. */
#include "bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "compat/compat.h"
#include "listener.h"

/* How long to wait for another server that is starting in the same directory. */
#define LOCK_MS 2000
#define LOCK_STEP_MS 10

/*
 * Removes the file at the path if it is a socket on which nobody listens. A live socket, a link or
 * any other file is left alone. Returns NULL if the path is free, else the reason.
 */
static const char *clear_stale(const char *path, const struct sockaddr_un *un)
{
    struct stat st;
    int fd;
    int error = 0;

    if (lstat(path, &st) == -1)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(st.st_mode))
        return "exists and is not a socket";
    fd = bind_socket(AF_UNIX);
    if (fd == -1)
        return strerror(errno);
    if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == -1)
        error = errno;
    close(fd);
    if (error != ECONNREFUSED)
        return error == 0 || error == EAGAIN ? "another program listens there already"
                                             : strerror(error);
    return unlink(path) == -1 && errno != ENOENT ? strerror(errno) : NULL;
}

/* The umask gives the socket its mode from the first instant; chmod() afterwards would be late. */
static int bind_local(int fd, const struct sockaddr_un *un, mode_t mode)
{
    mode_t old = umask(~mode & 0777);
    int result = bind(fd, (const struct sockaddr *)un, sizeof(*un));
    int error = errno;

    umask(old);
    errno = error;
    return result;
}

/*
 * Two servers that start at once must not take each other's new socket for a stale one. So a server
 * holds a lock on the directory from the check of the path until listen(2). If the directory cannot
 * be read or another process keeps the lock, the start goes on without it.
 */
static int directory_lock(const char *path)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2];
    const char *slash = strrchr(path, '/');
    int fd;

    /* An address without a slash is a host, so a path here has one. */
    snprintf(directory, sizeof(directory), "%.*s.", (int)(slash - path) + 1, path);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int waited = 0; fd != -1 && waited < LOCK_MS; waited += LOCK_STEP_MS) {
        if (file_lock(fd))
            return fd;
        nanosleep(&step, NULL);
    }
    if (fd != -1)
        close(fd);
    return -1;
}

/* Under the directory's lock. */
static int path_open(struct listeners *ls, const struct sockaddr_un *un, mode_t mode)
{
    const char *path = un->sun_path;
    const char *why = clear_stale(path, un);
    int fd;

    if (why != NULL)
        return listeners_fail(ls, EX_UNAVAILABLE, path, why);
    fd = bind_socket(AF_UNIX);
    if (fd == -1 || bind_local(fd, un, mode) == -1) {
        int error = errno;

        if (fd != -1)
            close(fd);
        return listeners_fail(ls, bind_status(error), path, strerror(error));
    }
    return listeners_add(ls, fd, path);
}

int bind_path(struct listeners *ls, const char *path, mode_t mode)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int status;
    int lock;

    if (strlen(path) >= sizeof(un.sun_path))
        return listeners_fail(ls, EX_UNAVAILABLE, path, "path too long for a socket");
    strcpy(un.sun_path, path);
    lock = directory_lock(path);
    status = path_open(ls, &un, mode);
    if (lock != -1)
        close(lock);
    return status;
}
