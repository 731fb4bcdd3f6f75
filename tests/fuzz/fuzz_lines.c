/*
 * fuzz_lines.c: what a worker does with its client's bytes: telnet's commands out, lines in. Any
 * cut of the stream gives the same lines.
 *
 * The input: a byte for the longest line, a byte for the cuts, the stream.
 */
#include "fuzz.h"
#include "protocol.h"
#include "wire/line.h"
#include "wire/telnet.h"

#include <stdbool.h>

/* One reading of the stream, and the lines that it gave, each behind a byte for its kind. */
struct reading {
    struct telnet_filter filter;
    struct line_splitter splitter;
    char *lines;
    size_t len;
};

static void reading_note(struct reading *reading, char kind, struct span line)
{
    must(line.len <= reading->splitter.max);
    must(kind != 'T' || line.len == reading->splitter.max);
    must(memchr(line.at, '\n', line.len) == NULL);
    for (size_t i = 1; i < line.len; i++)
        must(line.at[i] != '\0' || line.at[i - 1] != '\r');
    reading->lines[reading->len++] = kind;
    memcpy(reading->lines + reading->len, line.at, line.len);
    reading->len += line.len;
    reading->lines[reading->len++] = '\n';
}

static void reading_take(struct reading *reading, const char *piece, size_t len)
{
    char *buf = must_allocate(len + 1);
    enum line_result result;
    struct span line;

    memcpy(buf + 1, piece, len);
    const char *at = telnet_filter(&reading->filter, buf + 1, &len);
    must(at == buf + 1 || at == buf);
    const char *end = at + len;
    while ((result = line_next(&reading->splitter, &at, end, &line)) != LINE_NONE)
        reading_note(reading, result == LINE_READY ? 'R' : 'T', line);
    must(at == end);
    free(buf);
}

/* Reads the stream in pieces: all of it where cuts is 0, else of 1 to cuts bytes. */
static struct reading stream_read(const char *stream, size_t size, size_t max, unsigned cuts)
{
    struct reading reading = {.lines = must_allocate(3 * size + 2)};
    uint32_t state = cuts;
    struct span line;

    line_splitter_init(&reading.splitter, must_allocate(max + 1), max);
    for (size_t at = 0, n; at < size; at += n) {
        state = state * 1664525 + 1013904223;
        n = cuts == 0 ? size : 1 + (state >> 16) % cuts;
        if (n > size - at)
            n = size - at;
        reading_take(&reading, stream + at, n);
    }
    if (line_last(&reading.splitter, &line) == LINE_READY)
        reading_note(&reading, 'L', line);
    must(line_last(&reading.splitter, &line) == LINE_NONE);
    free(reading.splitter.held);
    return reading;
}

static bool readings_equal(const struct reading *a, const struct reading *b)
{
    return a->len == b->len && memcmp(a->lines, b->lines, a->len) == 0 &&
           a->filter.timing_marks == b->filter.timing_marks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *stream = (const char *)data + 2;
    size_t max = 1 + data[0] % 64;
    struct reading whole = stream_read(stream, size - 2, max, 0);
    struct reading bytes = stream_read(stream, size - 2, max, 1);
    struct reading pieces = stream_read(stream, size - 2, max, 2u + data[1]);

    must(readings_equal(&whole, &bytes));
    must(readings_equal(&whole, &pieces));
    free(whole.lines);
    free(bytes.lines);
    free(pieces.lines);
    return 0;
}
