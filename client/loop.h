/*
 * loop.h: the main thread: sends the input to the server, and decides when and how chat exits.
 */
#ifndef CLIENT_LOOP_H
#define CLIENT_LOOP_H

#include "bot.h"
#include "client.h"
#include "input.h"

/*
 * Runs until chat is to exit. The client must be connected and its receiver started. bot may be
 * NULL. Returns the exit status; *signal is the signal by which the program must end itself, or 0.
 */
int loop_run(struct client *, struct input *, struct bot *, int *signal);

#endif
