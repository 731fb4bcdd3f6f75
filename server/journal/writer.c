/*
 * writer.c: appends the lines that the hub sends, all that have arrived with one write, and answers
 * up to which timestamp the file has them. If a write fails, its events are counted as missing. The
 * next write is tried a second later; a gap line with the number of missing events precedes it.
 */
#include "writer.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol.h"
#include "server/process.h"
#include "server/sandbox.h"
#include "transcript.h"
#include "wire/line.h"
#include "wire/stamp.h"

#define FILE_FD 0
#define HUB_FD 1
#define PIECE 262144
#define RETRY_US 1000000u
/* How often to try to write the gap line once the hub has shut down its side. */
#define LAST_TRIES 5
#define GAP_MAX (STAMP_LEN + 64)

enum file_state {
    FILE_WELL,
    FILE_FAILING, /* it did not take the last piece */
    FILE_GONE     /* it has no name any more */
};

struct writer {
    const char *path;
    bool sync;
    bool input_over; /* the hub has shut down its side, and everything was read */
    bool unanswered; /* the hub has closed its side: answers are not sent any more */
    enum file_state file;
    off_t torn;        /* truncate the file to this size before the next append; -1: no need */
    uint64_t missing;  /* events since the last gap line that the file does not have */
    uint64_t answered; /* the timestamp of the last answer */
    uint64_t retry_at;
    size_t len; /* bytes in buf: lines, the last perhaps incomplete */
    char buf[PIECE + LINE_OUT_MAX];
};

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer_send(struct writer *w, const char *line, size_t len)
{
    while (len > 0 && !w->unanswered) {
        ssize_t sent = socket_send(HUB_FD, line, len);
        struct pollfd pfd = {.fd = HUB_FD, .events = POLLOUT};

        if (sent > 0) {
            line += sent;
            len -= (size_t)sent;
        } else if (sent == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            (void)poll(&pfd, 1, -1);
        } else if (errno != EINTR) {
            w->unanswered = true;
        }
    }
}

static void answer_stamp(struct writer *w, const char *what, uint64_t stamp)
{
    char line[32 + STAMP_LEN];
    char *at = stpcpy(line, what);

    w->answered = stamp;
    stamp_format(at, stamp);
    at[STAMP_LEN] = '\n';
    answer_send(w, line, (size_t)(at - line) + STAMP_LEN + 1);
}

