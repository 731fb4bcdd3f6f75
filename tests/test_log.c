/*
 * test_log.c: the ring against a list that forgets nothing: after each step every question to the
 * log has the answer that a search through all the lines gives.
 */
#include "harness.h"
#include "server/hub/codec.h"
#include "server/hub/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_MAX 20000
#define AUTHORS 4

struct line {
    uint64_t start;
    uint64_t stamp;
    uint32_t author;
    bool message;
    size_t len;
    char fill; /* all its bytes but the LF */
};

/* All lines that were ever appended; those before first are dropped. */
struct model {
    struct line lines[LINES_MAX];
    size_t first;
    size_t next;
    uint64_t head;
    uint64_t stamp;
    size_t size;
    struct log *log;
    uint32_t seed;
};

static struct model model; /* too large for a stack */

static uint32_t random_next(uint32_t limit)
{
    model.seed = model.seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)model.seed * limit) >> 32);
}

static void model_start(size_t size, uint32_t seed)
{
    memset(&model, 0, sizeof model);
    model.log = log_new(size);
    ensure(model.log != NULL, "no memory");
    ensure(log_head(model.log) == 0 && log_tail(model.log) == 0, "it is empty");
    model.size = log_size(model.log);
    model.seed = seed;
}

static uint64_t model_tail(void)
{
    return model.first < model.next ? model.lines[model.first].start : model.head;
}

/* ---- Appending ---- */

/* The line's bytes in three parts, as the hub hands them over; any of them may be empty. */
static void append(size_t len)
{
    struct line *line = &model.lines[model.next];
    char bytes[LINE_OUT_MAX];
    struct iovec parts[3];
    size_t cut = random_next((uint32_t)len);
    size_t start;

    ensure(model.next < LINES_MAX, "too many lines");
    model.stamp += 1 + random_next(3);
    *line = (struct line){model.head, model.stamp, random_next(AUTHORS), random_next(3) == 0, len,
        (char)('a' + random_next(26))};
    if (line->author == AUTHORS - 1)
        line->author = LOG_AUTHOR_MAX;
    memset(bytes, line->fill, len);
    bytes[len - 1] = '\n';
    start = random_next((uint32_t)cut + 1);
    parts[0] = (struct iovec){bytes, start};
    parts[1] = (struct iovec){bytes + start, cut - start};
    parts[2] = (struct iovec){bytes + cut, len - cut};
    ensure(log_append(model.log, parts, 3,
               (struct log_line){line->stamp, line->author, line->message}) == model.head,
        "the line begins where the log ended");
    model.next++;
    model.head += len;
    while (model.head - model.lines[model.first].start > model.size)
        model.first++;
}

/* Mostly short lines, some of the longest. */
static size_t random_len(void)
{
    uint32_t kind = random_next(20);

    if (kind == 0)
        return LINE_OUT_MAX - random_next(5);
    return 34 + random_next(kind < 4 ? 4000 : 90);
}

/* ---- Asking ---- */

static void check_bytes(uint64_t from, uint64_t to)
{
    struct iovec piece[2];
    int n = log_bytes(model.log, from, to, piece);
    uint64_t at = from;
    size_t i = model.first;

    for (int p = 0; p < n; p++) {
        const char *bytes = piece[p].iov_base;

        ensure(piece[p].iov_len > 0, "an empty piece");
        for (size_t j = 0; j < piece[p].iov_len; j++, at++) {
            while (at >= model.lines[i].start + model.lines[i].len)
                i++;
            char want =
                at + 1 == model.lines[i].start + model.lines[i].len ? '\n' : model.lines[i].fill;
            ensure(bytes[j] == want, "a wrong byte at %llu", (unsigned long long)at);
        }
    }
    ensure(at == to, "%llu bytes instead of %llu", (unsigned long long)(at - from),
        (unsigned long long)(to - from));
}

/* The same bytes, copied. */
static void check_copy(uint64_t from, uint64_t to)
{
    static char copy[300000 + LINE_OUT_MAX];
    struct iovec piece[2];
    size_t at = 0;
    int n = log_bytes(model.log, from, to, piece);

    log_copy(model.log, from, to, copy);
    for (int p = 0; p < n; p++) {
        ensure(memcmp(copy + at, piece[p].iov_base, piece[p].iov_len) == 0, "copied wrong");
        at += piece[p].iov_len;
    }
}

