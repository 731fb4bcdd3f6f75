/* OpenBSD's filter: see sandbox.h. */
#include "sandbox.h"

#if defined(__OpenBSD__)

#include <unistd.h>

/* In OpenBSD's header where no POSIX version is asked for. */
int pledge(const char *, const char *);

bool sandbox_filter_exists(void)
{
    return true;
}

/* The smallest promise: what is open can be read, written, polled and shut down. The engine can
 * connect, too, and look up names. */
bool sandbox_set_filter(enum sandbox_role role)
{
    return pledge(role == SANDBOX_ENGINE ? "stdio inet dns" : "stdio", "") == 0;
}

#endif
