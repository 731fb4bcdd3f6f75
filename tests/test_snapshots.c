/*
 * test_snapshots.c: the state of a room as bytes: what is loaded from them goes on as the room that
 * they were taken of, and nothing else is loaded; where they are taken, whose are right, and which
 * of those in a stream a node begins with.
 */
#define room harness_room /* the harness has a struct of that name, too */
#include "harness.h"
#undef room
#include "server/cluster/apply.h"
#include "server/cluster/copy.h"
#include "server/cluster/search.h"
#include "server/hub/codec.h"
#include "server/hub/link.h"
#include "server/hub/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME 1800000000000000u
#define NODES 3
#define STEPS 400

static const char *const node_names[NODES] = {"a", "b", "c"};

/* ---- Two rooms of one stream ----------------------------------------------------------------- */

struct world {
    struct table_seed seed;
    struct room room;
};

static void world_open(struct world *w, uint64_t key)
{
    *w = (struct world){.seed = {{key, ~key}}};
    ensure(room_init(&w->room, log_new(0), NULL, &w->seed), "no memory");
}

static void world_apply(struct world *w, struct span message, uint64_t time)
{
    struct apply apply;
    enum room_result result;
    struct room_outcome outcome;
    enum apply_step step;

    apply_begin(&apply, &w->room, message, time);
    while ((step = apply_next(&apply, &w->room, &result, &outcome)) != STEP_DONE)
        ensure(step != STEP_LATER, "no memory");
}

/* The caller frees the bytes. */
static struct span world_write(struct world *w)
{
    struct codec codec = {.loading = false};

    replica_state(&w->room, &codec);
    ensure(!codec.bad, "no memory");
    return (struct span){codec.buf, codec.len};
}

static bool span_same(struct span a, struct span b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* ---- A story of chance ----------------------------------------------------------------------- */

struct story {
    uint64_t random;
    uint64_t time;
    struct batch_id ids[NODES];
};

static unsigned chance(struct story *s, unsigned below)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(s->random >> 33) % below;
}

static void request_choose(struct story *s, struct room_request *r, char token[TOKEN_LEN + 1])
{
    static const enum room_request_kind kinds[] = {ROOM_LOGIN, ROOM_LOGIN, ROOM_LOGIN, ROOM_SAY,
        ROOM_POST, ROOM_RENAME, ROOM_LEAVE, ROOM_RESUME, ROOM_RESUME, ROOM_KICK};
    static const char *const wanted[] = {"ann", "Ann", "ben", "ben_2", "eve"};

    memset(token, "0123456789abcdef"[chance(s, 16)], TOKEN_LEN);
    token[TOKEN_LEN] = '\0';
    *r = (struct room_request){.kind = kinds[chance(s, COUNT_OF(kinds))],
        .number = chance(s, 12),
        .name = wanted[chance(s, COUNT_OF(wanted))],
        .posting = chance(s, 4) == 0 ? PERSON_POSTER : PERSON_MEMBER,
        .login = "",
        .reason = "left",
        .token = token,
        .text = {"x", 1}};
    if (r->kind == ROOM_LOGIN && chance(s, 3) == 0)
        token[0] = '\0';
}

/* The next message of one of the nodes. */
static size_t story_next(struct story *s, char *out)
{
    unsigned node = chance(s, NODES);
    struct batch_id *id = &s->ids[node];
    struct room_request request = {.kind = ROOM_NODE_START};
    char token[TOKEN_LEN + 1];
    bool starts = id->incarnation == 0 || chance(s, 40) == 0;
    size_t len;

    s->time += chance(s, 400) == 0 ? 9000000 : chance(s, 1500000);
    if (starts)
        *id = (struct batch_id){{node_names[node], 1}, id->incarnation + 1, 7, 0, 1};
    id->number++;
    len = batch_id_write(out, id);
    if (starts)
        len += request_write(out + len, &request);
    for (unsigned i = chance(s, 4); i > 0; i--) {
        request_choose(s, &request, token);
        len += request_write(out + len, &request);
    }
    return len;
}

/* ---- What is loaded -------------------------------------------------------------------------- */

