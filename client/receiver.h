/*
 * receiver.h: the other thread: from the server to the screen, and with -k from one connection to
 * the next.
 */
#ifndef CLIENT_RECEIVER_H
#define CLIENT_RECEIVER_H

#include "client.h"

/* Starts the thread; the client is connected. False with errno. */
bool receiver_start(struct client *);

/* What the thread does, until client->end says why it has ended; the argument is the client. */
void *receiver_main(void *client);

#endif
