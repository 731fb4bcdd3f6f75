/*
 * test_hub_strangers.c: the hub, and clients that take places, time and memory from others: see
 * mocks.h.
 */
#include "mocks.h"
#include "server/hub/source.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND 1000000u

static struct stage stage;

/* ---- Sources ---- */

static size_t connections_from(const char *address)
{
    struct origin origin = {.local = false};

    ensure(ip_parse(&origin.ip, address, strlen(address)), "%s", address);
    return hub_connections_from(stage.hub, &origin);
}

/* Every connection of a source counts until its end, and also in the next hub. */
START_TEST(connections_from_one_source)
{
    struct origin user = {.local = true, .uid = 1000};
    struct mock *poster;

    stage_open(&stage, NULL);
    mock_add_silent(&stage);
    mock_say(mock_add_as(&stage, "192.0.2.1:6", NULL), "ann");
    poster = mock_add_as(&stage, "192.0.2.1:7", NULL);
    mock_say(poster, "/post\nben");
    mock_add_as(&stage, "192.0.2.11:6", NULL);
    mock_add_as(&stage, "[2001:db8::1]:6", NULL);
    mock_add_as(&stage, "[2001:db8::1:2:3:4]:6", NULL);
    mock_add_as(&stage, "[2001:db8:0:1::1]:6", NULL);
    mock_add_as(&stage, "[fe80::1]:6", NULL);
    mock_add_as(&stage, "local:7", "root");
    stage_settle(&stage);
    for (int i = 0; i < 2; i++) {
        ensure(connections_from("192.0.2.1") == 3, "IPv4: %zu", connections_from("192.0.2.1"));
        ensure(connections_from("2001:db8::9") == 2 && connections_from("2001:db8:0:1::") == 1,
            "a network of IPv6");
        ensure(connections_from("fe80::1") == 1 && connections_from("fe80::2") == 0, "a link");
        ensure(hub_connections_from(stage.hub, &user) == 1, "a user");
        ensure(connections_from("192.0.2.2") == 0, "a source without connections");
        ensure(hub_connections(stage.hub) == 9 && hub_sessions(stage.hub) == 9 &&
                   hub_members(stage.hub) == 1 && hub_nameless(stage.hub) == 7,
            "nine, two with a name");
        ensure(stage_handover(&stage), "a handover");
    }
    hub_report(stage.hub, stage.now);
    poster->reads = false;
    mock_say(poster, "/quit");
    stage_settle(&stage);
    ensure(hub_sessions(stage.hub) == 8 && connections_from("192.0.2.1") == 3, "it drains");
    mock_close(poster);
    stage_settle(&stage);
    ensure(connections_from("192.0.2.1") == 2, "it has ended");
    stage_close(&stage);
}
END_TEST

/* The oldest of the source that has most is ended first, after any lines but a name. */
START_TEST(the_nameless_are_ended)
{
    struct mock *mocks[6];

    stage_open(&stage, NULL);
    mocks[0] = mock_add_as(&stage, "192.0.2.1:1", NULL);
    mocks[1] = mock_add_as(&stage, "192.0.2.2:1", NULL);
    mocks[2] = mock_add_as(&stage, "192.0.2.2:2", NULL);
    mocks[3] = mock_add_as(&stage, "192.0.2.2:3", NULL);
    mocks[4] = mock_add_as(&stage, "192.0.2.2:4", NULL);
    mocks[5] = mock_add_as(&stage, "192.0.2.3:1", NULL);
    mock_say(mocks[1], "ann");
    mock_say(mocks[2], "/post");
    stage_settle(&stage);
    for (size_t i = 2; i <= 3; i++) {
        ensure(hub_end_nameless(stage.hub, stage.now), "one is ended");
        stage_settle(&stage);
        ensure(mock_line(mocks[i]) != NULL &&
                   pattern_match("error full *", mocks[i]->text + STAMP_LEN + 1),
            "%zu: %s", i, mocks[i]->text);
    }
    ensure(hub_nameless(stage.hub) == 3 && hub_members(stage.hub) == 1, "three and ann are left");
    for (int i = 0; i < 3; i++)
        ensure(hub_end_nameless(stage.hub, stage.now), "one is ended");
    ensure(!hub_end_nameless(stage.hub, stage.now), "none is left");
    stage_settle(&stage);
    ensure(hub_sessions(stage.hub) == 1, "ann stays");
    stage_close(&stage);
}
END_TEST

