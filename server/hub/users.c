/* users.c: writes the users list. */
#include "users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "room.h"

/* The most a list can take: every name on a line with its share of the lines' heads. */
static size_t list_size(size_t members)
{
    size_t names = (members + 1) * (NAME_LEN_MAX + 1);

    return names + (names / (LINE_HERE_MAX - 2 * STAMP_LEN - NAME_LEN_MAX) + 2) * (2 * STAMP_LEN);
}

struct shared *users_new(const struct room *room, size_t more)
{
    struct shared *list = malloc(sizeof(*list) + list_size(room->member_count + more));

    if (list != NULL)
        *list = (struct shared){.refs = 1};
    return list;
}

void users_write(const struct room *room, struct shared *list, uint64_t wall)
{
    char stamp[STAMP_LEN + 1] = {0};
    size_t line = 0; /* bytes of the line that is being written */
    char *at = list->bytes;

    stamp_format(stamp, room_time(room, wall));
    for (const struct list *entry = room->members.next; entry != &room->members;
         entry = entry->next) {
        const struct person *person = LIST_ENTRY(const struct person, entry, entry);
        size_t len = strlen(person->name);

        if (line != 0 && line + len + 2 > LINE_HERE_MAX) {
            *at++ = '\n';
            line = 0;
        }
        if (line == 0) {
            line = (size_t)sprintf(at, "%s here", stamp);
            at += line;
        }
        *at++ = ' ';
        memcpy(at, person->name, len);
        at += len;
        line += len + 1;
    }
    at += sprintf(at, "%s%s users %zu\n", line != 0 ? "\n" : "", stamp, room->member_count);
    list->len = (size_t)(at - list->bytes);
}

struct shared *users_now(struct room *room, uint64_t wall)
{
    if (room->users == NULL && (room->users = users_new(room, 0)) != NULL)
        users_write(room, room->users, wall);
    return room->users;
}

void users_forget(struct room *room)
{
    shared_release(room->users);
    room->users = NULL;
}
