#define _GNU_SOURCE
#include "bench/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * "@A @@@@@@AG" and then this: speaker A's text number 23. The count is in base 16 with the digits
 * "@ABCDEFGHIJKLMNO", because these are quick to read: the generator must not be what is measured.
 */
#define FILLER " the quick brown fox jumps over the lazy dog, twice!!"
#define COUNT_AT 3
#define COUNT_LEN 8
#define FILLER_AT (COUNT_AT + COUNT_LEN)
#define FILLER_LEN (TEXT_LEN - FILLER_AT)
_Static_assert(sizeof FILLER - 1 == FILLER_LEN, "a text is TEXT_LEN bytes");

/* A member's name is one letter and its number. */
#define NAME_DIGITS 5
#define STAMP_LEN 27

#define IN_SIZE (256u << 10)
/* The longest line that may be cut by the end of a read. */
#define HELD_MAX (32u << 10)
#define OUT_SIZE (64u << 10)
/* Few enough that the speakers never wait long for the other members to be read. */
#define TURN_EVENTS 64
/* Enough to tell a late text from a doubled one; more only if the server loses very much. */
#define HOLES_MAX 4096
#define PATIENCE_S 10
#define ALARM UINT32_MAX
/* Logins that are under way at once: no more than a listener's queue holds. */
#define FLIGHT 64

#define CHATD_WIRE .ready = " you ", .before = "", .after = "\n", .end = 1, .chat = true

static const struct wire wires[] = {
    {.name = "chatd", .hello = "/history 0\n%\n", .list = true, CHATD_WIRE},
    {.name = "token", .hello = "/token\n/history 0\n%\n", .list = true, CHATD_WIRE},
    {.name = "floor", .hello = "%\n", CHATD_WIRE},
    {.name = "redis",
        .hello = "HELLO 3\r\nSUBSCRIBE r\r\n",
        .ready = "subscribe",
        .before = "*3\r\n$7\r\nPUBLISH\r\n$1\r\nr\r\n$64\r\n",
        .after = "\r\n",
        .frame = 95,
        .end = 2},
    {.name = "nats",
        .hello = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB r 1\r\nPING\r\n",
        .ready = "PONG",
        .before = "PUB r 64\r\n",
        .after = "\r\n",
        .frame = 78,
        .end = 2,
        .unordered = true},
};

const struct wire *wire_find(const char *name)
{
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        if (strcmp(wires[i].name, name) == 0)
            return &wires[i];
    }
    return NULL;
}

uint64_t clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: ");
    perror(what);
    exit(71);
}

static void *memory_get(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        die("calloc");
    return p;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

static void count_write(char at[COUNT_LEN], uint32_t count)
{
    for (int i = COUNT_LEN - 1; i >= 0; i--) {
        at[i] = (char)('@' + count % 16);
        count /= 16;
    }
}

static inline uint32_t count_digit(const char *at, unsigned place)
{
    return (uint32_t)(at[place] & 15) << 4 * (COUNT_LEN - 1 - place);
}

static inline uint32_t count_read(const char *at)
{
    return count_digit(at, 0) | count_digit(at, 1) | count_digit(at, 2) | count_digit(at, 3) |
           count_digit(at, 4) | count_digit(at, 5) | count_digit(at, 6) | count_digit(at, 7);
}

static inline uint64_t word_read(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Compares whole words; the last one overlaps the one before. */
static inline bool text_is_ours(const char *text)
{
    const char *filler = text + FILLER_AT;
    size_t last = FILLER_LEN - sizeof(uint64_t);
    const char *ours = FILLER;
    uint64_t differing = word_read(filler + last) ^ word_read(ours + last);
    for (size_t i = 0; i < last; i += sizeof(uint64_t))
        differing |= word_read(filler + i) ^ word_read(ours + i);
    return text[0] == '@' && text[2] == ' ' && differing == 0;
}

static uint32_t number_read(const char *at, int digits)
{
    uint32_t n = 0;
    for (int i = 0; i < digits; i++)
        n = n * 10 + (uint32_t)(at[i] - '0');
    return n;
}

static void speaker_init(struct speaker *s, const struct wire *w, unsigned number)
{
    size_t before = strlen(w->before);
    s->line_len = before + TEXT_LEN + strlen(w->after);
    s->line = memory_get(1, s->line_len + 1);
    s->out = memory_get(1, OUT_SIZE);
    s->count_at = before + COUNT_AT;
    snprintf(s->line, s->line_len + 1, "%s@%c @@@@@@@@%s%s", w->before, (int)('A' + number), FILLER,
        w->after);
}

/* ---- Connections --------------------------------------------------------------------------- */

void address_parse(const char *address, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)out;
    struct sockaddr_in *sin = (struct sockaddr_in *)out;
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(address, ':');
    memset(out, 0, sizeof *out);
    if (strchr(address, '/')) {
        sun->sun_family = AF_UNIX;
        snprintf(sun->sun_path, sizeof sun->sun_path, "%s", address);
        *len = sizeof *sun;
        return;
    }
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
    sin->sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &sin->sin_addr) != 1) {
        fprintf(stderr, "load: %s: neither a path nor HOST:PORT in numbers\n", address);
        exit(64);
    }
    sin->sin_port = htons((uint16_t)atoi(colon + 1));
    *len = sizeof *sin;
}

