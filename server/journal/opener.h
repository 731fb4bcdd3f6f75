/*
 * opener.h: a process that opens the transcript again and passes the descriptor to the parent,
 * which must not do that itself: open(2) can wait for a disk that hangs.
 */
#ifndef SERVER_JOURNAL_OPENER_H
#define SERVER_JOURNAL_OPENER_H

#include <stdbool.h>

#include "transcript.h"

/*
 * Runs the process. Descriptor 0 is the present file, 1 its end of the pair. It opens and locks
 * path, unless that is the same file. sync: it also synchronizes the directory.
 */
_Noreturn void opener_main(const char *path, bool sync);

/*
 * To be called when the process has exited: reads its result from the other end of the pair.
 * Returns the open file; then why is a warning, or empty. Or -1; then why is the reason, or empty
 * if path still is the present file.
 */
int opener_result(int pair, char why[TRANSCRIPT_WHY_MAX]);

#endif
