/* capacity.c: see capacity.h. */
#include "capacity.h"

#include <sys/resource.h>
#include <syslog.h>

#include "refusal.h"

/* Descriptors of no client: the standard three, the poller, files, a start under way. */
#define SPARE 14
#define RESERVED (SPARE + REFUSALS_MAX)
/* A client's socket, and the pair to its worker. */
#define FILES_EACH 2
#define FILES_MIN (RESERVED + 2 * FILES_EACH)
#define CLIENTS_MAX 1000000

static rlim_t limit_raise(int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == -1)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(resource, &limit);
    (void)getrlimit(resource, &limit);
    return limit.rlim_cur;
}

/* Two descriptors and one process for each client. */
bool capacity_find(size_t *clients, const struct report *r)
{
    rlim_t files = limit_raise(RLIMIT_NOFILE);

    if (files < FILES_MIN) {
        report(r, LOG_ERR, "RLIMIT_NOFILE: %lu descriptors are too few, %d are needed",
            (unsigned long)files, FILES_MIN);
        return false;
    }
#ifdef RLIMIT_NPROC
    (void)limit_raise(RLIMIT_NPROC);
#endif
    files = (files - RESERVED) / FILES_EACH;
    *clients = files < CLIENTS_MAX ? (size_t)files : CLIENTS_MAX;
    return true;
}
