/* upstream.c: see upstream.h. */
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

#include "compat/compat.h"
#include "json.h"
#include "pair.h"
#include "protocol.h"
#include "window.h"
#include "wire/stamp.h"
#include "wire/text.h"

/* A server that does not take a connection, or does not greet, by then is left for the next. */
#define CONNECT_US 1500000u
/* A server through which nothing comes on for that long, too. */
#define PATIENCE_US 4000000u
/* A request can be lost while the servers elect a leader: it is made again. The first is quickly
 * answered, the others change something in all servers. */
#define FOUND_US 1000000u
#define MADE_US 2000000u
/* Between two rounds through the list of servers. */
#define ROUND_US 500000u
/* Between two questions to a server that could not answer the first. */
#define ASK_US 500000u
/* Nodes that start together make the stream within this time. */
#define MADE_AT_ONCE_US 10000000u
/* A consumer that has missed three heartbeats is made anew. */
#define SILENCE_US (3 * JETSTREAM_HEARTBEAT_US)
/* How long a stream waits for as many servers as were given, before it is made with fewer. */
#define TOO_FEW_US 10000000u
#define NEVER UINT64_MAX

/* Subscriptions: answers of the API, acknowledgements of publications, and, one after the other,
 * what consumers deliver. */
enum { SID_ANSWERS = 1, SID_STORED = 2, SID_CONSUMERS = 3 };

/* ---- Telling --------------------------------------------------------------------------------- */

static uint32_t batch_max(const struct upstream *u)
{
    return u->max_payload < BATCH_MAX ? (uint32_t)u->max_payload : BATCH_MAX;
}

__attribute__((format(printf, 3, 4))) static void tell(
    struct upstream *u, enum engine_state state, const char *format, ...)
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

static void phase_set(struct upstream *u, enum upstream_phase phase, uint64_t due)
{
    u->phase = phase;
    u->times.due = due;
}

/* Gives up the connection; the next one is tried at once, or, after a round, a moment later. */
static void leave(struct upstream *u, uint64_t now)
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
    u->times.ask = 0;
    phase_set(u, UPSTREAM_AWAY, servers_are_tried(&u->servers) ? now + ROUND_US : now);
}

/* Gives it up for a reason that is told with the server's name. */
static void lose_as(struct upstream *u, enum engine_state state, const char *why, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    servers_name(&u->servers, name);
    tell(u, state, "%s: %s", name, why);
    leave(u, now);
}

static void lose(struct upstream *u, const char *why, uint64_t now)
{
    lose_as(u, u->failure, why, now);
}

/* The same, and the server is not tried at its other addresses. */
static void lose_server(struct upstream *u, enum engine_state state, const char *why, uint64_t now)
{
    servers_leave(&u->servers);
    lose_as(u, state, why, now);
}

static void lose_to_error(struct upstream *u, uint64_t now)
{
    lose(u, errno == 0 ? "the connection was closed" : strerror(errno), now);
}

/* What does not fit is more than any server would have asked for. */
static void say(struct upstream *u, const char *bytes, size_t len)
{
    (void)buffer_add(&u->out, bytes, len);
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
        lose_to_error(u, now);
        return;
    }
    phase_set(u, UPSTREAM_CONNECTING, now + CONNECT_US);
}

static void connect_next(struct upstream *u, uint64_t now)
{
    int error;
    const struct addrinfo *address = servers_next(&u->servers, &error);

    if (address != NULL)
        connect_to(u, address, now);
    else
        lose(u, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error), now);
}

static void connect_finish(struct upstream *u, uint64_t now)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        error = errno;
    errno = error;
    if (error != 0)
        lose_to_error(u, now);
    else
        phase_set(u, UPSTREAM_GREETING, now + CONNECT_US);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void publish(struct upstream *u, const char *subject, const char *reply, struct span bytes)
{
    char head[NATS_HEAD_MAX];
    struct span to = {subject, strlen(subject)};

    say(u, head, nats_write_pub(head, to, reply, bytes.len));
    say(u, bytes.at, bytes.len);
    say(u, NATS_END, strlen(NATS_END));
}

/* A subject below the inbox, by the kind of what comes there and a number. */
static void reply_subject(
    const struct upstream *u, char out[NATS_SUBJECT_MAX], char kind, uint64_t number)
{
    (void)snprintf(out, NATS_SUBJECT_MAX, "%s.%c.%llu", u->inbox, kind, (unsigned long long)number);
}