/* The lines of both, from there on. */
static void lines_compare(
    const struct log *a, uint64_t from_a, const struct log *b, uint64_t from_b)
{
    size_t len = (size_t)(log_head(a) - from_a);
    char *mine = malloc(len + 1);
    char *other = malloc(len + 1);

    ensure(log_head(b) - from_b == len && mine != NULL && other != NULL, "%zu bytes of lines", len);
    log_copy(a, from_a, log_head(a), mine);
    log_copy(b, from_b, log_head(b), other);
    ensure(memcmp(mine, other, len) == 0, "other lines");
    free(mine);
    free(other);
}

/* w[1] is loaded with what w[0] is. */
static void world_load(struct world w[2])
{
    struct span bytes = world_write(&w[0]);
    struct span other;

    ensure(replica_load(&w[1].room, bytes), "what was written is not read");
    other = world_write(&w[1]);
    ensure(span_same(bytes, other), "it is written otherwise");
    free((char *)bytes.at);
    free((char *)other.at);
}

/* A room that is loaded in the middle is equal to one that has had everything, to the end. */
START_TEST(the_rest_of_the_stream)
{
    struct story story = {.random = (uint64_t)_i, .time = TIME};
    unsigned at = chance(&story, STEPS);
    char message[4096];
    struct world w[2];
    uint64_t from = 0;
    struct span bytes[2];

    world_open(&w[0], 1);
    world_open(&w[1], 77);
    for (unsigned i = 0; i < STEPS; i++) {
        struct span next = {message, story_next(&story, message)};

        world_apply(&w[0], next, story.time);
        if (i > at)
            world_apply(&w[1], next, story.time);
        if (i != at)
            continue;
        world_load(w);
        from = log_head(w[0].room.log);
    }
    lines_compare(w[0].room.log, from, w[1].room.log, 0);
    for (int i = 0; i < 2; i++)
        bytes[i] = world_write(&w[i]);
    ensure(span_same(bytes[0], bytes[1]), "another room");
    ensure(replica_hash(bytes[0]) == replica_hash(bytes[1]), "another hash");
    for (int i = 0; i < 2; i++) {
        free((char *)bytes[i].at);
        room_free(&w[i].room);
    }
}
END_TEST

/* A room is cleared, and goes on as another one that is behind: its lines stay, and what is missing
 * stands behind them. */
START_TEST(what_is_cleared)
{
    const struct batch_id id = {{"a", 1}, 1, 7, 1, 1};
    const struct room_request start = {.kind = ROOM_NODE_START};
    const struct room_request login = {.kind = ROOM_LOGIN, .number = 1, .name = "ann", .login = ""};
    char message[256];
    size_t len = batch_id_write(message, &id);
    struct world w[2];
    struct log_line line = {.stamp = 0};
    struct span bytes;

    len += request_write(message + len, &start);
    len += request_write(message + len, &login);
    for (uint64_t i = 0; i < 2; i++) {
        world_open(&w[i], i);
        world_apply(&w[i], (struct span){message, len}, TIME - i);
    }
    bytes = world_write(&w[1]);
    ensure(room_clear(&w[0].room) && replica_load(&w[0].room, bytes), "it is not loaded");
    room_note_missing(&w[0].room);
    for (uint64_t at = 0; at < log_head(w[0].room.log);) {
        uint64_t before = line.stamp;

        at = log_line(w[0].room.log, at, &line);
        ensure(line.stamp >= before, "an earlier stamp");
    }
    ck_assert_uint_eq(line.stamp, TIME);
    free((char *)bytes.at);
    for (size_t i = 0; i < 2; i++)
        room_free(&w[i].room);
}
END_TEST

/* A room with some of everything. The caller frees the bytes. */
static struct span example_write(void)
{
    struct story story = {.random = 5, .time = TIME};
    char message[4096];
    struct world w;
    struct span bytes;

    world_open(&w, 1);
    for (unsigned i = 0; i < 100 || w.room.member_count < 4; i++)
        world_apply(&w, (struct span){message, story_next(&story, message)}, story.time);
    bytes = world_write(&w);
    room_free(&w.room);
    return bytes;
}

static bool loads(struct span bytes)
{
    char *exact = malloc(bytes.len + 1);
    struct world w;
    bool loaded;

    ensure(exact != NULL, "no memory");
    memcpy(exact, bytes.at, bytes.len);
    exact = realloc(exact, bytes.len > 0 ? bytes.len : 1); /* a sanitizer sees what is behind */
    world_open(&w, 3);
    loaded = replica_load(&w.room, (struct span){exact, bytes.len});
    if (loaded) {
        struct span again = world_write(&w);

        ensure(span_same(again, bytes), "it is not what was read");
        free((char *)again.at);
    }
    room_free(&w.room);
    free(exact);
    return loaded;
}

