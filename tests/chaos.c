/*
 * chaos.c: a crowd that talks as fast as it can while at random workers are killed, kicked and
 * stopped, readers stall, connections break in every way, people come and go, the transcript's
 * writer dies and the server becomes another program. In the end the books must balance:
 *
 *   - what anybody sent is echoed, refused, or in the MINE of a gap: each line once, in order;
 *   - all have heard one order of events, without a hole but where a gap has counted it;
 *   - of those whose connection broke, the room has a beginning of what they sent; of those who
 *     said goodbye, all;
 *   - the list is those who are still there; descriptors and processes are what they were;
 *   - the transcript is that order.
 *
 * make chaos runs it. Environment (or variables on make's command line): CHAOS_SECONDS (15),
 * CHAOS_SEED (random, and told), CHAOS_MEMBERS (60, and 1250 or 1000 for the others), and
 * CK_RUN_CASE (chaos, kills or upgrades) for one of the three.
 */
#include "harness.h"
#include "wire/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WITNESSES 3
#define SESSIONS_MAX 100000
#define STOPPED_MAX 16
#define READ_SIZE 65536
#define LINE_SIZE 64
#define NOWHERE SIZE_MAX

/* An event as the first who heard it tells it. */
struct entry {
    uint64_t stamp;
    uint64_t hash; /* 0: nobody has heard it; then the stamp is that of one before */
    uint32_t who;
    uint32_t number;  /* of its line, or one of the two below */
    uint32_t message; /* the number of messages that it had said before */
};
#define JOINED (UINT32_MAX - 1)
#define LEFT (UINT32_MAX - 2)

enum state {
    COMING, /* has said its name */
    HERE,
    ENDING, /* has said goodbye; what is pending for it is still to come */
    GONE    /* its end has come, or it has hung up */
};

/* One connection, and the books of it. */
struct client {
    int fd;
    enum state state;
    bool goodbye;      /* all that it said counts */
    bool hurt;         /* its worker was killed or kicked */
    int64_t paused_to; /* does not read until then */
    size_t next;       /* where in the order it is; NOWHERE: not known yet */
    char *held;        /* the beginning of a line, or lines that cannot be placed yet */
    size_t held_len;
    char out[LINE_SIZE + 32];
    size_t out_at;
    size_t out_len;
    unsigned long said;     /* lines */
    unsigned long messages; /* of these, those that are for all */
    unsigned long answered;
    unsigned long echoed;
    unsigned long refused;
    unsigned long mine;
};

struct tally {
    unsigned long delivered;
    unsigned long kills;
    unsigned long kicks;
    unsigned long stops;
    unsigned long stalls;
    unsigned long resets;
    unsigned long closes;
    unsigned long half_closes;
    unsigned long quits;
    unsigned long writers;
    unsigned long upgrades;
    unsigned long gaps;
    unsigned long skipped;
};

struct chaos {
    struct server server;
    unsigned seed;
    size_t members;      /* so many shall be there */
    size_t talkers;      /* so many of them talk: the oldest */
    unsigned long ahead; /* lines that one of them may be in front of its answers */
    struct client *clients;
    size_t count;
    size_t *live; /* those who are not gone, the oldest first */
    size_t lives;
    struct pollfd *ready;
    struct entry *order;
    size_t events;
    size_t room;
    pid_t stopped[STOPPED_MAX];
    int64_t goes_on[STOPPED_MAX];
    bool silent; /* nobody says anything any more */
    int fds;     /* of the hub, with the witnesses alone */
    size_t children;
    char *buffer;
    char transcript[PATH_TEXT_MAX];
    struct tally tally;
};

static unsigned below(struct chaos *chaos, unsigned limit)
{
    chaos->seed = chaos->seed * 1103515245u + 12345u;
    return (unsigned)((uint64_t)(chaos->seed >> 8) * limit >> 24);
}

/* ---- The one order ----------------------------------------------------------------------------
 */

