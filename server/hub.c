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

#include "../compat/poller.h"
#include "hub_private.h"

/* What a leaving member's worker may do without taking a byte: the worker's own clock is 60 s. */
#define LEAVING_US (120u * 1000000u)
/* A turn appends at most this part of the log, so that no reader that keeps up is overrun. */
#define TURN_PART 4

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
    recorder_free(hub);
    hub_list_changed(hub);
    seats_free(hub);
    names_free(hub->names);
    log_free(hub->log);
    free(hub->scratch);
    free(hub);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

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

static struct member *next_input(struct hub *hub)
{
    struct member *m = hub->input_first;

    hub->input_first = m->next_queued;
    m->queued = false;
    return m;
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
}

/* Makes sure that ring_clocks() is run then. */
static void ring_at(struct hub *hub, uint64_t when)
{
    if (when < hub->next_ring)
        hub->next_ring = when;
}

/* ---- Records ----------------------------------------------------------------------------------
 */

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
static void member_end(struct hub *hub, struct member *m)
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

/* ---- Events --------------------------------------------------------------------------------- */

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

/* ---- The users list
 * ------------------------------------------------------------------------------ */

void hub_list_changed(struct hub *hub)
{
    blob_release(hub->list);
    hub->list = NULL;
}

/* The most a list can take: every name on a line with its share of the lines' heads. */
static size_t list_size(const struct hub *hub)
{
    size_t names = (hub->members + 1) * (NAME_LEN_MAX + 1);

    return names + (names / (LINE_HERE_MAX - 2 * STAMP_LEN - NAME_LEN_MAX) + 2) * (2 * STAMP_LEN);
}

struct blob *hub_list(struct hub *hub)
{
    char stamp[STAMP_LEN + 1] = {0};
    size_t line = 0; /* bytes of the line that is being written */
    char *at;

    if (hub->list != NULL)
        return hub->list;
    hub->list = malloc(sizeof(*hub->list) + list_size(hub));
    if (hub->list == NULL)
        return NULL;
    hub->list->refs = 1;
    hub_stamp_text(hub, stamp);
    at = hub->list->bytes;
    for (struct member *m = hub->first; m != NULL; m = m->next) {
        size_t len;

        if (!m->seated)
            continue;
        len = strlen(m->name);
        if (line != 0 && line + len + 2 > LINE_HERE_MAX) {
            *at++ = '\n';
            line = 0;
        }
        if (line == 0) {
            line = (size_t)sprintf(at, "%s here", stamp);
            at += line;
        }
        *at++ = ' ';
        memcpy(at, m->name, len);
        at += len;
        line += len + 1;
    }
    at += sprintf(at, "%s%s users %zu\n", line != 0 ? "\n" : "", stamp, hub->members);
    hub->list->len = (size_t)(at - hub->list->bytes);
    return hub->list;
}

bool hub_say_users(struct hub *hub, struct member *m)
{
    struct blob *list = hub_list(hub);
    struct item *item = list == NULL ? NULL : item_blob(list);

    if (item == NULL)
        return false;
    outbox_put(hub, m, item);
    return true;
}

/* ---- Names -------------------------------------------------------------------------------------
 */

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

/* ---- Goodbyes ----------------------------------------------------------------------------------
 */

