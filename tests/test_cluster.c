/*
 * test_cluster.c: hubs of several nodes that share a room: each is a stage of its own, with
 * pretended clients and a pretended engine, and the stream between them is this test's.
 */
#define room harness_room /* the harness has a struct of that name, too */
#include "bytes.h"
#include "compat/compat.h"
#include "mocks.h"
#undef room
#include "server/cluster/batch.h"
#include "server/cluster/frame.h"
#include "server/cluster/letter.h"
#include "server/cluster/renewal.h"
#include "server/cluster/requests.h"
#include "server/hub/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SECOND 1000000u
#define NODES 3

static struct stage nodes[NODES]; /* too large for a stack */
static struct stream stream;

static const char *const names[NODES] = {"x", "y", "z"};

static void nodes_open(const struct hub_config *config)
{
    stream = (struct stream){.form = stream.form};
    for (size_t i = 0; i < NODES; i++)
        stage_open_in(&nodes[i], config, &stream, names[i]);
}

/* All of them come to rest: what one stores moves the others. */
static void nodes_settle(void)
{
    size_t before;

    do {
        before = stream.count + stream.letters;
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].hub != NULL)
                stage_settle(&nodes[i]);
    } while (stream.count + stream.letters != before);
}

static void nodes_wait(uint64_t us)
{
    for (uint64_t step = 0; step < us; step += SECOND) {
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].hub != NULL)
                stage_wait(&nodes[i], SECOND);
        nodes_settle();
    }
}

static void node_close(size_t i)
{
    /* The descriptors of the others are still open. */
    stage_shut(&nodes[i]);
    nodes[i].hub = NULL;
}

static void nodes_close(void)
{
    for (size_t i = NODES; i-- > 0;)
        if (nodes[i].hub != NULL)
            node_close(i);
    stream_free(&stream);
}

/* A client of that node that has given this name; what it is sent is read as the test goes. */
static struct mock *join(size_t node, const char *name)
{
    struct mock *p = mock_add(&nodes[node]);

    nodes_settle();
    mock_say(p, "%s", name);
    nodes_settle();
    while (mock_line(p) != NULL && p->event.verb != VERB_YOU) {}
    ensure(p->event.verb == VERB_YOU, "%s: no welcome", name);
    return p;
}

static void say(struct mock *p, const char *line)
{
    mock_say(p, "%s", line);
    nodes_settle();
}

static void expect(struct mock *p, const char *want)
{
    const char *line = mock_line(p);

    ensure(line != NULL, "nothing instead of \"%s\"", want);
    ensure(strcmp(line, want) == 0, "\"%s\" instead of \"%s\"", line, want);
}

static void expect_nothing(struct mock *p)
{
    const char *line = mock_line(p);

    ensure(line == NULL, "\"%s\"", line);
}

/* The nodes, with ann at the first and ben at the second, who have seen each other. */
static void two_join(struct mock **ann, struct mock **ben)
{
    nodes_open(NULL);
    *ann = join(0, "ann");
    *ben = join(1, "ben");
    expect(*ann, "join ben");
}

/* Messages of nobody, until there are so many. */
static void stream_fill(size_t count)
{
    while (stream.count < count) {
        stream_put(&stream, "x", 1);
        if (stream.count % 1000 == 0)
            nodes_settle();
    }
    nodes_settle();
}

/* The hash that the node has told last, and its place. */
static struct snapshot_part hash_of(const char *node)
{
    for (size_t i = stream.count; i-- > 0;) {
        struct requests requests;
        struct stored_request stored;

        if (!requests_open(&requests, (struct span){stream.all[i].bytes, stream.all[i].len}) ||
            !span_equal(requests.id.node, node))
            continue;
        while (requests_next(&requests, &stored))
            if (stored.request.kind == ROOM_HASH)
                return stored.request.part;
    }
    ck_abort_msg("node %s has told no hash", node);
}

/* So is the state of each node's room at the next place. */
static void states_agree(void)
{
    size_t first = stream.count;
    struct snapshot_part right = {.place = 0};

    stream_fill(first + 10000);
    for (size_t i = 0; i < NODES; i++) {
        struct snapshot_part told;

        if (nodes[i].hub == NULL)
            continue;
        told = hash_of(names[i]);
        right = right.place == 0 ? told : right;
        ensure(told.place > first && told.place == right.place && told.hash == right.hash,
            "node %s has another state", names[i]);
    }
}

/* The users list and the history of every node is the same, byte for byte but for the stamps of
 * lines that are no events. */
static void nodes_agree(void)
{
    static char first[65536];
    static char other[65536];

    for (size_t i = 0; i < NODES; i++) {
        char *at = i == 0 ? first : other;
        struct mock *p;
        const char *line;

        if (nodes[i].hub == NULL)
            continue;
        p = mock_add(&nodes[i]);
        nodes_settle();
        mock_say(p, "/history 1000");
        mock_say(p, "/since 1970-01-01T00:00:00.000000Z");
        mock_say(p, "/post");
        mock_say(p, "/users");
        nodes_settle();
        while ((line = mock_line(p)) != NULL)
            at += sprintf(at, "%s\n", line);
        mock_leave(&nodes[i], p);
        ensure(i == 0 || strcmp(first, other) == 0, "%s instead of %s", other, first);
    }
    states_agree();
}

/* ---- Tests ----------------------------------------------------------------------------------- */

START_TEST(one_room)
{
    struct mock *ann;
    struct mock *ben;
    struct mock *cat;

    nodes_open(NULL);
    ann = join(0, "ann");
    ben = join(1, "ann");
    cat = join(2, "cat");
    expect(ann, "join ann_2");
    expect(ann, "join cat");
    expect(ben, "join cat");
    say(ann, "hello");
    say(ben, "/me waves");
    say(cat, "/nick dan");
    for (size_t i = 0; i < 3; i++) {
        struct mock *p = i == 0 ? ann : i == 1 ? ben : cat;

        expect(p, "msg ann hello");
        expect(p, "me ann_2 waves");
        expect(p, "nick cat dan");
        expect_nothing(p);
    }
    say(ann, "/users");
    expect(ann, "here ann ann_2 dan");
    expect(ann, "users 3");
    say(ann, "/msg dan psst");
    expect(ann, "priv ann dan psst");
    expect(cat, "priv ann dan psst");
    expect_nothing(ben);
    nodes_agree();
    mock_leave(&nodes[1], ben);
    nodes_settle();
    expect(ann, "quit ann_2 left");
    expect(cat, "quit ann_2 left");
    nodes_close();
}
END_TEST

/* In the same instant: nobody has heard of the others. */
START_TEST(one_name_at_once)
{
    struct mock *p[NODES];
    char got[NODES][80];

    nodes_open(NULL);
    for (size_t i = 0; i < NODES; i++)
        p[i] = mock_add(&nodes[i]);
    nodes_settle();
    stream.away = true;
    for (size_t i = 0; i < NODES; i++)
        mock_say(p[i], "ann");
    nodes_settle();
    for (size_t i = 0; i < NODES; i++)
        expect_nothing(p[i]);
    stream.away = false;
    nodes_settle();
    for (size_t i = 0; i < NODES; i++) {
        while (mock_line(p[i]) != NULL && p[i]->event.verb != VERB_YOU) {}
        snprintf(got[i], sizeof got[i], "%.*s", (int)p[i]->event.name.len, p[i]->event.name.at);
    }
    ensure(
        strcmp(got[0], "ann") == 0 && strcmp(got[1], "ann_2") == 0 && strcmp(got[2], "ann_3") == 0,
        "%s %s %s", got[0], got[1], got[2]);
    nodes_close();
}
END_TEST

/* ann and ben at two nodes, in the same instant, and what all are told. */
static const struct {
    const char *ann;
    const char *ben;
    const char *events[3];
} crossings[] = {
    {"/nick cat", "/nick cat", {"nick ann cat", "nick ben cat_2"}},
    {"/nick ben", "/nick ann", {"nick ann ben_2", "nick ben ann"}},
    {"/nick cat", "/nick CAT\n/nick ann", {"nick ann cat", "nick ben CAT_2", "nick CAT_2 ann"}},
    {"/nick ben\n/nick ann", "/nick ann", {"nick ann ben_2", "nick ben_2 ann", "nick ben ann_2"}},
    {"/nick cat\nhello", "/quit", {"nick ann cat", "msg cat hello", "quit ben left"}},
};

START_TEST(renames_that_cross)
{
    struct mock *all[3];

    nodes_open(NULL);
    all[0] = join(0, "ann");
    all[1] = join(1, "ben");
    all[2] = join(2, "watcher");
    for (size_t i = 0; i < 3; i++)
        while (mock_line(all[i]) != NULL) {}
    stream.away = true;
    mock_say(all[0], "%s", crossings[_i].ann);
    mock_say(all[1], "%s", crossings[_i].ben);
    nodes_settle();
    stream.away = false;
    nodes_settle();
    for (size_t i = 0; i < 3; i++)
        for (size_t e = 0; e < 3 && crossings[_i].events[e] != NULL; e++)
            if (!all[i]->ended)
                expect(all[i], crossings[_i].events[e]);
    nodes_agree();
    nodes_close();
}
END_TEST