static uint64_t line_hash(const char *line, size_t len)
{
    uint64_t hash = len;
    for (; len >= 8; line += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, line, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    for (; len > 0; line++, len--)
        hash = (hash ^ (unsigned char)*line) * 0x9e3779b97f4a7c15u;
    return hash | 1;
}

static uint32_t name_number(struct span name)
{
    unsigned long number = name.len > 1 ? strtoul(name.at + 1, NULL, 10) : 0;
    ensure(name.len > 1 && name.at[0] == 'g' && number < SESSIONS_MAX, "a strange name: %.*s",
        (int)name.len, name.at);
    return (uint32_t)number;
}

static struct entry *order_grow(struct chaos *chaos)
{
    if (chaos->events == chaos->room) {
        chaos->room = 2 * chaos->room + 65536;
        chaos->order = realloc(chaos->order, chaos->room * sizeof *chaos->order);
        ensure(chaos->order != NULL, "no memory");
    }
    uint64_t stamp = chaos->events == 0 ? 0 : chaos->order[chaos->events - 1].stamp;
    chaos->order[chaos->events] = (struct entry){.stamp = stamp};
    return &chaos->order[chaos->events++];
}

/* Nobody else has told of this event yet: it is looked at closely. */
static void order_put(
    struct chaos *chaos, size_t at, const char *line, size_t len, const struct event *event)
{
    while (chaos->events <= at)
        order_grow(chaos);
    struct entry *entry = &chaos->order[at];
    ensure(text_is_clean(line, len) && len < LINE_OUT_MAX, "forbidden: %.*s", (int)len, line);
    ensure(event->stamp > (at == 0 ? 0 : chaos->order[at - 1].stamp), "stamps do not grow: %.*s",
        (int)len, line);
    entry->stamp = event->stamp;
    entry->hash = line_hash(line, len);
    entry->who = name_number(event->name);
    entry->number = event->verb == VERB_JOIN ? JOINED : LEFT;
    if (event->verb == VERB_MSG) {
        char *behind;
        entry->number = (uint32_t)strtoul(event->text.at, &behind, 10);
        entry->message = (uint32_t)strtoul(behind, NULL, 10);
    }
    ensure(event->verb == VERB_MSG || event->verb == VERB_JOIN || event->verb == VERB_QUIT,
        "nobody said this: %.*s", (int)len, line);
    /* The search by stamps wants them to grow in a hole too. */
    for (size_t i = at + 1; i < chaos->events && chaos->order[i].hash == 0; i++)
        chaos->order[i].stamp = entry->stamp;
}

/* The place of the event with that stamp; NOWHERE where nobody has told of it. */
static size_t order_find(const struct chaos *chaos, uint64_t stamp)
{
    size_t low = 0;
    size_t high = chaos->events;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (chaos->order[mid].stamp < stamp)
            low = mid + 1;
        else
            high = mid;
    }
    bool found =
        low < chaos->events && chaos->order[low].stamp == stamp && chaos->order[low].hash != 0;
    return found ? low : NOWHERE;
}

/* ---- Hearing ----------------------------------------------------------------------------------
 */

static void hear_answer(struct client *client, unsigned long number)
{
    ensure(number == client->answered, "line %lu is answered instead of %lu", number,
        client->answered);
    client->answered++;
    client->echoed++;
}

/* An event of the room. False: it cannot be placed before others have heard more. */
static bool hear_event(struct chaos *chaos, struct client *client, const char *line, size_t len,
    const struct event *event)
{
    uint32_t self = (uint32_t)(client - chaos->clients);
    if (client->next == NOWHERE) {
        if (chaos->events > 0 && event->stamp > chaos->order[chaos->events - 1].stamp && self != 0)
            return false;
        client->next = self == 0 && chaos->events == 0 ? 0 : order_find(chaos, event->stamp);
        if (client->next == NOWHERE) /* in a hole that all have: the next one will be known */
            return true;
    }
    if (client->next >= chaos->events || chaos->order[client->next].hash == 0)
        order_put(chaos, client->next, line, len, event);
    struct entry *entry = &chaos->order[client->next];
    ensure(entry->hash == line_hash(line, len), "g%u has heard \"%.*s\" as event %zu", self,
        (int)len, line, client->next);
    client->next++;
    if (entry->who == self && entry->number < LEFT)
        hear_answer(client, entry->number);
    return true;
}

static void hear_gap(struct chaos *chaos, struct client *client, const struct event *event)
{
    ensure(event->counted, "a gap that nobody counted");
    if (client->next != NOWHERE)
        client->next += event->count;
    client->answered += event->mine;
    client->mine += event->mine;
    chaos->tally.gaps++;
    chaos->tally.skipped += event->count;
}

