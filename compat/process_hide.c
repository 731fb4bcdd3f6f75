/* Memory that nobody else is to see: see compat.h. */
#include "os.h"

#include "compat.h"

#include <sys/resource.h>

#if defined(__linux__)

#include <sys/prctl.h>

static void refuse_tracers(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

#elif defined(__FreeBSD__)

#include <sys/procctl.h>
#include <unistd.h>

static void refuse_tracers(void)
{
    int value = PROC_TRACE_CTL_DISABLE;

    (void)procctl(P_PID, getpid(), PROC_TRACE_CTL, &value);
}

#else

static void refuse_tracers(void)
{
}

#endif

void process_hide(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    refuse_tracers();
}
