/* bind_path.c: Unix-domain sockets; see bind.h. */
#include "bind.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "listener.h"

/*
 * Is the file at the path a socket that nobody listens on any more? Only such a one is replaced;
 * a live socket, a link, or any other file is left alone.
 */
static const char *clear_stale(const char *path, const struct sockaddr_un *un)
{
    struct stat st;
    int fd;
    int error = 0;

    if (lstat(path, &st) == -1)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(st.st_mode))
        return "exists and is no socket";
    fd = bind_socket(AF_UNIX);
    if (fd == -1)
        return strerror(errno);
    if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == -1)
        error = errno;
    close(fd);
    if (error != ECONNREFUSED)
        return error == 0 || error == EAGAIN ? "somebody listens there already" : strerror(error);
    return unlink(path) == -1 && errno != ENOENT ? strerror(errno) : NULL;
}

/* The umask makes the mode right from the first instant; the chmod adds what a umask cannot. */
static int bind_local(int fd, const struct sockaddr_un *un, mode_t mode)
{
    mode_t old = umask(~mode & 0777);
    int result = bind(fd, (const struct sockaddr *)un, sizeof(*un));
    int error = errno;

    umask(old);
    errno = error;
    return result;
}

int bind_path(struct listeners *ls, const char *path, mode_t mode)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const char *why;
    int fd;

    if (strlen(path) >= sizeof(un.sun_path))
        return listeners_fail(ls, EX_UNAVAILABLE, path, "path too long for a socket");
    strcpy(un.sun_path, path);
    why = clear_stale(path, &un);
    if (why != NULL)
        return listeners_fail(ls, EX_UNAVAILABLE, path, why);
    fd = bind_socket(AF_UNIX);
    if (fd == -1 || bind_local(fd, &un, mode) == -1) {
        int error = errno;

        if (fd != -1)
            close(fd);
        return listeners_fail(ls, bind_status(error), path, strerror(error));
    }
    return listeners_add(ls, fd, path);
}
