/*
 * test_engine.c: the engine with real nats-servers. Whatever happens to these, every
 * batch comes back, and every message once, in the stream's order.
 */
#include "bytes.h"
#include "compat/compat.h"
#include "mock_hub.h"
#include "nats.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_SIZE 256

static const char *const no_options[] = {NULL};

/* So many nats-servers, and a hub that has no engine yet. False: no nats-server is installed. */
static bool servers_open(
    struct nats *nats, unsigned count, char list[LIST_SIZE], struct mock_hub *mock_hub)
{
    if (!nats_is_there())
        return false;
    nats_start(nats, count, no_options);
    nats_list(count, list, LIST_SIZE);
    mock_hub_init(mock_hub);
    return true;
}

static bool scene_open(struct nats *nats, char list[LIST_SIZE], struct mock_hub *mock_hub)
{
    return servers_open(nats, 1, list, mock_hub);
}

/* The server has stored nothing for so long that the engine may have left it, and published again.
 */
static bool is_disturbed(const struct mock_hub *mock_hub)
{
    return mock_hub->silence >= 4000;
}

/* ---- One server ------------------------------------------------------------------------------ */

START_TEST(one_server)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.ends, 1);
    ck_assert_uint_eq(mock_hub.end.sequence, 0);
    ck_assert_uint_eq(mock_hub.end.size, 1u << 30);
    ck_assert_uint_eq(mock_hub.batch_max, BATCH_MAX);
    mock_hub_publish(&mock_hub, 2000);
    mock_hub.batch_size = BATCH_MAX;
    mock_hub_publish(&mock_hub, 60);
    mock_hub.batch_size = 60;
    mock_hub_publish(&mock_hub, 5);
    ck_assert_uint_eq(mock_hub.holes, 0);
    ck_assert(is_disturbed(&mock_hub) || (mock_hub.doubles == 0 && mock_hub.ends == 1));
    mock_hub_free(&mock_hub);
}
END_TEST

/* Another engine goes on where the first was killed, and publishes what did not come back. */
START_TEST(killed_engines)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    for (uint64_t round = 1; round <= 10; round++) {
        mock_hub_start_engine(&mock_hub, list, "");
        mock_hub.wanted += 200;
        mock_hub_await(&mock_hub, mock_hub.wanted - 150);
        ck_assert_int_eq(mock_hub_end_engine(&mock_hub, SIGKILL), 128 + SIGKILL);
    }
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await(&mock_hub, mock_hub.wanted);
    ck_assert_uint_eq(mock_hub.holes, 0);
    /* From the beginning: the same again. */
    ck_assert_int_eq(mock_hub_end_engine(&mock_hub, 0), 0);
    uint64_t stored = mock_hub.sequence;
    mock_hub.sequence = mock_hub.returned = mock_hub.time = mock_hub.doubles = 0;
    uint64_t wanted = mock_hub.wanted;
    mock_hub.wanted = 0;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.end.sequence, stored);
    ck_assert_uint_eq(mock_hub.returned, wanted);
    ck_assert_uint_eq(mock_hub.sequence, stored);
    mock_hub_free(&mock_hub);
}
END_TEST

/* A hub that does not read makes the engine wait, and nothing is lost. */
START_TEST(slow_hub)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub.batch_size = 100000;
    mock_hub_publish(&mock_hub, 400);
    ck_assert_int_eq(mock_hub_end_engine(&mock_hub, SIGKILL), 128 + SIGKILL);
    mock_hub.sequence = mock_hub.returned = mock_hub.time = 0;
    mock_hub.wanted = 0;
    mock_hub_start_engine(&mock_hub, list, "");
    for (int64_t deadline = clock_ms() + 6000; clock_ms() < deadline;)
        poll(NULL, 0, 50); /* longer than any patience of the engine's */
    mock_hub_await(&mock_hub, 400);
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.sequence, 400);
    mock_hub.sent = mock_hub.wanted = 400;
    mock_hub_publish(&mock_hub, 10);
    mock_hub_free(&mock_hub);
}
END_TEST

