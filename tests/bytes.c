/* bytes.c: prints, copies and compares bytes, and makes random ones. */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void bytes_print(const char *what, const char *at, size_t len)
{
    printf("%s (%zu):", what, len);
    for (size_t i = 0; i < len && i < 400; i++)
        printf(at[i] > 0x20 && at[i] < 0x7F ? " %c" : " %02x", (unsigned char)at[i]);
    printf("\n");
}

void assert_bytes_at(int line, const char *got, size_t len, struct span want)
{
    if (len == want.len && memcmp(got, want.at, len) == 0)
        return;
    bytes_print("want", want.at, want.len);
    bytes_print("got ", got, len);
    ck_abort_msg("line %d: other bytes than expected", line);
}

void *must_allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);

    must(memory != NULL);
    return memory;
}

char *bytes_copy(struct span bytes)
{
    char *copy = must_allocate(bytes.len);

    memcpy(copy, bytes.at, bytes.len);
    return copy;
}

uint64_t random_seeded(void)
{
    const char *wanted = getenv("SEED");
    uint64_t seed = wanted != NULL ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed * 2 + 1;
}

size_t random_below(uint64_t *state, size_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state * 0x2545F4914F6CDD1Du >> 33) % limit;
}

struct span random_words(
    uint64_t *state, char *out, size_t size, const struct span *words, size_t count)
{
    size_t wanted = random_below(state, size);
    size_t len = 0;

    for (;;) {
        struct span word = words[random_below(state, count)];
        if (len + word.len > wanted)
            return (struct span){out, len};
        memcpy(out + len, word.at, word.len);
        len += word.len;
    }
}

char *bytes_put(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

static const struct span text_words[] = {S("a"), S("plain words of some length"), S(" "), S("\t"),
    S("\x1b[0m"), S("\0"), S("\x7f"), S("\x80"), S("\xbf\xbf"), S("\xc2"), S("\xe4\xbd"),
    S("\xf0\x9f\x98"), S("\xff"), S(NI_HAO), S(SMILE), S(ACUTE), S(ACUTE_8), S(ZWJ), S(ZWNJ),
    S(SELECTOR), S(NBSP), S(NEXT_LINE), S(LINE_SEPARATOR), S(WIDE_SPACE), S("\xe2\x80\xae"), S("/"),
    S(":"), S("_"), S(REPLACED), S("\xf3\xa0\x84\x80"), S(ZWSP), S(BOM), S("\xf3\xa0\x81\xa7"),
    S("\xed\xa0\x80")};

struct span random_text(uint64_t *state, char *out, size_t size)
{
    return random_words(state, out, size, text_words, COUNT_OF(text_words));
}

void consumer_note(struct consumer *consumer, const char *bytes, size_t len)
{
    memcpy(consumer->out + consumer->len, bytes, len);
    consumer->len += len;
}

void consumer_take_range(struct consumer *consumer, struct span stream, size_t from, size_t to)
{
    char *piece = bytes_copy((struct span){stream.at + from, to - from});

    consumer->take(consumer, piece, to - from);
    free(piece);
}
