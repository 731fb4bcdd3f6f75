/*
 * readback.c: see readback.h. Only the end of the file is read, so that the time of a start does
 * not grow with the file.
 */
#include "readback.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "protocol.h"
#include "server/hub/hub.h"
#include "server/hub/names.h"
#include "server/hub/table.h"
#include "server/report.h"
#include "transcript.h"
#include "wire/line.h"

#define BLOCK 65536

/* A member of the room by the events that were read so far. */
struct present {
    struct present *next;
    struct present *prev;
    char name[NAME_LEN_MAX + 1];
};

struct reading {
    struct hub *hub;
    const struct report *report;
    const char *path;
    int fd;
    struct table_seed seed;
    struct names *names; /* holder: struct present */
    struct present *first;
    off_t begin;       /* of the first line: behind NUL bytes at the file's beginning */
    off_t end;         /* behind the last line end */
    uint64_t last;     /* the stamp of the last event; 0: none was read */
    uint64_t gap;      /* events up to this stamp are missing before the next one; 0: none are */
    uint64_t gap_line; /* the latest of the gap lines behind the last event; 0: there is none */
    unsigned long bad;
};

/* ---- Members --------------------------------------------------------------------------------- */

static void name_copy(char out[NAME_LEN_MAX + 1], struct span name)
{
    memcpy(out, name.at, name.len);
    out[name.len] = '\0';
}

static void present_add(struct reading *rd, struct span name)
{
    char text[NAME_LEN_MAX + 1];
    struct present *p;

    name_copy(text, name);
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

    name_copy(text, name);
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

/* A message makes its sender present too: the join may be in the part that is not read. */
static void present_follow(struct reading *rd, const struct event *event)
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

static void present_quit(struct reading *rd)
{
    while (rd->first != NULL) {
        struct present *p = rd->first;

        hub_remember_absent(rd->hub, p->name);
        rd->first = p->next;
        free(p);
    }
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The missing events are older than the next one, even if the gap line has a later stamp. */
static void note_gap(struct reading *rd, uint64_t next)
{
    uint64_t gap = rd->gap_line > rd->gap ? rd->gap_line : rd->gap;

    if (gap != 0)
        hub_remember_gap(rd->hub, gap < next ? gap : next - 1);
    rd->gap = rd->gap_line = 0;
}

static void read_line(struct reading *rd, struct span line)
{
    struct event event;

    if (!transcript_parse(&event, line.at, line.len)) {
        rd->bad++;
        return;
    }
    if (event.verb == VERB_GAP) {
        rd->gap_line = event.stamp > rd->gap_line ? event.stamp : rd->gap_line;
        return;
    }
    if (!verb_is_room(event.verb) || event.stamp <= rd->last) {
        rd->bad++;
        return;
    }
    note_gap(rd, event.stamp);
    rd->last = event.stamp;
    present_follow(rd, &event);
    hub_remember(rd->hub, line, &event);
}

/* Reads the lines that begin in [from, to). False with errno. */
static bool read_lines(struct reading *rd, off_t from, off_t to)
{
    char held[LINE_OUT_MAX];
    char buf[BLOCK];
    struct line_splitter splitter;
    bool first = from == rd->begin;
    off_t at = first ? from : from - 1; /* the line that reaches across from is not counted */
    ssize_t n = 1;

    line_splitter_init(&splitter, held, sizeof(held) - 1);
    while (at < to) {
        size_t len = to - at < BLOCK ? (size_t)(to - at) : BLOCK;
        const char *next = buf;
        enum line_result result;
        struct span line;

        n = pread(rd->fd, buf, len, at);
        if (n <= 0)
            break;
        while ((result = line_next(&splitter, &next, buf + n, &line)) != LINE_NONE) {
            if (first && result == LINE_READY)
                read_line(rd, line);
            else if (first)
                rd->bad++;
            first = true;
        }
        at += n;
    }
    return n != -1;
}

/*
 * Reads as many bytes as the log holds. If there is no event in them it goes further back, because
 * new stamps must follow the last one.
 */
static bool read_end(struct reading *rd)
{
    off_t size = (off_t)hub_log_size(rd->hub);
    off_t to = rd->end;
    off_t from;
    uint64_t behind = 0; /* a gap line of what was read before going further back */

    do {
        from = to - rd->begin > size ? to - size : rd->begin;
        behind = rd->gap_line > behind ? rd->gap_line : behind;
        rd->gap_line = 0;
        rd->gap = from > rd->begin ? UINT64_MAX : 0;
        if (!read_lines(rd, from, to))
            return false;
        to = rd->end - from > LINE_OUT_MAX ? from + LINE_OUT_MAX : rd->end;
    } while (rd->last == 0 && from > rd->begin);
    rd->gap_line = behind > rd->gap_line ? behind : rd->gap_line;
    note_gap(rd, UINT64_MAX);
    return true;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Bytes behind the last line end were left by a crash or a full disk. */
static bool cut_torn_end(const struct reading *rd)
{
    off_t size = lseek(rd->fd, 0, SEEK_END);

    if (size == -1 || size == rd->end)
        return size != -1;
    report(rd->report, LOG_WARNING, "%s: removing %lld bytes of a torn last line", rd->path,
        (long long)(size - rd->end));
    return ftruncate(rd->fd, rd->end) == 0;
}

static bool reading_init(struct reading *rd)
{
    if (!table_seed_read(&rd->seed))
        return false;
    rd->names = names_new(&rd->seed);
    if (rd->names == NULL || !transcript_find_begin(rd->fd, &rd->begin) ||
        !transcript_find_end(rd->fd, &rd->end))
        return false;
    if (rd->begin > rd->end) /* nothing but NUL bytes */
        rd->begin = rd->end;
    return true;
}

static void report_damage(const struct reading *rd)
{
    if (rd->begin > 0)
        report(rd->report, LOG_WARNING, "%s: skipped %lld bytes at its beginning: not text",
            rd->path, (long long)rd->begin);
    if (rd->bad > 0)
        report(rd->report, LOG_WARNING, "%s: skipped %lu lines: not events", rd->path, rd->bad);
}

bool readback(int fd, const char *path, struct hub *hub, const struct report *r)
{
    struct reading rd = {.hub = hub, .report = r, .path = path, .fd = fd};
    bool done = reading_init(&rd) && read_end(&rd) && cut_torn_end(&rd);

    if (done) {
        report_damage(&rd);
        hub_remember_end(hub);
    } else {
        report(r, LOG_ERR, "%s: %s", path, strerror(errno));
    }
    present_quit(&rd);
    names_free(rd.names);
    return done;
}
