/*
 * worker.h: one client's process. It holds two descriptors, the client's socket as 0 and its end
 * of the pair to the hub as 1 (and /dev/null as 2), both non-blocking, and pumps in both
 * directions: what the client sends is cut into lines, cleaned and passed up; what the hub sends
 * goes down as it is. It allocates nothing and uses no stdio.
 *
 * It ends when both sides have said goodbye, when the client is gone, on SIGTERM (a kick: the
 * client is told), on SIGUSR1 (another connection takes the seat: what the client's socket holds
 * is still passed up), and two seconds after the hub is gone.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "compat/compat.h"

/* How a worker cages itself before it reads the first byte; chatd's -S. */
enum worker_cage {
    WORKER_LOOSE, /* not at all */
    WORKER_CAGED, /* as well as the system lets it */
    WORKER_LOCKED /* with a filter, or it ends at once */
};

_Noreturn void worker_main(const struct proctitle *, enum worker_cage);

#endif
