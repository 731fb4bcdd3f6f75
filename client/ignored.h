/*
 * ignored.h: the names whose messages are not shown. The server knows nothing of them.
 */
#ifndef CLIENT_IGNORED_H
#define CLIENT_IGNORED_H

#include "../wire/name.h"

#include <stdbool.h>
#include <stddef.h>

#define IGNORED_MAX 64

/* Zeroed memory ignores nobody. Names are clean, and compared without regard to ASCII case. */
struct ignored {
    char names[IGNORED_MAX][NAME_LEN_MAX + 1];
    size_t len;
};

bool ignored_has(const struct ignored *, const char *name);
/* False where there are IGNORED_MAX names already. */
bool ignored_add(struct ignored *, const char *name);
/* False where the name was not ignored. */
bool ignored_remove(struct ignored *, const char *name);
/* Whoever is ignored stays so under another name. */
void ignored_rename(struct ignored *, const char *name, const char *to);

#endif
