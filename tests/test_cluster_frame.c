/*
 * test_cluster_frame.c: the frames between the hub and the engine, the head of a batch, and what
 * one node asks another.
 */
#include "bytes.h"
#include "server/cluster/batch.h"
#include "server/cluster/frame.h"
#include "server/cluster/letter.h"
#include "server/cluster/renewal.h"

#include <stdlib.h>
#include <string.h>

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* ---- Batches --------------------------------------------------------------------------------- */

#define HEAD "CB\x01\x03n-1\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\1\0\xff\0\0\0\0\0\0\0"

START_TEST(batch_heads)
{
    static const struct span bytes = S(HEAD "rest");
    struct batch_id id = {.node = S("n-1"), .incarnation = 2, .nonce = 256};
    struct batch_id read;
    char out[BATCH_HEAD_MAX];
    size_t len;

    id.number = 0xff00000000000000u;
    len = batch_id_write(out, &id);
    assert_bytes(out, len, (struct span){bytes.at, bytes.len - 4});
    ck_assert_uint_eq(batch_id_read(&read, bytes), len);
    ck_assert(batch_id_equal(&read, &id));
    for (size_t cut = 0; cut < len; cut++) {
        char *copy = bytes_copy((struct span){bytes.at, cut});

        ck_assert_uint_eq(batch_id_read(&read, (struct span){copy, cut}), 0);
        free(copy);
    }
}
END_TEST

static const struct span head_rows[] = {
    S("CC\1\1a........................"),
    S("CB\0\1a........................"),
    S("CB\1\0........................"),
    S("CB\1\x21" SIXTY),
    S("hello, this is no batch of anybody"),
};

START_TEST(batch_heads_bad)
{
    struct batch_id id;

    ck_assert_uint_eq(batch_id_read(&id, head_rows[_i]), 0);
}
END_TEST

START_TEST(batch_ids_differ)
{
    const struct batch_id id = {.node = S("ab"), .incarnation = 1, .nonce = 2, .number = 3};
    const struct batch_id others[] = {
        {.node = S("aa"), .incarnation = 1, .nonce = 2, .number = 3},
        {.node = S("a"), .incarnation = 1, .nonce = 2, .number = 3},
        {.node = S("ab"), .incarnation = 2, .nonce = 2, .number = 3},
        {.node = S("ab"), .incarnation = 1, .nonce = 3, .number = 3},
        {.node = S("ab"), .incarnation = 1, .nonce = 2, .number = 4},
    };

    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert(!batch_id_equal(&id, &others[i]));
}
END_TEST

/* ---- Frames ---------------------------------------------------------------------------------- */

START_TEST(frames_in_pieces)
{
    static const struct span stream = S("\0\0\0\2\x02hi\0\0\0\0\x12\0\0");
    struct frame frame;

    for (size_t len = 0; len <= stream.len; len++) {
        char *copy = bytes_copy((struct span){stream.at, len});
        struct span rest = {copy, len};
        unsigned count = 0;

        while (frame_next(&frame, &rest) == FRAME_READY) {
            ck_assert_uint_eq(frame.kind, count == 0 ? FRAME_PUBLISH : FRAME_END);
            ck_assert(span_equal(frame.payload, count == 0 ? "hi" : ""));
            count++;
        }
        ck_assert_uint_eq(count, len < 7 ? 0 : len < 12 ? 1 : 2);
        free(copy);
    }
}
END_TEST

START_TEST(frames_too_long)
{
    struct span rest = S("\0\x10\0\x40\x02");
    struct frame frame;

    ck_assert_int_eq(frame_next(&frame, &rest), FRAME_NONE);
    rest = (struct span)S("\0\x10\0\x41\x02");
    ck_assert_int_eq(frame_next(&frame, &rest), FRAME_BAD);
}
END_TEST

/* The payload of a whole frame. */
static struct span payload_of(const char *bytes, size_t len, enum frame_kind kind)
{
    struct span rest = {bytes, len};
    struct frame frame;

    ck_assert_int_eq(frame_next(&frame, &rest), FRAME_READY);
    ck_assert_uint_eq(rest.len, 0);
    ck_assert_uint_eq(frame.kind, kind);
    return frame.payload;
}

