/* feed.c: the steps from the first request to the last message, and publication. */
#include "feed.h"

#include <stdio.h>
#include <string.h>

#include "compat/compat.h"
#include "direct.h"
#include "json.h"
#include "pair.h"
#include "upstream.h"
#include "window.h"

/* A request can be lost while the servers elect a leader: it is made again. The first is quickly
 * answered, the others change something in all servers. */
#define FOUND_US 1000000u
#define MADE_US 2000000u
/* The servers choose the one that has the consumer. It can be one that has died, and then there is
 * no answer, so another request is made soon. Three in a row wait for this, twice and four times as
 * long, for servers can be slow; then it begins anew, for there was perhaps no leader. */
#define CONSUMED_US UINT64_C(500000)
/* Delay before a request is repeated that the server could not fulfil. */
#define ASK_US 500000u
/* A consumer that has missed three heartbeats is made anew. */
#define SILENCE_US (3 * JETSTREAM_HEARTBEAT_US)
/* How long a stream waits for as many servers as were given, before it is made with fewer. */
#define TOO_FEW_US 10000000u
#define NEVER UINT64_MAX

/* ---- Requests -------------------------------------------------------------------------------- */

static uint64_t answer_limit(const struct upstream *u, enum upstream_phase phase)
{
    if (phase == UPSTREAM_CONSUMING)
        return CONSUMED_US << (u->reading.unanswered % 3);
    return phase == UPSTREAM_FINDING ? FOUND_US : MADE_US;
}

static void jetstream_ask(struct upstream *u, enum upstream_phase phase, const char *subject,
    struct span request, uint64_t now)
{
    char reply[NATS_SUBJECT_MAX];

    upstream_inbox(u, reply, 'a', ++u->asked);
    upstream_publish(u, subject, reply, request);
    u->times.ask = 0;
    upstream_enter(u, phase, now + answer_limit(u, phase));
}

void feed_ask(struct upstream *u, uint64_t now)
{
    jetstream_ask(u, UPSTREAM_FINDING, u->names.stream_info, (struct span){"", 0}, now);
}

/* Schedules another search for the stream. */
static void ask_later(struct upstream *u, uint64_t now)
{
    u->asked++; /* an answer to the last request is ignored */
    u->times.ask = now + ASK_US;
    upstream_enter(u, UPSTREAM_FINDING, NEVER);
}

static void ask_to_make(struct upstream *u, uint64_t now)
{
    char request[JETSTREAM_REQUEST_MAX];
    size_t len = jetstream_write_stream(request, &u->names, u->replicas);

    jetstream_ask(u, UPSTREAM_MAKING, u->names.stream_create, (struct span){request, len}, now);
}

/* Each consumer has a subject and a subscription of its own, so that a late delivery of the one
 * before is not taken for one of this. */
static void ask_to_deliver(struct upstream *u, uint64_t now)
{
    struct reading *r = &u->reading;
    char request[JETSTREAM_REQUEST_MAX];
    char subject[NATS_SUBJECT_MAX];
    size_t len;

    if (r->subscribed > 0)
        upstream_say(u, request, nats_write_unsub(request, r->subscribed));
    r->subscribed = SID_CONSUMERS + ++r->consumer;
    r->deliveries = 0;
    r->is_idle = false;
    upstream_inbox(u, subject, 'd', r->consumer);
    upstream_subscribe(u, subject, r->subscribed);
    len = jetstream_write_consumer(request, &u->names, subject, r->proof != 0 ? r->proof : r->next);
    jetstream_ask(
        u, UPSTREAM_CONSUMING, u->names.consumer_create, (struct span){request, len}, now);
    r->unanswered++;
}

/* A message is missing in the deliveries: another consumer begins with it. */
static void deliver_again(struct upstream *u, uint64_t now)
{
    u->reading.has_consumer = false;
    feed_ask(u, now);
}

/* ---- Reading and serving --------------------------------------------------------------------- */

static void ready_tell(struct upstream *u)
{
    const char *leader = u->reading.leader;
    char name[SERVER_NAME_MAX];

    servers_name(&u->servers, name);
    u->doubtful = false;
    u->failure = ENGINE_AWAY;
    upstream_tell(
        u, ENGINE_READY, "%s%s%s", name, leader[0] != '\0' ? "; the leader is " : "", leader);
}

/* All that there is was told: the stream ends there; 0: it does not exist. It is looked at again
 * and again. */
static void watch_tell(struct upstream *u, uint64_t end, uint64_t now)
{
    pair_tell_end(u->pair, &(struct frame_end){end, u->reading.size});
    u->failure = ENGINE_AWAY;
    u->times.ask = now + ASK_US;
}

