/* session.c: see session.h. */
#include "session.h"

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
/* A consumer that has missed three heartbeats is made anew. */
#define SILENCE_US (3 * JETSTREAM_HEARTBEAT_US)
/* How long a stream waits for as many servers as were given, before it is made with fewer. */
#define TOO_FEW_US 10000000u
#define NEVER UINT64_MAX

/* Subscriptions: answers of the API, acknowledgements of publications, and, one after the other,
 * what consumers deliver. */
enum { SID_ANSWERS = 1, SID_STORED = 2, SID_CONSUMERS = 3 };

/* ---- Telling --------------------------------------------------------------------------------- */

static uint32_t batch_max(const struct session *s)
{
    return s->max_payload < BATCH_MAX ? (uint32_t)s->max_payload : BATCH_MAX;
}

__attribute__((format(printf, 3, 4))) static void tell(
    struct session *s, enum engine_state state, const char *format, ...)
{
    char raw[FRAME_TEXT_MAX];
    char text[3 * FRAME_TEXT_MAX];
    struct frame_state told = {.state = state, .batch_max = batch_max(s)};
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(raw, sizeof(raw), format, ap);
    va_end(ap);
    told.text = (struct span){text, text_clean(text, raw, strlen(raw))};
    pair_tell_state(s->pair, &told);
}

/* ---- The connection -------------------------------------------------------------------------- */

static void phase_set(struct session *s, enum session_phase phase, uint64_t due)
{
    s->phase = phase;
    s->times.due = due;
}

/* Gives up the connection; the next one is tried at once, or, after a round, a moment later. */
static void leave(struct session *s, uint64_t now)
{
    if (s->fd != -1)
        close(s->fd);
    s->fd = -1;
    s->parser = (struct nats_parser){0};
    buffer_clear(&s->in);
    buffer_clear(&s->out);
    window_rewind(s->window);
    s->reading.has_consumer = s->reading.is_told = s->waits_for_hub = false;
    s->reading.subscribed = 0;
    s->times.ask = 0;
    phase_set(s, SESSION_AWAY, servers_are_tried(&s->servers) ? now + ROUND_US : now);
}

/* Gives it up for a reason that is told with the server's name. */
static void lose_as(struct session *s, enum engine_state state, const char *why, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    servers_name(&s->servers, name);
    tell(s, state, "%s: %s", name, why);
    leave(s, now);
}

static void lose(struct session *s, const char *why, uint64_t now)
{
    lose_as(s, s->failure, why, now);
}

/* The same, and the server is not tried at its other addresses. */
static void lose_server(struct session *s, enum engine_state state, const char *why, uint64_t now)
{
    servers_leave(&s->servers);
    lose_as(s, state, why, now);
}

static void lose_to_error(struct session *s, uint64_t now)
{
    lose(s, errno == 0 ? "the connection was closed" : strerror(errno), now);
}

/* What does not fit is more than any server would have asked for. */
static void say(struct session *s, const char *bytes, size_t len)
{
    (void)buffer_add(&s->out, bytes, len);
}

static bool socket_prepare(int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fcntl(fd, F_SETFD, FD_CLOEXEC) != -1 && fcntl(fd, F_SETFL, O_NONBLOCK) != -1;
}

static void connect_to(struct session *s, const struct addrinfo *address, uint64_t now)
{
    s->fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (s->fd == -1 || !socket_prepare(s->fd) ||
        (connect(s->fd, address->ai_addr, address->ai_addrlen) == -1 && errno != EINPROGRESS)) {
        lose_to_error(s, now);
        return;
    }
    phase_set(s, SESSION_CONNECTING, now + CONNECT_US);
}

static void connect_next(struct session *s, uint64_t now)
{
    int error;
    const struct addrinfo *address = servers_next(&s->servers, &error);

    if (address != NULL)
        connect_to(s, address, now);
    else
        lose(s, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error), now);
}

static void connect_finish(struct session *s, uint64_t now)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        error = errno;
    errno = error;
    if (error != 0)
        lose_to_error(s, now);
    else
        phase_set(s, SESSION_GREETING, now + CONNECT_US);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void publish(struct session *s, const char *subject, const char *reply, struct span bytes)
{
    char head[NATS_HEAD_MAX];
    struct span to = {subject, strlen(subject)};

    say(s, head, nats_write_pub(head, to, reply, bytes.len));
    say(s, bytes.at, bytes.len);
    say(s, NATS_END, strlen(NATS_END));
}

