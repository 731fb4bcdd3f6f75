/*
 * load.c: one measurement of one server. Starts it, fills it with a crowd, makes the crowd talk,
 * and prints what came of it, a word and a number in each line; bench/run.sh makes tables of them.
 */
#include "bench/crowd.h"
#include "bench/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u

/* Nothing is heard any more after that long: longer than any server waits for a slow reader. */
#define SILENCE_NS (4ull * NS_PER_S)
/* How long a queue is heard to its end. */
#define FINISH_NS (8ull * NS_PER_S)
/* What is under way in an unbounded burst: see speaker_window(). */
#define AHEAD_DELIVERIES 32000000u
#define AHEAD_MAX 65536u
#define QUIET_MS 50
#define WARM_UP_NS (1ull * NS_PER_S)
#define LONE_PAUSE_NS (5ull * NS_PER_MS)
/* The room of ten thousand: how many come at once, how much is said there, and how often while the
 * others leave. */
#define FILL_FLIGHT 512
#define FILL_SPEECHES 20
#define LEAVE_PERIOD_NS (20ull * NS_PER_MS)
#define LEAVE_MIN_NS (2ull * NS_PER_S)
#define LEAVE_MAX_NS (60ull * NS_PER_S)

struct samples {
    uint64_t *at;
    size_t count;
    size_t cap;
};

struct load {
    struct server server;
    struct crowd crowd;
    const struct wire *wire;
    char *address;
    unsigned members;
    unsigned speakers;
    unsigned window; /* 0: as fast as it goes */
    double rate;     /* deliveries per second, of the paced workload */
    double seconds;
    /* of workloads that measure how long a text is under way */
    uint64_t *said_at; /* text number COUNT of speaker S is at COUNT * speakers + S */
    size_t warm;       /* the first texts that count for nothing */
    struct samples delays;
};

/* What has been used up to a moment. */
struct meter {
    uint64_t time;
    uint64_t server;
    uint64_t own;
};

struct workload {
    const char *name;
    bool (*run)(struct load *);
};

static void report(const char *word, double value)
{
    printf("%s\t%.6g\n", word, value);
}

/* ---- Meters and samples
 * -------------------------------------------------------------------------- */

static uint64_t own_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static void meter_begin(const struct load *l, struct meter *m)
{
    m->server = server_cpu(&l->server);
    m->own = own_cpu();
    m->time = clock_now();
}

/* Reports what was used from the meter's beginning to now, for n deliveries (or logins). */
static void meter_end(const struct load *l, const struct meter *m, uint64_t n)
{
    double time = (double)(clock_now() - m->time);
    double own = (double)(own_cpu() - m->own);
    double server = (double)(server_cpu(&l->server) - m->server);
    report("server_cpu_us", n > 0 ? server / 1000 / (double)n : 0);
    report("server_cpus", server / time);
    report("load_cpus", own / time);
}

static void samples_add(struct samples *s, uint64_t value)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 65536;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        if (!s->at)
            abort();
    }
    s->at[s->count++] = value;
}

static int sample_compare(const void *a, const void *b)
{
    uint64_t p = *(const uint64_t *)a;
    uint64_t q = *(const uint64_t *)b;
    return (p > q) - (p < q);
}

/* Microseconds: p50, p99, p99.9 and the worst; prefix stands before the words. */
static void samples_report(struct samples *s, const char *prefix)
{
    static const struct {
        const char *word;
        double part;
    } marks[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}};
    char word[64];
    if (s->count == 0)
        return;
    qsort(s->at, s->count, sizeof *s->at, sample_compare);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t at = (size_t)(marks[i].part * (double)(s->count - 1));
        snprintf(word, sizeof word, "%s%s", prefix, marks[i].word);
        report(word, (double)s->at[at] / 1000);
    }
}

/* What was promised and what was kept. True where nothing is wrong. */
static bool accounts_report(const struct load *l)
{
    const struct crowd *c = &l->crowd;
    const struct faults *f = &c->faults;
    uint64_t owed = crowd_owed(c);
    uint64_t once = c->heard - f->doubled;
    uint64_t missing = owed > once ? owed - once : 0;
    /* What was said to be skipped is not lost; and a queue that is still being told is none. */
    uint64_t untold = missing > f->skipped ? missing - f->skipped : 0;
    uint64_t lost = clock_now() - c->heard_at >= SILENCE_NS ? untold : 0;
    unsigned disagreeing = missing ? 0 : crowd_disagreeing(c);
    report("deliveries", (double)c->heard);
    report("lost", (double)lost);
    report("unfinished", (double)(untold - lost));
    report("doubled", (double)f->doubled);
    report("disordered", (double)(f->disordered + disagreeing));
    report("torn", (double)f->torn);
    report("skipped", (double)f->skipped);
    report("refused", (double)f->refused);
    report("dropped", (double)f->dropped);
    return lost + f->skipped + f->doubled + f->disordered + disagreeing + f->torn + f->refused +
               f->dropped ==
           0;
}