static void serve_if_read(struct upstream *u, uint64_t now)
{
    struct reading *r = &u->reading;

    if (u->phase != UPSTREAM_READING || !reading_is_done(r, now))
        return;
    reading_behind_end(r);
    upstream_enter(u, UPSTREAM_SERVING, NEVER);
    if (u->setup->watches) {
        watch_tell(u, r->next > r->end + 1 ? r->next - 1 : r->end, now);
        return;
    }
    if (!r->is_told)
        pair_tell_end(u->pair, &(struct frame_end){r->end, r->size});
    r->is_told = true;
    if (!u->doubtful && window_largest(u->window) <= u->max_payload)
        ready_tell(u);
}

/* new_consumer: it has been heard of. */
static void read_on(struct upstream *u, bool new_consumer, uint64_t now)
{
    u->times.patience = u->times.progress = now;
    if (new_consumer || !u->setup->watches)
        u->times.heard = now;
    upstream_enter(u, UPSTREAM_READING, NEVER);
    serve_if_read(u, now);
}

/* A publication was refused or overtaken: what is in the window is published again, behind what is
 * in the stream by then. */
static void server_doubt(struct upstream *u, const char *why, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    servers_name(&u->servers, name);
    upstream_tell(u, ENGINE_AWAY, "%s: %s", name, why);
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
    upstream_inbox(u, reply, 'p', window_publish(u->window));
    upstream_publish(u, u->names.subject, reply, (struct span){flight->bytes, flight->len});
}

/* It was made for a server that took larger ones. It has its number and may even be stored, so it
 * cannot be divided: another server, or the same with another limit, is waited for. */
static void flight_is_too_large(struct upstream *u, const struct flight *flight, uint64_t now)
{
    char words[FRAME_TEXT_MAX];

    (void)snprintf(words, sizeof(words),
        "the server's max_payload is %llu bytes, and %zu are to be stored at once",
        (unsigned long long)u->max_payload, flight->len);
    upstream_lose_server(u, ENGINE_UNUSABLE, words, now);
}