/* Takes a name out of the room. */
static void member_unseat(struct hub *hub, struct member *m)
{
    if (m->seated) {
        m->seated = false;
        hub->members--;
        hub_list_changed(hub);
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
    m->out.limit = m->out.reads_log ? log_head(hub->log) : m->out.cursor;
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

/* ---- Reading ----------------------------------------------------------------------------------
 */

/* What a worker says about itself, in its place between the lines. */
static enum taken control_line(struct hub *hub, struct member *m, const char *line, size_t len)
{
    static const struct {
        const char *line;
        const char *reason;
    } goodbyes[] = {
        {CONTROL_LEFT, "left"},
        {CONTROL_LOST, "lost"},
        {CONTROL_KICKED, "kicked"},
    };
    struct span none = {NULL, 0};

    for (size_t i = 0; i < sizeof(goodbyes) / sizeof(goodbyes[0]); i++)
        if (len + 1 == strlen(goodbyes[i].line) && memcmp(line, goodbyes[i].line, len) == 0) {
            if (m->goodbye)
                member_fault(hub, m, "a second goodbye");
            else if (m->state != MEMBER_LEAVING)
                member_leave(hub, m, goodbyes[i].reason, none);
            m->goodbye = true;
            return LINE_TAKEN;
        }
    if (len + 1 == strlen(CONTROL_TOO_LONG) && memcmp(line, CONTROL_TOO_LONG, len) == 0) {
        if (m->state == MEMBER_LEAVING)
            return LINE_TAKEN;
        if (!outbox_say(hub, m, "error too-long a line holds at most %d bytes", LINE_IN_MAX))
            return LINE_LATER;
        hub->counters.received += m->state != MEMBER_PREPARING;
        hub->counters.refused += m->state != MEMBER_PREPARING;
        if (m->state != MEMBER_PREPARING)
            member_answered(m);
        return LINE_TAKEN;
    }
    member_fault(hub, m, "an unknown control line");
    return LINE_TAKEN;
}

/* -r: lines have a clock of their own that may be ten of its seconds ahead. */
static bool member_is_too_fast(struct hub *hub, struct member *m)
{
    uint64_t step;

    if (hub->config.rate == 0)
        return false;
    step = 1000000u / hub->config.rate;
    if (m->rate_at < hub->now)
        m->rate_at = hub->now;
    if (m->rate_at + step > hub->now + 10u * 1000000u) {
        member_pause(hub, m, PAUSE_UNTIL_WAKE, m->rate_at + step - 10u * 1000000u);
        return true;
    }
    m->rate_at += step;
    return false;
}

static enum taken member_line(struct hub *hub, struct member *m, const char *line, size_t len)
{
    if (len > 0 && line[0] == CONTROL_BYTE)
        return control_line(hub, m, line, len);
    if (m->goodbye || len > LINE_CLEAN_MAX || !text_is_clean(line, len)) {
        member_fault(hub, m,
            m->goodbye             ? "a line after the goodbye"
            : len > LINE_CLEAN_MAX ? "a line too long"
                                   : "a line not clean");
        return LINE_TAKEN;
    }
    switch (m->state) {
    case MEMBER_PREPARING:
        return login_line(hub, m, line, len);
    case MEMBER_JOINED:
    case MEMBER_POSTING:
        if (member_is_too_fast(hub, m))
            return LINE_LATER;
        return command_line(hub, m, line, len);
    case MEMBER_NAMED:
        return LINE_LATER;
    case MEMBER_LEAVING:
        return LINE_TAKEN;
    }
    return LINE_TAKEN;
}

/* May this member's next line be taken now? */
static bool member_may_speak(const struct hub *hub, const struct member *m)
{
    return m->pause == PAUSE_NONE && m->state != MEMBER_NAMED && !m->faulty &&
           hub->budget >= LINE_OUT_MAX;
}

/* Takes the whole lines of len bytes as far as it may; returns how many bytes those were. */
static size_t take_lines(struct hub *hub, struct member *m, const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;

    while (at < end && member_may_speak(hub, m)) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));

        if (lf == NULL)
            break;
        if (member_line(hub, m, at, (size_t)(lf - at)) == LINE_LATER) {
            if (m->pause == PAUSE_NONE && m->state != MEMBER_NAMED)
                member_pause(hub, m, PAUSE_UNTIL_WAKE, hub->now + MEMORY_RETRY_US);
            break;
        }
        at = lf + 1;
        if (m->out.bytes > OUTBOX_MAX && m->pause == PAUSE_NONE)
            member_pause(hub, m, PAUSE_OUTBOX, 0);
    }
    return m->faulty ? len : (size_t)(at - bytes);
}

/*
 * Keeps the input that could not be taken yet. Without memory for it, it stays in the scratch
 * buffer, and nobody is read until there is: a line that was read is never lost.
 */
static void member_keep(struct hub *hub, struct member *m, size_t used, size_t len)
{
    size_t rest = len - used;

    if (rest > 0 && rest != m->held_len) {
        char *held = realloc(m->held, rest);

        if (held == NULL) {
            memmove(hub->scratch, hub->scratch + used, rest);
            hub->stuck = m;
            hub->stuck_len = rest;
            return;
        }
        m->held = held;
    }
    if (rest > 0)
        memcpy(m->held, hub->scratch + used, rest);
    if (rest == 0) {
        free(m->held);
        m->held = NULL;
    }
    m->held_len = rest;
}

/* Input waits that needs no reading: a whole line that could not be taken earlier. */
static bool member_has_line(const struct member *m)
{
    return m->held_len > 0 && memchr(m->held, '\n', m->held_len) != NULL;
}

