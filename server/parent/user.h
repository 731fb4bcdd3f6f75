/*
 * user.h: the user that the server runs as (-u).
 */
#ifndef SERVER_USER_H
#define SERVER_USER_H

#include "server/report.h"

/*
 * Changes from root to that user for good. user NULL: nothing changes, with a warning if this is
 * root. What needs root must be done before; files created afterwards belong to the user. Returns
 * 0, or the exit status after a report.
 */
int user_become(const char *user, const struct report *);

#endif
