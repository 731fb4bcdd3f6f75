/*
 * number.h: decimal numbers.
 */
#ifndef WIRE_NUMBER_H
#define WIRE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Decimal digits only, at most max; false otherwise. */
bool number_parse(const char *s, size_t len, unsigned long max, unsigned long *value);
/* Writes value without a NUL; returns the number of digits (20 at most). */
size_t number_write(char *out, unsigned long value);

#endif
