#define _GNU_SOURCE
#include "bench/machine.h"
#include "bench/crowd.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Larger than the first cache of a processor, and smaller than the second. */
#define SIZE (256u << 10)
#define ROUNDS 200

struct copying {
    char *written;
    char *copied;
    size_t cpus[2];
    atomic_int written_rounds;
    atomic_int copied_rounds;
    uint64_t fastest; /* nanoseconds of a round */
};

static void run_on(size_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* The first two processors on which this process may run; false where there is only one. */
static bool cpus_find(size_t cpus[2])
{
    cpu_set_t set;
    int found = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return false;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
        if (CPU_ISSET(cpu, &set))
            cpus[found++] = cpu;
    }
    return found == 2;
}

static void child_await(const atomic_int *rounds, int round)
{
    while (atomic_load(rounds) < round)
        sched_yield();
}

static void *write_rounds(void *arg)
{
    struct copying *c = arg;
    run_on(c->cpus[0]);
    for (int round = 0; round < ROUNDS; round++) {
        child_await(&c->copied_rounds, round);
        memset(c->written, round, SIZE);
        atomic_store(&c->written_rounds, round + 1);
    }
    return NULL;
}

static void *copy_rounds(void *arg)
{
    struct copying *c = arg;
    run_on(c->cpus[1]);
    for (int round = 0; round < ROUNDS; round++) {
        child_await(&c->written_rounds, round + 1);
        uint64_t start = clock_now();
        memcpy(c->copied, c->written, SIZE);
        uint64_t time = clock_now() - start;
        if (time < c->fastest)
            c->fastest = time;
        atomic_store(&c->copied_rounds, round + 1);
    }
    return NULL;
}

double machine_copy_speed(void)
{
    struct copying c = {.fastest = UINT64_MAX};
    pthread_t threads[2];
    if (!cpus_find(c.cpus))
        return 0;
    c.written = calloc(2, SIZE);
    if (!c.written)
        return 0;
    c.copied = c.written + SIZE;
    if (pthread_create(&threads[0], NULL, write_rounds, &c) != 0 ||
        pthread_create(&threads[1], NULL, copy_rounds, &c) != 0)
        abort();
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    free(c.written);
    return (double)SIZE / (double)c.fastest;
}
