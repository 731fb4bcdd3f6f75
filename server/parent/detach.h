/*
 * detach.h: a server that goes on in the background when, and only when, it is ready.
 */
#ifndef SERVER_DETACH_H
#define SERVER_DETACH_H

/*
 * Goes on in a new process; the old one waits and exits with 0 when that is ready, else with the
 * new one's exit status. Returns the descriptor for detach_finish(), or -1 with errno. Call it
 * before signals are caught or blocked.
 */
int detach_begin(void);

/* Ready: leaves the session, the directory and the standard descriptors of the caller. */
void detach_finish(int ready);

#endif
