/*
 * test_cluster_jetstream.c: what JetStream is asked and what it answers, as servers of several
 * versions were recorded, and broken answers.
 */
#include "bytes.h"
#include "server/cluster/jetstream.h"
#include "server/cluster/json.h"

#include <stdlib.h>
#include <string.h>

/* ---- Requests -------------------------------------------------------------------------------- */

static struct json request_parsed(const char *bytes, size_t len)
{
    struct json json;

    ck_assert(len < JETSTREAM_REQUEST_MAX);
    ck_assert(json_parse(&json, (struct span){bytes, len}));
    return json;
}

static void member_is(struct json object, const char *name, const char *text)
{
    ck_assert_msg(span_equal(json_member(object, name).text, text), "%s", name);
}

#define ROOM_32 "abcdefghijklmnopqrstuvwxyz012345"

START_TEST(names_of_a_room)
{
    struct jetstream_names names;

    jetstream_names_set(&names, (struct span)S(ROOM_32));
    ck_assert_str_eq(names.stream, "CHAT_" ROOM_32);
    ck_assert_str_eq(names.subject, "chat." ROOM_32 ".log");
    ck_assert_str_eq(names.stream_info, "$JS.API.STREAM.INFO.CHAT_" ROOM_32);
    ck_assert_str_eq(names.stream_create, "$JS.API.STREAM.CREATE.CHAT_" ROOM_32);
    ck_assert_str_eq(names.consumer_create, "$JS.API.CONSUMER.CREATE.CHAT_" ROOM_32);
}
END_TEST

START_TEST(requests)
{
    struct jetstream_names names;
    char out[JETSTREAM_REQUEST_MAX];
    struct json json;

    jetstream_names_set(&names, (struct span)S("x"));
    json = request_parsed(out, jetstream_write_stream(out, &names, 3));
    member_is(json, "name", "\"CHAT_x\"");
    member_is(json, "subjects", "[\"chat.x.log\"]");
    member_is(json, "num_replicas", "3");
    member_is(json, "max_bytes", "1073741824");
    member_is(json, "storage", "\"file\"");
    json = request_parsed(out, jetstream_write_consumer(out, &names, "_INBOX.a.d.1", 0));
    member_is(json, "stream_name", "\"CHAT_x\"");
    json = json_member(json, "config");
    member_is(json, "deliver_subject", "\"_INBOX.a.d.1\"");
    member_is(json, "deliver_policy", "\"all\"");
    member_is(json, "idle_heartbeat", "1000000000");
    jetstream_names_set(&names, (struct span)S(ROOM_32));
    json = request_parsed(out, jetstream_write_consumer(out, &names, SIXTY, UINT64_MAX));
    json = json_member(json, "config");
    member_is(json, "deliver_policy", "\"by_start_sequence\"");
    member_is(json, "opt_start_seq", "18446744073709551615");
}
END_TEST

/* ---- Answers --------------------------------------------------------------------------------- */

#define INFO_TYPE "{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\","
#define MADE_TYPE "{\"type\":\"io.nats.jetstream.api.v1.stream_create_response\","

static const struct {
    const char *headers;
    const char *payload;
    enum jetstream_result result;
    const char *words;
} answer_rows[] = {
    {"", "{\"stream\":\"CHAT_x\", \"seq\":1}", JETSTREAM_DONE, ""},
    {"", "{\"stream\":\"CHAT_x\",\"seq\":1,\"duplicate\":true,\"domain\":\"hub\"}", JETSTREAM_DONE,
        ""},
    {"", "{\"error\":null,\"seq\":1}", JETSTREAM_DONE, ""},
    {"NATS/1.0 503\r\n\r\n", "", JETSTREAM_NOBODY, "no server answers for JetStream"},
    {"NATS/1.0 503 No Responders\r\n\r\n", "", JETSTREAM_NOBODY, "no server answers for JetStream"},
    {"",
        INFO_TYPE "\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not "
                  "found\"},\"total\":0,\"offset\":0,\"limit\":0}",
        JETSTREAM_NO_STREAM, "stream not found"},
    {"",
        MADE_TYPE "\"error\":{\"code\":500,\"err_code\":10074,\"description\":\"replicas "
                  "\\u003e 1 not supported in non-clustered mode\"}}",
        JETSTREAM_ALONE, "replicas > 1 not supported in non-clustered mode"},
    {"",
        MADE_TYPE "\"error\":{\"code\":400,\"err_code\":10005,\"description\":\"no suitable "
                  "peers for placement\"}}",
        JETSTREAM_FEWER, "no suitable peers for placement"},
    {"",
        MADE_TYPE "\"error\":{\"code\":400,\"err_code\":10058,\"description\":\"stream name "
                  "already in use with a different configuration\"}}",
        JETSTREAM_NAME_TAKEN, "stream name already in use with a different configuration"},
    {"",
        "{\"error\":{\"code\":503,\"err_code\":10008,\"description\":\"JetStream system "
        "temporarily unavailable\"}}",
        JETSTREAM_UNAVAILABLE, "JetStream system temporarily unavailable"},
    {"",
        "{\"error\":{\"code\":503,\"err_code\":10039,\"description\":\"JetStream not enabled for "
        "account\"}}",
        JETSTREAM_UNUSABLE, "JetStream not enabled for account"},
    {"", "{\"error\":{\"code\":503,\"description\":\"x\"},\"stream\":\"CHAT_x\",\"seq\":0}",
        JETSTREAM_UNAVAILABLE, "x"},
    {"", "{\"error\":{\"code\":400,\"err_code\":10093}}", JETSTREAM_UNUSABLE, ""},
    {"", "{\"error\":{\"code\":400,\"description\":\"a\\u001b[2J\\u202eb\"}}", JETSTREAM_UNUSABLE,
        "a" REPLACED "[2J" REPLACED "b"},
    {"", "", JETSTREAM_MALFORMED, ""},
    {"", "+OK", JETSTREAM_MALFORMED, ""},
    {"", "[]", JETSTREAM_MALFORMED, ""},
    {"", "{\"seq\":1", JETSTREAM_MALFORMED, ""},
    {"NATS/1.0 100 x\r\n\r\n", "", JETSTREAM_MALFORMED, ""},
};

