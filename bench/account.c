#include "bench/load.h"

/* Nothing comes any more after that long: longer than any server waits for a slow reader. */
#define SILENCE_NS (4ull * NS_PER_S)
#define FINISH_NS (8ull * NS_PER_S)

void account_begin(struct account *a, const struct crowd *c)
{
    a->received = c->received;
    a->expected = crowd_expected(c);
    a->faults = c->faults;
}

static struct faults faults_since(const struct faults *now, const struct faults *then)
{
    return (struct faults){
        .doubled = now->doubled - then->doubled,
        .disordered = now->disordered - then->disordered,
        .torn = now->torn - then->torn,
        .skipped = now->skipped - then->skipped,
        .refused = now->refused - then->refused,
        .dropped = now->dropped - then->dropped,
    };
}

static void faults_report(const struct faults *f, const char *cell)
{
    report(cell, "doubled", (double)f->doubled);
    report(cell, "disordered", (double)f->disordered);
    report(cell, "torn", (double)f->torn);
    report(cell, "skipped", (double)f->skipped);
    report(cell, "refused", (double)f->refused);
    report(cell, "dropped", (double)f->dropped);
}

bool account_report(const struct account *a, const struct load *l)
{
    const struct crowd *c = &l->crowd;
    struct faults f = faults_since(&c->faults, &a->faults);
    uint64_t received = c->received - a->received;
    uint64_t expected = crowd_expected(c) - a->expected;
    uint64_t once = received - f.doubled;
    uint64_t missing = expected > once ? expected - once : 0;
    /* Texts that a gap announced are not lost; nor are those that are still being received. */
    uint64_t unexplained = missing > f.skipped ? missing - f.skipped : 0;
    uint64_t lost = clock_now() - c->received_at >= SILENCE_NS ? unexplained : 0;
    f.disordered += missing ? 0 : crowd_disagreeing(c);
    report(l->cell, "deliveries", (double)received);
    report(l->cell, "lost", (double)lost);
    report(l->cell, "unfinished", (double)(unexplained - lost));
    faults_report(&f, l->cell);
    return unexplained + f.skipped + f.doubled + f.disordered + f.torn + f.refused + f.dropped == 0;
}

void crowd_finish(struct crowd *c)
{
    uint64_t start = clock_now();
    uint64_t silent_since = start;
    while (!crowd_is_complete(c) && clock_now() - silent_since < SILENCE_NS &&
           clock_now() - start < FINISH_NS) {
        crowd_turn(c, 100);
        silent_since = c->received_at > start ? c->received_at : start;
    }
}
