/*
 * capacity.h: how many clients the system lets the server have.
 */
#ifndef SERVER_CAPACITY_H
#define SERVER_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>

#include "server/report.h"

/*
 * Raises the soft limits on descriptors and processes to the hard ones, and finds how many clients
 * they allow. False after a report, where they are too few for any.
 */
bool capacity_find(size_t *clients, const struct report *);

#endif