START_TEST(what_is_cut_is_refused)
{
    struct span bytes = example_write();
    char *more = malloc(bytes.len + 1);

    ensure(more != NULL && loads(bytes), "it is not loaded");
    memcpy(more, bytes.at, bytes.len);
    more[bytes.len] = '\0';
    ensure(!loads((struct span){more, bytes.len + 1}), "one byte too many");
    for (size_t cut = 0; cut < bytes.len; cut++)
        ensure(!loads((struct span){bytes.at, cut}), "cut at %zu", cut);
    free(more);
    free((char *)bytes.at);
}
END_TEST

/* Other bytes are refused, or are another room; its hash is another one in any case. */
START_TEST(what_is_changed_has_another_hash)
{
    static const unsigned char flips[] = {1, 0x80, 0xff};
    struct span bytes = example_write();
    uint64_t hash = replica_hash(bytes);
    char *changed = (char *)bytes.at;

    for (size_t i = 0; i < bytes.len; i++)
        for (size_t j = 0; j < COUNT_OF(flips); j++) {
            changed[i] = (char)(changed[i] ^ flips[j]);
            ensure(replica_hash(bytes) != hash, "byte %zu", i);
            (void)loads(bytes);
            changed[i] = (char)(changed[i] ^ flips[j]);
        }
    free(changed);
}
END_TEST

#define TOKEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ONE8 "\1\0\0\0\0\0\0\0"
#define ZERO8 "\0\0\0\0\0\0\0\0"
#define SIZE_BYTES "\0\0\0\x40\0\0\0\0"          /* 1 GiB */
#define STAMP_BYTES "\0\x80\x98\x28\x17\x65\6\0" /* TIME */

/* The form is for programs of other versions: not a byte of it may change. */
START_TEST(the_bytes_stay)
{
    static const char wanted[] =
        "\1\0\0\0\0\0\0\0" STAMP_BYTES STAMP_BYTES ZERO8 ONE8 SIZE_BYTES ZERO8 ZERO8 ZERO8 ZERO8
        "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0a\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0" ONE8
            ZERO8 ONE8 ONE8 STAMP_BYTES "\3\0\0\0\0\0\0\0ann\4\0\0\0\0\0\0\0root" ZERO8
        "\2\1\0\0\0\0\0\0\40\0\0\0\0\0\0\0" TOKEN_A ZERO8 "\1\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0";
    const struct batch_id id = {{"a", 1}, 1, 7, 1, 1};
    const struct room_request start = {.kind = ROOM_NODE_START, .size = 1u << 30};
    const struct room_request login = {
        .kind = ROOM_LOGIN, .number = 258, .name = "ann", .login = "root", .token = TOKEN_A};
    char message[256];
    size_t len = batch_id_write(message, &id);
    struct span bytes;
    struct world w;

    world_open(&w, 1);
    len += request_write(message + len, &start);
    len += request_write(message + len, &login);
    world_apply(&w, (struct span){message, len}, TIME);
    bytes = world_write(&w);
    ensure(span_same(bytes, (struct span){wanted, sizeof wanted - 1}), "%zu bytes", bytes.len);
    ensure(
        replica_hash(bytes) == 0x999ed20fcf69dc16, "%llx", (unsigned long long)replica_hash(bytes));
    free((char *)bytes.at);
    room_free(&w.room);
}
END_TEST

/* ---- Nodes that are forgotten ---------------------------------------------------------------- */

/* A node starts, or stops in batch 2. */
static void node_says(
    struct world *w, const char *node, uint64_t incarnation, enum room_request_kind kind)
{
    const struct batch_id id = {
        {node, strlen(node)}, incarnation, 7, kind == ROOM_NODE_START ? 1 : 2, 1};
    const struct room_request request = {.kind = kind};
    char message[128];
    size_t len = batch_id_write(message, &id);

    len += request_write(message + len, &request);
    world_apply(w, (struct span){message, len}, TIME);
}

