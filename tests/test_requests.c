/*
 * test_requests.c: the form of batches, and what a room makes of the messages of a stream: the next
 * batch of a node's incarnation and no other, the end of an incarnation, the fence, nodes that are
 * gone; and that it is the same at every node. And the batches on their way to the stream.
 */
#define room harness_room /* the harness has a struct of that name, too */
#include "harness.h"
#undef room
#include "compat/compat.h"
#include "compat/poller.h"
#include "server/cluster/apply.h"
#include "server/cluster/cluster.h"
#include "server/cluster/outbox.h"
#include "server/hub/link.h"
#include "server/hub/table.h"
#include "server/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_SIZE (8u << 20)
#define TOKEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct batch_id id = {
    .node = {"alpha", 5}, .incarnation = 3, .nonce = 0x0102030405060708, .number = 9};

/* ---- The form -------------------------------------------------------------------------------- */

static const struct room_request requests[] = {
    {.kind = ROOM_NODE_START, .size = 1ULL << 40},
    {.kind = ROOM_LOGIN, .number = 1, .name = "ann", .login = "", .token = ""},
    {.kind = ROOM_LOGIN,
        .number = UINT32_MAX,
        .posting = PERSON_POSTER,
        .name = "192.0.2.1:5",
        .login = "root",
        .reserved = UINT64_MAX - 1,
        .token = "0123456789abcdef0123456789abcdef"},
    {.kind = ROOM_SAY, .number = 1, .text = {"hello, \xe4\xbd\xa0\t!", 12}},
    {.kind = ROOM_ACT, .number = 1, .text = {"x", 1}},
    {.kind = ROOM_POST, .number = 2, .text = {"y", 1}},
    {.kind = ROOM_RENAME, .number = 1, .name = "ben", .reserved = 5},
    {.kind = ROOM_LEAVE, .number = 1, .reason = "crashed", .text = {"bye", 3}},
    {.kind = ROOM_LEAVE, .number = 1, .reason = "left"},
    {.kind = ROOM_RESUME, .number = 7, .token = TOKEN_A, .login = ""},
    {.kind = ROOM_RESUME, .number = 7, .token = TOKEN_A, .login = "ann"},
    {.kind = ROOM_KICK, .number = 1, .name = "ben", .text = {"enough", 6}},
    {.kind = ROOM_KICK, .number = 1, .name = "ben", .minutes = UINT32_MAX},
    {.kind = ROOM_BAN, .name = "ben", .minutes = 60, .source = {{1, 192, 0, 2, 7}}},
    {.kind = ROOM_BAN, .name = "ben"},
    {.kind = ROOM_HASH, .part = {.place = 10000, .hash = UINT64_MAX}},
    {.kind = ROOM_PART, .text = {"\0\n\xff", 3}, .part = {20000, 1ULL << 40, 1, 2}},
    {.kind = ROOM_STAMP, .stamp = ROOM_STAMP_TOLD_MAX - 1},
    {.kind = ROOM_COMPARE, .part = {.place = UINT64_MAX}},
    {.kind = ROOM_NODE_STOP},
};

static bool word_equal(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static void request_compare(const struct room_request *a, const struct room_request *b)
{
    ensure(a->kind == b->kind && a->number == b->number, "kind %d number %u", (int)b->kind,
        (unsigned)b->number);
    ensure(a->text.len == b->text.len &&
               (a->text.len == 0 || memcmp(a->text.at, b->text.at, a->text.len) == 0),
        "text of %d", (int)a->kind);
    ensure(a->size == b->size, "a start");
    ensure(a->minutes == b->minutes && source_key_equal(&a->source, &b->source), "a ban");
    ensure(a->part.place == b->part.place && a->part.hash == b->part.hash &&
               a->part.index == b->part.index && a->part.count == b->part.count,
        "a part");
    ensure(a->stamp == b->stamp, "a stamp");
    ensure(word_equal(a->name, b->name) && word_equal(a->login, b->login) &&
               word_equal(a->token, b->token) && word_equal(a->reason, b->reason),
        "words of %d", (int)a->kind);
    ensure(a->reserved == b->reserved && a->posting == b->posting, "numbers of %d", (int)a->kind);
}

static bool opens(struct requests *out, const char *bytes, size_t len)
{
    return requests_open(out, (struct span){bytes, len});
}

/* All of them in one batch; where each begins is noted. */
static size_t batch_make(char *out, size_t starts[COUNT_OF(requests) + 1])
{
    size_t len = batch_id_write(out, &id);

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        starts[i] = len;
        len += request_write(out + len, &requests[i]);
    }
    starts[COUNT_OF(requests)] = len;
    return len;
}

/* The same when it has been on its way to a stream that is gone (1), but for places: they are none
 * in the next one. */
START_TEST(what_is_written_is_read)
{
    char bytes[4096];
    size_t starts[COUNT_OF(requests) + 1];
    size_t len = batch_make(bytes, starts);
    struct stored_request got;
    struct requests batch;

    if (_i == 1)
        requests_displace(bytes + starts[0], len - starts[0]);
    ensure(opens(&batch, bytes, len), "a right batch is void");
    ensure(batch_id_equal(&batch.id, &id), "the head");
    ensure(batch.begins, "it starts the incarnation");
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct room_request wanted = requests[i];

        wanted.part.place = _i == 1 ? 0 : wanted.part.place;
        ensure(requests_next(&batch, &got), "request %zu is missing", i);
        request_compare(&wanted, &got.request);
    }
    ensure(!requests_next(&batch, &got), "there is one too many");
}
END_TEST

