/*
 * test_cluster_nats.c: what NATS servers say, recorded and made up, in any pieces; and the lines
 * that are said to them.
 */
#include "bytes.h"
#include "server/cluster/nats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is told of an operation: `kind subject sid reply [headers] [payload] text`. */
static void operation_tell(const struct nats_operation *op, char *out, size_t size)
{
    static const char *const names[] = {
        "more", "BAD", "info", "message", "ping", "pong", "ok", "error"};

    snprintf(out, size, "%s%s|%.*s|%llu|%.*s|%.*s|%.*s|%.*s\n", names[op->kind],
        op->too_large ? "!" : "", (int)op->subject.len, op->subject.at, (unsigned long long)op->sid,
        (int)op->reply.len, op->reply.at, (int)op->headers.len, op->headers.at,
        (int)op->payload.len, op->payload.at, (int)op->text.len, op->text.at);
}

/* Reads a stream in pieces of these many bytes, as a client does, and tells what came. */
static void stream_tell(struct span stream, size_t piece, char *out, size_t size)
{
    struct nats_parser parser = {0};
    struct nats_operation op = {.kind = NATS_MORE};
    size_t held = 0;

    *out = '\0';
    for (size_t at = 0; at < stream.len && op.kind != NATS_BAD;) {
        size_t len = piece < stream.len - at ? piece : stream.len - at;
        char *copy = bytes_copy((struct span){stream.at + at - held, held + len});
        struct span rest = {copy, held + len};

        while (nats_next(&parser, &rest, &op) != NATS_MORE) {
            operation_tell(&op, out, size);
            size -= strlen(out);
            out += strlen(out);
            if (op.kind == NATS_BAD)
                break;
        }
        held = rest.len;
        at += len;
        free(copy);
    }
}

static const struct {
    struct span stream;
    const char *told;
} stream_rows[] = {
    {S("PING\r\n"), "ping||0||||\n"},
    {S("PING\nping\r\nPong \r\n+OK\r\n"), "ping||0||||\nping||0||||\npong||0||||\nok||0||||\n"},
    {S("INFO {\"a\":1} \r\n"), "info||0||||{\"a\":1} \n"},
    {S("-ERR 'Authorization Violation'\r\n"), "error||0||||Authorization Violation\n"},
    {S("-ERR  unknown \r\n"), "error||0||||unknown\n"},
    {S("-ERR '\r\n"), "error||0||||'\n"},
    {S("MSG a.b 7 2\r\nhi\r\n"), "message|a.b|7|||hi|\n"},
    {S("MSG _INBOX.a.6 1  2\r\nhi\r\nPING\r\n"), "message|_INBOX.a.6|1|||hi|\nping||0||||\n"},
    {S("msg\ta  7 r.1\t0\r\n\r\n"), "message|a|7|r.1|||\n"},
    {S("MSG a 7 4\r\n\r\n\r\n\r\n"), "message|a|7|||\r\n\r\n|\n"},
    {S("HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"), "message|a|1||NATS/1.0 503\r\n\r\n||\n"},
    {S("HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"), "message|a|1|r|NATS/1.0\r\n\r\n|hi|\n"},
    {S("HMSG a 1 0 2\r\nhi\r\n"), "message|a|1|||hi|\n"},
    /* Broken. */
    {S("\r\n"), "BAD||0||||\n"},
    {S("HTTP/1.1 200 OK\r\n"), "BAD||0||||\n"},
    {S("SSH-2.0-OpenSSH\r\n"), "BAD||0||||\n"},
    {S("\x16\x03\x01\n"), "BAD||0||||\n"},
    {S("INF {}\r\n"), "BAD||0||||\n"},
    {S("MSG\r\n"), "BAD||0||||\n"},
    {S("MSG a 7\r\n"), "BAD||0||||\n"},
    {S("MSG a 7 x\r\n"), "BAD||0||||\n"},
    {S("MSG a 7 -1\r\n"), "BAD||0||||\n"},
    {S("MSG a x 2\r\nhi\r\n"), "BAD||0||||\n"},
    {S("MSG a 7 r s 2\r\nhi\r\n"), "BAD||0||||\n"},
    {S("MSG a 7 2\r\nhix\r\n"), "BAD||0||||\n"},
    {S("MSG a 7 2\r\nhi\n\n"), "BAD||0||||\n"},
    {S("MSG a 7 67108865\r\n"), "BAD||0||||\n"},
    {S("MSG a 7 99999999999999999999999\r\n"), "BAD||0||||\n"},
    {S("HMSG a 1 5 4\r\nabcd\r\n"), "BAD||0||||\n"},
    {S("HMSG a 1 4\r\n"), "BAD||0||||\n"},
};