/* ---- Talking
 * -------------------------------------------------------------------------------------- */

/*
 * How many texts a speaker may be ahead of his answers. Without a window it is so many that nobody
 * waits for them, and so few that the queues in the kernel's buffers can be heard to their end.
 */
static uint32_t speaker_window(const struct load *l)
{
    uint32_t ahead = AHEAD_DELIVERIES / l->members / l->speakers;
    if (l->window > 0)
        return l->window;
    return ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
}

/* How much the speaker may say now. */
static uint32_t speaker_share(const struct load *l, const struct speaker *s)
{
    uint32_t under_way = s->said - s->answered;
    uint32_t window = speaker_window(l);
    if (l->window == 0 && !speaker_is_idle(s))
        return 0;
    return under_way < window ? window - under_way : 0;
}

/* True if somebody could go on at once. */
static bool crowd_talk(struct load *l)
{
    bool more = false;
    for (unsigned i = 0; i < l->speakers; i++) {
        const struct speaker *s = &l->crowd.speakers[i];
        uint32_t share = speaker_share(l, s);
        if (share > 0)
            crowd_say(&l->crowd, i, share);
        more |= l->crowd.members[i].fd >= 0 && speaker_share(l, s) > 0;
    }
    return more;
}

static bool all_heard(const struct crowd *c)
{
    for (unsigned i = 0; i < c->speaker_count; i++) {
        if (!speaker_is_idle(&c->speakers[i]) && c->members[i].fd >= 0)
            return false;
    }
    return c->heard - c->faults.doubled + c->faults.skipped >= crowd_owed(c);
}

/* Hears what is still under way: to its end, or to a silence, or as much as FINISH_NS allows. */
static void crowd_finish(struct crowd *c)
{
    uint64_t start = clock_now();
    uint64_t silent_since = start;
    while (!all_heard(c) && clock_now() - silent_since < SILENCE_NS &&
           clock_now() - start < FINISH_NS) {
        crowd_turn(c, 100);
        silent_since = c->heard_at > start ? c->heard_at : start;
    }
}

/* Everybody says as much as he can, or as much as his window lets him, for so many seconds. */
static bool run_burst(struct load *l)
{
    struct crowd *c = &l->crowd;
    struct meter m;
    uint64_t bytes = c->heard_bytes;
    meter_begin(l, &m);
    uint64_t until = m.time + (uint64_t)(l->seconds * NS_PER_S);
    while (clock_now() < until) {
        bool more = crowd_talk(l);
        crowd_turn(c, more ? 0 : 100);
    }
    crowd_finish(c);
    double time = (double)(c->heard_at - m.time) / NS_PER_S;
    meter_end(l, &m, c->heard);
    report("deliveries_per_s", (double)c->heard / time);
    report("mb_per_s", (double)(c->heard_bytes - bytes) / time / 1e6);
    report("seconds", time);
    return accounts_report(l);
}

/* ---- Delays
 * ---------------------------------------------------------------------------------------- */

static void note_delay(void *arg, unsigned speaker, uint32_t count)
{
    struct load *l = arg;
    size_t i = (size_t)count * l->speakers + speaker;
    if (i >= l->warm)
        samples_add(&l->delays, l->crowd.now - l->said_at[i]);
}

static void delays_begin(struct load *l, size_t texts)
{
    l->said_at = calloc(texts + l->speakers, sizeof *l->said_at);
    if (!l->said_at)
        abort();
    l->crowd.on_heard = note_delay;
    l->crowd.on_heard_arg = l;
}

/* Text number i, of the speaker whose turn it is. */
static void say_timed(struct load *l, size_t i)
{
    l->said_at[i] = clock_now();
    crowd_say(&l->crowd, (unsigned)(i % l->speakers), 1);
}

