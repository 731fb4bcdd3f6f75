/* capacity.c: limits of descriptors and processes, raised as far as they can be. */
#include "capacity.h"

#include <sys/resource.h>
#include <syslog.h>

#include "compat/compat.h"
#include "refusal.h"

/* Descriptors of no client: about 12 that are open in any case, with the standard three, the
 * poller, files and listeners; 8 of lookups; and what a start of a worker, a change of the
 * transcript and new rules take for a moment. */
#define DESCRIPTORS_SPARE 32
#define DESCRIPTORS_RESERVED (DESCRIPTORS_SPARE + REFUSALS_MAX)
#define DESCRIPTORS_MIN (DESCRIPTORS_RESERVED + 2 * CAPACITY_DESCRIPTORS_EACH)
/* Processes of no client: the hub, the writer, 8 lookups, and others that live for a moment. */
#define PROCESSES_RESERVED 16
#define CLIENTS_MAX 1000000

static void limit_raise(int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == -1)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(resource, &limit);
}

static bool report_too_few(
    const struct report *r, const char *name, unsigned long have, const char *what, int need)
{
    report(r, LOG_ERR, "%s: %lu %s are too few, %d are needed", name, have, what, need);
    return false;
}

static void capacity_lower(struct capacity *c, unsigned long clients, const char *bound)
{
    if (clients < c->clients)
        *c = (struct capacity){.clients = (size_t)clients, .bound = bound};
}

static bool count_descriptors(struct capacity *c, unsigned helpers, const struct report *r)
{
    static const char name[] = "RLIMIT_NOFILE";
    struct rlimit files = {.rlim_cur = DESCRIPTORS_MIN + helpers};

    limit_raise(RLIMIT_NOFILE);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < DESCRIPTORS_MIN + helpers)
        return report_too_few(
            r, name, (unsigned long)files.rlim_cur, "descriptors", DESCRIPTORS_MIN + (int)helpers);
    files.rlim_cur -= DESCRIPTORS_RESERVED + helpers;
    capacity_lower(c, (unsigned long)(files.rlim_cur / CAPACITY_DESCRIPTORS_EACH), name);
    return true;
}

static bool count_processes(
    struct capacity *c, bool privileged, unsigned helpers, const struct report *r)
{
    struct process_limit limit;

#ifdef RLIMIT_NPROC
    limit_raise(RLIMIT_NPROC);
#endif
    limit = process_limit(privileged);
    if (limit.count <= PROCESSES_RESERVED + helpers)
        return report_too_few(
            r, limit.name, limit.count, "processes", PROCESSES_RESERVED + (int)helpers + 1);
    capacity_lower(c, limit.count - PROCESSES_RESERVED - helpers, limit.name);
    return true;
}

bool capacity_find(struct capacity *c, bool privileged, unsigned helpers, const struct report *r)
{
    *c = (struct capacity){.clients = CLIENTS_MAX, .bound = "chatd"};
    return count_descriptors(c, helpers, r) && count_processes(c, privileged, helpers, r);
}
