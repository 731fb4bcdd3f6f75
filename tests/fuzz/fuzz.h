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
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

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

/*
 * With a sanitizer, an access to these bytes is an error until they are allowed again; else
 * nothing. What is forbidden begins at a multiple of 8, or where the memory does.
 */
#define bytes_forbid(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define bytes_allow(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)

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