/* The form is for programs of other versions: not a byte of it may change. */
START_TEST(the_bytes_stay)
{
    static const char wanted[] = "CB\1\1n\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4"
                                 "\1\0\0\0\0\0\0\0\0\x40\0\0\0"
                                 "\3\0\0\1\1\0\3ann\0\0\0\0\0\0\0\6\0\0"
                                 "\4\0\0\1\1\0\2hi"
                                 "\10\0\0\1\1\1\0\0";
    const struct batch_id one = {.node = {"n", 1}, .incarnation = 2, .nonce = 3, .number = 4};
    const struct room_request some[] = {{.kind = ROOM_NODE_START, .size = 1u << 30},
        {.kind = ROOM_LOGIN, .number = 257, .name = "ann", .reserved = 6},
        {.kind = ROOM_SAY, .number = 257, .text = {"hi", 2}},
        {.kind = ROOM_LEAVE, .number = 257, .reason = "lost"}};
    char bytes[256];
    size_t len = batch_id_write(bytes, &one);

    for (size_t i = 0; i < COUNT_OF(some); i++)
        len += request_write(bytes + len, &some[i]);
    ensure(len == sizeof wanted - 1 && memcmp(bytes, wanted, len) == 0, "%zu bytes", len);
}
END_TEST

/* A batch that is cut is void, but where a request ends. */
START_TEST(a_cut_batch_is_void)
{
    char bytes[4096];
    size_t starts[COUNT_OF(requests) + 1];
    size_t len = batch_make(bytes, starts);
    size_t next = 0;

    for (size_t cut = 0; cut <= len; cut++) {
        char *exact = malloc(cut > 0 ? cut : 1);
        bool whole = cut == starts[next];
        struct requests batch;

        ensure(exact != NULL, "no memory");
        memcpy(exact, bytes, cut);
        ensure(opens(&batch, exact, cut) == whole, "cut at %zu", cut);
        next += whole;
        free(exact);
    }
}
END_TEST

#define OF(literal)                                                                                \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

#define START "\1\0\0\0\0\0\0\0\0\x40\0\0\0"

/* Behind a right header. */
static const struct {
    const char *what;
    struct span bytes;
    bool right;
} forms[] = {
    {"a heartbeat", OF(""), true},
    {"a text", OF("\4\0\0\0\1\0\1x"), true},
    {"an unknown kind", OF("\12\0\0\0\1"), false},
    {"kind 0", OF("\0\0\0\0\1"), false},
    {"no text", OF("\4\0\0\0\1\0\0"), false},
    {"a text with LF", OF("\4\0\0\0\1\0\1\n"), false},
    {"a text with NUL", OF("\4\0\0\0\1\0\1\0"), false},
    {"a text with ESC", OF("\5\0\0\0\1\0\1\33"), false},
    {"a text with DEL", OF("\6\0\0\0\1\0\1\177"), false},
    {"a text with TAB", OF("\4\0\0\0\1\0\1\t"), true},
    {"a text with half a character", OF("\4\0\0\0\1\0\1\xc3"), false},
    {"an overlong slash", OF("\4\0\0\0\1\0\2\xc0\xaf"), false},
    {"a surrogate", OF("\4\0\0\0\1\0\3\xed\xa0\x80"), false},
    {"a C1 control", OF("\4\0\0\0\1\0\2\xc2\x9b"), false},
    {"a bidi override", OF("\4\0\0\0\1\0\3\xe2\x80\xae"), false},
    {"a bidi isolate", OF("\4\0\0\0\1\0\3\xe2\x81\xa6"), false},
    {"a line separator", OF("\4\0\0\0\1\0\3\xe2\x80\xa8"), false},
    {"what another table may clean", OF("\4\0\0\0\1\0\3\xe2\x80\x8b"), true},
    {"an unassigned character", OF("\4\0\0\0\1\0\4\xf0\x9f\xbf\xbf"), true},
    {"no reason", OF("\10\0\0\0\1\4\0\0"), false},
    {"the last reason", OF("\10\0\0\0\1\3\0\0"), true},
    {"a name with a space", OF("\7\0\0\0\1\3a b\0\0\0\0\0\0\0\0"), false},
    {"a name with TAB", OF("\7\0\0\0\1\3a\tb\0\0\0\0\0\0\0\0"), false},
    {"no name", OF("\7\0\0\0\1\0\0\0\0\0\0\0\0\0"), false},
    {"a posting of 2", OF("\3\0\0\0\1\2\1a\0\0\0\0\0\0\0\0\0\0"), false},
    {"a short token", OF("\3\0\0\0\1\0\1a\0\0\0\0\0\0\0\0\0\1a"), false},
    {"a token with a capital",
        OF("\11\0\0\0\1\40"
           "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"),
        false},
    {"a token", OF("\11\0\0\0\1\40" TOKEN_A "\0"), true},
    {"a token and a login", OF("\11\0\0\0\1\40" TOKEN_A "\3ann"), true},
    {"a resume without a token", OF("\11\0\0\0\1\0\0"), false},
    {"a start in the middle", OF("\4\0\0\0\1\0\1x" START), false},
    {"two starts", OF(START START), false},
    {"a start", OF(START), true},
    {"something behind a stop", OF("\2\0\0\0\0\4\0\0\0\1\0\1x"), false},
    {"a stamp", OF("\20\0\0\0\0\x03\x78\x10\xfe\x5d\xc5\x1f\xff"), true},
    {"a stamp behind which are too few", OF("\20\0\0\0\0\x03\x78\x10\xfe\x5d\xc5\x20\x00"), false},
    {"a stop", OF("\4\0\0\0\1\0\1x\2\0\0\0\0"), true},
};

