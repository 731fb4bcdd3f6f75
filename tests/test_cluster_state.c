/*
 * test_cluster_state.c: what nodes that share a room agree on: the form of messages, snapshots, the
 * room's state, and the transcripts with which nodes start.
 */
#include "nodes.h"
#include "server/cluster/batch.h"
#include "server/cluster/requests.h"

#include <string.h>
#include <time.h>

/* ---- Forms ----------------------------------------------------------------------------------- */

/* Of the batch that was stored last. */
static unsigned form_stored(void)
{
    const struct stored *last = &stream.all[stream.count - 1];
    struct batch_id id;

    ensure(batch_id_read(&id, (struct span){last->bytes, last->len}) > 0, "no batch");
    return id.form;
}

static void node_restart(size_t i, unsigned form)
{
    node_close(i);
    stream.form = form;
    stage_open_in(&nodes[i], NULL, &stream, names[i]);
    nodes_settle();
}

/* A program that reads another form takes over from the one that ran. */
static void node_upgrade(size_t i, unsigned form)
{
    nodes[i].cluster.form = form;
    ensure(stage_handover(&nodes[i]), "a handover");
    nodes_settle();
    nodes_wait(3 * SECOND);
}

/* The room goes over to a newer form when the last node reads it, however it came to. */
START_TEST(forms_change)
{
    struct mock *ann;
    struct mock *ben;

    stream.form = 0;
    nodes_open(NULL);
    for (size_t i = 1; i < NODES; i++) {
        node_restart(i, 2);
        ann = join(i, "ann");
        say(ann, "before");
        expect(ann, "msg ann before");
        ck_assert_uint_eq(form_stored(), 1);
        mock_leave(&nodes[i], ann);
        nodes_settle();
    }
    ben = join(1, "ben");
    ann = join(0, "ann");
    expect(ben, "join ann");
    if (_i == 0)
        node_upgrade(0, 2);
    else if (_i == 1)
        node_upgrade(0, 3);
    else
        node_restart(0, 2);
    ann = _i == 2 ? join(0, "ann") : ann;
    say(ann, "after");
    expect(ann, "msg ann after");
    ck_assert_uint_eq(form_stored(), 2);
    while (mock_line(ben) != NULL && ben->event.verb != VERB_MSG) {}
    ensure(span_equal(ben->event.text, "after"), "%s", ben->text);
    nodes_agree();
    /* A program that does not read it cannot come back, not even to load the room. */
    node_close(2);
    stream.form = 1;
    stage_begin_in(&nodes[2], NULL, &stream, names[2]);
    ensure(hub_cluster_end(nodes[2].hub) == CLUSTER_FORM, "it goes on");
    say(ann, "still here");
    expect(ann, "msg ann still here");
    nodes_close();
}
END_TEST

/* Nor does one of those that run go back, nor is a form there before all read it. */
START_TEST(forms_do_not_mix)
{
    struct batch_id id = {.node = S("y"), .form = 2};
    char bytes[BATCH_HEAD_MAX];
    struct mock *ann;

    stream.form = 0;
    nodes_open(NULL);
    node_restart(1, 2);
    ann = join(0, "ann");
    id.incarnation = incarnation_of("y").number;
    id.nonce = incarnation_of("y").random;
    for (id.number = 1; id.number < 20; id.number++)
        stream_put(&stream, bytes, batch_id_write(bytes, &id));
    nodes_settle();
    say(ann, "one");
    expect(ann, "msg ann one");
    nodes_agree();
    node_upgrade(0, 2);
    node_upgrade(2, 2);
    say(ann, "two");
    expect(ann, "msg ann two");
    ck_assert_uint_eq(form_stored(), 2);
    nodes[1].cluster.form = 1;
    ensure(stage_handover(&nodes[1]), "a handover");
    nodes_wait(3 * SECOND);
    ensure(hub_cluster_end(nodes[1].hub) == CLUSTER_FORM, "it goes on");
    nodes_close();
}
END_TEST

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* A client asks for everything that the node has. */
static void expect_first_line(size_t node, const char *want)
{
    struct mock *p = mock_add(&nodes[node]);

    nodes_settle();
    mock_say(p, "/since 1970-01-01T00:00:00.000000Z");
    mock_say(p, "first");
    nodes_settle();
    expect(p, want);
    mock_leave(&nodes[node], p);
    nodes_settle();
}