static struct node *node_of(const struct world *w, const char *node)
{
    return nodes_find(&w->room.nodes, (struct span){node, strlen(node)});
}

/* A day after its stop; a start that would not have counted before does not count then. */
START_TEST(what_is_forgotten)
{
    struct world w[2];

    world_open(&w[0], 1);
    world_open(&w[1], 77);
    node_says(&w[0], "a", 5, ROOM_NODE_START);
    node_says(&w[0], "a", 5, ROOM_NODE_STOP);
    w[0].room.nodes.clock += 86400000000u;
    world_apply(&w[0], (struct span){"", 0}, TIME);
    ensure(node_of(&w[0], "a") != NULL, "it is forgotten too soon");
    w[0].room.nodes.clock++;
    world_apply(&w[0], (struct span){"", 0}, TIME);
    ensure(nodes_next(&w[0].room.nodes, NULL) == NULL, "it is not forgotten");
    world_load(w); /* at another node, from a snapshot, it is the same */
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        node_says(&w[i], "a", 5, ROOM_NODE_START);
        node_says(&w[i], "b", 5, ROOM_NODE_START);
        node_says(&w[i], "a", 5, ROOM_NODE_STOP);
        ensure(nodes_next(&w[i].room.nodes, NULL) == NULL, "an old start counts");
        node_says(&w[i], "b", 6, ROOM_NODE_START);
        node_says(&w[i], "a", 6, ROOM_NODE_START);
        ensure(node_of(&w[i], "a")->state == NODE_RUNNING, "a new start does not count");
        ensure(node_of(&w[i], "b")->state == NODE_RUNNING, "nor does that of another");
        room_free(&w[i].room);
    }
}
END_TEST

/* ---- Where and whose ------------------------------------------------------------------------- */

START_TEST(places)
{
    struct nodes nodes;

    nodes_init(&nodes);
    for (uint64_t i = 1; i < 10000; i++)
        ensure(!nodes_pass(&nodes, i, 50), "message %llu", (unsigned long long)i);
    ensure(nodes_pass(&nodes, 10000, 50), "10 000 messages");
    for (uint64_t i = 10001; i < 10128; i++)
        ensure(!nodes_pass(&nodes, i, BATCH_MAX), "message %llu", (unsigned long long)i);
    ensure(nodes_pass(&nodes, 10128, BATCH_MAX), "32 MiB");
    nodes.clock += 599999999;
    ensure(!nodes_pass(&nodes, 10129, 50), "not quite ten minutes");
    nodes.clock++;
    ensure(nodes_pass(&nodes, 10130, 50) && !nodes_pass(&nodes, 10131, 50), "ten minutes");
    ensure(nodes.place.sequence == 10130 && nodes.place.bytes == 50, "the place");
}
END_TEST

/* The size of the stream, and the bytes from one place to the next. */
static const struct {
    uint64_t size;
    uint64_t bytes;
} sizes[] = {{0, 32u << 20}, {1u << 30, 32u << 20}, {128u << 20, 4u << 20}, {1ULL << 33, 1u << 28},
    {1u << 20, 2u << 20}};

/* It is what the last node that started has seen. */
START_TEST(places_by_size)
{
    struct batch_id id = {{"a", 1}, 1, 7, 1, 1};
    char message[128];
    struct world w;

    world_open(&w, 1);
    for (; id.incarnation <= 2; id.incarnation++) {
        const struct room_request start = {
            .kind = ROOM_NODE_START, .size = id.incarnation == 1 ? 77 : sizes[_i].size};
        size_t len = batch_id_write(message, &id);

        len += request_write(message + len, &start);
        world_apply(&w, (struct span){message, len}, TIME);
    }
    ensure(!nodes_pass(&w.room.nodes, 1, (size_t)sizes[_i].bytes - 1), "too soon");
    ensure(nodes_pass(&w.room.nodes, 2, 1), "too late");
    room_free(&w.room);
}
END_TEST

/* What the nodes a, b and c have told (0: nothing, a capital: it does not run), how many seconds
 * ago the place was, and who is right. */
static const struct {
    const char *told;
    unsigned seconds;
    const char *right;
} comparisons[] = {
    {"111", 0, "a"},
    {"110", 0, NULL},
    {"110", 6, "a"},
    {"11A", 0, "a"},
    {"211", 0, "b"},
    {"112", 0, "a"},
    {"121", 0, "a"},
    {"12C", 0, "a"},
    {"B12", 0, "b"},
    {"321", 0, "a"},
    {"012", 6, "b"},
    {"000", 6, NULL},
    {"AAA", 0, NULL},
};