START_TEST(what_is_wrong_is_void)
{
    char bytes[4096];
    size_t len = batch_id_write(bytes, &id);
    struct requests batch;

    memcpy(bytes + len, forms[_i].bytes.at, forms[_i].bytes.len);
    ensure(
        opens(&batch, bytes, len + forms[_i].bytes.len) == forms[_i].right, "%s", forms[_i].what);
}
END_TEST

/* Names and texts of the greatest length, one byte more, and a batch that is too large. */
START_TEST(lengths)
{
    static char bytes[BATCH_MAX + REQUEST_MAX];
    static char text[LINE_CLEAN_MAX + 1];
    struct room_request request = {.kind = ROOM_SAY, .number = 1, .text = {text, LINE_CLEAN_MAX}};
    size_t begin = batch_id_write(bytes, &id);
    size_t len = begin;
    struct requests batch;

    memset(text, 'x', sizeof text);
    len += request_write(bytes + len, &request);
    ensure(opens(&batch, bytes, len), "the longest text");
    request.text.len++;
    len = begin + request_write(bytes + begin, &request);
    ensure(!opens(&batch, bytes, len), "one byte more");
    request.text.len--;
    for (len = begin; len <= BATCH_MAX;)
        len += request_write(bytes + len, &request);
    ensure(!opens(&batch, bytes, len), "%zu bytes", len);
    memcpy(bytes + begin, "\7\0\0\0\1\101", 6);
    memset(bytes + begin + 6, 'x', 65 + 8);
    ensure(!opens(&batch, bytes, begin + 6 + 65 + 8), "a name of 65 bytes");
    bytes[begin + 5] = 64;
    ensure(opens(&batch, bytes, begin + 6 + 64 + 8), "a name of 64 bytes");
}
END_TEST

/* ---- Stories: messages in words, and the events that come of them ---------------------------- */

struct story {
    struct table_seed seed;
    struct room room;
    uint64_t time;
    size_t steps;
};

static void story_open(struct story *s, uint64_t key)
{
    memset(s, 0, sizeof *s);
    s->seed.key[0] = key;
    s->time = 1800000000000000;
    ensure(room_init(&s->room, log_new(LOG_SIZE), NULL, &s->seed), "no memory");
}

/* One request: "start", "stop", "login N NAME [LETTER]", "poster N NAME", "say N TEXT", "post N
 * TEXT", "nick N NAME", "leave N", "resume N LETTER". The letter makes a token. */
static void request_read(const char *text, struct stored_request *out)
{
    char word[16] = "";
    char name[NAME_LEN_MAX + 1] = "";
    char letter[4] = "";
    unsigned number = 0;
    int used = 0;

    *out = (struct stored_request){.request = {.reason = "left", .login = ""}};
    sscanf(text, "%15s %u %64s %3s", word, &number, name, letter);
    sscanf(text, "%*s %*u %n", &used);
    out->request.number = number;
    strcpy(out->name, name);
    out->request.name = out->name;
    if (strcmp(word, "resume") == 0)
        memset(out->token, name[0], TOKEN_LEN);
    else if (letter[0] != '\0')
        memset(out->token, letter[0], TOKEN_LEN);
    out->request.token = out->token;
    out->request.text = (struct span){text + used, strlen(text) - (size_t)used};
    out->request.posting = strcmp(word, "poster") == 0 ? PERSON_POSTER : PERSON_MEMBER;
    out->request.kind = strcmp(word, "start") == 0  ? ROOM_NODE_START
                        : strcmp(word, "stop") == 0 ? ROOM_NODE_STOP
                        : strcmp(word, "login") == 0 || strcmp(word, "poster") == 0 ? ROOM_LOGIN
                        : strcmp(word, "say") == 0                                  ? ROOM_SAY
                        : strcmp(word, "post") == 0                                 ? ROOM_POST
                        : strcmp(word, "nick") == 0                                 ? ROOM_RENAME
                        : strcmp(word, "resume") == 0                               ? ROOM_RESUME
                                                                                    : ROOM_LEAVE;
    if (out->request.kind == ROOM_LEAVE)
        out->request.text.len = 0;
}

/* "NODE INCARNATION.RANDOM #NUMBER [+SECONDS]: REQUEST, REQUEST ..." */
static size_t message_read(struct story *s, const char *text, char *out)
{
    char node[NODE_NAME_MAX + 1];
    struct batch_id head;
    unsigned long long number;
    unsigned long long random;
    unsigned long long batch;
    struct stored_request request;
    const char *at = strchr(text, ':');
    double seconds = 0;
    char copy[256];
    size_t len;

    ensure(at != NULL && sscanf(text, "%32s %llu.%llu #%llu +%lf", node, &number, &random, &batch,
                             &seconds) >= 4,
        "%s", text);
    s->time += (uint64_t)(seconds * 1e6);
    head = (struct batch_id){{node, strlen(node)}, number, random, batch, 1};
    len = batch_id_write(out, &head);
    snprintf(copy, sizeof copy, "%s", at + 1);
    for (char *word = strtok(copy, ","); word != NULL; word = strtok(NULL, ",")) {
        request_read(word + strspn(word, " "), &request);
        len += request_write(out + len, &request.request);
    }
    return len;
}

static void story_tell(struct story *s, const char *text)
{
    static char bytes[4096];
    size_t len = message_read(s, text, bytes);
    struct apply apply;
    enum room_result result;
    struct room_outcome outcome;
    enum apply_step step;

    apply_begin(&apply, &s->room, (struct span){bytes, len}, s->time);
    while ((step = apply_next(&apply, &s->room, &result, &outcome)) != STEP_DONE) {
        ensure(step != STEP_LATER, "no memory");
        s->steps++;
    }
}