/* Guessing is as slow with many connections as with one, and holds no other source up. */
START_TEST(wrong_secrets_of_one_source)
{
    struct mock *guessers[5];
    struct mock *other;
    size_t answered = 0;

    stage_open(&stage, &(struct hub_config){.secret = "sesame"});
    for (int i = 0; i < 5; i++) {
        char peer[] = "[2001:db8::1]:1";

        peer[11] = (char)('1' + i);
        guessers[i] = mock_add_as(&stage, peer, NULL);
        mock_say(guessers[i], "/pass open\neve");
    }
    other = mock_add_as(&stage, "[2001:db8:0:1::1]:1", NULL);
    mock_say(other, "/pass sesame\nann");
    stage_settle(&stage);
    ensure(hub_members(stage.hub) == 1, "ann is in at once");
    mock_say(mock_add_as(&stage, "[2001:db8::9]:1", NULL), "/pass sesame\nben");
    stage_settle(&stage);
    ensure(stage_handover(&stage), "a handover");
    ensure(hub_members(stage.hub) == 1, "ben waits, lest guesses be told by their time");
    for (int second = 1; second <= 8; second++) {
        size_t before = answered;

        stage_wait(&stage, SECOND);
        answered = 0;
        for (int i = 0; i < 5; i++)
            answered += guessers[i]->end > 0;
        ensure(answered <= before + 1, "%zu guesses in second %d", answered - before, second);
    }
    ensure(answered == 5 && hub_members(stage.hub) == 2, "each has its answer");
    stage_close(&stage);
}
END_TEST

/* First come, first served, however many come later: a right one waits a second for each wrong one
 * before it, and holds nobody up. */
START_TEST(right_secrets_behind_wrong_ones)
{
    enum { PAIRS = 8 };

    stage_open(&stage, &(struct hub_config){.secret = "sesame"});
    for (int i = 0; i < 2 * PAIRS; i++) {
        mock_say(mock_add_as(&stage, "[2001:db8::1]:1", NULL), "/pass %s\nann",
            i % 2 == 0 ? "open" : "sesame");
        stage_settle(&stage);
    }
    for (size_t second = 0; second <= PAIRS; second++) {
        ensure(hub_members(stage.hub) == second, "%zu are in after %zu seconds",
            hub_members(stage.hub), second);
        mock_say(mock_add_as(&stage, "[2001:db8::2]:1", NULL), "/pass open\neve");
        stage_wait(&stage, SECOND + SECOND / 100);
    }
    stage_close(&stage);
}
END_TEST

/* It may wait for longer than a session has for its name: it has given its own, and is not late.
 * One that has given none is. */
START_TEST(a_right_secret_that_waits)
{
    struct mock *silent;
    struct mock *ann;

    stage_open(&stage, &(struct hub_config){.secret = "sesame", .login_us = 3 * SECOND});
    for (int i = 0; i < 8; i++)
        mock_say(mock_add_as(&stage, "[2001:db8::1]:1", NULL), "/pass open\neve");
    stage_settle(&stage);
    ann = mock_add_as(&stage, "[2001:db8::2]:1", NULL);
    mock_say(ann, "/pass sesame\nann");
    silent = mock_add_as(&stage, "[2001:db8::2]:2", NULL);
    mock_say(silent, "/history 1");
    stage_settle(&stage);
    stage_wait(&stage, 7 * SECOND);
    ensure(mock_line(silent) != NULL && silent->event.verb == VERB_ERROR, "it has no limit");
    ensure(mock_line(ann) == NULL && !ann->ended, "%s", ann->text);
    stage_wait(&stage, 2 * SECOND);
    ensure(mock_line(ann) != NULL && ann->event.verb == VERB_HERE, "%s", ann->text);
    stage_close(&stage);
}
END_TEST

/* What drains for the longest time is cut first; a member is not. */
START_TEST(the_draining_are_cut)
{
    struct mock *ann;
    struct mock *first;
    struct mock *second;

    stage_open(&stage, NULL);
    ann = mock_join(&stage, "ann");
    first = mock_join(&stage, "first");
    second = mock_join(&stage, "second");
    first->reads = second->reads = ann->reads = false;
    mock_say(second, "/quit");
    stage_settle(&stage);
    mock_say(first, "/quit");
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 3 && hub_sessions(stage.hub) == 1, "two drain");
    ensure(hub_cut_draining(stage.hub, stage.now), "one is cut");
    ensure(!mock_is_served(second) && mock_is_served(first), "the one that left first");
    ensure(hub_cut_draining(stage.hub, stage.now) && !mock_is_served(first), "the other one");
    ensure(!hub_cut_draining(stage.hub, stage.now) && mock_is_served(ann), "no more");
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 1, "ann stays");
    stage_close(&stage);
}
END_TEST

/* ---- The rate ---- */

static size_t answers_of(struct mock *p)
{
    size_t answers = 0;

    while (mock_line(p) != NULL)
        answers += p->event.verb != VERB_HERE;
    return answers;
}

