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
    pid_t pid; /* of the process that was started: the hub, in chatd and in the floors */
    int log;   /* a file with its standard error, -1 where nobody reads it */
    char address[SERVER_ADDRESS_MAX];
};

/*
 * Starts argv. Where address is NULL the server must say `listening on ADDRESS` on its standard
 * error within 10 s; the first other lines that it writes there are passed on when it has been
 * stopped. Otherwise its output is discarded, and the caller has to find out when it listens. It
 * gets SIGTERM when this process dies. Ends the program on failure.
 */
void server_start(struct server *, char **argv, const char *address);

/*
 * Sends SIGTERM, and returns when the server and all of its processes, orphans too, are gone;
 * *seconds is how long that took. False if there were any left after 15 s, which were then killed.
 */
bool server_stop(struct server *, double *seconds);

/* Nanoseconds of processor time. */
struct cpu {
    uint64_t all; /* of all the server's processes, including those that it has reaped */
    uint64_t hub; /* of the process that was started, alone */
};

/* What the server has used so far. Processes that have ended and are not reaped may be missing. */
struct cpu server_cpu(const struct server *);

/* Its processes, including those that have ended and are not reaped. */
unsigned server_processes(const struct server *);

/* Context switches so far, of the processes that are running now; *hub is the share of the hub. */
uint64_t server_switches(const struct server *, uint64_t *hub);

struct memory {
    unsigned processes;
    uint64_t pss_kib;    /* of the server's processes; UINT64_MAX where it may not be read */
    uint64_t kernel_kib; /* of the machine: slabs, kernel stacks, page tables, per-CPU areas */
};

void server_memory(const struct server *, struct memory *);

#endif
