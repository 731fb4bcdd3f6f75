/*
 * fuzz_hub.c: workers that have been taken over, in a room with one honest witness. Whatever they
 * say, every line that a client gets is a clean one of a server, and room events come in the order
 * of their stamps; the users list that the witness can follow is the room's, and no name is there
 * twice; the witness's lines are answered once each, in order; the hub comes to rest after every
 * step, and hands over to another one at any time; when the bad ones are dead nothing is left of
 * them.
 *
 * The input: a byte for the room's options, then what the first worker says. 0xFF and a letter:
 *   a .. f   this one speaks from here on; a new one where its worker is dead
 *   .        the room settles                 +   a second passes
 *   |        the worker closes its pair       *   the worker dies
 *   -        the client reads no more, or does again
 *   o        the client closes its socket     n   no worker can be started, or can be again
 *   ^        another hub takes the room over, up to four times
 *   x        what the speaker has to say is said 5 times
 *   X        it is said 10 times; both up to four times in a script
 *   t        the token that was given last    s   the stamp of the last event
 *   w        the witness says its next line   \   only this byte
 *
 * Most inputs shall be quick: only where the sum of all bytes is a multiple of 8, x stands for 25
 * times and X for 100, which takes as long as all else.
 */
#include "compat/compat.h"
#include "compat/poller.h"
#include "fuzz.h"
#include "protocol.h"
#include "server/hub/codec.h"
#include "server/hub/hub.h"
#include "server/report.h"
#include "sockets.h"
#include "wire/address.h"
#include "wire/number.h"
#include "wire/telnet.h"
#include "wire/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define SECOND 1000000u
#define BAD_MAX 6
#define PEOPLE_MAX (BAD_MAX + 1)
/* In a script; one that is dead stays in the room until all that it said has been taken. */
#define COMERS_MAX 60
/* Lines of the witness; no rate limit stops so few. */
#define ASKED_MAX 40
#define SCRIPT_MAX 20000
/* What takes longest; more of it finds little more. */
#define REPEATS_MAX 4
#define HANDOVERS_MAX 4
#define TURNS_MAX 50000
#define EVENTS_MAX 64
/* What the hub puts off so shortly belongs to what goes on now. */
#define SOON_US 50000u
/* So long takes what the hub does between two looks at the clock. */
#define CALL_US 10u
/* Of a server's line, without what somebody said. */
#define FRAME_MAX 256

enum worker_state {
    WORKER_RUNS,
    WORKER_KILLED, /* by the hub: it dies before the next turn */
    WORKER_GONE    /* reaped, or not started */
};

/* A worker and its client, and what the client has been sent. */
struct worker {
    int fd;       /* the worker's end of its pair; -1: closed */
    int client;   /* the client's end of its socket; -1: closed */
    int copy;     /* the worker's copy of the hub's end of it */
    int hub_pair; /* the hub's end of the pair, until the worker is started */
    pid_t pid;
    enum worker_state state;
    bool reads;
    bool ended;    /* the client's stream */
    uint64_t last; /* the stamp of the last room event */
    size_t len;    /* of half a line */
    char *line;    /* of LINE_OUT_MAX bytes */
};

/* Who is here, by what the witness was told. */
struct roster {
    size_t count;
    char names[COMERS_MAX][NAME_LEN_MAX + 1];
};

struct witness {
    struct roster here;
    struct roster coming; /* a list that is being told */
    bool welcome;         /* `you` has come */
    bool goodbye;         /* the room has said that it closes */
    enum verb asked[ASKED_MAX];
    size_t asked_count;
    size_t answered;
    size_t heard; /* bytes */
};

/* How often what the speaker has to say is said. */
struct repeat {
    int few;
    int many;
};

struct room {
    struct hub_config config;
    struct report report;
    struct hub *hub;
    struct poller *poller;
    uint64_t now;
    uint64_t ahead; /* of the clock */
    uint64_t due;
    bool poked;                        /* by something that the poller does not see */
    struct worker workers[PEOPLE_MAX]; /* the last is the witness's */
    struct witness witness;
    struct worker *speaker;
    struct worker *comer; /* whose worker is to be started; NULL: nobody's */
    bool start_fails;
    bool stopping;
    int pair_bytes;
    unsigned count; /* workers that there were */
    struct repeat repeat;
    unsigned repeats;
    unsigned handovers;
    size_t bytes; /* that bad ones have said */
    size_t lines;
    char token[64];
    char stamp[STAMP_LEN];
    char *script; /* what the speaker is about to say */
    size_t len;
};