/* While nothing is stored lines wait, and what does not depend on the stream goes on. */
START_TEST(nothing_is_stored)
{
    struct mock *ann;
    struct mock *ben;
    struct mock *cat;

    nodes_open(NULL);
    ann = join(0, "ann");
    ben = join(0, "ben");
    expect(ann, "join ben");
    stream.away = true;
    say(ann, "one");
    say(ann, "/users");
    say(ann, "/foo");
    say(ann, "two");
    expect_nothing(ann);
    say(ben, "/users");
    expect(ben, "here ann ben");
    expect(ben, "users 2");
    say(ben, "/msg ann psst");
    expect(ben, "priv ben ann psst");
    expect(ann, "priv ben ann psst");
    cat = mock_add(&nodes[0]);
    nodes_settle();
    say(cat, "/users");
    expect(cat, "here ann ben");
    expect(cat, "users 2");
    say(cat, "cat");
    expect_nothing(cat);
    nodes_wait(2 * SECOND);
    expect(cat, "note the cluster does not answer: messages and logins wait for it");
    expect_nothing(cat);
    nodes_wait(10 * SECOND);
    expect(ben, "note the cluster does not answer: messages and logins wait for it");
    stream.away = false;
    nodes_settle();
    expect(ann, "note the cluster does not answer: messages and logins wait for it");
    expect(ann, "msg ann one");
    expect(ann, "join cat"); /* it was stored before the list was asked for */
    expect(ann, "here ann ben cat");
    expect(ann, "users 3");
    expect(ann, "note the cluster answers again");
    expect(ann, "error unknown-command /foo is not a command here; try /help");
    expect(ann, "msg ann two");
    nodes_close();
}
END_TEST

static const char *token_of(struct mock *p, char *out)
{
    while (mock_line(p) != NULL && p->event.verb != VERB_TOKEN) {}
    ensure(p->event.verb == VERB_TOKEN, "no token");
    snprintf(out, TOKEN_LEN + 1, "%s", p->text + STAMP_LEN + strlen(" token "));
    return out;
}

static struct mock *join_with_token(size_t node, const char *name, char *token)
{
    struct mock *p = mock_add(&nodes[node]);

    nodes_settle();
    mock_say(p, "/token");
    mock_say(p, "%s", name);
    nodes_settle();
    (void)token_of(p, token);
    while (mock_line(p) != NULL) {}
    return p;
}

/* So does a session that is to go on here: its name waits behind it, and is not late. */
START_TEST(a_resumption_waits)
{
    char token[TOKEN_LEN + 1];
    struct mock *old;
    struct mock *new;

    nodes_open(NULL);
    old = join_with_token(0, "ann", token);
    stream.away = true;
    new = mock_add(&nodes[1]);
    stage_settle(&nodes[1]);
    mock_say(new, "/resume %s", token);
    mock_say(new, "ann");
    stage_settle(&nodes[1]);
    expect_nothing(new);
    nodes_wait(2 * SECOND);
    expect(new, "note the cluster does not answer: messages and logins wait for it");
    nodes_wait(100 * (uint64_t)SECOND);
    expect_nothing(new);
    ensure(!new->ended, "it is ended");
    stream.away = false;
    nodes_settle();
    expect(new, "resumed ?");
    while (mock_line(new) != NULL && new->event.verb != VERB_YOU) {}
    ensure(span_equal(new->event.name, "ann"), "another name");
    ensure(old->ended, "the old connection is not closed");
    new = mock_add(&nodes[1]);
    nodes_settle();
    mock_say(new, "/resume %s", "0123456789abcdef0123456789abcdef");
    nodes_settle();
    expect(new, "resumed ?");
    nodes_wait(70 * (uint64_t)SECOND);
    expect(new, "error login-timeout no name within 60 seconds");
    nodes_close();
}
END_TEST

/* A line is stored once, whatever becomes of the engine. */
START_TEST(an_engine_dies)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    for (int i = 0; i < 20; i++) {
        char want[64];

        stream.away = i % 3 == 0;
        mock_say(ann, "line %d", i);
        if (i % 2 == 0)
            (void)stage_turn(&nodes[0]);
        else
            nodes_settle();
        stage_renew_engine(&nodes[0]);
        stream.away = false;
        nodes_settle();
        snprintf(want, sizeof want, "msg ann line %d", i);
        expect(ann, want);
        expect(ben, want);
        expect_nothing(ben);
    }
    nodes_agree();
    nodes_close();
}
END_TEST

/* A batch that was stored twice, and one that came before an earlier one, change nothing. */
START_TEST(batches_come_again)
{
    struct mock *ann;

    nodes_open(NULL);
    ann = join(0, "ann");
    say(ann, "one");
    expect(ann, "msg ann one");
    for (size_t i = 0, count = stream.count; i < count; i++)
        stream_put(&stream, stream.all[i].bytes, stream.all[i].len);
    stream_put(&stream, "rubbish", 7);
    stream_put(&stream, "", 0);
    nodes_settle();
    expect_nothing(ann);
    say(ann, "two");
    expect(ann, "msg ann two");
    nodes_agree();
    nodes_close();
}
END_TEST

/* A session goes on at another node, and what is under way at the first one comes to nothing. */
START_TEST(a_client_moves)
{
    char token[TOKEN_LEN + 1];
    struct mock *watcher;
    struct mock *old;
    struct mock *new;

    nodes_open(NULL);
    watcher = join(2, "watcher");
    old = join_with_token(0, "ann", token);
    expect(watcher, "join ann");
    say(old, "one");
    expect(old, "msg ann one");
    expect(watcher, "msg ann one");
    new = mock_add(&nodes[1]);
    nodes_settle();
    mock_say(new, "/resume %s", token);
    (void)stage_turn(&nodes[1]);
    mock_say(old, "two");
    nodes_settle();
    expect(new, "resumed ?");
    ensure(old->ended, "the old connection is not closed");
    mock_say(new, "/token");
    mock_say(new, "/history 1");
    mock_say(new, "ignored");
    nodes_settle();
    while (mock_line(new) != NULL && new->event.verb != VERB_YOU) {}
    ensure(span_equal(new->event.name, "ann"), "another name");
    say(new, "three");
    expect(new, "msg ann three");
    while (mock_line(watcher) != NULL && strstr(watcher->text, "three") == NULL)
        ensure(strstr(watcher->text, "two") != NULL, "%s", watcher->text);
    nodes_agree();
    nodes_close();
}
END_TEST

/* The connection is lost, and its leave is stored behind the resumption at another node: the token
 * is valid there alone. */
START_TEST(a_client_moves_when_its_connection_is_lost)
{
    char token[TOKEN_LEN + 1];
    struct mock *old;
    struct mock *new;
    struct mock *back;

    nodes_open(NULL);
    old = join_with_token(0, "ann", token);
    say(old, "one");
    new = mock_add(&nodes[1]);
    stage_settle(&nodes[1]);
    mock_say(new, "/resume %s", token);
    stage_settle(&nodes[1]);
    mock_goodbye(old, CONTROL_LOST);
    nodes_settle();
    expect(new, "resumed ?");
    back = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(back, "/resume %s", token);
    mock_say(back, "ignored");
    nodes_settle();
    expect(back, "resumed ?");
    ensure(new->ended, "the session stays at the other node");
    while (mock_line(back) != NULL && back->event.verb != VERB_YOU) {}
    ensure(span_equal(back->event.name, "ann"), "another name");
    nodes_agree();
    nodes_close();
}
END_TEST

/* A node may be behind: whether a session is there is known only when the stream has said so. */
START_TEST(a_token_of_nobody)
{
    static const char *const wrong[] = {"x", "", "0123456789ABCDEF0123456789ABCDEF"};
    struct mock *p;

    nodes_open(NULL);
    p = mock_add(&nodes[1]);
    nodes_settle();
    stream.away = true;
    say(p, "/resume 0123456789abcdef0123456789abcdef");
    expect_nothing(p);
    stream.away = false;
    nodes_settle();
    expect(p, "resumed ?");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char line[80];

        snprintf(line, sizeof line, "/resume %s", wrong[i]);
        say(p, line);
        expect(p, "resumed ?");
    }
    say(p, "ann");
    nodes_agree();
    nodes_close();
}
END_TEST

/* The other node is behind when the client comes: it still gets all that the first one has stored.
 */
START_TEST(a_node_that_is_behind)
{
    char token[TOKEN_LEN + 1];
    struct mock *old;
    struct mock *new;

    nodes_open(NULL);
    old = mock_add(&nodes[0]);
    stage_settle(&nodes[0]);
    mock_say(old, "/token");
    mock_say(old, "ann");
    stage_settle(&nodes[0]);
    (void)token_of(old, token);
    mock_say(old, "one");
    stage_settle(&nodes[0]);
    new = mock_add(&nodes[1]);
    (void)stage_turn(&nodes[1]);
    mock_say(new, "/resume %s", token);
    mock_say(new, "/since 1970-01-01T00:00:00.000000Z");
    mock_say(new, "ann");
    nodes_settle();
    expect(new, "resumed ?");
    expect(new, "join ann");
    expect(new, "msg ann one");
    expect(new, "here ann");
    nodes_close();
}
END_TEST

