/*
 * bytes.h: what tests of pure functions share: bytes with NULs, random ones, and streams in pieces.
 */
#ifndef TESTS_BYTES_H
#define TESTS_BYTES_H

#include "harness.h"
#include "wire/span.h"

#include <stdint.h>

/* Bytes with NULs among them. */
#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

#define REPLACED "\xef\xbf\xbd"
#define ACUTE "\xcc\x81"
#define ACUTE_8 ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE
#define ZWNJ "\xe2\x80\x8c"
#define ZWJ "\xe2\x80\x8d"
#define SELECTOR "\xef\xb8\x8f"
#define ZWSP "\xe2\x80\x8b"
#define BOM "\xef\xbb\xbf"
#define SHY "\xc2\xad"
#define ALM "\xd8\x9c"
#define LRM "\xe2\x80\x8e"
#define RLM "\xe2\x80\x8f"
#define WJ "\xe2\x81\xa0"
#define NBSP "\xc2\xa0"
#define NEXT_LINE "\xc2\x85"
#define LINE_SEPARATOR "\xe2\x80\xa8"
#define WIDE_SPACE "\xe3\x80\x80"
#define NI_HAO "\xe4\xbd\xa0\xe5\xa5\xbd"
#define SMILE "\xf0\x9f\x98\x80"
#define FLAG "\xf0\x9f\x8f\xb4"
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* For what is asked millions of times: ck_assert writes to a file each time, also when it holds. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

/* Fails, and shows both, unless the bytes got are those of the span. */
#define assert_bytes(...) assert_bytes_at(__LINE__, __VA_ARGS__)
void assert_bytes_at(int line, const char *got, size_t len, struct span want);

void *must_allocate(size_t size);
/* A copy that has exactly its bytes, so that a sanitizer sees each one read behind them. */
char *bytes_copy(struct span bytes);
/* Writes the bytes to out; where the next ones go. */
char *bytes_put(char *out, const char *bytes, size_t len);

/* The numbers of one run; SEED in the environment brings back another one's. */
uint64_t random_seeded(void);
size_t random_below(uint64_t *state, size_t limit);
/* Fills out with words of that list. */
struct span random_words(
    uint64_t *state, char *out, size_t size, const struct span *words, size_t count);
/* The same with what is hard in text: controls, marks, malformed and invisible characters. */
struct span random_text(uint64_t *state, char *out, size_t size);

/* Something that takes a stream piece by piece. */
struct consumer {
    void (*take)(struct consumer *, const char *piece, size_t len);
    void (*end)(struct consumer *);
    char *out; /* what came of it */
    size_t len;
};

void consumer_note(struct consumer *consumer, const char *bytes, size_t len);
/* Gives the consumer the bytes from .. to in memory of their own, which is gone afterwards. */
void consumer_take_range(struct consumer *consumer, struct span stream, size_t from, size_t to);

#endif
