/* lifetime.c: the deadline after a stop, and the time that the room has been empty. */
#include "lifetime.h"

#include <signal.h>
#include <syslog.h>

#include "listener.h"
#include "notify.h"
#include "server/hub/codec.h"
#include "server/hub/hub.h"
#include "timeout.h"

/* Grace period after SIGTERM: flush pending output, then SIGKILL the workers. */
#define GRACE_US 2000000u
/* How often workers that were killed are looked at, and for how long. */
#define KILLED_MS 100
#define KILLED_US 1000000u

void lifetime_stop(struct lifetime *l, int priority, const char *why, uint64_t now)
{
    if (l->kill_at != 0)
        return;
    report(l->report, priority, "%s", why);
    notify_say(l->notify, "STOPPING=1\nSTATUS=%s", why);
    listeners_close(l->listeners);
    hub_stop(l->hub, now);
    l->kill_at = now + GRACE_US;
}

bool lifetime_is_stopping(const struct lifetime *l)
{
    return l->kill_at != 0;
}

/* The workers are killed in the next turn. */
void lifetime_hurry(struct lifetime *l, uint64_t now)
{
    if (l->kill_at > now)
        l->kill_at = now;
}

/* Notes since when there has been no client. Returns the time until an empty room ends the server.
 */
static int timeout_of_emptiness(struct lifetime *l, uint64_t now)
{
    if (l->empty_us == 0 || l->kill_at != 0 || hub_connections(l->hub) > 0) {
        l->empty_since = 0;
        return -1;
    }
    if (l->empty_since == 0)
        l->empty_since = now;
    return timeout_until(l->empty_since + l->empty_us, now);
}

int lifetime_turn(struct lifetime *l, uint64_t now)
{
    if (l->kill_at == 0)
        return timeout_of_emptiness(l, now);
    if (now < l->kill_at)
        return timeout_until(l->kill_at, now);
    hub_signal_workers(l->hub, SIGKILL);
    return KILLED_MS;
}

void lifetime_idle(struct lifetime *l, uint64_t now)
{
    if (timeout_of_emptiness(l, now) == 0)
        lifetime_stop(l, LOG_NOTICE, "stopping: nobody is here", now);
}

bool lifetime_is_over(const struct lifetime *l, uint64_t now)
{
    if (l->kill_at == 0)
        return false;
    return hub_is_done(l->hub) || (hub_connections(l->hub) == 0 && now >= l->kill_at) ||
           now >= l->kill_at + KILLED_US;
}

void lifetime_state(struct lifetime *l, struct codec *c)
{
    codec_u64(c, &l->empty_since);
}
