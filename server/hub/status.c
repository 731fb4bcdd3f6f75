/* status.c: the lines of the report. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>

#include "connection.h"
#include "log.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "server/journal/journal.h"

#define SECOND_US 1000000u
#define MINUTE_US 60000000u

typedef unsigned long long ull;

static const struct connection *connection_at(const struct list *at)
{
    return LIST_ENTRY(const struct connection, all, at);
}

static void report_counters(const struct connections *cs)
{
    const struct report *r = cs->config->report;
    const struct counters *n = &cs->counters;

    report_long(r, LOG_NOTICE, "status: %zu members, %zu connections, %llu logins, %llu faults",
        cs->room->member_count, cs->count, (ull)n->logins, (ull)n->faults);
    report_long(r, LOG_NOTICE,
        "status: lines: %llu received: %llu echoed, %llu answered, %llu refused, %llu goodbyes, "
        "%llu discarded",
        (ull)n->received, (ull)n->echoed, (ull)n->answered, (ull)n->refused, (ull)n->ended,
        (ull)n->discarded);
}

/* What is held for single connections; the log is the rest of what grows. */
static void report_memory(const struct connections *cs)
{
    const struct report *r = cs->config->report;
    const struct log *log = cs->room->log;
    struct rusage usage;
    size_t queued = 0;
    size_t held = 0;

    for (const struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        queued += connection_at(at)->out.link.bytes;
        held += connection_at(at)->in.held_len;
    }
    report_long(r, LOG_NOTICE, "status: log: %llu of %zu bytes, %llu bytes so far",
        (ull)(log_head(log) - log_tail(log)), log_size(log), (ull)log_head(log));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        report_long(r, LOG_NOTICE,
            "status: memory: %zu bytes queued, %zu bytes held, at most %ld kB resident", queued,
            held, usage.ru_maxrss);
}

static void report_transcript(const struct connections *cs)
{
    static const char *const health[] = {
        [JOURNAL_WELL] = "well",
        [JOURNAL_SLOW] = "slow",
        [JOURNAL_HANGING] = "hanging",
        [JOURNAL_FAILING] = "failing",
        [JOURNAL_GONE] = "its file was removed",
    };
    const struct journal *j = cs->journal;

    if (j->state != JOURNAL_NONE)
        report_long(cs->config->report, LOG_NOTICE, "status: transcript: %llu bytes behind, %s",
            (ull)(log_head(room_lines(cs->room)) - j->kept),
            !journal_has_writer(j) ? "without a writer" : health[j->health]);
}

static uint64_t seconds_since(uint64_t then, uint64_t now)
{
    return now > then ? (now - then) / SECOND_US : 0;
}

/* How long ago, by the stream's clock, something of the node was stored. */
static ull heard_ago(const struct nodes *nodes, const struct node *node)
{
    return seconds_since(node->heard, nodes->clock);
}

/* All that were not forgotten, as they are in what was read of the stream. */
static void report_nodes(const struct connections *cs)
{
    static const char *const states[] = {
        [NODE_OFF] = "gone", [NODE_RUNNING] = "running", [NODE_ENDING] = "ending"};
    const struct nodes *nodes = &cs->room->nodes;

    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;) {
        size_t persons = 0;

        for (struct list *p = node->persons.next; p != &node->persons; p = p->next)
            persons++;
        report_long(cs->config->report, LOG_NOTICE,
            "status: node %s: %s, incarnation %llu, %zu persons, heard of %llu s ago, reads form "
            "%u, state %016llx at message %llu",
            node->name, states[node->state], (ull)node->incarnation.number, persons,
            heard_ago(nodes, node), node->reads, (ull)node->told_hash, (ull)node->told_place);
    }
}