/* A session comes back: each time the same one. */
START_TEST(a_client_moves_around)
{
    char token[TOKEN_LEN + 1];
    struct mock *watcher;
    struct mock *p;

    nodes_open(NULL);
    watcher = join(2, "watcher");
    p = join_with_token(0, "ann", token);
    expect(watcher, "join ann");
    for (size_t i = 1; i < 8; i++) {
        struct mock *next = mock_add(&nodes[i % NODES]);
        char want[64];

        nodes_settle();
        mock_say(next, "/resume %s", token);
        nodes_settle();
        mock_say(next, "ann");
        nodes_settle();
        ensure(p->ended, "the old connection is not closed");
        while (mock_line(next) != NULL && next->event.verb != VERB_YOU) {}
        ensure(span_equal(next->event.name, "ann"), "another name");
        mock_say(next, "round %zu", i);
        nodes_settle();
        snprintf(want, sizeof want, "msg ann round %zu", i);
        expect(next, want);
        expect(watcher, want);
        p = next;
    }
    nodes_agree();
    nodes_close();
}
END_TEST

/* The client goes to another node and comes back to the first one, which is behind: it has its
 * leave under way, has not heard that the session went on elsewhere, and believes that it knows how
 * many lines were answered. */
START_TEST(a_client_returns_to_a_node_that_is_behind)
{
    char token[TOKEN_LEN + 1];
    struct mock *watcher;
    struct mock *new;
    struct mock *back;

    nodes_open(NULL);
    watcher = join(2, "watcher");
    back = join_with_token(0, "ann", token);
    say(back, "one");
    nodes[0].engine.cut = true;
    mock_goodbye(back, CONTROL_LOST);
    nodes_settle();
    new = mock_add(&nodes[1]);
    nodes_settle();
    mock_say(new, "/resume %s\nann", token);
    nodes_settle();
    expect(new, "resumed ?");
    say(new, "two");
    if (_i == 1)
        mock_goodbye(new, CONTROL_LOST);
    nodes_settle();
    back = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(back, "/resume %s\nann\ntwo", token);
    nodes_settle();
    nodes[0].engine.cut = false;
    nodes_settle();
    ensure(back->ended, "the session goes on at two nodes");
    expect(watcher, "join ann");
    expect(watcher, "msg ann one");
    expect(watcher, "msg ann two");
    while (mock_line(watcher) != NULL)
        ensure(_i == 1 && (watcher->event.verb == VERB_JOIN || watcher->event.verb == VERB_QUIT),
            "%s", watcher->text);
    nodes_agree();
    nodes_close();
}
END_TEST

/* A connection is lost while its login waits for the stream, and another one has claimed the
 * session by then: one person comes of it, or none where that one is lost, too. */
START_TEST(a_login_that_waits_is_claimed)
{
    char token[TOKEN_LEN + 1];
    struct mock *watcher;
    struct mock *p;
    struct mock *next;

    nodes_open(NULL);
    watcher = join(2, "watcher");
    p = join_with_token(0, "ann", token);
    mock_goodbye(p, CONTROL_LOST);
    nodes_settle();
    nodes[0].engine.cut = true;
    p = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(p, "/resume %s\nann", token);
    nodes_settle();
    expect(p, "resumed 0");
    next = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(next, "/resume %s\nann", token);
    stage_wait(&nodes[0], 6 * SECOND);
    ensure(p->kills == 1, "its worker is still there");
    if (_i == 1) {
        mock_die(next);
        mock_reap(&nodes[0], next, SIGKILL);
        nodes_settle();
    }
    nodes[0].engine.cut = false;
    nodes_settle();
    while (mock_line(next) != NULL && next->event.verb != VERB_YOU) {}
    ensure(_i == 1 || span_equal(next->event.name, "ann"), "another name");
    say(watcher, "/users");
    while (mock_line(watcher) != NULL && watcher->event.verb != VERB_HERE) {}
    expect(watcher, _i == 1 ? "users 1" : "users 2");
    nodes_agree();
    nodes_close();
}
END_TEST

/* A session of this node is claimed, and a line of it waits for the stream: so does the claim. A
 * claim that waits for the worker only has nothing to do with the stream. */
START_TEST(a_claim_waits)
{
    char token[TOKEN_LEN + 1];
    struct mock *old;
    struct mock *next;

    nodes_open(NULL);
    old = join_with_token(0, "ann", token);
    stream.away = _i == 0;
    say(old, "one");
    next = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(next, "/resume %s\nann", token);
    nodes_wait(3 * SECOND);
    if (_i == 0)
        expect(next, "note the cluster does not answer: messages and logins wait for it");
    expect_nothing(next);
    mock_goodbye(old, CONTROL_LOST);
    nodes_wait(30 * SECOND);
    stream.away = false;
    nodes_settle();
    expect(next, "resumed 1");
    while (mock_line(next) != NULL && next->event.verb != VERB_YOU) {}
    ensure(span_equal(next->event.name, "ann"), "another name");
    nodes_wait(3 * SECOND);
    while (mock_line(next) != NULL)
        ensure(next->event.verb != VERB_NOTE, "%s", next->text);
    nodes_agree();
    nodes_close();
}
END_TEST

/* A hub is killed, and starts again: its members are gone, and what was stored is there. */
START_TEST(a_hub_dies)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    say(ann, "one");
    expect(ben, "msg ann one");
    mock_say(ann, "two");
    (void)stage_turn(&nodes[0]);
    (void)stage_turn(&nodes[0]);
    node_close(0);
    nodes_settle();
    while (mock_line(ben) != NULL)
        ensure(strcmp(ben->text + STAMP_LEN + 1, "msg ann two") == 0, "%s", ben->text);
    stage_open_in(&nodes[0], NULL, &stream, names[0]);
    nodes_settle();
    expect(ben, "quit ann lost");
    ann = join(0, "ann");
    expect(ben, "join ann");
    say(ann, "three");
    expect(ben, "msg ann three");
    nodes_agree();
    nodes_close();
}
END_TEST

/* A hub that stands still is gone, for the others at once and for itself when it goes on. */
START_TEST(a_node_is_gone)
{
    struct mock *ann;
    struct mock *ben;
    struct mock *cat;
    struct mock *dan;

    nodes_open(NULL);
    ann = join(0, "ann");
    cat = join(0, "cat");
    ben = join(1, "ben");
    expect(ann, "join cat");
    expect(ann, "join ben");
    expect(cat, "join ben");
    dan = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(ann, "too late");
    mock_say(dan, "dan");
    for (size_t i = 0; i < 10; i++) {
        stream.ahead += 2 * SECOND;
        stage_wait(&nodes[1], 2 * SECOND);
    }
    expect(ben, "quit ann lost");
    expect(ben, "quit cat lost");
    expect_nothing(ben);
    nodes_settle();
    expect(ann, "quit ann lost");
    expect(ann, "note this machine was cut off; please connect again");
    expect(cat, "quit ann lost");
    expect(cat, "quit cat lost");
    expect(cat, "note this machine was cut off; please connect again");
    expect(dan, "note this machine was cut off; please connect again");
    ensure(ann->ended && cat->ended && dan->ended, "their connections stay");
    expect_nothing(ben);
    ann = join(0, "ann");
    expect(ben, "join ann");
    say(ann, "again");
    expect(ben, "msg ann again");
    nodes_agree();
    nodes_close();
}
END_TEST

/* The same for one whose engine has a batch that the servers do not take: another engine has not.
 */
START_TEST(a_node_is_gone_and_its_engine_is_stuck)
{
    const struct frame_state unusable = {.state = ENGINE_UNUSABLE, .batch_max = BATCH_MIN};
    char state[FRAME_STATE_MAX];
    size_t len = frame_state_write(state, &unusable);
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    stream.away = true;
    say(ann, "too late");
    ck_assert_int_eq(send(nodes[0].engine.fd, state, len, 0), (ssize_t)len);
    stage_settle(&nodes[0]);
    stream.away = false;
    for (size_t i = 0; i < 10; i++) {
        stream.ahead += 2 * SECOND;
        stage_wait(&nodes[1], 2 * SECOND);
    }
    expect(ben, "quit ann lost");
    while (!hub_wants_engine(nodes[0].hub))
        ensure(stage_turn(&nodes[0]), "the engine stays");
    stage_renew_engine(&nodes[0]);
    nodes_settle();
    expect(ann, "quit ann lost");
    expect(ann, "note this machine was cut off; please connect again");
    ann = join(0, "ann");
    expect(ben, "join ann");
    nodes_agree();
    nodes_close();
}
END_TEST

#define LOGIN_SECONDS 20
/* As many posters, with as many lines, as the queue to the stream takes. */
#define FILLERS 66
#define FILLER_LINES 17

static void queue_fill(struct stage *stage)
{
    struct mock *filler[FILLERS];
    char line[4001];

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (size_t i = 0; i < FILLERS; i++) {
        filler[i] = mock_add(stage);
        mock_say(filler[i], "/post\nfiller");
    }
    nodes_settle();
    stream.away = true;
    for (size_t i = 0; i < FILLERS; i++) {
        for (size_t j = 0; j < FILLER_LINES; j++)
            mock_say(filler[i], "%s", line);
        nodes_settle();
    }
}

