/*
 * opener.h: a process that opens the transcript anew and hands the open file to the hub. The hub
 * does not do that itself: open(2) can wait for a disk that hangs.
 */
#ifndef SERVER_JOURNAL_OPENER_H
#define SERVER_JOURNAL_OPENER_H

#include <stdbool.h>

#include "transcript.h"

/*
 * Runs the process. Descriptor 0 is the file that is written now, 1 its end of a pair to the hub.
 * It opens and locks path, unless that is the same file. sync: the file has its name on the disk.
 */
_Noreturn void opener_main(const char *path, bool sync);

/*
 * What the process has sent to the hub's end of the pair, when it has exited: returns the open
 * file, or -1. Then why is the reason, or empty if path is the file that is written now. Beside a
 * file it is a warning, or empty.
 */
int opener_result(int pair, char why[TRANSCRIPT_WHY_MAX]);

#endif
