/*
 * pidfile.h: the file that tells which process the room is.
 */
#ifndef SERVER_PIDFILE_H
#define SERVER_PIDFILE_H

#include <stdbool.h>

#include "server/report.h"

/*
 * Writes this process's ID and a newline to the file, which is made where it is missing. What is
 * there and is no ordinary file, a link included, is left alone. False with errno.
 */
bool pidfile_write(const char *path);
/* The same with a report of what is wrong; 0 or the exit status. path NULL: nothing is done. */
int pidfile_make(const char *path, const struct report *);

/* Removes the file, if the ID in it is this process's and it may. path may be NULL. */
void pidfile_remove(const char *path);

#endif
