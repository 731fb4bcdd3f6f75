/*
 * hub.c: the members' records and the turn. A turn reads everything that is readable, a bounded
 * piece from each worker, round robin, and then lets every cursor run: reading all before writing
 * any is what makes batches, and batches are the speed.
 */
#include "hub.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "compat/poller.h"
#include "hub_private.h"

/* What a leaving member's worker may do without taking a byte: the worker's own clock is 60 s. */
#define LEAVING_US (120u * 1000000u)

struct hub *hub_new(const struct hub_config *config)
{
    struct hub *hub = calloc(1, sizeof(*hub));

    if (hub == NULL)
        return NULL;
    hub->config = *config;
    hub->log = log_new(config->log_bytes);
    hub->names = names_new();
    /* Behind what is held from before there is room for one full read. */
    hub->scratch = malloc(2 * READ_MAX);
    if (hub->log == NULL || hub->names == NULL || hub->scratch == NULL) {
        hub_free(hub);
        errno = ENOMEM;
        return NULL;
    }
    pacing_init(&hub->pacing, config->wait_us);
    hub->next_id = 1;
    hub->next_ring = UINT64_MAX;
    return hub;
}

void hub_free(struct hub *hub)
{
    if (hub == NULL)
        return;
    recorder_free(hub); /* looks at the members */
    for (struct member *m = hub->first, *next; m != NULL; m = next) {
        next = m->next;
        outbox_clear(&m->out);
        if (m->fd != -1) {
            poller_remove(hub->config.poller, m->fd);
            close(m->fd);
        }
        free(m->held);
        free(m);
    }
    users_changed(hub);
    seats_free(hub);
    names_free(hub->names);
    log_free(hub->log);
    free(hub->scratch);
    free(hub);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static struct member **pid_slot(struct hub *hub, pid_t pid)
{
    struct member **slot = &hub->pids[(size_t)pid % (sizeof(hub->pids) / sizeof(hub->pids[0]))];

    while (*slot != NULL && (*slot)->pid != pid)
        slot = &(*slot)->next_pid;
    return slot;
}

void member_queue_input(struct hub *hub, struct member *m)
{
    if (m->queued)
        return;
    m->queued = true;
    m->next_queued = NULL;
    if (hub->input_first == NULL)
        hub->input_first = m;
    else
        hub->input_last->next_queued = m;
    hub->input_last = m;
}

void member_remember(struct hub *hub, struct member *m)
{
    struct member **slot = pid_slot(hub, m->pid);

    m->next_pid = *slot;
    *slot = m->reaped ? m->next_pid : m;
    m->prev = hub->last;
    if (hub->last == NULL)
        hub->first = m;
    else
        hub->last->next = m;
    hub->last = m;
    hub->workers++;
    hub->leaving += m->state == MEMBER_LEAVING;
}

static void member_forget(struct hub *hub, struct member *m)
{
    if (m->prev == NULL)
        hub->first = m->next;
    else
        m->prev->next = m->next;
    if (m->next == NULL)
        hub->last = m->prev;
    else
        m->next->prev = m->prev;
    hub->workers--;
    hub->leaving--; /* nobody goes otherwise */
}

/* Makes sure that ring_clocks() is run then. */
static void ring_at(struct hub *hub, uint64_t when)
{
    if (when < hub->next_ring)
        hub->next_ring = when;
}

/* ---- Records --------------------------------------------------------------------------------- */

/* What the poller shall wait for, told to it when it changes. */
void member_listen(struct hub *hub, struct member *m)
{
    short want = 0;

    if (!m->eof && m->pause == PAUSE_NONE && !(m->queued && hub->paced_since != 0))
        want |= POLLIN;
    if (m->blocked)
        want |= POLLOUT;
    if (m->fd == -1 || want == m->interest)
        return;
    if (poller_set(hub->config.poller, m->fd, want, m) == 0)
        m->interest = want;
    else
        ring_at(hub, hub->now + MEMORY_RETRY_US);
}

bool hub_add(struct hub *hub, int fd, pid_t pid, const char *peer, const char *login, uint64_t now)
{
    struct member *m = calloc(1, sizeof(*m));

    if (m == NULL)
        return false;
    m->fd = fd;
    m->pid = pid;
    m->id = hub->next_id++;
    m->arrived = m->progress = now;
    snprintf(m->peer, sizeof(m->peer), "%s", peer);
    if (login != NULL)
        name_clean(m->login, login, strlen(login));
    if (poller_set(hub->config.poller, fd, POLLIN, m) == -1) {
        free(m);
        return false;
    }
    m->interest = POLLIN;
    member_remember(hub, m);
    ring_at(hub, now + hub->config.login_us);
    return true;
}

/*
 * The one way in which a record goes: its pair has given EOF and its process is reaped. Whoever
 * sees the second of the two comes here; only now can all of its lines be in, and the reason of
 * its end be known.
 */
void member_end(struct hub *hub, struct member *m)
{
    struct span none = {NULL, 0};

    if (!m->eof)
        return;
    if (m->state != MEMBER_LEAVING && m->reaped)
        member_leave(hub, m,
            WIFSIGNALED(m->status) && WTERMSIG(m->status) == SIGTERM ? "kicked" : "crashed", none);
    if (m->state != MEMBER_LEAVING || !m->reaped)
        return;
    m->deaf = true;
    outbox_clear(&m->out);
    if (m->fd != -1) {
        poller_remove(hub->config.poller, m->fd);
        close(m->fd);
        m->fd = -1;
    }
    m->over = true;
    m->next_over = hub->over_first;
    hub->over_first = m;
}

/* Frees the records that are over: at the end of a turn, when nobody else holds them. */
static void free_over(struct hub *hub)
{
    struct member *m = hub->over_first;

    hub->over_first = NULL;
    while (m != NULL) {
        struct member *next = m->next_over;

        if (m->queued) {
            m->next_over = hub->over_first;
            hub->over_first = m;
        } else {
            member_forget(hub, m);
            free(m->held);
            free(m);
        }
        m = next;
    }
}

bool hub_reaped(struct hub *hub, pid_t pid, int status)
{
    struct member **slot = pid_slot(hub, pid);
    struct member *m = *slot;

    if (m == NULL)
        return false;
    *slot = m->next_pid;
    m->reaped = true;
    m->status = status;
    report(hub->config.report, LOG_DEBUG, "%s: worker %ld ended, status %d", m->peer, (long)pid,
        status);
    /* The quit of one who did not say goodbye waits its turn: the log must have room for it. */
    if (m->state == MEMBER_LEAVING)
        member_end(hub, m);
    else if (m->eof)
        member_queue_input(hub, m);
    return true;
}

void hub_ready(struct hub *hub, void *tag, short revents)
{
    struct member *m = tag;

    if (m == hub->recorder.writer) {
        m->blocked = m->blocked && (revents & (POLLOUT | POLLHUP | POLLERR)) == 0;
        hub->recorder.readable = (revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        return;
    }
    if ((revents & POLLOUT) != 0 || ((revents & (POLLHUP | POLLERR)) != 0 && m->eof)) {
        m->blocked = false;
        outbox_mark(hub, m);
    }
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !m->eof && m->pause == PAUSE_NONE)
        member_queue_input(hub, m);
}

void member_pause(struct hub *hub, struct member *m, enum pause pause, uint64_t wake)
{
    m->pause = pause;
    m->wake = wake;
    if (pause == PAUSE_UNTIL_WAKE || pause == PAUSE_TAKEOVER)
        ring_at(hub, wake);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The time of day, read once a turn; events of one turn are a microsecond apart. */
void hub_clock(struct hub *hub)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    hub->wall = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

void hub_stamp_text(struct hub *hub, char out[STAMP_LEN])
{
    stamp_format(out, hub->wall > hub->stamp ? hub->wall : hub->stamp);
}

uint64_t hub_event(struct hub *hub, const char *verb, const char *a, const char *b,
    struct span text, uint32_t author)
{
    char head[STAMP_LEN + 16 + 2 * (NAME_LEN_MAX + 1)];
    struct iovec parts[3];
    char *at = head + STAMP_LEN;
    size_t len;
    char lf = '\n';

    hub->stamp = hub->wall > hub->stamp ? hub->wall : hub->stamp + 1;
    stamp_format(head, hub->stamp);
    *at++ = ' ';
    at = stpcpy(at, verb);
    *at++ = ' ';
    at = stpcpy(at, a);
    if (b != NULL) {
        *at++ = ' ';
        at = stpcpy(at, b);
    }
    if (text.len > 0)
        *at++ = ' ';
    parts[0] = (struct iovec){head, (size_t)(at - head)};
    parts[1] = (struct iovec){(char *)text.at, text.len};
    parts[2] = (struct iovec){&lf, 1};
    log_append(hub->log, parts, 3, hub->stamp, author);
    hub->urgent |= author != 0;
    len = parts[0].iov_len + text.len + 1;
    hub->budget -= len < hub->budget ? len : hub->budget;
    return hub->stamp;
}

/* ---- Names ----------------------------------------------------------------------------------- */

struct asker {
    const struct hub *hub;
    char login[NAME_LEN_MAX + 1]; /* folded; empty: nothing is proved */
};

/* His own login is for him; "ann_2" is not for ann's second session where it is another's. */
static bool name_is_reserved(void *context, const char *folded)
{
    const struct asker *asker = context;
    const struct hub_config *config = &asker->hub->config;

    return strcmp(folded, asker->login) != 0 && config->name_reserved(config->context, folded);
}

bool hub_take_name(struct hub *hub, struct member *m, const char *wanted)
{
    bool check = hub->config.name_reserved != NULL;
    struct asker asker = {.hub = hub};
    char name[NAME_LEN_MAX + 1];

    name_fold(asker.login, m->login);
    if (!names_take(hub->names, wanted, m, check ? name_is_reserved : NULL, &asker, name))
        return false;
    memcpy(m->name, name, sizeof(name));
    m->named = true;
    return true;
}

/* ---- Goodbyes -------------------------------------------------------------------------------- */

/* Takes a name out of the room. */
static void member_unseat(struct hub *hub, struct member *m)
{
    if (m->seated) {
        m->seated = false;
        hub->members--;
        users_changed(hub);
    }
    if (m->named) {
        m->named = false;
        names_release(hub->names, m->name);
    }
}

static const char *name_of(const struct member *m)
{
    return m->name[0] != '\0' ? m->name : "nobody";
}

/* Who never had a name may be one of a million. */
static void report_leave(struct hub *hub, const struct member *m, const char *reason)
{
    if (m->named)
        report(hub->config.report, LOG_INFO, "%s: %s %s (pid %ld)", m->peer, m->name, reason,
            (long)m->pid);
    else
        report_limited(hub->config.report, &hub->strangers, hub->now, LOG_INFO,
            "%s: %s %s (pid %ld)", m->peer, name_of(m), reason, (long)m->pid);
}

void member_leave(struct hub *hub, struct member *m, const char *reason, struct span text)
{
    report_leave(hub, m, reason);
    outbox_close(hub, &m->out);
    m->progress = hub->now;
    if (m->seat != NULL && m->seat->member == m) {
        struct member *taker = m->seat->taker;

        if (taker != NULL) {
            login_take_over(hub, taker, m);
        } else {
            seat_over(hub, m->seat);
            m->seat = NULL;
        }
    }
    if (m->seated)
        hub_event(hub, "quit", m->name, reason, text, 0);
    member_unseat(hub, m);
    member_send_away(hub, m);
}

void member_send_away(struct hub *hub, struct member *m)
{
    login_forget(hub, m);
    if (m->state != MEMBER_LEAVING)
        hub->leaving++;
    m->state = MEMBER_LEAVING;
    m->pause = PAUSE_NONE;
    outbox_mark(hub, m);
}

void member_kill(struct hub *hub, struct member *m)
{
    if (m->reaped || m->killed)
        return;
    m->killed = true;
    hub->config.signal_worker(hub->config.context, m->pid, SIGKILL);
}

void member_fault(struct hub *hub, struct member *m, const char *why)
{
    struct span none = {NULL, 0};

    hub->counters.faults++;
    report_limited(hub->config.report, &hub->faults, hub->now, LOG_WARNING,
        "%s: %s: worker broke the rules (%s); ended (pid %ld)", m->peer, name_of(m), why,
        (long)m->pid);
    member_kill(hub, m);
    if (m->state != MEMBER_LEAVING)
        member_leave(hub, m, "crashed", none);
    m->deaf = true;
    outbox_clear(&m->out);
    m->faulty = true;
    m->eof = true;
    member_end(hub, m);
}

void member_answered(struct member *m)
{
    if (m->seat != NULL)
        m->seat->answered++;
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void member_wake(struct hub *hub, struct member *m)
{
    if (m->pause == PAUSE_TAKEOVER) {
        login_takeover_late(hub, m);
        return;
    }
    m->pause = PAUSE_NONE;
    member_queue_input(hub, m);
}

/* When this member's time is up, in the state that it is in. */
static uint64_t member_deadline(const struct hub *hub, const struct member *m)
{
    if (m->over || m->killed)
        return UINT64_MAX;
    if (m->state == MEMBER_PREPARING)
        return m->arrived + hub->config.login_us;
    if (m->state == MEMBER_LEAVING && m->blocked)
        return m->progress + LEAVING_US;
    return UINT64_MAX;
}

static uint64_t member_wake_time(const struct member *m)
{
    if (m->over || (m->pause != PAUSE_UNTIL_WAKE && m->pause != PAUSE_TAKEOVER))
        return UINT64_MAX;
    return m->wake;
}

static void member_is_late(struct hub *hub, struct member *m)
{
    if (m->state == MEMBER_PREPARING)
        login_late(hub, m);
    else
        member_kill(hub, m);
}

/* The clocks of single members. All are looked at when the first of them is due. */
static void ring_clocks(struct hub *hub)
{
    if (hub->now < hub->next_ring)
        return;
    hub->next_ring = UINT64_MAX;
    for (struct member *m = hub->first; m != NULL; m = m->next) {
        if (member_wake_time(m) <= hub->now)
            member_wake(hub, m);
        if (member_deadline(hub, m) <= hub->now)
            member_is_late(hub, m);
        ring_at(hub, member_wake_time(m));
        ring_at(hub, member_deadline(hub, m));
        member_listen(hub, m); /* the poller may have had no memory for it */
    }
}

/* Lets one member have what he is owed, and closes after the last of it. */
static void member_flush(struct hub *hub, struct member *m)
{
    outbox_flush(hub, m);
    if (m->pause == PAUSE_OUTBOX && m->out.bytes < OUTBOX_MAX / 2) {
        m->pause = PAUSE_NONE;
        member_queue_input(hub, m);
    }
    if (m->state == MEMBER_LEAVING && !m->shut && m->fd != -1 &&
        (m->deaf || outbox_is_done(&m->out))) {
        m->shut = true;
        m->blocked = false;
        shutdown(m->fd, SHUT_WR);
    }
    if (m->state == MEMBER_LEAVING && m->blocked)
        ring_at(hub, m->progress + LEAVING_US);
    member_listen(hub, m);
}

static uint64_t monotonic_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* Everybody where the log has grown, else those who were marked. */
static void flush_all(struct hub *hub)
{
    struct member *m = hub->dirty_first;

    hub->dirty_first = NULL;
    while (m != NULL) {
        struct member *next = m->next_dirty;

        m->dirty = false;
        member_flush(hub, m);
        m = next;
    }
    if (hub->shown == hub->sent_to || (!hub->urgent && hub->now < hub->flush_at))
        return;
    hub->sent_to = hub->shown;
    hub->urgent = hub->urgent && hub->shown < log_head(hub->log); /* the writer has it first */
    for (m = hub->first; m != NULL; m = m->next)
        if ((m->out.reads_log || m->out.first != NULL) && !m->blocked)
            member_flush(hub, m);
    hub->flush_at = monotonic_us() + hub->members * QUIET_US;
}

/* When the room that waits looks again whether it still must. Where it has no patience left and is
 * short all the same, only the disk, or memory, can end that. */
static uint64_t pace_due(const struct hub *hub)
{
    return hub->now + (hub->pace_left > 0 ? hub->pace_left + 1 : MEMORY_RETRY_US);
}

static int timeout_of(struct hub *hub)
{
    uint64_t next = recorder_due(hub) < hub->next_ring ? recorder_due(hub) : hub->next_ring;
    uint64_t wait;

    if (hub->stuck != NULL)
        next = hub->now + MEMORY_RETRY_US < next ? hub->now + MEMORY_RETRY_US : next;
    else if (hub->paced_since != 0 && pace_is_short(hub))
        next = pace_due(hub) < next ? pace_due(hub) : next;
    else if (hub->input_first != NULL || hub->named_count > 0 || hub->dirty_first != NULL)
        return 0;
    if (hub->shown != hub->sent_to && hub->flush_at < next)
        next = hub->flush_at;
    if (next == UINT64_MAX)
        return -1;
    wait = next > hub->now ? (next - hub->now + 999) / 1000 : 0;
    return wait > 3600000 ? 3600000 : (int)wait;
}

int hub_turn(struct hub *hub, uint64_t now)
{
    hub->now = now;
    hub_clock(hub);
    ring_clocks(hub);
    pace_begin(hub);
    input_read_all(hub);
    login_all(hub);
    pace_end(hub);
    recorder_turn(hub);
    flush_all(hub);
    users_changed(hub); /* written anew when it is wanted again: it carries the time */
    free_over(hub);
    return timeout_of(hub);
}

/* ---- The whole room -------------------------------------------------------------------------- */

void hub_stop(struct hub *hub)
{
    if (hub->stopping)
        return;
    hub->stopping = true;
    hub_clock(hub);
    for (struct member *m = hub->first; m != NULL; m = m->next) {
        if (m->state == MEMBER_LEAVING || m->over)
            continue;
        (void)outbox_say(hub, m, "note the room is closing");
        outbox_close(hub, &m->out);
        member_send_away(hub, m);
    }
    recorder_say_quits(hub);
}

size_t hub_workers(const struct hub *hub)
{
    return hub->workers;
}

size_t hub_sessions(const struct hub *hub)
{
    return hub->workers - hub->leaving;
}

size_t hub_sessions_from(const struct hub *hub, const char *peer)
{
    const char *colon = strrchr(peer, ':');
    size_t len = colon == NULL ? strlen(peer) : (size_t)(colon - peer) + 1;
    size_t count = 0;

    for (const struct member *m = hub->first; m != NULL; m = m->next)
        count += m->state != MEMBER_LEAVING && strncmp(m->peer, peer, len) == 0;
    return count;
}

size_t hub_members(const struct hub *hub)
{
    return hub->members;
}

void hub_signal_all(struct hub *hub, int signal)
{
    for (struct member *m = hub->first; m != NULL; m = m->next)
        if (!m->reaped)
            hub->config.signal_worker(hub->config.context, m->pid, signal);
}
