/* parent.c: starts, connects and encodes the parts. */
#include "parent.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "protocol.h"
#include "server/hub/hub.h"

/* ---- The parts ------------------------------------------------------------------------------- */

void parent_connect(struct parent *p)
{
    const struct options *o = &p->options;

    p->report.loss = &p->loss;
    p->report.queue = &p->queue;
    p->listeners.report = &p->report;
    p->handover.children = &p->children;
    p->handover.report = &p->report;
    p->display.notify = &p->notify;
    p->pidfile = (struct pidfile){.path = o->pid_file, .fd = -1};
    p->access.path = o->access_file;
    p->access.children = &p->children;
    p->access.report = &p->report;
    p->access.answer = -1;
    p->admission.access = &p->access.rules;
    p->admission.helpers = o->authenticated ? LOOKUPS_MAX : 0;
    p->admission.report = &p->report;
    p->admission.most = o->clients;
    p->admission.each = o->clients_each;
    recording_init(&p->recording);
    p->recording.children = &p->children;
    p->recording.report = &p->report;
    p->recording.notify = &p->notify;
    p->recording.path = o->transcript;
    p->recording.sync = o->hub.sync;
    p->engines.children = &p->children;
    p->engines.report = &p->report;
    p->engines.notify = &p->notify;
    p->engines.options = &o->cluster;
    p->listeners.later = o->cluster.servers != NULL;
    p->lifetime.listeners = &p->listeners;
    p->lifetime.notify = &p->notify;
    p->lifetime.report = &p->report;
    p->lifetime.empty_us = o->empty_us;
}

static pid_t start_lookup(void *context, char kind, const char *key, int *pair)
{
    struct parent *p = context;

    return children_start_lookup(&p->children, kind, key, pair);
}

static void end_lookup(void *context, pid_t pid)
{
    const struct parent *p = context;

    children_end(&p->children, pid);
}

static enum standing parent_standing(void *context, const struct origin *origin, int fd)
{
    const struct parent *p = context;

    return access_standing(&p->access.rules, origin, fd);
}

static const char *parent_refusal(void *context, const struct origin *origin, int fd, uint64_t now)
{
    struct parent *p = context;

    return admission_refusal(&p->admission, origin, fd, true, now);
}

static pid_t start_worker(void *context, int client, bool proxied, int *pair)
{
    struct parent *p = context;

    return children_start_worker(&p->children, client, proxied, pair);
}

static void signal_worker(void *context, pid_t pid, int sig)
{
    (void)context;
    children_signal_worker(pid, sig);
}

int parent_make_room(struct parent *p)
{
    struct hub_config *config = &p->options.hub;

    p->poller = poller_new();
    if (p->poller == NULL) {
        report(&p->report, LOG_ERR, "poller: %s", strerror(errno));
        return EX_OSERR;
    }
    p->listeners.poller = p->admission.refused.poller = config->poller = p->poller;
    config->report = &p->report;
    config->start_worker = start_worker;
    config->signal_worker = signal_worker;
    config->start_lookup = p->options.authenticated ? start_lookup : NULL;
    config->end_lookup = end_lookup;
    config->secret = p->options.secret_file != NULL ? p->secret.text : NULL;
    config->refusal = parent_refusal;
    config->standing = p->access.path != NULL ? parent_standing : NULL;
    config->greeting = p->greeting.text;
    config->cluster = engines_config(&p->engines);
    config->context = p;
    p->hub = hub_new(config);
    if (p->hub == NULL) {
        report(&p->report, LOG_ERR, "the room's log: %s", strerror(errno));
        return EX_OSERR;
    }
    p->admission.hub = p->recording.hub = p->engines.hub = p->lifetime.hub = p->hub;
    return 0;
}

/* ---- Signals --------------------------------------------------------------------------------- */