START_TEST(server_restarts)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    for (unsigned round = 1; round <= 3; round++) {
        mock_hub.wanted += 500;
        mock_hub_await(&mock_hub, mock_hub.wanted - 200);
        nats_kill(&nats);
        mock_hub_await_state(&mock_hub, ENGINE_AWAY);
        nats_restart(&nats);
        mock_hub_await(&mock_hub, mock_hub.wanted);
        mock_hub_await_state(&mock_hub, ENGINE_READY);
        ck_assert_uint_gt(mock_hub.ends, 1);
    }
    ck_assert_uint_eq(mock_hub.holes, 0);
    mock_hub_free(&mock_hub);
}
END_TEST

static const char *const small_payload[] = {"max_payload: 65536", NULL};

/* A server takes less than before: that is said, once, and what waits is stored when it takes more
 * again. */
START_TEST(smaller_payload)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[256];

    if (!nats_is_there())
        return;
    nats_start(&nats, 1, no_options);
    nats_list(1, list, sizeof list);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub.batch_size = 200000;
    mock_hub_publish(&mock_hub, 5);
    nats_kill(&nats);
    mock_hub.wanted += 3;
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    nats.options = small_payload;
    nats_restart(&nats);
    mock_hub_await_state(&mock_hub, ENGINE_UNUSABLE);
    ck_assert_ptr_nonnull(strstr(mock_hub.text, "max_payload is 65536 bytes, and 200000 are"));
    ck_assert_uint_eq(mock_hub.batch_max, 65536);
    for (unsigned ends = mock_hub.ends; mock_hub.ends < ends + 4;) {
        ck_assert(mock_hub_turn(&mock_hub));
        ck_assert_int_eq(mock_hub.state, ENGINE_UNUSABLE); /* and not READY now and then */
    }
    nats_kill(&nats);
    nats.options = no_options;
    nats_restart(&nats);
    mock_hub_await(&mock_hub, mock_hub.wanted);
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.holes, 0);
    mock_hub_free(&mock_hub);
}
END_TEST

/* Batches of a server that stands still are published again when it goes on. */
START_TEST(server_stands_still)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 10);
    process_stop(nats.pid);
    mock_hub.wanted += 100;
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    kill(nats.pid, SIGCONT);
    mock_hub_await(&mock_hub, mock_hub.wanted);
    ck_assert_uint_eq(mock_hub.holes, 0);
    mock_hub_free(&mock_hub);
}
END_TEST

/* The name of the only consumer. */
static void consumer_name(char *out, size_t size)
{
    char answer[8192];
    int64_t deadline = deadline_in(5000);
    const char *at = NULL;

    while (at == NULL) {
        if (nats_ask(0, "$JS.API.CONSUMER.NAMES.CHAT_" ROOM, NULL, answer, sizeof answer))
            at = strstr(answer, "\"consumers\":[\"");
        ensure(deadline_wait(deadline), "there is no consumer");
    }
    at += strlen("\"consumers\":[\"");
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

/* A consumer that vanishes is made anew, and nothing is missing. */
START_TEST(consumer_vanishes)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];
    char name[64];
    char subject[160];
    char answer[8192];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 10);
    consumer_name(name, sizeof name);
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.CHAT_" ROOM ".%s", name);
    ck_assert(nats_ask(0, subject, NULL, answer, sizeof answer));
    mock_hub_publish(&mock_hub, 100);
    ck_assert_uint_eq(mock_hub.holes, 0);
    ck_assert(is_disturbed(&mock_hub) || mock_hub.doubles == 0);
    mock_hub_free(&mock_hub);
}
END_TEST

static void stream_delete(void)
{
    char answer[8192];

    ck_assert(nats_ask(0, "$JS.API.STREAM.DELETE.CHAT_" ROOM, NULL, answer, sizeof answer) &&
              strstr(answer, "\"success\":true") != NULL);
}