/* The log without its stamps. */
static const char *story_log(const struct story *s)
{
    static char out[65536];
    char line[LINE_OUT_MAX];
    char *at = out;
    uint64_t pos = log_tail(s->room.log);
    struct log_line facts;

    *at = '\0';
    while (pos < log_head(s->room.log)) {
        uint64_t next = log_line(s->room.log, pos, &facts);

        log_copy(s->room.log, pos, next, line);
        at += sprintf(at, "%s%.*s", at == out ? "" : "; ", (int)(next - pos) - STAMP_LEN - 2,
            line + STAMP_LEN + 1);
        pos = next;
    }
    return out;
}

static const struct {
    const char *what;
    const char *messages[8];
    const char *events;
} stories[] = {
    {"one node", {"a 1.7 #1: start, login 1 ann, say 1 hello", "a 1.7 #2: nick 1 ben, leave 1"},
        "join ann; msg ann hello; nick ann ben; quit ben left"},
    {"names are the room's",
        {"a 1.7 #1: start, login 1 ann", "b 1.8 #1: start, login 1 ann", "c 1.9 #1: start",
            "c 1.9 #2: login 1 ANN"},
        "join ann; join ann_2; join ANN_3"},
    {"a batch is applied once",
        {"a 1.7 #1: start, login 1 ann", "a 1.7 #1: start, login 1 ann", "a 1.7 #2: say 1 x",
            "a 1.7 #2: say 1 x", "a 1.7 #1: start, login 1 ann"},
        "join ann; msg ann x"},
    {"a batch that overtook another one changes nothing",
        {"a 1.7 #1: start, login 1 ann", "a 1.7 #3: say 1 late", "a 1.7 #2: say 1 x",
            "a 1.7 #3: say 1 late"},
        "join ann; msg ann x; msg ann late"},
    {"nothing before the start", {"a 1.7 #1: login 1 ann", "a 1.7 #2: say 1 x"}, ""},
    {"a start ends the incarnation before",
        {"a 1.7 #1: start, login 1 ann, login 2 ben", "a 2.5 #1: start, login 1 ann",
            "a 1.7 #2: say 1 x", "a 2.5 #2: say 1 y"},
        "join ann; join ben; quit ann lost; quit ben lost; join ann; msg ann y"},
    {"a start that is not greater is void",
        {"a 5.7 #1: start, login 1 ann", "a 5.8 #1: start, login 1 ben", "a 4.9 #1: start",
            "a 5.8 #2: login 1 eve", "a 5.7 #2: say 1 x"},
        "join ann; msg ann x"},
    {"a start is the first batch", {"a 1.7 #2: start, login 1 ann"}, ""},
    {"one random value is not another",
        {"a 1.7 #1: start, login 1 ann", "a 1.8 #2: say 1 x", "a 1.7 #2: say 1 y"},
        "join ann; msg ann y"},
    {"a node stops",
        {"a 1.7 #1: start, login 1 ann", "b 1.7 #1: start, login 1 ben",
            "a 1.7 #2: login 2 cat, stop", "a 1.7 #3: login 3 dan", "b 1.7 #2: say 1 x"},
        "join ann; join ben; join cat; quit ann lost; quit cat lost; msg ben x"},
    {"the fence",
        {"a 1.7 #1: start, login 1 ann e", "b 1.7 #1: start", "a 1.7 #2: say 1 one",
            "b 1.7 #2: resume 5 e, say 5 two", "a 1.7 #3: say 1 late, leave 1",
            "b 1.7 #3: say 5 x"},
        "join ann; msg ann one; msg ann two; msg ann x"},
    {"a session that has left is not resumed",
        {"a 1.7 #1: start, login 1 ann e", "b 1.7 #1: start", "a 1.7 #2: leave 1",
            "b 1.7 #2: resume 5 e, say 5 two, login 5 ann e, say 5 x"},
        "join ann; quit ann left; join ann; msg ann x"},
    {"a token is one person's",
        {"a 1.7 #1: start, login 1 ann e, login 2 ben e", "b 1.7 #1: start, resume 5 e, say 5 x"},
        "join ann; msg ann x"},
    {"a session moves on, and back",
        {"a 1.7 #1: start, login 1 ann e", "b 1.7 #1: start, resume 1 e", "a 1.7 #2: resume 2 e",
            "b 1.7 #2: say 1 x, leave 1", "a 1.7 #3: say 1 x, say 2 y"},
        "join ann; msg ann y"},
    {"a moved session ends with its new node",
        {"a 1.7 #1: start, login 1 ann e", "b 1.7 #1: start, resume 1 e", "a 1.7 #2: stop",
            "b 1.7 #2: say 1 x, stop"},
        "join ann; msg ann x; quit ann lost"},
    {"who posts",
        {"a 1.7 #1: start, poster 1 ci, post 1 done, say 1 x, nick 1 y", "a 1.7 #2: leave 1",
            "a 1.7 #3: login 2 ci, post 2 z"},
        "post ci done; join ci"},
    {"one number twice", {"a 1.7 #1: start, login 1 ann, login 1 ben, say 1 x"},
        "join ann; msg ann x"},
    {"a rename to the present name", {"a 1.7 #1: start, login 1 ann, nick 1 ann"}, "join ann"},
    {"a node is gone",
        {"a 1.7 #1: start, login 1 ann", "b 1.7 #1: start, login 1 ben", "b 1.7 #2 +60: say 1 x",
            "a 1.7 #2 +60: say 1 y", "b 1.7 #3: say 1 z"},
        "join ann; join ben; msg ben x; msg ann y; msg ben z"},
};

