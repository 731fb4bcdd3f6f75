/*
 * fuzz_nats.c: what a server says, in any pieces. The same operations must come of it, within the
 * bounds that nats.h gives.
 *
 * The input: a byte for the cuts, the stream.
 */
#include "fuzz.h"
#include "server/cluster/json.h"
#include "server/cluster/nats.h"

/* What one reading has given: a number for all of it. */
struct reading {
    uint64_t sum;
    unsigned operations;
    enum nats_kind last;
};

static void sum_add(struct reading *reading, struct span span)
{
    for (size_t i = 0; i < span.len; i++)
        reading->sum = (reading->sum ^ (unsigned char)span.at[i]) * 1099511628211u;
    reading->sum = (reading->sum ^ (span.len << 8)) * 1099511628211u;
}

static void operation_note(struct reading *reading, const struct nats_operation *op)
{
    struct span words;
    struct json info;

    must(op->headers.len + op->payload.len <= NATS_CONTENT_MAX);
    must(op->kind == NATS_MESSAGE || op->payload.len == 0);
    must(nats_status(op->headers, &words) <= 999 && words.len <= op->headers.len);
    must(nats_header(op->headers, "a").len <= op->headers.len);
    (void)json_parse(&info, op->text);
    reading->operations++;
    reading->sum = (reading->sum ^ op->kind ^ op->sid) * 1099511628211u;
    sum_add(reading, op->subject);
    sum_add(reading, op->reply);
    sum_add(reading, op->headers);
    sum_add(reading, op->payload);
    sum_add(reading, op->text);
}

/* Takes the operations of what is held; what is left of it is held on. */
static size_t piece_take(struct reading *reading, struct nats_parser *parser, struct span rest)
{
    struct nats_operation op;

    do {
        size_t before = rest.len;
        reading->last = nats_next(parser, &rest, &op);
        must(rest.len <= before);
        if (reading->last > NATS_BAD)
            operation_note(reading, &op);
    } while (reading->last > NATS_BAD);
    return rest.len;
}

/* Reads the stream in pieces: all of it where cuts is 0, else of 1 to cuts bytes. */
static struct reading stream_read(const char *stream, size_t size, unsigned cuts)
{
    struct nats_parser parser = {0};
    struct reading reading = {.last = NATS_MORE};
    uint32_t state = cuts;
    size_t held = 0;

    for (size_t at = 0, n; at < size && reading.last != NATS_BAD; at += n) {
        state = state * 1664525 + 1013904223;
        n = cuts == 0 ? size : 1 + (state >> 16) % cuts;
        if (n > size - at)
            n = size - at;
        char *piece = must_copy(stream + at - held, held + n);
        held = piece_take(&reading, &parser, (struct span){piece, held + n});
        free(piece);
    }
    return reading;
}

/* The same byte by byte, without a copy of what is held for each. */
static struct reading bytes_read(const char *stream, size_t size)
{
    struct nats_parser parser = {0};
    struct reading reading = {.last = NATS_MORE};
    char *copy = must_copy(stream, size);
    size_t held = 0;

    bytes_forbid(copy, size);
    for (size_t at = 0, n; at < size && reading.last != NATS_BAD; at++, held = n) {
        char *begin = copy + at - held;

        bytes_allow(copy + at, 1);
        n = piece_take(&reading, &parser, (struct span){begin, held + 1});
        bytes_forbid(begin, held + 1 - n);
    }
    bytes_allow(copy, size);
    free(copy);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *stream = (const char *)data + 1;
    struct reading whole = stream_read(stream, size - 1, 0);
    struct reading bytes = bytes_read(stream, size - 1);
    struct reading pieces = stream_read(stream, size - 1, 2u + data[0]);

    must(whole.sum == bytes.sum && whole.sum == pieces.sum);
    must(whole.operations == bytes.operations && whole.operations == pieces.operations);
    must(whole.last == bytes.last && whole.last == pieces.last);
    return 0;
}