/* Waits until the state, which stays what it is, has these words. */
static void await_words(struct mock_hub *mock_hub, const char *words)
{
    enum engine_state state = mock_hub->state;
    int64_t deadline = deadline_in(10000);

    while (strstr(mock_hub->text, words) == NULL) {
        ensure(mock_hub_turn(mock_hub) && clock_ms() < deadline, "%s", mock_hub->text);
        ck_assert_int_eq(mock_hub->state, state);
    }
}

/* Gone, made anew by another, or too short: all the same for who has read more of it. */
START_TEST(stream_is_removed)
{
    struct nats nats;
    struct mock_hub mock_hub;
    struct mock_hub other;
    char list[LIST_SIZE];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_init(&other);
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 10);
    stream_delete();
    mock_hub_await_state(&mock_hub, ENGINE_GONE);
    /* One that has read nothing makes it. */
    mock_hub_start_engine(&other, list, "");
    mock_hub_publish(&other, 20);
    for (int i = 0; i < 100; i++)
        ck_assert(mock_hub_turn(&mock_hub));
    ck_assert_int_eq(mock_hub.state, ENGINE_GONE);
    await_words(&mock_hub, "differs");
    /* The same for another engine, */
    ck_assert_int_eq(mock_hub_end_engine(&mock_hub, 0), 0);
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, ENGINE_GONE);
    await_words(&mock_hub, "differs");
    /* and for one that is told to go on behind its end. */
    ck_assert_int_eq(mock_hub_end_engine(&mock_hub, 0), 0);
    mock_hub.sequence = 30;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, ENGINE_GONE);
    ck_assert_uint_eq(mock_hub.ends, 0);
    mock_hub_free(&mock_hub);
    mock_hub_free(&other);
}
END_TEST

/* A message that is missing in the stream, and others that are no batches. */
START_TEST(foreign_messages)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];
    char answer[8192];

    if (!scene_open(&nats, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 5);
    ck_assert(nats_ask(0, "chat." ROOM ".log", "hello", answer, sizeof answer));
    ck_assert(nats_ask(0, "chat." ROOM ".log", "", answer, sizeof answer));
    mock_hub_publish(&mock_hub, 5);
    ck_assert_uint_eq(mock_hub.sequence, 12);
    ck_assert(
        nats_ask(0, "$JS.API.STREAM.MSG.DELETE.CHAT_" ROOM, "{\"seq\":12}", answer, sizeof answer));
    ck_assert(
        nats_ask(0, "$JS.API.STREAM.MSG.DELETE.CHAT_" ROOM, "{\"seq\":6}", answer, sizeof answer));
    ck_assert_int_eq(mock_hub_end_engine(&mock_hub, 0), 0);
    mock_hub.sequence = mock_hub.time = mock_hub.returned = mock_hub.wanted = 0;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.end.sequence, 12);
    ck_assert_uint_eq(mock_hub.sequence, 11);
    ck_assert_uint_eq(mock_hub.holes, 1);
    ck_assert_uint_eq(mock_hub.returned, 9);
    mock_hub_free(&mock_hub);
}
END_TEST

/* ---- Streams that somebody else has made ------------------------------------------------------
 */

static const struct {
    const char *settings; /* behind the name */
    enum engine_state state;
} setting_rows[] = {
    {"\"subjects\":[\"chat.>\"],\"storage\":\"memory\"", ENGINE_READY},
    {"\"subjects\":[\"chat." ROOM ".log\"],\"retention\":\"interest\"", ENGINE_READY},
    {"\"subjects\":[\"other\"]", ENGINE_UNUSABLE},
};

static void stream_create(const char *settings)
{
    char request[512];
    char answer[8192];

    snprintf(request, sizeof request, "{\"name\":\"CHAT_" ROOM "\",%s}", settings);
    ensure(nats_ask(0, "$JS.API.STREAM.CREATE.CHAT_" ROOM, request, answer, sizeof answer) &&
               strstr(answer, "\"error\"") == NULL,
        "%s", answer);
}

