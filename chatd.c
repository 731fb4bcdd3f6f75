/*
 * chatd.c: the parent process: the order of the start, the loop, and the flags that signals set.
 * Its parts are in server/parent/, the room itself is in server/hub/.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "protocol.h"
#include "server/cluster/engine.h"
#include "server/hub/hub.h"
#include "server/journal/opener.h"
#include "server/journal/remainder.h"
#include "server/journal/writer.h"
#include "server/parent/access_file.h"
#include "server/parent/addresses.h"
#include "server/parent/detach.h"
#include "server/parent/lookup.h"
#include "server/parent/parent.h"
#include "server/parent/timeout.h"
#include "server/parent/user.h"
#include "server/worker/worker.h"

/* Events taken from the poller at once, and connections from one listener. */
#define EVENTS_MAX 1024
#define ACCEPTS_MAX 32
/* The pause after the poller has failed. */
#define RETRY_MS 100

/* How often each signal came since it was handled; SIGINT counts as SIGTERM. */
static volatile sig_atomic_t caught[64];

/* ---- Signals --------------------------------------------------------------------------------- */

static void on_signal(int sig)
{
    caught[sig == SIGINT ? SIGTERM : sig]++;
}

/*
 * Signals are blocked except during the wait for events, so that none is lost between the check of
 * the counters and the wait. *waiting is the mask of the wait.
 */
static void signals_prepare(sigset_t *waiting)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGUSR2, SIGHUP};
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t block;

    sigemptyset(waiting);
    sigemptyset(&block);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaddset(&block, handled[i]);
        sigaction(handled[i], &sa, NULL);
    }
    sigprocmask(SIG_SETMASK, &block, NULL);
    /* A closed socket (SIGPIPE) and RLIMIT_FSIZE (SIGXFSZ) are handled as errors of the call. */
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
    sigaction(SIGXFSZ, &sa, NULL);
}

/* True if the signal came since the last call. */
static bool has_come(int sig)
{
    bool come = caught[sig] != 0;

    caught[sig] = 0;
    return come;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void act_on_signals(struct parent *p, uint64_t now)
{
    int stops = caught[SIGTERM];

    if (has_come(SIGCHLD))
        parent_reap(p, now);
    if (has_come(SIGUSR1))
        parent_report(p, now);
    if (has_come(SIGHUP))
        parent_reload(p, now);
    if (has_come(SIGUSR2))
        handover_ask(&p->handover, now);
    if (stops > 0)
        lifetime_stop(&p->lifetime, LOG_NOTICE, "stopping", now);
    if (stops > 1)
        lifetime_hurry(&p->lifetime, now);
    if (p->handover.step == HANDOVER_AGREED && p->ready && !lifetime_is_stopping(&p->lifetime))
        parent_hand_over(p);
}

static void handle_event(struct parent *p, const struct poller_event *event, uint64_t now)
{
    struct accepted accepted;
    uint64_t until;

    if (admission_ready(&p->admission, event->tag))
        return;
    if (!listeners_own(&p->listeners, event->tag)) {
        hub_ready(p->hub, event->tag, event->revents);
        return;
    }
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        if (admission_waits(&p->admission, now, &until)) {
            listeners_wait(&p->listeners, until);
            return;
        }
        if (!listeners_accept(&p->listeners, event->tag, now, &accepted))
            return;
        admission_decide(&p->admission, &accepted, now);
    }
}

/* A turn of each part; returns in how many milliseconds the next is due. The recording comes first,
 * so that the hub has a writer before its turn. */
static int parent_turn(struct parent *p, uint64_t now)
{
    int timeout = recording_turn(&p->recording, now);

    timeout = timeout_earlier(timeout, engines_turn(&p->engines, now));
    timeout = timeout_earlier(timeout, hub_turn(p->hub, now));
    timeout = timeout_earlier(timeout, report_turn(&p->report));
    timeout = timeout_earlier(timeout, listeners_turn(&p->listeners, now));
    timeout = timeout_earlier(timeout, admission_turn(&p->admission, now));
    timeout = timeout_earlier(timeout, access_file_turn(&p->access, now));
    timeout = timeout_earlier(timeout, lifetime_turn(&p->lifetime, now));
    timeout = timeout_earlier(timeout, display_turn(&p->display, p->hub, now));
    return timeout_earlier(timeout, handover_turn(&p->handover, now));
}

