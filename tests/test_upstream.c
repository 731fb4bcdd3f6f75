/*
 * test_upstream.c: the engine with a NATS server that is played by the test: what newer
 * servers say, what goes wrong between real ones only now and then, and what none would say.
 */
#include "bytes.h"
#include "compat/compat.h"
#include "mock_hub.h"
#include "server/cluster/nats_client.h"
#include "server/cluster/pair.h"
#include "server/cluster/upstream.h"
#include "server/cluster/window.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_INFO "$JS.API.STREAM.INFO.CHAT_" ROOM
#define CONSUMER_CREATE "$JS.API.CONSUMER.CREATE.CHAT_" ROOM
#define SUBJECT "chat." ROOM ".log"
#define QUESTIONS "chat-priv." ROOM ".n-1"

/* ---- The server ------------------------------------------------------------------------------ */

struct fake {
    int listener;
    int fd;
    size_t len;
    char in[1 << 20];  /* what the engine has said and was not looked at */
    char subject[256]; /* of the last publication */
    char reply[256];   /* where its answer goes; may be "" */
    char payload[BATCH_MAX];
    size_t payload_len;
    char sid[32];      /* of the last subscription */
    char deliver[256]; /* its subject */
};

static struct fake fake;

static void fake_open(char list[ADDRESS_TEXT_MAX])
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;

    signal(SIGPIPE, SIG_IGN);
    memset(&fake, 0, sizeof fake);
    fake.fd = -1;
    in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    fake.listener = socket(AF_INET, SOCK_STREAM, 0);
    ensure(bind(fake.listener, (struct sockaddr *)&in, len) == 0 && listen(fake.listener, 5) == 0 &&
               getsockname(fake.listener, (struct sockaddr *)&in, &len) == 0,
        "a socket: %s", strerror(errno));
    snprintf(list, ADDRESS_TEXT_MAX, "localhost:%u", ntohs(in.sin_port));
}

static void fake_hang_up(void)
{
    if (fake.fd != -1)
        close(fake.fd);
    fake.fd = -1;
    fake.len = 0;
}

/* Waits for the engine's next connection. */
static void fake_accept(struct mock_hub *mock_hub)
{
    int64_t deadline = deadline_in(10000);
    struct pollfd pfd = {.fd = fake.listener, .events = POLLIN};

    fake_hang_up();
    while (poll(&pfd, 1, 10) != 1)
        ensure(mock_hub_turn(mock_hub) && clock_ms() < deadline, "the engine does not come again");
    fake.fd = accept(fake.listener, NULL, NULL);
    ck_assert_int_ne(fake.fd, -1);
}

static void fake_say(const char *bytes, size_t len)
{
    ck_assert(write_all(fake.fd, bytes, len));
}

__attribute__((format(printf, 1, 2))) static void fake_tell(const char *format, ...)
{
    char text[4096];
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    fake_say(text, (size_t)len);
}

static void fake_drop(size_t len)
{
    fake.len -= len;
    memmove(fake.in, fake.in + len, fake.len);
}

/* Takes a line, and what follows it, off what the engine has said. False: it is not complete. */
static bool said_line_take(char *out, size_t size)
{
    char *end = memchr(fake.in, '\n', fake.len);
    size_t len = end != NULL ? (size_t)(end - fake.in) + 1 : 0;
    int words;

    if (end == NULL)
        return false;
    snprintf(out, size, "%.*s", (int)len - 2, fake.in);
    if (strncmp(out, "PUB ", 4) == 0) {
        words = sscanf(out, "PUB %255s %255s %zu", fake.subject, fake.reply, &fake.payload_len);
        if (words == 2) {
            fake.payload_len = strtoul(fake.reply, NULL, 10);
            fake.reply[0] = '\0';
        }
        if (fake.len < len + fake.payload_len + 2)
            return false;
        memcpy(fake.payload, fake.in + len, fake.payload_len);
        len += fake.payload_len + 2;
    }
    (void)sscanf(out, "SUB %255s %31s", fake.deliver, fake.sid);
    fake_drop(len);
    return true;
}