/* A subject below the inbox, by the kind of what comes there and a number. */
static void reply_subject(
    const struct session *s, char out[NATS_SUBJECT_MAX], char kind, uint64_t number)
{
    (void)snprintf(out, NATS_SUBJECT_MAX, "%s.%c.%llu", s->inbox, kind, (unsigned long long)number);
}

static void ask(struct session *s, enum session_phase phase, const char *subject,
    struct span request, uint64_t now)
{
    char reply[NATS_SUBJECT_MAX];

    reply_subject(s, reply, 'a', ++s->asked);
    publish(s, subject, reply, request);
    s->times.ask = 0;
    phase_set(s, phase, now + (phase == SESSION_FINDING ? FOUND_US : MADE_US));
}

static void ask_stream(struct session *s, uint64_t now)
{
    ask(s, SESSION_FINDING, s->names.stream_info, (struct span){"", 0}, now);
}

/* The stream is to be looked for again. */
static void ask_later(struct session *s, uint64_t now)
{
    s->asked++; /* an answer that is under way is not listened to */
    s->times.ask = now + ASK_US;
    phase_set(s, SESSION_FINDING, NEVER);
}

static void ask_to_make(struct session *s, uint64_t now)
{
    char request[JETSTREAM_REQUEST_MAX];
    size_t len = jetstream_write_stream(request, &s->names, s->replicas);

    ask(s, SESSION_MAKING, s->names.stream_create, (struct span){request, len}, now);
}

static void subscribe(struct session *s, const char *subject, uint64_t sid)
{
    char line[NATS_HEAD_MAX];

    say(s, line, nats_write_sub(line, subject, sid));
}

/* To all replies to one kind of question. */
static void subscribe_replies(struct session *s, char kind, uint64_t sid)
{
    char subject[NATS_SUBJECT_MAX];

    (void)snprintf(subject, sizeof(subject), "%s.%c.*", s->inbox, kind);
    subscribe(s, subject, sid);
}

/* A consumer has a subject and a subscription of its own, so that nothing of its predecessor's is
 * taken for its. */
static void ask_to_deliver(struct session *s, uint64_t now)
{
    struct reading *r = &s->reading;
    char request[JETSTREAM_REQUEST_MAX];
    char subject[NATS_SUBJECT_MAX];
    size_t len;

    if (r->subscribed > 0)
        say(s, request, nats_write_unsub(request, r->subscribed));
    r->subscribed = SID_CONSUMERS + ++r->consumer;
    r->deliveries = 0;
    r->is_idle = false;
    reply_subject(s, subject, 'd', r->consumer);
    subscribe(s, subject, r->subscribed);
    len = jetstream_write_consumer(request, &s->names, subject, r->next);
    ask(s, SESSION_CONSUMING, s->names.consumer_create, (struct span){request, len}, now);
}

/* Something is missing in what was delivered: from the next message on, it is delivered again. */
static void deliver_again(struct session *s, uint64_t now)
{
    s->reading.has_consumer = false;
    ask_stream(s, now);
}

/* ---- Reading and serving --------------------------------------------------------------------- */

static void ready(struct session *s)
{
    s->doubtful = false;
    s->failure = ENGINE_AWAY;
    tell(s, ENGINE_READY, "%s", "");
}

/* Everything that the stream had when it was found is delivered. */
static bool is_read(const struct session *s)
{
    return s->reading.next > s->reading.end || s->reading.is_idle;
}

static void serve_if_read(struct session *s)
{
    if (s->phase != SESSION_READING || !is_read(s))
        return;
    phase_set(s, SESSION_SERVING, NEVER);
    if (!s->reading.is_told)
        pair_tell_end(s->pair, s->reading.end);
    s->reading.is_told = true;
    if (!s->doubtful)
        ready(s);
}

static void read_on(struct session *s, uint64_t now)
{
    s->times.patience = s->times.heard = s->times.progress = now;
    phase_set(s, SESSION_READING, NEVER);
    serve_if_read(s);
}