START_TEST(other_settings)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!nats_is_there())
        return;
    nats_start(&nats, 1, no_options);
    nats_list(1, list, sizeof list);
    stream_create(setting_rows[_i].settings);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, setting_rows[_i].state);
    if (mock_hub.state == ENGINE_READY)
        mock_hub_publish(&mock_hub, 20);
    mock_hub_free(&mock_hub);
}
END_TEST

/* What a full stream refuses is stored when there is space again. */
START_TEST(full_stream)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];
    char answer[8192];

    if (!nats_is_there())
        return;
    nats_start(&nats, 1, no_options);
    nats_list(1, list, sizeof list);
    stream_create("\"subjects\":[\"chat." ROOM ".log\"],\"max_msgs\":20,\"discard\":\"new\"");
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 20);
    mock_hub.wanted += 15;
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    await_words(&mock_hub, "maximum messages exceeded");
    for (int i = 0; i < 100; i++) {
        ck_assert(mock_hub_turn(&mock_hub));
        ck_assert_int_eq(mock_hub.state, ENGINE_AWAY); /* and not READY now and then */
    }
    ck_assert(nats_ask(0, "$JS.API.STREAM.PURGE.CHAT_" ROOM, NULL, answer, sizeof answer));
    mock_hub_await(&mock_hub, mock_hub.wanted);
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    mock_hub_free(&mock_hub);
}
END_TEST

/* ---- Who may ----------------------------------------------------------------------------------
 */

static const char *const with_user[] = {"authorization { user: ann, password: secret }", NULL};
static const char *const with_token[] = {"authorization { token: s3cret }", NULL};
static const char *const with_bounds[] = {
    "authorization { users: [ { user: ann, password: secret, permissions: { publish: "
    "{ deny: [ \"$JS.API.>\" ] } } } ] }",
    NULL};

static const struct {
    const char *const *options;
    const char *credentials;
    enum engine_state state;
} credential_rows[] = {
    {with_user, "", ENGINE_REFUSED},
    {with_user, "ann:wrong", ENGINE_REFUSED},
    {with_user, "secret", ENGINE_REFUSED},
    {with_user, "ann:secret", ENGINE_READY},
    {with_token, "ann:s3cret", ENGINE_REFUSED},
    {with_token, "s3cret", ENGINE_READY},
    {with_bounds, "ann:secret", ENGINE_REFUSED},
    {no_options, "ann:secret", ENGINE_READY},
};

START_TEST(credentials)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!nats_is_there())
        return;
    nats_start(&nats, 1, credential_rows[_i].options);
    nats_list(1, list, sizeof list);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, credential_rows[_i].credentials);
    mock_hub_await_state(&mock_hub, credential_rows[_i].state);
    mock_hub_free(&mock_hub);
}
END_TEST

static const char *const without_jetstream[] = {NATS_NO_JETSTREAM, NULL};
static const char *const not_for_ann[] = {
    "accounts { a { users: [ { user: ann, password: secret } ] } }", NULL};

START_TEST(no_jetstream)
{
    struct nats nats;
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!nats_is_there())
        return;
    nats_start(&nats, 1, _i == 0 ? without_jetstream : not_for_ann);
    nats_list(1, list, sizeof list);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "ann:secret");
    mock_hub_await_state(&mock_hub, ENGINE_UNUSABLE);
    mock_hub_free(&mock_hub);
}
END_TEST

/* ---- Three servers --------------------------------------------------------------------------- */

/* Kills the stream's leader when the others have all that it has. False, after test_skip(), where
 * they do not get it, or elect no other: nats-server 2.9 does not always. */
static bool leader_kill(struct nats *nats, unsigned *leader)
{
    unsigned next = 0;

    if (nats_has_leader(nats, 3, ROOM, leader)) {
        nats_kill(&nats[*leader]);
        if (nats_has_leader(nats, 3, ROOM, &next))
            return true;
    }
    test_skip("the servers have elected no leader");
    return false;
}

/* The leader of the stream is killed again and again, under load; the engine knows of one server
 * at first. */