/* Looks at both ends of the engine once. */
static bool fake_read(struct mock_hub *mock_hub)
{
    struct pollfd pfd = {.fd = fake.fd, .events = POLLIN};
    ssize_t n;

    if (poll(&pfd, 1, 5) != 1)
        return mock_hub_turn(mock_hub);
    n = recv(fake.fd, fake.in + fake.len, sizeof fake.in - fake.len, 0);
    fake.len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The engine's next line must begin so. */
static void fake_expect(struct mock_hub *mock_hub, const char *begin)
{
    int64_t deadline = deadline_in(10000);
    char line[8192];

    while (!said_line_take(line, sizeof line)) {
        ensure(fake_read(mock_hub) && clock_ms() < deadline, "no `%s`", begin);
    }
    ensure(strncmp(line, begin, strlen(begin)) == 0, "`%s` instead of `%s`", line, begin);
}

static void fake_answer(const char *payload)
{
    fake_tell("MSG %s 1 %zu\r\n%s\r\n", fake.reply, strlen(payload), payload);
}

/* ---- A conversation -------------------------------------------------------------------------- */

/* As nats-server 2.12 says it, shortened where it is only longer. */
#define INFO_2_12                                                                                  \
    "INFO {\"server_id\":\"NB3\",\"server_name\":\"n\",\"version\":\"2.12.1\",\"proto\":1,"        \
    "\"git_commit\":\"fab5f99\",\"go\":\"go1.25.1\",\"host\":\"0.0.0.0\",\"port\":4222,"           \
    "\"headers\":true,\"max_payload\":1048576,\"jetstream\":true,\"jetstream_config\":{},"         \
    "\"api_lvl\":2,\"client_id\":5,\"client_ip\":\"127.0.0.1\",\"xkey\":\"XAB\",\"feature_flags\"" \
    ":{\"a\":[true]}} \r\n"

#define STREAM_2_12                                                                                \
    "{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"total\":0,\"offset\":0,"        \
    "\"limit\":0,\"config\":{\"name\":\"CHAT_" ROOM "\",\"subjects\":[\"" SUBJECT "\"],"           \
    "\"retention\":\"limits\",\"max_bytes\":1073741824,\"compression\":\"none\",\"allow_direct\":" \
    "false,\"metadata\":{\"_nats.req.level\":\"0\",\"_nats.ver\":\"2.12.1\"},\"allow_msg_ttl\":"   \
    "false,\"consumer_limits\":{}},\"created\":\"2026-11-28T12:48:03.056309045Z\",\"state\":{"     \
    "\"messages\":%u,\"bytes\":9,\"first_seq\":%u,\"first_ts\":\"2026-11-28T12:48:03Z\","          \
    "\"last_seq\":%u,\"last_ts\":\"2026-11-28T12:48:03Z\",\"num_subjects\":1,\"consumer_count\":"  \
    "0},\"ts\":\"2026-11-28T12:48:04Z\"}"

#define CONSUMER_2_12                                                                              \
    "{\"type\":\"io.nats.jetstream.api.v1.consumer_create_response\",\"stream_name\":\"CHAT_" ROOM \
    "\",\"name\":\"gTUfV2iA\",\"created\":\"2026-11-28T12:48:04Z\",\"config\":{\"metadata\":{}},"  \
    "\"delivered\":{\"consumer_seq\":0,\"stream_seq\":0},\"num_pending\":0,\"ts\":"                \
    "\"2026-11-28T12:48:04Z\"}"

/* Greets, up to where the engine wants the stream. */
static void fake_greet(struct mock_hub *mock_hub)
{
    fake_accept(mock_hub);
    fake_tell("%s", INFO_2_12);
    fake_expect(mock_hub, "CONNECT {");
    fake_expect(mock_hub, "PING");
    fake_tell("PONG\r\n");
    fake_expect(mock_hub, "SUB _INBOX.");
    fake_expect(mock_hub, "SUB _INBOX.");
    fake_expect(mock_hub, "SUB " QUESTIONS " 3");
    fake_expect(mock_hub, "SUB _INBOX.");
    fake_expect(mock_hub, "PUB " STREAM_INFO " _INBOX.");
}

static void fake_has_stream(unsigned first, unsigned last)
{
    char answer[2048];

    snprintf(answer, sizeof answer, STREAM_2_12, last + 1 - first, first, last);
    fake_answer(answer);
}

/* The engine asks for a consumer that begins there. */
static void fake_consumes(struct mock_hub *mock_hub, unsigned from)
{
    char start[64];
    char line[64];

    snprintf(start, sizeof start, "\"opt_start_seq\":%u,", from);
    snprintf(line, sizeof line, "SUB _INBOX.");
    fake_expect(mock_hub, line);
    fake_expect(mock_hub, "PUB " CONSUMER_CREATE " _INBOX.");
    fake.payload[fake.payload_len] = '\0';
    ensure(strstr(fake.payload, start) != NULL, "%s", fake.payload);
    fake_answer(CONSUMER_2_12);
}

/* A message that is number `consumer` of the consumer and `stream` of the stream. */
static void fake_deliver(unsigned stream, unsigned consumer, unsigned pending, struct span bytes)
{
    fake_tell("MSG %s %s $JS.ACK._.ACCOUNT.CHAT_" ROOM ".gTUfV2iA.1.%u.%u.17643340830563%05u.%u.x7 "
              "%zu\r\n",
        fake.deliver, fake.sid, stream, consumer, stream, pending, bytes.len);
    fake_say(bytes.at, bytes.len);
    fake_tell("\r\n");
}

/* The consumer begins with the message that was read last, which is still there. */
static void fake_goes_on(struct mock_hub *mock_hub, unsigned last, unsigned pending)
{
    fake_consumes(mock_hub, last);
    fake_deliver(last, 1, pending, (struct span)S("hi"));
}

static void fake_status(const char *headers, const char *reply)
{
    fake_tell("HMSG %s %s %s %zu %zu\r\n%s\r\n", fake.deliver, fake.sid, reply, strlen(headers),
        strlen(headers), headers);
}

/* A server with these messages that are no batches, all of them delivered. */
static void play_start(struct mock_hub *mock_hub, unsigned last)
{
    char list[ADDRESS_TEXT_MAX];

    fake_open(list);
    mock_hub_init(mock_hub);
    mock_hub_start_engine(mock_hub, list, "");
    fake_greet(mock_hub);
    fake_has_stream(1, last);
    fake_consumes(mock_hub, 1);
    for (unsigned i = 1; i <= last; i++)
        fake_deliver(i, i, last - i, (struct span)S("hi"));
    mock_hub_await_state(mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub->sequence, last);
    ck_assert_uint_eq(mock_hub->end.sequence, last);
}

static void play_end(struct mock_hub *mock_hub)
{
    mock_hub_free(mock_hub);
    fake_hang_up();
    close(fake.listener);
}

/* The engine publishes the batch of that number. */
static void fake_gets_batch(struct mock_hub *mock_hub, uint64_t number)
{
    struct batch_id id;

    fake_expect(mock_hub, "PUB " SUBJECT " _INBOX.");
    ck_assert_uint_gt(batch_id_read(&id, (struct span){fake.payload, fake.payload_len}), 0);
    ck_assert_uint_eq(id.number, number);
}

static struct span batch_got(void)
{
    return (struct span){fake.payload, fake.payload_len};
}

static void mock_hub_await_sequence(struct mock_hub *mock_hub, uint64_t sequence)
{
    int64_t deadline = deadline_in(10000);

    while (mock_hub->sequence < sequence)
        ensure(mock_hub_turn(mock_hub) && clock_ms() < deadline, "%llu never comes",
            (unsigned long long)sequence);
}

/* ---- Plays ----------------------------------------------------------------------------------- */

START_TEST(newer_server)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 3);
    mock_hub.wanted = 1;
    fake_gets_batch(&mock_hub, 1);
    fake_answer("{\"stream\":\"CHAT_" ROOM "\",\"domain\":\"hub\",\"seq\":4,\"val\":\"7\"}");
    fake_deliver(4, 4, 0, batch_got());
    mock_hub_await(&mock_hub, 1);
    ck_assert_uint_eq(mock_hub.time, 1764334083056300004u);
    play_end(&mock_hub);
}
END_TEST