START_TEST(the_right_ones)
{
    struct copy copy = {.state = COPY_COMPARING, .place = 10000};
    struct nodes nodes;
    const struct node *right;
    const char *want = comparisons[_i].right;

    nodes_init(&nodes);
    nodes.place.sequence = 10000;
    nodes.clock = comparisons[_i].seconds * (uint64_t)1000000;
    for (size_t i = NODES; i-- > 0;) {
        char told = comparisons[_i].told[i];
        struct node *node = nodes_add(&nodes, (struct span){node_names[i], 1});

        ensure(node != NULL, "no memory");
        node->state = told > '9' ? NODE_OFF : NODE_RUNNING;
        node->told_place = told == '0' ? 0 : 10000;
        node->told_hash = (uint64_t)told;
    }
    right = copy_compare(&copy, &nodes);
    ensure((right == NULL) == (want == NULL) && (want == NULL || strcmp(right->name, want) == 0),
        "%s of %s", right == NULL ? "nobody" : right->name, comparisons[_i].told);
    nodes_free(&nodes);
}
END_TEST

/* ---- Which is taken -------------------------------------------------------------------------- */

/* A snapshot of that stamp; the caller frees it. */
static struct span stamped(uint64_t stamp)
{
    struct world w;
    struct span bytes;

    world_open(&w, 1);
    w.room.stamp = stamp;
    bytes = world_write(&w);
    room_free(&w.room);
    return bytes;
}

static bool message_take(struct search *s, uint64_t sequence, uint64_t time, struct span bytes,
    const struct search_goal *goal)
{
    const struct frame_message message = {sequence, time * 1000u, bytes};

    return search_take(s, &message, goal);
}

/* The state at a place, in two parts: 1 or 2 is stored as a message, or w or x, with a wrong hash;
 * or in three: a, b and c. True: the search reads no further. */
static bool part_store(
    struct search *s, uint64_t sequence, uint64_t stamp, char which, const struct search_goal *goal)
{
    bool is_over;
    struct span bytes = stamped(stamp);
    bool wrong = which >= 'w';
    uint32_t count = which >= 'a' && !wrong ? 3 : 2;
    uint32_t index = (uint32_t)(which - (wrong ? 'w' : count == 3 ? 'a' : '1'));
    const struct room_request request = {.kind = ROOM_PART,
        .text = {bytes.at + 10 * index, index + 1 < count ? 10 : bytes.len - 10 * index},
        .part = {.place = stamp * 100,
            .hash = replica_hash(bytes) ^ wrong,
            .index = index,
            .count = count}};
    const struct batch_id id = {{"a", 1}, 1, 7, sequence, 1};
    char message[512];
    size_t len = batch_id_write(message, &id);

    len += request_write(message + len, &request);
    is_over = message_take(s, sequence, 0, (struct span){message, len}, goal);
    free((char *)bytes.at);
    return is_over;
}

/*
 * The stream: "STAMP WHICH, ..." from sequence 151 on; a place is a hundred times the stamp. It
 * begins there where it is whole; the node's transcript ends with the stamp known; what is taken is
 * that of a stamp, 0: none, 9: it looks further; so many parts are read, 0: all.
 */