/* A line for it alone. */
static void hear_private(struct chaos *chaos, struct client *client, const struct event *event)
{
    uint32_t self = (uint32_t)(client - chaos->clients);
    switch (event->verb) {
    case VERB_YOU:
        ensure(name_number(event->name) == self, "g%u has another name", self);
        client->state = HERE;
        break;
    case VERB_USERS:
        if (client->state != COMING) {
            client->answered++;
            client->echoed++;
        }
        break;
    case VERB_PRIV:
        if (name_number(event->name) == self)
            hear_answer(client, strtoul(event->text.at, NULL, 10));
        break;
    case VERB_ERROR:
        client->answered++;
        client->refused++;
        break;
    case VERB_GAP:
        hear_gap(chaos, client, event);
        break;
    case VERB_NOTE: /* a kick is told */
    case VERB_HERE:
        break;
    default:
        ck_abort_msg("an unexpected verb");
    }
}

/* False: the line must wait. */
static bool hear_line(struct chaos *chaos, struct client *client, const char *line, size_t len)
{
    struct event event;
    if (client->next < chaos->events) { /* nearly always it is not the first */
        struct entry *entry = &chaos->order[client->next];
        if (entry->hash == line_hash(line, len)) {
            client->next++;
            if (entry->who == (uint32_t)(client - chaos->clients) && entry->number < LEFT)
                hear_answer(client, entry->number);
            chaos->tally.delivered++;
            return true;
        }
    }
    ensure(event_parse(&event, line, len), "no line of a chatd: %.*s", (int)len, line);
    if (!verb_is_room(event.verb)) {
        hear_private(chaos, client, &event);
        return true;
    }
    bool placed = hear_event(chaos, client, line, len, &event);
    chaos->tally.delivered += placed;
    return placed;
}

/* Takes the whole lines out of what is held and what has come behind it. */
static void hear_bytes(struct chaos *chaos, struct client *client, const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;
    for (const char *lf; (lf = memchr(at, '\n', (size_t)(end - at))) != NULL; at = lf + 1)
        if (!hear_line(chaos, client, at, (size_t)(lf - at)))
            break;
    size_t rest = (size_t)(end - at);
    if (rest > 0 && rest != client->held_len) {
        client->held = realloc(client->held, rest);
        ensure(client->held != NULL, "no memory");
    }
    if (rest > 0)
        memcpy(client->held, at, rest);
    client->held_len = rest;
}

/* Its connection has come to its end. */
static void client_over(struct client *client)
{
    if (client->state == ENDING && !client->hurt) {
        ensure(client->held_len == 0, "the last line is torn: %.*s", (int)client->held_len,
            client->held);
        ensure(client->answered == client->said, "%lu lines before a goodbye, %lu answers",
            client->said, client->answered);
    }
    client->goodbye = client->state == ENDING && !client->hurt;
    close(client->fd);
    free(client->held);
    client->held = NULL;
    client->held_len = 0;
    client->fd = -1;
    client->state = GONE;
}

static void client_hear(struct chaos *chaos, struct client *client)
{
    size_t held = client->held_len;
    bool waits = held > 0 && memchr(client->held, '\n', held) != NULL;
    if (held > 0)
        memcpy(chaos->buffer, client->held, held);
    ssize_t n = waits ? 0 : recv(client->fd, chaos->buffer + held, READ_SIZE, 0);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 || waits)
        hear_bytes(chaos, client, chaos->buffer, held + (size_t)n);
    else
        client_over(client);
}

/* ---- Saying -----------------------------------------------------------------------------------
 */

/* Mostly words to all; some for one, and some questions. */
static void line_make(struct chaos *chaos, struct client *client)
{
    unsigned kind = below(chaos, 100);
    char *out = client->out;
    if (kind == 0)
        client->out_len = (size_t)sprintf(out, "/users\n");
    else if (kind < 4)
        client->out_len = (size_t)sprintf(out, "/msg g%zu %lu\n",
            chaos->live[below(chaos, (unsigned)chaos->lives)], client->said);
    else if (kind < 6)
        client->out_len = (size_t)sprintf(out, "/refused %lu\n", client->said);
    else {
        memset(out, '.', LINE_SIZE);
        out[sprintf(out, "%lu %lu ", client->said, client->messages++)] = '.';
        out[LINE_SIZE - 1] = '\n';
        client->out_len = LINE_SIZE;
    }
    client->out_at = 0;
}

static void client_say(struct chaos *chaos, struct client *client)
{
    while (
        client->out_len > 0 || (!chaos->silent && client->said < client->answered + chaos->ahead)) {
        if (client->out_len == 0)
            line_make(chaos, client);
        ssize_t n = send(client->fd, client->out + client->out_at, client->out_len - client->out_at,
            MSG_NOSIGNAL);
        if (n <= 0)
            return; /* if it is cut off, it will hear of it */
        client->out_at += (size_t)n;
        if (client->out_at < client->out_len)
            return;
        client->out_len = 0;
        client->said++;
    }
}