static void ask(struct upstream *u, enum upstream_phase phase, const char *subject,
    struct span request, uint64_t now)
{
    char reply[NATS_SUBJECT_MAX];

    reply_subject(u, reply, 'a', ++u->asked);
    publish(u, subject, reply, request);
    u->times.ask = 0;
    phase_set(u, phase, now + (phase == UPSTREAM_FINDING ? FOUND_US : MADE_US));
}

static void ask_stream(struct upstream *u, uint64_t now)
{
    ask(u, UPSTREAM_FINDING, u->names.stream_info, (struct span){"", 0}, now);
}

/* The stream is to be looked for again. */
static void ask_later(struct upstream *u, uint64_t now)
{
    u->asked++; /* an answer that is under way is not listened to */
    u->times.ask = now + ASK_US;
    phase_set(u, UPSTREAM_FINDING, NEVER);
}

static void ask_to_make(struct upstream *u, uint64_t now)
{
    char request[JETSTREAM_REQUEST_MAX];
    size_t len = jetstream_write_stream(request, &u->names, u->replicas);

    ask(u, UPSTREAM_MAKING, u->names.stream_create, (struct span){request, len}, now);
}

static void subscribe(struct upstream *u, const char *subject, uint64_t sid)
{
    char line[NATS_HEAD_MAX];

    say(u, line, nats_write_sub(line, subject, sid));
}

/* To all replies to one kind of question. */
static void subscribe_replies(struct upstream *u, char kind, uint64_t sid)
{
    char subject[NATS_SUBJECT_MAX];

    (void)snprintf(subject, sizeof(subject), "%s.%c.*", u->inbox, kind);
    subscribe(u, subject, sid);
}

/* A consumer has a subject and a subscription of its own, so that nothing of its predecessor's is
 * taken for its. */
static void ask_to_deliver(struct upstream *u, uint64_t now)
{
    struct reading *r = &u->reading;
    char request[JETSTREAM_REQUEST_MAX];
    char subject[NATS_SUBJECT_MAX];
    size_t len;

    if (r->subscribed > 0)
        say(u, request, nats_write_unsub(request, r->subscribed));
    r->subscribed = SID_CONSUMERS + ++r->consumer;
    r->deliveries = 0;
    r->is_idle = false;
    reply_subject(u, subject, 'd', r->consumer);
    subscribe(u, subject, r->subscribed);
    len = jetstream_write_consumer(request, &u->names, subject, r->next);
    ask(u, UPSTREAM_CONSUMING, u->names.consumer_create, (struct span){request, len}, now);
}

/* Something is missing in what was delivered: from the next message on, it is delivered again. */
static void deliver_again(struct upstream *u, uint64_t now)
{
    u->reading.has_consumer = false;
    ask_stream(u, now);
}

/* ---- Reading and serving --------------------------------------------------------------------- */

static void ready(struct upstream *u)
{
    u->doubtful = false;
    u->failure = ENGINE_AWAY;
    tell(u, ENGINE_READY, "%s", "");
}

/* Everything that the stream had when it was found is delivered. */
static bool is_read(const struct upstream *u)
{
    return u->reading.next > u->reading.end || u->reading.is_idle;
}

static void serve_if_read(struct upstream *u)
{
    if (u->phase != UPSTREAM_READING || !is_read(u))
        return;
    phase_set(u, UPSTREAM_SERVING, NEVER);
    if (!u->reading.is_told)
        pair_tell_end(u->pair, u->reading.end);
    u->reading.is_told = true;
    if (!u->doubtful)
        ready(u);
}

static void read_on(struct upstream *u, uint64_t now)
{
    u->times.patience = u->times.heard = u->times.progress = now;
    phase_set(u, UPSTREAM_READING, NEVER);
    serve_if_read(u);
}

/* A publication was refused or overtaken: what is in the window is published again, behind what is
 * in the stream by then. */
static void doubt(struct upstream *u, const char *why, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    servers_name(&u->servers, name);
    tell(u, ENGINE_AWAY, "%s: %s", name, why);
    u->doubtful = true;
    u->times.patience = now;
    window_rewind(u->window);
    ask_later(u, now);
}

static void flight_publish(struct upstream *u, const struct flight *flight, uint64_t now)
{
    char reply[NATS_SUBJECT_MAX];

    if (u->window->sent == 0)
        u->times.progress = now;
    reply_subject(u, reply, 'p', window_publish(u->window));
    publish(u, u->names.subject, reply, (struct span){flight->bytes, flight->len});
}

