/*
 * stamp.h: a time of day as it stands on the wire.
 */
#ifndef WIRE_STAMP_H
#define WIRE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2026-11-22T21:42:07.123456Z */
#define STAMP_LEN 27

/* Microseconds since 1970-01-01T00:00:00Z, of years 1970 to 9999. out gets STAMP_LEN bytes. */
void stamp_format(char out[STAMP_LEN], uint64_t us);
/* The reverse; false unless s begins with exactly such a stamp (len >= STAMP_LEN). */
bool stamp_parse(const char *s, size_t len, uint64_t *us);

#endif