/* The stream's first and last message, how far before the end the hub begins, and where that is. */
static const struct {
    unsigned first, last, back, from;
} beginnings[] = {{1, 5, 0, 1}, {1, 5, 2, 4}, {1, 5, 5, 1}, {1, 5, 6, 1}, {3, 5, 0, 3},
    {4, 5, 3, 4}, {6, 5, 2, 6}};

START_TEST(begins_near_the_end)
{
    struct mock_hub mock_hub;
    char list[ADDRESS_TEXT_MAX];

    fake_open(list);
    mock_hub_init(&mock_hub);
    mock_hub.back = beginnings[_i].back;
    mock_hub_start_engine(&mock_hub, list, "");
    fake_greet(&mock_hub);
    fake_has_stream(beginnings[_i].first, beginnings[_i].last);
    fake_consumes(&mock_hub, beginnings[_i].from);
    play_end(&mock_hub);
}
END_TEST

/* A delivery is missing: the next one comes too early, or a heartbeat counts one more. */
START_TEST(gaps)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 3);
    if (_i == 0)
        fake_deliver(5, 5, 0, (struct span)S("hi"));
    else if (_i == 1)
        fake_status("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 4\r\n\r\n", "");
    else
        fake_status("NATS/1.0 409 Consumer Deleted\r\n\r\n", "");
    fake_expect(&mock_hub, "PUB " STREAM_INFO " _INBOX.");
    fake_deliver(6, 6, 0, (struct span)S("hi")); /* of the old one: nobody listens */
    fake_has_stream(1, 5);
    fake_expect(&mock_hub, "UNSUB ");
    fake_goes_on(&mock_hub, 3, 2);
    fake_deliver(4, 2, 1, (struct span)S("hi"));
    fake_deliver(5, 3, 0, (struct span)S("hi"));
    mock_hub_await_sequence(&mock_hub, 5);
    ck_assert_uint_eq(mock_hub.holes, 0);
    ck_assert_uint_eq(mock_hub.ends, 1);
    play_end(&mock_hub);
}
END_TEST

