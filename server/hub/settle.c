/* settle.c: takes what the journal has settled, and gives what waited for it its place in the log.
 */
#include "settle.h"

#include "commands.h"
#include "connection.h"
#include "hold.h"
#include "link.h"
#include "log.h"
#include "resume.h"
#include "room.h"
#include "server/journal/journal.h"
#include "welcome.h"

/* What waited for a held line has its place now: behind everything that is settled. */
static void waiter_place(struct connections *cs, struct waiter *waiter)
{
    uint64_t head = log_head(cs->room->log);
    struct item *item;

    switch (waiter->kind) {
    case WAITER_ITEM:
        item = LIST_ENTRY(struct item, waiter, waiter);
        connection_mark(cs, LIST_ENTRY(struct connection, out.link, item->link));
        link_settle(item, head);
        break;
    case WAITER_STOP:
        link_stop(LIST_ENTRY(struct link, stop, waiter), head);
        connection_mark(
            cs, LIST_ENTRY(struct connection, out.link, LIST_ENTRY(struct link, stop, waiter)));
        break;
    case WAITER_WELCOME:
        welcome_settle(cs, LIST_ENTRY(struct welcome, waiter, waiter));
        break;
    case WAITER_RESUME:
        resume_ready(cs, LIST_ENTRY(struct connection, resumption.waiter, waiter));
        break;
    }
}

void settle_lines(struct connections *cs)
{
    struct settled line;
    struct waiter *waiter;

    while (journal_next(cs->journal, cs->room, &line)) {
        line.refused &= cs->cluster == NULL; /* the others have it */
        if (line.refused) {
            struct connection *c = connection_by_author(cs, line.author);

            if (c != NULL && !command_not_recorded(cs, c, line.end))
                return; /* no memory: in the next turn */
        }
        resume_settled(cs, line.author, line.refused);
        journal_settle(cs->journal, cs->room, &line);
        while ((waiter = hold_take(&cs->room->hold)) != NULL)
            waiter_place(cs, waiter);
    }
}