START_TEST(setups)
{
    struct frame_setup setup = {.next = 1ULL << 40,
        .back = 25000,
        .time = 1ULL << 60,
        .watches = true,
        .room = S("tea"),
        .node = S("n_1"),
        .credentials = S("a:b"),
        .servers = S("h:1,[::1]:2")};
    struct frame_setup read;
    char out[FRAME_SETUP_MAX];
    size_t len = frame_setup_write(out, &setup);
    struct span payload = payload_of(out, len, FRAME_SETUP);

    ck_assert(frame_setup_read(&read, payload));
    ck_assert_uint_eq(read.next, setup.next);
    ck_assert_uint_eq(read.back, setup.back);
    ck_assert(read.time == setup.time && read.watches);
    ck_assert(span_equal(read.room, "tea") && span_equal(read.node, "n_1"));
    ck_assert(span_equal(read.credentials, "a:b") && span_equal(read.servers, "h:1,[::1]:2"));
    for (size_t cut = 0; cut < payload.len; cut++)
        ck_assert(!frame_setup_read(&read, (struct span){payload.at, cut}));
    ck_assert(!frame_setup_read(&read, (struct span){payload.at, payload.len + 1}));
}
END_TEST

static const struct {
    const char *room;
    const char *node;
    bool good;
} name_rows[] = {
    {"a", "Z-9_", true},
    {"", "n", false},
    {"r", "", false},
    {"a.b", "n", false},
    {"a", "n*", false},
    {"a b", "n", false},
    {"a", "\xc3\xa9", false},
    {"12345678901234567890123456789012", "n", true},
    {"123456789012345678901234567890123", "n", false},
};

START_TEST(setup_names)
{
    struct frame_setup setup = {.room = span_of(name_rows[_i].room),
        .node = span_of(name_rows[_i].node),
        .credentials = S(""),
        .servers = S("h")};
    char out[FRAME_SETUP_MAX];

    ck_assert_int_eq(frame_setup_write(out, &setup) > 0, name_rows[_i].good);
}
END_TEST

START_TEST(states)
{
    char text[300];
    char out[FRAME_STATE_MAX];
    struct frame_state read;
    size_t len;

    memset(text, 'x', sizeof text);
    len = frame_state_write(
        out, &(struct frame_state){ENGINE_AWAY, BATCH_MAX, (struct span){text, sizeof text}});
    ck_assert(frame_state_read(&read, payload_of(out, len, FRAME_STATE)));
    ck_assert_int_eq(read.state, ENGINE_AWAY);
    ck_assert_uint_eq(read.batch_max, BATCH_MAX);
    ck_assert_uint_eq(read.text.len, FRAME_TEXT_MAX);
    len = frame_state_write(out, &(struct frame_state){.state = ENGINE_READY});
    ck_assert(frame_state_read(&read, payload_of(out, len, FRAME_STATE)));
    ck_assert_uint_eq(read.text.len, 0);
    ck_assert(!frame_state_read(&read, (struct span)S("\x00\0\0\0")));
    ck_assert(!frame_state_read(&read, (struct span)S("\x06\0\0\0\0")));
    ck_assert(frame_state_read(&read, (struct span)S("\x01\0\0\xc8\0")));
    ck_assert(!frame_state_read(&read, (struct span)S("\x01\0\0\xc7\xff")));
    ck_assert(!frame_state_read(&read, (struct span)S("\x01\0\4\0\1")));
}
END_TEST

START_TEST(messages_and_ends)
{
    char out[FRAME_HEAD + FRAME_MESSAGE_HEAD + 2];
    char end[FRAME_END_SIZE];
    struct frame_message message = {.sequence = 7, .time = 1ULL << 60, .bytes = S("hi")};
    struct frame_message read;
    struct frame_end read_end;

    frame_message_write(out, &message);
    memcpy(out + sizeof out - 2, "hi", 2);
    ck_assert(frame_message_read(&read, payload_of(out, sizeof out, FRAME_MESSAGE)));
    ck_assert_uint_eq(read.sequence, 7);
    ck_assert_uint_eq(read.time, 1ULL << 60);
    ck_assert(span_equal(read.bytes, "hi"));
    ck_assert(!frame_message_read(&read, (struct span){out, FRAME_MESSAGE_HEAD - 1}));
    frame_end_write(end, &(struct frame_end){99, 1u << 30});
    ck_assert(frame_end_read(&read_end, payload_of(end, sizeof end, FRAME_END)));
    ck_assert_uint_eq(read_end.sequence, 99);
    ck_assert_uint_eq(read_end.size, 1u << 30);
    ck_assert(!frame_end_read(&read_end, (struct span){end, 15}));
}
END_TEST

/* ---- A stream that is made anew -------------------------------------------------------------- */

