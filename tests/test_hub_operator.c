/*
 * test_hub_operator.c: the hub and operator commands: see mocks.h. The first client that comes is
 * an operator.
 */
#include "mocks.h"
#include "server/hub/bans.h"
#include "server/journal/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000000u

static struct stage stage;

static unsigned char operators_last; /* 192.0.2.1 to there are operators */
static unsigned char refused_from;   /* from there on they are refused; 0: nobody is */

static enum standing standing_of(void *context, const struct origin *origin, int fd)
{
    unsigned char last = origin->ip.bytes[3];

    (void)context;
    (void)fd;
    if (refused_from != 0 && last >= refused_from)
        return STANDING_REFUSED;
    return last <= operators_last ? STANDING_OPERATOR : STANDING_CLIENT;
}

static void open_with(struct hub_config config)
{
    config.standing = standing_of;
    operators_last = 1;
    refused_from = 0;
    stage_open(&stage, &config);
}

/* ---- Scripts ---- */

#define ANN_AND_BEN "a> ann\na~ you ann\nb> ben\nb~ you ben\na< join ben\n"
#define REMOVED "note an operator has removed you from the room"

static const struct {
    const char *name;
    const char *script;
} plays[] = {
    {"a kick is a quit, and then the answer",
        ANN_AND_BEN "a> /kick ben\na< quit ben kicked\na< note ben (192.0.2.2) was kicked\na0\n"
                    "b< " REMOVED "\nb< quit ben kicked\nb. \n"},
    {"with a text", ANN_AND_BEN
        "a> /KICK  BEN go home, ben\na< quit ben kicked go home, ben\na< note ben *\na0\n"
        "b< " REMOVED ": go home, ben\nb< quit ben kicked go home, ben\nb. \n"},
    {"others get the quit alone",
        ANN_AND_BEN "c> cid\nc~ you cid\nb< join cid\na> /kick ben\nc< quit ben kicked\nc0\n"},
    {"what somebody sends behind a kick is not said",
        ANN_AND_BEN "a: /kick ben\nb: one\nb& two\n+0\na< quit ben kicked\na< note ben *\na0\n"},
    {"the name is free at once", ANN_AND_BEN "a> /kick ben\nc> ben\nc~ you ben\na~ join ben\na0\n"},
    {"members are no operators",
        ANN_AND_BEN "b> /kick ann\nb< error not-allowed *\nb> /ban ann\nb< error not-allowed *\n"
                    "b> /unban ann\nb< error not-allowed *\na0\n"},
    {"answers of wrong ones",
        ANN_AND_BEN "a> /kick\na< error usage *\na> /kick \na< error usage *\na> /kick carl\n"
                    "a< error no-such-user *\na> /kick ann\na< error usage *\na0\nb0\n"},
    {"a poster",
        ANN_AND_BEN "c> /post\nc> bot\nc< you bot\nc> hi\nc< post bot hi\na< post bot hi\n"
                    "a> /kick bot\na< note bot (192.0.2.3) was kicked\na0\nc< " REMOVED "\nc. \n"},
    {"a poster that is an operator may not",
        "a> /post\na> bot\na~ you bot\nb> ben\nb~ you ben\na> /kick ben\n"
        "a< error not-allowed *\na0\nb0\n"},
    {"a ban is a kick of which the source is told", ANN_AND_BEN
        "a> /ban ben\na< quit ben kicked\na< note ben (192.0.2.2) is banned for 60 minutes\na0\n"
        "b< note you are banned for 60 minutes\nb< quit ben kicked\nb. \n"},
    {"for some minutes, and with a text", ANN_AND_BEN
        "c> cid\nc~ you cid\na< join cid\n"
        "a> /ban BEN 1 go home\na< quit ben kicked go home\n"
        "a< note ben (192.0.2.2) is banned for 1 minute\n"
        "b~ note you are banned for 1 minute: go home\nb< quit ben kicked go home\nb. \n"
        "a> /ban cid 5x is no number\na< quit cid kicked 5x is no number\n"
        "a< note cid (192.0.2.3) is banned for 60 minutes\na0\n"},
    {"answers of wrong bans", ANN_AND_BEN
        "a> /ban\na< error usage *\na> /ban ben 0\na< error usage *\na> /ban ann\n"
        "a< error usage *\na> /ban carl\na< error no-such-user *\na> /unban\na< error usage *\n"
        "a> /unban ben\na< error no-such-user *\na0\nb0\n"},
    {"a ban is lifted by the name on which it was put", ANN_AND_BEN
        "a> /ban ben 7\na~ note ben *\nb~ note *\nb< quit ben kicked\nb. \nc> ben\nc~ you ben\na< "
        "join ben\n"
        "a> /ban ben\na~ note ben *\na> /unban BEN\na< note BEN is not banned any more\n"
        "a> /unban ben\na< error no-such-user *\na0\n"},
    {"bans that are over", ANN_AND_BEN "a> /ban ben 1\na~ note ben *\nb~ note *\nb< quit ben "
                                       "kicked\nb. \n+61\na> /unban ben\na< error *\na0\n"},
    {"help", ANN_AND_BEN "a> /help\na< note * /kick *\n"},
};

