/*
 * meter.h: what is reported: numbers, distributions of delays, processor time.
 *
 * A report is a line of three words on standard output: the cell (the workload and its size), the
 * metric, its value. The metric's name ends with its unit.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include "bench/server.h"

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u

void report(const char *cell, const char *metric, double value);

/* Nanoseconds; begin with {0}. */
struct samples {
    uint64_t *at;
    size_t count;
    size_t cap;
};

void samples_add(struct samples *, uint64_t ns);

/* Reports p50, p99, p99.9 and the maximum in microseconds, with the prefix before each metric, and
 * empties the samples. Reports nothing where there are none. */
void samples_report(struct samples *, const char *cell, const char *prefix);

/* What had been used at a moment. */
struct meter {
    uint64_t time;
    struct cpu server;
    uint64_t own;
};

void meter_begin(struct meter *, const struct server *);

/*
 * Reports what was used since: by the server per delivery or login, of which there were n, and per
 * received byte where bytes > 0; and how many processors server and generator kept busy.
 */
void meter_report(
    const struct meter *, const struct server *, const char *cell, uint64_t n, uint64_t bytes);

#endif