static void users_agree(void)
{
    char first[4096] = "";

    for (size_t i = 0; i < NODES; i++) {
        char all[4096] = "";
        struct mock *p = mock_add(&nodes[i]);

        nodes_settle();
        mock_say(p, "/users");
        nodes_settle();
        while (mock_line(p) != NULL && p->event.verb != VERB_USERS)
            strcat(strcat(all, p->text + STAMP_LEN), ";");
        if (i == 0)
            strcpy(first, all);
        ensure(strcmp(all, first) == 0, "%s instead of %s", all, first);
        mock_leave(&nodes[i], p);
    }
}

/* A node starts though the stream's first ten thousand messages are gone. */
START_TEST(a_stream_without_its_beginning)
{
    char token[TOKEN_LEN + 1];
    struct mock *ann;
    struct mock *ben;
    struct mock *cat;

    nodes_open(NULL);
    ben = join(1, "ann");
    ann = join_with_token(0, "ann", token);
    say(ben, "before");
    stream_fill(10010);
    say(ben, "behind");
    node_close(2);
    stream.gone = 10000;
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    nodes_settle();
    users_agree();
    expect_first_line(2, "gap ? 0");
    cat = join(2, "ann");
    read_all(ben);
    say(cat, "after");
    expect(ben, "msg ann_3 after");
    cat = mock_add(&nodes[2]);
    nodes_settle();
    mock_say(cat, "/resume %s", token);
    nodes_settle();
    expect(cat, "resumed ?");
    ensure(ann->ended, "the session is not moved");
    users_agree();
    stream_fill(20100); /* and the next snapshot is the same at all of them */
    for (size_t i = 0; i < NODES; i++)
        ensure(hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON, "node %zu", i);
    nodes_close();
}
END_TEST

/* Nodes are away for more than a day, and one of another name comes meanwhile: each begins behind
 * the incarnations that were. */
START_TEST(nodes_are_forgotten)
{
    struct mock *ann;

    nodes_open(NULL);
    node_close(1);
    node_close(2);
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    nodes_settle();
    node_close(0);
    node_close(2);
    while (stream.count < 45000) {
        stream.ahead += 2 * SECOND;
        stream_put(&stream, "x", 1);
    }
    stage_open_in(&nodes[1], NULL, &stream, "new");
    ensure(incarnation_of("new").number == 3, "not behind the second of z");
    node_close(1);
    for (size_t i = 0; i < NODES; i++)
        stage_open_in(&nodes[i], NULL, &stream, names[i]);
    nodes_settle();
    ensure(incarnation_of("y").number == 3, "y starts with another incarnation");
    ann = join(1, "ann");
    say(ann, "there");
    expect(ann, "msg ann there");
    nodes_agree();
    nodes_close();
}
END_TEST

/* By the stream's clock, too. */
static void time_passes(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        stream.ahead += SECOND;
        nodes_wait(SECOND);
    }
}

/* What another node, which is this test, stores. */
static void pretend(const char *node, uint64_t number, const struct room_request *request)
{
    const struct batch_id id = {{node, strlen(node)}, 1, 7, number, 1};
    char batch[256];
    size_t len = batch_id_write(batch, &id);

    len += request_write(batch + len, request);
    stream_put(&stream, batch, len);
}

