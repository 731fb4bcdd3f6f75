/*
 * sandbox.h: the cage a worker puts itself in before it reads the first byte of its client.
 *
 * sandbox.c is the order of things; sandbox_limits.c is for every system; one of sandbox_seccomp.c
 * (Linux), sandbox_pledge.c (OpenBSD) and sandbox_none.c provides the filter.
 *
 * What works inside, on the descriptors 0 and 1: recv, send, poll, ppoll, shutdown, getsockopt of
 * TCP_INFO, clock_gettime, returning from a signal's handler, _exit. Not sendmsg and recvmsg, so
 * that no descriptor can be passed. Any other system call ends the process with SIGSYS (SIGABRT on
 * OpenBSD, where more is allowed), abort() and malloc() included.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

enum sandbox_tier {
    SANDBOX_NONE,   /* not even the limits could be set */
    SANDBOX_LIMITS, /* no core, no files, no further descriptors or processes (root may) */
    SANDBOX_FILTER  /* and only the system calls above */
};

/*
 * Puts this process into the best cage that the system has, for good, and says which. Not for
 * sanitizers or valgrind, which need more system calls.
 */
enum sandbox_tier sandbox_enter(void);

/* What sandbox_enter() would return in a worker, found out without entering. */
enum sandbox_tier sandbox_probe(void);

/* "none", "limits" or "filter", for the log. */
const char *sandbox_name(enum sandbox_tier);

/* ---- Between the sandbox's own files --------------------------------------------------------- */

/* Where sandbox_seccomp.c is the filter: the processors whose system calls it knows. */
#if defined(__linux__) && defined(__LP64__) && (defined(__x86_64__) || defined(__AARCH64EL__))
#define SANDBOX_SECCOMP 1
#endif

/* Lowers the resource limits, soft and hard. False where one of them could not be. */
bool sandbox_set_limits(void);

/* Whether this system has a filter. */
bool sandbox_filter_exists(void);
/* Puts it in force, for good. False where that failed. */
bool sandbox_set_filter(void);

#endif
