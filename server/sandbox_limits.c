/* What every system can refuse a worker: see sandbox.h. */
#include "../compat/os.h"

#include "sandbox.h"

#include <stddef.h>
#include <sys/resource.h>

bool sandbox_set_limits(void)
{
    static const struct {
        int resource;
        rlim_t most;
    } limits[] = {
        {RLIMIT_CORE, 0},   /* a dump would put a user's words on the disk */
        {RLIMIT_FSIZE, 0},  /* no byte into any file */
        {RLIMIT_NOFILE, 3}, /* 0, 1 and 2 are taken; with less, poll() refuses all three */
#ifdef RLIMIT_NPROC
        {RLIMIT_NPROC, 0},
#endif
    };
    bool all = true;

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct rlimit limit = {limits[i].most, limits[i].most};
        if (setrlimit(limits[i].resource, &limit) == -1)
            all = false;
    }
    return all;
}