/* Nodes that tell another hash than x, and whether x goes on. */
static const struct {
    const char *others[2];
    bool same; /* as one another's */
    enum cluster_end end;
    unsigned lost; /* so many batches before it are missing in the stream that x reads */
} groups[] = {
    {{"a", NULL}, true, CLUSTER_DIFFERS, 0},
    {{"y", NULL}, true, CLUSTER_GOES_ON, 0},
    {{"y", "z"}, true, CLUSTER_DIFFERS, 0},
    {{"y", "z"}, false, CLUSTER_GOES_ON, 0},
    {{"a", "z"}, false, CLUSTER_DIFFERS, 0},
    {{"y", "z"}, true, CLUSTER_DIFFERS, 1},
    {{"y", "z"}, false, CLUSTER_GOES_ON, 1},
};

START_TEST(a_room_that_differs)
{
    const struct room_request start = {.kind = ROOM_NODE_START};
    struct room_request hash = {.kind = ROOM_HASH, .part = {.place = 10000}};

    stage_open_in(&nodes[0], NULL, &stream, "x");
    for (size_t i = 0; i < 2 && groups[_i].others[i] != NULL; i++)
        pretend(groups[_i].others[i], 1, &start);
    stream_fill(10000);
    ensure(hub_cluster_end(nodes[0].hub) == CLUSTER_GOES_ON, "too early");
    for (size_t i = 0; i < 2 && groups[_i].others[i] != NULL; i++) {
        hash.part.hash = groups[_i].same ? 1 : 1 + i;
        pretend(groups[_i].others[i], 2 + groups[_i].lost, &hash);
    }
    nodes_settle();
    ensure(
        hub_cluster_end(nodes[0].hub) == groups[_i].end, "%d", (int)hub_cluster_end(nodes[0].hub));
    nodes_close();
}
END_TEST

/* The same for a room that is loaded behind that place: it has told nothing there, and does not
 * start before there is a snapshot of what is right. */
START_TEST(a_loaded_room_that_differs)
{
    const struct room_request start = {.kind = ROOM_NODE_START};
    const struct room_request hash = {.kind = ROOM_HASH, .part = {.place = 10000, .hash = 1}};
    size_t stored;

    stream = (struct stream){.form = stream.form};
    for (size_t i = 0; i < 2 && groups[_i].others[i] != NULL; i++)
        pretend(groups[_i].others[i], 1, &start);
    stream_fill(10000);
    for (size_t i = 0; i < 2 && groups[_i].others[i] != NULL; i++)
        pretend(groups[_i].others[i], 2 + groups[_i].lost, &hash);
    stored = stream.count;
    stage_begin_in(&nodes[0], NULL, &stream, "x");
    nodes_settle();
    nodes_wait(25 * SECOND);
    ensure(hub_cluster_end(nodes[0].hub) == CLUSTER_GOES_ON, "it does not wait");
    nodes_wait(10 * SECOND);
    ensure(hub_cluster_end(nodes[0].hub) == CLUSTER_LATE, "it goes on");
    ensure(stream.count == stored, "it has stored something");
    nodes_close();
}
END_TEST

/* It is there: the room is loaded from it. */
START_TEST(a_loaded_room_that_is_set_right)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    node_close(2);
    stream.odd_node = names[2];
    stream.odd = stream.count + 1;
    say(ann, "not read by z");
    stream_fill(10000);
    time_passes(6); /* z has told nothing there */
    say(ann, "behind");
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    users_agree();
    expect(ben, "msg ann not read by z");
    expect(ben, "msg ann behind");
    say(join(2, "cat"), "hello");
    expect(ben, "join cat");
    expect(ben, "msg cat hello");
    states_agree();
    nodes_close();
}
END_TEST

/* One that does not differ starts, also where those that have told something there have ended. */
START_TEST(a_loaded_room_that_agrees)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    stream_fill(10000);
    node_close(2);
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    say(ann, "hello");
    expect(ann, "msg ann hello");
    nodes_agree();
    node_close(0);
    node_close(1);
    stage_open_in(&nodes[0], NULL, &stream, names[0]);
    nodes_agree();
    nodes_close();
}
END_TEST

/* ---- Messages that one node misses ----------------------------------------------------------- */

