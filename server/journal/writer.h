/*
 * writer.h: the process that writes the transcript, and its messages to the hub.
 *
 * The hub sends it the room's lines through a socketpair. If the hub dies, the writer first writes
 * what it has received; it holds the file's lock until then. Its messages begin with CONTROL_BYTE.
 */
#ifndef SERVER_JOURNAL_WRITER_H
#define SERVER_JOURNAL_WRITER_H

#include "compat/compat.h"

/* With a timestamp: all events up to it are in the file (with -s: on the disk), as lines or in a
 * gap line. The first message gives the end of the file as it was found. */
#define WRITER_KEPT "\001kept "
/* With a timestamp: the unanswered events up to it are not in the file. */
#define WRITER_LOST "\001lost "
/* The file has no name any more: it was removed or replaced. Another one must be opened. */
#define WRITER_GONE "\001gone\n"
/* With a text for the log. */
#define WRITER_WARN "\001warn "

/*
 * Runs the writer. Descriptor 0 is the file, locked, 1 its end of the pair. mode has two letters:
 * the sandbox, as sandbox_letter() writes it, and 's' if an event counts as kept only when it is on
 * the disk. Exits when the hub has shut down its side and everything is written, or cannot be; with
 * status 1, before it writes or answers, when it cannot enter its sandbox.
 */
_Noreturn void writer_main(const struct proctitle *, const char *path, const char *mode);

#endif
