/* record.c: adds events, reads them from a file, and compares two records. */
#include "record.h"
#include "wire/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void record_add(struct record *record, const char *line, size_t len)
{
    if (record->count == record->room) {
        record->room = 2 * record->room + 64;
        record->lines = realloc(record->lines, record->room * sizeof *record->lines);
        ensure(record->lines != NULL, "no memory");
    }
    char *copy = malloc(len + 1);
    ensure(copy != NULL, "no memory");
    memcpy(copy, line, len);
    copy[len] = '\0';
    record->lines[record->count++] = copy;
}

void record_add_words(struct record *record, const char *words)
{
    record_add(record, words - STAMP_LEN - 1, STAMP_LEN + 1 + strlen(words));
}

void record_clear(struct record *record)
{
    for (size_t i = 0; i < record->count; i++)
        free(record->lines[i]);
    free(record->lines);
    *record = (struct record){0};
}

/* All of a file, NUL-terminated. */
static char *file_read(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ensure(fd != -1 && fstat(fd, &st) == 0, "%s: %s", path, strerror(errno));
    char *bytes = malloc((size_t)st.st_size + 1);
    ensure(bytes != NULL, "no memory");
    *len = 0;
    for (ssize_t n; *len < (size_t)st.st_size; *len += (size_t)n)
        if ((n = read(fd, bytes + *len, (size_t)st.st_size - *len)) <= 0)
            break;
    bytes[*len] = '\0';
    close(fd);
    return bytes;
}

static void recorded_line_check(const char *line, size_t len, uint64_t *last)
{
    struct event event;
    ensure(strlen(line) == len && text_is_clean(line, len), "forbidden in the file: %s", line);
    ensure(event_parse(&event, line, len), "no line of a room: %s", line);
    ensure(verb_is_room(event.verb) || event.verb == VERB_GAP, "no event: %s", line);
    ensure(event.stamp > *last, "stamps do not grow: %s", line);
    *last = event.stamp;
}

static void lines_read(struct record *record, const char *path, bool growing)
{
    size_t len;
    char *bytes = file_read(path, &len);
    uint64_t last = 0;
    char *at = bytes;
    record_clear(record);
    for (char *lf; (lf = memchr(at, '\n', len - (size_t)(at - bytes))) != NULL; at = lf + 1) {
        *lf = '\0';
        recorded_line_check(at, (size_t)(lf - at), &last);
        record_add(record, at, (size_t)(lf - at));
    }
    ensure(growing || at == bytes + len, "the file's last line is torn: %s", at);
    free(bytes);
}

void record_read(struct record *record, const char *path)
{
    lines_read(record, path, false);
}

void record_read_growing(struct record *record, const char *path)
{
    lines_read(record, path, true);
}

void record_await(struct record *record, const char *path, size_t lines, const char *pattern)
{
    int64_t deadline = deadline_in(10000);
    for (;;) {
        if (access(path, F_OK) == 0) {
            record_read_growing(record, path);
            if (record_count(record, pattern) >= lines)
                return;
        }
        ensure(deadline_wait(deadline), "%zu lines of %zu are \"%s\"",
            record_count(record, pattern), lines, pattern);
    }
}

const char *record_words(const struct record *record, size_t line)
{
    return record->lines[line] + STAMP_LEN + 1;
}

size_t record_find(const struct record *record, size_t from, const char *pattern)
{
    while (from < record->count && !pattern_match(pattern, record_words(record, from)))
        from++;
    return from;
}

size_t record_count(const struct record *record, const char *pattern)
{
    size_t count = 0;
    for (size_t i = 0; (i = record_find(record, i, pattern)) < record->count; i++)
        count++;
    return count;
}

unsigned long record_missing(const struct record *record)
{
    unsigned long missing = 0;
    struct event event;
    for (size_t i = 0; i < record->count; i++)
        if (event_parse(&event, record->lines[i], strlen(record->lines[i])) &&
            event.verb == VERB_GAP)
            missing += event.count;
    return missing;
}

void record_keep_messages(struct record *record)
{
    size_t kept = 0;
    struct event event;
    for (size_t i = 0; i < record->count; i++) {
        char *line = record->lines[i];
        if (event_parse(&event, line, strlen(line)) && verb_is_message(event.verb))
            record->lines[kept++] = line;
        else
            free(line);
    }
    record->count = kept;
}

void record_holds(const struct record *whole, size_t from, const struct record *part)
{
    for (size_t i = 0; i < part->count; i++) {
        ensure(from + i < whole->count, "%zu lines are missing from \"%s\" on", part->count - i,
            part->lines[i]);
        ensure(strcmp(whole->lines[from + i], part->lines[i]) == 0, "\"%s\" where \"%s\" was heard",
            whole->lines[from + i], part->lines[i]);
    }
}

void record_equal(const struct record *a, const struct record *b)
{
    record_holds(a, 0, b);
    record_holds(b, 0, a);
}
