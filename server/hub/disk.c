/* disk.c: notes that do not wait behind the lines that wait. */
#include "disk.h"

#include "connection.h"
#include "server/journal/journal.h"

static bool disk_hangs(const struct connections *cs)
{
    return cs->journal->health == JOURNAL_HANGING;
}

static void disk_note(struct connections *cs, struct connection *c)
{
    struct item *item = item_text(connections_time(cs), "note %s",
        disk_hangs(cs) ? "the disk of this server does not answer: messages and logins wait for it"
                       : "the disk of this server answers again");

    if (item != NULL)
        connection_put_now(cs, c, item);
}

/* Posters get the answers to their lines, and nothing else. */
static bool is_told(const struct connection *c)
{
    return c->session == SESSION_MEMBER ||
           (connection_is_entering(c) && (c->prepared.wishes & WISH_POST) == 0);
}

void disk_turn(struct connections *cs, bool *told)
{
    if (*told == disk_hangs(cs))
        return;
    *told = disk_hangs(cs);
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);

        if (is_told(c))
            disk_note(cs, c);
    }
}

void disk_tell(struct connections *cs, struct connection *c)
{
    if (disk_hangs(cs) && is_told(c))
        disk_note(cs, c);
}
