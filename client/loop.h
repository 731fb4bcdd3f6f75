/*
 * loop.h: the main thread: from the input to the server, and everything that has to do with
 * leaving.
 */
#ifndef CLIENT_LOOP_H
#define CLIENT_LOOP_H

#include "bot.h"
#include "client.h"
#include "input.h"

/*
 * Runs until all is over; the client is connected, its receiver started. bot is NULL where there is
 * none. Returns the exit status. *signal is what the program must die of, or 0.
 */
int loop_run(struct client *, struct input *, struct bot *, int *signal);

#endif