/* ---- Coming and going -------------------------------------------------------------------------
 */

static struct client *client_add(struct chaos *chaos)
{
    struct conn conn;
    struct client *client = &chaos->clients[chaos->count];
    ensure(chaos->count < SESSIONS_MAX, "too many sessions");
    conn_open(&conn, &chaos->server);
    *client = (struct client){.fd = conn.fd, .next = NOWHERE};
    client->out_len =
        (size_t)snprintf(client->out, sizeof client->out, "/history 0\ng%zu\n", chaos->count);
    ensure(send(client->fd, client->out, client->out_len, MSG_NOSIGNAL) == (ssize_t)client->out_len,
        "a name cannot be sent");
    client->out_len = 0;
    chaos->live[chaos->lives++] = chaos->count++;
    return client;
}

/* The connection is cut from this side. */
static void client_cut(struct client *client, bool reset)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    client->hurt = true;
    client_over(client);
}

/* Says goodbye: by a half-close in the middle of a line, or by a word. */
static bool client_leave(struct client *client, bool word)
{
    char line[LINE_SIZE] = "/quit\n";
    size_t len = strlen(line);
    if (!word)
        len = (size_t)sprintf(line, "%lu %lu the last words", client->said, client->messages);
    if (send(client->fd, line, len, MSG_NOSIGNAL) != (ssize_t)len) {
        client_cut(client, true);
        return false;
    }
    if (!word) {
        client->said++;
        client->messages++;
        shutdown(client->fd, SHUT_WR);
    }
    client->state = ENDING;
    return true;
}

static void bury(struct chaos *chaos)
{
    size_t kept = 0;
    for (size_t i = 0; i < chaos->lives; i++)
        if (chaos->clients[chaos->live[i]].state != GONE)
            chaos->live[kept++] = chaos->live[i];
    chaos->lives = kept;
}

/* ---- A turn -----------------------------------------------------------------------------------
 */

static bool wants_to_speak(const struct chaos *chaos, const struct client *client, size_t age)
{
    if (client->state != HERE)
        return false;
    return client->out_len > 0 || (!chaos->silent && age < chaos->talkers &&
                                      client->said < client->answered + chaos->ahead);
}

static void clients_run(struct chaos *chaos, int ms)
{
    int64_t now = clock_ms();
    for (size_t i = 0; i < chaos->lives; i++) {
        struct client *client = &chaos->clients[chaos->live[i]];
        short events = client->paused_to > now ? 0 : POLLIN;
        if (wants_to_speak(chaos, client, i))
            events |= POLLOUT;
        chaos->ready[i] = (struct pollfd){events != 0 ? client->fd : -1, events, 0};
    }
    if (poll(chaos->ready, (nfds_t)chaos->lives, ms) <= 0)
        return;
    for (size_t i = 0; i < chaos->lives; i++) {
        struct client *client = &chaos->clients[chaos->live[i]];
        if (chaos->ready[i].revents & POLLOUT)
            client_say(chaos, client);
        if (chaos->ready[i].revents & (POLLIN | POLLHUP | POLLERR) && client->paused_to <= now)
            client_hear(chaos, client);
    }
    bury(chaos);
}

/* ---- Faults -----------------------------------------------------------------------------------
 */

/* Whose worker that is, by its title; NULL: nobody's yet, a witness's, or no worker. */
static struct client *worker_client(struct chaos *chaos, pid_t pid)
{
    char path[64];
    char title[64] = "";
    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, title, sizeof title - 1);
    if (fd != -1)
        close(fd);
    if (n <= 0 || strncmp(title, "chatd: g", 8) != 0)
        return NULL;
    size_t number = strtoul(title + 8, NULL, 10);
    return number < WITNESSES || number >= chaos->count ? NULL : &chaos->clients[number];
}

static pid_t random_worker(struct chaos *chaos, struct client **client)
{
    struct family family;
    family_look(&family, chaos->server.pid);
    pid_t pid = family.count == 0 ? -1 : family.pids[below(chaos, (unsigned)family.count)];
    *client = pid == -1 ? NULL : worker_client(chaos, pid);
    return *client == NULL ? -1 : pid;
}

