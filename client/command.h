/*
 * command.h: shell commands that the client talks through (-c) or for (-e).
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include <sys/types.h>

/*
 * Starts `sh -c COMMAND` with these two as its standard input and output; both are above 2 and
 * stay the caller's, as do all other descriptors, which must be close-on-exec. It gets a process
 * group of its own, so that all that it starts can be ended; but not from a terminal's foreground,
 * where it may have to ask for a password, and where Ctrl-C reaches all of it. Returns the process,
 * or -1 with errno.
 */
pid_t command_start(const char *command, int in, int out);

/*
 * Waits at most grace_ms for its end, then sends SIGTERM to it and its process group. Returns the
 * status of wait(2), or -1 where it is not known. To be called once.
 */
int command_end(pid_t, int grace_ms);

#endif