/* Before the name as after it: a burst, and then so many a second. */
START_TEST(lines_before_the_name_at_a_rate)
{
    struct hub_config config = {.rate = 5};
    struct mock *p;
    size_t answers;

    stage_open(&stage, &config);
    p = mock_add(&stage);
    for (int i = 0; i < 60; i++)
        mock_say(p, _i == 0 ? "/users" : "/nonsense");
    mock_say(p, "ann");
    stage_settle(&stage);
    answers = answers_of(p);
    ensure(answers >= 50 && answers <= 51, "%zu answers at once", answers);
    stage_wait(&stage, SECOND);
    answers = answers_of(p);
    ensure(answers >= 4 && answers <= 6, "%zu answers in the next second", answers);
    stage_wait(&stage, 2 * SECOND);
    ensure(hub_members(stage.hub) == 1, "the name was not reached");
    stage_close(&stage);
}
END_TEST

static size_t workers_running(void)
{
    size_t running = 0;

    for (size_t i = 0; i < stage.count; i++)
        running += stage.mocks[i].process == PROCESS_RUNNING;
    return running;
}

/* One source begins a burst of sessions, and then so many a second; another one does not wait. */
START_TEST(sessions_of_a_source_at_a_rate)
{
    struct hub_config config = {.rate = 2};

    stage_open(&stage, &config);
    for (int i = 0; i < 26; i++)
        mock_add_as(&stage, "192.0.2.1:1", NULL);
    stage_settle(&stage);
    ensure(workers_running() >= 20 && workers_running() <= 21, "%zu at once", workers_running());
    mock_say(mock_add_as(&stage, "192.0.2.2:1", NULL), "ann");
    stage_settle(&stage);
    ensure(hub_members(stage.hub) == 1, "another source waits");
    stage_wait(&stage, SECOND);
    ensure(workers_running() >= 23 && workers_running() <= 24, "%zu after a second",
        workers_running());
    stage_wait(&stage, 3 * SECOND);
    ensure(workers_running() == 27, "%zu in the end", workers_running());
    stage_close(&stage);
}
END_TEST

/* The time for giving a name begins with the session, also with one that began in the next hub. */
START_TEST(sessions_that_wait)
{
    struct hub_config config = {.rate = 1, .login_us = 20 * SECOND};

    stage_open(&stage, &config);
    for (int i = 0; i < 40; i++)
        mock_add_as(&stage, "192.0.2.1:1", NULL);
    stage_settle(&stage);
    ensure(workers_running() >= 10 && workers_running() < 30, "%zu at once", workers_running());
    ensure(_i == 0 || stage_handover(&stage), "a handover");
    stage_wait(&stage, 35 * SECOND);
    ensure(_i == 1 || hub_sessions(stage.hub) > 0, "the last ones have more time");
    stage_wait(&stage, 25 * SECOND);
    ensure(hub_sessions(stage.hub) == 0, "%zu have no end", hub_sessions(stage.hub));
    stage_close(&stage);
}
END_TEST

/* A source that has left and comes back is not new. */
START_TEST(a_source_that_comes_back)
{
    struct hub_config config = {.rate = 1};

    stage_open(&stage, &config);
    for (size_t i = 0; i < 9; i++)
        mock_add_as(&stage, "192.0.2.1:1", NULL);
    stage_settle(&stage);
    for (size_t i = 0; i < 9; i++)
        mock_vanish(&stage.mocks[i]);
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 0, "all have left");
    ensure(_i == 0 || stage_handover(&stage), "a handover");
    for (int i = 0; i < 30; i++)
        mock_add_as(&stage, "192.0.2.1:1", NULL);
    stage_settle(&stage);
    ensure(workers_running() < 9, "%zu at once", workers_running());
    stage_wait(&stage, 60 * SECOND);
    stage_close(&stage);
}
END_TEST

/* ---- Memory ---- */

static const char *const questions[] = {
    "/users\n", "/nonsense\n", "/post\n", "/token\n", "/history 1\n"};

/*
 * A megabyte of one line, before the name and after it, from a client that does not read. With it
 * waits one users list at most, which is long here; each turn would make another one, so these are
 * asked for in turns of their own.
 */
START_TEST(a_megabyte_that_nobody_reads)
{
    char lines[4000] = "";
    size_t len = 0;
    size_t given = 0;
    struct mock *p;
    long before;

    do
        len += (size_t)snprintf(lines + len, sizeof lines - len, "%s", questions[_i / 2]);
    while (_i >= 2 && len + 20 < sizeof lines);
    stage_open(&stage, NULL);
    for (int i = 0; _i < 2 && i < 380; i++)
        mock_say(mock_add(&stage), "a_name_that_makes_the_list_of_this_room_a_very_long_one_%d", i);
    stage_wait(&stage, SECOND);
    stage.pair_bytes = 4096;
    p = mock_add(&stage);
    p->reads = false;
    if (_i % 2 == 1)
        mock_say(p, "ann");
    stage_settle(&stage);
    before = process_memory(getpid());
    while (given < 1000000 && mock_give(p, lines, len) == len) {
        given += len;
        stage_settle(&stage);
    }
    ensure(!memory_is_exact() || process_memory(getpid()) - before < 256, "%ld kB for %zu bytes",
        process_memory(getpid()) - before, given);
    stage_close(&stage);
}
END_TEST