void parent_report(struct parent *p, uint64_t now)
{
    report_long(&p->report, LOG_NOTICE,
        "status: " CHATD_PROGRAM " " CHAT_VERSION
        ", pid %ld, up %llu s, on %s, for at most %zu clients (%s)",
        (long)getpid(), (unsigned long long)((now - p->started) / 1000000u), p->display.where,
        admission_places(&p->admission), admission_bound(&p->admission));
    hub_report(p->hub, now);
}

void parent_reload(struct parent *p, uint64_t now)
{
    notify_say(&p->notify, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_us());
    recording_reopen(&p->recording, now);
    access_file_reload(&p->access, now);
    secret_reload(&p->secret, p->options.secret_file, &p->report);
    engines_reload(&p->engines);
    greeting_reload(&p->greeting, p->options.greeting_file, &p->report);
    notify_say(&p->notify, "READY=1");
}

void parent_reap(struct parent *p, uint64_t now)
{
    struct child child;
    int status;

    while (children_reap(&p->children, &child, &status)) {
        switch (child.kind) {
        case CHILD_WORKER:
            if (hub_reaped(p->hub, child.pid, status))
                listeners_resume(&p->listeners);
            break;
        case CHILD_OPENER:
            recording_opened(&p->recording);
            break;
        case CHILD_ACCESS:
            if (access_file_answered(&p->access, now))
                hub_review(p->hub);
            break;
        case CHILD_QUESTION:
            handover_answered(&p->handover, status);
            break;
        case CHILD_WRITER: /* the hub sees the end of the pair */
        case CHILD_ENGINE:
        case CHILD_LOOKUP: /* the same */
        case CHILD_REMAINDER:
        case CHILD_NONE:
            break;
        }
    }
}

/* ---- The next program ------------------------------------------------------------------------ */

/*
 * Encodes the state that the next program needs, or decodes it. Limits, logins and options are not
 * part of it: the next program finds them out itself.
 */
static bool parent_state(void *context, struct codec *c)
{
    struct parent *p = context;

    codec_size(c, &p->options.hub.log_bytes);
    if (p->hub == NULL && parent_make_room(p) != 0)
        return false;
    notify_state(&p->notify, c);
    codec_text(c, p->secret.text, sizeof(p->secret.text));
    codec_bool(c, &p->secret.once);
    codec_text(c, p->greeting.text, sizeof(p->greeting.text));
    codec_bool(c, &p->greeting.once);
    engines_state(&p->engines, c);
    children_state(&p->children, c);
    recording_state(&p->recording, c);
    lifetime_state(&p->lifetime, c);
    pidfile_state(&p->pidfile, c);
    access_file_state(&p->access, c);
    codec_u64(c, &p->started);
    codec_u64(c, &p->loss.lines);
    listeners_state(&p->listeners, c);
    return hub_state(p->hub, c);
}

void parent_hand_over(struct parent *p)
{
    notify_say(&p->notify, "STATUS=becoming another version");
    report_drop(&p->report);
    handover_exec(&p->handover, parent_state, p, p->options.again);
    display_again(&p->display);
}

int parent_take_over(struct parent *p, struct codec *c)
{
    int status = admission_measure(&p->admission, geteuid() == 0) ? 0 : EX_OSERR;

    if (status == 0)
        status = children_confine(&p->children, p->options.sandbox, &p->report);
    if (status == 0)
        status = handover_read(&p->handover, c, parent_state, p);
    if (status == 0 && !hub_listen(p->hub)) {
        report(&p->report, LOG_ERR, "poller: %s", strerror(errno));
        status = EX_OSERR;
    }
    if (status != 0)
        return status;
    recording_renew(&p->recording);
    hub_review(p->hub); /* a review may have been due when the old program stopped */
    report(&p->report, LOG_NOTICE,
        "this is " CHATD_PROGRAM " " CHAT_VERSION " now, with %zu member%s, after %.1f ms",
        hub_members(p->hub), hub_members(p->hub) == 1 ? "" : "s",
        (double)(clock_us() - p->handover.since) / 1000);
    return 0;
}
