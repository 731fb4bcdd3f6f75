/* jetstream.c: writes requests, and takes from answers what matters here. */
#include "jetstream.h"

#include <stdio.h>
#include <string.h>

#include "json.h"
#include "nats.h"
#include "wire/text.h"

#define STREAM_BYTES 1073741824
/* Error codes of JetStream's API. */
#define ERR_NO_PEERS 10005
#define ERR_NOT_ENABLED_FOR_ACCOUNT 10039
#define ERR_NAME_IN_USE 10058
#define ERR_STREAM_NOT_FOUND 10059
#define ERR_NO_CLUSTER 10074
#define ERR_NOT_ENABLED 10076
/* Statuses of HTTP, which NATS uses too. */
#define NO_RESPONDERS 503
#define OWN_ERRORS 500

/* ---- Names ----------------------------------------------------------------------------------- */

static void name_set(
    char out[JETSTREAM_SUBJECT_MAX], const char *before, struct span room, const char *after)
{
    (void)snprintf(out, JETSTREAM_SUBJECT_MAX, "%s%.*s%s", before, (int)room.len, room.at, after);
}

void jetstream_names_set(struct jetstream_names *names, struct span room)
{
    name_set(names->stream, "CHAT_", room, "");
    name_set(names->subject, "chat.", room, ".log");
    name_set(names->stream_info, "$JS.API.STREAM.INFO.CHAT_", room, "");
    name_set(names->stream_create, "$JS.API.STREAM.CREATE.CHAT_", room, "");
    name_set(names->consumer_create, "$JS.API.CONSUMER.CREATE.CHAT_", room, "");
}

/* ---- Requests -------------------------------------------------------------------------------- */

size_t jetstream_write_stream(
    char out[JETSTREAM_REQUEST_MAX], const struct jetstream_names *names, unsigned replicas)
{
    return (size_t)snprintf(out, JETSTREAM_REQUEST_MAX,
        "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"retention\":\"limits\",\"max_consumers\":-1,"
        "\"max_msgs\":-1,\"max_bytes\":%d,\"max_age\":0,\"max_msg_size\":-1,\"discard\":\"old\","
        "\"storage\":\"file\",\"num_replicas\":%u}",
        names->stream, names->subject, STREAM_BYTES, replicas);
}