void crowd_init(struct crowd *c, const struct wire *wire, const char *address, unsigned members,
    unsigned speakers)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = ALARM};
    memset(c, 0, sizeof *c);
    c->wire = wire;
    c->frame = wire->frame;
    c->flight = FLIGHT;
    c->count = members;
    c->speaker_count = speakers;
    c->members = memory_get(members, sizeof *c->members);
    c->speakers = memory_get(speakers, sizeof *c->speakers);
    c->holes = memory_get(HOLES_MAX, sizeof *c->holes);
    c->in = memory_get(1, HELD_MAX + IN_SIZE);
    for (unsigned i = 0; i < members; i++) {
        c->members[i].fd = -1;
        c->members[i].next = memory_get(speakers, sizeof(uint32_t));
    }
    for (unsigned i = 0; i < speakers; i++)
        speaker_init(&c->speakers[i], wire, i);
    address_parse(address, &c->address, &c->address_len);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (c->epoll < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->timer, &ev) != 0)
        die("epoll");
}

void crowd_free(struct crowd *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        crowd_leave(c, i);
        free(c->members[i].next);
    }
    for (unsigned i = 0; i < c->speaker_count; i++) {
        free(c->speakers[i].line);
        free(c->speakers[i].out);
    }
    close(c->epoll);
    close(c->timer);
    free(c->members);
    free(c->speakers);
    free(c->holes);
    free(c->in);
}

/* Binds the socket to the address of one of the sources. */
static void source_bind(const struct crowd *c, int fd, unsigned member)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    int on = 1;
    sin.sin_addr.s_addr = htonl(0x7f010000u + member % c->sources + 1);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sin, sizeof sin) != 0)
        die("bind");
}

/* The connect blocks: loopback answers at once, and where the listener's queue is full it is right
 * to wait. */