static void worker_signal(struct chaos *chaos, int sig, unsigned long *tally)
{
    struct client *client;
    pid_t pid = random_worker(chaos, &client);
    if (pid == -1)
        return;
    client->hurt = true;
    kill(pid, sig);
    (*tally)++;
}

static void worker_stop(struct chaos *chaos)
{
    struct client *client;
    pid_t pid = random_worker(chaos, &client);
    for (size_t i = 0; pid != -1 && i < STOPPED_MAX; i++)
        if (chaos->stopped[i] == 0) {
            chaos->stopped[i] = pid;
            chaos->goes_on[i] = clock_ms() + below(chaos, 1500);
            kill(pid, SIGSTOP);
            chaos->tally.stops++;
            return;
        }
}

static void workers_go_on(struct chaos *chaos, int64_t now)
{
    for (size_t i = 0; i < STOPPED_MAX; i++)
        if (chaos->stopped[i] != 0 && chaos->goes_on[i] <= now) {
            kill(chaos->stopped[i], SIGCONT);
            chaos->stopped[i] = 0;
        }
}

static void one_fault(struct chaos *chaos)
{
    struct client *client = &chaos->clients[chaos->live[below(chaos, (unsigned)chaos->lives)]];
    struct tally *tally = &chaos->tally;
    unsigned what = below(chaos, 100);
    bool free_to_go = client - chaos->clients >= WITNESSES && client->state == HERE;
    if (what < 25) {
        worker_signal(chaos, SIGKILL, &tally->kills);
    } else if (what < 35) {
        worker_signal(chaos, SIGTERM, &tally->kicks);
    } else if (what < 50) {
        worker_stop(chaos);
    } else if (what < 53) {
        kill(chaos->server.pid, SIGUSR2);
    } else if (what < 54) {
        kill(family_find(chaos->server.pid, "chatd: transcript"), SIGKILL);
        tally->writers++;
    } else if (what < 56) {
        kill(chaos->server.pid, SIGHUP);
    } else if (!free_to_go) {
        return;
    } else if (what < 70) {
        client->paused_to = clock_ms() + below(chaos, 3000);
        tally->stalls++;
    } else if (what < 80) {
        client_cut(client, true);
        tally->resets++;
    } else if (client->out_len == 0 && what < 84) {
        client_cut(client, false);
        tally->closes++;
    } else if (client->out_len == 0 && what < 92) {
        tally->half_closes += client_leave(client, false);
    } else if (client->out_len == 0) {
        tally->quits += client_leave(client, true);
    }
}

static void fill_up(struct chaos *chaos)
{
    for (int i = 0; i < 200 && chaos->lives < chaos->members; i++)
        (void)client_add(chaos);
}

static size_t count_here(const struct chaos *chaos)
{
    size_t here = 0;
    for (size_t i = 0; i < chaos->lives; i++)
        here += chaos->clients[chaos->live[i]].state == HERE;
    return here;
}

static void faults_for(struct chaos *chaos, int64_t ms)
{
    int64_t end = clock_ms() + ms;
    int64_t next = 0;
    for (int64_t now; (now = clock_ms()) < end;) {
        workers_go_on(chaos, now);
        if (now >= next) {
            one_fault(chaos);
            bury(chaos);
            next = now + below(chaos, 20);
        }
        fill_up(chaos);
        clients_run(chaos, 5);
    }
}

