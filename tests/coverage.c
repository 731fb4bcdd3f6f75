/*
 * coverage.c: for `make coverage`, which wraps these two calls in the programs: counters of
 * executed lines are written when a process ends by exit() and before it executes another program,
 * and here before it ends by _exit() or enters its sandbox, in which no file can be opened.
 */
#include "server/sandbox.h"

#include <stdbool.h>

void __gcov_dump(void);
void __gcov_reset(void);

_Noreturn void __real__exit(int status);
/* Weak: a test may have its own. */
_Noreturn void __wrap__exit(int status) __attribute__((weak));
int __real_execv(const char *path, char *const argv[]);
int __wrap_execv(const char *path, char *const argv[]);
bool __real_sandbox_enter(enum sandbox_role role, enum sandbox_tier tier) __attribute__((weak));
bool __wrap_sandbox_enter(enum sandbox_role role, enum sandbox_tier tier);

static bool confined;

void __wrap__exit(int status)
{
    if (!confined)
        __gcov_dump();
    __real__exit(status);
}

int __wrap_execv(const char *path, char *const argv[])
{
    __gcov_dump();
    __gcov_reset();
    return __real_execv(path, argv);
}

bool __wrap_sandbox_enter(enum sandbox_role role, enum sandbox_tier tier)
{
    __gcov_dump();
    __gcov_reset();
    confined = tier != SANDBOX_NONE;
    return __real_sandbox_enter(role, tier);
}
