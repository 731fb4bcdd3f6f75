/*
 * server.h: the server under test: started, measured over all of its processes, stopped. Linux
 * only.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_ADDRESS_MAX 256

struct server {
    pid_t pid;
    int log; /* a file with its standard error, -1 where nobody reads it */
    char address[SERVER_ADDRESS_MAX];
};

/*
 * Starts argv. Where address is NULL the server must say `listening on ADDRESS` on its standard
 * error within 10 s; what else it says there is passed on when it has been stopped, the first lines
 * of it. Otherwise it is silenced, and the caller has to find out when it listens. It gets SIGTERM
 * when this process dies. Ends the program on failure.
 */
void server_start(struct server *, char **argv, const char *address);

/*
 * SIGTERM, and returns when the server and all of its processes, orphans too, are gone; *seconds is
 * how long that took. False if there were any left after 15 s, which were then killed.
 */
bool server_stop(struct server *, double *seconds);

/*
 * Nanoseconds of processor time that the server has used so far: all its processes, those that it
 * has reaped included. What it has not reaped yet but has ended may be missing.
 */
uint64_t server_cpu(const struct server *);

/* Its processes, those included that have ended and are not reaped. */
unsigned server_processes(const struct server *);

struct memory {
    unsigned processes;
    uint64_t pss_kib; /* of the server's processes; UINT64_MAX where it may not be read */
    uint64_t
        kernel_kib; /* of the whole machine: slabs, kernel stacks, page tables, per-CPU areas */
};

void server_memory(const struct server *, struct memory *);

#endif