/* The history of n messages before the line with that number: at most 5 n lines. */
static size_t model_back(size_t from, size_t n)
{
    size_t lines = from - model.first < 5 * n ? from - model.first : 5 * n;

    while (n > 0 && lines-- > 0)
        n -= model.lines[--from].message;
    return from;
}

static uint64_t start_of(size_t number)
{
    return number < model.next ? model.lines[number].start : model.head;
}

static void check_line(size_t number)
{
    const struct line *line = &model.lines[number];
    struct log_line facts;

    if (number >= model.next)
        return;
    ensure(log_line(model.log, line->start, &facts) == start_of(number + 1), "the next line");
    ensure(facts.stamp == line->stamp && facts.author == line->author &&
               facts.message == line->message,
        "facts");
}

static void check_position(uint64_t pos)
{
    size_t from = model.first; /* the first line at or behind pos */
    uint64_t start;
    size_t n = random_next(30);

    while (from < model.next && model.lines[from].start < pos)
        from++;
    start = start_of(from);
    check_line(from);
    ensure(log_count(model.log, pos) == from, "count");
    ensure(log_line_from(model.log, pos) == start, "line_from");
    if (start > pos && from > model.first)
        start = model.lines[from - 1].start;
    ensure(log_line_at(model.log, pos) == start, "line_at");
    ensure(log_back(model.log, pos, n) == start_of(model_back(from, n)), "back %zu", n);
    ensure(log_back(model.log, pos, UINT64_MAX) == model_tail(), "back without end");
    ensure(log_room(model.log, pos) == model.size - (model.head - pos), "room");
}

static void check_authors(uint64_t from, uint64_t to)
{
    uint64_t counts[AUTHORS] = {0};

    for (size_t i = model.first; i < model.next; i++)
        if (model.lines[i].start >= from && model.lines[i].start < to)
            counts[model.lines[i].author % AUTHORS]++;
    for (uint32_t a = 0; a < AUTHORS; a++)
        ensure(
            log_count_by(model.log, from, to, a == AUTHORS - 1 ? LOG_AUTHOR_MAX : a) == counts[a],
            "count_by");
}

static void check_stamp(uint64_t stamp)
{
    size_t i = model.first;

    while (i < model.next && model.lines[i].stamp <= stamp)
        i++;
    ensure(log_stamp_from(model.log, i < model.next ? model.lines[i].start : model.head) ==
               (i < model.next ? model.lines[i].stamp : 0),
        "stamp_from");
    ensure(log_after(model.log, stamp) == (i < model.next ? model.lines[i].start : model.head),
        "after");
    ensure(log_dropped_after(model.log, stamp) ==
               (model.first > 0 && model.lines[model.first - 1].stamp > stamp),
        "dropped_after");
    ensure(log_last_stamp(model.log) == model.stamp, "last_stamp");
}

static void check_all(void)
{
    uint64_t tail = model_tail();
    uint32_t held = (uint32_t)(model.head - tail);
    uint64_t from = tail + random_next(held + 1);
    uint64_t to = from + random_next((uint32_t)(model.head - from) + 1);

    ensure(log_head(model.log) == model.head, "head");
    ensure(log_tail(model.log) == tail, "tail");
    check_bytes(from, to);
    check_copy(from, to);
    check_position(tail);
    check_position(from);
    check_position(model.head);
    check_authors(from, to);
    check_stamp(random_next((uint32_t)model.stamp + 2));
    check_stamp(model.stamp);
}

/* ---- Handing over ---- */

/* The numbers of a state, each 8 bytes; the first one is the descriptor of the memory. */
#define STATE_NUMBERS 7

/* The state of the model's log, with a descriptor of its own, to be read. */
static struct codec state_written(void)
{
    struct codec c = {0};

