/*
 * name.h: makes names of what clients ask for: chat-protocol(7), NAMES.
 */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_LEN_MAX 64

/*
 * Adjusts a name that a client asks for. Writes at most NAME_LEN_MAX bytes and a NUL to out and
 * returns the length. 0 if nothing is left: then the client's address is the name. Idempotent.
 */
size_t name_clean(char out[NAME_LEN_MAX + 1], const char *raw, size_t len);
/* True if there is a byte and name_clean() would change nothing. */
bool name_is_clean(const char *s, size_t len);
/* Appends "_" and n to name, which is shortened as far as necessary. Returns the length. */
size_t name_suffixed(char out[NAME_LEN_MAX + 1], const char *name, unsigned n);
/*
 * Takes such an end off: of base_N, where N is 2 or more and begins with no 0, writes base to out.
 * False for every other name.
 */
bool name_base(char out[NAME_LEN_MAX + 1], const char *name);
/* Maps ASCII letters to lower case. Names with equal folded forms are the same name. */
void name_fold(char out[NAME_LEN_MAX + 1], const char *name);
/* True if both are the same name. */
bool name_equal(const char *a, const char *b);

#endif