/* A kill each ten milliseconds. */
static void kills_for(struct chaos *chaos, int64_t ms)
{
    int64_t start = clock_ms();
    int64_t end = start + ms;
    size_t fewest = chaos->members;
    for (int64_t now; (now = clock_ms()) < end;) {
        while (start + (int64_t)chaos->tally.kills * 10 <= now && chaos->lives > WITNESSES)
            worker_signal(chaos, SIGKILL, &chaos->tally.kills);
        fill_up(chaos);
        clients_run(chaos, 5);
        size_t here = count_here(chaos);
        fewest = here < fewest ? here : fewest;
    }
    printf("at least %zu members were here all the time\n", fewest);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static bool client_is_done(const struct chaos *chaos, const struct client *client)
{
    if (client->state == ENDING || client->state == COMING)
        return false;
    return client->out_len == 0 && client->said == client->answered &&
           client->next == chaos->events;
}

/* The first witness says something more, so that everybody finds its place in the order. */
static void say_the_last_word(struct chaos *chaos)
{
    struct client *first = &chaos->clients[0];
    chaos->silent = false;
    while (first->out_len == 0) {
        line_make(chaos, first);
        if (first->out[0] == '/')
            first->out_len = 0;
    }
    chaos->silent = true;
}

static void clients_drain(struct chaos *chaos)
{
    int64_t deadline = deadline_in(60000);
    int64_t asked = 0;
    workers_go_on(chaos, INT64_MAX);
    chaos->silent = true;
    for (size_t i = 0; i < chaos->lives; i++)
        chaos->clients[chaos->live[i]].paused_to = 0;
    for (size_t done = 0; done < chaos->lives || chaos->lives == 0;) {
        if (clock_ms() > asked + 500 && chaos->clients[0].out_len == 0) {
            say_the_last_word(chaos);
            asked = clock_ms();
        }
        clients_run(chaos, 50);
        done = 0;
        for (size_t i = 0; i < chaos->lives; i++)
            done += client_is_done(chaos, &chaos->clients[chaos->live[i]]);
        ensure(clock_ms() < deadline, "%zu of %zu have heard and been answered everything", done,
            chaos->lives);
    }
}

/* What the room has heard of one session. */
struct heard {
    unsigned long messages;
    bool joined;
    bool left;
};

static void order_check(struct chaos *chaos)
{
    struct heard *heard = calloc(chaos->count, sizeof *heard);
    size_t holes = 0;
    heard[0].joined = true; /* nobody else was there */
    for (size_t i = 0; i < chaos->events; i++) {
        const struct entry *entry = &chaos->order[i];
        if (entry->hash == 0) {
            holes++;
            continue;
        }
        struct heard *of_client = &heard[entry->who];
        if (entry->number == JOINED) {
            ensure(!of_client->joined, "g%u joins twice", entry->who);
            of_client->joined = true;
        } else {
            ensure(holes > 0 || (of_client->joined && !of_client->left), "g%u is not here",
                entry->who);
        }
        if (entry->number == LEFT)
            of_client->left = true;
        if (entry->number < LEFT) {
            ensure(holes > 0 || entry->message == of_client->messages,
                "g%u: message %u instead of %lu", entry->who, entry->message, of_client->messages);
            of_client->messages = entry->message + 1;
        }
    }
    for (size_t i = 0; i < chaos->count && holes == 0; i++) {
        const struct client *client = &chaos->clients[i];
        bool here = client->state == HERE;
        ensure(!heard[i].joined || heard[i].left == !here, "g%zu is %s", i, here ? "lost" : "left");
        ensure(heard[i].messages <= client->messages, "g%zu did not say that much", i);
        ensure((!here && !client->goodbye) || heard[i].messages == client->messages,
            "g%zu said %lu things, %lu were heard", i, client->messages, heard[i].messages);
        ensure(client->answered == client->echoed + client->refused + client->mine, "g%zu", i);
    }
    printf("%zu events, %zu that nobody heard\n", chaos->events, holes);
    free(heard);
}

/* How many names the list has: of nobody who is not here. */
static size_t list_read(struct chaos *chaos)
{
    struct conn conn;
    size_t named = 0;
    conn_open(&conn, &chaos->server);
    conn_say(&conn, "/users");
    while (conn_read(&conn) != NULL && conn.event.verb == VERB_HERE) {
        const char *at = conn.event.text.at;
        for (const char *end = at + conn.event.text.len; at < end; named++) {
            size_t len = strcspn(at, " ");
            struct span name = {at, len};
            ensure(
                chaos->clients[name_number(name)].state == HERE, "the list has %.*s", (int)len, at);
            at += len + 1;
        }
    }
    conn_close(&conn);
    return named;
}

/* The list has everybody who is still here. A worker that was killed ends when it gets a processor,
 * which may be after all have heard the last word: its client has yet to see that. */
static void list_check(struct chaos *chaos)
{
    int64_t deadline = deadline_in(10000);
    for (size_t named; (named = list_read(chaos)) != chaos->lives; clients_run(chaos, 50))
        ensure(clock_ms() < deadline, "the list has %zu of %zu", named, chaos->lives);
}

/* When only the witnesses are left, the hub holds what it held when they were alone. */
static void leftovers_check(struct chaos *chaos)
{
    struct family family;
    int64_t deadline = deadline_in(10000);
    for (size_t i = 0; i < chaos->lives; i++)
        if (chaos->live[i] >= WITNESSES)
            client_cut(&chaos->clients[chaos->live[i]], true);
    bury(chaos);
    do {
        clients_run(chaos, 10);
        family_look(&family, chaos->server.pid);
        ensure(clock_ms() < deadline, "%d descriptors (%d), %zu processes (%zu)",
            process_fds(chaos->server.pid), chaos->fds, family.count, chaos->children);
    } while (process_fds(chaos->server.pid) != chaos->fds || family.count != chaos->children);
}

/* The file has the order's events, but for those that it says it lacks. */
static void transcript_check(struct chaos *chaos)
{
    char line[LINE_OUT_MAX + 1];
    struct event event;
    unsigned long missing = 0;
    unsigned long lines = 0;
    FILE *file = fopen(chaos->transcript, "re");
    ck_assert_ptr_nonnull(file);
    uint64_t last = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strlen(line) - 1;
        ensure(line[len] == '\n' && event_parse(&event, line, len), "in the file: %s", line);
        if (event.verb == VERB_GAP) {
            missing += event.count;
            continue;
        }
        ensure(event.stamp > last, "twice, or too late, in the file: %s", line);
        last = event.stamp;
        lines++;
        size_t at = order_find(chaos, event.stamp);
        ensure(at == NOWHERE || chaos->order[at].hash == line_hash(line, len),
            "nobody heard this: %s", line);
    }
    fclose(file);
    printf("%lu lines in the transcript, %lu missing\n", lines, missing);
    /* The first join and the witnesses' quits were heard by nobody. */
    unsigned long all = chaos->events + 1 + WITNESSES;
    ensure(lines + missing >= all, "%lu events of %lu", lines + missing, all);
    /* Of what a writer wrote in its last instant nobody may know, if the log has it no more. */
    ensure(lines + missing <= all + chaos->tally.writers * 10000, "%lu events of %lu",
        lines + missing, all);
}

