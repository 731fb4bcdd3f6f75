/*
 * detach.h: puts the server into the background (-d) once it is ready.
 */
#ifndef SERVER_DETACH_H
#define SERVER_DETACH_H

/*
 * Forks and returns in the child. The old process waits; it exits with 0 when the child is ready,
 * else with the child's exit status. Returns the descriptor for detach_finish(), or -1 with errno.
 * To be called before signals are caught or blocked.
 */
int detach_begin(void);

/* Ready: leaves the session, the directory and the standard descriptors of the caller. */
void detach_finish(int ready);

#endif
