/* greeting_file.c: reads the file and cleans its lines. */
#include "greeting_file.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "small_file.h"
#include "wire/text.h"

/* Takes the first line and its end off [*at, end), and writes it clean. Returns how long it is. */
static size_t line_copy_clean(char *out, const char **at, const char *end)
{
    const char *lf = memchr(*at, '\n', (size_t)(end - *at));
    const char *next = lf == NULL ? end : lf + 1;
    size_t len = (size_t)((lf == NULL ? end : lf) - *at);

    if (len > 0 && (*at)[len - 1] == '\r')
        len--;
    len = text_clean(out, *at, len);
    out[len] = '\n';
    *at = next;
    return len + 1;
}

/* NULL, or what is wrong. The greeting is set only where nothing is. */
static const char *greeting_take(struct greeting *greeting, const char *buf, size_t len)
{
    const char *at = buf;
    const char *end = buf + len;
    size_t lines = 0;
    char *out = greeting->text;

    if (len > GREETING_BYTES_MAX)
        return "more than 8192 bytes";
    for (size_t i = 0; i < len; i++)
        lines += buf[i] == '\n' || i == len - 1;
    if (lines > GREETING_LINES_MAX)
        return "more than 100 lines";
    while (at < end)
        out += line_copy_clean(out, &at, end);
    *out = '\0';
    return NULL;
}

/* NULL, or what is wrong. */
static const char *greeting_read(struct greeting *greeting, const char *path, int wait_ms)
{
    char buf[GREETING_BYTES_MAX + 1];
    struct stat st;
    int fd = small_file_open(path, &st);
    ssize_t len;

    if (fd == -1)
        return strerror(errno);
    greeting->once = !S_ISREG(st.st_mode);
    len = small_file_read(fd, buf, sizeof(buf), false, wait_ms);
    if (len == -1) {
        const char *why = strerror(errno);

        close(fd);
        return why;
    }
    close(fd);
    return greeting_take(greeting, buf, (size_t)len);
}

int greeting_load(struct greeting *greeting, const char *path, const struct report *r)
{
    const char *why = path == NULL ? NULL : greeting_read(greeting, path, SMALL_FILE_WAIT_MS);

    if (why == NULL)
        return 0;
    report(r, LOG_ERR, "%s: %s", path, why);
    return EX_CONFIG;
}

void greeting_reload(struct greeting *greeting, const char *path, const struct report *r)
{
    const char *why;

    if (path == NULL || greeting->once)
        return;
    why = greeting_read(greeting, path, 0);
    greeting->once = false;
    if (why != NULL)
        report(r, LOG_WARNING, "%s: %s; the old greeting stays", path, why);
}