START_TEST(a_story)
{
    static struct story s;
    const char *log;

    story_open(&s, 1);
    for (size_t i = 0; i < COUNT_OF(stories[_i].messages) && stories[_i].messages[i] != NULL; i++)
        story_tell(&s, stories[_i].messages[i]);
    log = story_log(&s);
    ensure(strcmp(log, stories[_i].events) == 0, "%s: %s", stories[_i].what, log);
    room_free(&s.room);
}
END_TEST

/* The clock of the stream advances by two seconds at most, so an outage makes nobody disappear. */
START_TEST(a_silent_node_is_gone)
{
    static struct story s;
    const char *log;

    story_open(&s, 1);
    story_tell(&s, "a 1.7 #1: start, login 1 ann, login 2 cat");
    story_tell(&s, "b 1.7 #1: start, login 1 ben");
    story_tell(&s, "b 1.7 #2 +3600: say 1 outage");
    for (int i = 3; i <= 8; i++) {
        char text[64];

        snprintf(text, sizeof text, "b 1.7 #%d +2: ", i);
        story_tell(&s, text);
    }
    story_tell(&s, "a 1.7 #2: say 1 here");
    for (int i = 9; i <= 16; i++) {
        char text[64];

        snprintf(text, sizeof text, "b 1.7 #%d +2: ", i);
        story_tell(&s, text);
    }
    story_tell(&s, "a 1.7 #3: say 1 late");
    story_tell(&s, "a 2.1 #1: start, login 1 ann");
    log = story_log(&s);
    ensure(strcmp(log, "join ann; join cat; join ben; msg ben outage; msg ann here; quit ann lost; "
                       "quit cat lost; join ann") == 0,
        "%s", log);
    room_free(&s.room);
}
END_TEST

/* Of a stored message the first event has its time, or the last stamp and a microsecond. */
START_TEST(stamps_are_the_streams)
{
    static struct story s;
    struct log_line line;
    uint64_t pos;

    story_open(&s, 1);
    story_tell(&s, "a 1.7 #1: start, login 1 ann, say 1 x");
    pos = log_line(s.room.log, 0, &line);
    ensure(line.stamp == s.time, "the message's time");
    pos = log_line(s.room.log, pos, &line);
    ensure(line.stamp == s.time + 1, "a microsecond later");
    story_tell(&s, "a 1.7 #2: say 1 y");
    pos = log_line(s.room.log, pos, &line);
    ensure(line.stamp == s.time + 2, "no stamp twice");
    s.time += 10;
    story_tell(&s, "a 1.7 #3: say 1 z");
    (void)log_line(s.room.log, pos, &line);
    ensure(line.stamp == s.time, "the time again");
    room_free(&s.room);
}
END_TEST

/*
 * What a node's transcript had when the stream gave ann's join and three lines, at the times 0 to
 * 3, and what its log has in the end: the node asks for later stamps, and then ann says one line
 * more.
 */
static const struct {
    const char *what;
    const char *given[4]; /* time and line; a line of `gap` */
    const char *log;
} transcripts[] = {
    {"nothing", {NULL}, "join ann; msg ann w; msg ann x; msg ann y; msg ann z"},
    {"the beginning", {"0 join ann", "1 msg ann w"},
        "join ann; msg ann w; msg ann x; msg ann y; msg ann z"},
    {"all of it", {"0 join ann", "1 msg ann w", "2 msg ann x", "3 msg ann y"},
        "join ann; msg ann w; msg ann x; msg ann y; msg ann z"},
    {"more than it", {"1 msg ann w", "2 msg ann x", "3 msg ann y", "9 msg ann lost"},
        "msg ann w; msg ann x; msg ann y; msg ann lost; gap ? 0; msg ann z"},
    {"another room, before it", {"-9 msg old w"},
        "msg old w; join ann; msg ann w; msg ann x; msg ann y; msg ann z"},
    {"another room, meanwhile", {"1 msg old w"},
        "msg old w; gap ? 0; msg ann x; msg ann y; msg ann z"},
    {"another room, in the future", {"-9 msg old w", "1000 msg old x"},
        "msg old w; msg old x; gap ? 0; msg ann z"},
    {"all of it, and then another room",
        {"0 join ann", "1 msg ann w", "2 msg ann x", "9 msg old w"},
        "join ann; msg ann w; msg ann x; msg old w; gap ? 0; msg ann z"},
    {"another line of that stamp", {"0 join ann", "1 msg ann v", "2 msg ann x"},
        "join ann; msg ann v; msg ann x; gap ? 0; msg ann y; msg ann z"},
    {"a longer line", {"0 join ann", "1 msg ann ww", "2 msg ann x"},
        "join ann; msg ann ww; msg ann x; gap ? 0; msg ann y; msg ann z"},
    {"a gap, which is marked", {"0 join ann", "1 gap", "2 msg ann x"},
        "join ann; msg ann x; msg ann y; msg ann z"},
};

static void transcript_remember(struct story *s, const char *text)
{
    long after = strtol(text, NULL, 10);
    char line[80];
    uint64_t stamp = s->time + (uint64_t)after;

    text = strchr(text, ' ') + 1;
    if (strcmp(text, "gap") == 0) {
        room_remember_gap(&s->room, stamp);
        return;
    }
    stamp_format(line, stamp);
    snprintf(line + STAMP_LEN, sizeof line - STAMP_LEN, " %s", text);
    room_remember(&s->room, (struct span){line, strlen(line)}, (struct log_line){.stamp = stamp});
}