START_TEST(plays_out)
{
    printf("%s\n", plays[_i].name);
    open_with((struct hub_config){0});
    stage_play(&stage, plays[_i].script);
    stage_close(&stage);
}
END_TEST

START_TEST(plays_out_with_upgrades)
{
    printf("%s\n", plays[_i].name);
    for (unsigned at = 1; at == 1 || at <= stage.steps; at++) {
        open_with((struct hub_config){0});
        stage.upgrade_at = at;
        stage_play(&stage, plays[_i].script);
        stage_close(&stage);
    }
}
END_TEST

/* ---- Silence ---- */

/* With -r a member has a backlog: nothing of it is said, and it is off the list at once. */
START_TEST(a_backlog)
{
    struct mock *ben;

    open_with((struct hub_config){.rate = 1});
    stage_play(&stage, ANN_AND_BEN);
    ben = &stage.mocks[1];
    for (int i = 0; i < 200; i++)
        mock_say(ben, "%d", i);
    stage_settle(&stage);
    stage_play(&stage, "a~ msg ben 9\na> /kick ben\na< quit ben kicked\na< note ben *\n+30\na0\n"
                       "a> /users\na< here ann\na< users 1\n");
    ensure(ben->kills == 1, "its worker lives");
    hub_report(stage.hub, stage.now);
    stage_close(&stage);
}
END_TEST