/* Appends what fits. */
static void text_append(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void text_append(char *out, size_t size, const char *format, ...)
{
    size_t len = strlen(out);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(out + len, size - len, format, ap);
    va_end(ap);
}

void status_describe_cluster(const struct connections *cs, char *out, size_t size)
{
    const struct cluster *c = cs->cluster;
    const struct nodes *nodes = &cs->room->nodes;

    out[0] = '\0';
    if (c == NULL)
        return;
    text_append(out, size, "node %.*s of room %.*s, %s%s%s, last message %llu s old",
        (int)c->config.node.len, c->config.node.at, (int)c->config.room.len, c->config.room.at,
        cluster_is_well(c) ? "ready" : "not ready", c->engine.text[0] != '\0' ? ": " : "",
        c->engine.text, (ull)seconds_since(nodes->time, cs->turn.wall));
    for (const struct node *node = NULL; (node = nodes_next(nodes, node)) != NULL;) {
        text_append(
            out, size, "; %s, incarnation %llu: ", node->name, (ull)node->incarnation.number);
        if (node->state == NODE_RUNNING)
            text_append(out, size, "%llu s ago", heard_ago(nodes, node));
        else
            text_append(out, size, "gone");
    }
}

static void report_cluster(const struct connections *cs)
{
    static const char *const states[] = {
        [CLUSTER_LOADING] = "loading",
        [CLUSTER_REWINDING] = "rewinding",
        [CLUSTER_STARTING] = "starting",
        [CLUSTER_RUNNING] = "running",
        [CLUSTER_LOST] = "lost",
        [CLUSTER_STOPPING] = "stopping",
        [CLUSTER_ENDED] = "ended",
    };
    const struct cluster *c = cs->cluster;
    size_t here = 0;

    if (c == NULL)
        return;
    for (const struct list *at = cs->all.next; at != &cs->all; at = at->next)
        here += connection_at(at)->session == SESSION_MEMBER;
    report_long(cs->config->report, LOG_NOTICE,
        "status: cluster: node %.*s of room %.*s, %s, %zu members are here, "
        "%llu messages read, %zu requests (%zu bytes) under way",
        (int)c->config.node.len, c->config.node.at, (int)c->config.room.len, c->config.room.at,
        states[c->state], here, (ull)c->inbox.sequence, c->outbox.count, c->outbox.bytes);
    report_long(cs->config->report, LOG_NOTICE, "status: cluster: %s%s%s",
        cluster_is_well(c) ? "ready" : "not ready", c->engine.text[0] != '\0' ? ": " : "",
        c->engine.text);
    report_long(cs->config->report, LOG_NOTICE,
        "status: cluster: last message %llu s old, nothing has come back for %llu s, form %u",
        (ull)seconds_since(cs->room->nodes.time, cs->turn.wall),
        (ull)(c->waits_since == 0 ? 0 : seconds_since(c->waits_since, cs->turn.now)),
        cs->room->nodes.form);
    report_nodes(cs);
}

/* How far the client is behind, and since when it has taken nothing. */
static void report_connection(const struct connections *cs, const struct connection *c)
{
    static const char *const states[] = {
        [SESSION_PREPARING] = "preparing",
        [SESSION_NAMED] = "named",
        [SESSION_WELCOME] = "named",
        [SESSION_MEMBER] = "joined",
        [SESSION_POSTER] = "posting",
        [SESSION_LEFT] = "leaving",
    };
    const struct log *log = cs->room->log;
    const struct link *link = &c->out.link;
    uint64_t head = log_head(log);
    uint64_t at = link_needs(link);
    uint64_t idle = 0;

    if (at > head)
        at = head;
    if (at < log_tail(log))
        at = log_tail(log);
    if (at < head || link->bytes > 0)
        idle = cs->turn.now - link->progress;
    report_long(cs->config->report, LOG_NOTICE,
        "status: %s %s: %s, pid %ld, %llu s here, %llu events (%llu bytes) behind, "
        "%zu bytes queued, stuck for %llu s, %llu lines, %llu events skipped",
        c->peer, c->person != NULL ? c->person->name : "-", states[c->session], (long)c->worker.pid,
        (ull)((cs->turn.now - c->arrived) / 1000000u),
        (ull)(log_count(log, head) - log_count(log, at)), (ull)(head - at), link->bytes,
        (ull)(idle / 1000000u), (ull)c->in.lines, (ull)link->skipped);
}

/* How long each ban is still in force, in minutes that have begun. */
static void report_bans(const struct connections *cs)
{
    const struct list *all = &cs->bans.all;

    for (const struct list *at = all->next; at != all; at = at->next) {
        const struct ban *ban = LIST_ENTRY(const struct ban, all, at);
        char source[SOURCE_TEXT_MAX];

        if (ban->until <= cs->turn.now)
            continue;
        source_format(source, &ban->key);
        report_long(cs->config->report, LOG_NOTICE, "status: ban: %s (%s), %llu minutes left",
            ban->name, source, (ull)((ban->until - cs->turn.now + MINUTE_US - 1) / MINUTE_US));
    }
}

void status_report(const struct connections *cs)
{
    report_counters(cs);
    report_memory(cs);
    report_transcript(cs);
    report_cluster(cs);
    report_bans(cs);
    for (const struct list *at = cs->all.next; at != &cs->all; at = at->next)
        report_connection(cs, connection_at(at));
}
