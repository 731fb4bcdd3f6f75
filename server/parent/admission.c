/* admission.c: compares each new connection with -m, -i, the bans and the access rules. */
#include "admission.h"

#include <string.h>
#include <syslog.h>

#include "access.h"
#include "listener.h"
#include "server/hub/hub.h"

/* Connections that are draining, beside as many as there are places. */
#define DRAINING_SPARE 16
/* Sessions without a name: a quarter of the places, but no less than: */
#define NAMELESS_MIN 8
#define NAMELESS_PART 4
/* A session that began so recently may be about to give its name. */
#define YOUNG_US 250000u
/* One that has given its name may still wait for the server: workers start more slowly than
 * connections arrive. It is spared for at most this long. */
#define SERVED_US 10000000u
/* How long, in any ten times that span, new connections wait for young sessions to give a name. */
#define PATIENCE_US 250000u
#define PATIENCE_STEP_US 5000u

bool admission_measure(struct admission *a, bool privileged)
{
    pacing_init(&a->patience, PATIENCE_US);
    if (!capacity_find(&a->capacity, privileged, a->helpers, a->report))
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

static size_t nameless_max(const struct admission *a)
{
    size_t part = admission_places(a) / NAMELESS_PART;

    return part > NAMELESS_MIN ? part : NAMELESS_MIN;
}

/* A client that has left no longer counts against -m, although its connection may be draining. */
static bool is_full(const struct admission *a)
{
    return hub_sessions(a->hub) >= admission_places(a);
}

/* One more connection would cost a session without a name its place. */
static bool wants_nameless_end(const struct admission *a)
{
    return hub_nameless(a->hub) >= nameless_max(a) || (is_full(a) && hub_nameless(a->hub) > 0);
}

/*
 * Clients that connect, leave and take nothing would be descriptors without end: so connections
 * that are draining are bounded too.
 */
static bool is_crowded(const struct admission *a)
{
    size_t connections = hub_connections(a->hub);

    return connections >= a->capacity.clients ||
           connections >= 2 * admission_places(a) + DRAINING_SPARE;
}

static bool make_place(struct admission *a, uint64_t now)
{
    if (wants_nameless_end(a))
        (void)hub_end_nameless(a->hub, now);
    return !is_full(a) && (!is_crowded(a) || hub_cut_draining(a->hub, now));
}

const char *admission_refusal(
    const struct admission *a, const struct origin *origin, int fd, bool counted, uint64_t now)
{
    if (access_standing(a->access, origin, fd) == STANDING_REFUSED)
        return "not-allowed you are not admitted here";
    if (hub_is_banned(a->hub, origin, now))
        return "not-allowed you are banned";
    if (a->each != 0 && hub_connections_from(a->hub, origin) >= a->each + counted)
        return "full too many connections from your address";
    return NULL;
}

/* Why the connection cannot be admitted now; NULL: it can. A proxy's clients are looked at when it
 * has told their addresses. */
static const char *find_refusal(
    struct admission *a, const struct accepted *v, bool proxied, uint64_t now)
{
    const char *why = proxied ? NULL : admission_refusal(a, &v->origin, v->fd, false, now);

    if (why == NULL && !make_place(a, now))
        why = "full no room for more people, try later";
    return why;
}

bool admission_waits(struct admission *a, uint64_t now, uint64_t *until)
{
    bool full = wants_nameless_end(a);
    uint64_t age = now - hub_nameless_since(a->hub);
    bool wants = full && age < YOUNG_US;
    uint64_t left = pacing_left(&a->patience, now);
    uint64_t waited = a->waits_since == 0 ? 0 : now - a->waits_since;

    *until = now + PATIENCE_STEP_US;
    if (full && age < SERVED_US && hub_nameless_waits(a->hub))
        return true;
    if (wants && waited < left) {
        if (a->waits_since == 0)
            a->waits_since = now;
        return true;
    }
    if (a->waits_since != 0)
        pacing_wait(&a->patience, now, waited < left ? waited : left);
    a->waits_since = 0;
    return false;
}

/* That the room is full is reported once, with what bounds it; each refusal meanwhile with -v. */
static void admission_refuse(
    struct admission *a, const struct accepted *v, const char *refusal, uint64_t now)
{
    bool full = is_full(a);

    if (full && !a->full)
        report_stranger(a->report, now, LOG_NOTICE,
            "full: %zu clients are here, as many as %s allows", hub_sessions(a->hub),
            admission_bound(a));
    a->full = full;
    report_stranger(
        a->report, now, full ? LOG_DEBUG : LOG_INFO, "%s: refused: %s", v->peer, refusal);
    refusals_add(&a->refused, v->fd, refusal, now);
}

void admission_decide(struct admission *a, const struct accepted *v, uint64_t now)
{
    struct client client = {.fd = v->fd, .origin = v->origin};
    const char *refusal;

    client.is_proxied = access_is_proxy(a->access, &v->origin);
    refusal = find_refusal(a, v, client.is_proxied, now);
    if (refusal != NULL) {
        admission_refuse(a, v, refusal, now);
        return;
    }
    client.is_operator =
        !client.is_proxied && access_standing(a->access, &v->origin, v->fd) == STANDING_OPERATOR;
    memcpy(client.peer, v->peer, sizeof(client.peer));
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