/* A message as the last one that was read, but stored at another time. */
static void fake_deliver_another(unsigned stream)
{
    fake_tell("MSG %s %s $JS.ACK.CHAT_" ROOM ".c.1.%u.1.1764334083056399999.0 2\r\nhi\r\n",
        fake.deliver, fake.sid, stream);
}

/* Another connection finds other messages in the stream: it is not the same, and nothing of it is
 * told or published. Then the messages are there again (0), or the last one was removed (1). */
START_TEST(stream_differs)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 3);
    fake_hang_up();
    mock_hub.wanted = 1;
    fake_greet(&mock_hub);
    fake_has_stream(1, 5);
    fake_consumes(&mock_hub, 3);
    fake_deliver_another(3);
    mock_hub_await_state(&mock_hub, ENGINE_GONE);
    ck_assert_ptr_nonnull(strstr(mock_hub.text, "differs"));
    ck_assert_uint_eq(mock_hub.ends, 1);
    fake_expect(&mock_hub, "PUB " STREAM_INFO " _INBOX.");
    fake_has_stream(1, 5);
    fake_expect(&mock_hub, "UNSUB ");
    if (_i == 0) {
        fake_goes_on(&mock_hub, 3, 2);
    } else {
        fake_consumes(&mock_hub, 3);
    }
    fake_deliver(4, 2 - (unsigned)_i, 1, (struct span)S("hi"));
    fake_deliver(5, 3 - (unsigned)_i, 0, (struct span)S("hi"));
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.sequence, 5);
    ck_assert_uint_eq(mock_hub.holes, 0);
    fake_gets_batch(&mock_hub, 1);
    play_end(&mock_hub);
}
END_TEST

/* The consumer is at a server whose stream is behind: what it has is not all. */
START_TEST(server_is_behind)
{
    struct mock_hub mock_hub;
    char list[ADDRESS_TEXT_MAX];

    fake_open(list);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "");
    fake_greet(&mock_hub);
    fake_has_stream(1, 4);
    fake_consumes(&mock_hub, 1);
    fake_deliver(1, 1, 1, (struct span)S("hi"));
    fake_deliver(2, 2, 0, (struct span)S("hi"));
    fake_status("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 2\r\n\r\n", "");
    mock_hub_await_sequence(&mock_hub, 2);
    for (int i = 0; i < 20; i++)
        ck_assert(mock_hub_turn(&mock_hub));
    ck_assert_uint_eq(mock_hub.ends, 0);
    if (_i == 0) {
        fake_deliver(3, 3, 0, (struct span)S("hi"));
        fake_deliver(4, 4, 0, (struct span)S("hi"));
    } else {
        while (strstr(mock_hub.text, "less of the stream") == NULL) {
            fake_status("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 2\r\n\r\n", "");
            for (int i = 0; i < 20; i++)
                ck_assert(mock_hub_turn(&mock_hub));
        }
        fake_greet(&mock_hub);
        fake_has_stream(1, 4);
        fake_goes_on(&mock_hub, 2, 2);
        fake_deliver(3, 2, 1, (struct span)S("hi"));
        fake_deliver(4, 3, 0, (struct span)S("hi"));
    }
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.end.sequence, 4);
    ck_assert_uint_eq(mock_hub.sequence, 4);
    play_end(&mock_hub);
}
END_TEST

START_TEST(flow_control)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 1);
    fake_status("NATS/1.0 100 FlowControl Request\r\n\r\n", "$JS.FC.CHAT_" ROOM ".c.abc");
    fake_expect(&mock_hub, "PUB $JS.FC.CHAT_" ROOM ".c.abc 0");
    fake_status("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\n"
                "Nats-Consumer-Stalled: $JS.FC.CHAT_" ROOM ".c.def\r\n\r\n",
        "");
    fake_expect(&mock_hub, "PUB $JS.FC.CHAT_" ROOM ".c.def 0");
    fake_tell("PING\r\n");
    fake_expect(&mock_hub, "PONG");
    play_end(&mock_hub);
}
END_TEST