/* So many requests to compare are in the stream. */
static unsigned compares_stored(void)
{
    unsigned found = 0;

    for (size_t i = 0; i < stream.count; i++) {
        struct requests requests;
        struct stored_request stored;

        if (requests_open(&requests, (struct span){stream.all[i].bytes, stream.all[i].len}))
            while (requests_next(&requests, &stored))
                found += stored.request.kind == ROOM_COMPARE;
    }
    return found;
}

/* Which node is told something else in the place of a message of ann, who is at x, or of ben, who
 * is at y. */
static const struct {
    size_t odd;
    bool bens;
    size_t ends; /* the node that does not have the right room then */
    bool two;    /* z is not there: of two that differ, the first one is right */
} missed[] = {
    {0, true, 0, false},
    {1, false, 1, false},
    {2, false, 2, false},
    {2, true, 2, false},
    {1, false, 1, true},
    {0, true, 1, true},
};

/* It is seen within seconds, not at the next place that is due anyway, and set right. */
START_TEST(a_message_that_is_missed)
{
    size_t ends = missed[_i].ends;
    struct mock *people[2];

    two_join(&people[0], &people[1]);
    if (missed[_i].two) {
        hub_stop(nodes[2].hub, nodes[2].now);
        nodes_wait(SECOND);
        node_close(2);
    }
    stream.odd_node = names[missed[_i].odd];
    stream.odd = stream.count + 1;
    say(people[missed[_i].bens], "not everywhere");
    time_passes(3);
    ck_assert_uint_eq(compares_stored(), 0);
    time_passes(9); /* z is waited for, for 5 s, where it has just stopped */
    for (size_t i = 0; i < NODES; i++)
        if (nodes[i].hub != NULL)
            ensure((hub_cluster_end(nodes[i].hub) == CLUSTER_DIFFERS) == (i == ends), "node %s: %d",
                names[i], (int)hub_cluster_end(nodes[i].hub));
    ck_assert_uint_eq(compares_stored(), 1);
    node_close(ends);
    time_passes(1);
    stage_open_in(&nodes[ends], NULL, &stream, names[ends]);
    time_passes(20);
    say(join(ends, "cat"), "again");
    for (size_t i = 0; i < NODES; i++)
        ensure(nodes[i].hub == NULL || hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON, "%s",
            names[i]);
    ck_assert_uint_eq(compares_stored(), 1);
    states_agree();
    nodes_close();
}
END_TEST

/* The same for the start of another node: nothing that this stores counts for the first one, nor is
 * what it tells heard. Rows: who misses whose. */
static const size_t starts[][2] = {{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}};

START_TEST(a_start_that_is_missed)
{
    size_t odd = starts[_i][0];
    size_t starter = starts[_i][1];

    nodes_open(NULL);
    node_close(starter);
    time_passes(20);
    stream.odd_node = names[odd];
    stream.odd = stream.count + 1;
    stage_open_in(&nodes[starter], NULL, &stream, names[starter]);
    say(join(starter, "ann"), "hello");
    time_passes(12);
    for (size_t i = 0; i < NODES; i++)
        ensure((hub_cluster_end(nodes[i].hub) == CLUSTER_DIFFERS) == (i == odd), "node %s: %d",
            names[i], (int)hub_cluster_end(nodes[i].hub));
    node_close(odd);
    time_passes(1);
    stage_open_in(&nodes[odd], NULL, &stream, names[odd]);
    say(join(odd, "ben"), "hello");
    time_passes(20);
    for (size_t i = 0; i < NODES; i++)
        ensure(hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON, "%s", names[i]);
    ck_assert_uint_eq(compares_stored(), 1);
    users_agree();
    states_agree();
    nodes_close();
}
END_TEST

