/*
 * pidfile.h: the file that tells which process the room is.
 */
#ifndef SERVER_PIDFILE_H
#define SERVER_PIDFILE_H

#include <stdbool.h>

/*
 * Writes this process's ID and a newline to the file, which is made where it is missing. What is
 * there and is no ordinary file, a link included, is left alone. False with errno.
 */
bool pidfile_write(const char *path);

/* Removes the file, if the ID in it is this process's and it may. */
void pidfile_remove(const char *path);

#endif
