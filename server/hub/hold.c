/* hold.c: waiters in the order of their tickets, which only grow. */
#include "hold.h"

#include "log.h"

void hold_init(struct hold *hold, struct log *lines)
{
    *hold = (struct hold){.lines = lines};
    list_init(&hold->waiters);
}

void hold_free(struct hold *hold)
{
    log_free(hold->lines);
    hold->lines = NULL;
}

bool hold_is_empty(const struct hold *hold)
{
    return hold->lines == NULL || hold->settled == log_head(hold->lines);
}

void hold_wait(struct hold *hold, struct waiter *waiter, enum waiter_kind kind)
{
    waiter->ticket = log_head(hold->lines);
    waiter->kind = kind;
    list_append(&hold->waiters, &waiter->entry);
}

struct waiter *hold_take(struct hold *hold)
{
    struct waiter *first;

    if (list_is_empty(&hold->waiters))
        return NULL;
    first = LIST_ENTRY(struct waiter, entry, hold->waiters.next);
    if (first->ticket > hold->settled)
        return NULL;
    list_remove(&first->entry);
    return first;
}
