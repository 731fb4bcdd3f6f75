/* No filter: for systems of which neither sandbox_seccomp.c nor sandbox_pledge.c knows one. */
#include "sandbox.h"
#include "seccomp_arch.h"

#if !defined(SECCOMP_ARCH) && !defined(__OpenBSD__)

#include <errno.h>

bool sandbox_filter_exists(void)
{
    return false;
}

bool sandbox_set_filter(enum sandbox_role role)
{
    (void)role;
    errno = ENOSYS;
    return false;
}

#endif