/* Waits for events. If the poller fails, it pauses, reports that once, and returns -1. */
static int events_wait(
    struct parent *p, int timeout, const sigset_t *waiting, struct poller_event *events)
{
    int n = poller_wait(p->poller, timeout, waiting, events, EVENTS_MAX);
    bool failed = n == -1 && errno != EINTR;

    if (failed && !p->poller_failing)
        report(&p->report, LOG_ERR, "poller: %s; trying again", strerror(errno));
    p->poller_failing = failed;
    if (failed)
        (void)poll_masked(NULL, 0, RETRY_MS, waiting);
    return n;
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* Opens /dev/null as 0, 1 and 2 where they are closed, so that no later descriptor becomes one. */
static void standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd != -1 && fd <= STDERR_FILENO);
    if (fd != -1)
        close(fd);
}

/* The caller's descriptors are still open: a file may be one of them. */
static int files_load(struct parent *p)
{
    int status = secret_load(&p->secret, p->options.secret_file, &p->report);

    if (status == 0)
        status = greeting_load(&p->greeting, p->options.greeting_file, &p->report);
    if (status == 0)
        status = engines_load(&p->engines);
    return status;
}

static int parent_start(struct parent *p)
{
    struct options *o = &p->options;
    bool stays_root = geteuid() == 0 && o->user == NULL;
    int status = admission_measure(&p->admission, stays_root) ? 0 : EX_OSERR;

    if (status == 0)
        status = pidfile_take(&p->pidfile, &p->report);
    if (status == 0)
        status = access_file_load(&p->access);
    if (status == 0)
        status = children_confine(&p->children, o->sandbox, &p->report);
    if (status == 0)
        status = parent_make_room(p);
    if (status == 0)
        status = addresses_open(&p->listeners, p->sockets, o->addresses, o->address_count, o->mode);
    if (status == 0)
        status = user_become(o->user, &p->report);
    if (status == 0)
        status = recording_begin(&p->recording);
    return status;
}

/* Where the log goes, and its level: on a terminal, perhaps beside a chat(1), it is shorter. */
static void report_prepare(struct parent *p)
{
    const struct options *o = &p->options;

    p->report.strangers = &p->strangers;
    report_set_level(&p->report, o->verbose, o->detach || !isatty(STDERR_FILENO));
    if (notify_reads_stderr())
        p->report.to = REPORT_JOURNAL;
}

/* -d: from here on this is the child. Its parent waits until the child is ready. */
static int parent_detach(struct parent *p, bool arrived)
{
    p->detaching = -1;
    if (!p->options.detach)
        return 0;
    if (!arrived) {
        p->detaching = detach_begin();
        if (p->detaching == -1) {
            report(&p->report, LOG_ERR, "cannot detach: %s", strerror(errno));
            return EX_OSERR;
        }
    }
    p->report.syslog = syslog_connect(CHATD_PROGRAM);
    p->report.to = arrived ? REPORT_SYSLOG : REPORT_BOTH;
    return 0;
}

/* From here on clients are admitted. Returns 0, or the exit status after a report. */
static int be_ready(struct parent *p, bool arrived)
{
    int status = listeners_begin(&p->listeners);

    if (status != 0)
        return status;
    p->ready = true;
    display_begin(&p->display, &p->listeners, p->hub);
    if (arrived)
        return 0;
    p->started = clock_us();
    listeners_announce(&p->listeners);
    if (p->detaching != -1) {
        p->report.to = REPORT_SYSLOG;
        detach_finish(p->detaching);
        p->detaching = -1;
    }
    return 0;
}

/* ---- The run --------------------------------------------------------------------------------- */

