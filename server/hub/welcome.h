/*
 * welcome.h: the lines that a client gets at its login: past events, the users list, `you`. All
 * memory is allocated before the login is applied, so that nothing can fail between the join and
 * its welcome.
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
 * The joins of one turn are contiguous in the room's lines, in [joins, after); the users list holds
 * for the position after. Owned by its connection until it is placed.
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

/* Allocates a connection's welcome, and the session's token if it asked for one. False without
 * memory. */
bool welcome_prepare(struct connections *, struct connection *);
/* To be called when the login is applied. The welcome is placed now, or when the lines before it
 * are settled. list: the users list, shared by all logins of the turn. */
void welcome_give(
    struct connections *, struct connection *, struct shared *list, uint64_t joins, uint64_t after);
/* The held lines before it are settled: the room's log ends behind the joins. Frees the welcome. */
void welcome_settle(struct connections *, struct welcome *);
/* The session ends before its welcome, or cannot have it yet. */
void welcome_cancel(struct connection *);

#endif