/* The queue to the stream is full. Deadlines that add nothing to it are kept; a name that waits to
 * be read is in time. */
START_TEST(deadlines_with_a_full_queue)
{
    struct hub_config config = {.login_us = LOGIN_SECONDS * SECOND};
    struct mock *silent;
    struct mock *ann;
    struct mock *late;

    nodes_open(&config);
    queue_fill(&nodes[0]);
    silent = mock_add(&nodes[0]);
    late = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(late, "late");
    nodes_wait((LOGIN_SECONDS + 2) * SECOND);
    expect(silent, "error login-timeout no name within 20 seconds");
    ensure(silent->ended, "the silent connection stays");
    expect_nothing(late);
    ensure(!late->ended, "the name was given in time");
    stream.away = false;
    nodes_settle();
    while (mock_line(late) != NULL && late->event.verb != VERB_YOU) {}
    ensure(late->event.verb == VERB_YOU, "no welcome");
    nodes_settle();
    while (mock_line(late) != NULL) {}
    ann = join(1, "ann");
    expect(late, "join ann");
    expect_nothing(late);
    say(ann, "there");
    expect(late, "msg ann there");
    nodes_close();
}
END_TEST

/* A resumption was under way. It has no place in the stream, so it is not answered, and the session
 * goes on where it was. */
START_TEST(a_node_is_gone_with_a_resumption)
{
    char token[TOKEN_LEN + 1];
    struct mock *old;
    struct mock *new;

    nodes_open(NULL);
    old = join_with_token(1, "ann", token);
    nodes[0].engine.cut = true;
    new = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(new, "/resume %s\nann", token);
    for (size_t i = 0; i < 10; i++) {
        stream.ahead += 2 * SECOND;
        nodes_wait(2 * SECOND);
    }
    nodes[0].engine.cut = false;
    nodes_settle();
    expect(new, "note the cluster does not answer: messages and logins wait for it");
    expect(new, "note this machine was cut off; please connect again");
    ensure(new->ended, "its connection stays");
    say(old, "there");
    expect(old, "msg ann there");
    nodes_agree();
    nodes_close();
}
END_TEST

/* Nobody is gone because nothing could be stored for an hour. */
START_TEST(an_outage)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    stream.away = true;
    for (size_t i = 0; i < 60; i++)
        nodes_wait(SECOND);
    stream.ahead += 3600 * (uint64_t)SECOND;
    stream.away = false;
    nodes_settle();
    expect(ben, "note the cluster does not answer: messages and logins wait for it");
    expect(ben, "note the cluster answers again");
    expect(ann, "note the cluster does not answer: messages and logins wait for it");
    expect(ann, "note the cluster answers again");
    say(ann, "there");
    expect(ann, "msg ann there");
    expect(ben, "msg ann there");
    expect_nothing(ben);
    nodes_agree();
    nodes_close();
}
END_TEST

/* Two programs of one name: the one that was there ends. */
START_TEST(two_programs_of_one_name)
{
    nodes_open(NULL);
    node_close(1);
    stage_open_in(&nodes[1], NULL, &stream, names[0]);
    stage_settle(&nodes[0]);
    ensure(hub_cluster_end(nodes[0].hub) == CLUSTER_TAKEN, "it goes on");
    ensure(hub_cluster_end(nodes[1].hub) == CLUSTER_GOES_ON, "the other one does not");
    nodes_close();
}
END_TEST

/* A stop: the members' quits are in the stream before the server exits. */
START_TEST(a_node_stops)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    mock_say(ann, "last");
    (void)stage_turn(&nodes[0]);
    hub_stop(nodes[0].hub, nodes[0].now);
    nodes_settle();
    ensure(hub_is_done(nodes[0].hub), "it is not done");
    ensure(hub_cluster_end(nodes[0].hub) == CLUSTER_STOPPED, "for another reason");
    while (mock_line(ben) != NULL && ben->event.verb != VERB_QUIT)
        ensure(strcmp(ben->text + STAMP_LEN + 1, "msg ann last") == 0, "%s", ben->text);
    ensure(ben->event.verb == VERB_QUIT, "no quit");
    nodes_close();
}
END_TEST

static enum standing all_operators(void *context, const struct origin *origin, int fd)
{
    (void)context;
    (void)fd;
    return origin->local ? STANDING_CLIENT : STANDING_OPERATOR;
}

static void read_all(struct mock *p)
{
    while (mock_line(p) != NULL) {}
}

/* An operator removes members of every node; the session ends where it is. */
START_TEST(a_kick)
{
    struct hub_config config = {.standing = all_operators};
    struct mock *ann;
    struct mock *ben;
    struct mock *cat;
    struct mock *bot;

    nodes_open(&config);
    ann = join(0, "ann");
    ben = join(1, "ben");
    cat = join(2, "cat");
    bot = mock_add(&nodes[2]);
    mock_say(bot, "/post\nbot");
    nodes_settle();
    read_all(ann);
    read_all(ben);
    read_all(bot);
    mock_say(ben, "said behind it");
    mock_say(ann, "/kick BEN go home");
    if (_i == 1) {
        (void)stage_turn(&nodes[0]);
        ensure(stage_handover(&nodes[0]), "a handover");
    }
    nodes_settle();
    expect(ann, "quit ben kicked go home");
    expect(ann, "note ben was kicked");
    expect(ben, "quit ben kicked go home");
    expect(ben, "note an operator has removed you from the room: go home");
    ensure(ben->ended && ben->kills == 1, "it goes on");
    say(ann, "/kick ben");
    expect(ann, "error no-such-user nobody here is called ben");
    say(ann, "/kick bot");
    expect(ann, "note bot was kicked");
    ensure(bot->ended, "the poster goes on");
    mock_say(cat, "/kick ann");
    mock_say(ann, "/kick cat");
    nodes_settle();
    ensure(ann->ended != cat->ended, "one of the two was first");
    nodes_agree();
    nodes_close();
}
END_TEST

static bool is_banned(size_t node, const char *address)
{
    struct origin origin = {.local = false};

    ensure(ip_parse(&origin.ip, address, strlen(address)), "%s", address);
    return hub_is_banned(nodes[node].hub, &origin, nodes[node].now);
}

/* An address is banned at every node, a user at the member's. */
START_TEST(a_ban)
{
    struct hub_config config = {.standing = all_operators};
    struct origin user = {.local = true, .uid = 1000};
    struct mock *ann;
    struct mock *ben;

    nodes_open(&config);
    ann = join(0, "ann");
    ben = mock_add_as(&nodes[1], "198.51.100.7:5", NULL);
    mock_say(ben, "ben");
    mock_say(mock_add_as(&nodes[1], "local:7", "root"), "root");
    mock_say(mock_add_as(&nodes[0], "198.51.100.8:5", NULL), "cat");
    nodes_settle();
    read_all(ann);
    read_all(ben);
    say(ann, "/ban ben 5 enough");
    expect(ann, "quit ben kicked enough");
    expect(ann, "note ben is banned for 5 minutes");
    expect(ben, "quit ben kicked enough");
    expect(ben, "note you are banned for 5 minutes: enough");
    say(ann, "/ban root");
    expect(ann, "quit root kicked");
    expect(ann, "note root is banned for 60 minutes");
    say(ann, "/ban cat");
    expect(ann, "quit cat kicked");
    expect(ann, "note cat (198.51.100.8) is banned for 60 minutes");
    for (size_t i = 0; i < NODES; i++) {
        ensure(is_banned(i, "198.51.100.7") && is_banned(i, "198.51.100.8"), "node %zu", i);
        ensure(hub_is_banned(nodes[i].hub, &user, nodes[i].now) == (i == 1), "node %zu", i);
    }
    say(ann, "/unban cat");
    expect(ann, "note cat is not banned any more");
    for (size_t i = 0; i < NODES; i++)
        ensure(!is_banned(i, "198.51.100.8") && is_banned(i, "198.51.100.7"), "node %zu", i);
    nodes_agree();
    nodes_close();
}
END_TEST

/* The session has crashed with a line under way, and another connection waits for it: its source is
 * banned, and what waits ends. */
START_TEST(a_ban_of_a_claimed_session)
{
    struct hub_config config = {.standing = all_operators};
    struct mock *ann;
    struct mock *ben;
    struct mock *new;
    char token[TOKEN_LEN + 1];

    nodes_open(&config);
    ann = join(0, "ann");
    ben = mock_add_as(&nodes[1], "198.51.100.7:5", NULL);
    mock_say(ben, "/token\nben");
    nodes_settle();
    ensure(mock_line(ben) != NULL && ben->event.verb == VERB_TOKEN, "%s", ben->text);
    span_copy(token, sizeof token, ben->event.word);
    read_all(ann);
    stream.away = true;
    mock_say(ann, "/ban ben 5");
    mock_say(ben, "under way");
    nodes_settle();
    new = mock_add_as(&nodes[1], "198.51.100.9:5", NULL);
    mock_say(new, "/resume %s\nben", token);
    nodes_settle();
    mock_die(ben);
    mock_reap(&nodes[1], ben, SIGKILL);
    nodes_settle();
    stream.away = false;
    nodes_settle();
    expect(ann, "quit ben kicked");
    expect(ann, "note ben is banned for 5 minutes");
    expect(new, "note you are banned for 5 minutes");
    ensure(new->ended, "it goes on");
    for (size_t i = 0; i < NODES; i++)
        ensure(is_banned(i, "198.51.100.7"), "node %zu", i);
    nodes_agree();
    nodes_close();
}
END_TEST

