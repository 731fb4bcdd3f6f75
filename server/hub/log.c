/* log.c: a ring of bytes, and a ring of entries that say where its lines begin. */
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec.h"
#include "compat/compat.h"

/* No line of the room is shorter ("STAMP join a\n" has 35 bytes), so the index never fills first.
 */
#define LINE_BYTES_MIN 32
/* /history N gives at most so many events for each message. */
#define EVENTS_PER_MESSAGE 5
/* In an entry's author: the line is a message. */
#define MESSAGE_BIT 0x80000000u

/* start is the low half of the position: no two lines in the ring are 4 GiB apart. */
struct entry {
    uint64_t stamp;
    uint32_t start;
    uint32_t author;
};

/*
 * first and next count lines; an entry is at its number modulo slots.
 *   first <= next, tail = start of first <= head, head - tail <= size
 */
struct log {
    int fd;                /* of the memory */
    struct entry *entries; /* the mapping begins here; the bytes are behind the entries */
    size_t slots;
    char *bytes;
    size_t size;
    uint64_t head;
    uint64_t first;
    uint64_t next;
    uint64_t dropped_stamp; /* of the newest line that is gone; 0: none is */
};

static struct entry *entry_at(const struct log *log, uint64_t number)
{
    return &log->entries[number % log->slots];
}

/* Where a line begins that is in the log; head for the one that comes next. */
static uint64_t start_of(const struct log *log, uint64_t number)
{
    if (number >= log->next)
        return log->head;
    return log->head - ((uint32_t)log->head - entry_at(log, number)->start);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static size_t mapping_size(const struct log *log)
{
    return log->slots * sizeof(struct entry) + log->size;
}

static bool log_map(struct log *log)
{
    void *at = mmap(NULL, mapping_size(log), PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);

    if (at == MAP_FAILED)
        return false;
    log->entries = at;
    log->bytes = (char *)at + log->slots * sizeof(struct entry);
    return true;
}

static void log_unmap(struct log *log)
{
    if (log->entries != NULL)
        munmap(log->entries, mapping_size(log));
    log->entries = NULL;
    if (log->fd != -1)
        close(log->fd);
    log->fd = -1;
}

struct log *log_new(size_t bytes)
{
    struct log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->size = bytes < LOG_BYTES_MIN ? LOG_BYTES_MIN : bytes;
    log->size = bytes > LOG_BYTES_MAX ? LOG_BYTES_MAX : log->size;
    log->slots = log->size / LINE_BYTES_MIN + 1;
    log->fd = memory_file_blank(mapping_size(log));
    if (log->fd == -1 || !log_map(log)) {
        int error = errno;

        log_free(log);
        errno = error;
        return NULL;
    }
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    log_unmap(log);
    free(log);
}

/* ---- Sizes and places ------------------------------------------------------------------------ */

size_t log_size(const struct log *log)
{
    return log->size;
}

uint64_t log_head(const struct log *log)
{
    return log->head;
}

uint64_t log_tail(const struct log *log)
{
    return start_of(log, log->first);
}

size_t log_room(const struct log *log, uint64_t keep)
{
    return log->size - (size_t)(log->head - keep);
}

/* ---- Appending ------------------------------------------------------------------------------- */

/* Copies into the ring, around its end where needed. */
static void ring_put(struct log *log, uint64_t to, const char *from, size_t len)
{
    size_t at = (size_t)(to % log->size);
    size_t run = log->size - at < len ? log->size - at : len;

    memcpy(log->bytes + at, from, run);
    memcpy(log->bytes, from + run, len - run);
}

/* Drops the oldest lines until len more bytes, and one more entry, fit. */
static void make_room(struct log *log, size_t len)
{
    uint64_t first = log->first;

    while (first < log->next &&
           (log->head + len - start_of(log, first) > log->size || log->next - first >= log->slots))
        first++;
    if (first != log->first)
        log->dropped_stamp = entry_at(log, first - 1)->stamp;
    log->first = first;
}

uint64_t log_append(struct log *log, const struct iovec *parts, int n, struct log_line line)
{
    uint64_t start = log->head;
    size_t len = 0;

    for (int i = 0; i < n; i++)
        len += parts[i].iov_len;
    make_room(log, len);
    *entry_at(log, log->next) =
        (struct entry){line.stamp, (uint32_t)start, line.author | (line.message ? MESSAGE_BIT : 0)};
    log->next++;
    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len == 0)
            continue; /* an empty text may have no address */
        ring_put(log, log->head, parts[i].iov_base, parts[i].iov_len);
        log->head += parts[i].iov_len;
    }
    return start;
}