static const char witness_name[] = "Witness";

/* Of the workers: not cleared for each. */
static char lines[PEOPLE_MAX][LINE_OUT_MAX];

/* The clock, and what the hub draws at random: in each execution the same. */
static struct {
    uint64_t clock;
    uint64_t random;
} system_state;

uint64_t clock_us(void)
{
    return system_state.clock += CALL_US;
}

bool random_bytes(void *buf, size_t len)
{
    uint8_t *bytes = buf;

    for (size_t i = 0; i < len; i++) {
        system_state.random = system_state.random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(system_state.random >> 56);
    }
    return true;
}

static bool room_turn(struct room *);

/* ---- What the witness knows ---- */

static size_t roster_find(const struct roster *list, struct span name)
{
    size_t i = 0;

    while (i < list->count && (strlen(list->names[i]) != name.len ||
                                  strncasecmp(list->names[i], name.at, name.len) != 0))
        i++;
    return i;
}

/* As it is written, not only in some case. */
static bool roster_has(const struct roster *list, struct span name)
{
    size_t i = roster_find(list, name);

    return i < list->count && memcmp(list->names[i], name.at, name.len) == 0;
}

/* A clean name, or the address of one of the workers. */
static void name_check(struct span name)
{
    char text[NAME_LEN_MAX + 1];

    must(name.len <= NAME_LEN_MAX);
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    must(name_is_clean(text, name.len) || strncmp(text, "192.0.2.", 8) == 0);
}

static void roster_add(struct roster *list, struct span name)
{
    name_check(name);
    must(list->count < COMERS_MAX && roster_find(list, name) == list->count);
    memcpy(list->names[list->count], name.at, name.len);
    list->names[list->count++][name.len] = '\0';
}

static void roster_remove(struct roster *list, struct span name)
{
    must(roster_has(list, name));
    memmove(
        list->names[roster_find(list, name)], list->names[list->count - 1], sizeof list->names[0]);
    list->count--;
}

static void roster_here(struct roster *list, struct span names)
{
    const char *end = names.at + names.len;

    for (const char *at = names.at; at < end;) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank != NULL ? blank : end;
        roster_add(list, (struct span){at, (size_t)(stop - at)});
        at = stop + 1;
    }
}

/* The list is complete: it is the one that was followed. */
static void roster_check(struct witness *witness, unsigned long count)
{
    must(count == witness->coming.count);
    if (!witness->welcome)
        witness->here = witness->coming;
    must(witness->coming.count == witness->here.count);
    for (size_t i = 0; i < witness->coming.count; i++) {
        const char *name = witness->coming.names[i];
        must(roster_has(&witness->here, (struct span){name, strlen(name)}));
    }
    witness->coming.count = 0;
}

/* This is the answer to the oldest line that has none. */
static void witness_answered(struct witness *witness, const struct event *event)
{
    unsigned long number = 0;

    must(witness->answered < witness->asked_count);
    must(witness->asked[witness->answered] == event->verb);
    if (verb_is_message(event->verb))
        must(number_parse(event->text.at, event->text.len, ASKED_MAX, &number) &&
             number == witness->answered);
    witness->answered++;
}

static void witness_says(struct witness *witness, const struct event *event)
{
    if (span_equal(event->name, witness_name))
        witness_answered(witness, event);
    else
        must(roster_has(&witness->here, event->name));
}