static void publish_window(struct upstream *u, uint64_t now)
{
    const struct flight *flight;

    while (u->phase == UPSTREAM_SERVING && (flight = window_next(u->window)) != NULL) {
        if (flight->len > u->max_payload) {
            lose_server(u, ENGINE_UNUSABLE, "the server takes no message of this size", now);
            return;
        }
        if (buffer_space(&u->out) < flight->len + NATS_HEAD_MAX + 65536)
            return;
        flight_publish(u, flight, now);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The server's words, or ours where it has none. */
static const char *words_of(const struct jetstream_answer *answer)
{
    return answer->words[0] != '\0' ? answer->words : "the server's answer makes no sense";
}

/* The request cannot be fulfilled now, or not at all. */
static void refused(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    if (answer->result == JETSTREAM_UNUSABLE ||
        (answer->result == JETSTREAM_NOBODY && !u->has_jetstream)) {
        lose_server(u, ENGINE_UNUSABLE, words_of(answer), now);
        return;
    }
    if (answer->result == JETSTREAM_MALFORMED || now - u->times.patience >= PATIENCE_US) {
        lose_server(u, u->failure, words_of(answer), now);
        return;
    }
    servers_name(&u->servers, name);
    tell(u, u->failure, "%s: %s", name, words_of(answer));
    ask_later(u, now);
}

/* It is looked for again and again, for another node may make it anew. */
static void stream_is_gone(struct upstream *u, const char *why, uint64_t now)
{
    tell(u, ENGINE_GONE, "%s", why);
    u->times.patience = now;
    u->reading.has_consumer = false;
    ask_later(u, now);
}

static void stream_is_missing(struct upstream *u, uint64_t now)
{
    if (u->reading.next <= 1) {
        ask_to_make(u, now);
        return;
    }
    strcpy(u->reading.created, "missing"); /* whichever comes now was made anew */
    stream_is_gone(u, "the stream does not exist any more", now);
}

/* Microseconds since 1970 of a time as servers write it, to the second; 0: it is none. */
static uint64_t created_time(const char *text)
{
    char stamp[STAMP_LEN + 1] = "YYYY-MM-DDTHH:MM:SS.000000Z";
    uint64_t time = 0;

    if (strlen(text) > strlen("YYYY-MM-DDTHH:MM:SS"))
        memcpy(stamp, text, strlen("YYYY-MM-DDTHH:MM:SS"));
    return stamp_parse(stamp, STAMP_LEN, &time) ? time : 0;
}

/* A stream that several nodes make at once is one, but servers may change their mind about when. */
static bool is_made_anew(const char *before, const char *after)
{
    uint64_t a = created_time(before);
    uint64_t b = created_time(after);

    if (before[0] == '\0' || strcmp(before, after) == 0)
        return false;
    return a == 0 || b == 0 || (a > b ? a - b : b - a) > MADE_AT_ONCE_US;
}

static void stream_is_found(struct upstream *u, const struct jetstream_answer *stream, uint64_t now)
{
    struct reading *r = &u->reading;

    if (r->next > 1 && is_made_anew(r->created, stream->created)) {
        stream_is_gone(u, "the stream was made anew", now);
        return;
    }
    if (r->next > stream->last + 1) {
        stream_is_gone(u, "the stream ends before what was read of it", now);
        return;
    }
    memcpy(r->created, stream->created, sizeof(r->created));
    if (r->next < stream->first)
        r->next = stream->first;
    if (r->next == 0)
        r->next = 1;
    r->end = stream->last;
    r->is_idle = false;
    if (r->has_consumer)
        read_on(u, now);
    else
        ask_to_deliver(u, now);
}

/* Fewer replicas, unless servers that were given may still come. */
static void make_smaller(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    bool waits = u->servers.given >= u->replicas && answer->result == JETSTREAM_FEWER;

    if (u->times.too_few == 0)
        u->times.too_few = now;
    if (u->replicas == 1 || (waits && now - u->times.too_few < TOO_FEW_US)) {
        struct jetstream_answer later = *answer;

        later.result = JETSTREAM_UNAVAILABLE;
        refused(u, &later, now);
        return;
    }
    u->replicas = answer->result == JETSTREAM_ALONE ? 1 : u->replicas - 1;
    ask_to_make(u, now);
}

static void take_found(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_DONE)
        stream_is_found(u, answer, now);
    else if (answer->result == JETSTREAM_NO_STREAM)
        stream_is_missing(u, now);
    else
        refused(u, answer, now);
}

static void take_made(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_DONE || answer->result == JETSTREAM_NAME_TAKEN)
        ask_stream(u, now);
    else if (answer->result == JETSTREAM_FEWER || answer->result == JETSTREAM_ALONE)
        make_smaller(u, answer, now);
    else
        refused(u, answer, now);
}

