/* What every system can refuse a process: see sandbox.h. */
#include "compat/os.h"

#include "sandbox.h"

#include <sys/resource.h>

bool sandbox_set_limits(enum sandbox_role role)
{
    const struct rlimit nothing = {0, 0};
    /* 0, 1 and 2 are taken. With less, poll() would refuse to look at all three. */
    const struct rlimit descriptors = {3, 3};
    /* For a connection, and for the files and sockets by which names are looked up. */
    const struct rlimit engines = {32, 32};

    /* A dump would put users' messages on the disk. */
    bool core = setrlimit(RLIMIT_CORE, &nothing) == 0;
    bool files = role == SANDBOX_WRITER || setrlimit(RLIMIT_FSIZE, &nothing) == 0;
    bool opening = setrlimit(RLIMIT_NOFILE, role == SANDBOX_ENGINE ? &engines : &descriptors) == 0;
#ifdef RLIMIT_NPROC
    bool processes = setrlimit(RLIMIT_NPROC, &nothing) == 0;
#else
    bool processes = true;
#endif
    return core && files && opening && processes;
}