/* The first batch is lost while the second is stored: both are published again, in their order. */
START_TEST(lost_publications)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 1);
    mock_hub.wanted = 2;
    fake_gets_batch(&mock_hub, 1);
    if (_i == 0)
        fake_tell("HMSG %s 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", fake.reply);
    if (_i == 1)
        fake_answer("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum bytes "
                    "exceeded\"},\"stream\":\"CHAT_" ROOM "\",\"seq\":0}");
    fake_gets_batch(&mock_hub, 2);
    fake_deliver(2, 2, 0, batch_got());
    fake_answer("{\"stream\":\"CHAT_" ROOM "\",\"seq\":2}");
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    fake_expect(&mock_hub, "PUB " STREAM_INFO " _INBOX.");
    ck_assert_int_eq(mock_hub.state, ENGINE_AWAY);
    fake_has_stream(1, 2);
    for (unsigned i = 1; i <= 2; i++) {
        fake_gets_batch(&mock_hub, i);
        fake_deliver(2 + i, 2 + i, 0, batch_got());
    }
    mock_hub_await(&mock_hub, 2);
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.doubles, 1);
    ck_assert_uint_eq(mock_hub.ends, 1);
    play_end(&mock_hub);
}
END_TEST

/* The same while a consumer that has missed something is made anew. */
START_TEST(lost_while_reading)
{
    struct mock_hub mock_hub;
    char reply[256];

    play_start(&mock_hub, 1);
    mock_hub.wanted = 1;
    fake_gets_batch(&mock_hub, 1);
    strcpy(reply, fake.reply);
    fake_deliver(3, 3, 0, (struct span)S("hi"));
    fake_expect(&mock_hub, "PUB " STREAM_INFO " _INBOX.");
    fake_tell("HMSG %s 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", reply);
    fake_has_stream(1, 3);
    fake_expect(&mock_hub, "UNSUB ");
    fake_goes_on(&mock_hub, 1, 2);
    fake_deliver(2, 2, 1, (struct span)S("hi"));
    fake_deliver(3, 3, 0, (struct span)S("hi"));
    fake_gets_batch(&mock_hub, 1);
    fake_deliver(4, 4, 0, batch_got());
    mock_hub_await(&mock_hub, 1);
    ck_assert_int_eq(mock_hub.state, ENGINE_READY);
    play_end(&mock_hub);
}
END_TEST

/* Nothing is stored: another connection, where what is in the stream by then is not published
 * again. */
START_TEST(nothing_stored)
{
    static char first[BATCH_MAX];
    struct mock_hub mock_hub;
    size_t len;

    play_start(&mock_hub, 1);
    mock_hub.wanted = 2;
    fake_gets_batch(&mock_hub, 1);
    len = fake.payload_len;
    memcpy(first, fake.payload, len);
    fake_gets_batch(&mock_hub, 2);
    while (mock_hub.state == ENGINE_READY) {
        fake_status("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\n\r\n", "");
        for (int i = 0; i < 20; i++)
            ck_assert(mock_hub_turn(&mock_hub));
    }
    ck_assert_ptr_nonnull(strstr(mock_hub.text, "nothing is stored"));
    fake_greet(&mock_hub);
    fake_has_stream(1, 2);
    fake_goes_on(&mock_hub, 1, 1);
    fake_deliver(2, 2, 0, (struct span){first, len});
    fake_gets_batch(&mock_hub, 2);
    fake_deliver(3, 3, 0, batch_got());
    mock_hub_await(&mock_hub, 2);
    mock_hub_await_state(&mock_hub, ENGINE_READY);
    ck_assert_uint_eq(mock_hub.doubles, 0);
    ck_assert_uint_eq(mock_hub.ends, 2);
    play_end(&mock_hub);
}
END_TEST

/* Questions until one is dropped, since the server takes none. */
static void questions_fill(struct mock_hub *mock_hub)
{
    static const char bytes[FRAME_QUESTION_MAX];
    uint64_t number = 0;

    while (mock_hub->told[0] == '\0') {
        for (int i = 0; i < 16; i++)
            mock_hub_ask(
                mock_hub, ++number, UINT64_MAX, "other", (struct span){bytes, sizeof bytes});
        ck_assert(mock_hub_turn(mock_hub));
    }
}

/* PINGs, as many as the engine takes, until it gives up the connection. */
static void pings_fill(struct mock_hub *mock_hub)
{
    enum { PINGS = 1000, LEN = sizeof NATS_PING_LINE - 1 };
    int64_t deadline = deadline_in(30000);
    char pings[PINGS * LEN];
    size_t at = 0;

    for (int i = 0; i < PINGS; i++)
        memcpy(pings + i * LEN, NATS_PING_LINE, LEN);
    while (mock_hub->state == ENGINE_READY) {
        ssize_t n;

        while ((n = send(fake.fd, pings + at, sizeof pings - at, MSG_DONTWAIT)) > 0)
            at = (at + (size_t)n) % sizeof pings;
        ensure(mock_hub_turn(mock_hub) && clock_ms() < deadline, "the engine stays");
    }
}

/* A server that takes nothing and says nothing of its stream is left, even where all is full that
 * the engine has for it. */
