/*
 * accounts.h: the logins of this machine, for -a: the name of a uid, and whether a name is a login.
 * The whole list is read at the start and at SIGHUP, so a look-up opens no file and asks no server.
 */
#ifndef SERVER_ACCOUNTS_H
#define SERVER_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "server/report.h"

struct account;

/* Zeroed memory has none. accounts_free() ends it. */
struct accounts {
    struct account *all; /* in the order of their uids */
    const struct account **by_name;
    size_t count;
};

/* Reads the list again. False with errno; then the old list is kept. */
bool accounts_read(struct accounts *);
/* The same with a report of what is wrong; 0 or the exit status. */
int accounts_load(struct accounts *, const struct report *);
void accounts_free(struct accounts *);

/* The login name of that uid, the first where it has several; NULL where it has none. */
const char *accounts_name(const struct accounts *, uid_t);
/* A name, folded by name_fold(), is a login name. */
bool accounts_have(const struct accounts *, const char *folded);

#endif