static int connect_once(const struct crowd *c, unsigned member)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int on = 1;
    int fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (c->address.ss_family == AF_INET) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (c->sources > 0)
            source_bind(c, fd, member);
    }
    if (connect(fd, (const struct sockaddr *)&c->address, c->address_len) != 0) {
        close(fd);
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Tries for a while: a server that does not tell when it listens may have just been started. */
static int crowd_connect(const struct crowd *c, unsigned member)
{
    uint64_t start = clock_now();
    int fd;
    while ((fd = connect_once(c, member)) < 0 &&
           clock_now() - start < PATIENCE_S * UINT64_C(1000000000))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return fd;
}

void crowd_leave(struct crowd *c, unsigned member)
{
    struct member *m = &c->members[member];
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
    free(m->held);
    m->held = NULL;
    m->held_len = 0;
}

static void member_dropped(struct crowd *c, struct member *m)
{
    c->faults.dropped++;
    crowd_leave(c, (unsigned)(m - c->members));
}

static void member_ready(struct crowd *c, struct member *m)
{
    m->ready = true;
    c->ready++;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Not the expected count: texts before it are missing, or it is one of those, or a double. */
static void receive_odd(struct crowd *c, struct member *m, unsigned speaker, uint32_t count)
{
    uint32_t expected = m->next[speaker];
    if (count > expected) {
        m->next[speaker] = count + 1;
        if (c->hole_count < HOLES_MAX)
            c->holes[c->hole_count++] = (struct hole){m, speaker, expected, count};
        return;
    }
    for (size_t i = 0; i < c->hole_count; i++) {
        struct hole *h = &c->holes[i];
        if (h->member != m || h->speaker != speaker || count < h->from || count >= h->to)
            continue;
        c->faults.disordered++;
        if (c->hole_count < HOLES_MAX)
            c->holes[c->hole_count++] = (struct hole){m, speaker, count + 1, h->to};
        h->to = count;
        return;
    }
    c->faults.doubled++;
}

static inline void member_receives(struct crowd *c, struct member *m, const char *text)
{
    unsigned speaker = (unsigned)(text[1] - 'A');
    uint32_t count = count_read(text + COUNT_AT);
    if (speaker >= c->speaker_count) {
        c->faults.torn++;
        return;
    }
    if (count == m->next[speaker])
        m->next[speaker]++;
    else
        receive_odd(c, m, speaker, count);
    m->order = (m->order ^ ((uint64_t)speaker << 32 | count)) * 0x9E3779B97F4A7C15u;
    c->received++;
    if (m == &c->members[speaker])
        c->speakers[speaker].answered++;
    if (c->on_text)
        c->on_text(c->on_text_arg, speaker, count);
}

/* The number in a name, as it was given or with a server's suffix. */
static void member_sees(struct member *m, const char *name, size_t len, int more)
{
    m->present += (unsigned)more;
    if (len > NAME_DIGITS)
        m->present_sum += (uint64_t)(int64_t)(more * (int64_t)number_read(name + 1, NAME_DIGITS));
}

static void member_sees_all(struct member *m, const char *names, const char *end)
{
    while (names < end) {
        const char *space = memchr(names, ' ', (size_t)(end - names));
        size_t len = (size_t)((space ? space : end) - names);
        member_sees(m, names, len, 1);
        names += len + 1;
    }
}

/* A line of chat-protocol(7) without a text of ours; false if it is not one. */
static bool line_take_event(struct crowd *c, struct member *m, const char *line, size_t len)
{
    const char *verb = line + STAMP_LEN + 1;
    const char *end = line + len;
    size_t left = len - STAMP_LEN - 1;
    if (len < STAMP_LEN + 2 || line[STAMP_LEN - 1] != 'Z' || line[STAMP_LEN] != ' ')
        return false;
    if (left > 5 && memcmp(verb, "join ", 5) == 0)
        member_sees(m, verb + 5, left - 5, 1);
    else if (left > 5 && memcmp(verb, "here ", 5) == 0)
        member_sees_all(m, verb + 5, end);
    else if (left > 5 && memcmp(verb, "quit ", 5) == 0) {
        member_sees(m, verb + 5, left - 5, -1);
        m->quits++;
    } else if (left > 6 && memcmp(verb, "users ", 6) == 0)
        c->faults.torn += (unsigned)atoi(verb + 6) != m->present;
    else if (left > 4 && memcmp(verb, "gap ", 4) == 0)
        c->faults.skipped += (uint64_t)atoi(verb + 4);
    else if (left > 6 && memcmp(verb, "error ", 6) == 0)
        c->faults.refused++;
    else
        return memcmp(verb, "note ", 5) == 0 || memcmp(verb, "you ", 4) == 0 ||
               memcmp(verb, "token ", 6) == 0;
    return true;
}

/* Any line, with its LF. */
static void member_take_line(struct crowd *c, struct member *m, const char *line, size_t len)
{
    const struct wire *w = c->wire;
    if (len >= TEXT_LEN + w->end && text_is_ours(line + len - w->end - TEXT_LEN)) {
        if (w->frame == 0)
            c->frame = len;
        member_receives(c, m, line + len - w->end - TEXT_LEN);
        return;
    }
    if (!m->ready && memmem(line, len, w->ready, strlen(w->ready)))
        member_ready(c, m);
    if (w->chat && !line_take_event(c, m, line, len - 1))
        c->faults.torn++;
}

/* Takes whole lines; returns what is left. Most are as long as the last one was. */
static const char *member_take(struct crowd *c, struct member *m, const char *at, const char *end)
{
    size_t tail = TEXT_LEN + c->wire->end;
    while (at < end) {
        size_t frame = c->frame;
        if (frame > 0 && (size_t)(end - at) >= frame && at[frame - 1] == '\n' &&
            text_is_ours(at + frame - tail)) {
            member_receives(c, m, at + frame - tail);
            at += frame;
            continue;
        }
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf)
            break;
        member_take_line(c, m, at, (size_t)(lf + 1 - at));
        at = lf + 1;
    }
    return at;
}

static void member_hold(struct crowd *c, struct member *m, const char *at, size_t len)
{
    if (len > HELD_MAX) {
        c->faults.torn++;
        member_dropped(c, m);
        return;
    }
    m->held_len = len;
    if (len > 0) {
        m->held = realloc(m->held, len);
        if (!m->held)
            die("realloc");
        memcpy(m->held, at, len);
    }
}

static void member_read(struct crowd *c, struct member *m)
{
    char *at = c->in + HELD_MAX - m->held_len;
    ssize_t n = recv(m->fd, c->in + HELD_MAX, IN_SIZE, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        member_dropped(c, m);
        return;
    }
    if (c->on_text)
        c->now = clock_now();
    if (m->held_len > 0)
        memcpy(at, m->held, m->held_len);
    c->received_bytes += (uint64_t)n;
    const char *end = c->in + HELD_MAX + n;
    const char *rest = member_take(c, m, at, end);
    member_hold(c, m, rest, (size_t)(end - rest));
    if (c->leave_at_once && m->ready)
        crowd_leave(c, (unsigned)(m - c->members));
}

/* ---- Speaking ------------------------------------------------------------------------------- */

static void member_watch(struct crowd *c, unsigned member, uint32_t events, int op)
{
    struct epoll_event ev = {.events = events, .data.u32 = member};
    if (epoll_ctl(c->epoll, op, c->members[member].fd, &ev) != 0)
        die("epoll_ctl");
}

static void speaker_send(struct crowd *c, unsigned speaker)
{
    struct speaker *s = &c->speakers[speaker];
    struct member *m = &c->members[speaker];
    size_t len = s->out_len - s->out_at;
    if (m->fd < 0 || len == 0)
        return;
    ssize_t n = send(m->fd, s->out + s->out_at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        member_dropped(c, m);
        return;
    }
    if (n > 0)
        s->out_at += (size_t)n;
    if (s->out_at == s->out_len)
        s->out_at = s->out_len = 0;
    bool blocked = s->out_len > 0;
    if (blocked != s->blocked)
        member_watch(c, speaker, EPOLLIN | (blocked ? EPOLLOUT : 0), EPOLL_CTL_MOD);
    s->blocked = blocked;
}

uint32_t crowd_say(struct crowd *c, unsigned speaker, uint32_t n)
{
    struct speaker *s = &c->speakers[speaker];
    uint32_t done = 0;
    while (done < n && s->out_len + s->line_len <= OUT_SIZE && c->members[speaker].fd >= 0) {
        count_write(s->line + s->count_at, s->said++);
        memcpy(s->out + s->out_len, s->line, s->line_len);
        s->out_len += s->line_len;
        done++;
    }
    if (!s->blocked)
        speaker_send(c, speaker);
    return done;
}

bool speaker_is_idle(const struct speaker *s)
{
    return s->out_len == 0;
}

/* ---- Turns ---------------------------------------------------------------------------------- */

void crowd_alarm(struct crowd *c, uint64_t start, uint64_t period_ns)
{
    struct itimerspec its = {
        .it_value = {(time_t)(start / 1000000000u), (long)(start % 1000000000u)},
        .it_interval = {(time_t)(period_ns / 1000000000u), (long)(period_ns % 1000000000u)},
    };
    c->alarms = 0;
    if (timerfd_settime(c->timer, TFD_TIMER_ABSTIME, &its, NULL) != 0)
        die("timerfd_settime");
}

void crowd_turn(struct crowd *c, int timeout_ms)
{
    struct epoll_event events[TURN_EVENTS];
    uint64_t before = c->received;
    int n = epoll_wait(c->epoll, events, TURN_EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        uint32_t who = events[i].data.u32;
        uint64_t struck;
        if (who == ALARM) {
            if (read(c->timer, &struck, sizeof struck) == (ssize_t)sizeof struck)
                c->alarms += (unsigned)struck;
            continue;
        }
        if (c->members[who].fd >= 0 && (events[i].events & EPOLLOUT))
            speaker_send(c, who);
        if (c->members[who].fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT))
            member_read(c, &c->members[who]);
    }
    if (c->received != before)
        c->received_at = clock_now();
}