/* A publication was refused or overtaken: what is in the window is published again, behind what is
 * in the stream by then. */
static void doubt(struct session *s, const char *why, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    servers_name(&s->servers, name);
    tell(s, ENGINE_AWAY, "%s: %s", name, why);
    s->doubtful = true;
    s->times.patience = now;
    window_rewind(s->window);
    ask_later(s, now);
}

static void flight_publish(struct session *s, const struct flight *flight, uint64_t now)
{
    char reply[NATS_SUBJECT_MAX];

    if (s->window->sent == 0)
        s->times.progress = now;
    reply_subject(s, reply, 'p', window_publish(s->window));
    publish(s, s->names.subject, reply, (struct span){flight->bytes, flight->len});
}

static void publish_window(struct session *s, uint64_t now)
{
    const struct flight *flight;

    while (s->phase == SESSION_SERVING && (flight = window_next(s->window)) != NULL) {
        if (flight->len > s->max_payload) {
            lose_server(s, ENGINE_UNUSABLE, "the server takes no message of this size", now);
            return;
        }
        if (buffer_space(&s->out) < flight->len + NATS_HEAD_MAX + 65536)
            return;
        flight_publish(s, flight, now);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The server's words, or ours where it has none. */
static const char *words_of(const struct jetstream_answer *answer)
{
    return answer->words[0] != '\0' ? answer->words : "the server's answer makes no sense";
}

/* The request cannot be fulfilled now, or not at all. */
static void refused(struct session *s, const struct jetstream_answer *answer, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    if (answer->result == JETSTREAM_UNUSABLE ||
        (answer->result == JETSTREAM_NOBODY && !s->has_jetstream)) {
        lose_server(s, ENGINE_UNUSABLE, words_of(answer), now);
        return;
    }
    if (answer->result == JETSTREAM_MALFORMED || now - s->times.patience >= PATIENCE_US) {
        lose_server(s, s->failure, words_of(answer), now);
        return;
    }
    servers_name(&s->servers, name);
    tell(s, s->failure, "%s: %s", name, words_of(answer));
    ask_later(s, now);
}

/* It is looked for again and again, for another node may make it anew. */
static void stream_is_gone(struct session *s, const char *why, uint64_t now)
{
    tell(s, ENGINE_GONE, "%s", why);
    s->times.patience = now;
    s->reading.has_consumer = false;
    ask_later(s, now);
}

static void stream_is_missing(struct session *s, uint64_t now)
{
    if (s->reading.next > 1 || s->reading.created[0] != '\0')
        stream_is_gone(s, "the stream does not exist any more", now);
    else
        ask_to_make(s, now);
}

static void stream_is_found(struct session *s, const struct jetstream_answer *stream, uint64_t now)
{
    struct reading *r = &s->reading;

    if (r->created[0] != '\0' && strcmp(r->created, stream->created) != 0) {
        stream_is_gone(s, "the stream was made anew", now);
        return;
    }
    if (r->next > stream->last + 1) {
        stream_is_gone(s, "the stream ends before what was read of it", now);
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
        read_on(s, now);
    else
        ask_to_deliver(s, now);
}

/* Fewer replicas, unless servers that were given may still come. */
static void make_smaller(struct session *s, const struct jetstream_answer *answer, uint64_t now)
{
    bool waits = s->servers.given >= s->replicas && answer->result == JETSTREAM_FEWER;

    if (s->times.too_few == 0)
        s->times.too_few = now;
    if (s->replicas == 1 || (waits && now - s->times.too_few < TOO_FEW_US)) {
        struct jetstream_answer later = *answer;

        later.result = JETSTREAM_UNAVAILABLE;
        refused(s, &later, now);
        return;
    }
    s->replicas = answer->result == JETSTREAM_ALONE ? 1 : s->replicas - 1;
    ask_to_make(s, now);
}

static void take_found(struct session *s, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_DONE)
        stream_is_found(s, answer, now);
    else if (answer->result == JETSTREAM_NO_STREAM)
        stream_is_missing(s, now);
    else
        refused(s, answer, now);
}

static void take_made(struct session *s, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_DONE || answer->result == JETSTREAM_NAME_TAKEN)
        ask_stream(s, now);
    else if (answer->result == JETSTREAM_FEWER || answer->result == JETSTREAM_ALONE)
        make_smaller(s, answer, now);
    else
        refused(s, answer, now);
}

static void take_delivering(struct session *s, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_NO_STREAM) {
        ask_stream(s, now);
    } else if (answer->result != JETSTREAM_DONE) {
        refused(s, answer, now);
    } else {
        s->reading.has_consumer = true;
        read_on(s, now);
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

static void take_answer(struct session *s, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_answer answer;

    if (subject_number(op->subject) != s->asked)
        return;
    jetstream_read_answer(&answer, op->headers, op->payload);
    if (s->phase == SESSION_FINDING && s->times.ask == 0)
        take_found(s, &answer, now);
    else if (s->phase == SESSION_MAKING)
        take_made(s, &answer, now);
    else if (s->phase == SESSION_CONSUMING)
        take_delivering(s, &answer, now);
}

/* ---- Publications ---------------------------------------------------------------------------- */

static void take_stored(struct session *s, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_answer answer;

    if (s->phase != SESSION_SERVING || !window_has(s->window, subject_number(op->subject)))
        return;
    jetstream_read_answer(&answer, op->headers, op->payload);
    if (answer.result != JETSTREAM_DONE || answer.sequence == 0) {
        doubt(s, words_of(&answer), now);
        return;
    }
    s->times.progress = now;
    if (s->doubtful)
        ready(s);
}

/* ---- Deliveries ------------------------------------------------------------------------------ */

/* A consumer's own words: flow control, or a heartbeat. */
static void take_status(
    struct session *s, const struct nats_operation *op, unsigned status, uint64_t now)
{
    struct reading *r = &s->reading;
    struct span stalled = nats_header(op->headers, "nats-consumer-stalled");
    struct span last = nats_header(op->headers, "nats-last-consumer");
    char to[NATS_SUBJECT_MAX];
    uint64_t number = 0;

    if (op->reply.len > 0)
        stalled = op->reply;
    if (stalled.len > 0 && stalled.len < sizeof(to)) {
        memcpy(to, stalled.at, stalled.len);
        to[stalled.len] = '\0';
        publish(s, to, "", (struct span){"", 0});
        return;
    }
    if (status != 100 || !json_number((struct json){JSON_NUMBER, last}, &number) ||
        number != r->deliveries) {
        deliver_again(s, now);
        return;
    }
    r->is_idle = true;
    serve_if_read(s);
}

static void take_message(struct session *s, const struct nats_operation *op,
    const struct jetstream_place *place, uint64_t now)
{
    struct frame_message message = {
        .sequence = place->stream, .time = place->time, .bytes = op->payload};
    enum window_result result;

    pair_tell_message(s->pair, &message);
    s->reading.deliveries++;
    s->reading.next = place->stream + 1;
    s->reading.is_idle = place->pending == 0;
    result = window_return(s->window, op->payload);
    if (result == WINDOW_CAME_BACK) {
        s->times.progress = now;
        if (s->phase == SESSION_SERVING && s->doubtful)
            ready(s);
    }
    if (result == WINDOW_OVERTAKEN && s->phase == SESSION_SERVING)
        doubt(s, "a batch overtook another one", now);
    serve_if_read(s);
}

static void take_delivery(struct session *s, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_place place;
    struct span words;
    unsigned status = nats_status(op->headers, &words);

    s->times.heard = now;
    if (!jetstream_read_place(&place, op->reply))
        take_status(s, op, status, now);
    else if (place.consumer != s->reading.deliveries + 1 || place.stream < s->reading.next ||
             place.stream == UINT64_MAX)
        deliver_again(s, now);
    else
        take_message(s, op, &place, now);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static void login(struct session *s, uint64_t now)
{
    char name[64];
    char line[NATS_CONNECT_MAX];

    (void)snprintf(
        name, sizeof(name), CHATD_PROGRAM " %.*s", (int)s->setup->node.len, s->setup->node.at);
    say(s, line, nats_write_connect(line, s->setup->credentials, name, CHAT_VERSION));
    say(s, NATS_PING_LINE, strlen(NATS_PING_LINE));
    phase_set(s, SESSION_LOGIN, now + CONNECT_US);
}

static void take_info(struct session *s, const struct nats_operation *op, uint64_t now)
{
    struct json info;

    if (!json_parse(&info, op->text) || info.kind != JSON_OBJECT) {
        lose_server(s, s->failure, "not a NATS server", now);
        return;
    }
    (void)json_number(json_member(info, "max_payload"), &s->max_payload);
    s->has_jetstream = json_member(info, "jetstream").kind == JSON_TRUE;
    servers_learn(&s->servers, json_member(info, "connect_urls"));
    if (s->phase != SESSION_GREETING)
        return;
    if (json_member(info, "tls_required").kind == JSON_TRUE)
        lose_server(s, ENGINE_UNUSABLE, "the server requires TLS, which is not spoken here", now);
    else
        login(s, now);
}

/* Nobody else may have the same. */
static bool inbox_set(struct session *s)
{
    unsigned char bytes[8];
    size_t at = (size_t)snprintf(s->inbox, sizeof(s->inbox), "_INBOX.");

    if (!random_bytes(bytes, sizeof(bytes)))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        at += (size_t)snprintf(s->inbox + at, sizeof(s->inbox) - at, "%02x", bytes[i]);
    return true;
}

static void take_pong(struct session *s, uint64_t now)
{
    if (s->phase != SESSION_LOGIN)
        return;
    if (!inbox_set(s)) {
        lose(s, "no random numbers", now);
        return;
    }
    subscribe_replies(s, 'a', SID_ANSWERS);
    subscribe_replies(s, 'p', SID_STORED);
    s->times.patience = now;
    ask_stream(s, now);
}

static bool words_have(struct span words, const char *part)
{
    size_t len = strlen(part);

    for (size_t i = 0; i + len <= words.len; i++)
        if (span_equal_caseless((struct span){words.at + i, len}, part))
            return true;
    return false;
}

static void take_error(struct session *s, const struct nats_operation *op, uint64_t now)
{
    char words[FRAME_TEXT_MAX];
    bool refuses = words_have(op->text, "authorization") ||
                   words_have(op->text, "authentication") || words_have(op->text, "permissions");

    (void)snprintf(words, sizeof(words), "%.*s", (int)op->text.len, op->text.at);
    lose_server(s, refuses ? ENGINE_REFUSED : s->failure, words, now);
}

static void take_by_sid(struct session *s, const struct nats_operation *op, uint64_t now)
{
    if (op->sid == SID_ANSWERS)
        take_answer(s, op, now);
    else if (op->sid == SID_STORED)
        take_stored(s, op, now);
    else if (op->sid == s->reading.subscribed &&
             (s->reading.has_consumer || s->phase == SESSION_CONSUMING))
        take_delivery(s, op, now);
}

static void take(struct session *s, const struct nats_operation *op, uint64_t now)
{
    switch (op->kind) {
    case NATS_INFO:
        take_info(s, op, now);
        break;
    case NATS_MESSAGE:
        if (s->phase >= SESSION_FINDING)
            take_by_sid(s, op, now);
        break;
    case NATS_PING:
        say(s, NATS_PONG_LINE, strlen(NATS_PONG_LINE));
        break;
    case NATS_PONG:
        take_pong(s, now);
        break;
    case NATS_ERROR:
        take_error(s, op, now);
        break;
    case NATS_BAD:
        lose_server(s, s->failure, "not a NATS server", now);
        break;
    case NATS_OK:
    case NATS_MORE:
        break;
    }
}

/* ---- The turn -------------------------------------------------------------------------------- */

bool session_init(struct session *s, const struct frame_setup *setup, struct pair *pair,
    struct window *window, uint64_t now)
{
    s->setup = setup;
    s->pair = pair;
    s->window = window;
    s->fd = -1;
    s->replicas = JETSTREAM_REPLICAS_MAX;
    s->failure = ENGINE_CONNECTING;
    s->reading.next = setup->next;
    buffer_init(&s->in, s->in_bytes, sizeof(s->in_bytes));
    buffer_init(&s->out, s->out_bytes, sizeof(s->out_bytes));
    jetstream_names_set(&s->names, setup->room);
    phase_set(s, SESSION_AWAY, now);
    return servers_set(&s->servers, setup->servers);
}

/* What was received is looked at only where the hub can be told of it. */
static bool may_read(const struct session *s)
{
    return pair_has_space(s->pair) && buffer_space(&s->out) > 65536;
}

void session_wait(const struct session *s, struct pollfd *pfd)
{
    /* Of a connection that cannot be read one would hear of nothing but its end. */
    *pfd = (struct pollfd){.fd = pair_has_space(s->pair) ? s->fd : -1};
    if (s->phase == SESSION_AWAY)
        return;
    if (s->phase == SESSION_CONNECTING || s->out.end > s->out.start)
        pfd->events |= POLLOUT;
    if (s->phase != SESSION_CONNECTING && may_read(s))
        pfd->events |= POLLIN;
}

static void operations_take(struct session *s, uint64_t now)
{
    struct span rest = buffer_bytes(&s->in);
    struct nats_operation op;
    int fd = s->fd;

    while (s->fd == fd && fd != -1 && may_read(s) && nats_next(&s->parser, &rest, &op) != NATS_MORE)
        take(s, &op, now);
    if (s->fd != fd || fd == -1)
        return;
    buffer_drop(&s->in, s->in.end - s->in.start - rest.len);
    s->waits_for_hub = rest.len > 0 && !may_read(s);
}

void session_read(struct session *s, short revents, uint64_t now)
{
    if (s->phase == SESSION_AWAY || revents == 0)
        return;
    if (s->phase == SESSION_CONNECTING) {
        connect_finish(s, now);
        return;
    }
    if (!buffer_receive(&s->in, s->fd)) {
        int error = errno;

        operations_take(s, now); /* its last words may say why */
        errno = error;
        if (s->phase != SESSION_AWAY)
            lose_to_error(s, now);
        return;
    }
    operations_take(s, now);
}

static const char *overdue_words(enum session_phase phase)
{
    if (phase == SESSION_CONNECTING)
        return "no connection in time";
    return phase == SESSION_GREETING || phase == SESSION_LOGIN ? "no greeting in time"
                                                               : "no answer in time";
}

static void phase_overdue(struct session *s, uint64_t now)
{
    if (s->phase == SESSION_AWAY)
        connect_next(s, now);
    else if (s->phase >= SESSION_FINDING && now - s->times.patience < PATIENCE_US)
        ask_stream(s, now);
    else
        lose(s, overdue_words(s->phase), now);
}

/* What the consumer and the publications make one expect has not come. */
static void silence_check(struct session *s, uint64_t now)
{
    if (s->phase != SESSION_READING && s->phase != SESSION_SERVING)
        return;
    if (!may_read(s)) {
        s->times.heard = s->times.progress = now; /* the hub is what is waited for */
    } else if (s->phase == SESSION_SERVING && s->window->sent > 0 &&
               now - s->times.progress >= PATIENCE_US) {
        s->doubtful = true;
        lose_server(s, s->failure, "nothing is stored", now);
    } else if (now - s->times.heard >= SILENCE_US) {
        s->times.patience = s->times.heard;
        deliver_again(s, now);
    }
}

void session_turn(struct session *s, uint64_t now)
{
    if (s->waits_for_hub)
        operations_take(s, now);
    if (now >= s->times.due)
        phase_overdue(s, now);
    if (s->times.ask != 0 && now >= s->times.ask)
        ask_stream(s, now);
    silence_check(s, now);
    publish_window(s, now);
    if (s->phase > SESSION_CONNECTING && !buffer_send(&s->out, s->fd))
        lose_to_error(s, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t session_due(const struct session *s)
{
    uint64_t due = s->times.due;

    if (s->waits_for_hub && may_read(s))
        return 0;
    if (s->times.ask != 0)
        due = earlier(due, s->times.ask);
    if (s->phase == SESSION_READING || s->phase == SESSION_SERVING)
        due = earlier(due, s->times.heard + SILENCE_US);
    if (s->phase == SESSION_SERVING && s->window->sent > 0)
        due = earlier(due, s->times.progress + PATIENCE_US);
    return due;
}