static void take_delivering(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_NO_STREAM) {
        ask_stream(u, now);
    } else if (answer->result != JETSTREAM_DONE) {
        refused(u, answer, now);
    } else {
        u->reading.has_consumer = true;
        read_on(u, now);
    }
}

/* Behind the last dot of a reply's subject stands the number of the question. */
static uint64_t subject_number(struct span subject)
{
    size_t at = subject.len;
    uint64_t number = 0;

    while (at > 0 && subject.at[at - 1] != '.')
        at--;
    (void)json_number((struct json){JSON_NUMBER, {subject.at + at, subject.len - at}}, &number);
    return number;
}

static void take_answer(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_answer answer;

    if (subject_number(op->subject) != u->asked)
        return;
    jetstream_read_answer(&answer, op->headers, op->payload);
    if (u->phase == UPSTREAM_FINDING && u->times.ask == 0)
        take_found(u, &answer, now);
    else if (u->phase == UPSTREAM_MAKING)
        take_made(u, &answer, now);
    else if (u->phase == UPSTREAM_CONSUMING)
        take_delivering(u, &answer, now);
}

/* ---- Publications ---------------------------------------------------------------------------- */

static void take_stored(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_answer answer;

    if (!window_has(u->window, subject_number(op->subject)))
        return;
    jetstream_read_answer(&answer, op->headers, op->payload);
    if (answer.result == JETSTREAM_DONE && answer.sequence != 0) {
        u->times.progress = now;
        if (u->phase == UPSTREAM_SERVING && u->doubtful)
            ready(u);
    } else if (u->phase == UPSTREAM_SERVING) {
        doubt(u, words_of(&answer), now);
    } else {
        window_rewind(u->window); /* the stream is being read to its end already */
    }
}

/* ---- Deliveries ------------------------------------------------------------------------------ */

/* A consumer's own words: flow control, or a heartbeat. */
static void take_status(
    struct upstream *u, const struct nats_operation *op, unsigned status, uint64_t now)
{
    struct reading *r = &u->reading;
    struct span stalled = nats_header(op->headers, "nats-consumer-stalled");
    struct span last = nats_header(op->headers, "nats-last-consumer");
    char to[NATS_SUBJECT_MAX];
    uint64_t number = 0;

    if (op->reply.len > 0)
        stalled = op->reply;
    if (stalled.len > 0 && stalled.len < sizeof(to)) {
        memcpy(to, stalled.at, stalled.len);
        to[stalled.len] = '\0';
        publish(u, to, "", (struct span){"", 0});
        return;
    }
    if (status != 100 || !json_number((struct json){JSON_NUMBER, last}, &number) ||
        number != r->deliveries) {
        deliver_again(u, now);
        return;
    }
    r->is_idle = true;
    serve_if_read(u);
}

static void take_message(struct upstream *u, const struct nats_operation *op,
    const struct jetstream_place *place, uint64_t now)
{
    struct frame_message message = {
        .sequence = place->stream, .time = place->time, .bytes = op->payload};
    enum window_result result;

    pair_tell_message(u->pair, &message);
    u->reading.deliveries++;
    u->reading.next = place->stream + 1;
    u->reading.is_idle = place->pending == 0;
    result = window_return(u->window, op->payload);
    if (result == WINDOW_CAME_BACK) {
        u->times.progress = now;
        if (u->phase == UPSTREAM_SERVING && u->doubtful)
            ready(u);
    }
    if (result == WINDOW_OVERTAKEN && u->phase == UPSTREAM_SERVING)
        doubt(u, "a batch overtook another one", now);
    serve_if_read(u);
}

