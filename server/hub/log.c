/* log.c: see log.h. */
#include "log.h"

#include "codec.h"

#include <stdlib.h>
#include <string.h>

/* No line of the room is shorter ("STAMP join a\n" has 35 bytes), so the index never fills first.
 */
#define LINE_BYTES_MIN 32

/* start is the low half of the position: no two lines in the ring are 4 GiB apart. */
struct entry {
    uint64_t stamp;
    uint32_t start;
    uint32_t author;
};

/* Lives as long as the hub. first and next count lines; entries are at their number modulo slots.
 */
struct log {
    char *bytes;
    size_t size;
    struct entry *entries;
    size_t slots;
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

struct log *log_new(size_t bytes)
{
    struct log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->size = bytes < LOG_BYTES_MIN ? LOG_BYTES_MIN : bytes;
    log->size = bytes > LOG_BYTES_MAX ? LOG_BYTES_MAX : log->size;
    log->slots = log->size / LINE_BYTES_MIN + 1;
    log->bytes = malloc(log->size);
    log->entries = malloc(log->slots * sizeof(*log->entries));
    if (log->bytes == NULL || log->entries == NULL) {
        log_free(log);
        return NULL;
    }
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    free(log->bytes);
    free(log->entries);
    free(log);
}

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

uint64_t log_append(
    struct log *log, const struct iovec *parts, int n, uint64_t stamp, uint32_t author)
{
    uint64_t start = log->head;
    size_t len = 0;

    for (int i = 0; i < n; i++)
        len += parts[i].iov_len;
    make_room(log, len);
    *entry_at(log, log->next) = (struct entry){stamp, (uint32_t)start, author};
    log->next++;
    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len == 0)
            continue; /* of no text there is not even an address */
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

uint64_t log_count_by(const struct log *log, uint64_t from, uint64_t to, uint32_t author)
{
    uint64_t end = number_from(log, to);
    uint64_t count = 0;

    for (uint64_t i = number_from(log, from); i < end; i++)
        count += entry_at(log, i)->author == author;
    return count;
}

uint64_t log_back(const struct log *log, uint64_t pos, uint64_t n)
{
    uint64_t number = number_from(log, pos);
    uint64_t have = number - log->first;

    return start_of(log, number - (n < have ? n : have));
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

size_t log_remove(struct log *log, uint64_t from, uint64_t to,
    bool (*unwanted)(const char *line, size_t len), struct log_removed **removed)
{
    uint64_t first = number_from(log, from);
    size_t lines = (size_t)(log->next - first);
    uint64_t start = start_of(log, first);
    size_t bytes = (size_t)(log->head - start);
    char *copy = malloc(bytes + 1);
    struct entry *entries = malloc((lines + 1) * sizeof(*entries));
    struct log_removed *out = malloc((lines + 1) * sizeof(*out));
    size_t count = 0;
    struct iovec piece[2];
    char *at = copy;
    int n = copy == NULL ? 0 : log_bytes(log, start, log->head, piece);

    if (copy == NULL || entries == NULL || out == NULL) {
        free(copy);
        free(entries);
        free(out);
        return SIZE_MAX;
    }
    for (int i = 0; i < n; i++)
        at = (char *)memcpy(at, piece[i].iov_base, piece[i].iov_len) + piece[i].iov_len;
    for (size_t i = 0; i < lines; i++)
        entries[i] = *entry_at(log, first + i);
    at = copy;
    log->next = first;
    log->head = start;
    for (size_t i = 0; i < lines; i++) {
        size_t len = i + 1 < lines ? (uint32_t)(entries[i + 1].start - entries[i].start)
                                   : (size_t)(copy + bytes - at);
        struct iovec line = {at, len};

        if (start < to && unwanted(at, len - 1))
            out[count++] = (struct log_removed){start, start + len, entries[i].author};
        else
            log_append(log, &line, 1, entries[i].stamp, entries[i].author);
        start += len;
        at += len;
    }
    free(copy);
    free(entries);
    *removed = out;
    return count;
}

/* The lines are appended as they once were: what comes out is a log like any other. */
static void lines_load(struct log *log, struct codec *c, uint64_t count)
{
    for (uint64_t i = 0; i < count && !c->bad; i++) {
        struct iovec line;
        size_t len = 0;
        uint64_t stamp = 0;
        uint32_t author = 0;

        codec_u64(c, &stamp);
        codec_u32(c, &author);
        codec_size(c, &len);
        if (len > c->len - c->at || len > log->size || len == 0) {
            c->bad = true;
            return;
        }
        line = (struct iovec){c->buf + c->at, len};
        c->at += len;
        log_append(log, &line, 1, stamp, author);
    }
}

static void lines_save(const struct log *log, struct codec *c)
{
    for (uint64_t i = log->first; i < log->next; i++) {
        struct entry entry = *entry_at(log, i);
        size_t len = (size_t)(start_of(log, i + 1) - start_of(log, i));
        struct iovec piece[2];
        int n = log_bytes(log, start_of(log, i), start_of(log, i + 1), piece);

        codec_u64(c, &entry.stamp);
        codec_u32(c, &entry.author);
        codec_size(c, &len);
        for (int k = 0; k < n; k++)
            codec_bytes(c, piece[k].iov_base, piece[k].iov_len);
    }
}

void log_state(struct log *log, struct codec *c)
{
    size_t size = log->size;
    uint64_t tail = log_tail(log);
    uint64_t dropped = log->dropped_stamp;
    uint64_t count = log->next - log->first;

    codec_size(c, &size);
    codec_u64(c, &tail);
    codec_u64(c, &log->first);
    codec_u64(c, &dropped);
    codec_u64(c, &count);
    c->bad |= size > log->size;
    if (!c->loading) {
        lines_save(log, c);
        return;
    }
    log->next = log->first;
    log->head = tail;
    lines_load(log, c, count);
    log->dropped_stamp = dropped;
}
