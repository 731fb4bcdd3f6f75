/* engines.c: starts the engine, with a delay after its death. */
#include "engines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "notify.h"
#include "server/cluster/frame.h"
#include "server/hub/codec.h"
#include "server/hub/hub.h"
#include "timeout.h"

/* At most one start in this time. */
#define START_US 1000000u
/* By how much a start that waits for the cluster is extended, and how often. */
#define EXTEND_US 30000000u
#define EXTEND_EVERY_US 10000000u

int engines_load(struct engines *e)
{
    int status = secret_load(&e->credentials, e->options->credentials_file, e->report);

    if (status == 0 && strlen(e->credentials.text) > FRAME_CREDENTIALS_MAX) {
        report(e->report, LOG_ERR, "%s: more than %d bytes", e->options->credentials_file,
            FRAME_CREDENTIALS_MAX);
        status = EX_CONFIG;
    }
    return status;
}

static struct span text_span(const char *text)
{
    return (struct span){text, strlen(text)};
}

const struct cluster_config *engines_config(struct engines *e)
{
    if (e->options->servers == NULL)
        return NULL;
    e->config = (struct cluster_config){.servers = text_span(e->options->servers),
        .room = text_span(e->options->room),
        .node = text_span(e->options->node),
        .form = BATCH_FORM,
        .credentials = e->credentials.text};
    return &e->config;
}

void engines_reload(struct engines *e)
{
    char before[sizeof(e->credentials.text)];

    if (e->options->servers == NULL)
        return;
    memcpy(before, e->credentials.text, sizeof(before));
    secret_reload(&e->credentials, e->options->credentials_file, e->report);
    if (strlen(e->credentials.text) > FRAME_CREDENTIALS_MAX) {
        report(e->report, LOG_WARNING, "%s: %s; the old secret stays", e->options->credentials_file,
            "too long for the cluster");
        memcpy(e->credentials.text, before, sizeof(before));
    }
    if (strcmp(before, e->credentials.text) != 0)
        children_kill(e->children, CHILD_ENGINE);
}

static void engine_start(struct engines *e, uint64_t now)
{
    int pair = -1;
    bool started = children_start_engine(e->children, &pair);

    e->start_at = now + START_US;
    if (started && !hub_set_engine(e->hub, pair)) {
        close(pair);
        started = false;
    }
    if (!started && !e->failing)
        report(e->report, LOG_ERR, "cannot start the cluster's engine: %s", strerror(errno));
    e->failing = !started;
}

/* The service manager's limit for a start does not run out while the cluster cannot be had. */
static int start_extend(struct engines *e, uint64_t now)
{
    if (!hub_is_loading(e->hub))
        return -1;
    if (now >= e->extend_at) {
        notify_say(e->notify, "EXTEND_TIMEOUT_USEC=%u\nSTATUS=loading the room from the cluster",
            EXTEND_US);
        e->extend_at = now + EXTEND_EVERY_US;
    }
    return timeout_until(e->extend_at, now);
}

int engines_turn(struct engines *e, uint64_t now)
{
    if (e->options->servers == NULL)
        return -1;
    if (hub_rewinds(e->hub) && !e->failing)
        e->start_at = now;
    if (hub_wants_engine(e->hub) && now >= e->start_at)
        engine_start(e, now);
    return timeout_earlier(
        start_extend(e, now), hub_wants_engine(e->hub) ? timeout_until(e->start_at, now) : -1);
}

const char *engines_end(struct engines *e, int *status)
{
    *status = EX_UNAVAILABLE;
    switch (hub_cluster_end(e->hub)) {
    case CLUSTER_GOES_ON:
    case CLUSTER_STOPPED:
        break;
    case CLUSTER_TAKEN:
        (void)snprintf(e->end, sizeof(e->end), "another chatd is node %s", e->options->node);
        return e->end;
    case CLUSTER_CUT:
        return "the room's stream does not begin, or go on, where this node needs it";
    case CLUSTER_FORM:
        return "the room's messages have a newer form than this chatd reads: install a newer one";
    case CLUSTER_DIFFERS:
        *status = EX_TEMPFAIL;
        return "this node's room is not that of the other nodes; started again, it loads theirs";
    case CLUSTER_REFUSED:
        *status = EX_NOPERM;
        return "the cluster refuses this node's credentials";
    case CLUSTER_UNUSABLE:
        return "the cluster cannot keep a room";
    case CLUSTER_LATE:
        *status = EX_TEMPFAIL;
        return "the snapshot of the room has not come";
    case CLUSTER_FUTURE:
        *status = EX_CONFIG;
        return "the transcript's last timestamp is too far in the future for a cluster";
    case CLUSTER_NOT_VALID:
        *status = EX_SOFTWARE;
        return "the cluster's engine said what cannot be";
    }
    *status = 0;
    return NULL;
}

void engines_state(struct engines *e, struct codec *c)
{
    codec_text(c, e->credentials.text, sizeof(e->credentials.text));
    codec_bool(c, &e->credentials.once);
    codec_u64(c, &e->start_at);
}
