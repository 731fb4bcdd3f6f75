/*
 * number.h: unsigned decimal numbers.
 */
#ifndef WIRE_NUMBER_H
#define WIRE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Reads a number of digits only. False, and *value unchanged, if it is none or above max. */
bool number_parse(const char *s, size_t len, unsigned long max, unsigned long *value);
/* Writes value without a NUL. Returns the number of digits, at most 20. */
size_t number_write(char *out, unsigned long value);

#endif
