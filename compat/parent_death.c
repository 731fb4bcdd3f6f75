/* A stopped process whose parent dies: see compat.h. */
#include "os.h"

#include "compat.h"

#include <signal.h>

#if defined(__linux__)

#include <sys/prctl.h>

void parent_death_continues(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0);
}

#elif defined(__FreeBSD__)

#include <sys/procctl.h>

void parent_death_continues(void)
{
    int sig = SIGCONT;

    (void)procctl(P_PID, 0, PROC_PDEATHSIG_CTL, &sig);
}

#else

void parent_death_continues(void)
{
}

#endif