START_TEST(server_takes_nothing)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 1);
    if (_i == 0)
        questions_fill(&mock_hub);
    else
        pings_fill(&mock_hub);
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    fake_greet(&mock_hub);
    play_end(&mock_hub);
}
END_TEST

/* A message that no batch can be is told without its bytes, and one knows where one is. */
START_TEST(huge_message)
{
    enum { SIZE = 3000000 };
    struct mock_hub mock_hub;
    char *bytes = must_allocate(SIZE);

    play_start(&mock_hub, 1);
    fake_deliver(2, 2, 1, (struct span){bytes, SIZE});
    fake_deliver(3, 3, 0, (struct span)S("hi"));
    mock_hub_await_sequence(&mock_hub, 3);
    ck_assert_uint_eq(mock_hub.holes, 0);
    free(bytes);
    play_end(&mock_hub);
}
END_TEST

/* ---- With the test's own clock --------------------------------------------------------------- */

#define SECOND UINT64_C(1000000)
#define BEHIND_SECONDS 20

/* The engine's parts in this process, static for their size. */
static struct upstream upstream;
static struct pair pair;
static struct window window;

static const struct frame_setup clocked_setup = {
    .room = S(ROOM), .node = S("n-1"), .servers = S("127.0.0.1:1")};

static void clocked_open(uint64_t now)
{
    memset(&fake, 0, sizeof fake);
    memset(&upstream, 0, sizeof upstream);
    memset(&window, 0, sizeof window);
    fake.fd = -1;
    pair_init(&pair, -1);
    ck_assert(upstream_init(&upstream, &clocked_setup, &pair, &window, now));
}

/* The engine reads what the server has said, and the last of what it says then is looked at. */
static void clocked_turn(uint64_t now)
{
    char line[8192];
    ssize_t n;

    nats_client_read(&upstream, POLLIN, now);
    if (upstream.phase == UPSTREAM_AWAY)
        return;
    nats_client_turn(&upstream, now);
    buffer_clear(&pair.out);
    while ((n = recv(fake.fd, fake.in + fake.len, sizeof fake.in - fake.len, 0)) > 0)
        fake.len += (size_t)n;
    while (said_line_take(line, sizeof line))
        continue;
}

/* A connection, up to where the engine wants a consumer. */
static void clocked_login(unsigned last, uint64_t now)
{
    int sv[2];

    fake_hang_up();
    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    upstream.fd = sv[0];
    fake.fd = sv[1];
    upstream_enter(&upstream, UPSTREAM_GREETING, UINT64_MAX);
    fake_tell("%s", INFO_2_12);
    clocked_turn(now);
    fake_tell("PONG\r\n");
    clocked_turn(now);
    fake_has_stream(1, last);
    clocked_turn(now);
    ck_assert_int_eq(upstream.phase, UPSTREAM_CONSUMING);
}

/* A connection, up to where the engine reads the stream. */
static void clocked_connect(unsigned last, uint64_t now)
{
    clocked_login(last, now);
    fake_answer(CONSUMER_2_12);
    clocked_turn(now);
    ck_assert_int_eq(upstream.phase, UPSTREAM_READING);
}

static void clocked_heartbeat(unsigned deliveries, uint64_t now)
{
    char headers[128];

    snprintf(headers, sizeof headers,
        "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: %u\r\n\r\n", deliveries);
    fake_status(headers, "");
    clocked_turn(now);
}

/* A server is behind until it is left, or until the engine takes the last messages for removed.
 * Returns how long that was. */
static uint64_t clocked_behind(unsigned deliveries, uint64_t *now)
{
    uint64_t begin = *now;

    clocked_heartbeat(deliveries, *now);
    while (upstream.phase == UPSTREAM_READING) {
        *now += SECOND;
        clocked_heartbeat(deliveries, *now);
    }
    return *now - begin;
}

/* Servers that are behind, one after the other, and none between them for longer than it takes
 * until the last messages are taken for removed. Only the time with a connection counts, and it
 * begins anew with a delivery, which the third server makes in the second row. */
START_TEST(servers_are_behind)
{
    uint64_t now = SECOND;
    uint64_t behind = 0;
    unsigned connections = 0;

    clocked_open(now);
    do {
        unsigned deliveries = _i == 1 && ++connections == 3;

        now += 2 * BEHIND_SECONDS * SECOND;
        clocked_connect(4, now);
        if (deliveries > 0) {
            fake_deliver(1, 1, 0, (struct span)S("hi"));
            clocked_turn(now);
            behind = 0;
        }
        behind += clocked_behind(deliveries, &now);
        ensure(upstream.phase == UPSTREAM_AWAY || behind >= BEHIND_SECONDS * SECOND,
            "removed after %llu us", (unsigned long long)behind);
    } while (upstream.phase == UPSTREAM_AWAY);
    ck_assert_int_eq(upstream.phase, UPSTREAM_SERVING);
    ck_assert_uint_lt(behind, (BEHIND_SECONDS + 2) * SECOND);
    close(upstream.fd);
    fake_hang_up();
}
END_TEST

