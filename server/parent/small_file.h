/*
 * small_file.h: reads what the operator has written for the server: a file, a FIFO, or the
 * descriptor that a shell makes of <(command).
 */
#ifndef SERVER_SMALL_FILE_H
#define SERVER_SMALL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* How long a start waits for a command that writes it: it may ask its user for a password. */
#define SMALL_FILE_WAIT_MS 60000

/* Never waits. Returns the descriptor, non-blocking and close-on-exec, and what it is; -1 with
 * errno. */
int small_file_open(const char *path, struct stat *);
/*
 * Reads up to the end of the file, of the first line where just that is wanted, or of buf. For what
 * a FIFO does not hold yet it waits at most wait_ms. Returns the number of bytes; -1 with errno.
 */
ssize_t small_file_read(int fd, char *buf, size_t size, bool line, int wait_ms);

#endif
