/*
 * number.h: unsigned decimal numbers.
 */
#ifndef WIRE_NUMBER_H
#define WIRE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a number of digits only. False, and *value unchanged, if it is none or above max. */
bool number_parse(const char *s, size_t len, unsigned long max, unsigned long *value);
/*
 * Reads a decimal fraction, such as 2, 0.5, .5 or 5., as millionths; what is smaller than these is
 * cut off. False, and *millionths unchanged, if it is none or above max, which is in units.
 */
bool number_parse_fraction(const char *s, size_t len, unsigned long max, uint64_t *millionths);
/* Writes value without a NUL. Returns the number of digits, at most 20. */
size_t number_write(char *out, unsigned long value);

#endif
