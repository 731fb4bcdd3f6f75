/*
 * outcome.h: the exit status, and the message that gives the reason.
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
 * True if unsent lines are to be reported. Not in a script whose client was not admitted: its exit
 * status says enough.
 */
bool outcome_loses_lines(struct client *);
/*
 * Returns the exit status when nothing more is sent or received, and prints the reason if there is
 * one. chosen: the status if the user, a deadline or a signal has ended it; -1 if the server has.
 */
int outcome_status(struct client *, int chosen);
/* The same with a bot that has exited by itself: if it failed, so does chat. */
int outcome_with_bot(struct console *, const struct bot *, int status);

#endif