/* A client that does not read its users list gets no second one: the next is made when it has. */
START_TEST(one_list_waits)
{
    enum { MEMBERS = 200, ASKED = 10 };
    struct mock *p;
    size_t early = 0;

    stage_open(&stage, NULL);
    for (int i = 0; i < MEMBERS; i++)
        mock_say(mock_add(&stage), "a_name_that_makes_the_list_of_this_room_long_%d", i);
    stage_wait(&stage, SECOND);
    stage.pair_bytes = 4096;
    p = mock_add(&stage);
    p->reads = false;
    if (_i == 1)
        mock_say(p, "asker");
    for (int i = 0; i < ASKED; i++) {
        mock_say(p, "/users");
        stage_settle(&stage);
    }
    stage.pair_bytes = 0;
    mock_say(mock_add(&stage), "late");
    stage_settle(&stage);
    p->reads = true;
    stage_settle(&stage);
    for (int i = 0; i < ASKED;) {
        ensure(mock_line(p) != NULL, "%d lists", i);
        i += p->event.verb == VERB_USERS;
        early += p->event.verb == VERB_USERS && p->event.count == MEMBERS + (size_t)_i;
    }
    ensure(early <= 2, "%zu lists have waited", early);
    stage_close(&stage);
}
END_TEST

/*
 * Lists that nobody reads stand before a goodbye: the client is a member no longer than one whose
 * goodbye was reached, and what it has said before counts.
 */
START_TEST(a_goodbye_behind_lists)
{
    enum { MEMBERS = 200, ASKED = 60 };
    char lines[ASKED * 8 + 1] = "";
    struct mock *p;

    stage_open(&stage, NULL);
    for (int i = 0; i < MEMBERS; i++)
        mock_say(mock_add(&stage), "a_name_that_makes_the_list_of_this_room_long_%d", i);
    stage_wait(&stage, SECOND);
    stage.pair_bytes = 4096;
    p = mock_add(&stage);
    p->reads = false;
    for (int i = 0; i < ASKED; i++)
        strcat(lines, "/users\n");
    mock_say(p, "asker\n%sthe end", lines);
    if (_i < 3)
        mock_goodbye(p, CONTROL_LEFT);
    if (_i == 3) /* its worker has not got to it: the pair is full */
        ensure(shutdown(p->client, SHUT_WR) == 0, "shutdown");
    stage_settle(&stage);
    if (_i == 1 || _i == 3)
        ensure(stage_handover(&stage), "a handover");
    if (_i == 2) { /* it takes its time, but it takes */
        while (hub_members(stage.hub) > MEMBERS) {
            (void)mock_take(p, 20000);
            stage_wait(&stage, SECOND);
        }
        ensure(p->end - p->start > ASKED * 4096, "it has got %zu bytes", p->end - p->start);
    } else {
        stage_wait(&stage, 58 * SECOND);
        ensure(hub_members(stage.hub) == MEMBERS + 1, "%zu members", hub_members(stage.hub));
    }
    stage_wait(&stage, _i < 3 ? 5 * SECOND : 300 * SECOND);
    ensure(_i == 2 || mock_is_served(p) == (_i == 4), "one that only does not read is not cut");
    if (_i >= 3) {
        mock_close(p);
        mock_goodbye(p, CONTROL_LEFT);
        stage_settle(&stage);
    }
    ensure(hub_members(stage.hub) == MEMBERS, "it stays");
    ensure(hub_connections(stage.hub) == MEMBERS || _i == 2, "so does its record");
    stage_play(&stage, "a~ msg asker the end\na< quit asker left\n");
    stage_close(&stage);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {connections_from_one_source, 1, 10},
        {the_nameless_are_ended, 1, 10},
        {the_draining_are_cut, 1, 10},
        {wrong_secrets_of_one_source, 1, 10},
        {right_secrets_behind_wrong_ones, 1, 10},
        {a_right_secret_that_waits, 1, 10},
        {lines_before_the_name_at_a_rate, 2, 10},
        {sessions_of_a_source_at_a_rate, 1, 10},
        {sessions_that_wait, 2, 10},
        {a_source_that_comes_back, 2, 10},
        {one_list_waits, 2, 20},
        {a_goodbye_behind_lists, 5, 20},
        {a_megabyte_that_nobody_reads, 2 * COUNT_OF(questions), 60},
    };

    return tests_run("hub_strangers", tests, COUNT_OF(tests));
}