START_TEST(leaders_killed)
{
    struct nats nats[NATS_SERVERS_MAX];
    struct mock_hub mock_hub;
    char first[ADDRESS_TEXT_MAX];

    if (!nats_is_there())
        return;
    nats_start(nats, 3, no_options);
    nats_address(0, first);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, first, "");
    mock_hub_publish(&mock_hub, 200);
    for (unsigned round = 0; round < 3; round++) {
        unsigned leader;

        mock_hub.wanted += 300;
        mock_hub_await(&mock_hub, mock_hub.wanted - 200);
        if (!leader_kill(nats, &leader))
            break;
        mock_hub_await(&mock_hub, mock_hub.wanted);
        nats_restart(&nats[leader]);
        mock_hub_publish(&mock_hub, 50);
    }
    ck_assert_uint_eq(mock_hub.holes, 0);
    mock_hub_free(&mock_hub);
}
END_TEST

/* Without a majority nothing comes back; with one, everything does. */
START_TEST(majority_lost)
{
    struct nats nats[NATS_SERVERS_MAX];
    struct mock_hub mock_hub;
    char list[LIST_SIZE];

    if (!servers_open(nats, 3, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 100);
    unsigned leader = nats_leader(nats, 3, ROOM);
    process_stop(nats[leader].pid);
    process_stop(nats[(leader + 1) % 3].pid);
    mock_hub.wanted += 100;
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    kill(nats[leader].pid, SIGCONT);
    kill(nats[(leader + 1) % 3].pid, SIGCONT);
    mock_hub_await(&mock_hub, mock_hub.wanted);
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.holes, 0);
    mock_hub_free(&mock_hub);
}
END_TEST

/* All servers are ended, and started again: what was stored is there, and what waited is stored. */
START_TEST(all_restarted)
{
    struct nats nats[NATS_SERVERS_MAX];
    struct mock_hub mock_hub;
    unsigned leader;
    char list[LIST_SIZE];

    if (!servers_open(nats, 3, list, &mock_hub))
        return;
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_publish(&mock_hub, 200);
    (void)nats_leader(nats, 3, ROOM);
    for (unsigned i = 0; i < 3; i++)
        nats_end(&nats[i]);
    mock_hub.wanted += 100;
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    for (unsigned i = 0; i < 3; i++)
        nats_restart(&nats[i]);
    if (nats_has_leader(nats, 3, ROOM, &leader)) {
        mock_hub_await(&mock_hub, mock_hub.wanted);
        mock_hub_await_state(&mock_hub, ENGINE_READY);
        ck_assert_uint_eq(mock_hub.holes, 0);
    } else {
        test_skip("the servers have elected no leader");
    }
    mock_hub_free(&mock_hub);
}
END_TEST

/* Three engines that make the stream at once, each at its own server, have one stream, also when
 * its leader is another one. */
START_TEST(made_at_once)
{
    struct nats nats[NATS_SERVERS_MAX];
    struct mock_hub mock_hubs[3];
    char address[ADDRESS_TEXT_MAX];
    unsigned leader;

    if (!nats_is_there())
        return;
    nats_start(nats, 3, no_options);
    for (unsigned i = 0; i < 3; i++) {
        nats_address(i, address);
        mock_hub_init(&mock_hubs[i]);
        mock_hub_start_engine(&mock_hubs[i], address, "");
    }
    for (unsigned i = 0; i < 3; i++)
        mock_hub_await_state(&mock_hubs[i], ENGINE_READY);
    mock_hub_publish(&mock_hubs[0], 100);
    if (leader_kill(nats, &leader)) {
        mock_hub_publish(&mock_hubs[0], 100);
        for (unsigned i = 0; i < 3; i++)
            mock_hub_await(&mock_hubs[i], 200);
        for (unsigned i = 0; i < 3; i++)
            ck_assert_uint_eq(mock_hubs[i].sequence, mock_hubs[0].sequence);
    }
    for (unsigned i = 0; i < 3; i++)
        mock_hub_free(&mock_hubs[i]);
}
END_TEST

