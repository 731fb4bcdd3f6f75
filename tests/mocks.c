/* mocks.c: the sockets, the processes that are numbers, and the scripts of stage_play(). */
#include "mocks.h"
#include "compat/compat.h"
#include "compat/poller.h"
#include "server/cluster/batch.h"
#include "server/hub/codec.h"
#include "wire/address.h"
#include "wire/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
/* The stage's clock is ahead of the system's by this: what the hub reads there itself is over. */
#define AHEAD_US (3600 * UINT64_C(1000000))
/* Each turn moves the stage's clock on by this. */
#define TURN_US 10u
/* More descriptors than a stage ever has. */
#define DESCRIPTORS_MAX 8192

/* ---- Descriptors ----------------------------------------------------------------------------- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void close_once(int *fd)
{
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

/* Which socket a descriptor is: numbers of descriptors are used again. */
static ino_t socket_number(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static int descriptors_count(void)
{
    int count = 0;

    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        count += is_open(fd);
    return count;
}

/* The largest test has five for each mock client. */
static void descriptors_allow(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_MAX) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void socket_limit(int fd, int bytes)
{
    ensure(bytes == 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0,
        "SO_SNDBUF");
}

/* ---- The hub's world ------------------------------------------------------------------------- */

static void hub_entered(struct stage *s, bool inside)
{
    if (s->around != NULL)
        s->around(inside);
}

static struct mock *mock_of(struct stage *s, pid_t pid)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->mocks[i].pid == pid)
            return &s->mocks[i];
    ck_abort_msg("the hub knows a process %ld that is none of its own", (long)pid);
    return NULL;
}

static void signal_worker(void *context, pid_t pid, int signal)
{
    struct mock *p = mock_of(context, pid);

    ensure(p->process != PROCESS_NONE && p->process != PROCESS_REAPED,
        "a signal to a process that is not there");
    ensure(signal == SIGKILL, "signal %d", signal);
    p->kills++;
    if (p->process == PROCESS_RUNNING)
        p->process = PROCESS_KILLED;
}

static struct mock *mock_of_socket(struct stage *s, int fd)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->mocks[i].hub_client == fd && mock_is_served(&s->mocks[i]))
            return &s->mocks[i];
    ck_abort_msg("a worker for a socket that is no client's");
    return NULL;
}

static void worker_close(struct mock *p)
{
    close_once(&p->worker);
    close_once(&p->copy);
}

static pid_t start_worker(void *context, int client, bool proxied, int *pair)
{
    struct stage *s = context;
    struct mock *p = mock_of_socket(s, client);
    char byte;

    (void)proxied;
    hub_entered(s, false);
    ensure(p->process == PROCESS_NONE && p->hub_pair != -1, "a second worker");
    ensure(recv(client, &byte, 1, MSG_PEEK) == 1, "a worker, but nothing to read");
    if (s->start_errno == 0) {
        *pair = p->hub_pair;
        p->hub_pair = -1;
        p->copy = dup(client);
        ensure(p->copy != -1 && recv(p->copy, &byte, 1, 0) == 1, "dup: %s", strerror(errno));
        p->process = PROCESS_RUNNING;
        if (p->worker == -1) /* it has said its goodbye already */
            mock_exit(p);
    }
    hub_entered(s, true);
    errno = s->start_errno;
    return s->start_errno == 0 ? p->pid : -1;
}

/* ---- Accounts ---- */

static const char *login_of(const struct stage *s, char kind, const char *key)
{
    for (size_t i = 0; s->logins != NULL && s->logins[i] != NULL; i++) {
        char uid[16];

        snprintf(uid, sizeof uid, "%zu", 1000 + i);
        if (strcmp(key, kind == 'u' ? uid : s->logins[i]) == 0)
            return s->logins[i];
    }
    return NULL;
}

