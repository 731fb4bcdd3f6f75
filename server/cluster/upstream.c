/* upstream.c: connects, sends, receives, gives up a server and goes on to the next. */
#include "upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json.h"
#include "pair.h"
#include "window.h"
#include "wire/text.h"

/* Delay between two rounds through the list of servers. */
#define ROUND_US 500000u

/* ---- Telling --------------------------------------------------------------------------------- */

static uint32_t batch_max(const struct upstream *u)
{
    return u->max_payload < BATCH_MAX ? (uint32_t)u->max_payload : BATCH_MAX;
}

void upstream_tell(struct upstream *u, enum engine_state state, const char *format, ...)
{
    char raw[FRAME_TEXT_MAX];
    char text[3 * FRAME_TEXT_MAX];
    struct frame_state told = {.state = state, .batch_max = batch_max(u)};
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(raw, sizeof(raw), format, ap);
    va_end(ap);
    told.text = (struct span){text, text_clean(text, raw, strlen(raw))};
    pair_tell_state(u->pair, &told);
}

/* ---- The connection -------------------------------------------------------------------------- */

void upstream_enter(struct upstream *u, enum upstream_phase phase, uint64_t due)
{
    u->phase = phase;
    u->times.due = due;
}

/* Closes the connection. The next is due at once, or, at the end of a round, after ROUND_US. */
static void server_leave(struct upstream *u, uint64_t now)
{
    if (u->fd != -1)
        close(u->fd);
    u->fd = -1;
    u->parser = (struct nats_parser){0};
    buffer_clear(&u->in);
    buffer_clear(&u->out);
    window_rewind(u->window);
    u->reading.has_consumer = u->reading.is_told = u->waits_for_hub = false;
    u->reading.subscribed = 0;
    reading_behind_pause(&u->reading, now);
    u->times.ask = 0;
    upstream_enter(u, UPSTREAM_AWAY, servers_are_tried(&u->servers) ? now + ROUND_US : now);
}

/* Closes the connection, and tells the hub the state and the reason with the server's name. */
static void lose_as(struct upstream *u, enum engine_state state, const char *why, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    servers_name(&u->servers, name);
    upstream_tell(u, state, "%s: %s", name, why);
    server_leave(u, now);
}

void upstream_lose(struct upstream *u, const char *why, uint64_t now)
{
    lose_as(u, u->failure, why, now);
}

/* The same, and the other addresses of the server are skipped. */
void upstream_lose_server(
    struct upstream *u, enum engine_state state, const char *why, uint64_t now)
{
    servers_leave(&u->servers);
    lose_as(u, state, why, now);
}

void upstream_fail(struct upstream *u, uint64_t now)
{
    upstream_lose(u, errno == 0 ? "the connection was closed" : strerror(errno), now);
}

/* What does not fit is more than any server would have asked for. */
void upstream_say(struct upstream *u, const char *bytes, size_t len)
{
    (void)buffer_add(&u->out, bytes, len);
}

/* Behind its head, of that length; 0: it has none. */
static void publication_say(struct upstream *u, const char *head, size_t len, struct span bytes)
{
    if (len == 0 || buffer_space(&u->out) < len + bytes.len + strlen(NATS_END))
        return; /* a head without its payload would end the protocol */
    upstream_say(u, head, len);
    upstream_say(u, bytes.at, bytes.len);
    upstream_say(u, NATS_END, strlen(NATS_END));
}

void upstream_publish(struct upstream *u, const char *subject, const char *reply, struct span bytes)
{
    char head[NATS_HEAD_MAX];
    struct span to = {subject, strlen(subject)};

    publication_say(u, head, nats_write_pub(head, to, reply, bytes.len), bytes);
}

void upstream_publish_with(struct upstream *u, const char *subject, const char *reply,
    const struct nats_header *header, struct span bytes)
{
    char head[NATS_HEAD_MAX];
    struct span to = {subject, strlen(subject)};

    publication_say(u, head, nats_write_hpub(head, to, reply, header, bytes.len), bytes);
}

bool upstream_may_publish(const struct upstream *u, size_t len)
{
    return buffer_space(&u->out) >= NATS_HEAD_MAX + len + strlen(NATS_END) + UPSTREAM_RESERVE;
}

void upstream_subscribe(struct upstream *u, const char *subject, uint64_t sid)
{
    char line[NATS_HEAD_MAX];

    upstream_say(u, line, nats_write_sub(line, subject, sid));
}

void upstream_inbox(
    const struct upstream *u, char out[NATS_SUBJECT_MAX], char kind, uint64_t number)
{
    (void)snprintf(out, NATS_SUBJECT_MAX, "%s.%c.%llu", u->inbox, kind, (unsigned long long)number);
}

uint64_t upstream_inbox_number(struct span subject)
{
    size_t at = subject.len;
    uint64_t number = 0;

    while (at > 0 && subject.at[at - 1] != '.')
        at--;
    (void)json_number((struct json){JSON_NUMBER, {subject.at + at, subject.len - at}}, &number);
    return number;
}

void upstream_subscribe_inbox(struct upstream *u, char kind, uint64_t sid)
{
    char subject[NATS_SUBJECT_MAX];

    (void)snprintf(subject, sizeof(subject), "%s.%c.*", u->inbox, kind);
    upstream_subscribe(u, subject, sid);
}

static bool socket_prepare(int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fcntl(fd, F_SETFD, FD_CLOEXEC) != -1 && fcntl(fd, F_SETFL, O_NONBLOCK) != -1;
}

static void connect_to(struct upstream *u, const struct addrinfo *address, uint64_t now)
{
    u->fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (u->fd == -1 || !socket_prepare(u->fd) ||
        (connect(u->fd, address->ai_addr, address->ai_addrlen) == -1 && errno != EINPROGRESS)) {
        upstream_fail(u, now);
        return;
    }
    upstream_enter(u, UPSTREAM_CONNECTING, now + UPSTREAM_CONNECT_US);
}

void upstream_connect(struct upstream *u, uint64_t now)
{
    int error;
    const struct addrinfo *address = servers_next(&u->servers, &error);

    if (address != NULL)
        connect_to(u, address, now);
    else
        upstream_lose(u, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error), now);
}

void upstream_connected(struct upstream *u, uint64_t now)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        error = errno;
    errno = error;
    if (error != 0)
        upstream_fail(u, now);
    else
        upstream_enter(u, UPSTREAM_GREETING, now + UPSTREAM_CONNECT_US);
}

bool upstream_may_read(const struct upstream *u)
{
    return pair_has_space(u->pair) && buffer_space(&u->out) >= UPSTREAM_RESERVE;
}

bool upstream_init(struct upstream *u, const struct frame_setup *setup, struct pair *pair,
    struct window *window, uint64_t now)
{
    u->setup = setup;
    u->pair = pair;
    u->window = window;
    u->fd = -1;
    u->replicas = JETSTREAM_REPLICAS_MAX;
    u->failure = ENGINE_CONNECTING;
    u->reading.next = setup->watches ? 0 : setup->next;
    u->reading.time = setup->time;
    buffer_init(&u->in, u->in_bytes, sizeof(u->in_bytes));
    buffer_init(&u->out, u->out_bytes, sizeof(u->out_bytes));
    jetstream_names_set(&u->names, setup->room);
    upstream_enter(u, UPSTREAM_AWAY, now);
    return servers_set(&u->servers, setup->servers);
}
