/*
 * load.h: the workloads. Each runs with a server that has been started, reports what it measured
 * under load.cell, and returns false if something was lost, doubled, torn or out of order, or if it
 * could not be done.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/crowd.h"
#include "bench/meter.h"
#include "bench/server.h"

#define QUIET_MS 50

struct load {
    struct server server;
    struct crowd crowd;
    const struct wire *wire;
    const char *address; /* NULL: the server tells it */
    unsigned members;
    unsigned sources;
    unsigned window; /* texts under way per speaker, in the window workload */
    double seconds;
    char cell[64];
};

/* What had been received and expected when a workload began. */
struct account {
    uint64_t received;
    uint64_t expected;
    struct faults faults;
};

void account_begin(struct account *, const struct crowd *);

/* Reports what was received since, and everything that went wrong; false if anything did. */
bool account_report(const struct account *, const struct load *);

/* Receives what is still under way: to its end, or until nothing comes any more, or for 8 s. */
void crowd_finish(struct crowd *);

/* ---- talk.c: the members are in. The argument is a number of speakers, or a rate. -------------
 */

/* Each speaker sends as fast as its connection takes it. */
bool run_burst(struct load *, const char *speakers);

/* The same, with at most load.window texts under way per speaker. */
bool run_window(struct load *, const char *speakers);

/* Texts at a steady rate of deliveries a second. */
bool run_paced(struct load *, const char *rate);

/* One text into an idle room, received by all, and a pause. */
bool run_lone(struct load *, const char *);

/* Two members send a line every 10 ms in turn, beside the storm of connections that the argument
 * names: see storm.h. */
bool run_storm(struct load *, const char *storm);

/* ---- sessions.c: nobody is in yet, except for idle ------------------------------------------ */

/* Sessions that end as soon as the login is complete. */
bool run_login(struct load *, const char *);

/* All members log in, and stay. */
bool run_memory(struct load *, const char *);

/* A very large room: in, on each other's users lists, talking, gone. */
bool run_fill(struct load *, const char *);

/* Nobody does anything for that many seconds. */
bool run_idle(struct load *, const char *seconds);

#endif