/* One of three servers does not come: two replicas have to do. */
START_TEST(two_of_three)
{
    struct nats nats[NATS_SERVERS_MAX];
    struct mock_hub mock_hub;
    char list[512];
    char answer[8192];

    if (!nats_is_there())
        return;
    for (unsigned i = 0; i < 2; i++) {
        nats[i] = (struct nats){.place = i, .count = 3, .options = no_options};
        nats_restart(&nats[i]);
    }
    nats_list(3, list, sizeof list);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "");
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    mock_hub_publish(&mock_hub, 20);
    ck_assert(nats_ask(0, "$JS.API.STREAM.INFO.CHAT_" ROOM, NULL, answer, sizeof answer));
    ck_assert_ptr_nonnull(strstr(answer, "\"num_replicas\":2"));
    mock_hub_free(&mock_hub);
}
END_TEST

/* ---- The pair -------------------------------------------------------------------------------- */

#define NEXT_BACK_TIME "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct {
    struct span bytes;
    int status;
} pair_rows[] = {
    {S(""), 0},
    {S("\0\0\0"), 0},
    {S("\xff\xff\xff\xff\1"), 1},
    {S("\0\x08\0\0\1"), 0},
    {S("\0\0\0\0\1"), 1},
    {S("\0\0\0\2\2hi"), 1},
    {S("\0\0\0\x2c\1" NEXT_BACK_TIME "\0\0\1a\0\1b\0\0\0\x09localhost"), 0},
    {S("\0\0\0\x26\1" NEXT_BACK_TIME "\0\0\1a\0\1b\0\0\0\3::x"), 1},
    {S("\0\0\0\x24\1" NEXT_BACK_TIME "\2\0\1a\0\1b\0\0\0\1h"), 1},
    {S("\0\0\0\x24\1" NEXT_BACK_TIME "\0\0\1a\0\1b\0\0\0\1h\0\0\0\2\2hi"), 1},
    {S("\0\0\0\x24\1" NEXT_BACK_TIME "\0\0\1a\0\1b\0\0\0\1h\0\0\0\0\1"), 1},
    {S("\0\0\0\x24\1" NEXT_BACK_TIME "\1\0\1a\0\1b\0\0\0\1h\0\0\0\x08\5\0\0\0\0\0\0\0\0"), 1},
    {S("\0\0\0\x24\1" NEXT_BACK_TIME "\1\0\1a\0\1b\0\0\0\1h\0\0\0\x09\5\0\0\0\0\0\0\0\0x"), 0},
};

START_TEST(pairs)
{
    struct mock_hub mock_hub = {.fd = -1};
    int sv[2];

    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    mock_hub.pid = fork();
    if (mock_hub.pid == 0)
        engine_execute(sv[1]);
    close(sv[1]);
    mock_hub.fd = sv[0];
    ck_assert(write_all(sv[0], pair_rows[_i].bytes.at, pair_rows[_i].bytes.len));
    shutdown(sv[0], SHUT_WR);
    int status;
    ensure(waitpid(mock_hub.pid, &status, 0) == mock_hub.pid, "the engine is not ours");
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), pair_rows[_i].status);
    close(sv[0]);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {pairs, COUNT_OF(pair_rows), 60},
        {one_server, 1, 300},
        {killed_engines, 1, 300},
        {slow_hub, 1, 300},
        {server_restarts, 1, 300},
        {server_stands_still, 1, 300},
        {smaller_payload, 1, 300},
        {consumer_vanishes, 1, 300},
        {stream_is_removed, 1, 300},
        {foreign_messages, 1, 300},
        {other_settings, COUNT_OF(setting_rows), 300},
        {full_stream, 1, 300},
        {credentials, COUNT_OF(credential_rows), 300},
        {no_jetstream, 2, 300},
        {leaders_killed, 1, 600},
        {majority_lost, 1, 600},
        {two_of_three, 1, 600},
        {all_restarted, 1, 600},
        {made_at_once, 1, 600},
    };

    return tests_run("engine", tests, COUNT_OF(tests));
}