int log_bytes(const struct log *log, uint64_t from, uint64_t to, struct iovec out[2])
{
    size_t at = (size_t)(from % log->size);
    size_t len = (size_t)(to - from);
    size_t run = log->size - at;

    if (len == 0)
        return 0;
    out[0].iov_base = log->bytes + at;
    out[0].iov_len = len < run ? len : run;
    if (len <= run)
        return 1;
    out[1].iov_base = log->bytes;
    out[1].iov_len = len - run;
    return 2;
}

void log_copy(const struct log *log, uint64_t from, uint64_t to, char *out)
{
    struct iovec piece[2];
    int n = log_bytes(log, from, to, piece);

    for (int i = 0; i < n; i++) {
        memcpy(out, piece[i].iov_base, piece[i].iov_len);
        out += piece[i].iov_len;
    }
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* The number of the first line that begins at or behind pos. */
static uint64_t number_from(const struct log *log, uint64_t pos)
{
    uint64_t low = log->first;
    uint64_t high = log->next;

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;

        if (start_of(log, mid) < pos)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint64_t log_line(const struct log *log, uint64_t pos, struct log_line *line)
{
    uint64_t number = number_from(log, pos);
    const struct entry *entry = entry_at(log, number);

    *line = (struct log_line){.stamp = entry->stamp,
        .author = entry->author & ~MESSAGE_BIT,
        .message = (entry->author & MESSAGE_BIT) != 0};
    return start_of(log, number + 1);
}

uint64_t log_count(const struct log *log, uint64_t pos)
{
    return number_from(log, pos);
}

uint64_t log_line_from(const struct log *log, uint64_t pos)
{
    return start_of(log, number_from(log, pos));
}

uint64_t log_line_at(const struct log *log, uint64_t pos)
{
    uint64_t number = number_from(log, pos);

    return start_of(log, start_of(log, number) > pos && number > log->first ? number - 1 : number);
}

uint64_t log_stamp_from(const struct log *log, uint64_t pos)
{
    uint64_t number = number_from(log, pos);

    return number < log->next ? entry_at(log, number)->stamp : 0;
}

uint64_t log_last_stamp(const struct log *log)
{
    uint64_t last = log->next > log->first ? entry_at(log, log->next - 1)->stamp : 0;

    return last > log->dropped_stamp ? last : log->dropped_stamp;
}

uint64_t log_count_by(const struct log *log, uint64_t from, uint64_t to, uint32_t author)
{
    uint64_t end = number_from(log, to);
    uint64_t count = 0;

    for (uint64_t i = number_from(log, from); i < end; i++)
        count += (entry_at(log, i)->author & ~MESSAGE_BIT) == author;
    return count;
}

uint64_t log_back(const struct log *log, uint64_t pos, uint64_t n)
{
    uint64_t number = number_from(log, pos);
    uint64_t lines = number - log->first;
    uint64_t first = number;

    if (n <= lines / EVENTS_PER_MESSAGE)
        lines = n * EVENTS_PER_MESSAGE;
    for (; n > 0 && lines > 0; lines--) {
        first--;
        if ((entry_at(log, first)->author & MESSAGE_BIT) != 0)
            n--;
    }
    return start_of(log, first);
}

uint64_t log_after(const struct log *log, uint64_t stamp)
{
    uint64_t low = log->first;
    uint64_t high = log->next;

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;

        if (entry_at(log, mid)->stamp <= stamp)
            low = mid + 1;
        else
            high = mid;
    }
    return start_of(log, low);
}

bool log_dropped_after(const struct log *log, uint64_t stamp)
{
    return log->dropped_stamp > stamp;
}

void log_note_dropped(struct log *log, uint64_t stamp)
{
    if (log->dropped_stamp < stamp)
        log->dropped_stamp = stamp;
}

/* ---- Handing over ---------------------------------------------------------------------------- */

/* The file has the size that these numbers need: mapped memory beyond its end cannot be touched. */
static bool file_fits(const struct log *log)
{
    struct stat st;

    return log->size >= LOG_BYTES_MIN && log->size <= LOG_BYTES_MAX &&
           log->slots == log->size / LINE_BYTES_MIN + 1 && log->next - log->first <= log->slots &&
           fstat(log->fd, &st) == 0 && (uint64_t)st.st_size >= mapping_size(log);
}

static bool content_fits(const struct log *log)
{
    return log->first == log->next || log->head - log_tail(log) <= log->size;
}

void log_state(struct log *log, struct codec *c)
{
    if (c->loading)
        log_unmap(log);
    codec_fd(c, &log->fd);
    codec_size(c, &log->size);
    codec_size(c, &log->slots);
    codec_u64(c, &log->head);
    codec_u64(c, &log->first);
    codec_u64(c, &log->next);
    codec_u64(c, &log->dropped_stamp);
    if (!c->loading)
        return;
    if (c->bad || !file_fits(log) || !log_map(log) || !content_fits(log))
        c->bad = true;
}
