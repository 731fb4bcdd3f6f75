/*
 * transcript.h: the room's record in a file, and the process that writes it.
 *
 * The file holds the lines of the room as they are on the wire. The writer is a process of its own
 * at the end of a socketpair: one more reader of the log, that outlives the hub to write what it
 * was handed. It holds the file's lock as long as it lives; a new hub waits for it.
 *
 * What hub and writer say to each other beside the lines, see below, begins with CONTROL_BYTE.
 */
#ifndef SERVER_TRANSCRIPT_H
#define SERVER_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/compat.h"
#include "server/report.h"

struct event;

/* 9999-01-01: a line in the file that says it is later is no event. Stamps go on growing from the
 * last one, and there must be some left. */
#define TRANSCRIPT_STAMP_MAX 253370764800000000u

/* hub to writer: open the path anew; what follows goes there. */
#define WRITER_REOPEN "\001reopen\n"
/* writer to hub, with a stamp: all lines up to it are in the file (with -s: on the disk). Also
 * said at the start, of what the file ends with. */
#define WRITER_KEPT "\001kept "
/* writer to hub, with a stamp: so are they, but not those since the last answer: the file did not
 * take them. */
#define WRITER_LOST "\001lost "
/* writer to hub, with a text for the operator */
#define WRITER_WARN "\001warn "

/*
 * Opens the file for reading and appending and takes its lock, waiting some seconds for a writer
 * of an earlier hub where wait is true. Makes it where it is missing. Returns the descriptor, or -1
 * after a report.
 */
int transcript_open(const char *path, bool wait, const struct report *);

/* Parses a line of the file, without its end. False if it is none of a room, not clean, or has a
 * timestamp behind TRANSCRIPT_STAMP_MAX. */
bool transcript_parse(struct event *, const char *line, size_t len);
/* Where the first line begins: behind NUL bytes and a byte order mark. False with errno. */
bool transcript_find_begin(int fd, off_t *begin);
/* Where the last line ends, behind its LF; 0 if there is none. False with errno. */
bool transcript_find_end(int fd, off_t *end);

/*
 * The writer: 0 is the file, locked, 1 its end of the pair. sync: a line counts as kept when it is
 * on the disk. Ends when the hub has closed its side and everything is written.
 */
_Noreturn void transcript_writer_main(const struct proctitle *, const char *path, bool sync);

#endif
