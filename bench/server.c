#define _GNU_SOURCE
#include "bench/server.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_SECONDS 10
#define STOP_SECONDS 15
/* A thousand members that leave are a thousand lines. */
#define LOG_LINES 10

/* For the signal handler only; 0: none is running. */
static volatile sig_atomic_t running;

/* A process as /proc shows it. */
struct process {
    pid_t pid;
    pid_t parent;
    char state;
    bool ours;
    uint64_t reaped_ns; /* processor time of its children that it has waited for */
};

struct tree {
    struct process *at;
    size_t count;
};

static double seconds_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- Starting and stopping ------------------------------------------------------------------ */

static _Noreturn void server_exec(char **argv, int log, pid_t parent)
{
    int devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    dup2(devnull, STDIN_FILENO);
    dup2(devnull, STDOUT_FILENO);
    dup2(log < 0 ? devnull : log, STDERR_FILENO);
    execvp(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* A measurement that is interrupted takes its server along. */
static void on_interrupt(int sig)
{
    if (running != 0)
        kill((pid_t)running, SIGTERM);
    _exit(128 + sig);
}

static void interrupts_prepare(void)
{
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
}

static void wait_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Reads the log until the address is there. */
static bool server_await_address(struct server *s)
{
    static const char word[] = "listening on ";
    double deadline = seconds_now() + LISTEN_SECONDS;
    char buf[4096];
    while (seconds_now() < deadline && waitpid(s->pid, NULL, WNOHANG) == 0) {
        ssize_t n = pread(s->log, buf, sizeof buf - 1, 0);
        buf[n > 0 ? n : 0] = '\0';
        char *said = strstr(buf, word);
        char *end = said ? strchr(said, '\n') : NULL;
        if (end) {
            *end = '\0';
            snprintf(s->address, sizeof s->address, "%s", said + strlen(word));
            return true;
        }
        wait_a_little();
    }
    return false;
}

/* Copies the first lines of the log to standard error, except those about addresses. */
static void server_pass_on(struct server *s)
{
    FILE *f = fdopen(s->log, "r");
    char line[4096];
    if (!f)
        return;
    rewind(f);
    for (int left = LOG_LINES; left > 0 && fgets(line, sizeof line, f);) {
        if (strstr(line, "listening on "))
            continue;
        fputs(line, stderr);
        left--;
    }
    fclose(f);
    s->log = -1;
}

void server_start(struct server *s, char **argv, const char *address)
{
    pid_t parent = getpid();
    s->log = address ? -1 : open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    interrupts_prepare();
    s->pid = fork();
    if (s->pid == 0)
        server_exec(argv, s->log, parent);
    if (s->pid < 0) {
        perror("fork");
        exit(71);
    }
    running = s->pid;
    if (address) {
        snprintf(s->address, sizeof s->address, "%s", address);
    } else if (!server_await_address(s)) {
        fprintf(stderr, "load: %s does not listen\n", argv[0]);
        server_pass_on(s);
        kill(s->pid, SIGKILL);
        exit(69);
    }
}

static void tree_read(struct tree *, pid_t root);

/* All descendants of this process: orphans of the server have become its children. */
static void descendants_kill(void)
{
    struct tree t;
    tree_read(&t, getpid());
    for (size_t i = 0; i < t.count; i++) {
        if (t.at[i].ours && t.at[i].pid != getpid())
            kill(t.at[i].pid, SIGKILL);
    }
    free(t.at);
}

bool server_stop(struct server *s, double *seconds)
{
    double start = seconds_now();
    bool in_time = true;
    kill(s->pid, SIGTERM);
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid == s->pid)
            running = 0;
        if (pid < 0 && errno == ECHILD)
            break;
        if (pid == 0)
            wait_a_little();
        if (in_time && seconds_now() - start > STOP_SECONDS) {
            in_time = false;
            descendants_kill();
        }
    }
    if (s->log >= 0)
        server_pass_on(s);
    *seconds = seconds_now() - start;
    return in_time;
}

/* ---- Measuring ------------------------------------------------------------------------------ */

