/*
 * process.h: what the transcript's own processes have in common.
 */
#ifndef SERVER_JOURNAL_PROCESS_H
#define SERVER_JOURNAL_PROCESS_H

#include "compat/compat.h"

/*
 * Ignores the signals that are meant for the hub, because a process group or a whole service can
 * get them, and those that are errors of a call; shows name in ps(1).
 */
void process_begin(const struct proctitle *, const char *name);

#endif