    log_state(model.log, &c);
    ensure(!c.bad && c.len == STATE_NUMBERS * 8, "the state has %zu bytes", c.len);
    c.buf[0] = (char)dup((unsigned char)c.buf[0]);
    c.loading = true;
    return c;
}

/* As an exec does it: the new log has the old one's memory. */
static void hand_over(void)
{
    struct codec c = state_written();
    struct log *next = log_new(LOG_BYTES_MIN);

    ensure(next != NULL, "no memory");
    log_free(model.log);
    log_state(next, &c);
    ensure(!c.bad && c.at == c.len, "not taken");
    free(c.buf);
    model.log = next;
    ensure(log_size(next) == model.size, "size");
}

/* ---- Tests ---- */

START_TEST(answers)
{
    static const size_t sizes[] = {0, 65536, 65537, 100003, 300000};

    model_start(sizes[_i], (uint32_t)_i + 1);
    ensure(model.size >= LOG_BYTES_MIN && model.size >= sizes[_i], "size");
    check_all();
    for (int i = 0; i < 15000; i++) {
        append(random_len());
        if (i % 7 == 0)
            check_all();
        if (i % 1000 == 0)
            hand_over();
    }
    ensure(model.first > 0, "nothing was dropped");
    log_free(model.log);
}
END_TEST

/* A ring full to the last byte, and lines that end exactly where it does. */
START_TEST(exact_fit)
{
    model_start(65536, 1);
    for (int i = 0; i < 100; i++) {
        append(LINE_OUT_MAX);
        append(16);
        append(LINE_OUT_MAX - 16);
        check_all();
        ensure(model.head - model_tail() <= model.size, "more than fits");
    }
    log_free(model.log);
}
END_TEST

START_TEST(lines_before_the_first)
{
    model_start(65536, 1);
    ensure(!log_dropped_after(model.log, 0), "nothing is gone yet");
    ensure(log_last_stamp(model.log) == 0, "nothing was said");
    log_note_dropped(model.log, 7);
    log_note_dropped(model.log, 5);
    ensure(log_last_stamp(model.log) == 7, "but this was");
    ensure(log_dropped_after(model.log, 6), "7 is gone");
    ensure(!log_dropped_after(model.log, 7), "nothing after 7 is");
    log_free(model.log);
}
END_TEST

/* The index keeps the low half of positions: it must not matter. */
START_TEST(beyond_4_gib)
{
    static char bytes[LINE_OUT_MAX];
    const uint64_t lines = (UINT64_C(1) << 32) / sizeof bytes + 10;
    struct iovec part = {bytes, sizeof bytes};

    model_start(100000, 1);
    for (uint64_t i = 1; i <= lines; i++) {
        uint64_t start =
            log_append(model.log, &part, 1, (struct log_line){.stamp = i, .author = 1});

        ensure(start == (i - 1) * sizeof bytes, "head");
        if (i % 1000 != 0 && i < lines - 20)
            continue;
        ensure(log_line_from(model.log, start) == start, "line_from");
        ensure(log_line_at(model.log, start + 1) == start, "line_at");
        ensure(log_count(model.log, start) == i - 1, "count");
        ensure(log_after(model.log, i - 1) == start, "after");
        ensure(i < 6 || log_tail(model.log) == (i - 6) * sizeof bytes, "tail");
    }
    log_free(model.log);
}
END_TEST

/* A state that does not fit the memory that comes with it is refused. */
START_TEST(a_state_that_is_wrong)
{
    for (size_t at = 0; at < STATE_NUMBERS; at++) {
        struct log *next = log_new(0);
        struct codec c;

        model_start(0, 1);
        append(100);
        c = state_written();
        memset(c.buf + 8 * at, 0x5a, 8);
        log_state(next, &c);
        ensure(c.bad || at == STATE_NUMBERS - 1, "number %zu", at); /* any last stamp may be */
        free(c.buf);
        log_free(model.log);
        log_free(next);
    }
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {answers, 5, 60},
        {exact_fit, 1, 20},
        {lines_before_the_first, 1, 4},
        {beyond_4_gib, 1, 60},
        {a_state_that_is_wrong, 1, 10},
    };

    return tests_run("log", tests, COUNT_OF(tests));
}
