/* puppets.c: see puppets.h. */
#include "puppets.h"
#include "compat/compat.h"
#include "compat/poller.h"
#include "server/hub/codec.h"
#include "wire/address.h"
#include "wire/text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* More turns than this without an end, and the hub spins. */
#define TURNS_MAX 100000
#define EVENTS_MAX 1024
/* What the hub puts off so shortly belongs to what goes on now. */
#define SOON_US 50000u

/* ---- The hub's world ---- */

static struct puppet *puppet_of(struct stage *s, pid_t pid)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->puppets[i].pid == pid)
            return &s->puppets[i];
    ck_abort_msg("the hub knows a process %ld that is none of its own", (long)pid);
    return NULL;
}

static void signal_puppet(void *context, pid_t pid, int signal)
{
    struct puppet *p = puppet_of(context, pid);

    ensure(!p->reaped, "a signal to a process that was reaped");
    if (signal == SIGKILL)
        p->killed = true;
    else if (signal == SIGUSR1)
        p->takeovers++;
    else
        ck_abort_msg("signal %d", signal);
}

/* The hub's time is the clock's, and what the test has put on top. */
static void time_move(struct stage *s, uint64_t us)
{
    struct timespec ts;

    s->ahead += us;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    s->now = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u + s->ahead;
}

void stage_open(struct stage *s, const struct hub_config *config)
{
    memset(s, 0, sizeof *s);
    if (config != NULL)
        s->config = *config;
    if (s->config.log_bytes == 0)
        s->config.log_bytes = 1u << 20;
    if (s->config.login_us == 0)
        s->config.login_us = 60 * 1000000u;
    time_move(s, 0);
    s->poller = poller_new();
    s->other_fd = -1;
    s->report = (struct report){.to = REPORT_SYSLOG, .syslog = -1, .level = LOG_DEBUG};
    s->config.poller = s->poller;
    s->config.report = &s->report;
    s->config.signal_worker = signal_puppet;
    s->config.context = s;
    s->hub = hub_new(&s->config);
    ensure(s->poller != NULL && s->hub != NULL, "no memory");
}

void stage_close(struct stage *s)
{
    hub_free(s->hub);
    poller_free(s->poller);
    for (size_t i = 0; i < s->count; i++) {
        puppet_close(&s->puppets[i]);
        free(s->puppets[i].bytes);
    }
}

/* Who was killed is dead by now; his parent notices. */
static void deaths(struct stage *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct puppet *p = &s->puppets[i];

        if (!p->killed || p->reaped || p->dead)
            continue;
        puppet_close(p);
        puppet_reap(s, p, SIGKILL);
    }
}

static void hub_entered(struct stage *s, bool inside)
{
    if (s->around != NULL)
        s->around(inside);
}

/* As chatd does it: a turn only where something is ready, or when the hub has asked for one. */
bool stage_turn(struct stage *s)
{
    struct poller_event events[EVENTS_MAX];
    bool moved = false;
    int n;

    deaths(s);
    time_move(s, 0);
    n = poller_wait(s->poller, 0, NULL, events, EVENTS_MAX);
    hub_entered(s, true);
    for (int i = 0; i < n; i++)
        hub_ready(s->hub, events[i].tag, events[i].revents);
    if (n > 0 || s->poked || s->now >= s->due) {
        s->poked = false;
        s->timeout = hub_turn(s->hub, s->now);
        s->due = s->timeout == -1 ? UINT64_MAX : s->now + (uint64_t)s->timeout * 1000;
        moved = true;
    }
    hub_entered(s, false);
    for (size_t i = 0; i < s->count; i++)
        if (s->puppets[i].reads && !s->puppets[i].ended && s->puppets[i].fd != -1)
            moved |= puppet_take(&s->puppets[i], SIZE_MAX);
    return moved;
}

void stage_settle(struct stage *s)
{
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        if (stage_turn(s))
            continue;
        if (s->due - s->now > SOON_US)
            return;
        time_move(s, s->due - s->now);
    }
    ck_abort_msg("the hub does not come to rest");
}

void stage_wait(struct stage *s, uint64_t us)
{
    uint64_t until;

    stage_settle(s);
    until = s->now + us;
    while (s->now < until) {
        time_move(s, (s->due < until ? s->due : until) - s->now);
        stage_settle(s);
    }
}

/* ---- Puppets ---- */