START_TEST(what_is_known_is_not_appended)
{
    static struct story s;
    struct room_request later = {.kind = ROOM_STAMP};
    struct room_outcome outcome;
    const char *log;

    story_open(&s, 1);
    for (size_t i = 0; i < 4 && transcripts[_i].given[i] != NULL; i++)
        transcript_remember(&s, transcripts[_i].given[i]);
    s.room.known = s.room.stamp;
    s.room.stamp = 0;
    story_tell(&s, "a 1.7 #1: start, login 1 ann, say 1 w, say 1 x, say 1 y");
    later.stamp = s.room.known;
    ensure(room_apply(&s.room, &later, &outcome) == ROOM_DONE, "not done");
    story_tell(&s, "a 1.7 #2: say 1 z");
    log = story_log(&s);
    ensure(strcmp(log, transcripts[_i].log) == 0, "%s: %s", transcripts[_i].what, log);
    ensure(s.room.member_count == 1 && outcome.start == outcome.end, "another room");
    room_free(&s.room);
}
END_TEST

/* ---- The same at every node ------------------------------------------------------------------ */

static uint32_t random_next(uint32_t *state, uint32_t limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*state * limit) >> 32);
}

static void random_request(uint32_t *r, char *out, size_t size)
{
    static const char *const names[] = {"ann", "ANN", "ben", "ann_2", "\xc3\xa9"};
    unsigned number = 1 + random_next(r, 8);
    const char *name = names[random_next(r, COUNT_OF(names))];
    char token = (char)('a' + random_next(r, 6));

    switch (random_next(r, 9)) {
    case 0:
        snprintf(out, size, ", leave %u", number);
        break;
    case 1:
        snprintf(out, size, ", nick %u %s", number, name);
        break;
    case 2:
        snprintf(out, size, ", resume %u %c", number, token);
        break;
    case 3:
        snprintf(out, size, ", poster %u %s", number, name);
        break;
    case 4:
        snprintf(out, size, ", post %u x", number);
        break;
    case 5:
    case 6:
        snprintf(out, size, ", login %u %s %c", number, name, token);
        break;
    default:
        snprintf(out, size, ", say %u x", number);
        break;
    }
}

/* Messages of three nodes, most of them right. */
static void random_story(struct story *s, uint32_t seed, int messages)
{
    unsigned incarnation[3] = {0, 0, 0};
    unsigned batch[3] = {0, 0, 0};
    uint32_t r = seed;

    for (int i = 0; i < messages; i++) {
        size_t node = random_next(&r, 3);
        bool start = incarnation[node] == 0 || random_next(&r, 40) == 0;
        char text[256];
        size_t len;

        incarnation[node] += start;
        batch[node] = start ? 1 : batch[node] + (random_next(&r, 20) != 0);
        len = (size_t)snprintf(text, sizeof text, "%c %u.%u #%u +%u.%u: %s",
            (char)('x' + (char)node), incarnation[node], incarnation[node] * 7, batch[node],
            random_next(&r, 30) == 0 ? 5 : 0, random_next(&r, 1000), start ? "start" : "say 1 y");
        for (uint32_t k = random_next(&r, 5); k > 0; k--) {
            random_request(&r, text + len, sizeof text - len);
            len += strlen(text + len);
        }
        if (random_next(&r, 60) == 0)
            snprintf(text + len, sizeof text - len, ", stop");
        story_tell(s, text);
    }
}

/* The other one runs in a child, whose memory, addresses and hashes are its own. */
START_TEST(two_processes)
{
    static struct story s;
    static char other[LOG_SIZE];
    uint32_t seed = (uint32_t)_i * 7919u + 1;
    size_t got = 0;
    ssize_t n;
    int status;
    int out[2];
    pid_t pid;
    size_t len;
    char *mine;

    ensure(pipe(out) == 0 && (pid = fork()) != -1, "fork: %s", strerror(errno));
    story_open(&s, pid == 0 ? 99 : 1);
    random_story(&s, seed, 2000);
    len = (size_t)log_head(s.room.log);
    mine = malloc(len);
    ensure(mine != NULL, "no memory");
    log_copy(s.room.log, 0, len, mine);
    if (pid == 0) {
        for (size_t at = 0; at < len; at += (size_t)n)
            if ((n = write(out[1], mine + at, len - at)) == -1)
                _exit(1);
        _exit(0);
    }
    close(out[1]);
    while (got < sizeof other && (n = read(out[0], other + got, sizeof other - got)) > 0)
        got += (size_t)n;
    close(out[0]);
    ensure(waitpid(pid, &status, 0) == pid && status == 0, "the child failed");
    ensure(
        len > 10000 && got == len && memcmp(mine, other, len) == 0, "%zu and %zu bytes", len, got);
    free(mine);
    room_free(&s.room);
}
END_TEST

/* ---- The way to the stream ------------------------------------------------------------------- */

/* The limit falls below what is in the open batch: no request has room, until that is sealed. */
START_TEST(a_limit_falls)
{
    const struct room_request say = {.kind = ROOM_SAY, .number = 1, .text = {"hi", 2}};
    const struct ticket nobody = {.owner = NULL};
    struct outbox o;

    ensure(outbox_init(&o), "no memory");
    o.batch_max = BATCH_MAX;
    while (o.open_len <= BATCH_MIN)
        ensure(outbox_put(&o, &say, &nobody), "there is room");
    o.batch_max = BATCH_MIN;
    ensure(!outbox_has_room(&o) && !outbox_put(&o, &say, &nobody), "there is no room");
    ensure(outbox_seal(&o, id.node, (struct incarnation){1, 1}, 1), "no memory");
    ensure(outbox_has_room(&o), "the next one is empty");
    outbox_free(&o);
}
END_TEST

