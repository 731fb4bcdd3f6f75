/*
 * writer.c: the process that writes the transcript; see transcript.h. It reads what the hub hands
 * it as long as there is any, appends it in large pieces, and says how far it is. A disk that
 * does not take a piece costs the piece: it is counted, and once a second a line that says how
 * many events are missing is tried before anything else is written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"
#include "transcript.h"
#include "wire/line.h"

#define FILE_FD 0
#define HUB 1
#define PIECE 262144
#define RETRY_MS 1000

struct writer {
    const char *path;
    bool sync;
    int file;
    bool hub_gone; /* all that it has handed over is read */
    bool hub_deaf; /* it hears no answers; what it has handed over may still be unread */
    bool failing;
    uint64_t missing; /* events that the file did not take since the last gap line */
    uint64_t told;    /* the stamp that the hub was last told of */
    int64_t retry_at;
    size_t len; /* bytes in buf: lines, the last perhaps not whole */
    char buf[PIECE + LINE_OUT_MAX];
};

static int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Says a line to the hub. Its answers are few and short; the pair takes them all. */
__attribute__((format(printf, 2, 3))) static void tell(struct writer *w, const char *format, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(line, sizeof(line) - 1, format, ap);
    va_end(ap);
    if (n < 0 || w->hub_deaf)
        return;
    if ((size_t)n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    for (int at = 0; at < n;) {
        ssize_t sent = send(HUB, line + at, (size_t)(n - at), MSG_NOSIGNAL);
        struct pollfd pfd = {.fd = HUB, .events = POLLOUT};

        if (sent > 0) {
            at += (int)sent;
        } else if (sent == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            poll(&pfd, 1, -1);
        } else if (errno != EINTR) {
            w->hub_deaf = true;
            return;
        }
    }
}

static void tell_stamp(struct writer *w, const char *what, uint64_t stamp)
{
    char text[STAMP_LEN + 1] = {0};

    w->told = stamp;
    stamp_format(text, stamp);
    tell(w, "%s%s", what, text);
}

/* ---- The file
 * -------------------------------------------------------------------------------------- */

/* Appends all of it and, with -s, has it on the disk; or leaves the file as it was. */
static bool append(struct writer *w, const char *bytes, size_t len)
{
    off_t before = lseek(w->file, 0, SEEK_END);
    size_t done = 0;
    int error;

    while (done < len) {
        ssize_t n = write(w->file, bytes + done, len - done);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done == len && (!w->sync || fdatasync(w->file) == 0))
        return true;
    error = errno;
    if (before != -1 && ftruncate(w->file, before) == -1)
        error = errno;
    if (!w->failing)
        tell(w, WRITER_WARN "%s: %s; events are missing from the transcript", w->path,
            strerror(error));
    w->failing = true;
    w->retry_at = clock_ms() + RETRY_MS;
    return false;
}

/* The line that stands for what is missing, with the stamp of the last such event. */
static bool append_gap(struct writer *w)
{
    char line[STAMP_LEN + 64];
    int n;

    if (w->missing == 0)
        return true;
    stamp_format(line, w->told);
    n = snprintf(line + STAMP_LEN, sizeof(line) - STAMP_LEN, " gap %llu 0\n",
        (unsigned long long)w->missing);
    if (!append(w, line, STAMP_LEN + (size_t)n))
        return false;
    w->missing = 0;
    return true;
}

/* Once a second, while it fails. True where the file takes lines. */
static bool file_is_well(struct writer *w)
{
    if (!w->failing)
        return true;
    if (clock_ms() < w->retry_at && !w->hub_gone)
        return false;
    if (!append_gap(w))
        return false;
    w->failing = false;
    tell(w, WRITER_WARN "%s: written again", w->path);
    tell_stamp(w, WRITER_KEPT, w->told);
    return true;
}

/* ---- The lines ------------------------------------------------------------------------------- */

/* Room events in some whole lines, and the last one's stamp. */
static uint64_t count_events(const char *bytes, size_t len, uint64_t *last)
{
    const char *at = bytes;
    const char *end = bytes + len;
    uint64_t count = 0;

    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        uint64_t stamp;

        /* A gap line of the hub's own has a stamp too, but names no event. */
        if (stamp_parse(at, (size_t)(lf - at), &stamp) &&
            strncmp(at + STAMP_LEN, " gap ", 5) != 0) {
            count++;
            *last = stamp;
        }
        at = lf + 1;
    }
    return count;
}

/* With -s what somebody said and the disk did not take is no event: the hub takes it back. */
static uint64_t count_said(const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;
    uint64_t count = 0;

    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        struct event event;

        count += event_parse(&event, at, (size_t)(lf - at)) && verb_is_message(event.verb);
        at = lf + 1;
    }
    return count;
}

