/* ending.c: see ending.h. */
#include "ending.h"

#include <signal.h>
#include <syslog.h>

#include "listener.h"
#include "notify.h"
#include "server/hub/codec.h"
#include "server/hub/hub.h"
#include "timeout.h"

/* Grace period after SIGTERM: flush pending output, then SIGKILL the workers. */
#define GRACE_US 2000000u
/* How often workers that were killed are looked at. */
#define KILLED_MS 100

void ending_begin(struct ending *e, const char *why, uint64_t now)
{
    if (e->kill_at != 0)
        return;
    report(e->report, LOG_NOTICE, "%s", why);
    notify_say(e->notify, "STOPPING=1\nSTATUS=%s", why);
    listeners_close(e->listeners);
    hub_stop(e->hub);
    e->kill_at = now + GRACE_US;
}

bool ending_has_begun(const struct ending *e)
{
    return e->kill_at != 0;
}

void ending_hurry(struct ending *e)
{
    if (e->kill_at != 0)
        hub_signal_all(e->hub, SIGKILL);
}

/* Notes whether there is a client; when the room ends if none comes. */
static int timeout_of_emptiness(struct ending *e, uint64_t now)
{
    if (e->empty_us == 0 || e->kill_at != 0 || hub_workers(e->hub) > 0) {
        e->empty_since = 0;
        return -1;
    }
    if (e->empty_since == 0)
        e->empty_since = now;
    return timeout_until(e->empty_since + e->empty_us, now);
}

int ending_turn(struct ending *e, uint64_t now)
{
    if (e->kill_at == 0)
        return timeout_of_emptiness(e, now);
    if (now < e->kill_at)
        return timeout_until(e->kill_at, now);
    ending_hurry(e);
    return KILLED_MS;
}

void ending_idle(struct ending *e, uint64_t now)
{
    if (timeout_of_emptiness(e, now) == 0)
        ending_begin(e, "stopping: nobody is here", now);
}

bool ending_is_over(const struct ending *e, uint64_t now)
{
    return e->kill_at != 0 &&
           (hub_is_done(e->hub) || (hub_workers(e->hub) == 0 && now >= e->kill_at));
}

void ending_state(struct ending *e, struct codec *c)
{
    codec_u64(c, &e->empty_since);
}
