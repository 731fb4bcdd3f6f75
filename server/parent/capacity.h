/*
 * capacity.h: how many clients the system allows the server to have.
 */
#ifndef SERVER_CAPACITY_H
#define SERVER_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>

#include "server/report.h"

/* What the hub holds for a client: its socket, and its end of the pair with the worker. */
#define CAPACITY_DESCRIPTORS_EACH 2

struct capacity {
    size_t clients;
    const char *bound; /* the name of the limit that binds first */
};

/*
 * Raises the soft limits on descriptors and processes to the hard ones, and finds how many clients
 * they allow. privileged: the server stays root, to whom the limit on a user's processes does not
 * apply. helpers: so many processes with a descriptor each there are besides. False after a report
 * if the limits do not allow a single client.
 */
bool capacity_find(struct capacity *, bool privileged, unsigned helpers, const struct report *);

#endif
