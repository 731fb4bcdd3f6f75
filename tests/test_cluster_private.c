/*
 * test_cluster_private.c: private messages between members of different nodes; and messages that
 * another program has stored or sent in a node's name.
 */
#include "nodes.h"
#include "server/cluster/batch.h"
#include "server/cluster/letter.h"
#include "server/cluster/requests.h"

#include <signal.h>
#include <string.h>

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

int main(void)
{
    const struct test tests[] = {
        {batches_of_another_program, COUNT_OF(forged_rows), 20},
        {private_messages, 2, 20},
        {private_without_majority, 1, 20},
        {private_errors, 1, 20},
        {private_to_somebody_who_leaves, 2, 20},
        {private_of_somebody_who_leaves, 1, 20},
        {private_ahead_of_the_room, 1, 20},
        {letters_of_others, COUNT_OF(letter_rows), 20},
        {letters_from_the_future, 1, 20},
    };

    return tests_run("cluster_private", tests, COUNT_OF(tests));
}
