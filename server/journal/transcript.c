/* transcript.c: finds where lines begin and end; opens, locks and checks the file. */
#include "transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "compat/compat.h"
#include "protocol.h"
#include "server/report.h"
#include "wire/line.h"
#include "wire/text.h"

/* How long to wait for the lock while the file does not grow, and how often to look. */
#define LOCK_US 10000000u
#define LOCK_STEP_MS 50
#define LOCK_STEPS_A_SECOND (1000 / LOCK_STEP_MS)
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

/* Sets the reason. Returns false. */
static bool reason_set(char why[TRANSCRIPT_WHY_MAX], const char *reason)
{
    snprintf(why, TRANSCRIPT_WHY_MAX, "%s", reason);
    return false;
}

static bool check_kind(int fd, char why[TRANSCRIPT_WHY_MAX])
{
    struct stat st;

    if (fstat(fd, &st) == -1)
        return reason_set(why, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return reason_set(why, "not a regular file");
    if (st.st_uid != geteuid())
        return reason_set(why, "belongs to another user");
    if (st.st_nlink > 1)
        return reason_set(why, "has more than one name");
    return true;
}

int transcript_open(const char *path, char why[TRANSCRIPT_WHY_MAX])
{
    int fd = open(
        path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);

    if (fd == -1) {
        (void)reason_set(why, errno == ELOOP ? "is a link" : strerror(errno));
        return -1;
    }
    if (check_kind(fd, why))
        return fd;
    close(fd);
    return -1;
}

/* The name is in the directory that path names up to its last slash. */
bool transcript_sync_name(const char *path, char why[TRANSCRIPT_WHY_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *name = strndup(slash == NULL ? "." : path, len);
    int dir = name == NULL ? -1 : open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = dir != -1 && fsync(dir) == 0;

    if (!done)
        snprintf(
            why, TRANSCRIPT_WHY_MAX, "its directory cannot be synchronized: %s", strerror(errno));
    if (dir != -1)
        close(dir);
    free(name);
    return done;
}

/* ---- The lock -------------------------------------------------------------------------------- */

/*
 * The lock belongs to the open file, so a writer keeps it after its server's death. The mark of a
 * running server is a lock of the other kind, which belongs to a process and tells which. Where the
 * two kinds are one, as on NFS, there is no mark.
 */
static struct flock mark_of(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

/* The process of a running server; 0: there is none, or it is not known. */
static pid_t find_server(int fd)
{
    struct flock mark = mark_of(F_WRLCK);

    return fcntl(fd, F_GETLK, &mark) == 0 && mark.l_type != F_UNLCK ? mark.l_pid : 0;
}

bool transcript_lock(int fd, char why[TRANSCRIPT_WHY_MAX])
{
    pid_t server;

    if (file_lock(fd))
        return true;
    if (errno != EWOULDBLOCK) {
        int error = errno;

        snprintf(why, TRANSCRIPT_WHY_MAX, "cannot be locked: %s", strerror(error));
        errno = error;
        return false;
    }
    server = find_server(fd);
    if (server > 0)
        snprintf(
            why, TRANSCRIPT_WHY_MAX, "another server, process %ld, is writing it", (long)server);
    else
        (void)reason_set(why, "the writer of an earlier server has not finished");
    errno = EWOULDBLOCK;
    return false;
}

static bool stop_is_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Waits for the lock, that is for a file that grows, unless a running server makes it grow. */
static bool lock_await(int fd, const struct transcript_waiter *waiter, char why[TRANSCRIPT_WHY_MAX])
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};
    uint64_t since = clock_us();
    off_t size = lseek(fd, 0, SEEK_END);

    for (unsigned steps = 0; !transcript_lock(fd, why); steps++) {
        bool busy = errno == EWOULDBLOCK;
        off_t now = lseek(fd, 0, SEEK_END);

        if (now > size && find_server(fd) == 0) {
            size = now;
            since = clock_us();
        }
        if (!busy || stop_is_pending() || clock_us() - since >= LOCK_US)
            return false;
        if (steps % LOCK_STEPS_A_SECOND == 0)
            waiter->waits(waiter->context);
        (void)nanosleep(&step, NULL);
    }
    return true;
}

bool transcript_lock_waiting(int fd, const char *path, const struct report *r,
    const struct transcript_waiter *waiter, char why[TRANSCRIPT_WHY_MAX])
{
    if (transcript_lock(fd, why))
        return true;
    if (errno != EWOULDBLOCK)
        return false;
    report(r, LOG_NOTICE, "%s: waiting for an earlier writer to finish", path);
    return lock_await(fd, waiter, why);
}

void transcript_mark(int fd)
{
    struct flock mark = mark_of(F_WRLCK);
    int error = errno;

    (void)fcntl(fd, F_SETLK, &mark);
    errno = error;
}

/* ---- What is in it --------------------------------------------------------------------------- */

/* The beginning of a stamp, as far as it goes. */
static bool begins_like_a_stamp(const char *buf, size_t len)
{
    static const char form[] = "0000-00-00T00:00:00.000000Z";

    for (size_t i = 0; i < len && i < STAMP_LEN; i++)
        if (form[i] == '0' ? buf[i] < '0' || buf[i] > '9' : buf[i] != form[i])
            return false;
    return true;
}

/* A valid line in [from, to). Most files have one in the first block. */
static bool has_valid_line(int fd, off_t from, off_t to)
{
    char held[LINE_OUT_MAX];
    char buf[BLOCK];
    struct line_splitter splitter;
    ssize_t n;

    line_splitter_init(&splitter, held, sizeof(held) - 1);
    while (from < to &&
           (n = pread(fd, buf, to - from < BLOCK ? (size_t)(to - from) : BLOCK, from)) > 0) {
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

/*
 * Nobody's letters are repaired, or appended to, by mistake. What a start cuts off behind the last
 * line end does not count: the next start would refuse what is left.
 */
bool transcript_check(int fd, char why[TRANSCRIPT_WHY_MAX])
{
    off_t begin;
    off_t end;

    if (!transcript_find_begin(fd, &begin) || !transcript_find_end(fd, &end))
        return reason_set(why, strerror(errno));
    return has_valid_line(fd, begin, end) || is_torn_line(fd, begin) ||
           reason_set(why, "is no transcript of a room");
}
