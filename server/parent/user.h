/*
 * user.h: the user that the server runs as (-u).
 */
#ifndef SERVER_USER_H
#define SERVER_USER_H

#include "server/report.h"

/*
 * Gives up root for that user; NULL: stays what it is, with a warning where that is root. What only
 * root may do must be done before; what comes next is done, and made, as the user. Returns 0, or
 * the exit status after a report.
 */
int user_become(const char *user, const struct report *);

#endif