/* The servers have chosen one for the consumer that is dead. The engine asks for another consumer,
 * soon, and then less soon. That begins anew with an answer, and after the third. */
START_TEST(consumer_at_a_dead_server)
{
    static const unsigned limits_ms[] = {500, 1000, 2000, 500};
    uint64_t now = SECOND;

    clocked_open(now);
    for (unsigned round = 0; round < 2; round++) {
        now += 10 * SECOND;
        clocked_login(4, now);
        for (unsigned i = 0; i < 4; i++) {
            upstream.times.patience = now;
            clocked_turn(now + limits_ms[i] * 1000u - 1);
            ck_assert_int_eq(upstream.phase, UPSTREAM_CONSUMING);
            now += limits_ms[i] * 1000u;
            clocked_turn(now);
            ck_assert_int_eq(upstream.phase, UPSTREAM_FINDING);
            ck_assert_str_eq(fake.subject, STREAM_INFO);
            fake_has_stream(1, 4);
            clocked_turn(now);
            ck_assert_int_eq(upstream.phase, UPSTREAM_CONSUMING);
        }
        fake_answer(CONSUMER_2_12);
        clocked_turn(now);
        ck_assert_int_eq(upstream.phase, UPSTREAM_READING);
        fake_hang_up();
        clocked_turn(now);
        ck_assert_int_eq(upstream.phase, UPSTREAM_AWAY);
    }
}
END_TEST

/* ---- Questions of nodes to each other -------------------------------------------------------- */

#define LATER UINT64_MAX

/* Each is asked once, and its answer has its number. */
START_TEST(questions)
{
    static const char hundred[101] = SIXTY "1234567890123456789012345678901234567890";
    struct mock_hub mock_hub;
    char told[80];
    char reply[256];

    play_start(&mock_hub, 1);
    mock_hub_ask(&mock_hub, 1ULL << 40, LATER, "other", (struct span)S("hello\r\nPUB x 1\r\n"));
    fake_expect(&mock_hub, "PUB chat-priv." ROOM ".other _INBOX.");
    ck_assert(span_equal((struct span){fake.payload, fake.payload_len}, "hello\r\nPUB x 1\r\n"));
    strcpy(reply, fake.reply);
    mock_hub_ask(&mock_hub, 2, LATER, "nobody", (struct span)S("hello"));
    fake_expect(&mock_hub, "PUB chat-priv." ROOM ".nobody _INBOX.");
    fake_tell("HMSG %s 4 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", fake.reply);
    mock_hub_await_told(&mock_hub, "2: ");
    fake_tell("MSG %s 4 3\r\nyes\r\n", reply);
    mock_hub_await_told(&mock_hub, "1099511627776: yes");
    mock_hub_ask(&mock_hub, 3, 1, "other", (struct span)S("too late"));
    mock_hub_ask(&mock_hub, 4, LATER, "other", (struct span)S("x"));
    fake_expect(&mock_hub, "PUB chat-priv." ROOM ".other _INBOX.");
    ck_assert_uint_eq(fake.payload_len, 1);
    fake_tell("MSG %s 4 100\r\n%s\r\n", fake.reply, hundred);
    snprintf(told, sizeof told, "4: %.64s", hundred);
    mock_hub_await_told(&mock_hub, told);
    play_end(&mock_hub);
}
END_TEST

/* Those of others, and where their answers go. */
START_TEST(questions_of_others)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 1);
    fake_tell("MSG " QUESTIONS " 3 2\r\nhi\r\n");
    fake_tell("MSG " QUESTIONS " 3 " SUBJECT " 2\r\nhi\r\n");
    fake_tell("MSG " QUESTIONS " 3 _INBOX.> 2\r\nhi\r\n");
    fake_tell("MSG " QUESTIONS " 3 _INBOX.\x1b 2\r\nhi\r\n");
    fake_tell("HMSG " QUESTIONS " 3 _INBOX.a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    fake_tell("MSG " QUESTIONS " 3 _INBOX.b.c 0\r\n\r\n");
    mock_hub_await_told(&mock_hub, "_INBOX.b.c: ");
    ensure(strcmp(mock_hub.told, "_INBOX.a: hi\n_INBOX.b.c: \n") == 0, "%s", mock_hub.told);
    mock_hub_answer(&mock_hub, "_INBOX.a", (struct span)S("\1"));
    fake_expect(&mock_hub, "PUB _INBOX.a 1");
    ck_assert_int_eq(fake.payload[0], 1);
    play_end(&mock_hub);
}
END_TEST