/* A batch that was overtaken is stored again: nothing is missing. */
START_TEST(a_batch_that_was_overtaken)
{
    const struct room_request start = {.kind = ROOM_NODE_START};
    const struct room_request reads = {.kind = ROOM_NODE_READS, .form = 1};

    stage_open_in(&nodes[0], NULL, &stream, "x");
    pretend("a", 1, &start);
    for (uint64_t number = 3; number < 6; number++)
        pretend("a", number, &reads);
    time_passes(2);
    for (uint64_t number = 2; number < 6; number++)
        pretend("a", number, &reads);
    time_passes(8);
    ck_assert_uint_eq(compares_stored(), 0);
    pretend("a", 7, &reads);
    time_passes(6);
    ck_assert_uint_eq(compares_stored(), 1);
    nodes_close();
}
END_TEST

/* Requests to compare, in batches that count or not; and whether there is a place then. */
static const struct {
    unsigned lost;  /* so many batches before it are missing */
    uint64_t place; /* what it says was applied last: before the last place or not */
    bool counts;
} compares[] = {
    {0, 10000, true},
    {1, 10000, true},
    {0, UINT64_MAX, true},
    {0, 9999, false},
    {1, 0, false},
};

START_TEST(a_room_is_compared)
{
    const struct room_request start = {.kind = ROOM_NODE_START};
    const struct room_request compare = {
        .kind = ROOM_COMPARE, .part = {.place = compares[_i].place}};
    size_t asked;

    stage_open_in(&nodes[0], NULL, &stream, "x");
    pretend("a", 1, &start);
    stream_fill(10000);
    nodes_settle();
    ck_assert_uint_eq(hash_of("x").place, 10000);
    pretend("a", 2 + compares[_i].lost, &compare);
    asked = stream.count;
    nodes_settle();
    ck_assert_uint_eq(hash_of("x").place, compares[_i].counts ? asked : 10000);
    pretend("a", 3 + compares[_i].lost, &compare); /* asked for again, and answered already */
    nodes_settle();
    if (compares[_i].place != UINT64_MAX)
        ck_assert_uint_eq(hash_of("x").place, compares[_i].counts ? asked : 10000);
    nodes_close();
}
END_TEST

/* The members of a node quit in the order in which they came to it, also at a node that was
 * upgraded. */
START_TEST(an_order_that_is_handed_over)
{
    char token[TOKEN_LEN + 1];
    struct mock *watchers[2];
    struct mock *p;

    nodes_open(NULL);
    join_with_token(0, "ann", token);
    (void)join(0, "ben");
    watchers[0] = join(1, "one");
    watchers[1] = join(2, "two");
    for (size_t i = 1; i < 3; i++) { /* to another node, and back */
        p = mock_add(&nodes[i % 2]);
        nodes_settle();
        mock_say(p, "/resume %s", token);
        nodes_settle();
        mock_say(p, "ann");
        nodes_settle();
    }
    expect(watchers[0], "join two");
    ensure(stage_handover(&nodes[1]), "no upgrade");
    node_close(0);
    stage_open_in(&nodes[0], NULL, &stream, names[0]);
    nodes_settle();
    for (size_t i = 0; i < 2; i++) {
        expect(watchers[i], "quit ben lost");
        expect(watchers[i], "quit ann lost");
    }
    nodes_close();
}
END_TEST

/* ---- Upgrades in the middle of a message ---------------------------------------------------- */

enum { CROWD = 12 };

/* What node x does makes so many events in one message, while node y is told nothing. */
static void all_talk(struct mock **crowd)
{
    for (size_t i = 0; i < CROWD; i++)
        mock_say(crowd[0], "line %zu", i);
    nodes_settle();
}

static void all_rename(struct mock **crowd)
{
    for (size_t i = 0; i < CROWD; i++)
        mock_say(crowd[i], "/nick other");
    nodes_settle();
}

static void all_join(struct mock **crowd)
{
    for (size_t i = 0; i < CROWD; i++)
        crowd[i] = mock_add(&nodes[0]);
    stage_settle(&nodes[0]);
    for (size_t i = 0; i < CROWD; i++)
        mock_say(crowd[i], "new%zu", i);
    nodes_settle();
}