/* Which socket a descriptor is: numbers of descriptors are used again. */
static ino_t socket_number(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

struct puppet *puppet_add_as(struct stage *s, const char *peer, const char *login)
{
    struct puppet *p = &s->puppets[s->count];
    int pair[2];

    ensure(s->count < PUPPETS_MAX, "too many puppets");
    ensure(socketpair_cloexec_nonblock(pair) == 0, "socketpair: %s", strerror(errno));
    for (int end = 0; end < 2 && s->pair_bytes != 0; end++)
        ensure(setsockopt(pair[end], SOL_SOCKET, SO_SNDBUF, &s->pair_bytes, sizeof(int)) == 0,
            "SO_SNDBUF");
    *p = (struct puppet){.fd = pair[1], .pid = (pid_t)(100000 + s->count), .reads = true};
    s->count++;
    s->poked = true;
    p->hub_fd = pair[0];
    p->hub_socket = socket_number(pair[0]);
    hub_entered(s, true);
    p->added = hub_add(s->hub, pair[0], p->pid, peer, login, s->now);
    hub_entered(s, false);
    if (!p->added)
        close(pair[0]);
    return p;
}

int writer_add(struct stage *s, bool sync)
{
    bool added;
    int pair[2];

    ensure(socketpair_cloexec_nonblock(pair) == 0, "socketpair: %s", strerror(errno));
    hub_entered(s, true);
    added = hub_set_writer(s->hub, pair[0], sync, s->now);
    hub_entered(s, false);
    if (!added) {
        close(pair[0]);
        close(pair[1]);
        return -1;
    }
    s->other_fd = pair[0];
    s->other_socket = socket_number(pair[0]);
    s->poked = true;
    return pair[1];
}

struct puppet *puppet_add(struct stage *s)
{
    char peer[PEER_TEXT_MAX];

    snprintf(peer, sizeof peer, "192.0.2.%zu:1000", s->count + 1);
    return puppet_add_as(s, peer, NULL);
}

size_t puppet_give(struct puppet *p, const char *bytes, size_t len)
{
    size_t given = 0;

    while (given < len) {
        ssize_t n = send(p->fd, bytes + given, len - given, MSG_NOSIGNAL);

        if (n == -1)
            break;
        given += (size_t)n;
    }
    return given;
}

void puppet_say(struct puppet *p, const char *format, ...)
{
    static char line[1 << 20];
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(line, sizeof line - 1, format, ap);
    va_end(ap);
    ensure(n >= 0 && (size_t)n < sizeof line - 1, "too long a line");
    line[n++] = '\n';
    ensure(puppet_give(p, line, (size_t)n) == (size_t)n, "the pair does not take \"%.40s\"", line);
}

static void puppet_room(struct puppet *p, size_t len)
{
    if (p->start == p->end)
        p->start = p->end = 0;
    if (p->size - p->end >= len)
        return;
    if (p->start < p->end)
        memmove(p->bytes, p->bytes + p->start, p->end - p->start);
    p->end -= p->start;
    p->start = 0;
    if (p->size - p->end >= len)
        return;
    p->size = 2 * p->size + len;
    p->bytes = realloc(p->bytes, p->size);
    ensure(p->bytes != NULL, "no memory");
}

bool puppet_take(struct puppet *p, size_t max)
{
    bool moved = false;

    while (max > 0 && p->fd != -1 && !p->ended) {
        size_t piece = max < 65536 ? max : 65536;

        puppet_room(p, piece);
        ssize_t n = recv(p->fd, p->bytes + p->end, piece, 0);
        if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        moved = true;
        if (n <= 0) {
            p->ended = true;
            break;
        }
        p->end += (size_t)n;
        max -= (size_t)n;
    }
    return moved;
}

/* The next line's bytes; NULL where no whole one is there. Titles are noted and left out. */
static const char *puppet_raw(struct puppet *p, size_t *len)
{
    while (p->start < p->end) {
        char *line = p->bytes + p->start;
        char *lf = memchr(line, '\n', p->end - p->start);

        if (lf == NULL) {
            ensure(p->end - p->start < LINE_OUT_MAX, "a line without end");
            break;
        }
        *len = (size_t)(lf - line);
        p->start += *len + 1;
        if (line[0] != CONTROL_BYTE)
            return line;
        ensure(*len > strlen(CONTROL_TITLE) && *len < sizeof p->title &&
                   memcmp(line, CONTROL_TITLE, strlen(CONTROL_TITLE)) == 0,
            "an unknown control line: %.*s", (int)*len, line);
        memcpy(p->title, line, *len);
        p->title[*len] = '\0';
    }
    return NULL;
}

const char *puppet_line(struct puppet *p)
{
    size_t len = 0;
    const char *line = puppet_raw(p, &len);

    if (line == NULL)
        return NULL;
    ensure(len < LINE_OUT_MAX, "%zu bytes in a line", len);
    memcpy(p->text, line, len);
    p->text[len] = '\0';
    p->len = len;
    ensure(text_is_clean(p->text, len), "not clean: %s", p->text);
    ensure(event_parse(&p->event, p->text, len), "no line of a server: %s", p->text);
    ensure(p->event.verb != VERB_HERE || len < LINE_HERE_MAX, "a list of %zu bytes", len);
    if (verb_is_room(p->event.verb)) {
        ensure(p->event.stamp > p->last, "out of order: %s", p->text);
        p->last = p->event.stamp;
    }
    return p->text + STAMP_LEN + 1;
}

void puppet_close(struct puppet *p)
{
    if (p->fd != -1)
        close(p->fd);
    p->fd = -1;
}

void puppet_reap(struct stage *s, struct puppet *p, int status)
{
    ensure(!p->reaped, "nobody dies twice");
    p->reaped = true;
    s->poked = true;
    ensure(hub_reaped(s->hub, p->pid, status), "the hub does not know this worker");
}

struct puppet *puppet_join(struct stage *s, const char *name)
{
    struct puppet *p = puppet_add(s);
    const char *line;

    puppet_say(p, "%s", name);
    stage_settle(s);
    do {
        line = puppet_line(p);
        ensure(line != NULL, "no welcome for %s", name);
    } while (p->event.verb != VERB_YOU);
    return p;
}

void puppet_leave(struct stage *s, struct puppet *p)
{
    puppet_give(p, CONTROL_LEFT, strlen(CONTROL_LEFT));
    stage_settle(s);
    ensure(p->ended, "the hub does not end its side");
    puppet_close(p);
    puppet_reap(s, p, 0);
    stage_settle(s);
}

/* ---- Handing over ---- */

static bool state_write(struct hub *hub, struct codec *state)
{
    *state = (struct codec){0};
    return hub_state(hub, state);
}

static void state_read(struct hub *hub, const struct codec *written)
{
    struct codec state = {.loading = true, .buf = written->buf, .len = written->len};
    struct codec again;

    ensure(hub_state(hub, &state) && state.at == state.len, "the hub does not take its own state");
    ensure(state_write(hub, &again) && again.len == written->len,
        "the state is another one after it was taken");
    free(again.buf);
}

/* What exec() does: the old hub is gone, its descriptors are not. */
static void hub_replace(struct stage *s)
{
    int kept[PUPPETS_MAX];
    int other = socket_number(s->other_fd) == s->other_socket ? dup(s->other_fd) : -1;

    for (size_t i = 0; i < s->count; i++) {
        struct puppet *p = &s->puppets[i];

        kept[i] = socket_number(p->hub_fd) == p->hub_socket ? dup(p->hub_fd) : -1;
    }
    hub_free(s->hub);
    for (size_t i = 0; i < s->count; i++)
        if (kept[i] != -1) {
            ensure(dup2(kept[i], s->puppets[i].hub_fd) != -1, "dup2");
            close(kept[i]);
        }
    if (other != -1) {
        ensure(dup2(other, s->other_fd) != -1, "dup2");
        close(other);
    }
    s->hub = hub_new(&s->config);
    ensure(s->hub != NULL, "no memory");
}

bool stage_handover(struct stage *s)
{
    struct codec state;

    if (!state_write(s->hub, &state)) {
        free(state.buf);
        return false;
    }
    hub_replace(s);
    state_read(s->hub, &state);
    free(state.buf);
    ensure(hub_listen(s->hub), "no memory");
    s->poked = true;
    return true;
}

/* ---- Scripts ---- */

static struct puppet *script_who(struct stage *s, char letter, const char *step)
{
    size_t which = (size_t)(letter - 'a');

    ensure(which < 26 && which <= s->count, "who is that? %s", step);
    return which < s->count ? &s->puppets[which] : puppet_add(s);
}

static void script_expect(struct puppet *p, const char *pattern, bool skip, const char *step)
{
    const char *line;

    do {
        line = puppet_line(p);
        ensure(line != NULL, "nothing more came for: %s", step);
    } while (skip && !pattern_match(pattern, line));
    ensure(pattern_match(pattern, line), "\"%s\" came for: %s", line, step);
}

static void script_step(struct stage *s, const char *step)
{
    const char *rest = step[1] == '\0' || step[2] == '\0' ? "" : step + 3;
    const char *line;
    struct puppet *p;

    if (step[0] == '+') {
        stage_wait(s, (uint64_t)(strtod(step + 1, NULL) * 1e6));
        return;
    }
    p = script_who(s, step[0], step);
    switch (step[1]) {
    case '>':
    case ':':
        puppet_say(p, "%s", rest);
        break;
    case '&':
        ensure(puppet_give(p, rest, strlen(rest)) == strlen(rest), "%s", step);
        break;
    case '!':
        puppet_say(p, "%c%s", CONTROL_BYTE, rest);
        break;
    case '<':
    case '~':
        script_expect(p, rest, step[1] == '~', step);
        break;
    case '0':
        line = puppet_line(p);
        ensure(line == NULL, "\"%s\" came for: %s", line, step);
        break;
    case '.':
        ensure(puppet_line(p) == NULL && p->ended, "not at the end: %s", step);
        break;
    case '|':
        puppet_close(p);
        break;
    case '-':
        p->dead = true;
        puppet_close(p);
        break;
    case '*':
        puppet_reap(s, p, atoi(rest));
        break;
    default:
        ck_abort_msg("what is that? %s", step);
    }
    if (step[1] != ':')
        stage_settle(s);
}

void stage_play(struct stage *s, const char *script)
{
    stage_settle(s);
    while (*script != '\0') {
        size_t len = strcspn(script, "\n");
        char step[1024];

        ensure(len < sizeof step, "too long a step: %.40s", script);
        memcpy(step, script, len);
        step[len] = '\0';
        if (len > 0)
            script_step(s, step);
        script += len + (script[len] == '\n');
    }
}
