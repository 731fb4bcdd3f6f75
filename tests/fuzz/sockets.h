/*
 * sockets.h: pairs of Unix-domain stream sockets, and a poller for them, without the kernel, which
 * is what most of the time of a target with sockets is spent in. They take the place of
 * socketpair_cloexec_nonblock() and of compat/poller.h; recv(2), send(2), sendmsg(2), shutdown(2),
 * close(2), dup(2), fcntl(2) and setsockopt(2) are wrapped by the linker, and are the system's for
 * all other descriptors. What is full, ended, reset or ready is so as on Linux.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdbool.h>

/* Their numbers are never lower: no real descriptor is as high. */
#define SOCKETS_FIRST 4096
/* More are never open at once. */
#define SOCKETS_MAX 512

/*
 * Between begin and end, close(2) leaves those descriptors open, real ones too, that another
 * program would inherit: as an exec does.
 */
void sockets_execute(bool begin);
/* How many descriptors are open. */
unsigned sockets_count(void);

#endif