static void node_starts_again(struct mock **crowd)
{
    (void)crowd;
    node_close(0);
    stage_open_in(&nodes[0], NULL, &stream, names[0]);
    stage_settle(&nodes[2]);
}

static void node_is_gone(struct mock **crowd)
{
    (void)crowd;
    for (size_t i = 0; i < 9; i++) { /* y lives on, and has heard nothing of the last seconds */
        nodes[1].engine.cut = i >= 6;
        stream.ahead += 2 * SECOND;
        if (!nodes[1].engine.cut)
            stage_wait(&nodes[1], 2 * SECOND);
        stage_wait(&nodes[2], 2 * SECOND);
    }
}

static void (*const crowds[])(struct mock **) = {
    all_talk, all_rename, all_join, node_starts_again, node_is_gone};

/* The log has space for one event a turn, and after each turn another program takes over. */
START_TEST(upgrades_within_a_message)
{
    struct mock *crowd[CROWD];
    struct mock *ben;
    unsigned heard = 0;
    unsigned within = 0;

    nodes_open(&(struct hub_config){.log_bytes = 65536});
    ben = join(1, "ben");
    for (size_t i = 0; i < CROWD; i++)
        crowd[i] = join(0, "ann");
    read_all(ben);
    nodes[1].engine.cut = true;
    crowds[_i](crowd);
    nodes[1].engine.cut = false;
    for (unsigned turns = 0; heard < CROWD; turns++) {
        ensure(turns < 1000, "%u events of %d", heard, CROWD);
        (void)stage_turn(&nodes[1]);
        while (mock_line(ben) != NULL)
            heard++;
        ensure(stage_handover(&nodes[1]), "a handover");
        within += heard > 0 && heard < CROWD;
    }
    ensure(within >= CROWD - 1, "%u upgrades within the message", within);
    nodes_settle();
    expect_nothing(ben);
    nodes_agree();
    nodes_close();
}
END_TEST

/* ---- Transcripts of another origin ---------------------------------------------------------- */

/* Where a node's transcript ends, in seconds from now, and what its members get as their past. The
 * stream has ann's join and a line now, and one more 100 s later. */
static const struct {
    const char *what;
    int end;
    bool empty; /* there is no stream yet */
    const char *past[6];
} transcripts[] = {
    {"before the stream", -100, false, {"msg old x", "join ann", "msg ann one", "msg ann two"}},
    {"in the middle of it", 50, false, {"msg old x", "gap ? 0", "msg ann two"}},
    {"behind it", 1000000, false, {"msg old x", "gap ? 0"}},
    {"before there is one", -100, true, {"msg old x"}},
    {"behind one that is yet to be made", 1000000, true, {"msg old x"}},
};

static uint64_t expect_stamp(struct mock *p, const char *want)
{
    expect(p, want);
    return p->event.stamp;
}

