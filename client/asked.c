/* asked.c: compares the name that was typed with the one that the server gave. */
#include "asked.h"

#include "../wire/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool char_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Blanks at the ends are not worth a word. */
static struct span blanks_strip(struct span text)
{
    while (text.len > 0 && char_is_blank(text.at[text.len - 1]))
        text.len--;
    while (text.len > 0 && char_is_blank(*text.at))
        text = (struct span){text.at + 1, text.len - 1};
    return text;
}

void asked_set(struct asked *asked, struct span typed)
{
    struct span text = blanks_strip(typed);
    size_t shown = text_cut(text.at, text.len, ASKED_SHOWN);
    size_t len = text_clean(asked->typed, text.at, shown);

    memcpy(asked->typed + len, shown < text.len ? "..." : "", shown < text.len ? 4 : 1);
    name_clean(asked->name, typed.at, typed.len);
    if (asked->name[0] == '\0' || strcmp(asked->typed, asked->name) == 0)
        asked->typed[0] = '\0';
}

/* NAME_2, NAME_3, ...: the base may have been shortened. */
static bool name_has_suffix(const char *name, const char *asked)
{
    const char *suffix = strrchr(name, '_');
    size_t base = suffix != NULL ? (size_t)(suffix - name) : 0;

    return base > 0 && suffix[1] != '\0' && suffix[1 + strspn(suffix + 1, "0123456789")] == '\0' &&
           strncasecmp(asked, name, base) == 0;
}

void asked_explain(const struct asked *asked, const char *name, char out[ASKED_WHY_MAX])
{
    bool same = strcasecmp(asked->name, name) == 0;
    const char *why = " is not available; ";

    *out = '\0';
    if (asked->name[0] == '\0' || (same && asked->typed[0] == '\0'))
        return;
    if (same)
        why = " cannot be a name; ";
    else if (name_has_suffix(name, asked->name))
        why = " is taken; ";
    snprintf(out, ASKED_WHY_MAX, "%s%s", same ? asked->typed : asked->name, why);
}
