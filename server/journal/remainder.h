/*
 * remainder.h: a process that hands the writer the lines that it had not taken yet when the hub
 * exited, so that a slow disk neither loses them nor delays the exit.
 */
#ifndef SERVER_JOURNAL_REMAINDER_H
#define SERVER_JOURNAL_REMAINDER_H

#include "compat/compat.h"

/* Runs the process. Descriptor 0 is a file with the lines, 1 the hub's end of the writer's pair. */
_Noreturn void remainder_main(const struct proctitle *);

#endif
