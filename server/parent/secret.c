/* secret.c: see secret.h. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "wire/text.h"

/* What is ours must be for us alone. Who was given another's file to read, perhaps by its group or
 * a list of users that shows as one, cannot narrow that: then it must not be for everybody. */
static bool is_exposed(const struct stat *st)
{
    return (st->st_mode & (st->st_uid == geteuid() ? S_IRWXG | S_IRWXO : S_IRWXO)) != 0;
}

/* Fills buf as far as the file goes; -1 with errno. */
static ssize_t file_read(int fd, char *buf, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while (len < size && (n = read(fd, buf + len, size - len)) != 0) {
        if (n == -1 && errno != EINTR)
            return -1;
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

static enum secret_result take_first_line(char out[SECRET_SIZE], const char *buf, size_t len)
{
    const char *lf = memchr(buf, '\n', len);

    out[0] = '\0';
    if (lf != NULL)
        len = (size_t)(lf - buf);
    if (len > 0 && buf[len - 1] == '\r')
        len--;
    if (len == 0 || len > LINE_IN_MAX)
        return SECRET_EMPTY;
    out[text_clean(out, buf, len)] = '\0';
    return SECRET_READ;
}

enum secret_result secret_read(const char *path, char out[SECRET_SIZE])
{
    char buf[LINE_IN_MAX + 2];
    struct stat st;
    ssize_t len;
    int error;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd == -1)
        return SECRET_UNREADABLE;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_exposed(&st)) {
        close(fd);
        return SECRET_EXPOSED;
    }
    len = file_read(fd, buf, sizeof(buf));
    error = errno;
    close(fd);
    errno = error;
    return len == -1 ? SECRET_UNREADABLE : take_first_line(out, buf, (size_t)len);
}

int secret_load(const char *path, char out[SECRET_SIZE], bool again, const struct report *r)
{
    const char *result = again ? "the old secret stays" : "nobody gets in";

    if (path == NULL)
        return 0;
    switch (secret_read(path, out)) {
    case SECRET_READ:
        break;
    case SECRET_EMPTY:
        report(r, LOG_WARNING, "%s: no secret in its first line; nobody gets in", path);
        break;
    case SECRET_UNREADABLE:
        report(r, LOG_WARNING, "%s: %s; %s", path, strerror(errno), result);
        break;
    case SECRET_EXPOSED:
        report(r, again ? LOG_WARNING : LOG_ERR, "%s: must not be open to others%s%s", path,
            again ? "; " : "", again ? result : "");
        return EX_NOPERM;
    }
    return 0;
}