/* The session is over where the ban comes, at its own node or at another where it had gone on, and
 * its leave is stored behind it; or before it, and then nobody is banned. */
START_TEST(a_ban_of_a_session_that_is_over)
{
    struct hub_config config = {.standing = all_operators};
    bool leaves_first = _i == 3;
    char token[TOKEN_LEN + 1];
    struct mock *ann;
    struct mock *ben;

    nodes_open(&config);
    ann = join(0, "ann");
    if (_i == 2)
        (void)join_with_token(0, "ben", token);
    ben = mock_add_as(&nodes[1], "198.51.100.7:5", NULL);
    nodes_settle();
    if (_i == 2)
        mock_say(ben, "/resume %s", token);
    mock_say(ben, "ben");
    nodes_settle();
    read_all(ann);
    read_all(ben);
    nodes[leaves_first ? 0 : 1].engine.cut = true;
    mock_leave(&nodes[1], ben);
    if (_i == 1)
        ensure(stage_handover(&nodes[1]), "a handover");
    say(ann, "/ban ben 5");
    nodes[0].engine.cut = nodes[1].engine.cut = false;
    nodes_settle();
    expect(ann, leaves_first ? "quit ben left" : "quit ben kicked");
    expect(ann, leaves_first ? "error no-such-user nobody here is called ben"
                             : "note ben is banned for 5 minutes");
    expect_nothing(ann);
    for (size_t i = 0; i < NODES; i++)
        ensure(is_banned(i, "198.51.100.7") != leaves_first, "node %zu", i);
    nodes_agree();
    nodes_close();
}
END_TEST

/* The client is at another node before the ban is, and its login is under way. */
START_TEST(a_ban_that_comes_late)
{
    struct hub_config config = {.standing = all_operators};
    struct mock *ann;
    struct mock *ben;
    struct mock *again;

    nodes_open(&config);
    ann = join(0, "ann");
    ben = mock_add_as(&nodes[1], "198.51.100.7:5", NULL);
    nodes_settle();
    mock_say(ben, "ben");
    nodes_settle();
    read_all(ann);
    nodes[2].engine.cut = true;
    again = mock_add_as(&nodes[2], "198.51.100.7:6", NULL);
    stage_settle(&nodes[2]);
    mock_say(again, "ben");
    stage_settle(&nodes[2]);
    say(ann, "/ban ben 5");
    expect(ann, "quit ben kicked");
    expect(ann, "note ben is banned for 5 minutes");
    nodes[2].engine.cut = false;
    nodes_settle();
    expect(ann, "join ben");
    expect(ann, "quit ben kicked");
    expect(again, "error not-allowed you are banned");
    ensure(again->ended, "it goes on");
    nodes_agree();
    nodes_close();
}
END_TEST

/* The member's node is cut off where the ban comes, and the others have dropped it when it bans: it
 * tells them again. */
START_TEST(a_ban_at_a_node_that_is_gone)
{
    struct hub_config config = {.standing = all_operators};
    struct mock *ann;
    struct mock *ben;

    nodes_open(&config);
    ann = join(0, "ann");
    ben = mock_add_as(&nodes[1], "198.51.100.7:5", NULL);
    nodes_settle();
    mock_say(ben, "ben");
    nodes_settle();
    read_all(ann);
    nodes[1].engine.cut = true;
    say(ann, "/ban ben 5");
    expect(ann, "quit ben kicked");
    expect(ann, "note ben is banned for 5 minutes");
    for (size_t i = 0; i < 10; i++) {
        stream.ahead += 2 * SECOND;
        nodes_wait(2 * SECOND);
    }
    ensure(!is_banned(0, "198.51.100.7"), "it has come by itself");
    if (_i == 1)
        ensure(stage_handover(&nodes[1]), "a handover");
    nodes[1].engine.cut = false;
    nodes_settle();
    nodes_wait(3 * SECOND);
    for (size_t i = 0; i < NODES; i++)
        ensure(is_banned(i, "198.51.100.7"), "node %zu", i);
    nodes_agree();
    nodes_close();
}
END_TEST

/* ---- Private messages ------------------------------------------------------------------------ */

static bool has_text(const struct stored *stored, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= stored->len; i++)
        if (memcmp(stored->bytes + i, text, len) == 0)
            return true;
    return false;
}

/* Answers keep their order, and the message is nowhere but at its two ends. */
START_TEST(private_messages)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    stream.questions = QUESTIONS_WAIT;
    mock_say(ann, "/msg BEN psst \xe2\x80\xa6");
    mock_say(ann, "aloud");
    mock_say(ann, "/msg ann self");
    mock_say(ann, "/msg nobody x");
    mock_say(ann, "/msg ben y");
    nodes_settle();
    expect_nothing(ann);
    say(ben, "meanwhile");
    expect(ann, "msg ben meanwhile");
    expect(ben, "msg ben meanwhile");
    if (_i == 1)
        ensure(stage_handover(&nodes[0]) && stage_handover(&nodes[1]), "a handover");
    stream.questions = QUESTIONS_GO;
    nodes_settle();
    expect(ann, "priv ann ben psst \xe2\x80\xa6");
    expect(ann, "msg ann aloud");
    expect(ann, "priv ann ann self");
    expect(ann, "error no-such-user nobody here is called nobody");
    expect(ann, "priv ann ben y");
    expect(ben, "priv ann ben psst \xe2\x80\xa6");
    expect(ben, "msg ann aloud");
    expect(ben, "priv ann ben y");
    for (size_t i = 0; i < stream.count; i++)
        ensure(!has_text(&stream.all[i], "psst"), "it is stored");
    say(ben, "/msg ann yes");
    expect(ben, "priv ben ann yes");
    expect(ann, "priv ben ann yes");
    expect_nothing(ann);
    nodes_agree();
    nodes_close();
}
END_TEST

/* They need no majority, but where a line waits they wait behind it. */
START_TEST(private_without_majority)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    stream.away = true;
    say(ann, "/msg ben psst");
    expect(ann, "priv ann ben psst");
    expect(ben, "priv ann ben psst");
    say(ann, "aloud");
    say(ann, "/msg ben again");
    expect_nothing(ann);
    expect_nothing(ben);
    stream.away = false;
    nodes_settle();
    expect(ann, "msg ann aloud");
    expect(ann, "priv ann ben again");
    nodes_close();
}
END_TEST

/* Why there is no echo. */
START_TEST(private_errors)
{
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    stream.questions = QUESTIONS_VANISH;
    say(ann, "/msg ben one");
    nodes_wait(4 * SECOND);
    expect_nothing(ann);
    nodes_wait(2 * SECOND);
    expect(ann, "error busy the node of ben does not answer; they may have got it");
    stream.questions = QUESTIONS_WAIT;
    say(ann, "/msg ben two");
    nodes_wait(6 * SECOND);
    expect(ann, "error busy the node of ben does not answer; they may have got it");
    stream.questions = QUESTIONS_GO; /* a late answer is none */
    nodes_settle();
    expect(ben, "priv ann ben two");
    expect_nothing(ann);
    engine_close(&nodes[1].engine);
    say(ann, "/msg ben three");
    expect(ann, "error busy the node of ben cannot be reached now");
    engine_close(&nodes[0].engine);
    (void)stage_turn(&nodes[0]);
    mock_say(ann, "/msg ben four");
    stage_settle(&nodes[0]);
    expect(ann, "error busy the node of ben cannot be reached now");
    expect_nothing(ben);
    nodes_close();
}
END_TEST

/* The receiver has left, or has gone on elsewhere, while the message was under way. */
START_TEST(private_to_somebody_who_leaves)
{
    char token[TOKEN_LEN + 1];
    struct mock *ann;
    struct mock *ben;
    struct mock *again;

    nodes_open(NULL);
    ann = join(0, "ann");
    ben = join_with_token(1, "ben", token);
    expect(ann, "join ben");
    stream.questions = QUESTIONS_WAIT;
    say(ann, "/msg ben one");
    if (_i == 0) {
        mock_leave(&nodes[1], ben);
    } else {
        again = mock_add(&nodes[2]);
        nodes_settle();
        mock_say(again, "/resume %s", token);
        mock_say(again, "ben");
        nodes_settle();
    }
    stream.questions = QUESTIONS_GO;
    nodes_settle();
    if (_i == 0) {
        expect(ann, "quit ben left");
        expect(ann, "error no-such-user nobody here is called ben");
    } else {
        expect(ann, "error busy ben cannot take a private message now");
        say(ann, "/msg ben two");
        expect(ann, "priv ann ben two");
        while (mock_line(again) != NULL && again->event.verb != VERB_PRIV) {}
        ensure(again->event.verb == VERB_PRIV, "it is not delivered");
    }
    nodes_close();
}
END_TEST

