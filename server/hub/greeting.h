/*
 * greeting.h: the notes that greet those who join (chatd(8), -g). All who join in one turn share
 * them.
 */
#ifndef SERVER_HUB_GREETING_H
#define SERVER_HUB_GREETING_H

#include <stdbool.h>

struct connections;
struct shared;

/* There is a greeting. */
bool greeting_is_set(const struct connections *);
/* It, with the time of this turn; the turn holds it. NULL without memory. */
struct shared *greeting_now(struct connections *);
/* The turn is over. */
void greeting_forget(struct connections *);

#endif