/* One text after the other, at a steady rate, whatever has come of those before. */
static bool run_paced(struct load *l)
{
    struct crowd *c = &l->crowd;
    uint64_t period = (uint64_t)(NS_PER_S * (double)l->members / l->rate);
    size_t texts =
        (size_t)((double)WARM_UP_NS / (double)period + l->rate * l->seconds / l->members);
    struct samples late = {NULL, 0, 0};
    struct meter m;
    l->warm = (size_t)(WARM_UP_NS / period);
    delays_begin(l, texts);
    meter_begin(l, &m);
    uint64_t start = m.time + 10 * NS_PER_MS;
    crowd_alarm(c, start, period);
    for (size_t said = 0; said < texts;) {
        crowd_turn(c, -1);
        for (; c->alarms > said && said < texts; said++) {
            say_timed(l, said);
            samples_add(&late, l->said_at[said] - (start + said * period));
        }
    }
    crowd_alarm(c, 0, 0);
    crowd_finish(c);
    meter_end(l, &m, c->heard);
    samples_report(&l->delays, "");
    samples_report(&late, "late_");
    free(late.at);
    return accounts_report(l);
}

/* One text, heard by all, and a pause. */
static bool run_lone(struct load *l)
{
    struct crowd *c = &l->crowd;
    size_t texts = (size_t)(l->seconds * NS_PER_S / (double)(2 * LONE_PAUSE_NS));
    struct samples last = {NULL, 0, 0};
    struct meter m;
    l->warm = texts / 10;
    delays_begin(l, texts);
    meter_begin(l, &m);
    for (size_t i = 0; i < texts; i++) {
        crowd_alarm(c, clock_now() + LONE_PAUSE_NS, 0);
        while (c->alarms == 0)
            crowd_turn(c, -1);
        say_timed(l, i);
        crowd_finish(c);
        if (i >= l->warm)
            samples_add(&last, c->now - l->said_at[i]);
    }
    meter_end(l, &m, c->heard);
    samples_report(&l->delays, "");
    samples_report(&last, "last_");
    free(last.at);
    return accounts_report(l);
}

/* ---- Coming and going
 * ------------------------------------------------------------------------------ */

/* Members come, and go as soon as they have been told their name. */
static bool run_login(struct load *l)
{
    struct crowd *c = &l->crowd;
    unsigned processes = server_processes(&l->server);
    struct meter m;
    c->leave_at_once = true;
    meter_begin(l, &m);
    bool ok = crowd_join(c);
    report("logins_per_s", (double)c->ready * NS_PER_S / (double)(clock_now() - m.time));
    /* What the last ones used is in the account when they have been reaped. */
    for (int i = 0; i < 100 && server_processes(&l->server) > processes; i++)
        crowd_turn(c, 20);
    meter_end(l, &m, c->ready);
    report("dropped", (double)c->faults.dropped);
    return ok && c->faults.dropped == 0;
}

static void memory_report(const struct load *l, const struct memory *before)
{
    struct memory after;
    server_memory(&l->server, &after);
    double kernel = ((double)after.kernel_kib - (double)before->kernel_kib) / l->members;
    double pss = ((double)after.pss_kib - (double)before->pss_kib) / l->members;
    report("processes", after.processes);
    report("kernel_kib", kernel);
    if (after.pss_kib != UINT64_MAX && before->pss_kib != UINT64_MAX) {
        report("pss_kib", pss);
        report("memory_kib", pss + kernel);
    }
}

static bool run_memory(struct load *l)
{
    struct memory before;
    server_memory(&l->server, &before);
    bool ok = crowd_join(&l->crowd) && crowd_settle(&l->crowd, QUIET_MS);
    memory_report(l, &before);
    return ok && accounts_report(l);
}

static double seconds_since(uint64_t start)
{
    return (double)(clock_now() - start) / NS_PER_S;
}

/* A few words from each speaker to the whole room. */
static void fill_talk(struct load *l)
{
    struct crowd *c = &l->crowd;
    struct meter m;
    meter_begin(l, &m);
    for (unsigned i = 0; i < l->speakers; i++)
        crowd_say(c, i, FILL_SPEECHES);
    crowd_finish(c);
    double time = (double)(c->heard_at - m.time) / NS_PER_S;
    report("talk_s", time);
    report("deliveries_per_s", (double)c->heard / time);
    meter_end(l, &m, c->heard);
}

/* All but one leave in one instant; the one who stays says something again and again. */
static void fill_leave(struct load *l)
{
    struct crowd *c = &l->crowd;
    struct speaker *s = &c->speakers[0];
    uint64_t start = clock_now();
    uint64_t answered_at = start;
    uint64_t worst = 0;
    uint32_t answered = s->answered;
    uint32_t before = s->said;
    for (unsigned i = 1; i < l->members; i++)
        crowd_leave(c, i);
    double closed = seconds_since(start);
    crowd_alarm(c, start, LEAVE_PERIOD_NS);
    while (clock_now() - start < LEAVE_MAX_NS && c->members[0].fd >= 0) {
        bool gone = c->wire->list ? c->members[0].quits == l->members - 1 : true;
        if (gone && clock_now() - start > LEAVE_MIN_NS && s->said == s->answered)
            break;
        if (s->said == s->answered && c->alarms > 0) {
            c->alarms = 0;
            answered_at = clock_now();
            crowd_say(c, 0, 1);
        }
        crowd_turn(c, 100);
        uint64_t delay = clock_now() - answered_at;
        if (s->answered != answered && delay > worst)
            worst = delay;
        answered = s->answered;
    }
    report("leave_s", seconds_since(start));
    report("leave_closed_s", closed);
    report("leave_worst_ms", (double)worst / NS_PER_MS);
    report("leave_echoes", s->answered - before);
}