static void member_read(struct hub *hub, struct member *m)
{
    size_t len = m->held_len;
    bool more = true;
    size_t used;

    if (m->held_len > 0)
        memcpy(hub->scratch, m->held, len);
    if (!member_has_line(m) && !m->eof) {
        ssize_t n = recv(m->fd, hub->scratch + len, READ_MAX, 0);

        /* A dead worker reads as its last bytes, then perhaps ECONNRESET, then end of file. */
        if (n == -1 && errno == ECONNRESET)
            n = recv(m->fd, hub->scratch + len, READ_MAX, 0);
        if (n == -1) {
            more = false;
        } else if (n == 0) {
            m->eof = true;
        } else {
            len += (size_t)n;
        }
    }
    used = more ? take_lines(hub, m, hub->scratch, len) : 0;
    if (!m->eof && len - used > LINE_CLEAN_MAX &&
        memchr(hub->scratch + used, '\n', len - used) == NULL) {
        member_fault(hub, m, "a line without end");
        used = len;
    }
    member_keep(hub, m, used, len);
}

/* The pair has given all and all of it is taken: what is left is a line that was cut off. */
static void member_check_eof(struct hub *hub, struct member *m)
{
    if (!m->eof || m->over || member_has_line(m) || hub->stuck == m)
        return;
    /* Who hangs up without a goodbye has died; its body tells how. It may also just pretend. */
    if (!m->goodbye && m->state != MEMBER_LEAVING)
        member_kill(hub, m);
    member_end(hub, m);
}

static bool unstick(struct hub *hub)
{
    struct member *m = hub->stuck;

    if (m == NULL)
        return true;
    hub->stuck = NULL;
    member_keep(hub, m, 0, hub->stuck_len);
    if (hub->stuck != NULL)
        return false;
    member_queue_input(hub, m);
    return true;
}

/* Reads from everybody in the queue once, as long as the log has room for what they say. */
static void read_all(struct hub *hub)
{
    struct member *last;
    struct member *m;
    bool end = false;

    if (!unstick(hub))
        return;
    last = hub->input_last;
    while (!end && hub->input_first != NULL && hub->budget >= LINE_OUT_MAX) {
        m = next_input(hub);
        end = m == last;
        if (m->over || m->pause != PAUSE_NONE)
            continue;
        member_read(hub, m);
        if (member_has_line(m) && m->pause == PAUSE_NONE && !m->over)
            member_queue_input(hub, m);
        member_check_eof(hub, m);
        member_listen(hub, m);
        if (hub->stuck != NULL)
            return;
    }
}

/* ---- Slow readers
 * --------------------------------------------------------------------------------- */

/* The first position that some reader still needs. */
static uint64_t find_floor(const struct hub *hub)
{
    uint64_t floor = log_head(hub->log);

    for (const struct member *m = hub->first; m != NULL; m = m->next)
        if (m->out.reads_log && !m->deaf && outbox_needs(&m->out) < floor &&
            outbox_needs(&m->out) < m->out.limit)
            floor = outbox_needs(&m->out);
    return recorder_needs(hub) < floor ? recorder_needs(hub) : floor;
}

/*
 * Moves those who are in the older half ahead to the newer. only_stuck: just those who have been
 * moved before and have not taken a byte since; for them nobody waits again.
 */
static void move_laggards(struct hub *hub, bool only_stuck)
{
    uint64_t head = log_head(hub->log);
    uint64_t target = log_line_from(hub->log, head - log_size(hub->log) / 2);

    for (struct member *m = hub->first; m != NULL; m = m->next)
        if (m->out.reads_log && !m->deaf && outbox_needs(&m->out) < target &&
            (!only_stuck || m->out.cursor < m->out.moved_to))
            (void)outbox_move_ahead(hub, m, target);
    if (!only_stuck)
        recorder_move_ahead(hub, target);
    hub->floor = find_floor(hub);
}

/* How many bytes this turn may append without anybody losing something. */
static size_t room_now(const struct hub *hub)
{
    size_t part = log_size(hub->log) / TURN_PART;
    uint64_t tail = log_tail(hub->log);
    size_t room = log_room(hub->log, hub->floor > tail ? hub->floor : tail);

    return room < part ? room : part;
}

static bool room_is_short(const struct hub *hub)
{
    return room_now(hub) < LINE_OUT_MAX;
}

/* At a turn's end: who was waited for may have taken all, and then nothing else wakes the room. */
static bool room_is_short_still(struct hub *hub)
{
    hub->floor = find_floor(hub);
    return room_is_short(hub);
}