/* The file's beginning as a string; empty where it cannot be read. */
static void file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);
    buf[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* Fields 3, 4, 16 and 17 of /proc/PID/stat; the second may hold anything, but ends at the last ')'.
 */
static bool process_read(struct process *p, const char *pid)
{
    char path[32];
    char buf[1024];
    unsigned long user;
    unsigned long system;
    int parent;
    snprintf(path, sizeof path, "/proc/%.10s/stat", pid);
    file_read(path, buf, sizeof buf);
    const char *rest = strrchr(buf, ')');
    if (!rest || sscanf(rest, ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
                     &p->state, &parent, &user, &system) != 4)
        return false;
    p->pid = (pid_t)atol(pid);
    p->parent = (pid_t)parent;
    p->ours = false;
    p->reaped_ns = (user + system) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

static bool tree_has(const struct tree *t, pid_t pid)
{
    size_t low = 0;
    size_t high = t->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t->at[mid].pid == pid)
            return t->at[mid].ours;
        if (t->at[mid].pid < pid)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static int process_compare(const void *a, const void *b)
{
    const struct process *p = a;
    const struct process *q = b;
    return (p->pid > q->pid) - (p->pid < q->pid);
}

/* All processes of the machine; those that descend from root are marked as ours. */
static void tree_read(struct tree *t, pid_t root)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    size_t cap = 0;
    *t = (struct tree){NULL, 0};
    while (dir && (entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (t->count == cap) {
            cap = cap ? 2 * cap : 256;
            t->at = realloc(t->at, cap * sizeof *t->at);
            if (!t->at)
                abort();
        }
        t->count += process_read(&t->at[t->count], entry->d_name);
    }
    if (dir)
        closedir(dir);
    qsort(t->at, t->count, sizeof *t->at, process_compare);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < t->count; i++) {
            struct process *p = &t->at[i];
            if (!p->ours && (p->pid == root || tree_has(t, p->parent)))
                p->ours = more = true;
        }
    }
}

static uint64_t process_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec ts;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct cpu server_cpu(const struct server *s)
{
    struct tree t;
    struct cpu cpu = {0, process_cpu(s->pid)};
    tree_read(&t, s->pid);
    for (size_t i = 0; i < t.count; i++) {
        if (t.at[i].ours)
            cpu.all += t.at[i].reaped_ns + process_cpu(t.at[i].pid);
    }
    free(t.at);
    return cpu;
}

unsigned server_processes(const struct server *s)
{
    struct tree t;
    unsigned count = 0;
    tree_read(&t, s->pid);
    for (size_t i = 0; i < t.count; i++)
        count += t.at[i].ours;
    free(t.at);
    return count;
}

/* The number behind the word at a line's beginning, or UINT64_MAX. */
static uint64_t field_find(const char *text, const char *word)
{
    for (const char *at = text; (at = strstr(at, word)); at++) {
        if (at == text || at[-1] == '\n')
            return strtoull(at + strlen(word), NULL, 10);
    }
    return UINT64_MAX;
}

uint64_t server_switches(const struct server *s, uint64_t *hub)
{
    static const char *const fields[] = {"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"};
    char path[32];
    char buf[8192];
    struct tree t;
    uint64_t sum = 0;
    *hub = 0;
    tree_read(&t, s->pid);
    for (size_t i = 0; i < t.count; i++) {
        if (!t.at[i].ours)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/status", (long)t.at[i].pid);
        file_read(path, buf, sizeof buf);
        for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
            uint64_t n = field_find(buf, fields[k]);
            sum += n == UINT64_MAX ? 0 : n;
            *hub += t.at[i].pid == s->pid && n != UINT64_MAX ? n : 0;
        }
    }
    free(t.at);
    return sum;
}

void server_memory(const struct server *s, struct memory *m)
{
    static const char *const fields[] = {"SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:"};
    char buf[8192];
    struct tree t;
    *m = (struct memory){0, 0, 0};
    tree_read(&t, s->pid);
    for (size_t i = 0; i < t.count; i++) {
        char path[48];
        if (!t.at[i].ours || t.at[i].state == 'Z')
            continue;
        m->processes++;
        snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)t.at[i].pid);
        file_read(path, buf, sizeof buf);
        uint64_t pss = field_find(buf, "Pss:");
        m->pss_kib = pss == UINT64_MAX || m->pss_kib == UINT64_MAX ? UINT64_MAX : m->pss_kib + pss;
    }
    free(t.at);
    file_read("/proc/meminfo", buf, sizeof buf);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint64_t kib = field_find(buf, fields[i]);
        m->kernel_kib += kib == UINT64_MAX ? 0 : kib;
    }
}
