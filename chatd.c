/*
 * chatd.c: the parent process: usage, options, listeners, signals and the loop. It is the one place
 * that starts workers and reaps them; the room itself is in server/hub/.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "protocol.h"
#include "server/hub/hub.h"
#include "server/journal/transcript.h"
#include "server/parent/accounts.h"
#include "server/parent/detach.h"
#include "server/parent/handover.h"
#include "server/parent/listener.h"
#include "server/parent/notify.h"
#include "server/parent/options.h"
#include "server/parent/pidfile.h"
#include "server/parent/secret.h"
#include "server/worker/sandbox.h"
#include "server/worker/worker.h"

/* A worker is this program under this name; see start_worker(). */
#define WORKER_NAME "chatd: worker"
/* So is the transcript's writer; see start_writer(). */
#define WRITER_NAME "chatd: writer"
/* One that has died is replaced at once, but not more often than this. */
#define WRITER_RETRY_US 1000000u
/* Room in a worker's arguments for the title that ps(1) shows. */
#define TITLE_ROOM 160
/* Events taken from the poller at once, and visitors from one listener. */
#define EVENTS_MAX 1024
#define VISITORS_MAX 32
/* After a stop: what is owed is delivered for so long, then workers are killed. */
#define STOP_US 2000000u
/* The service manager is not told more often how many are here. */
#define STATUS_US 1000000u
/* Of all addresses in a line, and of the room in one. */
#define WHERE_MAX 256
#define ROOM_TEXT_MAX (WHERE_MAX + 40)
/* Workers of clients that have said goodbye, beside as many as there are places. */
#define LINGERING_SPARE 16
/* Descriptors that are nobody's: the standard three, the poller, files, a start under way. */
#define DESCRIPTORS_SPARE 14
#define DESCRIPTORS_MIN (DESCRIPTORS_SPARE + REFUSALS_MAX + 2)

static volatile sig_atomic_t got_stop; /* SIGTERM, SIGINT: how many */
static volatile sig_atomic_t got_chld;
static volatile sig_atomic_t got_usr1;
static volatile sig_atomic_t got_hup;
static volatile sig_atomic_t got_usr2;

/* The parent's state. It lives in main(). */
struct parent {
    struct options options;
    struct report report;
    struct notify notify;
    int detaching; /* whom to tell that the room is ready; -1: nobody */
    int sockets;   /* that the service manager has handed over */
    struct poller *poller;
    struct listeners listeners;
    struct hub *hub;
    struct handover handover;
    uint64_t writer_begun; /* when it was started last */
    pid_t writer;          /* the transcript's; -1: it has died, 0: there is none */
    uint64_t writer_at;    /* when it is started again; 0: it runs, or there is none */
    bool writer_missing;   /* that was tried in vain */
    size_t capacity;       /* workers that the system has room for */
    char self[4096];
    const char *self_path;
    char secret[SECRET_SIZE];
    struct accounts accounts; /* with -a */
    struct proctitle title;
    char where[WHERE_MAX]; /* the addresses */
    size_t titled;         /* members that the title tells of */
    size_t told;           /* that the service manager was told of */
    uint64_t told_at;      /* when */
    uint64_t started;
    uint64_t stop_at;     /* a stop has begun, and workers are killed then; 0: none has */
    uint64_t empty_since; /* nobody has been here since then; 0: somebody is */
    struct report_limit refusals;
    struct report_limit episodes;
    bool full; /* somebody was refused for that, and nobody has come in since */
    bool start_failing;
};

/* ---- The process itself ---------------------------------------------------------------------- */

/* 0, 1 and 2 are open, whatever the caller left: what is opened later must not become one. */
static void standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd != -1 && fd <= STDERR_FILENO);
    if (fd != -1)
        close(fd);
}

static void on_signal(int sig)
{
    switch (sig) {
    case SIGTERM:
    case SIGINT:
        got_stop++;
        break;
    case SIGCHLD:
        got_chld = 1;
        break;
    case SIGUSR1:
        got_usr1 = 1;
        break;
    case SIGHUP:
        got_hup = 1;
        break;
    case SIGUSR2:
        got_usr2 = 1;
        break;
    }
}

/*
 * Signals are blocked but while the parent waits, so that none is lost between looking at the
 * flags and the wait. *waiting is the mask of the wait.
 */