static const struct {
    const char *stream;
    bool whole;
    uint64_t known;
    size_t log_size;
    uint64_t taken;
    unsigned read;
} searches[] = {
    {"2 1, 2 2", true, 5, 0, 2, 0}, {"2 1, 2 2, 3 1, 3 2", true, 5, 0, 3, 0},
    {"2 1, 2 2, 3 1, 3 2", true, 2, 0, 2, 4}, {"2 1, 2 2, 3 1, 3 2, 4 1, 4 2", true, 3, 0, 3, 6},
    {"2 1, 2 2, 3 1, 3 2", true, 1, 0, 2, 0}, {"2 1, 2 2, 3 1, 3 2", false, 1, 0, 9, 0},
    {"2 1, 2 2, 3 1, 3 2", false, 3, 0, 3, 0}, {"2 1, 2 2, 3 1, 3 2", true, 0, 0, 2, 2},
    {"2 1, 2 2, 3 1, 3 2", false, 0, 100, 2, 4}, {"2 1, 2 2, 3 1, 3 2", false, 0, 1000, 9, 0},
    {"2 1, 2 2, 3 1, 3 2", true, 0, 1000, 2, 0}, {"2 1", true, 5, 0, 0, 0},
    {"2 1", false, 5, 0, 9, 0}, {"2 2", true, 5, 0, 0, 0}, {"2 1, 2 1, 2 2", true, 5, 0, 2, 0},
    {"2 1, 2 2, 2 2", true, 5, 0, 2, 0}, {"2 2, 2 1, 2 2", true, 5, 0, 2, 0},
    {"2 1, 3 1, 2 2, 3 2", true, 5, 0, 3, 0}, {"2 1, 2 2, 3 1", true, 5, 0, 2, 0},
    {"2 w, 2 x", true, 5, 0, 0, 0}, {"2 1, 2 2, 3 w, 3 x", true, 5, 0, 2, 0},
    {"2 1, 3 1, 2 2", true, 5, 0, 2, 0}, {"2 1, 3 1, 2 2, 3 2", true, 2, 0, 2, 4},
    {"2 1, 3 1, 3 2, 2 2", true, 2, 0, 2, 4}, {"2 1, 3 1, 3 2, 2 2", true, 5, 0, 3, 0},
    {"2 a, 2 b, 2 c", true, 5, 0, 2, 0}, {"2 a, 2 b, 2 a, 2 b, 2 c", true, 5, 0, 2, 0},
    {"2 a, 2 b, 2 a, 2 c", true, 5, 0, 2, 0}, {"2 1, 2 a, 2 b, 2 2", true, 5, 0, 2, 0},
    {"2 1, 2 w, 2 2", true, 5, 0, 2, 0}, {"2 1, 3 1, 4 1, 5 1, 2 2", true, 5, 0, 2, 0},
    {"2 1, 3 1, 4 1, 5 1, 6 1, 2 2", true, 6, 0, 0, 0},
    {"2 1, 3 1, 4 1, 5 1, 6 1, 3 2, 2 2", true, 6, 0, 3, 0},
    {"1 1, 1 2", true, 5, 0, 0, 0}, /* what follows is not there any more */
    {"1 1, 1 2, 2 1, 2 2", true, 1, 0, 2, 0},
    {"9 1, 9 2", true, 9, 0, 0, 0}, /* a place that is yet to come */
};

START_TEST(a_search)
{
    const struct search_goal goal = {searches[_i].known, searches[_i].log_size};
    struct search s = {.back = 100};
    uint64_t sequence = 150;
    enum search_result result;
    unsigned parts = 0;
    unsigned read = 0;
    uint64_t taken;

    search_begin(&s);
    ensure(!message_take(&s, sequence, 0, (struct span){"", 0}, &goal), "nothing will do");
    for (const char *at = searches[_i].stream; at != NULL; at = strchr(at, ',')) {
        unsigned stamp = 0;
        char which = 0;

        at += *at == ',';
        ensure(sscanf(at, "%u %c", &stamp, &which) == 2, "%s", at);
        sequence = sequence < stamp * 100u && stamp < 9 ? stamp * 100u + 1 : sequence + 1;
        parts++;
        if (part_store(&s, sequence, stamp, which, &goal) && read == 0)
            read = parts;
    }
    ck_assert_uint_eq(read, searches[_i].read);
    s.back = searches[_i].whole ? sequence : sequence - 149;
    result = search_end(&s, sequence, &goal);
    taken = result == SEARCH_FOUND ? s.best.stamp : result == SEARCH_NONE ? 0 : 9;
    ensure(taken == searches[_i].taken, "%llu", (unsigned long long)taken);
    search_free(&s);
}
END_TEST

/* Of a state before that with which the stream was made anew there may be a snapshot behind it,
 * with a place that is a later one's in the new stream. */
