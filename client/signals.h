/*
 * signals.h: signals as bytes in a pipe. The only state in the program that belongs to no struct.
 */
#ifndef CLIENT_SIGNALS_H
#define CLIENT_SIGNALS_H

#include <stdbool.h>

/*
 * SIGPIPE is ignored from now on; what is written to a descriptor tells by its errno. For the
 * signals that are caught, a byte goes to wake, which is non-blocking and stays open.
 */
void signals_init(int wake);
/* Catches it, unless it was ignored when the program was started (nohup). */
void signals_catch(int signal);
/* True if it has come since the last call, once or more often. */
bool signals_take(int signal);
/* Takes its default action: dies of it, or is stopped and continued; then it is caught again. */
void signals_suffer(int signal);

#endif
