/* secret.c: reads the first line, and warns if others can read the file. */
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "small_file.h"
#include "wire/text.h"

/*
 * A secret file of our own must have no permissions for group and others. The file of another user,
 * which we may read through its group or an ACL (shown as group bits), must have none for others.
 */
static bool is_exposed(const struct stat *st)
{
    return (st->st_mode & (st->st_uid == geteuid() ? S_IRWXG | S_IRWXO : S_IRWXO)) != 0;
}

/* True if a client can send it: it is one line that cleaning leaves unchanged. */
static bool text_is_given(const char *text, size_t len)
{
    static const char replacement[] = "\xEF\xBF\xBD";

    for (size_t i = 0; i + 3 <= len; i++)
        if (memcmp(text + i, replacement, 3) == 0)
            return false;
    return text_is_clean(text, len);
}

static enum secret_result take_first_line(struct secret *secret, const char *buf, size_t len)
{
    const char *lf = memchr(buf, '\n', len);

    if (lf != NULL)
        len = (size_t)(lf - buf);
    if (len > 0 && buf[len - 1] == '\r')
        len--;
    if (len == 0)
        return SECRET_EMPTY;
    if (len > SECRET_LEN_MAX)
        return SECRET_TOO_LONG;
    if (!text_is_given(buf, len))
        return SECRET_UNCLEAN;
    memcpy(secret->text, buf, len);
    secret->text[len] = '\0';
    return SECRET_READ;
}

enum secret_result secret_read(struct secret *secret, const char *path, int wait_ms)
{
    char buf[SECRET_LEN_MAX + 2];
    struct stat st;
    ssize_t len;
    int error;
    int fd = small_file_open(path, &st);

    if (fd == -1)
        return SECRET_UNREADABLE;
    if (S_ISREG(st.st_mode) && is_exposed(&st)) {
        close(fd);
        return SECRET_EXPOSED;
    }
    secret->once = !S_ISREG(st.st_mode);
    len = small_file_read(fd, buf, sizeof(buf), true, wait_ms);
    error = errno;
    close(fd);
    errno = error;
    return len == -1 ? SECRET_UNREADABLE : take_first_line(secret, buf, (size_t)len);
}

/* What is wrong, to stand behind "FILE: ". */
static const char *result_text(enum secret_result result)
{
    switch (result) {
    case SECRET_READ:
        break;
    case SECRET_EMPTY:
        return "no secret in its first line";
    case SECRET_TOO_LONG:
        return "the secret is too long to be given";
    case SECRET_UNCLEAN:
        return "the secret is not printable UTF-8 text";
    case SECRET_UNREADABLE:
        return strerror(errno);
    case SECRET_EXPOSED:
        return "must not be open to others";
    }
    return "";
}

int secret_load(struct secret *secret, const char *path, const struct report *r)
{
    enum secret_result result;

    if (path == NULL)
        return 0;
    result = secret_read(secret, path, SMALL_FILE_WAIT_MS);
    if (result == SECRET_READ)
        return 0;
    report(r, LOG_ERR, "%s: %s", path, result_text(result));
    return result == SECRET_EXPOSED ? EX_NOPERM : EX_CONFIG;
}

void secret_reload(struct secret *secret, const char *path, const struct report *r)
{
    enum secret_result result;

    /* A path such as /dev/fd/63 names the caller's descriptor, which was closed after the start. */
    if (path == NULL || secret->once)
        return;
    result = secret_read(secret, path, 0);
    secret->once = false;
    if (result != SECRET_READ)
        report(r, LOG_WARNING, "%s: %s; the old secret stays", path, result_text(result));
}
