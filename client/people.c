/* people.c: what each kind of event changes in the lists. */
#include "people.h"

#include "mention.h"

#include <string.h>
#include <strings.h>

/* ---- Names ---- */

bool people_is_own(const struct people *people, struct span name)
{
    char clean[NAME_LEN_MAX + 1];

    name_copy_clean(clean, name);
    return *people->name != '\0' && strcasecmp(clean, people->name) == 0;
}

bool people_mentioned(const struct people *people, const struct event *event)
{
    const char *name = *people->name != '\0' ? people->name : people->asked.name;

    return *name != '\0' && !people_is_own(people, event->name) && text_mentions(event->text, name);
}

struct asked people_wanted(const struct people *people)
{
    struct asked before = {.name = ""};

    if (*people->name == '\0')
        return people->asked;
    strcpy(before.name, people->name);
    return before;
}

/* ---- Following ---- */

static void people_follow_room(struct people *people, const struct event *event)
{
    if (event->verb == VERB_JOIN) {
        people->count++;
        roster_add(&people->roster, event->name);
    } else if (event->verb == VERB_QUIT) {
        people->count -= people->count > 0;
        roster_remove(&people->roster, event->name);
    } else if (event->verb == VERB_NICK) {
        roster_remove(&people->roster, event->name);
        roster_add(&people->roster, event->word);
        if (people_is_own(people, event->name))
            name_copy_clean(people->name, event->word);
    }
}

static void people_follow_message(struct people *people, const struct event *event)
{
    char name[NAME_LEN_MAX + 1];

    name_copy_clean(name, event->name);
    speakers_add(&people->speakers, name, event->verb == VERB_PRIV);
}

static void people_follow_nick(struct people *people, const struct event *event)
{
    char name[NAME_LEN_MAX + 1];
    char to[NAME_LEN_MAX + 1];

    name_copy_clean(name, event->name);
    name_copy_clean(to, event->word);
    speakers_rename(&people->speakers, name, to);
    ignored_rename(&people->ignored, name, to);
}

void people_follow(struct people *people, const struct event *event)
{
    if (verb_is_message(event->verb))
        people_follow_message(people, event);
    if (event->verb == VERB_NICK)
        people_follow_nick(people, event);
    if (people->present)
        people_follow_room(people, event);
    if (event->verb == VERB_HERE)
        roster_here(&people->roster, event->text);
    if (event->verb == VERB_USERS) {
        roster_complete(&people->roster);
        people->count = event->count;
    }
    if (event->verb == VERB_YOU) {
        name_copy_clean(people->name, event->name);
        people->present = true;
    }
}

void people_restart(struct people *people)
{
    people->present = false;
    people->count = 0;
    roster_clear(&people->roster);
}

/* ---- Who is ignored ---- */

static bool name_is_ignored(const struct people *people, struct span name)
{
    char clean[NAME_LEN_MAX + 1];

    name_copy_clean(clean, name);
    return ignored_has(&people->ignored, clean) && !people_is_own(people, name);
}

bool people_ignores(const struct people *people, const struct event *event)
{
    return verb_is_message(event->verb) && name_is_ignored(people, event->name);
}

/* The text of any other quit is of somebody else. */
bool people_ignores_text(const struct people *people, const struct event *event)
{
    return event->verb == VERB_QUIT && span_equal(event->word, "left") &&
           name_is_ignored(people, event->name);
}

/* ---- For completion ---- */

static void latest_begin(struct people *people, bool in_private)
{
    const struct speaker *sorted[SPEAKERS_MAX];
    struct people_latest *latest = &people->latest;

    latest->len =
        speakers_sort(&people->speakers, &people->roster, people->name, in_private, sorted);
    for (size_t i = 0; i < latest->len; i++)
        strcpy(latest->at[i], sorted[i]->name);
}

static bool latest_has(const struct people_latest *latest, const char *name)
{
    for (size_t i = 0; i < latest->len; i++) {
        if (strcasecmp(latest->at[i], name) == 0)
            return true;
    }
    return false;
}

const char *people_other(void *context, enum completion_kind kind, size_t i)
{
    struct people *people = context;
    const char *name;

    if (kind == COMPLETION_IGNORED)
        return i < people->ignored.len ? people->ignored.names[i] : NULL;
    if (i == 0)
        latest_begin(people, kind == COMPLETION_PARTNERS);
    if (i < people->latest.len)
        return people->latest.at[i];
    name = roster_other(&people->roster, people->name, i - people->latest.len);
    return name != NULL && latest_has(&people->latest, name) ? "" : name;
}

void people_free(struct people *people)
{
    roster_free(&people->roster);
}
