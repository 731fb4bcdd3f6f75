/*
 * floor_worker.h: the process that stands between a client and the hub of a bare relay. Linux only.
 */
#ifndef BENCH_FLOOR_WORKER_H
#define BENCH_FLOOR_WORKER_H

#include <stdbool.h>

/* Call once, before any descriptor is opened that new workers must not inherit. */
void workers_init(void);

/*
 * Starts a worker, a fresh image of this program, for the client's socket; returns the hub's end of
 * a stream socketpair. The worker runs `PROGRAM -w N`, or `PROGRAM -W N` if it is one_way; its
 * socket is descriptor N and its end of the pair N + 1. The caller keeps its own copy of the
 * socket. Ends the program on failure.
 */
int worker_start(int client, bool one_way);

/*
 * Takes back the descriptors that have been handed to workers. True while some are still in use:
 * the caller should come back soon.
 */
bool workers_sweep(void);

/* Reaps workers that have ended; to be called in each turn. */
void workers_reap(void);

/* Relays bytes in both directions until either side ends. */
_Noreturn void worker_run_both_ways(int client, int hub);

/* Relays what the client says until it ends or the hub is gone. */
_Noreturn void worker_run_one_way(int client, int hub);

#endif
