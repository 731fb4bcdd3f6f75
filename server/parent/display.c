/* display.c: formats the text and writes it where it is shown. */
#include "display.h"

#include <stdio.h>

#include "listener.h"
#include "protocol.h"
#include "server/hub/hub.h"
#include "timeout.h"

/* The service manager is told at most that often. */
#define TELL_US 1000000u
/* With nodes, also that often, for what is known of them. */
#define AGAIN_US 10000000u
/* What is told of a cluster, at most. */
#define CLUSTER_MAX 400
#define TEXT_MAX (DISPLAY_WHERE_MAX + 40)

/* "12 members, *:65432" */
static const char *members_describe(const struct display *d, size_t members, char out[TEXT_MAX])
{
    snprintf(out, TEXT_MAX, "%zu member%s, %s", members, members == 1 ? "" : "s", d->where);
    return out;
}

/* A write to memory, no more. */
static void show_title(struct display *d, size_t members)
{
    char text[TEXT_MAX];
    char title[TEXT_MAX + sizeof(CHATD_PROGRAM)];
    int len =
        snprintf(title, sizeof(title), CHATD_PROGRAM ": %s", members_describe(d, members, text));

    proctitle_set(&d->title, title, (size_t)len);
    d->titled = members;
}

/* "12 members, *:65432", and the cluster behind it. */
static void notify_status(
    struct display *d, const struct hub *hub, size_t members, const char *before)
{
    char text[TEXT_MAX];
    char cluster[CLUSTER_MAX];

    hub_describe_cluster(hub, cluster, sizeof(cluster));
    notify_say(d->notify, "%sSTATUS=%s%s%s", before, members_describe(d, members, text),
        cluster[0] != '\0' ? "; " : "", cluster);
    d->notified = members;
    d->shared = cluster[0] != '\0';
}

void display_begin(struct display *d, const struct listeners *listeners, const struct hub *hub)
{
    size_t members = hub_members(hub);

    listeners_describe(listeners, d->where, sizeof(d->where));
    show_title(d, members);
    notify_status(d, hub, members, "READY=1\n");
}

void display_again(struct display *d)
{
    d->notified = SIZE_MAX;
}

/* When the service manager is told again. */
static uint64_t notify_due(const struct display *d, size_t members)
{
    if (members != d->notified)
        return d->notified_at + TELL_US;
    return d->shared && d->notify->fd != -1 ? d->notified_at + AGAIN_US : UINT64_MAX;
}

int display_turn(struct display *d, const struct hub *hub, uint64_t now)
{
    size_t members = hub_members(hub);
    uint64_t due = notify_due(d, members);

    if (members != d->titled)
        show_title(d, members);
    if (due == UINT64_MAX)
        return -1;
    if (now < due)
        return timeout_until(due, now);
    notify_status(d, hub, members, "");
    d->notified_at = now;
    return d->shared ? timeout_until(now + AGAIN_US, now) : -1;
}