/* Whole lines, none of them a control line. */
static void take_lines(struct writer *w, const char *bytes, size_t len)
{
    uint64_t last = w->told;
    uint64_t count = count_events(bytes, len, &last);

    if (file_is_well(w) && append(w, bytes, len)) {
        tell_stamp(w, WRITER_KEPT, last);
        return;
    }
    w->missing += w->sync ? count - count_said(bytes, len) : count;
    tell_stamp(w, WRITER_LOST, last);
}

/* Nothing was moved away: opening it again would wait for our own lock. */
static bool is_still_there(const struct writer *w)
{
    struct stat now;
    struct stat open;

    return lstat(w->path, &now) == 0 && fstat(w->file, &open) == 0 && now.st_dev == open.st_dev &&
           now.st_ino == open.st_ino;
}

/* SIGHUP of the hub: what has come so far is in the old file, what comes now goes to the new. */
static void reopen(struct writer *w)
{
    struct report silent = {.to = REPORT_STDERR};
    int fd;

    if (is_still_there(w))
        return;
    fd = transcript_open(w->path, false, &silent);
    if (fd == -1) {
        tell(w, WRITER_WARN "%s: cannot be opened anew; the old file is written on", w->path);
        return;
    }
    close(w->file);
    w->file = fd;
    w->retry_at = 0;
}

static void take_all(struct writer *w)
{
    char *at = w->buf;
    char *end = w->buf + w->len;
    char *whole = end;

    while (whole > at && whole[-1] != '\n')
        whole--;
    while (at < whole) {
        char *mark = memchr(at, CONTROL_BYTE, (size_t)(whole - at));
        char *stop = mark == NULL ? whole : mark;

        if (stop > at)
            take_lines(w, at, (size_t)(stop - at));
        at = stop;
        if (mark != NULL) {
            reopen(w);
            at = (char *)memchr(mark, '\n', (size_t)(whole - mark)) + 1;
        }
    }
    w->len = (size_t)(end - whole);
    memmove(w->buf, whole, w->len);
}

/* ---- The process
 * ----------------------------------------------------------------------------------- */

/* Reads all that is there, so that one write, and one sync, is for many lines. */
static void read_some(struct writer *w)
{
    while (!w->hub_gone && w->len < PIECE) {
        ssize_t n = recv(HUB, w->buf + w->len, PIECE - w->len, 0);

        if (n > 0) {
            w->len += (size_t)n;
        } else if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        } else if (n == 0 || errno != EINTR) {
            w->hub_gone = true;
        }
    }
}

/* The last event's stamp; a line that the hub takes for none at a start is none here. */
static uint64_t last_event(const char *at, const char *end)
{
    char held[LINE_OUT_MAX];
    struct line_splitter splitter;
    enum line_result result;
    struct span line;
    struct event event;
    uint64_t last = 0;

    line_splitter_init(&splitter, held, sizeof(held) - 1);
    while ((result = line_next(&splitter, &at, end, &line)) != LINE_NONE)
        if (result == LINE_READY && transcript_parse(&event, line.at, line.len) &&
            verb_is_room(event.verb) && event.stamp > last)
            last = event.stamp;
    return last;
}

/*
 * The timestamp of the file's last event, from which the hub goes on. Cuts off an incomplete line,
 * which a writer leaves that is killed while it writes.
 */
static uint64_t find_end(struct writer *w)
{
    char tail[2 * LINE_OUT_MAX];
    off_t end;
    off_t from;
    ssize_t len;
    ssize_t at = 0;

    if (!transcript_find_end(w->file, &end) || ftruncate(w->file, end) == -1) {
        tell(w, WRITER_WARN "%s: an incomplete last line: %s", w->path, strerror(errno));
        return 0;
    }
    from = end > (off_t)sizeof(tail) ? end - (off_t)sizeof(tail) : 0;
    len = pread(w->file, tail, sizeof(tail), from);
    while (from > 0 && at < len && tail[at++] != '\n')
        ;
    return at < len ? last_event(tail + at, tail + len) : 0;
}

_Noreturn void transcript_writer_main(const struct proctitle *title, const char *path, bool sync)
{
    struct writer w;
    static const char name[] = "chatd: transcript";
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    static const int ignored[] = {
        SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};

    memset(&w, 0, offsetof(struct writer, buf));
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        sigaction(ignored[i], &ignore, NULL);
    w.path = path;
    w.sync = sync;
    w.file = FILE_FD;
    tell_stamp(&w, WRITER_KEPT, find_end(&w));
    proctitle_set(title, name, strlen(name));
    while (!w.hub_gone) {
        struct pollfd pfd = {.fd = HUB, .events = POLLIN};

        (void)poll(&pfd, 1, w.failing ? RETRY_MS : -1);
        read_some(&w);
        take_all(&w);
        (void)file_is_well(&w);
    }
    if (w.missing > 0)
        (void)append_gap(&w);
    _exit(0);
}
