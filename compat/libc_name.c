/* Which C library this is: see compat.h. */
#include "os.h"

#include "compat.h"

#include <stdio.h>

#if defined(__GLIBC__)

#include <gnu/libc-version.h>

void libc_name(char *out, size_t size)
{
    snprintf(out, size, "glibc %s", gnu_get_libc_version());
}

#elif defined(__linux__)

/* It has no name and no version for programs to ask for. */
void libc_name(char *out, size_t size)
{
    snprintf(out, size, "musl or another libc");
}

#else

#include <sys/utsname.h>

/* The system and its C library are one. */
void libc_name(char *out, size_t size)
{
    struct utsname name;

    if (uname(&name) == -1)
        snprintf(out, size, "unknown libc");
    else
        snprintf(out, size, "%s %s", name.sysname, name.release);
}

#endif
