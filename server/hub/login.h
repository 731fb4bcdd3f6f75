/*
 * login.h: from the first line to the login. All who give their name in one turn are logged in
 * together at its end: their joins stand in the log side by side, and one users list, written once,
 * is true for all of them.
 */
#ifndef SERVER_HUB_LOGIN_H
#define SERVER_HUB_LOGIN_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "submission.h"

/* What clients that wait for the stream are told. */
#define STREAM_HANGS "the cluster does not answer: messages and logins wait for it"
/* What clients of a node that the others have taken for gone are told. */
#define NODE_CUT_OFF "note this machine was cut off; please connect again"

/* A line of a session without a name. */
enum taken login_line(struct connections *, struct connection *, const char *line, size_t len);
/* Makes the logins whose names were read, as many as one turn takes. Returns when it must be called
 * again at the latest; TIME_NEVER: no need. */
uint64_t logins_make(struct connections *);
/* Gives their welcome to connections whose login has come back. It is due before anything but
 * another login is applied. False without memory: call it again. */
bool logins_finish(struct connections *);
/* Completions of ROOM_LOGIN and ROOM_RESUME. */
completion login_made;
completion login_resumed;
/* DEADLINE_LOGIN: the stream has not brought the login, or the last lines of the session that it
 * resumes, for a second. */
void login_waits(struct connections *, struct connection *);
/* DEADLINE_NAME: the time for giving a name is over. */
void login_late(struct connections *, struct connection *);

#endif