/* A batch without a number, in a frame of its own kind; what is not exactly that is none. */
START_TEST(renewals)
{
    static const char wanted[] = "CB\1\1a\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0"
                                 "\x11\0\0\0\0\1\2\3\4\5\6\7\x8\0\0\0\0\0\0\0\x9\0\0\0\0\0\0\0\xa";
    const struct batch_id head = {S("a"), 2, 3, 7, 1};
    const struct renewal_note note = {.hash = 0x102030405060708, .stamp = 9, .sequence = 10};
    struct renewal_note got;
    char bytes[RENEWAL_MAX + 1];
    char out[FRAME_RENEW_MAX];
    size_t len = renewal_write(bytes, &head, &note);
    struct frame_renew renew = {.last = 5, .bytes = {bytes, len}};
    struct span payload;

    ck_assert(len == sizeof wanted - 1 && memcmp(bytes, wanted, len) == 0);
    ck_assert(renewal_read(&got, renew.bytes) && span_equal(got.node, "a"));
    ck_assert(got.hash == note.hash && got.stamp == 9 && got.sequence == 10);
    payload = payload_of(out, frame_renew_write(out, &renew), FRAME_RENEW);
    ck_assert(frame_renew_read(&renew, payload) && renew.last == 5 && renew.bytes.len == len);
    for (size_t cut = 0; cut < len; cut++)
        ck_assert(!renewal_read(&got, (struct span){bytes, cut}));
    ck_assert(!renewal_read(&got, (struct span){bytes, len + 1}));
    for (size_t cut = 0; cut <= 8; cut++)
        ck_assert(!frame_renew_read(&renew, (struct span){payload.at, cut}));
    bytes[28] = 1; /* the number */
    ck_assert(!renewal_read(&got, (struct span){bytes, len}));
}
END_TEST

/* ---- Questions and answers ------------------------------------------------------------------- */

START_TEST(asks)
{
    static char out[FRAME_ASK_MAX];
    static char large[FRAME_QUESTION_MAX + 1];
    struct frame_ask ask = {
        .number = 5, .until = 1ULL << 50, .node = S("n_1"), .bytes = S("what?")};
    struct frame_ask read;
    size_t len = frame_ask_write(out, &ask);
    struct span payload = payload_of(out, len, FRAME_ASK);

    ck_assert(frame_ask_read(&read, payload));
    ck_assert_uint_eq(read.number, 5);
    ck_assert_uint_eq(read.until, 1ULL << 50);
    ck_assert(span_equal(read.node, "n_1") && span_equal(read.bytes, "what?"));
    for (size_t cut = 0; cut < payload.len - 5; cut++) {
        char *copy = bytes_copy((struct span){payload.at, cut});

        ck_assert(!frame_ask_read(&read, (struct span){copy, cut}));
        free(copy);
    }
    ask.bytes = (struct span){large, FRAME_QUESTION_MAX};
    len = frame_ask_write(out, &ask);
    ck_assert(frame_ask_read(&read, payload_of(out, len, FRAME_ASK)));
    ask.bytes.len++;
    ck_assert_uint_eq(frame_ask_write(out, &ask), 0);
    ask.bytes.len = 1;
    ask.node = (struct span)S("a.b");
    ck_assert_uint_eq(frame_ask_write(out, &ask), 0);
}
END_TEST

START_TEST(letters)
{
    static char out[FRAME_LETTER_MAX];
    static char large[FRAME_QUESTION_MAX + 1];
    struct frame_letter letter = {.reply = S("_INBOX.a.b"), .bytes = S("")};
    struct frame_letter read;
    size_t len = frame_letter_write(out, FRAME_ANSWER, &letter);

    ck_assert(frame_letter_read(&read, FRAME_ANSWER, payload_of(out, len, FRAME_ANSWER)));
    ck_assert(span_equal(read.reply, "_INBOX.a.b"));
    ck_assert_uint_eq(read.bytes.len, 0);
    for (size_t cut = 0; cut < 12; cut++)
        ck_assert(!frame_letter_read(&read, FRAME_ANSWER, (struct span){out + FRAME_HEAD, cut}));
    letter.bytes = (struct span){large, FRAME_ANSWER_MAX + 1};
    ck_assert_uint_eq(frame_letter_write(out, FRAME_ANSWER, &letter), 0);
    len = frame_letter_write(out, FRAME_ASKED, &letter);
    ck_assert(frame_letter_read(&read, FRAME_ASKED, payload_of(out, len, FRAME_ASKED)));
    ck_assert(!frame_letter_read(&read, FRAME_ANSWER, payload_of(out, len, FRAME_ASKED)));
    letter.bytes.len = FRAME_QUESTION_MAX + 1;
    ck_assert_uint_eq(frame_letter_write(out, FRAME_ASKED, &letter), 0);
}
END_TEST

