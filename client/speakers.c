/* speakers.c: a small array of names with the time of their latest message. */
#include "speakers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Not assigned. */
#define HUE_NONE (~0u)

static struct speaker *speakers_find(struct speakers *speakers, const char *name)
{
    for (size_t i = 0; i < speakers->len; i++) {
        if (strcasecmp(speakers->at[i].name, name) == 0)
            return &speakers->at[i];
    }
    return NULL;
}

static struct speaker *speakers_oldest(struct speakers *speakers)
{
    struct speaker *oldest = &speakers->at[0];

    for (size_t i = 1; i < speakers->len; i++) {
        if (speakers->at[i].spoke < oldest->spoke)
            oldest = &speakers->at[i];
    }
    return oldest;
}

void speakers_add(struct speakers *speakers, const char *name, bool in_private)
{
    struct speaker *speaker = speakers_find(speakers, name);

    if (speaker == NULL) {
        speaker = speakers->len < SPEAKERS_MAX ? &speakers->at[speakers->len++]
                                               : speakers_oldest(speakers);
        *speaker = (struct speaker){.hue = HUE_NONE};
        strcpy(speaker->name, name);
    }
    speaker->spoke = ++speakers->messages;
    if (in_private)
        speaker->whispered = speaker->spoke;
}

void speakers_rename(struct speakers *speakers, const char *name, const char *to)
{
    struct speaker *speaker = speakers_find(speakers, name);
    struct speaker *other = speakers_find(speakers, to);

    if (speaker == NULL || speaker == other)
        return;
    if (other != NULL) { /* another member had that name before */
        *other = speakers->at[--speakers->len];
        if (speaker == &speakers->at[speakers->len])
            speaker = other;
    }
    strcpy(speaker->name, to);
}

/* ---- Hues ---- */

/* FNV-1a of the name without regard to case. */
static uint32_t name_hash(const char *name)
{
    char folded[NAME_LEN_MAX + 1];
    uint32_t hash = 2166136261u;

    name_fold(folded, name);
    for (const char *at = folded; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return hash;
}

static bool hue_is_taken(const struct speakers *speakers, unsigned hue)
{
    for (size_t i = 0; i < speakers->len; i++) {
        if (speakers->at[i].hue == hue)
            return true;
    }
    return false;
}

unsigned speakers_hue(struct speakers *speakers, const char *name, unsigned hues)
{
    struct speaker *speaker = speakers_find(speakers, name);
    unsigned first = name_hash(name) % hues;

    if (speaker == NULL)
        return first;
    for (unsigned i = 0; i < hues && speaker->hue == HUE_NONE; i++) {
        if (!hue_is_taken(speakers, (first + i) % hues))
            speaker->hue = (first + i) % hues;
    }
    if (speaker->hue == HUE_NONE)
        speaker->hue = first;
    return speaker->hue;
}

/* ---- The latest ---- */

static int speakers_compare(unsigned long a, unsigned long b)
{
    return a > b ? -1 : a < b;
}

static int compare_spoke(const void *a, const void *b)
{
    const struct speaker *const *left = a, *const *right = b;

    return speakers_compare((*left)->spoke, (*right)->spoke);
}

static int compare_whispered(const void *a, const void *b)
{
    const struct speaker *const *left = a, *const *right = b;
    int order = speakers_compare((*left)->whispered, (*right)->whispered);

    return order != 0 ? order : compare_spoke(a, b);
}

size_t speakers_sort(const struct speakers *speakers, struct roster *roster, const char *without,
    bool in_private, const struct speaker *sorted[SPEAKERS_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < speakers->len; i++) {
        const struct speaker *speaker = &speakers->at[i];
        if (strcasecmp(speaker->name, without) != 0 && roster_has(roster, speaker->name))
            sorted[len++] = speaker;
    }
    qsort(sorted, len, sizeof sorted[0], in_private ? compare_whispered : compare_spoke);
    return len;
}
