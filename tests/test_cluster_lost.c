/*
 * test_cluster_lost.c: nodes of a room whose stream is gone, or has lost its end, and is made anew.
 */
#include "nodes.h"
#include "server/cluster/batch.h"
#include "server/cluster/renewal.h"
#include "server/cluster/requests.h"

#include <stdio.h>
#include <string.h>

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

/* A node starts and reads a wrong message behind the one that has made the stream anew: it looks
 * for what is right behind the place at which it differs, not behind that message. */
START_TEST(a_wrong_copy_of_a_stream_made_anew)
{
    struct mock *ann;

    nodes_open(NULL);
    ann = join(0, "ann");
    lose(0);
    engines_wait(32);
    ensure(renewals() == 1, "%u", renewals());
    node_close(2);
    engines_wait(20);
    stream.odd_node = names[2];
    stream.odd = stream.count + 1;
    say(ann, "not read by z");
    stream_fill(10100);
    engines_wait(10);
    stage_open_in(&nodes[2], NULL, &stream, names[2]);
    say(join(2, "cat"), "hello");
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
        {a_wrong_copy_of_a_stream_made_anew, 1, 60},
        {a_stream_comes_back, 1, 20},
        {a_start_in_a_stream_made_anew, 1, 20},
        {a_start_without_the_snapshot, 1, 20},
        {a_start_with_a_later_snapshot, 1, 20},
        {a_start_before_a_stream_was_made_anew, 1, 20},
    };

    return tests_run("cluster_lost", tests, COUNT_OF(tests));
}
