/* transcript.c: see transcript.h. Opening, repair and reading back; writer.c is the process. */
#include "transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"
#include "server/hub/hub.h"
#include "server/hub/names.h"
#include "server/hub/table.h"
#include "wire/line.h"
#include "wire/text.h"

/* How long a writer of an earlier hub may take to finish: in steps of 50 ms. */
#define LOCK_TRIES 200
#define BLOCK 65536

/* ---- Opening --------------------------------------------------------------------------------- */

static const char *check_file(int fd)
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

/* The file's first line must be of a room: nobody's letters are repaired by mistake. */
static bool is_a_transcript(int fd)
{
    char buf[LINE_OUT_MAX];
    ssize_t len = pread(fd, buf, sizeof(buf), 0);
    const char *lf = len > 0 ? memchr(buf, '\n', (size_t)len) : NULL;
    struct event event;

    if (lf == NULL)
        return len >= 0 && len < LINE_OUT_MAX && begins_like_a_stamp(buf, (size_t)len);
    if (lf > buf && lf[-1] == '\r')
        lf--;
    return event_parse(&event, buf, (size_t)(lf - buf));
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
    why = check_file(fd);
    if (why == NULL && !take_lock(fd, path, wait, r))
        why = "another server is writing it";
    if (why == NULL && !is_a_transcript(fd))
        why = "is no transcript of a room";
    if (why != NULL) {
        report(r, LOG_ERR, "%s: %s", path, why);
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- Reading back
 * -------------------------------------------------------------------------------- */

/* Somebody who is in the room by the word of the file. */
struct present {
    struct present *next;
    struct present *prev;
    char name[NAME_LEN_MAX + 1];
};

/* One pass over the file, first line to last. */
struct reading {
    struct hub *hub;
    const struct report *report;
    const char *path;
    struct table_seed seed;
    struct names *names;
    struct present *first;
    off_t keep_from; /* events before this place are too old for the log */
    off_t at;        /* where the line that is read begins */
    off_t good;      /* behind the last whole line */
    uint64_t last;   /* the last event's stamp */
    uint64_t gap;    /* that of a gap line behind it; 0: there is none */
    unsigned long bad;
    unsigned long lines;
};

static void present_add(struct reading *rd, struct span name)
{
    char text[NAME_LEN_MAX + 1];
    struct present *p;

    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    if (names_find(rd->names, text) != NULL)
        return;
    p = calloc(1, sizeof(*p));
    if (p == NULL || !names_put(rd->names, text, p)) {
        free(p);
        return;
    }
    memcpy(p->name, text, sizeof(text));
    p->next = rd->first;
    if (p->next != NULL)
        p->next->prev = p;
    rd->first = p;
}

static void present_remove(struct reading *rd, struct span name)
{
    char text[NAME_LEN_MAX + 1];
    struct present *p;

    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    p = names_find(rd->names, text);
    if (p == NULL)
        return;
    names_release(rd->names, text);
    if (p->prev == NULL)
        rd->first = p->next;
    else
        p->prev->next = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    free(p);
}

/* Who speaks is here, even where his join is in a file that has been rotated away. */
static void note_presence(struct reading *rd, const struct event *event)
{
    switch (event->verb) {
    case VERB_JOIN:
    case VERB_MSG:
    case VERB_ME:
        present_add(rd, event->name);
        break;
    case VERB_QUIT:
        present_remove(rd, event->name);
        break;
    case VERB_NICK:
        present_remove(rd, event->name);
        present_add(rd, event->word);
        break;
    case VERB_HERE:
    case VERB_USERS:
    case VERB_YOU:
    case VERB_POST:
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_PRIV:
    case VERB_NOTE:
    case VERB_GAP:
    case VERB_ERROR:
        break;
    }
}

/* What a gap line stands for is older than the event behind it, whatever its own stamp says. */
static void note_gap(struct reading *rd, uint64_t next)
{
    if (rd->gap != 0)
        hub_remember_gap(rd->hub, rd->gap < next ? rd->gap : next - 1);
    rd->gap = 0;
}

bool transcript_parse(struct event *event, const char *line, size_t len)
{
    return event_parse(event, line, len) && text_is_clean(line, len) &&
           event->stamp <= TRANSCRIPT_STAMP_MAX;
}

static void take_line(struct reading *rd, const char *line, size_t len)
{
    struct event event;

    rd->lines++;
    if (!transcript_parse(&event, line, len)) {
        rd->bad++;
        return;
    }
    if (event.verb == VERB_GAP) {
        rd->gap = event.stamp;
        return;
    }
    if (!verb_is_room(event.verb) || event.stamp <= rd->last) {
        rd->bad++;
        return;
    }
    note_gap(rd, event.stamp);
    rd->last = event.stamp;
    note_presence(rd, &event);
    hub_remember(rd->hub, (struct span){line, len}, &event, rd->at >= rd->keep_from);
}

/* Where the last line end in this piece of the file is, if there is one. */
static void note_line_end(struct reading *rd, const char *bytes, size_t len, off_t from)
{
    while (len > 0 && bytes[len - 1] != '\n')
        len--;
    if (len > 0)
        rd->good = from + (off_t)len;
}

/* buf has room for a block and, behind it, for a line that two blocks share. */
static bool read_lines(struct reading *rd, int fd, char *buf)
{
    struct line_splitter splitter;
    off_t from = 0;
    ssize_t n;

    line_splitter_init(&splitter, buf + BLOCK, LINE_OUT_MAX - 1);
    while ((n = pread(fd, buf, BLOCK, from)) > 0) {
        const char *at = buf;
        enum line_result result;
        struct span line;

        while ((result = line_next(&splitter, &at, buf + n, &line)) != LINE_NONE) {
            rd->at = from + (at - buf) - (off_t)line.len - 1;
            if (result == LINE_READY)
                take_line(rd, line.at, line.len);
            else
                rd->bad++;
        }
        note_line_end(rd, buf, (size_t)n, from);
        from += n;
    }
    if (n == -1)
        report(rd->report, LOG_ERR, "%s: %s", rd->path, strerror(errno));
    return n == 0;
}

/* What stands behind the last line end was torn off by a death or a full disk. */
static bool cut_torn_end(struct reading *rd, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);

    if (size == rd->good)
        return true;
    report(rd->report, LOG_WARNING, "%s: removing %lld bytes of a torn last line", rd->path,
        (long long)(size - rd->good));
    if (ftruncate(fd, rd->good) == 0)
        return true;
    report(rd->report, LOG_ERR, "%s: %s", rd->path, strerror(errno));
    return false;
}

static void say_quits(struct reading *rd)
{
    while (rd->first != NULL) {
        struct present *p = rd->first;

        hub_remember_absent(rd->hub, p->name);
        rd->first = p->next;
        free(p);
    }
}

bool transcript_read_back(int fd, const char *path, struct hub *hub, const struct report *r)
{
    struct reading rd = {.hub = hub, .report = r, .path = path};
    char *buf = malloc(BLOCK + LINE_OUT_MAX);
    off_t size = lseek(fd, 0, SEEK_END);
    bool done = false;

    if (table_seed_read(&rd.seed))
        rd.names = names_new(&rd.seed);
    if (rd.names == NULL || buf == NULL || size == -1) {
        report(r, LOG_ERR, "%s: %s", path, strerror(errno));
    } else {
        if ((uint64_t)size > hub_log_size(hub))
            rd.keep_from = size - (off_t)hub_log_size(hub);
        done = read_lines(&rd, fd, buf) && cut_torn_end(&rd, fd);
        note_gap(&rd, UINT64_MAX);
    }
    if (done && rd.bad > 0)
        report(r, LOG_WARNING, "%s: passed over %lu lines that are no events", path, rd.bad);
    if (done) {
        hub_remember_end(hub);
        say_quits(&rd);
    }
    names_free(rd.names);
    free(buf);
    return done;
}