pid_t stage_lookup(void *context, char kind, const char *key, int *pair)
{
    struct stage *s = context;
    char folded[NAME_LEN_MAX + 1];
    const char *login;
    char reply[NAME_LEN_MAX + 3];
    int ends[2];

    hub_entered(s, false);
    s->lookups++;
    ensure(socketpair_cloexec_nonblock(ends) == 0, "socketpair: %s", strerror(errno));
    *pair = ends[0];
    if (s->slow != NULL && strcmp(key, s->slow) == 0) {
        s->helper = ends[1];
        s->hub_helper = ends[0];
    } else {
        name_fold(folded, key);
        login = login_of(s, kind, folded);
        snprintf(reply, sizeof reply, login == NULL ? "-\n" : "+%s\n", login);
        ensure(write(ends[1], reply, strlen(reply)) == (ssize_t)strlen(reply), "write");
        close(ends[1]);
    }
    hub_entered(s, true);
    return 1;
}

static void end_lookup(void *context, pid_t pid)
{
    struct stage *s = context;

    ensure(pid == 1, "another process");
    close_once(&s->helper);
}

static void time_move(struct stage *s, uint64_t us)
{
    s->now += us;
}

void stage_open(struct stage *s, const struct hub_config *config)
{
    memset(s, 0, sizeof(*s));
    descriptors_allow();
    s->descriptors = descriptors_count();
    if (config != NULL)
        s->config = *config;
    if (s->config.log_bytes == 0)
        s->config.log_bytes = 1u << 20;
    if (s->config.login_us == 0)
        s->config.login_us = 60 * 1000000u;
    s->now = clock_us() + AHEAD_US;
    s->poller = poller_new();
    s->report = (struct report){.to = REPORT_SYSLOG, .syslog = -1, .level = LOG_DEBUG};
    s->config.poller = s->poller;
    s->config.report = &s->report;
    s->config.start_worker = start_worker;
    s->config.signal_worker = signal_worker;
    s->config.end_lookup = end_lookup;
    s->helper = -1;
    s->config.context = s;
    s->engine.fd = -1;
    s->hub = hub_new(&s->config);
    ensure(s->poller != NULL && s->hub != NULL, "no memory");
}

static void engine_start(struct stage *s, struct stream *stream)
{
    ensure(hub_set_engine(s->hub, engine_open(&s->engine, stream)), "no memory");
    s->poked = true;
}

/* It has no engine yet. */
static void stage_make_in(
    struct stage *s, const struct hub_config *config, struct stream *stream, const char *node)
{
    static struct cluster_config cluster;
    struct hub_config with = {.cluster = &cluster};

    if (config != NULL)
        with = *config;
    with.cluster = &cluster;
    cluster = (struct cluster_config){.servers = {"none", 4},
        .room = {"room", 4},
        .node = {node, strlen(node)},
        .form = stream->form != 0 ? stream->form : BATCH_FORM,
        .credentials = ""};
    stage_open(s, &with);
    s->cluster = cluster;
    s->config.cluster = &s->cluster;
}

/* With an engine, and others where it begins elsewhere in the stream. */
static void stage_load(struct stage *s, struct stream *stream)
{
    engine_start(s, stream);
    stage_settle(s);
    for (int i = 0; i < 20 && hub_wants_engine(s->hub); i++) {
        engine_close(&s->engine);
        engine_start(s, stream);
        stage_settle(s);
    }
}

static void check_loaded(const struct stage *s)
{
    ensure(!hub_is_loading(s->hub), "the room is not loaded");
}

void stage_begin_in(
    struct stage *s, const struct hub_config *config, struct stream *stream, const char *node)
{
    stage_make_in(s, config, stream, node);
    stage_load(s, stream);
}

void stage_open_in(
    struct stage *s, const struct hub_config *config, struct stream *stream, const char *node)
{
    stage_begin_in(s, config, stream, node);
    check_loaded(s);
}

void stage_begin_after(
    struct stage *s, struct stream *stream, const char *node, const char *const *transcript)
{
    stage_make_in(s, NULL, stream, node);
    for (; *transcript != NULL; transcript++) {
        struct span line = {*transcript, strlen(*transcript)};
        struct event event;

        ensure(event_parse(&event, line.at, line.len), "%s", line.at);
        hub_remember(s->hub, line, &event);
    }
    hub_remember_end(s->hub);
    stage_load(s, stream);
}

void stage_open_after(
    struct stage *s, struct stream *stream, const char *node, const char *const *transcript)
{
    stage_begin_after(s, stream, node, transcript);
    check_loaded(s);
}

