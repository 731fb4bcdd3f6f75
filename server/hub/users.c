/*
 * users.c: the users list as `here` lines and `users N`. In a turn it is written once for all who
 * ask, and once, when all of them are in, for those who come: see login_all().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub_private.h"

void users_changed(struct hub *hub)
{
    blob_release(hub->list);
    hub->list = NULL;
}

/* The most a list can take: every name on a line with its share of the lines' heads. */
static size_t list_size(size_t members)
{
    size_t names = (members + 1) * (NAME_LEN_MAX + 1);

    return names + (names / (LINE_HERE_MAX - 2 * STAMP_LEN - NAME_LEN_MAX) + 2) * (2 * STAMP_LEN);
}

struct blob *users_new(const struct hub *hub, size_t more)
{
    struct blob *list = malloc(sizeof(*list) + list_size(hub->members + more));

    if (list != NULL)
        *list = (struct blob){.refs = 1};
    return list;
}

void users_write(struct hub *hub, struct blob *list)
{
    char stamp[STAMP_LEN + 1] = {0};
    size_t line = 0; /* bytes of the line that is being written */
    char *at = list->bytes;

    hub_stamp_text(hub, stamp);
    for (struct member *m = hub->first; m != NULL; m = m->next) {
        size_t len;

        if (!m->seated)
            continue;
        len = strlen(m->name);
        if (line != 0 && line + len + 2 > LINE_HERE_MAX) {
            *at++ = '\n';
            line = 0;
        }
        if (line == 0) {
            line = (size_t)sprintf(at, "%s here", stamp);
            at += line;
        }
        *at++ = ' ';
        memcpy(at, m->name, len);
        at += len;
        line += len + 1;
    }
    at += sprintf(at, "%s%s users %zu\n", line != 0 ? "\n" : "", stamp, hub->members);
    list->len = (size_t)(at - list->bytes);
}

/* As it is now; all who ask in one turn share it. */
static struct blob *list_now(struct hub *hub)
{
    if (hub->list == NULL && (hub->list = users_new(hub, 0)) != NULL)
        users_write(hub, hub->list);
    return hub->list;
}

bool users_say(struct hub *hub, struct member *m)
{
    struct blob *list = list_now(hub);
    struct item *item = list == NULL ? NULL : item_blob(list);

    if (item == NULL)
        return false;
    outbox_put(hub, m, item);
    return true;
}
