/* roster.c: a sorted array, for names come and go one at a time and are completed in order. */
#include "roster.h"
#include "../wire/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void name_copy_clean(char out[NAME_LEN_MAX + 1], struct span name)
{
    char clean[3 * NAME_LEN_MAX];
    size_t len = text_clean(clean, name.at, text_cut(name.at, name.len, NAME_LEN_MAX));

    len = text_cut(clean, len, NAME_LEN_MAX);
    memcpy(out, clean, len);
    out[len] = '\0';
}

bool here_next(struct span *names, struct span *name)
{
    const char *end = names->at + names->len;
    const char *at = names->at;

    while (at < end && *at == ' ')
        at++;
    name->at = at;
    while (at < end && *at != ' ')
        at++;
    name->len = (size_t)(at - name->at);
    *names = (struct span){at, (size_t)(end - at)};
    return name->len != 0;
}

static int name_compare(const void *a, const void *b)
{
    return strcasecmp(a, b);
}

static void roster_sort(struct roster *roster)
{
    size_t kept = 0;

    if (roster->len != 0)
        qsort(roster->at, roster->len, sizeof roster->at[0], name_compare);
    for (size_t i = 0; i < roster->len; i++) {
        if (kept == 0 || name_compare(roster->at[kept - 1], roster->at[i]) != 0)
            memmove(roster->at[kept++], roster->at[i], sizeof roster->at[0]);
    }
    roster->len = kept;
    roster->sorted = true;
}

/* Sets *at to the name's place, or to where it belongs if it is not there. */
static bool roster_find(struct roster *roster, const char *name, size_t *at)
{
    size_t from = 0;
    size_t to;

    if (!roster->sorted)
        roster_sort(roster); /* which removes duplicates */
    to = roster->len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (name_compare(roster->at[middle], name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *at = from;
    return from < roster->len && name_compare(roster->at[from], name) == 0;
}

static bool roster_grow(struct roster *roster)
{
    size_t size = roster->size != 0 ? 2 * roster->size : 64;
    void *at;

    if (roster->len == ROSTER_MAX)
        return false;
    if (roster->len < roster->size)
        return true;
    at = realloc(roster->at, size * sizeof roster->at[0]);
    if (at == NULL)
        return false;
    roster->at = at;
    roster->size = size;
    return true;
}

static void roster_insert(struct roster *roster, size_t at, const char *name)
{
    if (!roster_grow(roster))
        return;
    memmove(roster->at[at + 1], roster->at[at], (roster->len - at) * sizeof roster->at[0]);
    memcpy(roster->at[at], name, strlen(name) + 1);
    roster->len++;
}

void roster_here(struct roster *roster, struct span names)
{
    char clean[NAME_LEN_MAX + 1];
    struct span name;

    if (roster->complete)
        roster_clear(roster);
    roster->sorted = false;
    while (here_next(&names, &name)) {
        name_copy_clean(clean, name);
        roster_insert(roster, roster->len, clean);
    }
}

void roster_complete(struct roster *roster)
{
    if (roster->complete)
        roster_clear(roster);
    roster->complete = true;
    roster_sort(roster);
}

void roster_add(struct roster *roster, struct span name)
{
    char clean[NAME_LEN_MAX + 1];
    size_t at;

    name_copy_clean(clean, name);
    if (!roster_find(roster, clean, &at))
        roster_insert(roster, at, clean);
}

void roster_remove(struct roster *roster, struct span name)
{
    char clean[NAME_LEN_MAX + 1];
    size_t at;

    name_copy_clean(clean, name);
    if (!roster_find(roster, clean, &at))
        return;
    roster->len--;
    memmove(roster->at[at], roster->at[at + 1], (roster->len - at) * sizeof roster->at[0]);
}

bool roster_has(struct roster *roster, const char *name)
{
    size_t at;

    return roster_find(roster, name, &at);
}

const char *roster_other(struct roster *roster, const char *name, size_t i)
{
    size_t at;

    if (roster_find(roster, name, &at) && i >= at)
        i++;
    return i < roster->len ? roster->at[i] : NULL;
}

void roster_clear(struct roster *roster)
{
    roster->len = 0;
    roster->sorted = false;
    roster->complete = false;
}

void roster_free(struct roster *roster)
{
    free(roster->at);
    *roster = (struct roster){0};
}