void stage_renew_engine(struct stage *s)
{
    struct stream *stream = s->engine.stream;

    engine_close(&s->engine);
    while (!hub_wants_engine(s->hub))
        ensure(stage_turn(s), "the hub does not notice that its engine has died");
    engine_start(s, stream);
}

void stage_shut(struct stage *s)
{
    hub_free(s->hub);
    engine_close(&s->engine);
    poller_free(s->poller);
    close_once(&s->helper);
    for (size_t i = 0; i < s->count; i++) {
        mock_vanish(&s->mocks[i]);
        close_once(&s->mocks[i].hub_pair);
        free(s->mocks[i].bytes);
    }
}

void stage_close(struct stage *s)
{
    int left;

    stage_shut(s);
    left = descriptors_count();
    ensure(left == s->descriptors, "%d descriptors became %d", s->descriptors, left);
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* Their parent notices that processes have ended. */
static void deaths(struct stage *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct mock *p = &s->mocks[i];

        if (p->process == PROCESS_KILLED)
            mock_reap(s, p, SIGKILL);
        else if (p->process == PROCESS_EXITED)
            mock_reap(s, p, 0);
    }
}

static void word_take(struct mock *p, const char *word, size_t len)
{
    if (len == strlen(CONTROL_END) && memcmp(word, CONTROL_END, len) == 0) {
        p->ends++;
        return;
    }
    if (word[0] != CONTROL_BYTE) /* the rest of a word that was cut, or its end */
        return;
    ensure(len > strlen(CONTROL_TITLE) && len < sizeof(p->title) &&
               memcmp(word, CONTROL_TITLE, strlen(CONTROL_TITLE)) == 0,
        "an unknown word: %.*s", (int)len, word);
    memcpy(p->title, word, len - 1);
    p->title[len - 1] = '\0';
}

/* What the hub says to the worker. */
static void mock_hear(struct mock *p)
{
    const char *lf;
    ssize_t n;

    while (p->worker != -1 &&
           (n = recv(p->worker, p->words + p->word_len, sizeof(p->words) - p->word_len, 0)) > 0) {
        p->word_len += (size_t)n;
        while ((lf = memchr(p->words, '\n', p->word_len)) != NULL) {
            size_t len = (size_t)(lf - p->words) + 1;

            word_take(p, p->words, len);
            p->word_len -= len;
            memmove(p->words, p->words + len, p->word_len);
        }
        ensure(p->word_len < sizeof(p->words), "a word without end");
    }
}