/* The sender is lost, kicked or moves meanwhile: the line is not sent again. */
START_TEST(private_of_somebody_who_leaves)
{
    char token[TOKEN_LEN + 1];
    struct mock *ann;
    struct mock *ben;
    struct mock *again;

    nodes_open(NULL);
    ann = join_with_token(0, "ann", token);
    ben = join(1, "ben");
    expect(ann, "join ben");
    stream.questions = QUESTIONS_WAIT;
    say(ann, "/msg ben psst");
    say(ann, "aloud");
    again = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(again, "/resume %s", token);
    mock_say(again, "ann");
    nodes_settle();
    mock_die(ann);
    mock_reap(&nodes[0], ann, SIGKILL);
    nodes_settle();
    stream.questions = QUESTIONS_GO;
    nodes_settle();
    expect(again, "resumed 1");
    expect(ben, "priv ann ben psst");
    expect_nothing(ben);
    nodes_close();
}
END_TEST

/* A letter waits until the receiver's node is as far as its sender was. */
START_TEST(private_ahead_of_the_room)
{
    struct mock *ann;
    struct mock *ben;

    nodes_open(NULL);
    ben = join(1, "ben");
    ann = mock_add(&nodes[0]);
    stage_settle(&nodes[0]);
    mock_say(ann, "ann");
    stage_settle(&nodes[0]); /* the others have not read that */
    read_all(ann);
    mock_say(ann, "/msg ben psst");
    stage_settle(&nodes[0]);
    expect_nothing(ann);
    nodes_settle(); /* the question comes before the login */
    expect(ann, "priv ann ben psst");
    expect(ben, "join ann");
    expect(ben, "priv ann ben psst");
    nodes_close();
}
END_TEST

/* The incarnation of the node that has stored something last. */
static struct incarnation incarnation_of(const char *node)
{
    for (size_t i = stream.count; i-- > 0;) {
        struct batch_id id;

        if (batch_id_read(&id, (struct span){stream.all[i].bytes, stream.all[i].len}) > 0 &&
            span_equal(id.node, node))
            return (struct incarnation){id.incarnation, id.nonce};
    }
    ck_abort_msg("node %s has stored nothing", node);
}

/* The number of the last batch that the node has stored. */
static uint64_t batch_of(const char *node)
{
    for (size_t i = stream.count; i-- > 0;) {
        struct batch_id id;

        if (batch_id_read(&id, (struct span){stream.all[i].bytes, stream.all[i].len}) > 0 &&
            span_equal(id.node, node))
            return id.number;
    }
    ck_abort_msg("node %s has stored nothing", node);
}

/* Another program stores a batch in the name of node x, with a request of its first connection. */
static const struct {
    bool waits;     /* x itself has a batch of that number under way, and is upgraded */
    uint64_t ahead; /* the number, from the last that was stored */
    uint64_t other; /* added to the incarnation's random value */
    uint8_t form;
    struct room_request request;
    enum cluster_end end; /* of x */
    const char *others;   /* what the other nodes tell; NULL: nothing */
} forged_rows[] = {
    {false, 1, 0, 1, {.kind = ROOM_LEAVE, .reason = "left"}, CLUSTER_TAKEN, "quit ann left"},
    {true, 1, 0, 1, {.kind = ROOM_SAY, .text = S("forged")}, CLUSTER_TAKEN, "msg ann forged"},
    {false, 0, 0, 1, {.kind = ROOM_SAY, .text = S("late")}, CLUSTER_GOES_ON, NULL},
    {false, 2, 0, 1, {.kind = ROOM_SAY, .text = S("early")}, CLUSTER_GOES_ON, NULL},
    {false, 1, 1, 1, {.kind = ROOM_SAY, .text = S("of another")}, CLUSTER_GOES_ON, NULL},
    {true, 1, 0, 2, {.kind = ROOM_SAY, .text = S("void")}, CLUSTER_GOES_ON, NULL},
};

START_TEST(batches_of_another_program)
{
    struct room_request request = forged_rows[_i].request;
    struct batch_id id = {.node = S("x"), .form = forged_rows[_i].form};
    char batch[256];
    struct mock *ann;
    struct mock *ben;
    size_t len;

    two_join(&ann, &ben);
    id.incarnation = incarnation_of("x").number;
    id.nonce = incarnation_of("x").random + forged_rows[_i].other;
    id.number = batch_of("x") + forged_rows[_i].ahead;
    request.number = 1;
    len = batch_id_write(batch, &id);
    len += request_write(batch + len, &request);
    stream.away = forged_rows[_i].waits;
    if (forged_rows[_i].waits) {
        say(ann, "one");
        ensure(stage_handover(&nodes[0]), "a handover");
    }
    stream_put(&stream, batch, len);
    nodes_settle();
    stream.away = false;
    say(ann, "two");
    ck_assert_int_eq(hub_cluster_end(nodes[0].hub), forged_rows[_i].end);
    if (forged_rows[_i].others != NULL)
        expect(ben, forged_rows[_i].others);
    if (forged_rows[_i].end == CLUSTER_GOES_ON && forged_rows[_i].waits)
        expect(ann, "msg ann one");
    if (forged_rows[_i].end == CLUSTER_GOES_ON)
        expect(ann, "msg ann two");
    expect_nothing(ann);
    read_all(ben);
    say(ben, "here");
    expect(ben, "msg ben here");
    nodes_close();
}
END_TEST

/* A letter from the first connection of node x to that of node y, with something else in it. */
static const struct {
    const char *node;
    uint32_t sender;
    uint32_t receiver;
    bool old; /* of an earlier incarnation */
    struct span text;
    const char *told; /* to the receiver; NULL: nothing */
} letter_rows[] = {
    {"x", 1, 1, false, S("hi"), "priv ann ben hi"},
    {"x", 1, 1, false, S("a\x1b[2J\nb\xff"),
        "priv ann ben a\xef\xbf\xbd[2J\xef\xbf\xbd"
        "b\xef\xbf\xbd"},
    {"x", 1, 1, false, S("\xc2\xad"), NULL}, /* nothing is left of it */
    {"x", 1, 1, true, S("hi"), NULL},
    {"x", 2, 1, false, S("hi"), NULL},
    {"x", 1, 2, false, S("hi"), NULL},
    {"y", 1, 1, false, S("hi"), NULL},
    {"z", 1, 1, false, S("hi"), NULL},
    {"nobody", 1, 1, false, S("hi"), NULL},
};

/* Another node may have been taken over: only what the room knows is told. */
START_TEST(letters_of_others)
{
    struct letter letter = {.node = {letter_rows[_i].node, strlen(letter_rows[_i].node)},
        .sender = letter_rows[_i].sender,
        .receiver = letter_rows[_i].receiver,
        .text = letter_rows[_i].text};
    char bytes[LETTER_MAX];
    struct mock *ben;

    nodes_open(NULL);
    (void)join(0, "ann");
    ben = join(1, "ben");
    letter.from = incarnation_of("x");
    letter.to = incarnation_of("y");
    letter.from.number -= letter_rows[_i].old;
    engine_question(
        &nodes[1].engine, "_INBOX.1", (struct span){bytes, letter_write(bytes, &letter)});
    nodes_settle();
    if (letter_rows[_i].told != NULL)
        expect(ben, letter_rows[_i].told);
    expect_nothing(ben);
    letter.to.random++; /* another program of that name is meant */
    engine_question(
        &nodes[1].engine, "_INBOX.2", (struct span){bytes, letter_write(bytes, &letter)});
    engine_question(&nodes[1].engine, "_INBOX.3", (struct span)S("rubbish"));
    engine_question(&nodes[1].engine, "_INBOX.4", (struct span)S(""));
    nodes_settle();
    expect_nothing(ben);
    nodes_close();
}
END_TEST

/* Letters that are ahead of the room wait: not many, and not for long. */
START_TEST(letters_from_the_future)
{
    struct letter letter = {.node = S("x"), .sender = 1, .receiver = 1, .text = S("hi")};
    char bytes[LETTER_MAX];
    struct mock *ann;
    struct mock *ben;

    two_join(&ann, &ben);
    letter.from = incarnation_of("x");
    letter.to = incarnation_of("y");
    letter.sequence = UINT64_MAX;
    for (int i = 0; i < 200; i++)
        engine_question(
            &nodes[1].engine, "_INBOX.1", (struct span){bytes, letter_write(bytes, &letter)});
    nodes_settle();
    say(ann, "/msg ben now");
    expect(ann, "priv ann ben now");
    expect(ben, "priv ann ben now");
    ensure(stage_handover(&nodes[1]), "a handover");
    nodes_wait(6 * SECOND);
    letter.sequence = stream.count + 1;
    engine_question(
        &nodes[1].engine, "_INBOX.1", (struct span){bytes, letter_write(bytes, &letter)});
    stage_settle(&nodes[1]);
    expect_nothing(ben);
    say(ann, "next");
    expect(ben, "msg ann next");
    expect(ben, "priv ann ben hi");
    nodes_close();
}
END_TEST

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

/* ---- Transcripts of another origin ---------------------------------------------------------- */

