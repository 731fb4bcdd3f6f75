/*
 * sandbox.h: what a worker gives up before it reads the first byte of its client.
 *
 * sandbox.c is the order of things; sandbox_limits.c is for every system; one of sandbox_seccomp.c
 * (Linux), sandbox_pledge.c (OpenBSD) and sandbox_none.c provides the filter.
 *
 * Inside the filter a process can receive from 0 and from 1, send to 1, shut 0 down, poll, look at
 * the clock and exit; never send to its client, and never pass a descriptor or get one. Any other
 * system call ends the process with SIGSYS (SIGABRT on OpenBSD, where more is allowed), abort() and
 * malloc() included. Call socket_recv() and the others of compat.h, not recv(): see there.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

enum sandbox_tier {
    SANDBOX_NONE,   /* no restriction: for sanitizers and valgrind, which need more system calls */
    SANDBOX_LIMITS, /* no core, no files, no further descriptors or processes (root may) */
    SANDBOX_FILTER  /* the limits, and only the system calls above */
};

/* Restricts this process, for good. False where not all of that could be done. */
bool sandbox_enter(enum sandbox_tier);

/* The most that sandbox_enter() can do on this system, found out without entering. */
enum sandbox_tier sandbox_probe(void);

/* "none", "limits" or "filter", for the log. */
const char *sandbox_name(enum sandbox_tier);

/* How the parent tells a worker what to enter. From a letter that is none: false. */
char sandbox_letter(enum sandbox_tier);
bool sandbox_from_letter(char letter, enum sandbox_tier *);

/* ---- Between the sandbox's own files --------------------------------------------------------- */

/* Lowers the resource limits, soft and hard. False where one of them could not be. */
bool sandbox_set_limits(void);

/* Whether this system has a filter. */
bool sandbox_filter_exists(void);
/* Puts it in force, for good. False where that failed. */
bool sandbox_set_filter(void);

#endif