/* As chatd does it: a turn only where something is ready, or when the hub has asked for one. */
bool stage_turn(struct stage *s)
{
    struct poller_event events[EVENTS_MAX];
    bool moved = false;
    int n;

    deaths(s);
    time_move(s, TURN_US);
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
    moved |= engine_turn(&s->engine);
    for (size_t i = 0; i < s->count; i++) {
        struct mock *p = &s->mocks[i];

        mock_hear(p);
        if (p->reads)
            moved |= mock_take(p, SIZE_MAX);
        moved |= p->process == PROCESS_KILLED || p->process == PROCESS_EXITED;
    }
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

/* ---- Who comes ------------------------------------------------------------------------------- */

static struct mock *mock_new(struct stage *s, int client[2])
{
    struct mock *p = &s->mocks[s->count];
    int pair[2];

    ensure(s->count < MOCKS_MAX, "too many mocks");
    ensure(socketpair_cloexec_nonblock(client) == 0 && socketpair_cloexec_nonblock(pair) == 0,
        "socketpair: %s", strerror(errno));
    socket_limit(client[0], s->pair_bytes);
    socket_limit(pair[0], s->pair_bytes);
    socket_limit(pair[1], s->pair_bytes);
    *p = (struct mock){.client = client[1],
        .worker = pair[1],
        .copy = -1,
        .hub_client = client[0],
        .hub_socket = socket_number(client[0]),
        .hub_pair = pair[0],
        .pid = (pid_t)(100000 + s->count),
        .reads = true};
    s->count++;
    return p;
}

static uid_t uid_of(const struct stage *s, const char *login)
{
    uid_t uid = 1000;

    for (size_t i = 0; login != NULL && s->logins != NULL && s->logins[i] != NULL &&
                       strcmp(login, s->logins[i]) != 0;
         i++)
        uid++;
    return uid;
}

/* Of `192.0.2.7:1000`, `[2001:db8::1]:1000` or, where there is a login, `local:PID`. */
static struct origin origin_of(const struct stage *s, const char *peer, const char *login)
{
    struct origin origin = {.local = login != NULL, .uid = uid_of(s, login)};
    size_t bracket = peer[0] == '[';
    const char *end = bracket ? strchr(peer, ']') : strrchr(peer, ':');

    ensure(origin.local || (end != NULL && ip_parse(&origin.ip, peer + bracket,
                                               (size_t)(end - peer) - bracket)),
        "%s is no address", peer);
    return origin;
}

static struct mock *mock_admit(struct stage *s, const char *peer, const char *login)
{
    struct client client = {.origin = origin_of(s, peer, login)};
    int sockets[2];
    struct mock *p = mock_new(s, sockets);

    client.fd = sockets[0];
    client.is_operator =
        s->config.standing != NULL &&
        s->config.standing(s->config.context, &client.origin, client.fd) == STANDING_OPERATOR;
    client.is_proxied = strncmp(peer, MOCK_PROXY, strlen(MOCK_PROXY)) == 0;
    snprintf(client.peer, sizeof(client.peer), "%s", peer);
    hub_entered(s, true);
    if (!hub_admit(s->hub, &client, s->now)) {
        hub_entered(s, false);
        close(sockets[0]);
        close_once(&p->hub_pair);
        p->hub_client = -1;
    }
    hub_entered(s, false);
    s->poked = true;
    return p;
}

struct mock *mock_add_as(struct stage *s, const char *peer, const char *login)
{
    struct mock *p = mock_admit(s, peer, login);

    mock_speak(p);
    return p;
}

struct mock *mock_add_silent(struct stage *s)
{
    char peer[PEER_TEXT_MAX];

    snprintf(
        peer, sizeof(peer), "192.0.%zu.%zu:1000", 2 + (s->count + 1) / 256, (s->count + 1) % 256);
    return mock_admit(s, peer, NULL);
}

struct mock *mock_add(struct stage *s)
{
    struct mock *p = mock_add_silent(s);

    mock_speak(p);
    return p;
}

void mock_speak(struct mock *p)
{
    if (mock_is_admitted(p))
        ensure(send(p->client, "x", 1, MSG_NOSIGNAL) == 1, "send: %s", strerror(errno));
}

bool mock_is_admitted(const struct mock *p)
{
    return p->hub_client != -1;
}

bool mock_is_served(const struct mock *p)
{
    return p->hub_client != -1 && socket_number(p->hub_client) == p->hub_socket;
}

bool mock_is_over(const struct mock *p)
{
    return p->process == PROCESS_REAPED || (p->process == PROCESS_NONE && !mock_is_served(p));
}

int writer_add(struct stage *s)
{
    bool added;
    int pair[2];

    ensure(socketpair_cloexec_nonblock(pair) == 0, "socketpair: %s", strerror(errno));
    hub_entered(s, true);
    added = hub_set_writer(s->hub, pair[0], s->now);
    hub_entered(s, false);
    s->poked = true;
    if (added)
        return pair[1];
    close(pair[0]);
    close(pair[1]);
    return -1;
}

/* ---- The worker ------------------------------------------------------------------------------ */

size_t mock_give(struct mock *p, const char *bytes, size_t len)
{
    size_t given = 0;

    while (given < len) {
        ssize_t n = send(p->worker, bytes + given, len - given, MSG_NOSIGNAL);

        if (n == -1)
            break;
        given += (size_t)n;
    }
    return given;
}

void mock_say(struct mock *p, const char *format, ...)
{
    static char line[1 << 20];
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(line, sizeof(line) - 1, format, ap);
    va_end(ap);
    ensure(n >= 0 && (size_t)n < sizeof(line) - 1, "too long a line");
    line[n++] = '\n';
    ensure(mock_give(p, line, (size_t)n) == (size_t)n, "the pair does not take \"%.40s\"", line);
}

void mock_goodbye(struct mock *p, const char *word)
{
    size_t len = strlen(word);

    if (strcmp(word, CONTROL_LOST) == 0)
        mock_close(p);
    else if (p->client != -1)
        shutdown(p->client, SHUT_WR);
    ensure(mock_give(p, word, len) == len, "the pair does not take the goodbye");
    mock_exit(p);
}

void mock_exit(struct mock *p)
{
    mock_hear(p);
    worker_close(p);
    if (p->process == PROCESS_RUNNING)
        p->process = PROCESS_EXITED;
}

void mock_hang_up(struct mock *p)
{
    close_once(&p->worker);
}

void mock_die(struct mock *p)
{
    ensure(p->process == PROCESS_RUNNING, "there is no process to die");
    worker_close(p);
    p->process = PROCESS_DEAD;
}

void mock_reap(struct stage *s, struct mock *p, int status)
{
    ensure(p->process != PROCESS_NONE && p->process != PROCESS_REAPED, "there is no process");
    worker_close(p); /* what a process had is closed when it is reaped */
    p->process = PROCESS_REAPED;
    s->poked = true;
    ensure(hub_reaped(s->hub, p->pid, status), "the hub does not know this worker");
}

void mock_vanish(struct mock *p)
{
    mock_close(p);
    mock_exit(p);
}

/* ---- The client ------------------------------------------------------------------------------ */

void mock_close(struct mock *p)
{
    close_once(&p->client);
}

static void mock_room(struct mock *p, size_t len)
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

bool mock_take(struct mock *p, size_t max)
{
    bool moved = false;

    while (max > 0 && p->client != -1 && !p->ended) {
        size_t piece = max < 65536 ? max : 65536;

        mock_room(p, piece);
        ssize_t n = recv(p->client, p->bytes + p->end, piece, 0);
        if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        moved = true;
        if (n <= 0) {
            p->broken = n == 0 ? 0 : errno;
            p->ended = true;
            if (!p->stays)
                mock_close(p);
            break;
        }
        p->end += (size_t)n;
        max -= (size_t)n;
    }
    return moved;
}

/* The next line's bytes; NULL where no whole one is there. */
static const char *mock_raw(struct mock *p, size_t *len)
{
    char *line = p->start < p->end ? p->bytes + p->start : NULL;
    char *lf = line == NULL ? NULL : memchr(line, '\n', p->end - p->start);

    if (lf == NULL) {
        ensure(p->end - p->start < LINE_OUT_MAX, "a line without end");
        return NULL;
    }
    *len = (size_t)(lf - line);
    p->start += *len + 1;
    return line;
}

const char *mock_line(struct mock *p)
{
    size_t len = 0;
    const char *line = mock_raw(p, &len);

    if (line == NULL)
        return NULL;
    ensure(len < LINE_OUT_MAX, "%zu bytes in a line", len);
    memcpy(p->text, line, len);
    p->text[len] = '\0';
    p->len = len;
    ensure(text_is_clean(p->text, len), "not clean: %.80s", p->text);
    ensure(event_parse(&p->event, p->text, len), "no line of a server: %.80s", p->text);
    ensure(p->event.verb != VERB_HERE || len < LINE_HERE_MAX, "a list of %zu bytes", len);
    if (verb_is_room(p->event.verb)) {
        ensure(p->event.stamp > p->last, "out of order: %.80s", p->text);
        p->last = p->event.stamp;
    }
    return p->text + STAMP_LEN + 1;
}

/* ---- Whole visits ---------------------------------------------------------------------------- */

struct mock *mock_join(struct stage *s, const char *name)
{
    struct mock *p = mock_add(s);
    const char *line;

    mock_say(p, "%s", name);
    stage_settle(s);
    do {
        line = mock_line(p);
        ensure(line != NULL, "no welcome for %s", name);
    } while (p->event.verb != VERB_YOU);
    return p;
}

void mock_leave(struct stage *s, struct mock *p)
{
    mock_goodbye(p, CONTROL_LEFT);
    stage_settle(s);
    ensure(p->ended && !mock_is_served(p), "the hub does not end its side");
}

/* ---- Handing over ---------------------------------------------------------------------------- */

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
    static int copies[DESCRIPTORS_MAX];
    int highest = 0;

    for (int fd = 3; fd < DESCRIPTORS_MAX; fd++) {
        copies[fd] = -1;
        if (is_open(fd))
            highest = fd;
    }
    for (int fd = 3; fd <= highest; fd++)
        if (is_open(fd))
            copies[fd] = fcntl(fd, F_DUPFD_CLOEXEC, highest + 1);
    hub_free(s->hub);
    for (int fd = 3; fd <= highest; fd++) {
        if (copies[fd] == -1)
            continue;
        if (!is_open(fd))
            ensure(dup2(copies[fd], fd) != -1, "dup2");
        close(copies[fd]);
    }
    if (s->helper != -1) /* an exec closes that end; the next hub asks again */
        close(s->hub_helper);
    close_once(&s->helper);
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

/* ---- Scripts --------------------------------------------------------------------------------- */

static struct mock *script_who(struct stage *s, char letter, const char *step)
{
    size_t which = (size_t)(letter - 'a');

    ensure(which < 26 && which <= s->count, "who is that? %s", step);
    return which < s->count ? &s->mocks[which] : mock_add(s);
}

static void script_expect(struct mock *p, const char *pattern, bool skip, const char *step)
{
    const char *line;

    do {
        line = mock_line(p);
        ensure(line != NULL, "nothing more came for: %s", step);
    } while (skip && !pattern_match(pattern, line));
    ensure(pattern_match(pattern, line), "\"%s\" came for: %s", line, step);
}

static void script_word(struct mock *p, const char *word)
{
    if (strcmp(word, "left") == 0)
        mock_goodbye(p, CONTROL_LEFT);
    else if (strcmp(word, "lost") == 0)
        mock_goodbye(p, CONTROL_LOST);
    else
        mock_say(p, "%c%s", CONTROL_BYTE, word);
}

static void script_do(struct stage *s, struct mock *p, const char *step, const char *rest)
{
    const char *line;

    switch (step[1]) {
    case '>':
    case ':':
        mock_say(p, "%s", rest);
        break;
    case '&':
        ensure(mock_give(p, rest, strlen(rest)) == strlen(rest), "%s", step);
        break;
    case '!':
        script_word(p, rest);
        break;
    case '<':
    case '~':
        script_expect(p, rest, step[1] == '~', step);
        break;
    case '0':
        line = mock_line(p);
        ensure(line == NULL, "\"%s\" came for: %s", line, step);
        break;
    case '.':
        ensure(mock_line(p) == NULL && p->ended && p->broken == 0, "not at the end: %s", step);
        break;
    case '|':
        mock_hang_up(p);
        break;
    case '-':
        mock_die(p);
        break;
    case '*':
        mock_reap(s, p, atoi(rest));
        break;
    case '=':
        ensure(
            send(p->client, rest, strlen(rest), MSG_NOSIGNAL) == (ssize_t)strlen(rest), "%s", step);
        break;
    case '#':
        ensure(!mock_is_served(p), "not closed: %s", step);
        break;
    case 'X':
        mock_close(p);
        break;
    default:
        ck_abort_msg("what is that? %s", step);
    }
}

static void script_step(struct stage *s, const char *step)
{
    const char *rest = step[1] == '\0' || step[2] == '\0' ? "" : step + 3;

    if (step[0] == '+') {
        stage_wait(s, (uint64_t)(strtod(step + 1, NULL) * 1e6));
    } else if (step[0] == '^') {
        ensure(stage_handover(s), "the hub does not hand over");
        stage_settle(s);
    } else {
        script_do(s, script_who(s, step[0], step), step, rest);
        if (step[1] != ':')
            stage_settle(s);
    }
}

void stage_play(struct stage *s, const char *script)
{
    stage_settle(s);
    while (*script != '\0') {
        size_t len = strcspn(script, "\n");
        char step[1024];

        ensure(len < sizeof(step), "too long a step: %.40s", script);
        memcpy(step, script, len);
        step[len] = '\0';
        if (len > 0)
            script_step(s, step);
        script += len + (script[len] == '\n');
        if (++s->steps == s->upgrade_at)
            (void)stage_handover(s);
    }
}
