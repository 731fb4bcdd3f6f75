/*
 * ignored.h: names whose messages are not shown. The server is not told.
 */
#ifndef CLIENT_IGNORED_H
#define CLIENT_IGNORED_H

#include "../wire/name.h"

#include <stdbool.h>
#include <stddef.h>

#define IGNORED_MAX 64

/* Zeroed memory is an empty list. Names are clean, and compared without regard to ASCII case. */
struct ignored {
    char names[IGNORED_MAX][NAME_LEN_MAX + 1];
    size_t len;
};

bool ignored_has(const struct ignored *, const char *name);
/* False if there are IGNORED_MAX names already. */
bool ignored_add(struct ignored *, const char *name);
/* False if the name was not in the list. */
bool ignored_remove(struct ignored *, const char *name);
/* A member has another name: replaces the old one, if that is in the list. */
void ignored_rename(struct ignored *, const char *name, const char *to);

#endif