static size_t log_count(const struct server *server, const char *words)
{
    static char log[65536];
    size_t count = 0;
    off_t at = 0;
    for (ssize_t n; (n = pread(server->log, log, sizeof log - 1, at)) > 0;) {
        log[n] = '\0';
        char *end = strrchr(log, '\n');
        if (end == NULL)
            break;
        *end = '\0';
        for (const char *word = log; (word = strstr(word, words)) != NULL; word++)
            count++;
        at += end + 1 - log;
    }
    return count;
}

/* ---- The runs ---------------------------------------------------------------------------------
 */

static unsigned number_of(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && text[0] != '\0' ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void chaos_open(struct chaos *chaos, const char *const options[], size_t members)
{
    struct family family;
    server_start_as(&chaos->server, NULL, options);
    chaos->seed = number_of("CHAOS_SEED", (unsigned)time(NULL) ^ (unsigned)getpid() << 8);
    chaos->members = number_of("CHAOS_MEMBERS", (unsigned)members);
    chaos->clients = calloc(SESSIONS_MAX, sizeof *chaos->clients);
    chaos->live = calloc(chaos->members + WITNESSES, sizeof *chaos->live);
    chaos->ready = calloc(chaos->members + WITNESSES, sizeof *chaos->ready);
    chaos->buffer = malloc((size_t)3 * READ_SIZE);
    ck_assert(chaos->clients && chaos->live && chaos->ready && chaos->buffer);
    printf("CHAOS_SEED=%u CHAOS_MEMBERS=%zu CHAOS_SECONDS=%u\n", chaos->seed, chaos->members,
        number_of("CHAOS_SECONDS", 15));
    fflush(stdout);
    chaos->silent = true;
    for (int i = 0; i < WITNESSES; i++)
        for (struct client *client = client_add(chaos); client->state != HERE;)
            clients_run(chaos, 100);
    family_look(&family, chaos->server.pid);
    chaos->children = family.count;
    chaos->fds = process_fds(chaos->server.pid);
    while (count_here(chaos) < chaos->members) {
        fill_up(chaos);
        clients_run(chaos, 10);
    }
    chaos->silent = false;
}

static void chaos_tell(const struct chaos *chaos, int64_t ms)
{
    const struct tally *t = &chaos->tally;
    unsigned long said = 0;
    unsigned long echoed = 0;
    unsigned long refused = 0;
    unsigned long mine = 0;
    for (size_t i = 0; i < chaos->count; i++) {
        said += chaos->clients[i].said;
        echoed += chaos->clients[i].echoed;
        refused += chaos->clients[i].refused;
        mine += chaos->clients[i].mine;
    }
    printf("%zu sessions, %zu survivors; %lu lines said, %lu echoes heard, %lu refusals, "
           "%lu in gaps\n",
        chaos->count, chaos->lives, said, echoed, refused, mine);
    printf("%lu deliveries, %.2f million a second; %lu gaps of %lu events\n", t->delivered,
        (double)t->delivered / (double)ms / 1000, t->gaps, t->skipped);
    printf("%lu kills, %lu kicks, %lu stops, %lu stalls, %lu resets, %lu closes, %lu half-closes, "
           "%lu quits, %lu writers killed, %lu upgrades\n",
        t->kills, t->kicks, t->stops, t->stalls, t->resets, t->closes, t->half_closes, t->quits,
        t->writers, t->upgrades);
}

static void chaos_close(struct chaos *chaos, int64_t start)
{
    int64_t ms = clock_ms() - start;
    clients_drain(chaos);
    chaos->tally.upgrades = log_count(&chaos->server, "this is chatd ");
    chaos_tell(chaos, ms);
    order_check(chaos);
    list_check(chaos);
    leftovers_check(chaos);
    clients_drain(chaos);
    ck_assert_uint_eq(log_count(&chaos->server, "broke the rules"), 0);
    kill(chaos->server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&chaos->server, 5000), 0);
    if (chaos->transcript[0] != '\0')
        transcript_check(chaos);
    for (size_t i = 0; i < chaos->lives; i++)
        client_cut(&chaos->clients[chaos->live[i]], false);
    free(chaos->clients);
    free(chaos->live);
    free(chaos->ready);
    free(chaos->order);
    free(chaos->buffer);
}