/* What is said after the start is written, has the same stamps everywhere, and goes to all. */
START_TEST(a_transcript_of_its_own)
{
    uint64_t end = (uint64_t)((time(NULL) + transcripts[_i].end) * (int64_t)SECOND);
    const char *const given[] = {line_at(end, "msg old x"), NULL};
    uint64_t stamp;
    struct mock *ann = NULL;
    struct mock *ben;

    stream = (struct stream){.form = stream.form};
    if (!transcripts[_i].empty) {
        stage_open_in(&nodes[0], NULL, &stream, names[0]);
        ann = join(0, "ann");
        say(ann, "one");
        stream.ahead = 100 * SECOND;
        say(ann, "two");
        read_all(ann);
    }
    stage_open_after(&nodes[1], &stream, names[1], given);
    nodes_settle();
    ben = mock_add(&nodes[1]);
    nodes_settle();
    mock_say(ben, "/since 1970-01-01T00:00:00.000000Z\nben\nhello");
    nodes_settle();
    if (mock_line(ben) == NULL || ben->event.verb != VERB_GAP)
        ensure(transcripts[_i].past[1] == NULL || strcmp(transcripts[_i].past[1], "gap ? 0") != 0,
            "no gap");
    else
        (void)mock_line(ben);
    for (size_t i = 0; transcripts[_i].past[i] != NULL; i++) {
        ensure(strcmp(ben->text + STAMP_LEN + 1, transcripts[_i].past[i]) == 0, "%s: %s",
            transcripts[_i].what, ben->text);
        (void)mock_line(ben);
    }
    while (ben->event.verb != VERB_YOU)
        ensure(mock_line(ben) != NULL, "no welcome");
    ensure(ben->event.stamp > end, "the join has no later stamp");
    stamp = expect_stamp(ben, "msg ben hello");
    if (ann != NULL) {
        expect(ann, "join ben");
        ensure(expect_stamp(ann, "msg ben hello") == stamp, "another stamp");
        say(ann, "three");
        stamp = expect_stamp(ann, "msg ann three");
        ensure(expect_stamp(ben, "msg ann three") == stamp, "another stamp");
    }
    nodes_close();
}
END_TEST

/* Behind the end of a transcript there must be stamps for events. */
START_TEST(a_transcript_of_the_far_future)
{
    const uint64_t ends[] = {ROOM_STAMP_TOLD_MAX - 1, ROOM_STAMP_TOLD_MAX, ROOM_STAMP_MAX};
    const char *const given[] = {line_at(ends[_i], "msg old x"), NULL};

    stream = (struct stream){.form = stream.form};
    stage_begin_after(&nodes[0], &stream, names[0], given);
    ensure(hub_cluster_end(nodes[0].hub) == (_i == 0 ? CLUSTER_GOES_ON : CLUSTER_FUTURE), "%d",
        (int)hub_cluster_end(nodes[0].hub));
    if (_i == 0)
        say(join(0, "ann"), "hello");
    nodes_close();
}
END_TEST

/* ---- For the service manager ----------------------------------------------------------------- */

START_TEST(nodes_described)
{
    char text[400];
    char cut[20];

    nodes_open(NULL);
    nodes_settle();
    hub_describe_cluster(nodes[1].hub, text, sizeof text);
    ensure(pattern_match(
               "node y of room room, ready, last message * s old; x, incarnation 1: * s ago; "
               "y, incarnation 1: * s ago; z, incarnation 1: * s ago",
               text),
        "%s", text);
    hub_describe_cluster(nodes[1].hub, cut, sizeof cut);
    ck_assert_str_eq(cut, "node y of room room");
    node_close(2);
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    hub_stop(nodes[2].hub, nodes[2].now);
    nodes_wait(3 * SECOND);
    hub_describe_cluster(nodes[1].hub, text, sizeof text);
    ensure(pattern_match("*; z, incarnation 2: gone", text), "%s", text);
    nodes_close();
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {nodes_described, 1, 20},
        {an_order_that_is_handed_over, 1, 20},
        {upgrades_within_a_message, COUNT_OF(crowds), 20},
        {a_transcript_of_its_own, COUNT_OF(transcripts), 20},
        {a_transcript_of_the_far_future, 3, 20},
        {nodes_are_forgotten, 1, 60},
        {a_stream_without_its_beginning, 1, 60},
        {a_room_that_differs, COUNT_OF(groups), 60},
        {a_loaded_room_that_differs, COUNT_OF(groups), 60},
        {a_loaded_room_that_is_set_right, 1, 60},
        {a_loaded_room_that_agrees, 1, 60},
        {a_message_that_is_missed, COUNT_OF(missed), 60},
        {a_start_that_is_missed, COUNT_OF(starts), 60},
        {a_batch_that_was_overtaken, 1, 60},
        {a_room_is_compared, COUNT_OF(compares), 60},
        {forms_change, 3, 20},
        {forms_do_not_mix, 1, 20},
    };

    return tests_run("cluster_state", tests, COUNT_OF(tests));
}