static void flood(struct mailbox *mailbox, struct outbox *outbox)
{
    static const char text[2000];
    const struct frame_ask ask = {.until = 1, .node = id.node, .bytes = {text, sizeof text}};
    const struct room_request say = {.kind = ROOM_SAY, .number = 1, .text = {text, sizeof text}};
    const struct ticket nobody = {.owner = NULL};

    while (mailbox_ask(mailbox, &ask)) {}
    while (outbox->bytes < (1u << 20))
        ensure(outbox_put(outbox, &say, &nobody) &&
                   outbox_seal(outbox, id.node, (struct incarnation){1, 1}, 1),
            "no memory");
}

/* Private messages and batches share the pair: neither waits until there are none of the other. */
START_TEST(a_flood_of_both)
{
    static char bytes[1 << 20];
    struct engine_end end = {.fd = -1};
    struct mailbox mailbox;
    struct outbox outbox;
    size_t len = 0;
    size_t waits[2] = {0, 0};
    uint64_t batches = 0;
    int pair[2];

    ensure(mailbox_init(&mailbox) && outbox_init(&outbox), "no memory");
    ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "no pair");
    ensure(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0, "%s", strerror(errno));
    end.fd = pair[0];
    for (unsigned i = 0; i < 200; i++) {
        struct span rest = {bytes, 0};
        struct frame frame;
        ssize_t n;

        flood(&mailbox, &outbox);
        (void)engine_end_send(&end, &outbox, &mailbox);
        n = recv(pair[1], bytes + len, sizeof bytes - len, MSG_DONTWAIT);
        rest.len = len += n > 0 ? (size_t)n : 0;
        while (frame_next(&frame, &rest) == FRAME_READY) {
            bool is_batch = frame.kind == FRAME_PUBLISH;

            ensure(is_batch || frame.kind == FRAME_ASK, "kind %u", frame.kind);
            waits[is_batch] = 0;
            outbox_forget(&outbox, batches += is_batch);
            waits[!is_batch] += frame.payload.len;
            ensure(waits[!is_batch] <= 2 * 65536, "one waits for %zu bytes", waits[!is_batch]);
        }
        memmove(bytes, rest.at, rest.len);
        len = rest.len;
    }
    close(pair[0]);
    close(pair[1]);
    mailbox_free(&mailbox);
    outbox_free(&outbox);
}
END_TEST

/* What the present engine was sent in part comes back, as an earlier engine had published it. The
 * engine gets the rest of its frame, and then the next one; or another engine gets that one. */
START_TEST(a_batch_returns_while_it_is_sent)
{
    static char text[LINE_CLEAN_MAX];
    static char bytes[1 << 20];
    const struct room_request say = {.kind = ROOM_SAY, .number = 1, .text = {text, sizeof text}};
    const struct ticket nobody = {.owner = NULL};
    struct span rest = {bytes, 0};
    struct frame frame;
    struct outbox o;
    ssize_t n;
    int pair[2];

    ensure(outbox_init(&o) && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "no memory");
    ensure(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0, "%s", strerror(errno));
    memset(text, 'x', sizeof text);
    o.batch_max = BATCH_MAX;
    while (!outbox_is_cut(&o)) {
        for (int i = 0; i < 15; i++)
            ensure(outbox_put(&o, &say, &nobody), "there is no room");
        ensure(outbox_seal(&o, id.node, (struct incarnation){1, 1}, 1), "no memory");
        (void)outbox_send(&o, pair[0]);
    }
    ensure(outbox_seal(&o, id.node, (struct incarnation){1, 1}, 1), "no memory");
    outbox_forget(&o, o.next - 2);
    ensure(outbox_is_cut(&o) && outbox_oldest(&o)->number == o.next - 1, "all are forgotten");
    for (int i = 0; _i == 0 && (outbox_is_waiting(&o) || i == 0); i++) {
        (void)outbox_send(&o, pair[0]);
        while ((n = recv(pair[1], bytes + rest.len, sizeof bytes - rest.len, MSG_DONTWAIT)) > 0)
            rest.len += (size_t)n;
    }
    for (uint64_t i = 1; _i == 0 && i < o.next; i++) {
        struct requests batch;

        ensure(frame_next(&frame, &rest) == FRAME_READY && frame.kind == FRAME_PUBLISH &&
                   requests_open(&batch, frame.payload) && batch.id.number == i,
            "another frame");
    }
    if (_i == 1)
        outbox_rewind(&o);
    ensure(outbox_is_waiting(&o) == (_i == 1) && !outbox_is_cut(&o), "something is left");
    ensure(o.first == o.last && o.bytes == o.first->len, "it is not freed");
    outbox_forget(&o, o.next - 1);
    ensure(outbox_oldest(&o) == NULL && o.bytes == 0, "it is not freed");
    close(pair[0]);
    close(pair[1]);
    outbox_free(&o);
}
END_TEST

