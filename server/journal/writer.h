/*
 * writer.h: the process that writes the transcript, and its words to the hub.
 *
 * The hub hands it the room's lines through a socket pair. It outlives the hub to write what it was
 * handed, and holds the file's lock until then. Its answers begin with CONTROL_BYTE.
 */
#ifndef SERVER_JOURNAL_WRITER_H
#define SERVER_JOURNAL_WRITER_H

#include "compat/compat.h"

/* With a timestamp: the file accounts for all events up to it (with -s: the disk does), as lines or
 * in a gap line. The first word gives the end of the file as it was found. */
#define WRITER_KEPT "\001kept "
/* With a timestamp: the events up to it that were not answered yet are not in the file. */
#define WRITER_LOST "\001lost "
/* The file has no name any more: it was removed, or replaced. Only another file helps. */
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