static void witness_hears(struct witness *witness, const struct event *event)
{
    switch (event->verb) {
    case VERB_HERE:
        roster_here(&witness->coming, event->text);
        break;
    case VERB_USERS:
        roster_check(witness, event->count);
        if (witness->welcome)
            witness_answered(witness, event);
        break;
    case VERB_YOU:
        must(!witness->welcome && span_equal(event->name, witness_name));
        must(roster_has(&witness->here, event->name));
        witness->welcome = true;
        break;
    case VERB_JOIN:
        roster_add(&witness->here, event->name);
        break;
    case VERB_QUIT:
        must(span_equal(event->word, "left") || span_equal(event->word, "lost") ||
             span_equal(event->word, "kicked") || span_equal(event->word, "crashed"));
        must(!span_equal(event->name, witness_name));
        roster_remove(&witness->here, event->name);
        break;
    case VERB_NICK:
        must(!span_equal(event->name, witness_name));
        roster_remove(&witness->here, event->name);
        roster_add(&witness->here, event->word);
        break;
    case VERB_MSG:
    case VERB_ME:
        witness_says(witness, event);
        break;
    case VERB_POST:
        name_check(event->name);
        must(roster_find(&witness->here, event->name) == witness->here.count);
        break;
    case VERB_PRIV:
        must(span_equal(event->word, witness_name));
        witness_says(witness, event);
        break;
    case VERB_NOTE:
        if (witness->answered < witness->asked_count)
            witness_answered(witness, event);
        else
            witness->goodbye = true;
        break;
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_GAP: /* it always reads */
    case VERB_ERROR:
        must(false); /* it has not asked for that */
    }
}

/* ---- Workers and their clients ---- */

static void line_check(struct room *room, struct worker *worker, const char *line, size_t len)
{
    struct event event;

    must(len < LINE_OUT_MAX && text_is_clean(line, len) && event_parse(&event, line, len));
    must(event.verb != VERB_HERE || len < LINE_HERE_MAX);
    if (verb_is_room(event.verb)) {
        must(event.stamp > worker->last);
        worker->last = event.stamp;
        memcpy(room->stamp, line, STAMP_LEN);
    }
    if (event.verb == VERB_TOKEN && event.word.len < sizeof room->token) {
        memcpy(room->token, event.word.at, event.word.len);
        room->token[event.word.len] = '\0';
    }
    if (worker == &room->workers[BAD_MAX])
        witness_hears(&room->witness, &event);
}

/* Answers to telnet's question stand before a line. */
static void line_hear(struct room *room, struct worker *worker)
{
    size_t mark = strlen(TELNET_WONT_TIMING_MARK);
    const char *line = worker->line;
    size_t len = worker->len;

    while (len >= mark && memcmp(line, TELNET_WONT_TIMING_MARK, mark) == 0) {
        line += mark;
        len -= mark;
    }
    line_check(room, worker, line, len);
    worker->len = 0;
}

static void bytes_hear(struct room *room, struct worker *worker, const char *at, size_t len)
{
    const char *end = at + len;

    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((lf != NULL ? lf : end) - at);
        must(worker->len + n < LINE_OUT_MAX);
        memcpy(worker->line + worker->len, at, n);
        worker->len += n;
        at += n;
        if (lf == NULL)
            break;
        line_hear(room, worker);
        at++;
    }
}

/* What the hub says to the worker. */
static void words_hear(struct worker *worker)
{
    static char words[262144]; /* as much as a pair holds, so that no word is cut */
    size_t title = strlen(CONTROL_TITLE);
    ssize_t n = worker->fd == -1 ? 0 : recv(worker->fd, words, sizeof words, 0);
    const char *lf;

    for (const char *at = words; n > 0; n -= lf + 1 - at, at = lf + 1) {
        lf = memchr(at, '\n', (size_t)n);
        must(lf != NULL);
        if ((size_t)(lf + 1 - at) == strlen(CONTROL_END) &&
            memcmp(at, CONTROL_END, strlen(CONTROL_END)) == 0)
            continue;
        must((size_t)(lf - at) > title && memcmp(at, CONTROL_TITLE, title) == 0);
        must(text_is_clean(at + title, (size_t)(lf - at) - title));
    }
}

