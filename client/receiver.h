/*
 * receiver.h: the second thread: reads the server's lines and prints them; with -k it also makes
 * the next connection.
 */
#ifndef CLIENT_RECEIVER_H
#define CLIENT_RECEIVER_H

#include "client.h"

/* Starts the thread; the client is connected. False with errno. */
bool receiver_start(struct client *);

/* The thread's function. Its argument is the client; it sets client->end when it returns. */
void *receiver_main(void *client);

#endif