/* The great room: in, named, listed, talking, gone. */
static bool run_fill(struct load *l)
{
    struct crowd *c = &l->crowd;
    struct memory before;
    struct meter m;
    server_memory(&l->server, &before);
    meter_begin(l, &m);
    c->flight = FILL_FLIGHT;
    bool ok = crowd_join(c);
    report("in_s", seconds_since(m.time));
    ok = ok && crowd_settle(c, QUIET_MS);
    report("listed_s", seconds_since(m.time));
    report("listed_gb", (double)c->heard_bytes / 1e9);
    meter_end(l, &m, l->members);
    memory_report(l, &before);
    fill_talk(l);
    ok = accounts_report(l) && ok;
    if (ok && l->wire->echo)
        fill_leave(l);
    return ok;
}

/* ---- Beginning
 * ------------------------------------------------------------------------------------- */

static const struct workload workloads[] = {
    {"burst", run_burst},
    {"paced", run_paced},
    {"lone", run_lone},
    {"login", run_login},
    {"memory", run_memory},
    {"fill", run_fill},
};

static const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    }
    return NULL;
}

/* The workloads that bring the crowd in themselves. */
static bool workload_joins(const struct workload *w)
{
    return w->run == run_login || w->run == run_memory || w->run == run_fill;
}

static int load_run(struct load *l, const struct workload *w, char **argv)
{
    double stop;
    bool ok = true;
    if (argv[0])
        server_start(&l->server, argv, l->address);
    crowd_init(
        &l->crowd, l->wire, l->address ? l->address : l->server.address, l->members, l->speakers);
    if (!workload_joins(w))
        ok = crowd_join(&l->crowd) && crowd_settle(&l->crowd, QUIET_MS);
    if (!ok)
        fprintf(stderr, "load: %s: the crowd did not get in\n", w->name);
    else if (!(ok = w->run(l)))
        fprintf(stderr, "load: %s: not everything was right\n", w->name);
    crowd_free(&l->crowd);
    if (argv[0]) {
        if (!server_stop(&l->server, &stop)) {
            fprintf(stderr, "load: %s had to be killed\n", argv[0]);
            ok = false;
        }
        report("stop_s", stop);
    }
    free(l->said_at);
    free(l->delays.at);
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

static int usage(void)
{
    fprintf(stderr,
        "usage: load [-w chatd|floor|redis|irc|ncat] [-n MEMBERS] [-s SPEAKERS] [-k WINDOW]\n"
        "            [-r DELIVERIES] [-t SECONDS] [-a ADDRESS] [-p PID]\n"
        "            burst|paced|lone|login|memory|fill [-- SERVER ARGUMENT...]\n"
        "       load port\n");
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
        return l->members > 0 && l->members <= 100000;
    case 's':
        l->speakers = (unsigned)atoi(arg);
        return l->speakers > 0 && l->speakers <= SPEAKERS_MAX;
    case 'k':
        l->window = (unsigned)atoi(arg);
        return true;
    case 'r':
        l->rate = atof(arg);
        return l->rate > 0;
    case 't':
        l->seconds = atof(arg);
        return l->seconds > 0;
    case 'p':
        l->server.pid = (pid_t)atol(arg);
        return l->server.pid > 0;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static struct load load = {
        .server = {.log = -1}, .members = 100, .speakers = 1, .rate = 50000, .seconds = 2};
    int opt;
    if (argc == 2 && strcmp(argv[1], "port") == 0)
        return print_port();
    load.wire = wire_find("chatd");
    while ((opt = getopt(argc, argv, "+w:n:s:k:r:t:a:p:")) != -1) {
        if (opt == 'a')
            load.address = optarg;
        else if (!load_option(&load, opt, optarg))
            return usage();
    }
    const struct workload *w = optind < argc ? workload_find(argv[optind++]) : NULL;
    if (optind < argc && strcmp(argv[optind], "--") == 0)
        optind++;
    if (!w || load.speakers > load.members || (!argv[optind] && !load.address))
        return usage();
    raise_limit();
    return load_run(&load, w, argv + optind);
}
