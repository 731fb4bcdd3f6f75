/*
 * status.c: the hub's report to the operator: lines that begin with "status:", one for each thing
 * and one for each client.
 */
#include <sys/resource.h>
#include <syslog.h>

#include "hub_private.h"

typedef unsigned long long ull;

static void report_counters(const struct hub *hub)
{
    const struct report *r = hub->config.report;
    const struct counters *c = &hub->counters;

    report(r, LOG_NOTICE, "status: %zu members, %zu workers, %llu logins, %llu faults",
        hub->members, hub->workers, (ull)c->logins, (ull)c->faults);
    report(r, LOG_NOTICE,
        "status: lines: %llu received: %llu echoed, %llu answered, %llu refused, %llu goodbyes; "
        "%llu gaps of %llu events",
        (ull)c->received, (ull)c->echoed, (ull)c->answered, (ull)c->refused, (ull)c->ended,
        (ull)c->gaps, (ull)c->skipped);
}

/* What is held for single members; the log is the rest of what grows. */
static void report_memory(const struct hub *hub)
{
    const struct report *r = hub->config.report;
    struct rusage usage;
    size_t queued = 0;
    size_t held = 0;

    for (const struct member *m = hub->first; m != NULL; m = m->next) {
        queued += m->out.bytes;
        held += m->held_len;
    }
    report(r, LOG_NOTICE, "status: log: %llu of %zu bytes, %llu bytes so far",
        (ull)(log_head(hub->log) - log_tail(hub->log)), log_size(hub->log),
        (ull)log_head(hub->log));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        report(r, LOG_NOTICE,
            "status: memory: %zu bytes queued, %zu bytes held, at most %ld kB resident", queued,
            held, usage.ru_maxrss);
}

static void report_transcript(const struct hub *hub)
{
    const struct recorder *recorder = &hub->recorder;

    if (recorder->wanted)
        report(hub->config.report, LOG_NOTICE, "status: transcript: %llu bytes behind, %s",
            (ull)(log_head(hub->log) - recorder_needs(hub)),
            recorder->writer == NULL ? "without a writer"
            : recorder->failing      ? "failing"
            : recorder->behind       ? "slow"
                                     : "well");
}

/* How far he is behind, and since when he has taken nothing. */
static void report_member(const struct hub *hub, const struct member *m)
{
    static const char *const states[] = {"preparing", "named", "joined", "posting", "leaving"};
    uint64_t head = log_head(hub->log);
    uint64_t at = head;
    uint64_t idle = 0;

    if (m->out.reads_log && !m->deaf)
        at =
            outbox_needs(&m->out) < log_tail(hub->log) ? log_tail(hub->log) : outbox_needs(&m->out);
    if (at < head || m->out.bytes > 0)
        idle = hub->now - m->progress;
    report(hub->config.report, LOG_NOTICE,
        "status: %s %s: %s, pid %ld, %llu s here, %llu events (%llu bytes) behind, "
        "%zu bytes queued, stuck for %llu s, %llu lines, %llu events skipped",
        m->peer, m->name[0] != '\0' ? m->name : "-", states[m->state], (long)m->pid,
        (ull)((hub->now - m->arrived) / 1000000u),
        (ull)(log_count(hub->log, head) - log_count(hub->log, at)), (ull)(head - at), m->out.bytes,
        (ull)(idle / 1000000u), (ull)m->received, (ull)m->skipped);
}

void hub_report(struct hub *hub, uint64_t now)
{
    hub->now = now;
    report_counters(hub);
    report_memory(hub);
    report_transcript(hub);
    for (const struct member *m = hub->first; m != NULL; m = m->next)
        report_member(hub, m);
}