static void close_once(int *fd)
{
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

/* The client takes what is there, and closes at the end. True where there was something. */
static bool worker_take(struct room *room, struct worker *worker)
{
    static char bytes[16384]; /* a sanitizer marks a local one in each call */
    bool moved = false;
    ssize_t n = 1;

    words_hear(worker);
    while (worker->client != -1 && worker->reads &&
           ((n = recv(worker->client, bytes, sizeof bytes, 0)) >= 0 ||
               (errno != EAGAIN && errno != EWOULDBLOCK))) {
        moved = true;
        if (n <= 0) {
            close_once(&worker->client);
            worker->ended = true;
            break;
        }
        bytes_hear(room, worker, bytes, (size_t)n);
        if (worker == &room->workers[BAD_MAX])
            room->witness.heard += (size_t)n;
    }
    return moved;
}

static void worker_die(struct room *room, struct worker *worker, int status)
{
    close_once(&worker->fd);
    close_once(&worker->copy);
    if (worker->state == WORKER_GONE)
        return;
    worker->state = WORKER_GONE;
    must(hub_reaped(room->hub, worker->pid, status));
    room->poked = true;
}

static void worker_signal(void *context, pid_t pid, int number)
{
    struct room *room = context;
    size_t i = 0;

    while (i < PEOPLE_MAX && (room->workers[i].pid != pid || room->workers[i].state == WORKER_GONE))
        i++;
    must(i < PEOPLE_MAX && (i < BAD_MAX || room->stopping) && number == SIGKILL);
    room->workers[i].state = WORKER_KILLED;
}

static pid_t worker_start(void *context, int client, bool proxied, int *pair)
{
    struct room *room = context;
    struct worker *worker = room->comer;
    char byte;

    (void)proxied;
    must(worker != NULL && recv(client, &byte, 1, 0) == 1);
    if (room->start_fails) {
        errno = EAGAIN;
        return -1;
    }
    *pair = worker->hub_pair;
    worker->hub_pair = -1;
    worker->copy = dup(client);
    worker->state = WORKER_RUNS;
    must(worker->copy != -1);
    return worker->pid;
}

static void worker_add(struct room *room, struct worker *worker, const char *login)
{
    int bytes = worker == &room->workers[BAD_MAX] ? 0 : room->pair_bytes;
    struct client client = {.origin.local = login != NULL};
    int sockets[2];
    int pair[2];

    close_once(&worker->client);
    must(socketpair_cloexec_nonblock(sockets) == 0 && socketpair_cloexec_nonblock(pair) == 0);
    for (int end = 0; end < 2 && bytes != 0; end++)
        must(setsockopt(pair[end], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0 &&
             setsockopt(sockets[end], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
    *worker = (struct worker){.fd = pair[1],
        .client = sockets[1],
        .copy = -1,
        .hub_pair = pair[0],
        .pid = (pid_t)(1000 + room->count++),
        .state = WORKER_GONE,
        .line = lines[worker - room->workers],
        .reads = true};
    client.fd = sockets[0];
    snprintf(client.peer, sizeof client.peer, "192.0.2.%u:1000", room->count % 200 + 1);
    client.origin.local = login != NULL;
    must(hub_admit(room->hub, &client, room->now));
    must(send(worker->client, "x", 1, MSG_NOSIGNAL) == 1);
    room->comer = worker;
    (void)room_turn(room);
    room->comer = NULL;
    close_once(&worker->hub_pair);
    if (worker->state == WORKER_GONE)
        close_once(&worker->fd);
    must(room->start_fails || worker->state == WORKER_RUNS);
}

/* ---- The room ---- */

static void time_move(struct room *room, uint64_t us)
{
    room->ahead += us;
    room->now = clock_us() + room->ahead;
}

/* As chatd does it: a turn only where something is ready, or when the hub has asked for one. */
static bool room_turn(struct room *room)
{
    struct poller_event events[EVENTS_MAX];
    bool moved = false;
    int timeout;

    for (size_t i = 0; i < PEOPLE_MAX; i++)
        if (room->workers[i].state == WORKER_KILLED)
            worker_die(room, &room->workers[i], SIGKILL);
    time_move(room, 0);
    int n = poller_wait(room->poller, 0, NULL, events, EVENTS_MAX);
    for (int i = 0; i < n; i++)
        hub_ready(room->hub, events[i].tag, events[i].revents);
    if (n > 0 || room->poked || room->now >= room->due) {
        room->poked = false;
        timeout = hub_turn(room->hub, room->now);
        room->due = timeout == -1 ? UINT64_MAX : room->now + (uint64_t)timeout * 1000;
        moved = true;
    }
    for (size_t i = 0; i < PEOPLE_MAX; i++)
        moved |= worker_take(room, &room->workers[i]) || room->workers[i].state == WORKER_KILLED;
    return moved;
}

static void room_settle(struct room *room)
{
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        if (room_turn(room))
            continue;
        if (room->due - room->now > SOON_US)
            return;
        time_move(room, room->due - room->now);
    }
    must(false); /* it does not come to rest */
}

static void room_wait(struct room *room, uint64_t us)
{
    room_settle(room);
    time_move(room, us);
    room_settle(room);
}

/* Another hub takes the room over, as an upgrade does it: the old one's descriptors stay. */
static void room_hand_over(struct room *room)
{
    struct codec c = {.keep_fds = true};

    if (!hub_state(room->hub, &c)) {
        free(c.buf);
        return;
    }
    sockets_execute(true);
    hub_free(room->hub);
    sockets_execute(false);
    room->hub = hub_new(&room->config);
    c.loading = true;
    must(room->hub != NULL && hub_state(room->hub, &c) && c.at == c.len && hub_listen(room->hub));
    free(c.buf);
    room->poked = true;
}

/* Gives bytes to the hub, as many as the pair takes. */
static void worker_give(struct room *room, struct worker *worker, const char *bytes, size_t len)
{
    int tries = 0;

    for (size_t given = 0; given < len && worker->fd != -1 && tries < 4;) {
        ssize_t n = send(worker->fd, bytes + given, len - given, MSG_NOSIGNAL);
        if (n >= 0) {
            given += (size_t)n;
            continue;
        }
        (void)room_turn(room);
        tries++;
    }
    if (worker == &room->workers[BAD_MAX])
        return;
    room->bytes += len;
    for (size_t i = 0; i < len; i++)
        room->lines += bytes[i] == '\n';
}

static void witness_say(struct room *room)
{
    static const enum verb verbs[] = {VERB_MSG, VERB_USERS, VERB_ME, VERB_PRIV, VERB_NOTE};
    static const char *const words[] = {"", "/users ", "/me ", "/msg wItness ", "/help "};
    struct witness *witness = &room->witness;
    size_t which = witness->asked_count % (sizeof verbs / sizeof verbs[0]);
    char line[64];

    if (witness->asked_count == ASKED_MAX)
        return;
    int len = snprintf(line, sizeof line, "%s%zu\n", words[which], witness->asked_count);
    witness->asked[witness->asked_count++] = verbs[which];
    worker_give(room, &room->workers[BAD_MAX], line, (size_t)len);
}

/* Every lookup has its answer at once: root is a login, and that of the user. */
static pid_t lookup_start(void *context, char kind, const char *key, int *pair)
{
    bool login = kind == 'u' || strcmp(key, "root") == 0;
    int ends[2];

    (void)context;
    must(socketpair_cloexec_nonblock(ends) == 0);
    must(send(ends[1], login ? "+root\n" : "-\n", login ? 6 : 2, 0) == (login ? 6 : 2));
    close(ends[1]);
    *pair = ends[0];
    return 1;
}

static void lookup_end(void *context, pid_t pid)
{
    (void)context;
    must(pid == 1);
}

static void room_open(struct room *room, uint8_t options)
{
    struct worker *witness = &room->workers[BAD_MAX];
    char line[64];

    room->report = (struct report){.to = REPORT_SYSLOG, .syslog = -1, .level = LOG_DEBUG};
    room->config = (struct hub_config){.log_bytes = (options & 1) != 0 ? 65536 : 1 << 17,
        .history = (options & 2) != 0 ? 5 : 0,
        .login_us = 60 * SECOND,
        .wait_us = (options & 4) != 0 ? SECOND : 0,
        .rate = (options & 8) != 0 ? 100 : 0,
        .secret = (options & 16) != 0 ? "sesame" : NULL,
        .start_lookup = (options & 32) != 0 ? lookup_start : NULL,
        .end_lookup = lookup_end,
        .report = &room->report,
        .start_worker = worker_start,
        .signal_worker = worker_signal,
        .context = room};
    room->pair_bytes = (options & 64) != 0 ? 4096 : 0;
    room->poller = room->config.poller = poller_new();
    room->hub = hub_new(&room->config);
    must(room->poller != NULL && room->hub != NULL);
    time_move(room, 0);
    for (size_t i = 0; i < PEOPLE_MAX; i++)
        room->workers[i] = (struct worker){
            .fd = -1, .client = -1, .copy = -1, .hub_pair = -1, .state = WORKER_GONE};
    worker_add(room, witness, NULL);
    int len = snprintf(line, sizeof line, "/pass sesame\n%s\n", witness_name);
    worker_give(room, witness, line, (size_t)len);
    room_settle(room);
    must(room->witness.welcome && room->witness.here.count == 1);
    room->speaker = &room->workers[0];
    worker_add(room, room->speaker, (options & 128) != 0 ? "ann" : NULL);
}

/*
 * All the bad ones die; what they have said before still counts, as fast as it may, and as their
 * clients take the answers.
 */
static void room_clear(struct room *room)
{
    for (size_t i = 0; i < BAD_MAX; i++) {
        worker_die(room, &room->workers[i], 0);
        room->workers[i].reads = true;
    }
    for (int i = 0; i < 1000 && hub_connections(room->hub) > 1; i++)
        room_wait(room, 10 * SECOND);
    must(hub_connections(room->hub) == 1 && hub_members(room->hub) == 1);
    must(room->witness.here.count == 1);
}

static void room_close(struct room *room)
{
    struct worker *witness = &room->workers[BAD_MAX];

    room->stopping = true;
    hub_stop(room->hub, room->now);
    room->poked = true;
    room_settle(room);
    must(room->witness.goodbye && witness->ended && witness->len == 0);
    must(hub_connections(room->hub) == 0 && hub_is_done(room->hub));
    for (size_t i = 0; i < BAD_MAX; i++)
        close_once(&room->workers[i].client);
    must(sockets_count() == 0);
    hub_free(room->hub);
    poller_free(room->poller);
}

/* ---- The script ---- */

static void script_add(struct room *room, const char *bytes, size_t len)
{
    memcpy(room->script + room->len, bytes, len);
    room->len += len;
}

static int script_times(struct room *room, char what)
{
    if ((what != 'x' && what != 'X') || room->repeats++ >= REPEATS_MAX)
        return 1;
    return what == 'x' ? room->repeat.few : room->repeat.many;
}

/* Says what has been gathered. */
static void script_say(struct room *room, int times)
{
    while (times-- > 0)
        worker_give(room, room->speaker, room->script, room->len);
    room->len = 0;
}

static void script_do(struct room *room, char what)
{
    static const int statuses[] = {0, SIGTERM, SIGSEGV, SIGKILL};

    switch (what) {
    case 't':
        script_add(room, room->token, strlen(room->token));
        return;
    case 's':
        script_add(room, room->stamp, STAMP_LEN);
        return;
    case '\\':
        script_add(room, "\xff", 1);
        return;
    }
    script_say(room, script_times(room, what));
    switch (what) {
    case '.':
        room_settle(room);
        break;
    case '+':
        room_wait(room, SECOND);
        break;
    case '|':
        close_once(&room->speaker->fd);
        break;
    case 'o':
        close_once(&room->speaker->client);
        break;
    case 'n':
        room->start_fails = !room->start_fails;
        break;
    case '^':
        if (room->handovers++ < HANDOVERS_MAX)
            room_hand_over(room);
        break;
    case '*':
        worker_die(room, room->speaker, statuses[room->count % 4]);
        break;
    case '-':
        room->speaker->reads = !room->speaker->reads;
        break;
    case 'w':
        witness_say(room);
        break;
    }
    if (what >= 'a' && what < 'a' + BAD_MAX) {
        room->speaker = &room->workers[what - 'a'];
        if (room->speaker->state == WORKER_GONE && room->count < COMERS_MAX)
            worker_add(room, room->speaker, NULL);
    }
}

static void script_play(struct room *room, const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != '\xff')
            script_add(room, at, 1);
        else if (++at < end)
            script_do(room, *at);
    }
    script_say(room, 1);
}

static struct repeat repeat_of(const uint8_t *data, size_t size)
{
    unsigned sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += data[i];
    return sum % 8 == 0 ? (struct repeat){25, 100} : (struct repeat){5, 10};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *script = (const char *)data + 1;

    if (size < 1 || size > SCRIPT_MAX)
        return 0;
    system_state.clock = SECOND;
    system_state.random = 1;
    struct room *room = must_allocate(sizeof *room);
    room->script = must_allocate(size * (sizeof room->token));
    room->repeat = repeat_of(data, size);
    room_open(room, data[0]);
    script_play(room, script, (const char *)data + size);
    room_wait(room, 2 * SECOND);
    witness_say(room);
    room_wait(room, 2 * SECOND);
    must(room->witness.here.count == hub_members(room->hub));
    must(room->witness.answered == room->witness.asked_count);
    room_clear(room);
    must(room->witness.heard <=
         room->bytes + FRAME_MAX * (room->lines + 4 * room->count + 4 * ASKED_MAX));
    room_close(room);
    free(room->script);
    free(room);
    return 0;
}
