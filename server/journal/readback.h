/*
 * readback.h: reads the end of the transcript back into the room at a start.
 */
#ifndef SERVER_JOURNAL_READBACK_H
#define SERVER_JOURNAL_READBACK_H

#include <stdbool.h>

struct hub;
struct report;

/*
 * fd: the transcript, locked. Cuts off what stands behind its last line end, gives the hub the
 * events at its end, as many bytes of the file as the hub's log holds, and appends a quit for
 * all who are in the room by these events. Returns false after a report.
 */
bool readback(int fd, const char *path, struct hub *, const struct report *);

#endif