/* A line of that time, of this machine's clock. */
static const char *line_at(uint64_t time, const char *text)
{
    static char lines[8][80];
    static size_t next;
    char *line = lines[next++ % COUNT_OF(lines)];

    stamp_format(line, time);
    snprintf(line + STAMP_LEN, sizeof lines[0] - STAMP_LEN, " %s", text);
    return line;
}

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

/* ---- A stream that is gone ------------------------------------------------------------------- */

/* Hubs that want another engine have it. */
static void engines_settle(void)
{
    bool moved;

    do {
        moved = false;
        nodes_settle();
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].hub != NULL && hub_wants_engine(nodes[i].hub)) {
                stage_renew_engine(&nodes[i]);
                moved = true;
            }
    } while (moved);
}

static void engines_wait(unsigned seconds)
{
    for (; seconds > 0; seconds--) {
        stream.ahead += SECOND;
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].hub != NULL)
                stage_wait(&nodes[i], SECOND);
        engines_settle();
    }
}

static void lose(size_t kept)
{
    stream_lose(&stream, kept);
    engines_settle();
}

/* The next batch of that node is stored, and is empty. */
static void heartbeat(const char *node)
{
    const struct incarnation incarnation = incarnation_of(node);
    const struct batch_id id = {
        {node, strlen(node)}, incarnation.number, incarnation.random, batch_of(node) + 1, 1};
    char batch[BATCH_HEAD_MAX];

    stream_put(&stream, batch, batch_id_write(batch, &id));
}

/* How many messages of the stream have made it anew. */
static unsigned renewals(void)
{
    struct renewal_note note;
    unsigned count = 0;

    for (size_t i = 0; i < stream.count; i++)
        count += renewal_read(&note, (struct span){stream.all[i].bytes, stream.all[i].len});
    return count;
}

/* All have the same room, so all go on, with what waited: nothing is lost or doubled, and nobody
 * leaves. It has lost everything (0), its last message (1), or that and was filled again (2), or
 * the clock of the server that stores it now is an hour behind (3). */
START_TEST(a_stream_is_lost)
{
    struct mock *p[NODES];
    char echo[64];

    nodes_open(NULL);
    stream.ahead = _i == 3 ? 3600 * (uint64_t)SECOND : 0;
    for (size_t i = 0; i < NODES; i++)
        p[i] = join(i, names[i]);
    say(p[0], "before");
    for (size_t i = 0; i < NODES; i++)
        while (mock_line(p[i]) != NULL) {}
    lose(_i == 0 ? 0 : stream.count - 1);
    stream.ahead = 0;
    for (int i = 0; _i == 2 && i < 10; i++)
        stream_put(&stream, "of another", 10);
    for (size_t i = 0; i < NODES; i++)
        mock_say(p[i], "from %s", names[i]);
    engines_settle();
    engines_wait(29);
    ensure(renewals() == 0, "too early");
    engines_wait(2);
    ensure(renewals() == 1, "%u", renewals());
    for (size_t i = 0; i < NODES; i++) {
        ensure(hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON, "node %zu leaves", i);
        expect(p[i], "note the cluster does not answer: messages and logins wait for it");
        for (size_t j = 0; j < NODES; j++) {
            const char *line = mock_line(p[i]);

            snprintf(echo, sizeof echo, "msg %s from %s", names[j], names[j]);
            if (line != NULL && strncmp(line, "note", 4) == 0)
                line = mock_line(p[i]);
            ensure(line != NULL && strncmp(line, "msg ", 4) == 0, "%s", line);
        }
        while (mock_line(p[i]) != NULL)
            ensure(p[i]->event.verb == VERB_NOTE, "%s", p[i]->text);
    }
    say(p[2], "behind");
    expect(p[0], "msg z behind");
    nodes_agree();
    nodes_close();
}
END_TEST

/* That node has not read what was stored last, or (more) it alone has; that is lost. Those who have
 * more find the stream gone. Where they are all that there are but one, which has not been heard of
 * since, or which leaves the stream to them, they make it anew; the one loads it. */
static void differ(bool more)
{
    struct mock *p[NODES];
    size_t kept;

    for (size_t i = 0; i < NODES; i++)
        p[i] = join(i, names[i]);
    nodes[2].engine.cut = !more;
    nodes[0].engine.cut = nodes[1].engine.cut = more;
    kept = stream.count;
    mock_say(p[more ? 2 : 0], "lost");
    engines_settle();
    while (mock_line(p[2]) != NULL) {}
    ensure(more == (p[2]->event.verb == VERB_MSG), "%s", p[2]->text);
    lose(kept);
    nodes[0].engine.cut = nodes[1].engine.cut = false;
}

/* Two nodes have a message that the third has not, when the stream loses it. The third finds
 * nothing wrong, but is cut off (0), or has members who go on (1). */
START_TEST(a_node_had_less)
{
    static const char *const transcript[] = {NULL};

    nodes_open(NULL);
    differ(false);
    if (_i == 1)
        nodes[2].engine.cut = false;
    engines_wait(32);
    if (_i == 1) {
        ensure(renewals() == 0, "it was made anew");
        ensure(hub_cluster_end(nodes[0].hub) == CLUSTER_DIFFERS &&
                   hub_cluster_end(nodes[1].hub) == CLUSTER_DIFFERS &&
                   hub_cluster_end(nodes[2].hub) == CLUSTER_GOES_ON,
            "others leave");
        node_close(0);
        node_close(1);
        stage_open_in(&nodes[0], NULL, &stream, names[0]);
        stage_open_in(&nodes[1], NULL, &stream, names[1]);
        nodes_close();
        return;
    }
    ensure(renewals() == 1, "%u", renewals());
    nodes[2].engine.cut = false;
    engines_wait(1);
    ensure(hub_cluster_end(nodes[2].hub) == CLUSTER_DIFFERS, "it stays");
    node_close(2);
    engines_wait(16);
    stage_open_after(&nodes[2], &stream, names[2], transcript);
    say(join(2, "new"), "hello");
    nodes_close();
}
END_TEST

/* What is left of the stream is read when the nodes are long waiting: what they had stored before
 * the loss (0), or before they noticed it (1), does not say that others go on. */
START_TEST(a_stream_is_read_late)
{
    nodes_open(NULL);
    for (size_t i = 0; i < NODES; i++)
        say(join(i, names[i]), "hello");
    stream.slow = true;
    lose(stream.count - 1);
    if (_i == 1) {
        stream.ahead += 3 * SECOND;
        heartbeat("z");
    }
    engines_wait(12);
    stream.slow = false;
    engines_wait(20);
    for (size_t i = 0; i < NODES; i++)
        ensure(hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON, "node %zu leaves", i);
    ensure(renewals() == 1, "%u", renewals());
    nodes_agree();
    nodes_close();
}
END_TEST

/* One node has a message that the others have not: it leaves them the stream. */
START_TEST(a_node_had_more)
{
    nodes_open(NULL);
    differ(true);
    engines_wait(32);
    ensure(renewals() == 0, "it was made anew");
    ensure(hub_cluster_end(nodes[2].hub) == CLUSTER_DIFFERS, "it stays");
    node_close(2);
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    (void)join(2, "new");
    nodes_agree();
    nodes_close();
}
END_TEST

/* A place is lost while the hash of the one node there is (0), or the parts of its snapshot (1),
 * are under way. They are stored behind the message that makes the stream anew, which has the
 * sequence of that place. */
START_TEST(a_place_is_lost)
{
    struct mock *ann;

    nodes_open(NULL);
    ann = join(0, "ann");
    for (size_t i = 1; _i == 0 && i < NODES; i++)
        node_close(i);
    engines_wait(20);
    stream_fill(9999);
    nodes[2].engine.cut = _i == 1;
    stream.away = _i == 0;
    stream_put(&stream, "x", 1);
    nodes_settle();
    stream.away = true;
    for (int i = 0; i < 4; i++) {
        stream.ahead += 2 * SECOND;
        stream_put(&stream, "x", 1);
    }
    nodes_settle();
    stream.away = false;
    lose(9999);
    engines_wait(32);
    ensure(renewals() == 1, "%u", renewals());
    for (size_t i = 0; i < 2; i++)
        ensure(nodes[i].hub == NULL || hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON,
            "node %zu leaves", i);
    if (_i == 1)
        node_close(2);
    engines_wait(16);
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    say(ann, "hello");
    states_agree();
    nodes_close();
}
END_TEST

/* The time counts only as long as the servers say, without a break, that the stream is gone. */
START_TEST(a_stream_comes_back)
{
    struct mock *ann;

    nodes_open(NULL);
    ann = join(0, "ann");
    lose(0);
    engines_wait(20);
    stream_set_state(&stream, ENGINE_AWAY);
    engines_wait(20);
    ensure(renewals() == 0, "while no server answers");
    stream_set_state(&stream, ENGINE_GONE);
    engines_wait(29);
    ensure(renewals() == 0, "it has not been gone for so long");
    ensure(stage_handover(&nodes[1]), "a handover");
    engines_wait(3);
    ensure(renewals() == 1, "%u", renewals());
    ensure(stage_handover(&nodes[0]), "a handover");
    mock_say(ann, "hello");
    engines_settle();
    while (mock_line(ann) != NULL && ann->event.verb != VERB_MSG) {}
    ensure(span_equal(ann->event.text, "hello"), "%s", ann->text);
    nodes_agree();
    nodes_close();
}
END_TEST