/* ---- Logins ---------------------------------------------------------------------------------- */

/* Writes what the member sends first; returns its length. */
static size_t hello_write(const struct crowd *c, unsigned member, char *out, size_t size)
{
    size_t len = 0;
    for (const char *at = c->wire->hello; *at; at++) {
        if (*at == '%')
            len += (size_t)snprintf(out + len, size - len, "m%0*u", NAME_DIGITS, member % 100000);
        else
            out[len++] = *at;
    }
    return len;
}

static bool member_enter(struct crowd *c, unsigned member)
{
    struct member *m = &c->members[member];
    char hello[128];
    size_t len = hello_write(c, member, hello, sizeof hello);
    m->fd = crowd_connect(c, member);
    if (m->fd < 0)
        return false;
    member_watch(c, member, EPOLLIN, EPOLL_CTL_ADD);
    if (len > 0 && send(m->fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len)
        member_dropped(c, m);
    return true;
}

bool crowd_join(struct crowd *c)
{
    unsigned last = 0;
    uint64_t last_at = clock_now();
    for (unsigned next = 0; c->ready < c->count;) {
        while (next < c->count && next - c->ready < c->flight) {
            if (!member_enter(c, next))
                return false;
            next++;
        }
        crowd_turn(c, 100);
        if (c->ready != last) {
            last = c->ready;
            last_at = clock_now();
        } else if (clock_now() - last_at > 30000000000u) {
            return false;
        }
    }
    return true;
}

static bool crowd_knows_itself(const struct crowd *c)
{
    unsigned in = 0;
    uint64_t sum = 0;
    if (!c->wire->list)
        return true;
    for (unsigned i = 0; i < c->count; i++) {
        in += c->members[i].fd >= 0;
        sum += c->members[i].fd >= 0 ? i : 0;
    }
    for (unsigned i = 0; i < c->count; i++) {
        const struct member *m = &c->members[i];
        if (m->fd >= 0 && (m->present != in || m->present_sum != sum))
            return false;
    }
    return true;
}

bool crowd_settle(struct crowd *c, unsigned quiet_ms)
{
    uint64_t start = clock_now();
    uint64_t quiet_since = start;
    for (;;) {
        uint64_t before = c->received_bytes;
        crowd_turn(c, (int)quiet_ms);
        uint64_t now = clock_now();
        if (c->received_bytes != before)
            quiet_since = now;
        else if (now - quiet_since >= quiet_ms * UINT64_C(1000000) && crowd_knows_itself(c))
            return true;
        if (now - start > 60000000000u)
            return false;
    }
}

/* ---- Accounts ------------------------------------------------------------------------------- */

uint64_t crowd_expected(const struct crowd *c)
{
    uint64_t said = 0;
    for (unsigned i = 0; i < c->speaker_count; i++)
        said += c->speakers[i].said;
    return said * c->count;
}

bool crowd_is_complete(const struct crowd *c)
{
    for (unsigned i = 0; i < c->speaker_count; i++) {
        if (!speaker_is_idle(&c->speakers[i]) && c->members[i].fd >= 0)
            return false;
    }
    return c->received - c->faults.doubled + c->faults.skipped >= crowd_expected(c);
}

unsigned crowd_disagreeing(const struct crowd *c)
{
    unsigned differing = 0;
    for (unsigned i = 1; i < c->count && !c->wire->unordered; i++)
        differing += c->members[i].order != c->members[0].order;
    return differing;
}
