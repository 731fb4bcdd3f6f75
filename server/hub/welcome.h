/*
 * welcome.h: what a client is sent when its login is made: past events, the users list, `you`. All
 * memory is taken before the room learns of the login, so that between a join and its welcome
 * nothing can fail.
 */
#ifndef SERVER_HUB_WELCOME_H
#define SERVER_HUB_WELCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "hold.h"

struct connection;
struct connections;
struct item;
struct shared;

/*
 * The joins of one turn stand in the room's lines side by side, from joins to after; the list is
 * true behind all of them. Owned by its connection until it is placed.
 */
struct welcome {
    struct waiter waiter;
    struct connection *connection;
    uint64_t joins;
    uint64_t after;
    struct item *token;
    struct item *gap;
    struct item *list;
    struct item *greeting;
    struct item *you;
};

/* Takes the memory for a connection's welcome; makes the session's token, where it wants one. False
 * without memory. */
bool welcome_prepare(struct connections *, struct connection *);
/* The login is made. The welcome is placed now, or when the lines before it are settled. list:
 * shared by all whose joins stand side by side. */
void welcome_give(
    struct connections *, struct connection *, struct shared *list, uint64_t joins, uint64_t after);
/* The held lines before it are settled: the room's log ends behind the joins. Frees the welcome. */
void welcome_settle(struct connections *, struct welcome *);
/* The session ends before its welcome, or cannot have it yet. */
void welcome_cancel(struct connection *);

#endif