START_TEST(a_search_in_a_stream_made_anew)
{
    const struct search_goal goal = {.known = 5};
    struct search s = {.back = 100};

    search_begin(&s);
    ensure(!message_take(&s, 150, 0, (struct span){"", 0}, &goal), "nothing will do");
    search_begin_anew(&s, &(struct search_anew){.sequence = 151, .stamp = 3});
    for (uint64_t stamp = 2; stamp <= 3; stamp++) {
        (void)part_store(&s, stamp * 100 + 1, stamp, '1', &goal);
        (void)part_store(&s, stamp * 100 + 2, stamp, '2', &goal);
        ck_assert_uint_eq(s.best.stamp, stamp == 3 ? 3 : 0);
    }
    search_free(&s);
}
END_TEST

/* At a place where nodes differ there may be a snapshot of each: it must be the right one. That of
 * a later place may be any. */
START_TEST(a_search_for_what_is_right)
{
    const struct search_goal goal = {.known = 5};
    struct search s = {.back = 100};
    struct span bytes = stamped(2);
    uint64_t hash = replica_hash(bytes);

    free((char *)bytes.at);
    search_begin(&s);
    ensure(!message_take(&s, 150, 0, (struct span){"", 0}, &goal), "nothing will do");
    search_begin_anew(&s, &(struct search_anew){.sequence = 200, .hash = hash + (_i == 0)});
    for (uint64_t stamp = 2; stamp <= 3; stamp++) {
        (void)part_store(&s, stamp * 100 + 1, stamp, '1', &goal);
        (void)part_store(&s, stamp * 100 + 2, stamp, '2', &goal);
        ck_assert_uint_eq(s.best.stamp, stamp == 2 && _i == 0 ? 0 : stamp);
    }
    search_free(&s);
}
END_TEST

/* It looks eight times as far back each time, until it begins with the oldest message. */
START_TEST(a_search_that_ends)
{
    const struct search_goal goal = {.known = 1};
    struct search s = {.back = SEARCH_BACK};
    unsigned passes = 0;
    enum search_result result;

    do {
        search_begin(&s);
        (void)message_take(&s, (1ULL << 50) - s.back, 0, (struct span){"", 0}, &goal);
        result = search_end(&s, (1ULL << 50) - 1, &goal);
    } while (result == SEARCH_FURTHER && ++passes < 100);
    ensure(result == SEARCH_NONE && passes < 20, "%u", passes);
    search_free(&s);
}
END_TEST

/* Of the last 100 000 messages the older half was stored from the time first to 1000; the
 * transcript ends at the time known. The next pass begins so far back. */
static const struct {
    uint64_t first;
    uint64_t known;
    uint64_t back;
} paces[] = {
    {900, 890, 170000},  /* less than a half further */
    {900, 700, 270000},  /* two halves */
    {900, 100, 570000},  /* eight halves */
    {990, 100, 800000},  /* ninety: eight times as far */
    {900, 0, 800000},    /* there is no transcript */
    {1000, 900, 800000}, /* all at once */
    {1100, 900, 800000}, /* the clock was set back */
    {900, 950, 800000},  /* the end is among them, and no snapshot before it */
    {900, 2000, 800000}, /* it is yet to come */
};

START_TEST(how_much_further)
{
    const struct search_goal goal = {.known = paces[_i].known};
    const struct span nothing = {"", 0};
    struct search s = {.back = 100000};

    search_begin(&s);
    (void)message_take(&s, 900001, paces[_i].first, nothing, &goal);
    (void)message_take(&s, 950001, 1000, nothing, &goal);
    (void)message_take(&s, 1000000, 2000, nothing, &goal);
    ensure(search_end(&s, 1000000, &goal) == SEARCH_FURTHER, "it ends");
    ck_assert_uint_eq(s.back, paces[_i].back);
    search_free(&s);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {the_rest_of_the_stream, 100, 20},
        {what_is_cleared, 1, 5},
        {what_is_cut_is_refused, 1, 20},
        {what_is_changed_has_another_hash, 1, 60},
        {the_bytes_stay, 1, 5},
        {what_is_forgotten, 1, 5},
        {places, 1, 5},
        {places_by_size, COUNT_OF(sizes), 5},
        {the_right_ones, COUNT_OF(comparisons), 5},
        {a_search, COUNT_OF(searches), 5},
        {a_search_in_a_stream_made_anew, 1, 5},
        {a_search_for_what_is_right, 2, 20},
        {a_search_that_ends, 1, 5},
        {how_much_further, COUNT_OF(paces), 5},
    };

    return tests_run("snapshots", tests, COUNT_OF(tests));
}
