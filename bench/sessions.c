/* sessions.c: the workloads of members that come and go, or do nothing. */
#include "bench/load.h"

#include <stdlib.h>

/* The very large room: how many log in at once, how much each speaker says there, and how often a
 * member that stays says something while the others leave. */
#define FILL_FLIGHT 512
#define FILL_TEXTS 20
#define LEAVE_PERIOD_NS (20ull * NS_PER_MS)
#define LEAVE_MIN_NS (2ull * NS_PER_S)
#define LEAVE_MAX_NS (60ull * NS_PER_S)
/* After the last login: a worker may have a last look at its timers some seconds later. */
#define IDLE_SETTLE_NS (12ull * NS_PER_S)

static double seconds_since(uint64_t start)
{
    return (double)(clock_now() - start) / NS_PER_S;
}

static void crowd_wait(struct crowd *c, uint64_t ns)
{
    uint64_t start = clock_now();
    while (clock_now() - start < ns)
        crowd_turn(c, (int)((ns - (clock_now() - start)) / NS_PER_MS) + 1);
}

bool run_login(struct load *l, const char *arg)
{
    struct crowd *c = &l->crowd;
    unsigned processes = server_processes(&l->server);
    struct meter m;
    (void)arg;
    c->leave_at_once = true;
    meter_begin(&m, &l->server);
    bool ok = crowd_join(c);
    report(l->cell, "logins_per_s", (double)c->ready / seconds_since(m.time));
    /* The processor time of the last ones is known when they have been reaped. */
    for (int i = 0; i < 100 && server_processes(&l->server) > processes; i++)
        crowd_turn(c, 20);
    meter_report(&m, &l->server, l->cell, c->ready, 0);
    report(l->cell, "dropped", (double)c->faults.dropped);
    return ok && c->faults.dropped == 0;
}

static void memory_report(const struct load *l, const struct memory *before)
{
    struct memory after;
    server_memory(&l->server, &after);
    double kernel = ((double)after.kernel_kib - (double)before->kernel_kib) / l->members;
    double pss = ((double)after.pss_kib - (double)before->pss_kib) / l->members;
    report(l->cell, "processes", after.processes);
    report(l->cell, "kernel_kib", kernel);
    if (after.pss_kib != UINT64_MAX && before->pss_kib != UINT64_MAX) {
        report(l->cell, "pss_kib", pss);
        report(l->cell, "memory_kib", pss + kernel);
    }
}

bool run_memory(struct load *l, const char *arg)
{
    struct memory before;
    (void)arg;
    server_memory(&l->server, &before);
    if (!crowd_join(&l->crowd) || !crowd_settle(&l->crowd, QUIET_MS))
        return false;
    memory_report(l, &before);
    return true;
}

/* ---- The very large room -------------------------------------------------------------------- */

static bool fill_talk(struct load *l)
{
    struct crowd *c = &l->crowd;
    struct account account;
    uint64_t start = clock_now();
    struct cpu before = server_cpu(&l->server);
    account_begin(&account, c);
    for (unsigned i = 0; i < c->speaker_count; i++)
        crowd_say(c, i, FILL_TEXTS);
    crowd_finish(c);
    double time = (double)(c->received_at - start) / NS_PER_S;
    double received = (double)(c->received - account.received);
    double cpu = (double)(server_cpu(&l->server).all - before.all);
    report(l->cell, "talk_s", time);
    report(l->cell, "deliveries_per_s", received / time);
    report(l->cell, "talk_cpu_us", cpu / 1000 / received);
    return account_report(&account, l);
}

/* Everybody but one leaves in the same instant; it goes on talking. */
static void fill_leave(struct load *l)
{
    struct crowd *c = &l->crowd;
    struct speaker *s = &c->speakers[0];
    uint64_t start = clock_now();
    uint64_t said_at = start;
    uint64_t worst = 0;
    uint32_t before = s->said;
    for (unsigned i = 1; i < l->members; i++)
        crowd_leave(c, i);
    report(l->cell, "leave_closed_s", seconds_since(start));
    crowd_alarm(c, start, LEAVE_PERIOD_NS);
    while (clock_now() - start < LEAVE_MAX_NS && c->members[0].fd >= 0) {
        bool gone = !c->wire->list || c->members[0].quits == l->members - 1;
        if (gone && clock_now() - start > LEAVE_MIN_NS && s->said == s->answered)
            break;
        if (s->said == s->answered && c->alarms > 0) {
            c->alarms = 0;
            said_at = clock_now();
            crowd_say(c, 0, 1);
        }
        uint32_t answered = s->answered;
        crowd_turn(c, 100);
        uint64_t delay = clock_now() - said_at;
        if (s->answered != answered && delay > worst)
            worst = delay;
    }
    report(l->cell, "leave_s", seconds_since(start));
    report(l->cell, "leave_worst_ms", (double)worst / NS_PER_MS);
    report(l->cell, "leave_echoes", s->answered - before);
}

bool run_fill(struct load *l, const char *arg)
{
    struct crowd *c = &l->crowd;
    struct memory before;
    struct meter m;
    (void)arg;
    server_memory(&l->server, &before);
    meter_begin(&m, &l->server);
    c->flight = FILL_FLIGHT;
    if (!crowd_join(c))
        return false;
    report(l->cell, "in_s", seconds_since(m.time));
    if (!crowd_settle(c, QUIET_MS))
        return false;
    report(l->cell, "listed_s", seconds_since(m.time) - QUIET_MS / 1000.0);
    report(l->cell, "listed_gb", (double)c->received_bytes / 1e9);
    meter_report(&m, &l->server, l->cell, l->members, 0);
    memory_report(l, &before);
    bool ok = fill_talk(l);
    fill_leave(l);
    return ok;
}

/* ---- Silence -------------------------------------------------------------------------------- */

bool run_idle(struct load *l, const char *arg)
{
    double seconds = arg ? atof(arg) : 30;
    struct account account;
    uint64_t hub_before;
    uint64_t hub;
    crowd_wait(&l->crowd, IDLE_SETTLE_NS);
    account_begin(&account, &l->crowd);
    uint64_t before = server_switches(&l->server, &hub_before);
    struct cpu cpu = server_cpu(&l->server);
    crowd_wait(&l->crowd, (uint64_t)(seconds * NS_PER_S));
    uint64_t switches = server_switches(&l->server, &hub) - before;
    report(l->cell, "switches", (double)switches);
    report(l->cell, "hub_switches", (double)(hub - hub_before));
    report(l->cell, "cpu_ms", (double)(server_cpu(&l->server).all - cpu.all) / NS_PER_MS);
    report(l->cell, "idle_s", seconds);
    return account_report(&account, l);
}