size_t jetstream_write_consumer(char out[JETSTREAM_REQUEST_MAX],
    const struct jetstream_names *names, const char *deliver, uint64_t from)
{
    char start[96] = "\"deliver_policy\":\"all\"";

    if (from > 0)
        (void)snprintf(start, sizeof(start),
            "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%llu",
            (unsigned long long)from);
    return (size_t)snprintf(out, JETSTREAM_REQUEST_MAX,
        "{\"stream_name\":\"%s\",\"config\":{\"deliver_subject\":\"%s\",%s,"
        "\"filter_subject\":\"%s\",\"ack_policy\":\"none\",\"max_deliver\":1,"
        "\"replay_policy\":\"instant\",\"flow_control\":true,\"idle_heartbeat\":%llu,"
        "\"mem_storage\":true,\"num_replicas\":1}}",
        names->stream, deliver, start, names->subject, JETSTREAM_HEARTBEAT_US * 1000ULL);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static uint64_t member_number(struct json object, const char *name)
{
    uint64_t value = 0;

    (void)json_number(json_member(object, name), &value);
    return value;
}

/* An error that is worth another attempt is one of the servers', not of the request. */
static enum jetstream_result error_result(uint64_t code, uint64_t err_code)
{
    switch (err_code) {
    case ERR_STREAM_NOT_FOUND:
        return JETSTREAM_NO_STREAM;
    case ERR_NAME_IN_USE:
        return JETSTREAM_NAME_TAKEN;
    case ERR_NO_CLUSTER:
        return JETSTREAM_ALONE;
    case ERR_NO_PEERS:
        return JETSTREAM_FEWER;
    case ERR_NOT_ENABLED:
    case ERR_NOT_ENABLED_FOR_ACCOUNT:
        return JETSTREAM_UNUSABLE;
    default:
        return code >= OWN_ERRORS ? JETSTREAM_UNAVAILABLE : JETSTREAM_UNUSABLE;
    }
}

/* Words of the server, fit for a log. */
static void words_set(struct jetstream_answer *answer, struct json words)
{
    char raw[JETSTREAM_WORDS_MAX / 3];
    size_t len = json_string(words, raw, sizeof(raw));

    len = text_clean(answer->words, raw, len);
    answer->words[len] = '\0';
}

static void read_error(struct jetstream_answer *answer, struct json error)
{
    answer->result = error_result(member_number(error, "code"), member_number(error, "err_code"));
    words_set(answer, json_member(error, "description"));
}

static void read_json(struct jetstream_answer *answer, struct json json)
{
    struct json error = json_member(json, "error");
    struct json state = json_member(json, "state");

    answer->result = JETSTREAM_DONE;
    if (error.kind == JSON_OBJECT) {
        read_error(answer, error);
        return;
    }
    answer->sequence = member_number(json, "seq");
    answer->first = member_number(state, "first_seq");
    answer->last = member_number(state, "last_seq");
    answer->size = member_number(json_member(json, "config"), "max_bytes"); /* or -1 */
    answer->pending = member_number(json, "num_pending");
    (void)json_string(json_member(json, "created"), answer->created, sizeof(answer->created));
    (void)json_string(json_member(json_member(json, "cluster"), "leader"), answer->leader,
        sizeof(answer->leader));
}

void jetstream_read_answer(
    struct jetstream_answer *answer, struct span headers, struct span payload)
{
    struct span words;
    struct json json;

    memset(answer, 0, sizeof(*answer));
    if (nats_status(headers, &words) == NO_RESPONDERS) {
        answer->result = JETSTREAM_NOBODY;
        strcpy(answer->words, "no server answers for JetStream");
        return;
    }
    answer->result = JETSTREAM_MALFORMED;
    if (json_parse(&json, payload) && json.kind == JSON_OBJECT)
        read_json(answer, json);
}

/* ---- Places ---------------------------------------------------------------------------------- */

#define TOKENS_MAX 12

/* Cuts a subject at its dots. How many tokens it has; TOKENS_MAX + 1: too many. */
static unsigned tokens_find(struct span subject, struct span tokens[TOKENS_MAX])
{
    unsigned count = 0;

    for (;;) {
        const char *dot = subject.len > 0 ? memchr(subject.at, '.', subject.len) : NULL;
        size_t len = dot != NULL ? (size_t)(dot - subject.at) : subject.len;

        if (count == TOKENS_MAX)
            return count + 1;
        tokens[count++] = (struct span){subject.at, len};
        if (dot == NULL)
            return count;
        subject.at += len + 1;
        subject.len -= len + 1;
    }
}

/* A token is a number as JSON has it: digits, in 64 bits on every machine. */
static bool token_number(struct span token, uint64_t *value)
{
    return json_number((struct json){JSON_NUMBER, token}, value) && token.len > 0;
}

/*
 * $JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.DELIVERY.TIME.PENDING; newer servers have domain and
 * account before STREAM, and may have a random token at the end.
 */
bool jetstream_read_place(struct jetstream_place *place, struct span reply)
{
    struct span tokens[TOKENS_MAX];
    unsigned count = tokens_find(reply, tokens);
    unsigned at = count == 9 ? 5 : 7;

    return (count == 9 || count == 11 || count == 12) && span_equal(tokens[0], "$JS") &&
           span_equal(tokens[1], "ACK") && token_number(tokens[at], &place->stream) &&
           token_number(tokens[at + 1], &place->consumer) &&
           token_number(tokens[at + 2], &place->time) &&
           token_number(tokens[at + 3], &place->pending);
}