/* With -s the quit, and the answer, wait for the disk as lines do. */
START_TEST(held_lines)
{
    static const char kept[] = WRITER_KEPT "2999-01-01T00:00:00.000000Z\n";
    int writer;

    open_with((struct hub_config){.sync = true});
    writer = writer_add(&stage);
    for (int i = 0; i < 3; i++) {
        ensure(write(writer, kept, strlen(kept)) == (ssize_t)strlen(kept), "the writer's word");
        stage_settle(&stage);
        if (i < 2)
            stage_play(&stage, i == 0 ? "a: ann\n+0\n" : "b: ben\n+0\n");
    }
    stage_play(&stage, "a~ you ann\na< join ben\nb~ you ben\nb> one\na> /kick ben\na0\nb0\n");
    if (_i == 1)
        ensure(stage_handover(&stage), "a handover");
    ensure(write(writer, kept, strlen(kept)) == (ssize_t)strlen(kept), "the writer's word");
    stage_settle(&stage);
    stage_play(&stage, "a< msg ben one\na< quit ben kicked\na< note ben *\na0\n"
                       "b< msg ben one\nb< " REMOVED "\nb< quit ben kicked\nb. \n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* ---- Bans ---- */

static struct origin origin_at(const char *address)
{
    struct origin origin = {.local = false};

    ensure(ip_parse(&origin.ip, address, strlen(address)), "%s", address);
    return origin;
}

static bool is_banned(const char *address)
{
    struct origin origin = origin_at(address);

    return hub_is_banned(stage.hub, &origin, stage.now);
}

/* They are of the source, and outlive an upgrade. */
START_TEST(sources)
{
    struct origin user = {.local = true, .uid = 1000};
    struct mock *ann;

    open_with((struct hub_config){0});
    stage_play(&stage, "a> ann\na~ you ann\n");
    ann = &stage.mocks[0];
    mock_say(mock_add_as(&stage, "[2001:db8::1]:6", NULL), "six");
    mock_say(mock_add_as(&stage, "local:7", "root"), "root");
    mock_say(mock_add_as(&stage, "192.0.2.99:7", NULL), "four");
    stage_settle(&stage);
    stage_play(&stage, "a~ join four\na> /ban six 10\na~ note six (2001:db8::/64) is banned *\n"
                       "a> /ban root 20\na~ note root (uid 1000) is banned *\n"
                       "a> /ban four 30\na~ note four (192.0.2.99) is banned *\n");
    for (int i = 0; i < 2; i++) {
        ensure(is_banned("2001:db8::ffff:1") && !is_banned("2001:db8:0:1::1"), "IPv6");
        ensure(is_banned("192.0.2.99") && !is_banned("192.0.2.98"), "IPv4");
        ensure(hub_is_banned(stage.hub, &user, stage.now), "a user");
        ensure(stage_handover(&stage), "a handover");
    }
    hub_report(stage.hub, stage.now);
    stage_wait(&stage, 15 * 60 * (uint64_t)SECOND);
    ensure(!is_banned("2001:db8::1") && is_banned("192.0.2.99"), "the first is over");
    mock_say(ann, "/unban four");
    stage_settle(&stage);
    ensure(!is_banned("192.0.2.99") && hub_is_banned(stage.hub, &user, stage.now), "lifted");
    stage_close(&stage);
}
END_TEST

/* A connection that was accepted before the ban has waited for its name: it is no way back. One
 * that has a name stays, and so does what comes from elsewhere. */
START_TEST(a_spare_connection)
{
    struct mock *spare[2];
    struct mock *other;

    open_with((struct hub_config){0});
    stage_play(&stage, "a> ann\na~ you ann\n");
    mock_say(mock_add_as(&stage, "192.0.2.99:1", NULL), "ben");
    other = mock_add_as(&stage, "192.0.2.99:2", NULL);
    mock_say(other, "other");
    for (int i = 0; i < 2; i++)
        spare[i] = mock_add_as(&stage, i == 0 ? "192.0.2.99:3" : "192.0.2.98:3", NULL);
    stage_settle(&stage);
    stage_play(&stage, "a~ join other\na> /ban ben\na~ note ben (192.0.2.99) is banned *\n");
    if (_i == 1)
        ensure(stage_handover(&stage), "a handover");
    for (int i = 0; i < 2; i++)
        mock_say(spare[i], _i == 2 ? "/post\nben" : "ben");
    stage_settle(&stage);
    ensure(mock_line(spare[0]) != NULL &&
               strcmp(spare[0]->text + STAMP_LEN, " error not-allowed you are banned") == 0,
        "%s", spare[0]->text);
    ensure(spare[0]->ended && !spare[1]->ended && !other->ended, "the wrong one");
    stage_play(&stage, _i == 2 ? "a0\n" : "a< join ben\na0\n");
    stage_close(&stage);
}
END_TEST

/* So many and no more; those that are over make space. */
START_TEST(many_bans)
{
    char peer[PEER_TEXT_MAX];

    open_with((struct hub_config){0});
    stage_play(&stage, "a> ann\na~ you ann\n");
    for (int i = 0; i <= BANS_MAX; i++) {
        struct mock *p = &stage.mocks[1];

        stage.count = 1; /* the same place again */
        snprintf(peer, sizeof(peer), "10.0.%d.%d:9", i / 256, i % 256);
        ensure(p == mock_add_as(&stage, peer, NULL), "the same place");
        mock_say(p, "ben");
        stage_settle(&stage);
        mock_say(&stage.mocks[0], "/ban ben 10");
        stage_settle(&stage);
        if (i == BANS_MAX)
            break;
        mock_vanish(p);
        stage_settle(&stage);
        free(p->bytes);
    }
    stage_play(&stage, "a~ error busy *\na0\n+601\na> /ban ben\na~ note ben *\na0\n");
    stage_close(&stage);
}
END_TEST

/* ---- Resuming ---- */

static void token_of(struct mock *p, char token[33])
{
    while (mock_line(p) == NULL || p->event.verb != VERB_TOKEN)
        ensure(p->text[0] != '\0', "no token");
    span_copy(token, 33, p->event.word);
}

/* A session is waited for by a newer connection: both end, with one quit. */
START_TEST(a_claimed_session)
{
    char token[33];

    open_with((struct hub_config){0});
    stage_play(&stage, "a> ann\na~ you ann\nb> /token\nb> ben\n");
    token_of(&stage.mocks[1], token);
    stage_play(&stage, "b~ you ben\na< join ben\n");
    mock_say(mock_add(&stage), "/resume %s\nben", token);
    stage_settle(&stage);
    ensure(stage.mocks[1].ends == 1, "the old one is asked to end");
    stage_play(&stage, "a> /kick ben\na< quit ben kicked\na< note ben *\nc< " REMOVED "\nc. \n");
    ensure(hub_members(stage.hub) == 1, "ann is alone");
    stage_play(&stage, "d> ben\nd~ you ben\na< join ben\na0\n");
    stage_close(&stage);
}
END_TEST

/* The session has passed to the newer connection, which has not given its name yet. */
START_TEST(a_session_that_is_passing)
{
    char token[33];

    open_with((struct hub_config){0});
    stage_play(&stage, "a> ann\na~ you ann\nb> /token\nb> ben\n");
    token_of(&stage.mocks[1], token);
    stage_play(&stage, "b~ you ben\na< join ben\n");
    mock_say(mock_add(&stage), "/resume %s", token);
    stage_settle(&stage);
    stage_play(&stage, "b! lost\nc< resumed 0\na0\n");
    if (_i == 1)
        ensure(stage_handover(&stage), "a handover");
    stage_play(&stage, "a> /kick ben\na< quit ben kicked\na< note ben *\nc< " REMOVED "\nc. \n");
    ensure(hub_members(stage.hub) == 1, "ann is alone");
    stage_close(&stage);
}
END_TEST

/* ---- New rules ---- */

/* Members, posters and those without a name are compared with them; operators are the new ones. */
START_TEST(new_rules)
{
    open_with((struct hub_config){0});
    stage_play(&stage,
        "a> ann\na~ you ann\nb> ben\nb~ you ben\na< join ben\nc> cid\nc~ you cid\n"
        "a< join cid\nb< join cid\nd> /post\nd> bot\nd~ you bot\ne> /users\ne~ users 3\n"
        "f> fay\nf~ you fay\nf> /quit\nf. \na~ quit fay left\nb~ quit fay left\n"
        "c~ quit fay left\n");
    operators_last = 2;
    refused_from = 3;
    hub_review(stage.hub);
    if (_i == 1)
        ensure(stage_handover(&stage), "a handover");
    hub_review(stage.hub);
    stage.poked = true;
    stage_play(&stage,
        "+0\na< quit cid kicked\na0\nb< quit cid kicked\nb0\n"
        "c< note you are no longer admitted *\nc< quit cid kicked\nc. \n"
        "d< note you are no longer admitted *\nd. \n"
        "e< error not-allowed *\ne. \nb> /kick ann\nb< quit ann kicked\nb< note *\n");
    operators_last = 1;
    hub_review(stage.hub);
    stage.poked = true;
    stage_play(&stage, "b> /kick ann\nb< error not-allowed *\nb0\n");
    stage_close(&stage);
}
END_TEST

/* More are kicked than the log has space for in one turn. */
START_TEST(a_crowd_that_is_refused)
{
    open_with((struct hub_config){.log_bytes = 65536});
    stage_play(&stage, "a> ann\na~ you ann\n");
    for (int i = 0; i < 250; i++)
        (void)mock_add(&stage);
    stage_settle(&stage);
    for (size_t i = 1; i < stage.count; i++)
        mock_say(&stage.mocks[i], "a-name-of-many-letters-so-that-the-log-is-full-soon-%zu", i);
    stage_settle(&stage);
    ensure(hub_members(stage.hub) == 251, "%zu members", hub_members(stage.hub));
    refused_from = 2;
    hub_review(stage.hub);
    stage.poked = true;
    stage_settle(&stage);
    stage_wait(&stage, SECOND);
    ensure(hub_members(stage.hub) == 1, "%zu members", hub_members(stage.hub));
    stage_close(&stage);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {plays_out, COUNT_OF(plays), 10},
        {plays_out_with_upgrades, COUNT_OF(plays), 30},
        {a_backlog, 1, 10},
        {held_lines, 2, 10},
        {sources, 1, 20},
        {a_spare_connection, 3, 10},
        {many_bans, 1, 30},
        {a_claimed_session, 1, 10},
        {a_session_that_is_passing, 2, 10},
        {new_rules, 2, 10},
        {a_crowd_that_is_refused, 1, 20},
    };

    return tests_run("hub_operator", tests, COUNT_OF(tests));
}