static void take_delivery(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_place place;
    struct span words;
    unsigned status = nats_status(op->headers, &words);

    u->times.heard = now;
    if (!jetstream_read_place(&place, op->reply))
        take_status(u, op, status, now);
    else if (place.consumer != u->reading.deliveries + 1 || place.stream < u->reading.next ||
             place.stream == UINT64_MAX)
        deliver_again(u, now);
    else
        take_message(u, op, &place, now);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static void login(struct upstream *u, uint64_t now)
{
    char name[64];
    char line[NATS_CONNECT_MAX];

    (void)snprintf(
        name, sizeof(name), CHATD_PROGRAM " %.*s", (int)u->setup->node.len, u->setup->node.at);
    say(u, line, nats_write_connect(line, u->setup->credentials, name, CHAT_VERSION));
    say(u, NATS_PING_LINE, strlen(NATS_PING_LINE));
    phase_set(u, UPSTREAM_LOGIN, now + CONNECT_US);
}

static void take_info(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct json info;

    if (!json_parse(&info, op->text) || info.kind != JSON_OBJECT) {
        lose_server(u, u->failure, "not a NATS server", now);
        return;
    }
    (void)json_number(json_member(info, "max_payload"), &u->max_payload);
    u->has_jetstream = json_member(info, "jetstream").kind == JSON_TRUE;
    servers_learn(&u->servers, json_member(info, "connect_urls"));
    if (u->phase != UPSTREAM_GREETING)
        return;
    if (json_member(info, "tls_required").kind == JSON_TRUE)
        lose_server(u, ENGINE_UNUSABLE, "the server requires TLS, which is not spoken here", now);
    else
        login(u, now);
}

/* Nobody else may have the same. */
static bool inbox_set(struct upstream *u)
{
    unsigned char bytes[8];
    size_t at = (size_t)snprintf(u->inbox, sizeof(u->inbox), "_INBOX.");

    if (!random_bytes(bytes, sizeof(bytes)))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        at += (size_t)snprintf(u->inbox + at, sizeof(u->inbox) - at, "%02x", bytes[i]);
    return true;
}

static void take_pong(struct upstream *u, uint64_t now)
{
    if (u->phase != UPSTREAM_LOGIN)
        return;
    if (!inbox_set(u)) {
        lose(u, "no random numbers", now);
        return;
    }
    subscribe_replies(u, 'a', SID_ANSWERS);
    subscribe_replies(u, 'p', SID_STORED);
    u->times.patience = now;
    ask_stream(u, now);
}

static bool words_have(struct span words, const char *part)
{
    size_t len = strlen(part);

    for (size_t i = 0; i + len <= words.len; i++)
        if (span_equal_caseless((struct span){words.at + i, len}, part))
            return true;
    return false;
}

static void take_error(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    char words[FRAME_TEXT_MAX];
    bool refuses = words_have(op->text, "authorization") ||
                   words_have(op->text, "authentication") || words_have(op->text, "permissions");

    (void)snprintf(words, sizeof(words), "%.*s", (int)op->text.len, op->text.at);
    lose_server(u, refuses ? ENGINE_REFUSED : u->failure, words, now);
}

static void take_by_sid(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    if (op->sid == SID_ANSWERS)
        take_answer(u, op, now);
    else if (op->sid == SID_STORED)
        take_stored(u, op, now);
    else if (op->sid == u->reading.subscribed &&
             (u->reading.has_consumer || u->phase == UPSTREAM_CONSUMING))
        take_delivery(u, op, now);
}

static void take(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    switch (op->kind) {
    case NATS_INFO:
        take_info(u, op, now);
        break;
    case NATS_MESSAGE:
        if (u->phase >= UPSTREAM_FINDING)
            take_by_sid(u, op, now);
        break;
    case NATS_PING:
        say(u, NATS_PONG_LINE, strlen(NATS_PONG_LINE));
        break;
    case NATS_PONG:
        take_pong(u, now);
        break;
    case NATS_ERROR:
        take_error(u, op, now);
        break;
    case NATS_BAD:
        lose_server(u, u->failure, "not a NATS server", now);
        break;
    case NATS_OK:
    case NATS_MORE:
        break;
    }
}

/* ---- The turn -------------------------------------------------------------------------------- */

bool upstream_init(struct upstream *u, const struct frame_setup *setup, struct pair *pair,
    struct window *window, uint64_t now)
{
    u->setup = setup;
    u->pair = pair;
    u->window = window;
    u->fd = -1;
    u->replicas = JETSTREAM_REPLICAS_MAX;
    u->failure = ENGINE_CONNECTING;
    u->reading.next = setup->next;
    buffer_init(&u->in, u->in_bytes, sizeof(u->in_bytes));
    buffer_init(&u->out, u->out_bytes, sizeof(u->out_bytes));
    jetstream_names_set(&u->names, setup->room);
    phase_set(u, UPSTREAM_AWAY, now);
    return servers_set(&u->servers, setup->servers);
}

/* What was received is looked at only where the hub can be told of it. */
static bool may_read(const struct upstream *u)
{
    return pair_has_space(u->pair) && buffer_space(&u->out) > 65536;
}

void upstream_wait(const struct upstream *u, struct pollfd *pfd)
{
    /* Of a connection that cannot be read one would hear of nothing but its end. */
    *pfd = (struct pollfd){.fd = pair_has_space(u->pair) ? u->fd : -1};
    if (u->phase == UPSTREAM_AWAY)
        return;
    if (u->phase == UPSTREAM_CONNECTING || u->out.end > u->out.start)
        pfd->events |= POLLOUT;
    if (u->phase != UPSTREAM_CONNECTING && may_read(u))
        pfd->events |= POLLIN;
}

static void operations_take(struct upstream *u, uint64_t now)
{
    struct span rest = buffer_bytes(&u->in);
    struct nats_operation op;
    int fd = u->fd;

    while (u->fd == fd && fd != -1 && may_read(u) && nats_next(&u->parser, &rest, &op) != NATS_MORE)
        take(u, &op, now);
    if (u->fd != fd || fd == -1)
        return;
    buffer_drop(&u->in, u->in.end - u->in.start - rest.len);
    u->waits_for_hub = rest.len > 0 && !may_read(u);
}

void upstream_read(struct upstream *u, short revents, uint64_t now)
{
    if (u->phase == UPSTREAM_AWAY || revents == 0)
        return;
    if (u->phase == UPSTREAM_CONNECTING) {
        connect_finish(u, now);
        return;
    }
    if (!buffer_receive(&u->in, u->fd)) {
        int error = errno;

        operations_take(u, now); /* its last words may say why */
        errno = error;
        if (u->phase != UPSTREAM_AWAY)
            lose_to_error(u, now);
        return;
    }
    operations_take(u, now);
}

static const char *overdue_words(enum upstream_phase phase)
{
    if (phase == UPSTREAM_CONNECTING)
        return "no connection in time";
    return phase == UPSTREAM_GREETING || phase == UPSTREAM_LOGIN ? "no greeting in time"
                                                                 : "no answer in time";
}

static void phase_overdue(struct upstream *u, uint64_t now)
{
    if (u->phase == UPSTREAM_AWAY)
        connect_next(u, now);
    else if (u->phase >= UPSTREAM_FINDING && now - u->times.patience < PATIENCE_US)
        ask_stream(u, now);
    else
        lose(u, overdue_words(u->phase), now);
}

/* What the consumer and the publications make one expect has not come. */
static void silence_check(struct upstream *u, uint64_t now)
{
    if (u->phase != UPSTREAM_READING && u->phase != UPSTREAM_SERVING)
        return;
    if (!may_read(u)) {
        u->times.heard = u->times.progress = now; /* the hub is what is waited for */
    } else if (u->phase == UPSTREAM_SERVING && u->window->sent > 0 &&
               now - u->times.progress >= PATIENCE_US) {
        u->doubtful = true;
        lose_server(u, u->failure, "nothing is stored", now);
    } else if (now - u->times.heard >= SILENCE_US) {
        u->times.patience = u->times.heard;
        deliver_again(u, now);
    }
}

void upstream_turn(struct upstream *u, uint64_t now)
{
    if (u->waits_for_hub)
        operations_take(u, now);
    if (now >= u->times.due)
        phase_overdue(u, now);
    if (u->times.ask != 0 && now >= u->times.ask)
        ask_stream(u, now);
    silence_check(u, now);
    publish_window(u, now);
    if (u->phase > UPSTREAM_CONNECTING && !buffer_send(&u->out, u->fd))
        lose_to_error(u, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t upstream_due(const struct upstream *u)
{
    uint64_t due = u->times.due;

    if (u->waits_for_hub && may_read(u))
        return 0;
    if (u->times.ask != 0)
        due = earlier(due, u->times.ask);
    if (u->phase == UPSTREAM_READING || u->phase == UPSTREAM_SERVING)
        due = earlier(due, u->times.heard + SILENCE_US);
    if (u->phase == UPSTREAM_SERVING && u->window->sent > 0)
        due = earlier(due, u->times.progress + PATIENCE_US);
    return due;
}
