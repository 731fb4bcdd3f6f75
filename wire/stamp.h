/*
 * stamp.h: timestamps as text: chat-protocol(7), Stamps.
 */
#ifndef WIRE_STAMP_H
#define WIRE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2026-11-22T21:42:07.123456Z */
#define STAMP_LEN 27

/* Writes STAMP_LEN bytes, no NUL. us: microseconds since 1970-01-01T00:00:00Z, before year 10000.
 */
void stamp_format(char out[STAMP_LEN], uint64_t us);

/* The last stamp that was written, for the next one; begin with {0}. */
struct stamp_memo {
    uint64_t second;
    char text[STAMP_LEN];
};

/* The same as stamp_format(), at a quarter of the work where the second is that of the last call.
 */
void stamp_format_next(struct stamp_memo *, char out[STAMP_LEN], uint64_t us);

/* Reads the timestamp at the beginning of s. False if there is none. */
bool stamp_parse(const char *s, size_t len, uint64_t *us);

#endif
