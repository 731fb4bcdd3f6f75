/*
 * sandbox.h: the rights that a process of the server gives up: a worker before it reads the first
 * byte of its client, the transcript's writer when it has found the end of its file, the cluster's
 * engine before it has heard of a server.
 *
 * sandbox.c sets the order of the steps; sandbox_limits.c works on every system; one of
 * sandbox_seccomp.c (Linux), sandbox_pledge.c (OpenBSD) and sandbox_none.c provides the filter.
 *
 * Inside the filter a process can poll, read the clock and exit, and
 * - a worker can receive from its client (0) and from the hub (1), send to the hub, and shut its
 *   client's socket down;
 * - the writer can append to its file (0), cut it, look at it and synchronize it, and receive from
 *   the hub (1) and send to it.
 * Neither can open a file or pass a descriptor, and a worker cannot send to its client. Any other
 * system call kills the process with SIGSYS (SIGABRT on OpenBSD, where more is allowed), also when
 * abort() or malloc() makes it. Call socket_recv(), file_stat() and the others of compat.h, not
 * recv() and fstat(): see there.
 *
 * The engine looks up names while it runs, and what the C library needs for that is not known here.
 * So its filter is the other way round: it can do everything but start programs and processes, look
 * into other processes, signal them and change their limits, and change the system; what is refused
 * fails with EPERM.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

/* The processes that have a sandbox. */
enum sandbox_role { SANDBOX_WORKER, SANDBOX_WRITER, SANDBOX_ENGINE };

enum sandbox_tier {
    SANDBOX_NONE,   /* no restriction: for sanitizers and valgrind, which need more system calls */
    SANDBOX_LIMITS, /* no core, no further descriptors or processes (root may); nothing is written
                       to files, but by the writer; the engine has some descriptors */
    SANDBOX_FILTER  /* the limits, and only the system calls above */
};

/* Restricts this process, for good. False with errno where not all of that could be done. */
bool sandbox_enter(enum sandbox_role, enum sandbox_tier);

/* The most that sandbox_enter() can do on this system, found out without entering. */
enum sandbox_tier sandbox_probe(void);

/* "none", "limits" or "filter", for the log. */
const char *sandbox_name(enum sandbox_tier);

/* How the parent tells such a process what to enter. From a letter that is none: false. */
char sandbox_letter(enum sandbox_tier);
bool sandbox_from_letter(char letter, enum sandbox_tier *);

/* ---- Between the sandbox's own files --------------------------------------------------------- */

/* Lowers the resource limits, soft and hard. False with errno where one of them could not be. */
bool sandbox_set_limits(enum sandbox_role);

/* Whether this system has a filter. */
bool sandbox_filter_exists(void);
/* Puts it in force, for good. False with errno where that failed. */
bool sandbox_set_filter(enum sandbox_role);

#endif
