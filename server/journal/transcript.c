/* transcript.c: opening, locking, and the ends of the lines. */
#include "transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"
#include "wire/line.h"
#include "wire/text.h"

/* How long a writer of an earlier hub may take to finish: in steps of 50 ms. */
#define LOCK_TRIES 200
#define BLOCK 65536

/* ---- Lines ----------------------------------------------------------------------------------- */

bool transcript_parse(struct event *event, const char *line, size_t len)
{
    return event_parse(event, line, len) && text_is_clean(line, len) &&
           event->stamp <= TRANSCRIPT_STAMP_MAX;
}

/* After a crash a file may begin with NUL bytes; an editor may have put a byte order mark there. */
bool transcript_find_begin(int fd, off_t *begin)
{
    static const char mark[] = "\xef\xbb\xbf";
    char buf[BLOCK];
    off_t from = 0;
    ssize_t at = 0;
    ssize_t n;

    while ((n = pread(fd, buf, sizeof(buf), from)) > 0) {
        for (at = 0; at < n && buf[at] == '\0';)
            at++;
        from += at;
        if (at < n)
            break;
    }
    if (n > 0 && pread(fd, buf, 3, from) == 3 && memcmp(buf, mark, 3) == 0)
        from += 3;
    *begin = from;
    return n != -1;
}

bool transcript_find_end(int fd, off_t *end)
{
    char buf[BLOCK];
    off_t at = lseek(fd, 0, SEEK_END);

    while (at > 0) {
        size_t len = at < BLOCK ? (size_t)at : BLOCK;
        ssize_t n = pread(fd, buf, len, at - (off_t)len);

        if (n <= 0)
            return false;
        at -= (off_t)len;
        while (n > 0 && buf[n - 1] != '\n')
            n--;
        if (n > 0) {
            at += n;
            break;
        }
    }
    *end = at;
    return at != -1;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static const char *check_kind(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == -1)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "not a regular file";
    if (st.st_uid != geteuid())
        return "belongs to somebody else";
    if (st.st_nlink > 1)
        return "has more than one name";
    return NULL;
}

/* The beginning of a stamp, as far as it goes. */
static bool begins_like_a_stamp(const char *buf, size_t len)
{
    static const char form[] = "0000-00-00T00:00:00.000000Z";

    for (size_t i = 0; i < len && i < STAMP_LEN; i++)
        if (form[i] == '0' ? buf[i] < '0' || buf[i] > '9' : buf[i] != form[i])
            return false;
    return true;
}

/* A valid line from there on. Most files have one in the first block. */
static bool has_valid_line(int fd, off_t from)
{
    char held[LINE_OUT_MAX];
    char buf[BLOCK];
    struct line_splitter splitter;
    ssize_t n;

    line_splitter_init(&splitter, held, sizeof(held) - 1);
    while ((n = pread(fd, buf, sizeof(buf), from)) > 0) {
        const char *at = buf;
        enum line_result result;
        struct event event;
        struct span line;

        while ((result = line_next(&splitter, &at, buf + n, &line)) != LINE_NONE)
            if (result == LINE_READY && transcript_parse(&event, line.at, line.len))
                return true;
        from += n;
    }
    return false;
}

/* All that there is from there on is the first part of a line that a crash has torn. */
static bool is_torn_line(int fd, off_t from)
{
    char buf[LINE_OUT_MAX];
    ssize_t len = pread(fd, buf, sizeof(buf), from);

    return len >= 0 && len < LINE_OUT_MAX && memchr(buf, '\n', (size_t)len) == NULL &&
           begins_like_a_stamp(buf, (size_t)len);
}

/* Nobody's letters are repaired, or appended to, by mistake. */
static const char *check_content(int fd)
{
    off_t begin;

    if (!transcript_find_begin(fd, &begin))
        return strerror(errno);
    return has_valid_line(fd, begin) || is_torn_line(fd, begin) ? NULL
                                                                : "is no transcript of a room";
}

static bool take_lock(int fd, const char *path, bool wait, const struct report *r)
{
    const struct timespec step = {.tv_nsec = 50000000};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (file_lock(fd))
            return true;
        if (!wait)
            return false;
        if (i == 0)
            report(r, LOG_NOTICE, "%s: waiting for an earlier writer to finish", path);
        nanosleep(&step, NULL);
    }
    return false;
}

int transcript_open(const char *path, bool wait, const struct report *r)
{
    int fd = open(
        path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
    const char *why;

    if (fd == -1) {
        report(r, LOG_ERR, "%s: %s", path, errno == ELOOP ? "is a link" : strerror(errno));
        return -1;
    }
    why = check_kind(fd);
    if (why == NULL && !take_lock(fd, path, wait, r))
        why = "another server is writing it";
    if (why == NULL)
        why = check_content(fd);
    if (why != NULL) {
        report(r, LOG_ERR, "%s: %s", path, why);
        close(fd);
        return -1;
    }
    return fd;
}
