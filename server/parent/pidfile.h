/*
 * pidfile.h: the file that tells which process the server is (-p). Its lock keeps a second server
 * with the same file from starting.
 */
#ifndef SERVER_PIDFILE_H
#define SERVER_PIDFILE_H

#include "server/report.h"

struct codec;

struct pidfile {
    const char *path; /* NULL: there is none */
    int fd;           /* open and locked; -1: not taken */
};

/*
 * Takes the lock and writes this process's ID and a newline. A missing file is created. A path that
 * is not a regular file (a symbolic link, for instance) is an error. Returns 0, or the exit status
 * after a report.
 */
int pidfile_take(struct pidfile *, const struct report *);
/* Removes the file if it still has this process's ID; truncates it if it cannot be removed. */
void pidfile_release(struct pidfile *);
/* Writes it for the next program, or takes it over; see codec.h. */
void pidfile_state(struct pidfile *, struct codec *);

#endif
