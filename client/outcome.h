/*
 * outcome.h: how it went: the exit status, and the words that say why.
 */
#ifndef CLIENT_OUTCOME_H
#define CLIENT_OUTCOME_H

#include "bot.h"
#include "client.h"

/* The exit status for "the answer is no"; the others are those of sysexits.h. */
#define EXIT_NO 1

/* All lines are answered: were all accepted? To be called with the client's lock. */
int outcome_verdict(const struct client *);
/*
 * True where lines that are left are to be reported. That the server did not admit the client says
 * enough to a script; at a keyboard it does not.
 */
bool outcome_loses_lines(struct client *);
/*
 * The exit status when nothing more is sent or received, and says what has to be said. chosen is
 * the status with which the user, a clock or a signal has made it leave, or -1: then it is the
 * server's doing.
 */
int outcome_status(struct client *, int chosen);
/* The same with a bot that has ended by itself: an end that was bad is an answer. */
int outcome_with_bot(struct console *, const struct bot *, int status);

#endif
