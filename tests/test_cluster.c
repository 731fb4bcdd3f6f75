/*
 * test_cluster.c: hubs of several nodes that share a room: clients that come, move and go, nodes
 * that end, an outage, kicks and bans.
 */
#include "nodes.h"
#include "server/cluster/frame.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

/* The tokens of a node that was gone stay valid there: the client learns which lines were answered,
 * and says the others. */
START_TEST(a_token_of_a_node_that_was_gone)
{
    char token[TOKEN_LEN + 1];
    struct mock *ann;
    struct mock *ben;

    nodes_open(NULL);
    ben = join(1, "ben");
    ann = join_with_token(0, "ann", token);
    say(ann, "one");
    expect(ben, "join ann");
    expect(ben, "msg ann one");
    mock_say(ann, "two");
    for (size_t i = 0; i < 10; i++) {
        stream.ahead += 2 * SECOND;
        stage_wait(&nodes[1], 2 * SECOND);
    }
    expect(ben, "quit ann lost");
    nodes_settle();
    ensure(ann->ended, "the connection stays");
    ann = mock_add(&nodes[0]);
    nodes_settle();
    mock_say(ann, "/resume %s", token);
    mock_say(ann, "/since 2020-01-01T00:00:00.000000Z");
    say(ann, "ann");
    expect(ann, "resumed 1");
    expect(ann, "join ben");
    expect(ann, "join ann");
    expect(ann, "msg ann one");
    expect(ann, "quit ann lost");
    expect(ann, "here ben ann");
    expect(ann, "users 2");
    expect(ann, "you ann");
    say(ann, "two");
    expect(ann, "msg ann two");
    expect(ben, "join ann");
    expect(ben, "msg ann two");
    expect_nothing(ben);
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

/* The nodes, with ann, an operator, at the first, and ben at the second, from 198.51.100.7. */
static void ban_open(struct mock **ann, struct mock **ben)
{
    const struct hub_config config = {.standing = all_operators};

    nodes_open(&config);
    *ann = join(0, "ann");
    *ben = mock_add_as(&nodes[1], "198.51.100.7:5", NULL);
    nodes_settle();
    mock_say(*ben, "ben");
    nodes_settle();
    read_all(*ann);
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
    struct mock *ann;
    struct mock *ben;
    struct mock *again;

    ban_open(&ann, &ben);
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
    struct mock *ann;
    struct mock *ben;

    ban_open(&ann, &ben);
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

/* A reader that is a log behind makes its own node wait; the others go on, and nothing is lost. */
START_TEST(a_slow_reader)
{
    enum { LINES = 600, LINE = 900 };
    struct mock *ann;
    struct mock *ben;
    struct mock *slow;
    unsigned waiting = 0;
    char line[LINE + 1];
    char echo[LINE + 16];

    nodes_open(&(struct hub_config){.log_bytes = 65536, .wait_us = 3600 * (uint64_t)SECOND});
    ann = join(0, "ann");
    ben = join(1, "ben");
    slow = join(1, "slow");
    read_all(ann);
    read_all(ben);
    slow->reads = false;
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%0*u", LINE, i);
        snprintf(echo, sizeof echo, "msg ann %s", line);
        say(ann, line);
        expect(ann, echo);
        waiting += mock_line(ben) == NULL;
    }
    ensure(waiting > 0, "its node has not waited");
    slow->reads = true;
    nodes_settle();
    for (unsigned i = 0; i < waiting; i++)
        ensure(mock_line(ben) != NULL && ben->event.verb == VERB_MSG, "line %u of %u", i, waiting);
    expect_nothing(ben);
    for (unsigned i = 0; i < LINES; i++)
        ensure(mock_line(slow) != NULL && slow->event.verb == VERB_MSG, "line %u", i);
    expect_nothing(slow);
    nodes_agree();
    nodes_close();
}
END_TEST

int main(void)
{
    const struct test tests[] = {
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
        {a_token_of_a_node_that_was_gone, 1, 20},
        {a_node_is_gone_and_its_engine_is_stuck, 1, 20},
        {deadlines_with_a_full_queue, 1, 60},
        {a_node_is_gone_with_a_resumption, 1, 20},
        {an_outage, 1, 20},
        {a_slow_reader, 1, 20},
        {two_programs_of_one_name, 1, 20},
        {a_node_stops, 1, 20},
        {a_kick, 2, 20},
        {a_ban, 1, 20},
        {a_ban_of_a_claimed_session, 1, 20},
        {a_ban_of_a_session_that_is_over, 4, 20},
        {a_ban_at_a_node_that_is_gone, 2, 20},
        {a_ban_that_comes_late, 1, 20},
    };

    return tests_run("cluster", tests, COUNT_OF(tests));
}