START_TEST(answers)
{
    struct span headers = {answer_rows[_i].headers, strlen(answer_rows[_i].headers)};
    struct span payload = {answer_rows[_i].payload, strlen(answer_rows[_i].payload)};
    struct jetstream_answer answer;

    jetstream_read_answer(&answer, headers, payload);
    ck_assert_int_eq(answer.result, answer_rows[_i].result);
    ck_assert_str_eq(answer.words, answer_rows[_i].words);
    ck_assert_uint_eq(answer.sequence, answer.result == JETSTREAM_DONE);
}
END_TEST

START_TEST(answers_in_full)
{
    static const struct span none = S("");
    static const struct span info =
        S(INFO_TYPE "\"total\":0,\"config\":{\"name\":\"CHAT_x\",\"max_bytes\":77},\"created\":"
                    "\"2026-11-28T12:48:03.056309045Z\",\"state\":{\"messages\":2,\"bytes\":99,"
                    "\"first_seq\":5,\"first_ts\":\"0001-01-01T00:00:00Z\",\"last_seq\":"
                    "18446744073709551615,\"consumer_count\":1},\"cluster\":{\"name\":\"c\","
                    "\"leader\":\"a\",\"replicas\":[{\"name\":\"b\",\"current\":true}]},"
                    "\"ts\":\"2026-11-28T12:48:03Z\",\"unknown\":[{}]}");
    static const struct span consumer =
        S("{\"type\":\"io.nats.jetstream.api.v1.consumer_create_response\",\"stream_name\":"
          "\"CHAT_x\",\"name\":\"gTUfV2iA\",\"config\":{},\"num_pending\":12,\"num_waiting\":0}");
    struct jetstream_answer answer;

    jetstream_read_answer(&answer, none, info);
    ck_assert_int_eq(answer.result, JETSTREAM_DONE);
    ck_assert_uint_eq(answer.first, 5);
    ck_assert_uint_eq(answer.last, UINT64_MAX);
    ck_assert_uint_eq(answer.size, 77);
    ck_assert_str_eq(answer.created, "2026-11-28T12:48:03.056309045Z");
    jetstream_read_answer(&answer, none, consumer);
    ck_assert_int_eq(answer.result, JETSTREAM_DONE);
    ck_assert_uint_eq(answer.pending, 12);
}
END_TEST

/* ---- Places ---------------------------------------------------------------------------------- */

#define NUMBERS "1.22.3.1764334083056309045.4"

static const struct {
    const char *reply;
    bool good;
} place_rows[] = {
    {"$JS.ACK.CHAT_x.gTUfV2iA." NUMBERS, true},
    {"$JS.ACK._.ACCOUNTHASH.CHAT_x.gTUfV2iA." NUMBERS, true},
    {"$JS.ACK.hub.ACCOUNTHASH.CHAT_x.gTUfV2iA." NUMBERS ".a1B2c3", true},
    {"$JS.ACK.a.CHAT_x.gTUfV2iA." NUMBERS, false},
    {"$JS.ACK.a.b.CHAT_x.gTUfV2iA." NUMBERS ".c.d", false},
    {"$JS.ACK.CHAT_x.gTUfV2iA.1.22.3.4", false},
    {"$JS.ACK.CHAT_x.gTUfV2iA.1.22.3.-4.4", false},
    {"$JS.ACK.CHAT_x.gTUfV2iA.1.22..4.4", false},
    {"$JS.ACK.CHAT_x.gTUfV2iA.1.99999999999999999999.3.4.4", false},
    {"$JS.FC.CHAT_x.gTUfV2iA." NUMBERS, false},
    {"_INBOX.ACK.CHAT_x.gTUfV2iA." NUMBERS, false},
    {"", false},
    {"........", false},
};

START_TEST(places)
{
    struct span reply = {place_rows[_i].reply, strlen(place_rows[_i].reply)};
    struct jetstream_place place;

    ck_assert_int_eq(jetstream_read_place(&place, reply), place_rows[_i].good);
    if (!place_rows[_i].good)
        return;
    ck_assert_uint_eq(place.stream, 22);
    ck_assert_uint_eq(place.consumer, 3);
    ck_assert_uint_eq(place.time, 1764334083056309045u);
    ck_assert_uint_eq(place.pending, 4);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {names_of_a_room, 1, 60},
        {requests, 1, 60},
        {answers, COUNT_OF(answer_rows), 60},
        {answers_in_full, 1, 60},
        {places, COUNT_OF(place_rows), 60},
    };

    return tests_run("cluster_jetstream", tests, COUNT_OF(tests));
}