START_TEST(streams)
{
    struct span stream = stream_rows[_i].stream;
    char told[1024];

    for (size_t piece = 1; piece <= stream.len; piece++) {
        stream_tell(stream, piece, told, sizeof told);
        ck_assert_str_eq(told, stream_rows[_i].told);
    }
}
END_TEST

/* An endless line is given up at its limit, and not before. */
static const struct {
    const char *begin;
    size_t most;
} endless_rows[] = {
    {"PING", NATS_LINE_MAX},
    {"INFO ", NATS_INFO_MAX},
    {"MSG ", NATS_LINE_MAX},
    {"", NATS_LINE_MAX},
};

START_TEST(endless_lines)
{
    size_t most = endless_rows[_i].most;
    char *bytes = must_allocate(most + 1);
    struct nats_parser parser = {0};
    struct nats_operation op;

    memset(bytes, 'x', most + 1);
    memcpy(bytes, endless_rows[_i].begin, strlen(endless_rows[_i].begin));
    struct span rest = {bytes, most};
    ck_assert_int_eq(nats_next(&parser, &rest, &op), NATS_MORE);
    rest = (struct span){bytes, most + 1};
    ck_assert_int_eq(nats_next(&parser, &rest, &op), NATS_BAD);
    free(bytes);
}
END_TEST

/* The largest message is had; one byte more, and it is told without its content. */
START_TEST(large_messages)
{
    size_t size = NATS_CONTENT_MAX + (size_t)_i;
    char *stream = must_allocate(size + 64);
    size_t head = (size_t)sprintf(stream, "MSG a 7 %zu\r\n", size);
    struct nats_parser parser = {0};
    struct nats_operation op;
    size_t kept = 0;
    unsigned messages = 0;

    memset(stream + head, 'x', size);
    memcpy(stream + head + size, "\r\nPING\r\n", 8);
    for (size_t at = 0; at < head + size + 8;) {
        size_t len = 100000 < head + size + 8 - at ? 100000 : head + size + 8 - at;
        struct span rest = {stream + at - kept, kept + len};

        while (nats_next(&parser, &rest, &op) == NATS_MESSAGE) {
            messages++;
            ck_assert_int_eq(op.too_large, _i == 1);
            ck_assert_uint_eq(op.payload.len, _i == 1 ? 0 : size);
        }
        kept = rest.len;
        at += len;
        must(kept <= NATS_HELD_MAX);
        must(_i == 0 || kept < 100);
        if (op.kind == NATS_PING)
            break;
        ck_assert_int_eq(op.kind, NATS_MORE);
    }
    ck_assert_uint_eq(messages, 1);
    ck_assert_int_eq(op.kind, NATS_PING);
    free(stream);
}
END_TEST

#define HEARTBEAT                                                                                  \
    "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 4\r\nNats-Last-Stream:17 \r\n\r\n"

static const struct {
    struct span headers;
    unsigned status;
    const char *words;
    const char *name;
    const char *value;
} header_rows[] = {
    {S(HEARTBEAT), 100, "Idle Heartbeat", "nats-last-consumer", "4"},
    {S(HEARTBEAT), 100, "Idle Heartbeat", "nats-last-stream", "17 "},
    {S(HEARTBEAT), 100, "Idle Heartbeat", "nats-consumer-stalled", ""},
    {S("NATS/1.0 503\r\n\r\n"), 503, "", "a", ""},
    {S("NATS/1.0\r\nStatus: 7\r\n\r\n"), 0, "", "status", "7"},
    {S("NATS/1.0 5033\r\n\r\n"), 0, "", "a", ""},
    {S("NATS/1.0 50x\r\n\r\n"), 0, "", "a", ""},
    {S("NATS/2.0 503\r\n\r\n"), 0, "", "a", ""},
    {S("NATS/1.0 503"), 0, "", "a", ""},
    {S("NATS/1.0\r\na\r\n: b\r\nA:  c:d\r\na: e\r\n"), 0, "", "a", "c:d"},
    {S("NATS/1.0\r\n\r\na: b\r\n"), 0, "", "a", ""},
    {S(""), 0, "", "a", ""},
};