/* What is too long for one is told to nobody. */
START_TEST(questions_too_long)
{
    enum { SIZE = FRAME_QUESTION_MAX + 1 };
    struct mock_hub mock_hub;
    char *bytes = must_allocate(SIZE);

    play_start(&mock_hub, 1);
    fake_tell("MSG " QUESTIONS " 3 _INBOX.a %d\r\n", SIZE);
    fake_say(bytes, SIZE);
    fake_tell("\r\nMSG " QUESTIONS " 3 _INBOX.b 2\r\nhi\r\n");
    mock_hub_await_told(&mock_hub, "_INBOX.b: hi");
    ck_assert_str_eq(mock_hub.told, "_INBOX.b: hi\n");
    free(bytes);
    play_end(&mock_hub);
}
END_TEST

/* Without a connection a question is answered at once. */
START_TEST(questions_without_server)
{
    struct mock_hub mock_hub;

    play_start(&mock_hub, 1);
    fake_hang_up();
    mock_hub_await_state(&mock_hub, ENGINE_AWAY);
    mock_hub_ask(&mock_hub, 5, LATER, "other", (struct span)S("hello"));
    mock_hub_answer(&mock_hub, "_INBOX.a", (struct span)S("\1"));
    mock_hub_await_told(&mock_hub, "5: ");
    play_end(&mock_hub);
}
END_TEST

/* ---- What is no server ----------------------------------------------------------------------- */

static const struct {
    const char *said;
    size_t times; /* how often, behind "INFO {}" where that is in front */
    enum engine_state state;
} hostile_rows[] = {
    {"", 1, ENGINE_CONNECTING},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", 1, ENGINE_CONNECTING},
    {"SSH-2.0-OpenSSH_9.2\r\n", 1, ENGINE_CONNECTING},
    {"x", 100000, ENGINE_CONNECTING},
    {"INFO xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 100000, ENGINE_CONNECTING},
    {"INFO {\r\n", 1, ENGINE_CONNECTING},
    {"INFO []\r\n", 1, ENGINE_CONNECTING},
    {"INFO {\"tls_required\":true}\r\n", 1, ENGINE_UNUSABLE},
    {"INFO {\"max_payload\":51199}\r\n", 1, ENGINE_UNUSABLE},
    {"INFO {\"connect_urls\":[\"\",7,\"a b\",[[]],\"x:99999\"]}\r\nPONG\r\nMSG a 1 x\r\n", 1,
        ENGINE_CONNECTING},
    {"INFO {}\r\n-ERR 'Authorization Violation'\r\n", 1, ENGINE_REFUSED},
    {"INFO {}\r\n-ERR '\x1b[2J'\r\n", 1, ENGINE_CONNECTING},
    {"INFO {}\r\nPONG\r\nMSG _INBOX 1 67108864\r\n", 200000, ENGINE_CONNECTING},
    {"INFO {}\r\nPONG\r\nPING\r\n", 200000, ENGINE_CONNECTING},
};

/* All that it is told costs the engine a connection, and no memory. */
START_TEST(hostile_servers)
{
    struct mock_hub mock_hub;
    char list[ADDRESS_TEXT_MAX];
    const char *said = hostile_rows[_i].said;

    fake_open(list);
    mock_hub_init(&mock_hub);
    mock_hub_start_engine(&mock_hub, list, "");
    fake_accept(&mock_hub);
    mock_hub.state = ENGINE_READY; /* which it never says */
    for (size_t i = 0; i < hostile_rows[_i].times; i++)
        if (!write_all(fake.fd, said, strlen(said)))
            break;
    shutdown(fake.fd, SHUT_WR);
    mock_hub_await_state(&mock_hub, hostile_rows[_i].state);
    fake_accept(&mock_hub);
    ensure(!memory_is_exact() || process_memory(mock_hub.pid) < 8192, "%ld KiB",
        process_memory(mock_hub.pid));
    play_end(&mock_hub);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {newer_server, 1, 60},
        {begins_near_the_end, COUNT_OF(beginnings), 60},
        {gaps, 3, 60},
        {stream_differs, 2, 60},
        {server_is_behind, 2, 60},
        {flow_control, 1, 60},
        {lost_publications, 3, 60},
        {lost_while_reading, 1, 60},
        {nothing_stored, 1, 60},
        {server_takes_nothing, 2, 60},
        {huge_message, 1, 60},
        {servers_are_behind, 2, 60},
        {consumer_at_a_dead_server, 1, 20},
        {questions, 1, 60},
        {questions_of_others, 1, 60},
        {questions_too_long, 1, 60},
        {questions_without_server, 1, 60},
        {hostile_servers, COUNT_OF(hostile_rows), 60},
    };

    return tests_run("upstream", tests, COUNT_OF(tests));
}