static void signals_prepare(sigset_t *waiting)
{
    static const int caught[] = {SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGUSR2, SIGHUP};
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t block;

    sigemptyset(waiting);
    sigemptyset(&block);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        sigaddset(&block, caught[i]);
        sigaction(caught[i], &sa, NULL);
    }
    sigprocmask(SIG_SETMASK, &block, NULL);
    /* A reader that is gone, and a log or a state beyond RLIMIT_FSIZE, are errors of one call. */
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
    sigaction(SIGXFSZ, &sa, NULL);
}

static rlim_t limit_raise(int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == -1)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(resource, &limit);
    (void)getrlimit(resource, &limit);
    return limit.rlim_cur;
}

/* How many workers there can be: one descriptor and one process each. */
static int find_capacity(struct parent *p)
{
    rlim_t files = limit_raise(RLIMIT_NOFILE);

    if (files < DESCRIPTORS_MIN) {
        report(&p->report, LOG_ERR, "RLIMIT_NOFILE: %lu descriptors are too few, %d are needed",
            (unsigned long)files, DESCRIPTORS_MIN);
        return EX_OSERR;
    }
#ifdef RLIMIT_NPROC
    (void)limit_raise(RLIMIT_NPROC);
#endif
    p->capacity = 1000000;
    if (files - (DESCRIPTORS_SPARE + REFUSALS_MAX) < p->capacity)
        p->capacity = (size_t)files - (DESCRIPTORS_SPARE + REFUSALS_MAX);
    return 0;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static void signal_worker(void *context, pid_t pid, int sig)
{
    (void)context;
    kill(pid, sig);
}

/*
 * A fresh image of this program with the client's socket as 0, one end of a pair as 1 and nothing
 * else. Returns its pid, and the other end of the pair in *fd.
 */
static pid_t start_worker(struct parent *p, int client, int *fd)
{
    char name[] = WORKER_NAME;
    char cage[] = {p->options.sandbox == SANDBOX_OFF       ? 'o'
                   : p->options.sandbox == SANDBOX_REQUIRE ? 'r'
                                                           : 'a',
        '\0'};
    char room[TITLE_ROOM + 1];
    char *argv[] = {name, cage, room, NULL};
    int pair[2];
    pid_t pid;

    memset(room, '-', TITLE_ROOM);
    room[TITLE_ROOM] = '\0';
    if (socketpair_cloexec_nonblock(pair) == -1)
        return -1;
    pid = spawn_worker(p->self_path, argv, client, pair[1]);
    close(pair[1]);
    if (pid == -1) {
        int error = errno;

        close(pair[0]);
        errno = error;
        return -1;
    }
    *fd = pair[0];
    return pid;
}

/* The name that the kernel vouches for; NULL: there is none, or it is not asked. */
static const char *find_login(const struct parent *p, const struct visitor *v)
{
    return p->options.authenticated && v->local ? accounts_name(&p->accounts, v->uid) : NULL;
}

static bool is_login(void *context, const char *folded)
{
    const struct parent *p = context;

    return accounts_have(&p->accounts, folded);
}

/* Clients at once: -m, or what the system lets be. */
static size_t places(const struct parent *p)
{
    size_t wanted = p->options.clients;

    return wanted != 0 && wanted < p->capacity ? wanted : p->capacity;
}

/*
 * Whoever has said goodbye has given his place back, though his worker may take its time to hand
 * out the rest. There are as many such workers as places, and a few, but no more: else clients that
 * come and go and take nothing would be processes without end.
 */
static bool is_full(const struct parent *p)
{
    size_t workers = hub_workers(p->hub);

    return hub_sessions(p->hub) >= places(p) || workers >= p->capacity ||
           workers >= 2 * places(p) + LINGERING_SPARE;
}

/* Why nobody can be let in now; NULL: he can. */
static const char *find_refusal(const struct parent *p, const struct visitor *v)
{
    if (is_full(p))
        return "full no room for more people, try later";
    if (p->options.clients_each != 0 && !v->local &&
        hub_sessions_from(p->hub, v->peer) >= p->options.clients_each)
        return "full too many connections from your address";
    return NULL;
}

/* A full room is said once, with what bounds it; who comes in vain meanwhile is for -v. */
static void report_refusal(
    struct parent *p, const struct visitor *v, const char *refusal, uint64_t now)
{
    bool full = is_full(p);

    if (full && !p->full)
        report_limited(&p->report, &p->episodes, now, LOG_NOTICE,
            "full: %zu clients are here, as many as %s", hub_sessions(p->hub),
            places(p) < p->capacity ? "-m allows" : "RLIMIT_NOFILE allows");
    p->full = full;
    report_limited(&p->report, &p->refusals, now, full ? LOG_DEBUG : LOG_INFO, "%s: refused: %s",
        v->peer, refusal);
}

static void let_in(struct parent *p, const struct visitor *v, uint64_t now)
{
    const char *refusal = find_refusal(p, v);
    pid_t pid;
    int fd;

    if (refusal != NULL) {
        report_refusal(p, v, refusal, now);
        listeners_refuse(&p->listeners, v, refusal, now);
        return;
    }
    pid = start_worker(p, v->fd, &fd);
    if (pid == -1) {
        if (!p->start_failing)
            report(&p->report, LOG_WARNING, "cannot start a worker: %s", strerror(errno));
        p->start_failing = true;
        listeners_refuse(&p->listeners, v, "full no worker can be started, try later", now);
        return;
    }
    p->start_failing = p->full = false;
    if (hub_add(p->hub, fd, pid, v->peer, find_login(p, v), now)) {
        close(v->fd);
        return;
    }
    close(fd);
    listeners_refuse(&p->listeners, v, "full no memory, try later", now);
}

/* The transcript's writer: a fresh image with the file, and its lock, as 0 and a pair's end as 1.
 */
static bool start_writer(struct parent *p, int file, uint64_t now)
{
    char name[] = WRITER_NAME;
    char sync[] = "-s";
    char room[TITLE_ROOM + 1];
    char *argv[] = {name, p->options.transcript, sync, room, NULL};
    int pair[2];

    p->writer_begun = now;
    if (!p->options.sync)
        sync[1] = '-';
    memset(room, '-', TITLE_ROOM);
    room[TITLE_ROOM] = '\0';
    if (socketpair_cloexec_nonblock(pair) == -1)
        return false;
    p->writer = spawn_worker(p->self_path, argv, file, pair[1]);
    close(pair[1]);
    if (p->writer != -1 && hub_set_writer(p->hub, pair[0], p->options.sync, now))
        return true;
    close(pair[0]);
    return false;
}

/* After its death, once a second until there is one again. Why there is none is said once. */
static void restart_writer(struct parent *p, uint64_t now)
{
    static const struct report silent = {.to = REPORT_STDERR};
    int file =
        transcript_open(p->options.transcript, false, p->writer_missing ? &silent : &p->report);

    p->writer_at = now + WRITER_RETRY_US;
    p->writer_missing = file == -1 || !start_writer(p, file, now);
    if (p->writer_missing)
        hub_miss_writer(p->hub);
    else
        p->writer_at = 0;
    if (file != -1)
        close(file);
}

static void reap(struct parent *p)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (hub_reaped(p->hub, pid, status))
            listeners_resume(&p->listeners);
        (void)handover_reaped(&p->handover, pid, status, &p->report);
        if (pid == p->writer) {
            p->writer = -1;
            p->writer_at = p->writer_begun + WRITER_RETRY_US;
        }
    }
}

