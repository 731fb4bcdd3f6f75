/* The program's own file: see compat.h. */
#include "compat.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PATH_MAX
#define PATH_MAX 4096 /* the Hurd has no limit of its own */
#endif

/* Linux: a link to the running image, valid even if its file was replaced or removed. */
#define IMAGE_LINK "/proc/self/exe"

static bool file_is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Writes dir/name, from the working directory on where dir is relative or empty. */
static bool path_join(char *buf, size_t len, const char *dir, size_t dir_len, const char *name)
{
    char base[PATH_MAX] = "";

    if ((dir_len == 0 || dir[0] != '/') && getcwd(base, sizeof base) == NULL)
        return false;
    const char *between = base[0] != '\0' && dir_len > 0 ? "/" : "";
    int n = snprintf(buf, len, "%s%s%.*s/%s", base, between, (int)dir_len, dir, name);
    return n >= 0 && (size_t)n < len;
}

/* An empty part of PATH is the working directory. */
static bool path_search(char *buf, size_t len, const char *name)
{
    const char *dir = getenv("PATH");

    while (dir != NULL) {
        size_t dir_len = strcspn(dir, ":");
        if (path_join(buf, len, dir, dir_len, name) && file_is_program(buf))
            return true;
        dir = dir[dir_len] == ':' ? dir + dir_len + 1 : NULL;
    }
    return false;
}

bool program_path(char *buf, size_t len, const char *argv0)
{
    bool found;

    if (argv0[0] == '/')
        found = snprintf(buf, len, "%s", argv0) < (int)len;
    else if (strchr(argv0, '/') != NULL)
        found = path_join(buf, len, "", 0, argv0);
    else
        found = path_search(buf, len, argv0);
    if (found && file_is_program(buf))
        return true;
    /* argv[0] is only what the starter says. */
    ssize_t n = readlink(IMAGE_LINK, buf, len);
    if (n > 0 && (size_t)n < len) {
        buf[n] = '\0';
        if (file_is_program(buf))
            return true;
    }
    errno = ENOENT;
    return false;
}

const char *self_exe(char *buf, size_t len, const char *argv0)
{
    if (access(IMAGE_LINK, X_OK) == 0)
        return IMAGE_LINK;
    return program_path(buf, len, argv0) ? buf : NULL;
}
