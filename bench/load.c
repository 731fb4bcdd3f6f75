/*
 * load.c: measures one server. Starts it, fills it with members, runs one workload after the other,
 * and prints what came of it: see meter.h. bench/run.sh makes tables of that.
 */
#include "bench/load.h"
#include "bench/machine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEMBERS_MAX 60000u

struct workload {
    const char *name;
    bool (*run)(struct load *, const char *arg);
    bool joins; /* it brings the members in: it can only be the first */
    bool last;  /* it leaves no room behind that another one could use */
};

static const struct workload workloads[] = {
    {"burst", run_burst, false, false},
    {"window", run_window, false, false},
    {"paced", run_paced, false, false},
    {"lone", run_lone, false, false},
    {"storm", run_storm, false, false},
    {"idle", run_idle, false, false},
    {"memory", run_memory, true, false},
    {"login", run_login, true, true},
    {"fill", run_fill, true, true},
};

/* NAME or NAME=ARG; *arg is NULL where there is none. */
static const struct workload *workload_find(const char *text, const char **arg)
{
    size_t len = strcspn(text, "=");
    *arg = text[len] ? text + len + 1 : NULL;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strlen(workloads[i].name) == len && memcmp(workloads[i].name, text, len) == 0)
            return &workloads[i];
    }
    return NULL;
}

/* How many of argv are workloads; -1 if one of them is not known, or at the wrong place. */
static int workloads_check(char **argv)
{
    int n = 0;
    for (bool last = false; argv[n] && strcmp(argv[n], "--") != 0; n++) {
        const char *arg;
        const struct workload *w = workload_find(argv[n], &arg);
        if (!w || last || (w->joins && n > 0))
            return -1;
        last = w->last;
    }
    return n;
}

static bool workload_run(struct load *l, const char *text)
{
    const char *arg;
    const struct workload *w = workload_find(text, &arg);
    snprintf(
        l->cell, sizeof l->cell, "%s-%u%s%s", w->name, l->members, arg ? "-" : "", arg ? arg : "");
    report(l->cell, "copy_gb_per_s", machine_copy_speed());
    if (w->run(l, arg))
        return true;
    fprintf(stderr, "load: %s: not everything was right\n", l->cell);
    return false;
}

static bool load_run_all(struct load *l, char **texts, int n)
{
    const char *arg;
    if (!workload_find(texts[0], &arg)->joins &&
        (!crowd_join(&l->crowd) || !crowd_settle(&l->crowd, QUIET_MS))) {
        fprintf(stderr, "load: only %u of %u members got in\n", l->crowd.ready, l->members);
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (!workload_run(l, texts[i]))
            return false;
    }
    return true;
}

static int load_run(struct load *l, char **texts, int n, char **server)
{
    unsigned speakers = l->members < SPEAKERS_MAX ? l->members : SPEAKERS_MAX;
    double stop;
    if (server)
        server_start(&l->server, server, l->address);
    crowd_init(
        &l->crowd, l->wire, l->address ? l->address : l->server.address, l->members, speakers);
    l->crowd.sources = l->sources;
    bool ok = load_run_all(l, texts, n);
    crowd_free(&l->crowd);
    if (server && !server_stop(&l->server, &stop)) {
        fprintf(stderr, "load: %s had to be killed\n", server[0]);
        ok = false;
    }
    return ok ? 0 : 1;
}

/* A port that was free a moment ago, for servers that cannot tell which one they took. */
static int print_port(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&sin, sizeof sin) != 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
        return 71;
    printf("%u\n", (unsigned)ntohs(sin.sin_port));
    return 0;
}

static int usage_print(void)
{
    fprintf(stderr,
        "usage: load [-w chatd|token|floor|redis|nats] [-n MEMBERS] [-b SOURCES] [-k WINDOW]\n"
        "            [-t SECONDS] [-a ADDRESS] [-p PID] WORKLOAD... [-- SERVER ARGUMENT...]\n"
        "       load port\n"
        "workloads: burst=SPEAKERS window=SPEAKERS paced=DELIVERIES lone idle=SECONDS\n"
        "           storm=none|silent|reset|bytes|login[:SOURCES]; first: memory; alone: login "
        "fill\n");
    return 64;
}

static void raise_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static bool load_option(struct load *l, int opt, const char *arg)
{
    switch (opt) {
    case 'w':
        l->wire = wire_find(arg);
        return l->wire != NULL;
    case 'n':
        l->members = (unsigned)atoi(arg);
        return l->members > 0 && l->members <= MEMBERS_MAX;
    case 'b':
        l->sources = (unsigned)atoi(arg);
        return l->sources < 65536;
    case 'k':
        l->window = (unsigned)atoi(arg);
        return l->window > 0;
    case 't':
        l->seconds = atof(arg);
        return l->seconds > 0;
    case 'a':
        l->address = arg;
        return true;
    case 'p':
        l->server.pid = (pid_t)atol(arg);
        return l->server.pid > 0;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.server = {.log = -1}, .members = 100, .window = 16, .seconds = 2};
    int opt;
    if (argc == 2 && strcmp(argv[1], "port") == 0)
        return print_port();
    load.wire = wire_find("chatd");
    while ((opt = getopt(argc, argv, "+w:n:b:k:t:a:p:")) != -1) {
        if (!load_option(&load, opt, optarg))
            return usage_print();
    }
    char **texts = argv + optind;
    int n = workloads_check(texts);
    char **server = n > 0 && texts[n] ? texts + n + 1 : NULL;
    if (n <= 0 || (server && !server[0]) || (!server && !load.address))
        return usage_print();
    raise_limit();
    return load_run(&load, texts, n, server);
}