/* A place, and its snapshot, for which nodes that are closed are not waited for any more. */
static void place_pass(struct mock *p)
{
    for (int i = 0; i < 310; i++) {
        stream.ahead += 2 * SECOND;
        say(p, "on");
    }
}

/* A node that starts with an older snapshot, as its transcript has no more, applies what follows,
 * and meets the message that has made the stream anew: its room is not that one, for the others had
 * more than was left of the stream. It looks for the snapshot behind it. */
START_TEST(a_start_before_a_stream_was_made_anew)
{
    char line[LINE_OUT_MAX];
    const char *const transcript[] = {line, NULL};
    struct mock *ann;

    nodes_open(NULL);
    ann = join(0, "ann");
    place_pass(ann);
    while (mock_line(ann) != NULL) {}
    say(ann, "known");
    expect(ann, "msg ann known");
    snprintf(line, sizeof line, "%s", ann->text);
    say(ann, "lost for that node");
    node_close(2);
    place_pass(ann);
    say(ann, "lost");
    lose(stream.count - 1);
    stream.gone = 3;
    engines_wait(32);
    ensure(renewals() == 1, "%u", renewals());
    say(ann, "behind");
    place_pass(ann);
    stage_open_after(&nodes[2], &stream, names[2], transcript);
    say(ann, "to all");
    nodes_wait(2 * SECOND);
    for (size_t i = 0; i < NODES; i++) {
        struct mock *p;

        ensure(hub_cluster_end(nodes[i].hub) == CLUSTER_GOES_ON, "node %zu leaves", i);
        p = mock_add(&nodes[i]);
        nodes_settle();
        say(p, "/users");
        expect(p, "here ann");
    }
    nodes_close();
}
END_TEST

/* A node that starts does not apply what was there before, and waits for the snapshot. */
START_TEST(a_start_in_a_stream_made_anew)
{
    struct mock *ann;

    nodes_open(NULL);
    (void)join(1, "ben");
    node_close(2);
    engines_wait(18);
    lose(3);
    engines_wait(29);
    for (int i = 0; i < 4 && renewals() == 0; i++) {
        stream.ahead += SECOND;
        stage_wait(&nodes[0], SECOND);
        nodes_settle();
    }
    ensure(renewals() == 1, "%u", renewals());
    stage_begin_in(&nodes[2], NULL, &stream, names[2]);
    ensure(hub_is_loading(nodes[2].hub), "what is it loaded from?");
    engines_wait(8);
    ensure(!hub_is_loading(nodes[2].hub), "it is not loaded");
    ann = join(2, "ann");
    say(ann, "/users");
    expect(ann, "here ben ann");
    nodes_agree();
    nodes_close();
}
END_TEST

/* There is no snapshot: nobody runs who would store one. A node that starts waits for it, but not
 * while the servers are away, and ends, to be started again. */
START_TEST(a_start_without_the_snapshot)
{
    nodes_open(NULL);
    (void)join(0, "ann");
    lose(3);
    engines_wait(29);
    for (int i = 0; i < 4 && renewals() == 0; i++) {
        stream.ahead += SECOND;
        stage_wait(&nodes[0], SECOND);
        nodes[0].engine.cut = renewals() > 0;
        nodes_settle();
    }
    ensure(renewals() == 1, "%u", renewals());
    for (size_t i = 0; i < NODES; i++)
        node_close(i);
    stage_begin_in(&nodes[2], NULL, &stream, names[2]);
    engines_wait(20);
    stream_set_state(&stream, ENGINE_AWAY);
    engines_wait(60);
    stream_set_state(&stream, ENGINE_READY);
    engines_wait(29);
    ensure(hub_cluster_end(nodes[2].hub) == CLUSTER_GOES_ON, "too early");
    engines_wait(2);
    ensure(hub_cluster_end(nodes[2].hub) == CLUSTER_LATE, "%d", (int)hub_cluster_end(nodes[2].hub));
    nodes_close();
}
END_TEST

/* The parts of snapshots that were stored first are void: the node that did it has died. */
static void snapshot_spoil(void)
{
    uint64_t place = 0;

    for (size_t i = 0; i < stream.count; i++) {
        struct requests requests;
        struct stored_request stored;

        if (!requests_open(&requests, (struct span){stream.all[i].bytes, stream.all[i].len}))
            continue;
        while (requests_next(&requests, &stored)) {
            if (stored.request.kind != ROOM_PART ||
                (place != 0 && place != stored.request.part.place))
                continue;
            place = stored.request.part.place;
            stream.all[i].len = 1;
        }
    }
    ensure(place != 0, "there is none");
}

/* Its transcript has lines that were lost, and the snapshot is of a later place than the renewal's:
 * one gap stands for both, and stamps do not go back. */
START_TEST(a_start_with_a_later_snapshot)
{
    const char *transcript[] = {NULL, NULL};
    struct mock *ann;
    struct mock *p;
    uint64_t last = 0;

    nodes_open(NULL);
    ann = join(0, "ann");
    node_close(1);
    node_close(2);
    engines_wait(18);
    say(ann, "lost");
    transcript[0] = line_at(stream.all[stream.count - 1].time / 1000u + 5 * SECOND, "msg old x");
    lose(stream.count - 1);
    engines_wait(32);
    ensure(renewals() == 1, "%u", renewals());
    say(ann, "behind");
    place_pass(ann);
    snapshot_spoil();
    stage_open_after(&nodes[2], &stream, names[2], transcript);
    p = mock_add(&nodes[2]);
    nodes_settle();
    mock_say(p, "/since 1970-01-01T00:00:00.000000Z");
    say(p, "ben");
    while (mock_line(p) != NULL && p->event.verb != VERB_YOU) {
        ensure(p->event.stamp >= last, "%s", p->text);
        last = verb_is_room(p->event.verb) || p->event.verb == VERB_GAP ? p->event.stamp : last;
    }
    ensure(p->event.verb == VERB_YOU && last != 0, "no welcome");
    nodes_close();
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {a_stream_is_lost, 4, 20},
        {a_node_had_less, 2, 20},
        {a_node_had_more, 1, 20},
        {a_stream_is_read_late, 2, 20},
        {a_place_is_lost, 2, 60},
        {a_stream_comes_back, 1, 20},
        {a_start_in_a_stream_made_anew, 1, 20},
        {a_start_without_the_snapshot, 1, 20},
        {a_start_with_a_later_snapshot, 1, 20},
        {a_start_before_a_stream_was_made_anew, 1, 20},
        {one_room, 1, 20},
        {one_name_at_once, 1, 20},
        {renames_that_cross, COUNT_OF(crossings), 20},
        {nothing_is_stored, 1, 20},
        {a_resumption_waits, 1, 20},
        {an_engine_dies, 1, 20},
        {batches_come_again, 1, 20},
        {a_client_moves, 1, 20},
        {a_client_moves_around, 1, 20},
        {a_client_moves_when_its_connection_is_lost, 1, 20},
        {a_token_of_nobody, 1, 20},
        {a_node_that_is_behind, 1, 20},
        {a_client_returns_to_a_node_that_is_behind, 2, 20},
        {a_claim_waits, 2, 20},
        {a_login_that_waits_is_claimed, 2, 20},
        {a_hub_dies, 1, 20},
        {a_node_is_gone, 1, 20},
        {a_node_is_gone_and_its_engine_is_stuck, 1, 20},
        {deadlines_with_a_full_queue, 1, 60},
        {a_node_is_gone_with_a_resumption, 1, 20},
        {an_outage, 1, 20},
        {two_programs_of_one_name, 1, 20},
        {batches_of_another_program, COUNT_OF(forged_rows), 20},
        {a_node_stops, 1, 20},
        {a_kick, 2, 20},
        {a_ban, 1, 20},
        {nodes_described, 1, 20},
        {an_order_that_is_handed_over, 1, 20},
        {a_transcript_of_its_own, COUNT_OF(transcripts), 20},
        {a_transcript_of_the_far_future, 3, 20},
        {a_ban_of_a_claimed_session, 1, 20},
        {a_ban_of_a_session_that_is_over, 4, 20},
        {a_ban_at_a_node_that_is_gone, 2, 20},
        {a_ban_that_comes_late, 1, 20},
        {nodes_are_forgotten, 1, 60},
        {a_stream_without_its_beginning, 1, 60},
        {a_room_that_differs, COUNT_OF(groups), 60},
        {private_messages, 2, 20},
        {private_without_majority, 1, 20},
        {private_errors, 1, 20},
        {private_to_somebody_who_leaves, 2, 20},
        {private_of_somebody_who_leaves, 1, 20},
        {private_ahead_of_the_room, 1, 20},
        {letters_of_others, COUNT_OF(letter_rows), 20},
        {letters_from_the_future, 1, 20},
        {forms_change, 3, 20},
        {forms_do_not_mix, 1, 20},
    };

    return tests_run("cluster", tests, COUNT_OF(tests));
}