/* Everything at once. */
START_TEST(chaos)
{
    struct chaos run = {.talkers = 20, .ahead = 40};
    test_path(run.transcript, "transcript");
    chaos_open(&run,
        (const char *const[]){ANY_PORT, "-b", "262144", "-w", "0.1", "-t", run.transcript, NULL},
        60);
    int64_t start = clock_ms();
    faults_for(&run, (int64_t)number_of("CHAOS_SECONDS", 15) * 1000);
    chaos_close(&run, start);
}
END_TEST

/*
 * A thousand members and more, a burst that does not end, and one worker killed each ten
 * milliseconds: no survivor loses a line. The room waits for its readers as long as it takes, so
 * that no gap is an excuse.
 */
START_TEST(kills)
{
    struct chaos run = {.talkers = 10, .ahead = 500};
    chaos_open(&run, (const char *const[]){ANY_PORT, "-w", "3600", NULL}, 1250);
    int64_t start = clock_ms();
    kills_for(&run, (int64_t)number_of("CHAOS_SECONDS", 15) * 1000);
    chaos_close(&run, start);
    ck_assert_uint_eq(run.tally.gaps, 0);
}
END_TEST

static int doubles_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The new programs say how long the room stood still. */
static void tell_standstills(const struct chaos *run)
{
    char log[262144];
    double ms[4096];
    size_t count = 0;
    server_log(&run->server, log, sizeof log);
    for (const char *at = log;
         (at = strstr(at, " members, after ")) != NULL && count < COUNT_OF(ms);)
        ms[count++] = strtod(at += strlen(" members, after "), NULL);
    if (count == 0)
        return;
    qsort(ms, count, sizeof *ms, doubles_compare);
    printf("of %zu upgrades the median stood still for %.1f ms, the worst for %.1f ms\n", count,
        ms[count / 2], ms[count - 1]);
}

/* A thousand members, a burst that does not end, and another program four times a second. */
START_TEST(upgrades)
{
    struct chaos run = {.talkers = 10, .ahead = 500};
    chaos_open(&run, (const char *const[]){ANY_PORT, "-w", "3600", NULL}, 1000);
    int64_t start = clock_ms();
    int64_t end = start + (int64_t)number_of("CHAOS_SECONDS", 15) * 1000;
    int64_t next = start;
    for (int64_t now; (now = clock_ms()) < end;) {
        if (now >= next) {
            kill(run.server.pid, SIGUSR2);
            next = now + 250;
        }
        clients_run(&run, 5);
    }
    tell_standstills(&run);
    chaos_close(&run, start);
    ck_assert_uint_eq(run.tally.gaps, 0);
    ck_assert_uint_eq(run.count, run.members); /* no connection was lost */
    ck_assert_uint_gt(run.tally.upgrades, 0);
}
END_TEST

int main(void)
{
    int seconds = 2 * (int)number_of("CHAOS_SECONDS", 15) + 180;
    const struct test tests[] = {{chaos, 1, seconds}, {kills, 1, seconds}, {upgrades, 1, seconds}};
    return tests_run("chaos", tests, COUNT_OF(tests));
}
