/*
 * process.h: the common start of the processes beside the hub, but for workers.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "compat/compat.h"

/*
 * Ignores the signals that are meant for the hub but reach a whole process group or service, and
 * SIGPIPE and SIGXFSZ, whose system call fails as well; shows name in ps(1).
 */
void process_begin(const struct proctitle *, const char *name);

#endif
