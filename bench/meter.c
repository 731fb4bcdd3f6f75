#include "bench/meter.h"
#include "bench/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

void report(const char *cell, const char *metric, double value)
{
    printf("%s\t%s\t%.6g\n", cell, metric, value);
}

void samples_add(struct samples *s, uint64_t ns)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 65536;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        if (!s->at)
            abort();
    }
    s->at[s->count++] = ns;
}

static int sample_compare(const void *a, const void *b)
{
    uint64_t p = *(const uint64_t *)a;
    uint64_t q = *(const uint64_t *)b;
    return (p > q) - (p < q);
}

void samples_report(struct samples *s, const char *cell, const char *prefix)
{
    static const struct {
        const char *metric;
        double part;
    } marks[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}};
    char metric[64];
    if (s->count > 0)
        qsort(s->at, s->count, sizeof *s->at, sample_compare);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0] && s->count > 0; i++) {
        size_t at = (size_t)(marks[i].part * (double)(s->count - 1));
        snprintf(metric, sizeof metric, "%s%s", prefix, marks[i].metric);
        report(cell, metric, (double)s->at[at] / 1000);
    }
    free(s->at);
    *s = (struct samples){NULL, 0, 0};
}

static uint64_t own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

void meter_begin(struct meter *m, const struct server *s)
{
    m->server = server_cpu(s);
    m->own = own_cpu();
    m->time = clock_now();
}

void meter_report(
    const struct meter *m, const struct server *s, const char *cell, uint64_t n, uint64_t bytes)
{
    double time = (double)(clock_now() - m->time);
    double own = (double)(own_cpu() - m->own);
    struct cpu now = server_cpu(s);
    double all = (double)(now.all - m->server.all);
    double hub = (double)(now.hub - m->server.hub);
    if (n > 0) {
        report(cell, "server_cpu_us", all / 1000 / (double)n);
        report(cell, "hub_cpu_us", hub / 1000 / (double)n);
    }
    if (bytes > 0)
        report(cell, "server_cpu_ns_per_byte", all / (double)bytes);
    report(cell, "server_cpus", all / time);
    report(cell, "load_cpus", own / time);
}
