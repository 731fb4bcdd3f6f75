/*
 * addresses.h: opens everything that the server listens on, at its start.
 */
#ifndef SERVER_ADDRESSES_H
#define SERVER_ADDRESSES_H

#include <stddef.h>
#include <sys/types.h>

struct listeners;

/*
 * Takes over `adopted` sockets that the service manager has handed over, from NOTIFY_FIRST_FD on,
 * and opens the addresses; the default one where there is neither. mode is for Unix-domain sockets.
 * Returns 0, or the exit status (sysexits(3)) after a report of what failed.
 */
int addresses_open(
    struct listeners *, int adopted, const char *const *addresses, size_t count, mode_t mode);

#endif