__attribute__((format(printf, 2, 3))) static void warn(struct writer *w, const char *format, ...)
{
    char line[512] = WRITER_WARN;
    size_t at = strlen(WRITER_WARN);
    size_t room = sizeof(line) - at - 1;
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(line + at, room, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    at += (size_t)n < room ? (size_t)n : room - 1;
    line[at++] = '\n';
    answer_send(w, line, at);
}

/* ---- The file -------------------------------------------------------------------------------- */

static bool write_bytes(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(FILE_FD, bytes, len);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* The line that stands for the missing events, with the timestamp of the last of them. */
static size_t gap_format(const struct writer *w, char out[GAP_MAX])
{
    if (w->missing == 0)
        return 0;
    stamp_format(out, w->answered);
    return STAMP_LEN + (size_t)snprintf(out + STAMP_LEN, GAP_MAX - STAMP_LEN, " gap %llu 0\n",
                           (unsigned long long)w->missing);
}

/* Removes a write that the file took only in part. */
static bool torn_remove(struct writer *w)
{
    if (w->torn != -1 && ftruncate(FILE_FD, w->torn) == 0)
        w->torn = -1;
    return w->torn == -1;
}

static bool has_no_name(void)
{
    struct stat st;

    return file_stat(FILE_FD, &st) == 0 && st.st_nlink == 0;
}

/* Appends the gap line, if one is due, and these bytes: all of it or nothing. */
static bool file_append(struct writer *w, const char *bytes, size_t len)
{
    char gap[GAP_MAX];
    size_t gap_len = gap_format(w, gap);
    int error;

    if (!torn_remove(w))
        return false;
    w->torn = lseek(FILE_FD, 0, SEEK_END);
    if (write_bytes(gap, gap_len) && write_bytes(bytes, len) &&
        (!w->sync || fdatasync(FILE_FD) == 0)) {
        w->torn = -1;
        return true;
    }
    error = errno;
    (void)torn_remove(w);
    errno = error;
    return false;
}

/* Reports why a write failed, once until one succeeds, and sets the time of the next one. */
static void file_note_failure(struct writer *w, enum file_state state, const char *why)
{
    if (w->file != state)
        warn(w, "%s: %s; events are missing from the transcript", w->path, why);
    if (w->file != state && state == FILE_GONE)
        answer_send(w, WRITER_GONE, strlen(WRITER_GONE));
    w->file = state;
    w->retry_at = clock_us() + RETRY_US;
}

/* Appends these bytes, unless the last write failed less than a second ago. */
static bool file_try(struct writer *w, const char *bytes, size_t len)
{
    bool early = w->file == FILE_FAILING && clock_us() < w->retry_at && !w->input_over;

    if (early || w->file == FILE_GONE)
        return false;
    if (!file_append(w, bytes, len)) {
        file_note_failure(w, FILE_FAILING, strerror(errno));
        return false;
    }
    if (has_no_name()) {
        file_note_failure(w, FILE_GONE, "the file was removed or replaced");
        return false;
    }
    w->missing = 0;
    return true;
}

/* ---- The lines ------------------------------------------------------------------------------- */

/* What a piece of the hub's lines contains. */
struct account {
    uint64_t events;
    uint64_t messages; /* of these, messages of members and posters */
    uint64_t last;     /* the timestamp of the last event */
};

/* Counts the events. A gap line of the hub's has a timestamp too, but is none. */
static struct account account_of(const char *bytes, size_t len, uint64_t last)
{
    struct account account = {.last = last};
    const char *end = bytes + len;
    const char *last_event = NULL;
    const char *lf;
    enum verb verb;

    for (const char *at = bytes; at < end; at = lf + 1) {
        lf = memchr(at, '\n', (size_t)(end - at));
        if (!event_verb(&verb, at, (size_t)(lf - at)) || !verb_is_room(verb))
            continue;
        account.events++;
        account.messages += verb_is_message(verb);
        last_event = at;
    }
    if (last_event != NULL)
        (void)stamp_parse(last_event, STAMP_LEN, &account.last);
    return account;
}

/* With -s a message that could not be written is not a missing event: the hub refuses it. */
static void lines_write(struct writer *w, const char *bytes, size_t len)
{
    struct account account = account_of(bytes, len, w->answered);

    if (file_try(w, bytes, len)) {
        if (w->file == FILE_FAILING)
            warn(w, "%s: written again", w->path);
        w->file = FILE_WELL;
        answer_stamp(w, WRITER_KEPT, account.last);
        return;
    }
    w->missing += w->sync ? account.events - account.messages : account.events;
    answer_stamp(w, WRITER_LOST, account.last);
}

/* Writes the complete lines of the buffer. */
static void buffer_write(struct writer *w)
{
    size_t whole = w->len;

    while (whole > 0 && w->buf[whole - 1] != '\n')
        whole--;
    if (whole == 0)
        return;
    lines_write(w, w->buf, whole);
    w->len -= whole;
    memmove(w->buf, w->buf + whole, w->len);
}

/* Writes the gap line by itself, if no other lines have come meanwhile. */
static void gap_append(struct writer *w)
{
    if (w->file == FILE_FAILING && w->missing > 0 && file_try(w, NULL, 0))
        answer_stamp(w, WRITER_KEPT, w->answered);
}

/* ---- The end of the file at the start -------------------------------------------------------- */

/* The timestamp up to which these lines account for events; see readback.c. */
static uint64_t account_end(const char *at, const char *end)
{
    char held[LINE_OUT_MAX];
    struct line_splitter splitter;
    enum line_result result;
    struct span line;
    struct event event;
    uint64_t last = 0;
    uint64_t gap = 0;

    line_splitter_init(&splitter, held, sizeof(held) - 1);
    while ((result = line_next(&splitter, &at, end, &line)) != LINE_NONE) {
        if (result != LINE_READY || !transcript_parse(&event, line.at, line.len))
            continue;
        if (event.verb == VERB_GAP) {
            gap = event.stamp > gap ? event.stamp : gap;
        } else if (verb_is_room(event.verb) && event.stamp > last) {
            last = event.stamp;
            gap = 0;
        }
    }
    return gap > last ? gap : last;
}

/* Cuts off the incomplete last line that a writer leaves when it is killed during a write. Returns
 * the timestamp up to which the file accounts for events. */
static uint64_t find_end(struct writer *w)
{
    char tail[2 * LINE_OUT_MAX];
    off_t end;
    off_t from;
    ssize_t len;
    ssize_t at = 0;

    if (!transcript_find_end(FILE_FD, &end) || ftruncate(FILE_FD, end) == -1) {
        warn(w, "%s: an incomplete last line: %s", w->path, strerror(errno));
        return 0;
    }
    from = end > (off_t)sizeof(tail) ? end - (off_t)sizeof(tail) : 0;
    len = pread(FILE_FD, tail, sizeof(tail), from);
    while (from > 0 && at < len && tail[at++] != '\n')
        ;
    return at < len ? account_end(tail + at, tail + len) : 0;
}

/* ---- The process ----------------------------------------------------------------------------- */

/* Reads all that has arrived, so that many lines share one write and one sync. */
static void hub_read(struct writer *w)
{
    while (!w->input_over && w->len < PIECE) {
        ssize_t n = socket_recv(HUB_FD, w->buf + w->len, PIECE - w->len);

        if (n > 0)
            w->len += (size_t)n;
        else if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else if (n == 0 || errno != EINTR)
            w->input_over = true;
    }
}

static void writer_serve(struct writer *w)
{
    while (!w->input_over) {
        struct pollfd pfd = {.fd = HUB_FD, .events = POLLIN};

        (void)poll(&pfd, 1, w->file == FILE_FAILING ? (int)(RETRY_US / 1000) : -1);
        hub_read(w);
        buffer_write(w);
        gap_append(w);
    }
}

/* The hub sends nothing more. What cannot be written now is lost. */
static void writer_finish(struct writer *w)
{
    for (int i = 0; i < LAST_TRIES && w->file == FILE_FAILING && w->missing > 0; i++) {
        (void)poll(NULL, 0, (int)(RETRY_US / 1000));
        gap_append(w);
    }
}

/* From here on nothing is opened, and the file is only appended to and cut. */
static void writer_confine(struct writer *w, enum sandbox_tier tier)
{
    if (sandbox_enter(SANDBOX_WRITER, tier))
        return;
    warn(w, "%s: the writer cannot enter its sandbox: %s", w->path, strerror(errno));
    _exit(1);
}

_Noreturn void writer_main(const struct proctitle *title, const char *path, const char *mode)
{
    enum sandbox_tier tier;
    struct writer w;
    uint64_t end;

    if (!sandbox_from_letter(mode[0], &tier))
        _exit(1);
    memset(&w, 0, offsetof(struct writer, buf));
    w.path = path;
    w.sync = mode[1] == 's';
    w.torn = -1;
    process_begin(title, CHATD_PROGRAM ": transcript");
    end = find_end(&w);
    writer_confine(&w, tier);
    answer_stamp(&w, WRITER_KEPT, end);
    writer_serve(&w);
    writer_finish(&w);
    _exit(0);
}