/* The engine's frame is as large as what the hub can hold: when it is applied the next is read. */
START_TEST(a_full_inbox)
{
    static char frame[FRAME_HEAD + FRAME_PAYLOAD_MAX];
    const struct frame_message message = {
        .sequence = 1, .time = 1, .bytes = {NULL, FRAME_PAYLOAD_MAX - FRAME_MESSAGE_HEAD}};
    const struct cluster_config config = {
        .servers = {"h", 1}, .room = {"r", 1}, .node = id.node, .form = 1, .credentials = ""};
    static struct report report;
    struct poller *poller = poller_new();
    struct cluster *c = cluster_new(&config);
    struct applied applied;
    struct story s;
    int pair[2];

    story_open(&s, 1);
    ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && poller != NULL && c != NULL &&
               cluster_set_engine(c, pair[0], poller),
        "no memory");
    c->search.whole = true; /* it was found that the stream is to be applied from there */
    frame_message_write(frame, &message);
    for (size_t at = 0; at < sizeof frame;) {
        ssize_t n = send(pair[1], frame + at, sizeof frame - at, MSG_DONTWAIT);

        at += n > 0 ? (size_t)n : 0;
        cluster_ready(c, POLLIN);
        cluster_read(c, poller, &report);
    }
    while (c->inbox.len < sizeof frame) {
        cluster_ready(c, POLLIN);
        cluster_read(c, poller, &report);
    }
    while (cluster_next(c, &s.room, &report, &applied, 1)) {}
    ensure(c->inbox.sequence == 1 && c->state == CLUSTER_LOADING, "state %d", (int)c->state);
    cluster_flush(c, &s.room, poller, &report, 1);
    ensure((c->engine.watch.events & POLLIN) != 0, "nothing is read again");
    cluster_free(c, poller);
    close(pair[1]);
    poller_free(poller);
    room_free(&s.room);
}
END_TEST

/* The engine does not say twice why there is no cluster; the log has it once a minute. */
START_TEST(said_once_a_minute)
{
    const struct cluster_config config = {
        .servers = {"h", 1}, .room = {"r", 1}, .node = id.node, .form = 1, .credentials = ""};
    const struct frame_state state = {.state = ENGINE_CONNECTING, .text = {"refused", 7}};
    const uint64_t minute = 60000000u;
    char bytes[FRAME_STATE_MAX];
    struct report report = {.to = REPORT_SYSLOG, .syslog = -1};
    struct poller *poller = poller_new();
    struct cluster *c = cluster_new(&config);
    struct applied applied;
    struct story s;
    int pair[2];

    story_open(&s, 1);
    ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && poller != NULL && c != NULL &&
               cluster_set_engine(c, pair[0], poller),
        "no memory");
    cluster_read(c, poller, &report);
    ensure(cluster_due(c) == UINT64_MAX, "nothing was said yet");
    ensure(write_all(pair[1], bytes, frame_state_write(bytes, &state)), "a full pair");
    cluster_ready(c, POLLIN);
    cluster_read(c, poller, &report);
    while (cluster_next(c, &s.room, &report, &applied, minute)) {}
    ensure(c->engine.told_at == minute && cluster_due(c) == 2 * minute, "it is said");
    cluster_tell(c, &report, 2 * minute - 1);
    ensure(c->engine.told_at == minute, "it is said too soon");
    cluster_tell(c, &report, 2 * minute);
    ensure(c->engine.told_at == 2 * minute && cluster_due(c) == 3 * minute, "it is said again");
    cluster_free(c, poller);
    close(pair[1]);
    poller_free(poller);
    room_free(&s.room);
}
END_TEST

/* A node whose start is under way in an empty stream applies it from its first message on, however
 * much is stored until there is another engine. */
START_TEST(an_engine_in_an_empty_stream)
{
    const struct cluster_config config = {
        .servers = {"h", 1}, .room = {"r", 1}, .node = id.node, .form = 1, .credentials = ""};
    const struct frame_end end = {.sequence = 0};
    char bytes[FRAME_SETUP_MAX];
    struct frame_setup setup;
    static struct report report;
    struct poller *poller = poller_new();
    struct cluster *c = cluster_new(&config);
    struct applied applied;
    struct story s;
    int pairs[2][2];

    story_open(&s, 1);
    ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[0]) == 0 &&
               socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[1]) == 0 && poller != NULL && c != NULL &&
               cluster_set_engine(c, pairs[0][0], poller),
        "no memory");
    frame_end_write(bytes, &end);
    ensure(write_all(pairs[0][1], bytes, FRAME_END_SIZE), "a full pair");
    cluster_ready(c, POLLIN);
    cluster_read(c, poller, &report);
    while (cluster_next(c, &s.room, &report, &applied, 1)) {}
    ensure(c->state == CLUSTER_STARTING, "state %d", (int)c->state);
    ensure(cluster_set_engine(c, pairs[1][0], poller), "no memory");
    ensure(frame_setup_read(&setup,
               (struct span){c->engine.setup + FRAME_HEAD, c->engine.setup_len - FRAME_HEAD}),
        "no setup");
    ck_assert_uint_eq(setup.next, 1);
    cluster_free(c, poller);
    close(pairs[0][1]);
    close(pairs[1][1]);
    poller_free(poller);
    room_free(&s.room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {what_is_written_is_read, 2, 5},
        {the_bytes_stay, 1, 5},
        {a_cut_batch_is_void, 1, 5},
        {what_is_wrong_is_void, COUNT_OF(forms), 5},
        {lengths, 1, 5},
        {a_story, COUNT_OF(stories), 5},
        {a_silent_node_is_gone, 1, 5},
        {stamps_are_the_streams, 1, 5},
        {what_is_known_is_not_appended, COUNT_OF(transcripts), 5},
        {two_processes, 6, 30},
        {a_limit_falls, 1, 5},
        {a_flood_of_both, 1, 5},
        {a_batch_returns_while_it_is_sent, 2, 5},
        {said_once_a_minute, 1, 5},
        {a_full_inbox, 1, 5},
        {an_engine_in_an_empty_stream, 1, 5},
    };

    return tests_run("batch", tests, COUNT_OF(tests));
}
