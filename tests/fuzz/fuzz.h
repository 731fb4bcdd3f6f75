/*
 * fuzz.h: what the fuzz targets share. Each has one function that is given bytes and aborts where
 * something that must always hold does not. It is run by libFuzzer (`make fuzz`) or by replay.c.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() that no NDEBUG turns off. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline void *must_allocate(size_t size)
{
    void *memory = calloc(size > 0 ? size : 1, 1);

    must(memory != NULL);
    return memory;
}

/* A copy of exactly that size, so that a sanitizer sees each byte read behind it. */
static inline char *must_copy(const void *bytes, size_t size)
{
    char *copy = must_allocate(size);

    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* Bytes that become more. Zeroed memory is an empty one; its memory is freed by free(). */
struct text {
    char *at;
    size_t len;
    size_t size;
};

static inline void text_add(struct text *text, const char *bytes, size_t len)
{
    if (text->size - text->len < len) {
        text->size = 2 * text->size + len;
        text->at = realloc(text->at, text->size);
        must(text->at != NULL);
    }
    if (len > 0)
        memcpy(text->at + text->len, bytes, len);
    text->len += len;
}

#endif
