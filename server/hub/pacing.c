/* pacing.c: an array of slots of time, each with the wait that was spent in it. */
#include "pacing.h"

#include <string.h>

void pacing_init(struct pacing *p, uint64_t limit_us)
{
    memset(p, 0, sizeof(*p));
    p->limit = limit_us;
}

/* The slot that now is in has only begun: all the others together are ten limits. */
static uint64_t slot_at(const struct pacing *p, uint64_t now)
{
    return now / (10 * p->limit / (PACING_SLOTS - 1) + 1);
}

/* Forgets what has become older than the window. */
static void move_on(struct pacing *p, uint64_t now)
{
    uint64_t slot = slot_at(p, now);

    if (slot > p->slot + PACING_SLOTS)
        p->slot = slot - PACING_SLOTS;
    while (p->slot < slot) {
        p->slot++;
        p->sum -= p->waited[p->slot % PACING_SLOTS];
        p->waited[p->slot % PACING_SLOTS] = 0;
    }
}

void pacing_wait(struct pacing *p, uint64_t now, uint64_t took)
{
    move_on(p, now);
    p->waited[p->slot % PACING_SLOTS] += took;
    p->sum += took;
}

uint64_t pacing_left(struct pacing *p, uint64_t now)
{
    move_on(p, now);
    return p->sum >= p->limit ? 0 : p->limit - p->sum;
}