static void publish_window(struct upstream *u, uint64_t now)
{
    const struct flight *flight;

    while (u->phase == UPSTREAM_SERVING && (flight = window_next(u->window)) != NULL) {
        if (flight->len > u->max_payload) {
            flight_is_too_large(u, flight, now);
            return;
        }
        if (!upstream_may_publish(u, flight->len))
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
static void refusal_take(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    char name[SERVER_NAME_MAX];

    if (answer->result == JETSTREAM_UNUSABLE ||
        (answer->result == JETSTREAM_NOBODY && !u->has_jetstream)) {
        upstream_lose_server(u, ENGINE_UNUSABLE, words_of(answer), now);
        return;
    }
    if (answer->result == JETSTREAM_MALFORMED || now - u->times.patience >= UPSTREAM_PATIENCE_US) {
        upstream_lose_server(u, u->failure, words_of(answer), now);
        return;
    }
    servers_name(&u->servers, name);
    upstream_tell(u, u->failure, "%s: %s", name, words_of(answer));
    ask_later(u, now);
}

/* The search goes on, because another node may make the stream again. */
static void stream_is_gone(struct upstream *u, const char *why, uint64_t now)
{
    upstream_tell(u, ENGINE_GONE, "%s", why);
    u->times.patience = now;
    u->reading.has_consumer = false;
    ask_later(u, now);
}

/* Another stream is read, from near its end. */
static void watch_begin(struct upstream *u)
{
    u->reading.next = u->reading.time = 0;
    u->reading.has_consumer = false;
}

static const char missing[] = "the stream does not exist any more";

static void stream_is_missing(struct upstream *u, uint64_t now)
{
    bool makes = u->setup->watches ? u->renewal.len > 0 : u->reading.next <= 1;

    if (u->setup->watches) {
        watch_begin(u);
        upstream_tell(u, ENGINE_GONE, "%s", missing);
        watch_tell(u, 0, now);
    }
    if (makes)
        ask_to_make(u, now);
    else
        stream_is_gone(u, missing, now);
}

/* The first message that the hub wants, where it wants none in particular. */
static uint64_t first_wanted(const struct upstream *u, uint64_t last)
{
    uint64_t back = u->setup->back;

    return back != 0 && last >= back ? last - back + 1 : 1;
}

static void watch_found(struct upstream *u, const struct jetstream_answer *stream)
{
    if (reading_is_made_anew(&u->reading, stream) || u->reading.next > stream->last + 1)
        watch_begin(u);
    upstream_tell(u, ENGINE_GONE, "the stream %s what was read of it",
        u->setup->next > stream->last + 1 ? "ends before" : "differs from");
}

static void stream_is_found(struct upstream *u, const struct jetstream_answer *stream, uint64_t now)
{
    struct reading *r = &u->reading;
    const char *difference;

    if (u->setup->watches)
        watch_found(u, stream);
    difference = reading_difference(r, stream);
    if (difference != NULL) {
        stream_is_gone(u, difference, now);
        return;
    }
    if (r->next > 1 && reading_is_made_anew(r, stream))
        r->has_consumer = false; /* the next one shows whether it has the same messages */
    memcpy(r->created, stream->created, sizeof(r->created));
    memcpy(r->leader, stream->leader, sizeof(r->leader));
    if (r->next == 0)
        r->next = first_wanted(u, stream->last);
    if (r->next < stream->first)
        r->next = stream->first;
    r->end = stream->last;
    r->size = stream->size;
    r->is_idle = false;
    if (r->has_consumer) {
        read_on(u, false, now);
        return;
    }
    r->proof = !u->setup->watches && reading_has_proof(r, stream) ? r->next - 1 : 0;
    ask_to_deliver(u, now);
}

/* Tries with fewer replicas, unless servers of -c may still become available. */
static void make_smaller(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    bool waits = u->servers.given >= u->replicas && answer->result == JETSTREAM_FEWER;

    if (u->times.too_few == 0)
        u->times.too_few = now;
    if (u->replicas == 1 || (waits && now - u->times.too_few < TOO_FEW_US)) {
        struct jetstream_answer later = *answer;

        later.result = JETSTREAM_UNAVAILABLE;
        refusal_take(u, &later, now);
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
        refusal_take(u, answer, now);
}

static void take_made(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    if (answer->result == JETSTREAM_DONE || answer->result == JETSTREAM_NAME_TAKEN)
        feed_ask(u, now);
    else if (answer->result == JETSTREAM_FEWER || answer->result == JETSTREAM_ALONE)
        make_smaller(u, answer, now);
    else
        refusal_take(u, answer, now);
}

static void take_delivering(struct upstream *u, const struct jetstream_answer *answer, uint64_t now)
{
    u->reading.unanswered = 0;
    if (answer->result == JETSTREAM_NO_STREAM) {
        feed_ask(u, now);
    } else if (answer->result != JETSTREAM_DONE) {
        refusal_take(u, answer, now);
    } else {
        u->reading.has_consumer = true;
        read_on(u, true, now);
    }
}

static void take_answer(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_answer answer;

    if (upstream_inbox_number(op->subject) != u->asked)
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

    if (!window_has(u->window, upstream_inbox_number(op->subject)))
        return;
    jetstream_read_answer(&answer, op->headers, op->payload);
    if (answer.result == JETSTREAM_DONE && answer.sequence != 0) {
        u->times.progress = now;
        if (u->phase == UPSTREAM_SERVING && u->doubtful)
            ready_tell(u);
    } else if (u->phase == UPSTREAM_SERVING) {
        server_doubt(u, words_of(&answer), now);
    } else {
        window_rewind(u->window); /* the stream is being read to its end already */
    }
}

/* ---- A stream that is gone ------------------------------------------------------------------- */

bool feed_renew(struct upstream *u, struct span payload)
{
    struct frame_renew renew;

    if (!frame_renew_read(&renew, payload))
        return false;
    u->renewal = (struct renewal_out){.last = renew.last, .len = renew.bytes.len};
    memcpy(u->renewal.bytes, renew.bytes.at, renew.bytes.len);
    return true;
}

/* Once: what is stored comes back as a message, and the hub asks again if it does not. The servers
 * store it only behind the last message that the hub has seen, so one node alone succeeds. */
static void publish_renewal(struct upstream *u)
{
    struct renewal_out *out = &u->renewal;
    const struct nats_header last = {"Nats-Expected-Last-Sequence", out->last};

    if (u->phase != UPSTREAM_SERVING || out->len == 0 || !upstream_may_publish(u, out->len))
        return;
    upstream_publish_with(u, u->names.subject, "", &last, (struct span){out->bytes, out->len});
    out->len = 0;
}

/* ---- Deliveries ------------------------------------------------------------------------------ */

/* A status message of the consumer: flow control, or a heartbeat. */
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
        upstream_publish(u, to, "", (struct span){"", 0});
        return;
    }
    if (status != 100 || !json_number((struct json){JSON_NUMBER, last}, &number) ||
        number != r->deliveries) {
        deliver_again(u, now);
        return;
    }
    r->is_idle = true;
    serve_if_read(u, now);
    if (u->phase == UPSTREAM_READING && reading_behind_time(r, now) >= UPSTREAM_PATIENCE_US &&
        now - u->times.patience >= UPSTREAM_PATIENCE_US)
        upstream_lose_server(
            u, u->failure, "the server has less of the stream than its leader", now);
}

static void delivery_take(struct upstream *u, const struct nats_operation *op,
    const struct jetstream_place *place, uint64_t now)
{
    struct frame_message message = {
        .sequence = place->stream, .time = place->time, .bytes = op->payload};
    enum window_result result;

    pair_tell_message(u->pair, &message);
    u->reading.deliveries++;
    u->reading.next = place->stream + 1;
    u->reading.time = place->time;
    u->reading.is_idle = place->pending == 0;
    reading_behind_end(&u->reading);
    result = window_return(u->window, op->payload);
    if (result == WINDOW_CAME_BACK) {
        u->times.progress = now;
        if (u->phase == UPSTREAM_SERVING && u->doubtful)
            ready_tell(u);
    }
    if (result == WINDOW_OVERTAKEN && u->phase == UPSTREAM_SERVING)
        server_doubt(u, "a batch overtook another one", now);
    serve_if_read(u, now);
}

/* The first delivery of a consumer that begins with what was read last. */
static void proof_take(struct upstream *u, const struct nats_operation *op,
    const struct jetstream_place *place, uint64_t now)
{
    struct reading *r = &u->reading;
    bool is_there = place->stream == r->proof;

    r->proof = 0;
    if (!is_there) { /* it was removed meanwhile */
        delivery_take(u, op, place, now);
    } else if (place->time != r->time) {
        stream_is_gone(u, "the stream differs from what was read of it", now);
    } else {
        r->deliveries++;
        r->is_idle = place->pending == 0;
        serve_if_read(u, now);
    }
}

static void take_delivery(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct jetstream_place place;
    struct span words;
    unsigned status = nats_status(op->headers, &words);

    u->times.heard = now;
    if (!jetstream_read_place(&place, op->reply))
        take_status(u, op, status, now);
    else if (place.consumer != u->reading.deliveries + 1 || place.stream == UINT64_MAX)
        deliver_again(u, now);
    else if (u->reading.proof != 0 && place.stream >= u->reading.proof)
        proof_take(u, op, &place, now);
    else if (place.stream < u->reading.next)
        deliver_again(u, now);
    else
        delivery_take(u, op, &place, now);
}

/* ---- For the client -------------------------------------------------------------------------- */

/* The inbox of each connection must be unique. */
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

void feed_open(struct upstream *u, uint64_t now)
{
    if (!inbox_set(u)) {
        upstream_lose(u, "no random numbers", now);
        return;
    }
    upstream_subscribe_inbox(u, 'a', SID_ANSWERS);
    upstream_subscribe_inbox(u, 'p', SID_STORED);
    direct_open(u);
    u->times.patience = now;
    feed_ask(u, now);
}

void feed_take(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    if (op->sid == SID_ANSWERS)
        take_answer(u, op, now);
    else if (op->sid == SID_STORED)
        take_stored(u, op, now);
    else if (op->sid == u->reading.subscribed &&
             (u->reading.has_consumer || u->phase == UPSTREAM_CONSUMING))
        take_delivery(u, op, now);
}

/* No heartbeat of the consumer, or no acknowledgement of a publication, has come in time. A server
 * that takes nothing is silent, too, though it is not read from then. */
static void silence_check(struct upstream *u, uint64_t now)
{
    if (u->phase != UPSTREAM_READING && u->phase != UPSTREAM_SERVING)
        return;
    if (!pair_has_space(u->pair)) {
        u->times.heard = u->times.progress = now; /* not read: the hub has no space */
    } else if (u->phase == UPSTREAM_SERVING && u->window->sent > 0 &&
               now - u->times.progress >= UPSTREAM_PATIENCE_US) {
        u->doubtful = true;
        upstream_lose_server(u, u->failure, "nothing is stored", now);
    } else if (now - u->times.heard >= SILENCE_US) {
        u->times.patience = u->times.heard;
        deliver_again(u, now);
    }
}

void feed_turn(struct upstream *u, uint64_t now)
{
    if (u->times.ask != 0 && now >= u->times.ask)
        feed_ask(u, now);
    silence_check(u, now);
    publish_window(u, now);
    publish_renewal(u);
}

static uint64_t time_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t feed_due(const struct upstream *u)
{
    uint64_t due = UINT64_MAX;

    if (u->times.ask != 0)
        due = u->times.ask;
    if (u->phase == UPSTREAM_READING || u->phase == UPSTREAM_SERVING)
        due = time_earlier(due, u->times.heard + SILENCE_US);
    if (u->phase == UPSTREAM_SERVING && u->window->sent > 0)
        due = time_earlier(due, u->times.progress + UPSTREAM_PATIENCE_US);
    return due;
}
