/*
 * users.h: the users list, `here` lines and `users N`. In a turn it is written once for all who
 * ask; those who join in a turn share one that is written when all of them are in.
 */
#ifndef SERVER_HUB_USERS_H
#define SERVER_HUB_USERS_H

#include <stddef.h>
#include <stdint.h>

struct room;
struct shared;

/* Room for the list with so many more members than there are now. The caller holds one reference
 * (shared_release()). NULL without memory. */
struct shared *users_new(const struct room *, size_t more);
/* Fills it with the list as it is now, at this time of day (microseconds since 1970). */
void users_write(const struct room *, struct shared *, uint64_t wall);
/* The list as it is now, kept by the room until it changes or users_forget(). NULL without memory.
 */
struct shared *users_now(struct room *, uint64_t wall);
/* The next one who asks gets a list with a new stamp. */
void users_forget(struct room *);

#endif