/*
 * How long the room has been held back since the slowest reader last took something. As long as he
 * takes a log within -w, the room goes at his pace and does not stand still: only what he is slower
 * than that is booked. So a bulk sender is lossless for all such readers, however long it sends.
 */
static uint64_t wait_now(struct hub *hub)
{
    uint64_t took = hub->paced_since == 0 ? 0 : hub->now - hub->paced_since;
    uint64_t taken = hub->floor > hub->paced_floor ? hub->floor - hub->paced_floor : 0;
    uint64_t fair = taken * hub->pacing.limit / log_size(hub->log);

    if (taken == 0)
        return took;
    if (hub->paced_since != 0) {
        pacing_wait(&hub->pacing, hub->now, took > fair ? took - fair : 0);
        hub->paced_since = hub->now;
    }
    hub->paced_floor = hub->floor;
    return 0;
}

/*
 * Finds how much may be said in this turn. Where a reader is a whole log behind, the room waits
 * for him, as long as it may, by not reading; then he is moved ahead.
 */
static void budget_find(struct hub *hub)
{
    uint64_t waited;
    uint64_t left;

    if (room_now(hub) < log_size(hub->log) / TURN_PART || hub->paced_since != 0)
        hub->floor = find_floor(hub);
    waited = wait_now(hub);
    if (room_is_short(hub))
        move_laggards(hub, true);
    left = pacing_left(&hub->pacing, hub->now);
    if (room_is_short(hub) && left <= waited) {
        pacing_wait(&hub->pacing, hub->now, waited);
        move_laggards(hub, false);
        hub->paced_since = hub->paced_since == 0 ? 0 : hub->now;
        left = pacing_left(&hub->pacing, hub->now);
        waited = 0;
    }
    hub->paced_floor = hub->floor;
    hub->pace_left = left > waited ? left - waited : 0;
    hub->budget = room_now(hub);
    hub->short_of_room = room_is_short(hub);
}

/* After the reading: does anybody with something to say have to wait? Then polling for what he
 * says would only spin. */
static void pace(struct hub *hub)
{
    bool waiting = hub->short_of_room && (hub->input_first != NULL || hub->named_count > 0);
    bool was = hub->paced_since != 0;

    if (!waiting && !was)
        return;
    if (waiting && !was)
        hub->paced_since = hub->now;
    if (!waiting) {
        pacing_wait(&hub->pacing, hub->now, wait_now(hub));
        hub->paced_since = 0;
    }
    for (struct member *m = hub->input_first; m != NULL; m = m->next_queued)
        member_listen(hub, m);
}

/* ---- The turn ----------------------------------------------------------------------------------
 */

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
    hub->urgent = false;
    for (m = hub->first; m != NULL; m = m->next)
        if (m->out.reads_log && !m->blocked)
            member_flush(hub, m);
    hub->flush_at = monotonic_us() + hub->members * QUIET_US;
}

static int timeout_of(struct hub *hub)
{
    uint64_t next = recorder_due(hub) < hub->next_ring ? recorder_due(hub) : hub->next_ring;
    uint64_t wait;

    if (hub->stuck != NULL)
        next = hub->now + MEMORY_RETRY_US < next ? hub->now + MEMORY_RETRY_US : next;
    else if (hub->paced_since != 0 && room_is_short_still(hub))
        next = hub->now + hub->pace_left + 1 < next ? hub->now + hub->pace_left + 1 : next;
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
    budget_find(hub);
    read_all(hub);
    login_all(hub);
    pace(hub);
    recorder_turn(hub);
    flush_all(hub);
    hub_list_changed(hub); /* written anew when it is wanted again: it carries the time */
    free_over(hub);
    return timeout_of(hub);
}

/* ---- The whole room ----------------------------------------------------------------------------
 */

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
        m->out.limit = m->out.reads_log ? log_head(hub->log) : m->out.cursor;
        member_send_away(hub, m);
    }
    recorder_say_quits(hub);
}

size_t hub_workers(const struct hub *hub)
{
    return hub->workers;
}

size_t hub_workers_from(const struct hub *hub, const char *peer)
{
    const char *colon = strrchr(peer, ':');
    size_t len = colon == NULL ? strlen(peer) : (size_t)(colon - peer) + 1;
    size_t count = 0;

    for (const struct member *m = hub->first; m != NULL; m = m->next)
        count += strncmp(m->peer, peer, len) == 0;
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
