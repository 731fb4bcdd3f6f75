/*
 * process.h: the common start of the transcript's processes.
 */
#ifndef SERVER_JOURNAL_PROCESS_H
#define SERVER_JOURNAL_PROCESS_H

#include "compat/compat.h"

/*
 * Ignores the signals that are meant for the hub but reach a whole process group or service, and
 * SIGPIPE and SIGXFSZ, whose system call fails as well; shows name in ps(1).
 */
void process_begin(const struct proctitle *, const char *name);

#endif
