/* admission.c: see admission.h. */
#include "admission.h"

#include <string.h>
#include <syslog.h>

#include "accounts.h"
#include "listener.h"
#include "server/hub/hub.h"

/* Connections whose clients have left, beside as many as there are places. */
#define DRAINING_SPARE 16

bool admission_measure(struct admission *a, bool privileged)
{
    if (!capacity_find(&a->capacity, privileged, a->report))
        return false;
    if (a->most > a->capacity.clients)
        report(a->report, LOG_WARNING, "-m %zu: %s allows no more than %zu clients", a->most,
            a->capacity.bound, a->capacity.clients);
    return true;
}

static bool is_bound_by_option(const struct admission *a)
{
    return a->most != 0 && a->most <= a->capacity.clients;
}

size_t admission_places(const struct admission *a)
{
    return is_bound_by_option(a) ? a->most : a->capacity.clients;
}

const char *admission_bound(const struct admission *a)
{
    return is_bound_by_option(a) ? "-m" : a->capacity.bound;
}

/*
 * A client that has left no longer counts against -m, although its connection may still be
 * draining. Such connections are bounded too: clients that connect, leave and take nothing would
 * otherwise be descriptors without end.
 */
static bool is_full(const struct admission *a)
{
    size_t places = admission_places(a);
    size_t connections = hub_connections(a->hub);

    return hub_sessions(a->hub) >= places || connections >= a->capacity.clients ||
           connections >= 2 * places + DRAINING_SPARE;
}

/* Why the connection cannot be admitted now; NULL: it can. */
static const char *find_refusal(const struct admission *a, const struct visitor *v)
{
    if (is_full(a))
        return "full no room for more people, try later";
    if (a->each != 0 && !v->local && hub_sessions_from(a->hub, v->peer) >= a->each)
        return "full too many connections from your address";
    return NULL;
}

/* That the room is full is reported once, with what bounds it; each refusal meanwhile with -v. */
static void refuse(struct admission *a, const struct visitor *v, const char *refusal, uint64_t now)
{
    bool full = is_full(a);

    if (full && !a->full)
        report_limited(a->report, &a->episodes, now, LOG_NOTICE,
            "full: %zu clients are here, as many as %s allows", hub_sessions(a->hub),
            admission_bound(a));
    a->full = full;
    report_limited(a->report, &a->refusals, now, full ? LOG_DEBUG : LOG_INFO, "%s: refused: %s",
        v->peer, refusal);
    refusals_add(&a->refused, v->fd, refusal, now);
}

void admission_decide(struct admission *a, const struct visitor *v, uint64_t now)
{
    const char *refusal = find_refusal(a, v);
    struct client client = {.fd = v->fd, .local = v->local, .uid = v->uid};
    const char *login = a->accounts != NULL && v->local ? accounts_name(a->accounts, v->uid) : NULL;

    if (refusal != NULL) {
        refuse(a, v, refusal, now);
        return;
    }
    memcpy(client.peer, v->peer, sizeof(client.peer));
    if (login != NULL)
        (void)name_clean(client.login, login, strlen(login));
    if (hub_admit(a->hub, &client, now))
        a->full = false;
    else
        refusals_add(&a->refused, v->fd, "full no memory, try later", now);
}

bool admission_ready(struct admission *a, void *tag)
{
    return refusals_ready(&a->refused, tag);
}

int admission_turn(struct admission *a, uint64_t now)
{
    return refusals_turn(&a->refused, now);
}
