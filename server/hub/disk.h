/*
 * disk.h: with -s: tells members, and clients that log in, that lines wait for the disk.
 */
#ifndef SERVER_HUB_DISK_H
#define SERVER_HUB_DISK_H

#include <stdbool.h>

struct connection;
struct connections;

/* Once a turn: tells them when the disk begins to hang and when that is over. *told: they know. */
void disk_turn(struct connections *, bool *told);
/* Tells a client that has given its name, if the disk hangs: its welcome waits too. */
void disk_tell(struct connections *, struct connection *);

#endif
