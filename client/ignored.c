/* ignored.c: a small array of names, compared without case. */
#include "ignored.h"

#include <string.h>
#include <strings.h>

/* The name's place; len where it is not there. */
static size_t ignored_find(const struct ignored *ignored, const char *name)
{
    size_t i = 0;

    while (i < ignored->len && strcasecmp(ignored->names[i], name) != 0)
        i++;
    return i;
}

bool ignored_has(const struct ignored *ignored, const char *name)
{
    return ignored_find(ignored, name) < ignored->len;
}

bool ignored_add(struct ignored *ignored, const char *name)
{
    if (ignored_has(ignored, name))
        return true;
    if (ignored->len == IGNORED_MAX)
        return false;
    strcpy(ignored->names[ignored->len++], name);
    return true;
}

bool ignored_remove(struct ignored *ignored, const char *name)
{
    size_t i = ignored_find(ignored, name);

    if (i == ignored->len)
        return false;
    ignored->len--;
    memmove(
        ignored->names[i], ignored->names[i + 1], (ignored->len - i) * sizeof ignored->names[0]);
    return true;
}

void ignored_rename(struct ignored *ignored, const char *name, const char *to)
{
    if (ignored_remove(ignored, name))
        ignored_add(ignored, to);
}