/* Where a cluster has no more use for this node, the server stops. Returns the exit status. */
static int end_follow(struct parent *p, uint64_t now)
{
    int status;
    const char *why = engines_end(&p->engines, &status);

    if (why != NULL)
        lifetime_stop(&p->lifetime, LOG_ERR, why, now);
    return status;
}

/* Returns the exit status. */
static int parent_run(struct parent *p, const sigset_t *waiting)
{
    struct poller_event events[EVENTS_MAX];
    uint64_t now = clock_us();
    int status = 0;
    int timeout;
    int n;

    for (;;) {
        timeout = parent_turn(p, now);
        if (!p->ready && !hub_is_loading(p->hub))
            status = be_ready(p, false);
        if (status != 0 && !p->ready)
            return status;
        status = end_follow(p, now);
        if (lifetime_is_over(&p->lifetime, now))
            return status;
        n = events_wait(p, timeout, waiting, events);
        now = clock_us();
        for (int i = 0; i < n; i++)
            handle_event(p, &events[i], now);
        act_on_signals(p, now);
        /* Connections that wait in the backlog are admitted first. */
        if (n == 0 && p->ready)
            lifetime_idle(&p->lifetime, now);
    }
}

/* Finds the path of this image, for workers, and of the program to execute at an upgrade. */
static int programs_find(struct parent *p, char *argv0)
{
    if (!children_init(&p->children, argv0, &p->report))
        return EX_OSERR;
    if (program_path(p->handover.program, sizeof(p->handover.program), argv0))
        p->options.again[0] = p->handover.program;
    else
        p->handover.program[0] = '\0';
    return 0;
}

/* Returns only in the server itself. A worker must not touch pages that it does not need. */
static void child_become(struct proctitle *title, int argc, char **argv)
{
    switch (children_role(argc, argv)) {
    case CHILD_NONE:
        proctitle_spare(title, argv);
        break;
    case CHILD_WORKER:
        worker_main(title, argv[1]);
    case CHILD_WRITER:
        proctitle_spare(title, argv);
        writer_main(title, argv[1], argv[2]);
    case CHILD_OPENER:
        opener_main(argv[2], argv[1][0] == 's');
    case CHILD_REMAINDER:
        remainder_main(title);
    case CHILD_ENGINE:
        proctitle_spare(title, argv);
        engine_main(title, argv[1]);
    case CHILD_ACCESS:
        access_file_main(argv[1]);
    case CHILD_LOOKUP:
        lookup_main(argv[1][0], argv[2]);
    case CHILD_QUESTION:
        handover_answer(argv[1]);
    }
}

int main(int argc, char **argv)
{
    static struct parent p;
    struct proctitle title;
    struct codec state;
    bool arrived;
    sigset_t waiting;
    int status;

    proctitle_init(&title, argc, argv);
    child_become(&title, argc, argv);
    p.display.title = title;
    standard_descriptors();
    arrived = handover_arrives(&state);
    p.sockets = notify_sockets();
    options_read(&p.options, argc, argv);
    report_prepare(&p);
    if (p.options.sandbox != SANDBOX_OFF) /* which is for debuggers */
        process_hide();
    parent_connect(&p);
    status = arrived ? 0 : files_load(&p);
    if (status != 0)
        return status;
    if (!arrived) {
        descriptors_close_from(NOTIFY_FIRST_FD + p.sockets);
        notify_open(&p.notify);
    }
    status = parent_detach(&p, arrived);
    if (status != 0)
        return status;
    signals_prepare(&waiting);
    status = programs_find(&p, argv[0]);
    if (status != 0)
        return status;
    status = arrived ? parent_take_over(&p, &state) : parent_start(&p);
    caught[SIGCHLD] |= arrived; /* processes may have ended meanwhile */
    if (status == 0) {
        status = p.ready || hub_is_loading(p.hub) ? 0 : be_ready(&p, arrived);
        if (status == 0)
            status = parent_run(&p, &waiting);
        recording_end(&p.recording);
    }
    listeners_close(&p.listeners);
    hub_free(p.hub);
    pidfile_release(&p.pidfile);
    poller_free(p.poller);
    access_file_free(&p.access);
    return status;
}