START_TEST(headers)
{
    struct span bytes = {bytes_copy(header_rows[_i].headers), header_rows[_i].headers.len};
    struct span words;

    ck_assert_uint_eq(nats_status(bytes, &words), header_rows[_i].status);
    ck_assert(span_equal(words, header_rows[_i].words));
    ck_assert(span_equal(nats_header(bytes, header_rows[_i].name), header_rows[_i].value));
    free((char *)bytes.at);
}
END_TEST

#define CONNECT_HEAD                                                                               \
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"headers\":true,"       \
    "\"no_responders\":true,\"echo\":true,\"protocol\":1,\"lang\":\"C\",\"name\":\"chatd a\","     \
    "\"version\":\"0.2\""

static const struct {
    const char *credentials;
    const char *line;
} connect_rows[] = {
    {"", CONNECT_HEAD "}\r\n"},
    {"s3cret", CONNECT_HEAD ",\"auth_token\":\"s3cret\"}\r\n"},
    {"ann:pass", CONNECT_HEAD ",\"user\":\"ann\",\"pass\":\"pass\"}\r\n"},
    {"ann:", CONNECT_HEAD ",\"user\":\"ann\",\"pass\":\"\"}\r\n"},
    {"ann:a:b", CONNECT_HEAD ",\"user\":\"ann\",\"pass\":\"a:b\"}\r\n"},
    {"a\"b:\\\n", CONNECT_HEAD ",\"user\":\"a\\u0022b\",\"pass\":\"\\u005c\\u000a\"}\r\n"},
};

START_TEST(connect_lines)
{
    struct span credentials = {connect_rows[_i].credentials, strlen(connect_rows[_i].credentials)};
    char out[NATS_CONNECT_MAX];
    size_t len = nats_write_connect(out, credentials, "chatd a", "0.2");

    assert_bytes(out, len, (struct span){connect_rows[_i].line, strlen(connect_rows[_i].line)});
}
END_TEST

START_TEST(lines_written)
{
    char out[NATS_HEAD_MAX];
    char long_one[NATS_HEAD_MAX];
    char *secret = must_allocate(NATS_CONNECT_MAX);
    const struct nats_header header = {"N-L", 1234};
    size_t len;

    len = nats_write_sub(out, "_INBOX.a.*", 1);
    assert_bytes(out, len, (struct span)S("SUB _INBOX.a.* 1\r\n"));
    len = nats_write_unsub(out, 12);
    assert_bytes(out, len, (struct span)S("UNSUB 12\r\n"));
    len = nats_write_pub(out, (struct span)S("chat.x.log"), "_INBOX.a.1", 17);
    assert_bytes(out, len, (struct span)S("PUB chat.x.log _INBOX.a.1 17\r\n"));
    len = nats_write_hpub(out, (struct span)S("chat.x.log"), "_INBOX.a.1", &header, 17);
    assert_bytes(out, len,
        (struct span)S("HPUB chat.x.log _INBOX.a.1 23 40\r\nNATS/1.0\r\nN-L: 1234\r\n\r\n"));
    len = nats_write_hpub(out, (struct span)S("fc.1"), "", &header, 0);
    assert_bytes(out, len, (struct span)S("HPUB fc.1 23 23\r\nNATS/1.0\r\nN-L: 1234\r\n\r\n"));
    len = nats_write_pub(out, (struct span)S("fc.1"), "", 0);
    assert_bytes(out, len, (struct span)S("PUB fc.1 0\r\n"));
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    ck_assert_uint_eq(nats_write_pub(out, (struct span){long_one, sizeof long_one - 1}, "", 0), 0);
    ck_assert_uint_eq(nats_write_sub(out, long_one, 1), 0);
    memset(secret, 1, NATS_CONNECT_MAX);
    char line[NATS_CONNECT_MAX];
    ck_assert_uint_eq(nats_write_connect(line, (struct span){secret, NATS_CONNECT_MAX}, "", ""), 0);
    free(secret);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {streams, COUNT_OF(stream_rows), 60},
        {endless_lines, COUNT_OF(endless_rows), 60},
        {large_messages, 2, 60},
        {headers, COUNT_OF(header_rows), 60},
        {connect_lines, COUNT_OF(connect_rows), 60},
        {lines_written, 1, 60},
    };

    return tests_run("cluster_nats", tests, COUNT_OF(tests));
}