static const struct {
    const char *subject;
    bool good;
} subject_rows[] = {
    {"a", true},
    {"_INBOX.0123456789abcdef.q.1", true},
    {"", false},
    {"a b", false},
    {"a\r\nPUB", false},
    {"a.*", false},
    {"a.>", false},
    {"\x7f", false},
    {"\xc3\xa9", false},
};

START_TEST(letter_subjects)
{
    static char out[FRAME_LETTER_MAX];
    const struct frame_letter letter = {
        .reply = span_of(subject_rows[_i].subject), .bytes = S("x")};

    ck_assert_int_eq(frame_letter_write(out, FRAME_ASKED, &letter) > 0, subject_rows[_i].good);
}
END_TEST

START_TEST(answers)
{
    static const char large[FRAME_ANSWER_MAX + 1];
    char out[FRAME_ANSWERED_MAX];
    struct frame_answered read;
    size_t len = frame_answered_write(out, &(struct frame_answered){.number = 9});

    ck_assert(frame_answered_read(&read, payload_of(out, len, FRAME_ANSWERED)));
    ck_assert_uint_eq(read.number, 9);
    ck_assert_uint_eq(read.bytes.len, 0);
    ck_assert(!frame_answered_read(&read, (struct span){out + FRAME_HEAD, 7}));
    len = frame_answered_write(
        out, &(struct frame_answered){.number = 9, .bytes = {large, sizeof large}});
    ck_assert(frame_answered_read(&read, payload_of(out, len, FRAME_ANSWERED)));
    ck_assert_uint_eq(read.bytes.len, FRAME_ANSWER_MAX);
}
END_TEST

/* ---- Private messages ------------------------------------------------------------------------ */

START_TEST(private_letters)
{
    static char out[LETTER_MAX];
    static char text[LINE_CLEAN_MAX + 1];
    struct letter letter = {.node = S("n-1"),
        .from = {1, 2},
        .sender = 3,
        .to = {4, 1ULL << 63},
        .receiver = UINT32_MAX,
        .sequence = 6,
        .text = S("psst")};
    struct letter read;
    size_t len = letter_write(out, &letter);

    ck_assert(letter_read(&read, (struct span){out, len}));
    ck_assert(span_equal(read.node, "n-1") && span_equal(read.text, "psst"));
    ck_assert(incarnation_equal(read.from, letter.from) && incarnation_equal(read.to, letter.to));
    ck_assert(read.sender == 3 && read.receiver == UINT32_MAX && read.sequence == 6);
    for (size_t cut = 0; cut <= len - 4; cut++) {
        char *copy = bytes_copy((struct span){out, cut});

        ck_assert(!letter_read(&read, (struct span){copy, cut}));
        free(copy);
    }
    out[2] = 2;
    ck_assert(!letter_read(&read, (struct span){out, len}));
    letter.text = (struct span){text, LINE_CLEAN_MAX};
    len = letter_write(out, &letter);
    ck_assert(letter_read(&read, (struct span){out, len}));
    out[4] = '.';
    ck_assert(!letter_read(&read, (struct span){out, len}));
}
END_TEST

static const struct {
    struct span bytes;
    enum letter_answer answer;
} answer_rows[] = {
    {S("\1"), LETTER_DELIVERED},
    {S("\2"), LETTER_NOBODY},
    {S("\3"), LETTER_BUSY},
    {S("\4"), LETTER_BUSY},
    {S("\1\1"), LETTER_BUSY},
    {S(""), LETTER_BUSY},
};

START_TEST(private_answers)
{
    ck_assert_int_eq(letter_answer_read(answer_rows[_i].bytes), answer_rows[_i].answer);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {batch_heads, 1, 60},
        {batch_heads_bad, COUNT_OF(head_rows), 60},
        {batch_ids_differ, 1, 60},
        {frames_in_pieces, 1, 60},
        {frames_too_long, 1, 60},
        {setups, 1, 60},
        {renewals, 1, 60},
        {setup_names, COUNT_OF(name_rows), 60},
        {states, 1, 60},
        {messages_and_ends, 1, 60},
        {asks, 1, 60},
        {letters, 1, 60},
        {letter_subjects, COUNT_OF(subject_rows), 60},
        {answers, 1, 60},
        {private_letters, 1, 60},
        {private_answers, COUNT_OF(answer_rows), 60},
    };

    return tests_run("cluster_frame", tests, COUNT_OF(tests));
}
