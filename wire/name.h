/*
 * name.h: the names of people.
 */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_LEN_MAX 64

/*
 * Makes a name of what somebody asked for: chat-protocol(7), NAMES. out gets at most NAME_LEN_MAX
 * bytes and a NUL. Returns the length; 0 means that nothing was left and the address is the name.
 * Idempotent.
 */
size_t name_clean(char out[NAME_LEN_MAX + 1], const char *raw, size_t len);
/* name_clean() would return exactly these bytes, at least one. */
bool name_is_clean(const char *s, size_t len);
/* name with "_n" behind it, the base shortened between characters where needed; the length. */
size_t name_suffixed(char out[NAME_LEN_MAX + 1], const char *name, unsigned n);
/* Folds ASCII case: two names are the same name if their folded forms are equal. */
void name_fold(char out[NAME_LEN_MAX + 1], const char *name);

#endif