/* ---- The operator's files
 * ------------------------------------------------------------------------
 */

/*
 * Reads the secret of -k. At a start (again: at SIGHUP) what cannot be read lets nobody in (leaves
 * the old secret, which the user of -u may not be able to read again). 0 or the exit status.
 */
static int read_secret(struct parent *p, bool again)
{
    const char *result = again ? "the old secret stays" : "nobody gets in";

    if (p->options.secret_file == NULL)
        return 0;
    switch (secret_read(p->options.secret_file, p->secret)) {
    case SECRET_READ:
        break;
    case SECRET_EMPTY:
        report(&p->report, LOG_WARNING, "%s: no secret in its first line; nobody gets in",
            p->options.secret_file);
        break;
    case SECRET_UNREADABLE:
        report(
            &p->report, LOG_WARNING, "%s: %s; %s", p->options.secret_file, strerror(errno), result);
        break;
    case SECRET_EXPOSED:
        report(&p->report, again ? LOG_WARNING : LOG_ERR, "%s: must not be open to others%s%s",
            p->options.secret_file, again ? "; " : "", again ? result : "");
        return EX_NOPERM;
    }
    return 0;
}

/* For -a. Where the list cannot be read, it is what it was. */
static int read_accounts(struct parent *p)
{
    if (!p->options.authenticated || accounts_read(&p->accounts))
        return 0;
    report(&p->report, LOG_ERR, "the list of logins: %s", strerror(errno));
    return EX_OSERR;
}

/* SIGHUP: everything that can be read again is. */
static void reload(struct parent *p)
{
    notify_say(&p->notify, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_us());
    hub_reopen(p->hub);
    (void)read_secret(p, true);
    (void)read_accounts(p);
    notify_say(&p->notify, "READY=1");
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void report_status(struct parent *p, uint64_t now)
{
    report(&p->report, LOG_NOTICE,
        "status: chatd " CHAT_VERSION ", pid %ld, up %llu s, on %s, for at most %zu clients",
        (long)getpid(), (unsigned long long)((now - p->started) / 1000000u), p->where, places(p));
    hub_report(p->hub, now);
}

static void stop(struct parent *p, const char *why, uint64_t now)
{
    if (p->stop_at != 0)
        return;
    report(&p->report, LOG_NOTICE, "%s", why);
    notify_say(&p->notify, "STOPPING=1\nSTATUS=%s", why);
    listeners_close(&p->listeners);
    hub_stop(p->hub);
    p->stop_at = now + STOP_US;
}

/* ---- The next program ------------------------------------------------------------------------ */

/*
 * All that another program needs to go on in this process; see handover.h for who reads it. What
 * can be found out again (limits, logins, the options) is not in it.
 */
static void parent_state(struct parent *p, struct codec *c)
{
    codec_fd(c, &p->notify.fd);
    codec_bytes(c, &p->notify.address, sizeof(p->notify.address));
    codec_u32(c, &p->notify.len);
    codec_text(c, p->secret, sizeof(p->secret));
    codec_int(c, &p->writer);
    codec_u64(c, &p->writer_at);
    codec_u64(c, &p->started);
    codec_u64(c, &p->empty_since);
    listeners_state(&p->listeners, c);
}

/* A turn is over, and the new program has agreed. Returns where it could not be done after all. */
static void hand_over(struct parent *p, uint64_t now)
{
    struct codec c = {.keep_fds = true};
    uint64_t version = HANDOVER_VERSION;
    size_t log_bytes = hub_log_size(p->hub);

    codec_u64(&c, &version);
    codec_u64(&c, &now);
    codec_size(&c, &log_bytes);
    parent_state(p, &c);
    if (hub_state(p->hub, &c) && !c.bad) {
        notify_say(&p->notify, "STATUS=becoming another version");
        handover_exec(&p->handover, &c, p->options.again, &p->report);
    } else {
        report(&p->report, LOG_ERR, "no upgrade: no memory for the state");
    }
    /* Still here: the descriptors are this program's alone again. */
    p->handover.agreed = false;
    p->told = SIZE_MAX;
    c.keep_fds = false;
    c.len = 0;
    c.bad = false;
    parent_state(p, &c);
    (void)hub_state(p->hub, &c);
    free(c.buf);
}

static void act_on_signals(struct parent *p, uint64_t now)
{
    if (got_chld) {
        got_chld = 0;
        reap(p);
    }
    if (got_usr1) {
        got_usr1 = 0;
        report_status(p, now);
    }
    if (got_hup) {
        got_hup = 0;
        reload(p);
    }
    if (got_usr2) {
        got_usr2 = 0;
        handover_ask(&p->handover, &p->report, now);
    }
    if (p->handover.agreed && p->stop_at == 0 && got_stop == 0)
        hand_over(p, now);
    if (p->writer_at != 0 && now >= p->writer_at)
        restart_writer(p, now);
    if (got_stop > 0)
        stop(p, "stopping", now);
    if (p->stop_at != 0 && (got_stop > 1 || now >= p->stop_at))
        hub_signal_all(p->hub, SIGKILL);
}

static void handle_event(struct parent *p, const struct poller_event *event, uint64_t now)
{
    struct visitor visitor;

    if (!listeners_own(&p->listeners, event->tag)) {
        hub_ready(p->hub, event->tag, event->revents);
        return;
    }
    for (int i = 0; i < VISITORS_MAX; i++) {
        if (!listeners_accept(&p->listeners, event->tag, now, &visitor))
            return;
        let_in(p, &visitor, now);
    }
}

static int earlier(int a, int b)
{
    if (a == -1 || b == -1)
        return a == -1 ? b : a;
    return a < b ? a : b;
}

static int milliseconds_until(uint64_t when, uint64_t now)
{
    if (when <= now)
        return 0;
    return when - now > 3600000000u ? 3600000 : (int)((when - now + 999) / 1000);
}

static int timeout_of_stop(const struct parent *p, uint64_t now)
{
    if (p->stop_at == 0)
        return -1;
    /* Killed workers are only waited for. */
    return now >= p->stop_at ? 100 : milliseconds_until(p->stop_at, now);
}

/* -x: looks whether anybody is here, and when the room ends if nobody comes. */
static int timeout_of_emptiness(struct parent *p, uint64_t now)
{
    if (p->options.empty_us == 0 || p->stop_at != 0 || hub_workers(p->hub) > 0) {
        p->empty_since = 0;
        return -1;
    }
    if (p->empty_since == 0)
        p->empty_since = now;
    return milliseconds_until(p->empty_since + p->options.empty_us, now);
}

/* "12 members, *:65432": room for that is in out. */
static const char *describe_room(const struct parent *p, size_t members, char out[ROOM_TEXT_MAX])
{
    snprintf(out, ROOM_TEXT_MAX, "%zu member%s, %s", members, members == 1 ? "" : "s", p->where);
    return out;
}

/* For ps(1): no more than a write to memory. */
static void show_title(struct parent *p, size_t members)
{
    char text[ROOM_TEXT_MAX];
    char title[ROOM_TEXT_MAX + 8];
    int len = snprintf(title, sizeof(title), "chatd: %s", describe_room(p, members, text));

    proctitle_set(&p->title, title, (size_t)len);
    p->titled = members;
}

/* Keeps title and service manager up to date; in how many milliseconds again. */
static int show_members(struct parent *p, uint64_t now)
{
    size_t members = hub_members(p->hub);
    char text[ROOM_TEXT_MAX];

    if (members != p->titled)
        show_title(p, members);
    if (members == p->told)
        return -1;
    if (now - p->told_at < STATUS_US)
        return milliseconds_until(p->told_at + STATUS_US, now);
    p->told = members;
    p->told_at = now;
    notify_say(&p->notify, "STATUS=%s", describe_room(p, members, text));
    return -1;
}

static int run(struct parent *p, const sigset_t *waiting)
{
    struct poller_event events[EVENTS_MAX];
    uint64_t now = clock_us();
    int timeout;
    int n;

    for (;;) {
        timeout = hub_turn(p->hub, now);
        if (p->stop_at != 0 &&
            (hub_is_done(p->hub) || (hub_workers(p->hub) == 0 && now >= p->stop_at)))
            return 0;
        timeout = earlier(timeout, listeners_turn(&p->listeners, now));
        timeout = earlier(timeout, timeout_of_stop(p, now));
        timeout = earlier(timeout, timeout_of_emptiness(p, now));
        timeout = earlier(timeout, show_members(p, now));
        timeout = earlier(timeout, handover_turn(&p->handover, &p->report, now));
        if (p->writer_at != 0)
            timeout = earlier(timeout, milliseconds_until(p->writer_at, now));
        n = poller_wait(p->poller, timeout, waiting, events, EVENTS_MAX);
        now = clock_us();
        for (int i = 0; i < n; i++)
            handle_event(p, &events[i], now);
        act_on_signals(p, now);
        /* Who stands at the door is let in first. */
        if (n == 0 && timeout_of_emptiness(p, now) == 0)
            stop(p, "stopping: nobody is here", now);
    }
}

/* ---- Start
 * --------------------------------------------------------------------------------------- */

static int sandbox_check(struct parent *p)
{
    enum sandbox_tier tier;

    if (p->options.sandbox == SANDBOX_OFF) {
        report(&p->report, LOG_NOTICE, "sandbox: off");
        return 0;
    }
    tier = sandbox_probe();
    if (p->options.sandbox == SANDBOX_REQUIRE && tier != SANDBOX_FILTER) {
        report(&p->report, LOG_ERR, "-S require: this system gives no filter (only: %s)",
            sandbox_name(tier));
        return EX_NOPERM;
    }
    report(&p->report, LOG_NOTICE, "sandbox: %s", sandbox_name(tier));
    return 0;
}

static int open_addresses(struct parent *p)
{
    struct options *o = &p->options;
    int status = 0;

    if (o->address_count == 0 && p->sockets == 0)
        o->addresses[o->address_count++] = CHAT_DEFAULT_HOST ":" CHAT_DEFAULT_PORT;
    for (int i = 0; i < p->sockets && status == 0; i++)
        status = listeners_adopt(&p->listeners, NOTIFY_FIRST_FD + i);
    for (size_t i = 0; i < o->address_count && status == 0; i++)
        status = listeners_open(&p->listeners, o->addresses[i], o->mode);
    return status;
}

/* With -t: the file's end becomes the log's beginning, and a writer is started for what comes. */
static int start_transcript(struct parent *p)
{
    const char *file = p->options.transcript;
    int status = EX_CANTCREAT;
    int fd;

    if (file == NULL)
        return 0;
    fd = transcript_open(file, true, &p->report);
    if (fd == -1)
        return EX_CANTCREAT;
    if (transcript_read_back(fd, file, p->hub, &p->report)) {
        status = start_writer(p, fd, clock_us()) ? 0 : EX_OSERR;
        if (status != 0)
            report(
                &p->report, LOG_ERR, "cannot start the transcript's writer: %s", strerror(errno));
    }
    close(fd);
    return status;
}

static int write_pid_file(struct parent *p)
{
    const char *file = p->options.pid_file;

    if (file == NULL || pidfile_write(file))
        return 0;
    report(&p->report, LOG_ERR, "%s: %s", file, strerror(errno));
    return EX_CANTCREAT;
}

/* What only root may do is done by now; what comes next is done, and made, as the user. */
static int give_up_root(struct parent *p)
{
    const char *user = p->options.user;
    const char *why;

    if (user == NULL) {
        if (geteuid() == 0)
            report(&p->report, LOG_WARNING, "running as root; -u USER would give that up");
        return 0;
    }
    why = privileges_drop(user);
    if (why == NULL)
        return 0;
    report(&p->report, LOG_ERR, "-u %s: %s%s%s", user, why, errno != 0 ? ": " : "",
        errno != 0 ? strerror(errno) : "");
    return EX_NOPERM;
}

/* What the writer was handed is in the file before the parent's end is seen, within reason. */
static void wait_for_writer(const struct parent *p)
{
    const struct timespec step = {.tv_nsec = 10000000};

    for (int i = 0; p->writer > 0 && i < 200 && waitpid(p->writer, NULL, WNOHANG) == 0; i++)
        nanosleep(&step, NULL);
}

/* An empty room. */
static int make_hub(struct parent *p)
{
    p->poller = poller_new();
    if (p->poller == NULL) {
        report(&p->report, LOG_ERR, "poller: %s", strerror(errno));
        return EX_OSERR;
    }
    p->listeners.poller = p->options.hub.poller = p->poller;
    p->listeners.report = p->options.hub.report = &p->report;
    p->options.hub.signal_worker = signal_worker;
    p->options.hub.name_reserved = p->options.authenticated ? is_login : NULL;
    p->options.hub.context = p;
    if (p->options.secret_file != NULL)
        p->options.hub.secret = p->secret;
    p->hub = hub_new(&p->options.hub);
    if (p->hub == NULL) {
        report(&p->report, LOG_ERR, "the room's log: %s", strerror(errno));
        return EX_OSERR;
    }
    return 0;
}

static int start(struct parent *p)
{
    int status = find_capacity(p);

    if (status == 0)
        status = sandbox_check(p);
    if (status == 0)
        status = read_secret(p, false);
    if (status == 0)
        status = read_accounts(p);
    if (status == 0)
        status = make_hub(p);
    if (status == 0)
        status = open_addresses(p);
    if (status == 0)
        status = write_pid_file(p);
    if (status == 0)
        status = give_up_root(p);
    if (status == 0)
        status = start_transcript(p);
    return status;
}

/* In the new program: the room goes on where the old one left it. */
static int take_over(struct parent *p, struct codec *c)
{
    uint64_t version = 0;
    uint64_t since = 0;
    int status = find_capacity(p);

    codec_u64(c, &version);
    codec_u64(c, &since);
    codec_size(c, &p->options.hub.log_bytes);
    if (status == 0)
        status = read_accounts(p);
    if (status == 0)
        status = make_hub(p);
    if (status != 0)
        return status;
    parent_state(p, c);
    if (version != HANDOVER_VERSION || !hub_state(p->hub, c) || c->bad || c->at != c->len ||
        !hub_listen(p->hub)) {
        report(&p->report, LOG_ERR, "what the old program handed over cannot be read");
        return EX_SOFTWARE;
    }
    free(c->buf);
    got_chld = 1; /* whoever died meanwhile */
    report(&p->report, LOG_NOTICE,
        "this is chatd " CHAT_VERSION " now, with %zu member%s, after %.1f ms", hub_members(p->hub),
        hub_members(p->hub) == 1 ? "" : "s", (double)(clock_us() - since) / 1000);
    return 0;
}

/* A log is kept; a terminal is looked at, perhaps with a chat(1) on it. */
static void report_prepare(struct parent *p)
{
    bool kept = p->options.detach || !isatty(STDERR_FILENO);

    p->report.level = p->options.verbose ? LOG_DEBUG : kept ? LOG_INFO : LOG_NOTICE;
    if (notify_reads_stderr())
        p->report.to = REPORT_JOURNAL;
}

/* -d: from here on this is the child, which is on its own when it is ready. */
static int detach(struct parent *p, bool already)
{
    p->detaching = -1;
    if (!p->options.detach)
        return 0;
    if (already) {
        p->report.syslog = syslog_connect("chatd");
        p->report.to = REPORT_SYSLOG;
        return 0;
    }
    p->detaching = detach_begin();
    if (p->detaching == -1) {
        report(&p->report, LOG_ERR, "cannot detach: %s", strerror(errno));
        return EX_OSERR;
    }
    p->report.syslog = syslog_connect("chatd");
    p->report.to = REPORT_BOTH;
    return 0;
}

/* From here on people come in. */
static void be_ready(struct parent *p, bool again)
{
    char text[ROOM_TEXT_MAX];

    listeners_describe(&p->listeners, p->where, sizeof(p->where));
    p->told = hub_members(p->hub);
    show_title(p, p->told);
    notify_say(&p->notify, "READY=1\nSTATUS=%s", describe_room(p, p->told, text));
    if (again)
        return;
    p->started = clock_us();
    listeners_announce(&p->listeners);
    if (p->detaching != -1) {
        p->report.to = REPORT_SYSLOG;
        detach_finish(p->detaching);
        p->detaching = -1;
    }
}

int main(int argc, char **argv)
{
    static struct parent p;
    struct proctitle title; /* a worker touches nothing of p: that would cost it a page */
    struct codec state;
    bool arrived;
    sigset_t waiting;
    int status;

    proctitle_init(&title, argc, argv);
    if (argc == 3 && strcmp(argv[0], WORKER_NAME) == 0)
        worker_main(&title, argv[1][0] == 'o'   ? WORKER_LOOSE
                            : argv[1][0] == 'r' ? WORKER_LOCKED
                                                : WORKER_CAGED);
    proctitle_spare(&title, argv);
    if (argc == 4 && strcmp(argv[0], WRITER_NAME) == 0)
        transcript_writer_main(&title, argv[1], strcmp(argv[2], "-s") == 0);
    if (argc == 2 && strcmp(argv[0], HANDOVER_QUESTION) == 0)
        handover_answer(argv[1]);
    p.title = title;
    standard_descriptors();
    arrived = handover_arrives(&state);
    p.sockets = notify_sockets();
    options_read(&p.options, argc, argv);
    report_prepare(&p);
    if (!arrived) {
        descriptors_close_from(NOTIFY_FIRST_FD + p.sockets);
        notify_open(&p.notify);
    }
    status = detach(&p, arrived);
    if (status != 0)
        return status;
    signals_prepare(&waiting);
    p.self_path = self_exe(p.self, sizeof(p.self), argv[0]);
    if (p.self_path == NULL) {
        report(&p.report, LOG_ERR, "%s: cannot find my own program: %s", argv[0], strerror(errno));
        return EX_OSERR;
    }
    if (!program_path(p.handover.program, sizeof(p.handover.program), argv[0]))
        p.handover.program[0] = '\0';
    else
        p.options.again[0] = p.handover.program;
    status = arrived ? take_over(&p, &state) : start(&p);
    if (status == 0) {
        be_ready(&p, arrived);
        status = run(&p, &waiting);
    }
    listeners_close(&p.listeners);
    hub_free(p.hub);
    wait_for_writer(&p);
    if (p.options.pid_file != NULL)
        pidfile_remove(p.options.pid_file);
    poller_free(p.poller);
    accounts_free(&p.accounts);
    return status;
}
