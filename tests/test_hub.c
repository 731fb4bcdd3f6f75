/*
 * test_hub.c: the hub, from its clients' and workers' side: a hub in this process, mock
 * clients and workers at the other ends of its sockets, a clock that is moved ahead.
 */
#include "compat/compat.h"
#include "mocks.h"
#include "server/hub/log.h"
#include "server/journal/writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND 1000000u
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static struct stage stage; /* too large for a stack */

/* ---- Scripts ---- */

/* One room, and what is said in it. */
struct play {
    const char *name;
    struct hub_config config;
    const char *script;
};

static const struct play plays[] = {
    {"a welcome is the list, then your name", {0},
        "a> ann\na< here ann\na< users 1\na< you ann\na0\n"
        "b> ben\nb< here ann ben\nb< users 2\nb< you ben\nb0\na< join ben\na0\n"},
    {"who comes in one turn sees one list, and no join of its own or of theirs", {0},
        "a> ann\na~ you ann\nb& \nc& \nd& \nb: ben\nc: cid\nd: dan\n+0\n"
        "b< here ann ben cid dan\nb< users 4\nb< you ben\nb0\n"
        "c< here ann ben cid dan\nc< users 4\nc< you cid\nc0\n"
        "d< here ann ben cid dan\nd< users 4\nd< you dan\nd0\n"
        "a< join ben\na< join cid\na< join dan\na0\n"},
    {"a name that is taken gets a number, whatever its case", {0},
        "a> bob\na~ you bob\nb> BOB\nb~ you BOB_2\nc> bob\nc~ you bob_3\n"
        "d> bob_2\nd~ you bob_2_2\nb! left\nb~ join bob_2_2\nb. \ne> bob\ne~ you bob_2\n"},
    {"a name is free as soon as its holder's quit is out", {0},
        "a> ann\na~ you ann\nb> ben\nb~ you ben\na~ join ben\nb> /quit\na< quit ben left\n"
        "c> ben\nc~ you ben\na< join ben\na0\n"},
    {"an empty name is the address", {0},
        "a> \na< here 192.0.2.1:1000\na< users 1\na< you 192.0.2.1:1000\nb> ben\nb~ you ben\n"},
    {"the hub cleans names that a worker did not", {0},
        "a>   two words \na~ you two_words\nb> x:y\nb~ you x_y\n"},
    {"messages, actions and escapes", {0},
        "a> ann\na~ you ann\nb> ben\nb~ you ben\na~ join ben\n"
        "a> hello\na< msg ann hello\nb< msg ann hello\n"
        "a> /me waves\na< me ann waves\nb< me ann waves\n"
        "a> //me\na< msg ann /me\nb< msg ann /me\n"
        "a>  two  blanks \na< msg ann  two  blanks \nb< msg ann  two  blanks \n"
        "a> \na0\nb0\n"},
    {"private messages", {0},
        "a> ann\na~ you ann\nb> ben\nb~ you ben\nc> cid\nc~ you cid\na~ join cid\nb~ join cid\n"
        "a> /msg ben psst\na< priv ann ben psst\nb< priv ann ben psst\nc0\n"
        "a> /msg BEN psst\na< priv ann ben psst\nb< priv ann ben psst\n"
        "a> /msg ann me\na< priv ann ann me\na0\n"
        "a> /msg dan hi\na< error no-such-user *\n"
        "a> /msg ben\na< error usage *\na> /msg\na< error usage *\nb0\nc0\n"},
    {"new names", {0},
        "a> ann\na~ you ann\nb> ben\nb~ you ben\na~ join ben\n"
        "a> /nick amy\na< nick ann amy\nb< nick ann amy\n"
        "a> /nick amy\na< error usage *\na> /nick\na< error usage *\nb0\n"
        "a> /nick AMY\na< nick amy AMY\nb< nick amy AMY\n"
        "a> /nick Ben\na< nick AMY Ben_2\nb< nick AMY Ben_2\n"
        "c> ann\nc< here Ben_2 ben ann\nc< users 3\nc~ you ann\n"
        "b> /msg ben_2 x\nb~ priv ben Ben_2 x\n"},
    {"lists, help, and what is no command", {0},
        "a> ann\na~ you ann\na> /users\na< here ann\na< users 1\na> /help\na< note commands*\n"
        "a> /foo\na< error unknown-command *\na> /\na< error unknown-command *\n"
        "a> /me\na< error usage *\na> /history 3\na< error unknown-command *\na0\n"},
    {"answers come in the order of the lines", {0},
        "a> ann\na~ you ann\na: one\na: /foo\na: two\na: /users\na: /me\na: three\na: /msg ann x\n"
        "a: /help\na: four\n+0\na< msg ann one\na< error unknown*\na< msg ann two\na< here ann\n"
        "a< users 1\na< error usage*\na< msg ann three\na< priv ann ann x\na< note *\n"
        "a< msg ann four\na0\n"},
    {"goodbyes", {0},
        "a> ann\na~ you ann\nb> ben\nc> cid\nd> dan\na~ join dan\nb~ join dan\n"
        "b! left\nb. \n"
        "a< quit ben left\nb# \nc! lost\nc# \na< quit cid lost\n"
        "d! kicked\na< quit dan crashed\na> /users\na< here ann\na< users 1\na0\n"},
    {"goodbye with a word", {0},
        "a> ann\na~ you ann\nb> ben\nb~ you ben\na~ join ben\nb: last\nb: /quit so long\n"
        "b> not heard\nb< msg ben last\nb. \nb# \n"
        "a< msg ben last\na< quit ben left so long\na0\n"},
    {"what was said before the goodbye counts", {0},
        "a> ann\na~ you ann\nb: ben\nb: one\nb: two\nb! left\nb~ you ben\nb< msg ben one\n"
        "b< msg ben two\nb. \na~ msg ben two\na< quit ben left\na0\n"},
    {"a member whose worker was killed is silent from that moment", {0},
        "a> ann\na~ you ann\nb> ben\na~ join ben\nb: one\nb: two\nb* 9\n"
        "a< quit ben crashed\na0\nb~ you ben\nb. \nb# \n"},
    {"the end of the pair before it is reaped: the reason is not guessed", {0},
        "a> ann\na~ you ann\nb> ben\na~ join ben\nb: one\nb- \na< msg ben one\na0\n"
        "b* 15\na< quit ben kicked\na0\nb~ msg ben one\nb< note *\nb. \nb# \n"},
    {"lines that were relayed before a kick are discarded", {0},
        "a> ann\na~ you ann\nb> ben\na~ join ben\nb> one\na< msg ben one\nb: two\nb* 15\n"
        "a< quit ben kicked\na0\nb~ msg ben one\nb< note *\nb. \nb# \n"},
    {"a worker that hangs up without a word is ended", {0},
        "a> ann\na~ you ann\nb> ben\na~ join ben\nb| \na< quit ben crashed\na0\n"},
    {"dead before the name", {0},
        "a> ann\na~ you ann\nb& be\nb- \nb* 0\na0\nb. \nc> ben\nc~ you ben\n"},
    {"lines and lists before the name", {.history = 2},
        "a> ann\na~ you ann\na> one\na> two\na> three\n"
        "b> /users\nb< here ann\nb< users 1\nb> /foo\nb< error unknown-command *\n"
        "b> /history x\nb< error usage *\nb> /since yesterday\nb< error usage *\n"
        "b> ben\nb< msg ann two\nb< msg ann three\nb~ you ben\nb0\n"
        "c> /history 3\nc> cid\nc< msg ann one\nc< msg ann two\nc< msg ann three\n"
        "c< join ben\nc~ you cid\nc0\n"
        "d> /history 0\nd> dan\nd< here *\n"
        "e> /history 1000000000\ne> eve\ne< join ann\ne~ you eve\n"
        "f> /since 1970-01-01T00:00:00.000000Z\nf> fay\nf< join ann\nf~ you fay\n"
        "g> /since 9999-01-01T00:00:00.000000Z\ng> guy\ng< here *\n"},
    {"posting", {0},
        "a> ann\na~ you ann\nb> /post\nb> ben\nb< you ben\na0\n"
        "b> one\nb< post ben one\na< post ben one\na> /users\na< here ann\na< users 1\n"
        "b> /users\nb< here ann\nb< users 1\nb> /help\nb< note *\nb> /me x\nb< error not-allowed "
        "*\n"
        "b> /msg ann x\nb< error not-allowed *\nb> /nick x\nb< error not-allowed *\n"
        "a> /msg ben x\na< error no-such-user *\na> hi\na< msg ann hi\nb0\n"
        "c> ben\nc~ you ben_2\na< join ben_2\nb> /quit\nb. \na0\nd> ben\nd~ you ben\n"},
    {"posters share a name", {0},
        "a> ann\na~ you ann\nb> /post\nb> ci\nb< you ci\nc> /post\nc> CI\nc< you CI\n"
        "d> /post\nd> ann\nd< you ann_2\ne> /post\ne> Ann\ne< you Ann_2\n"
        "b> one\nb< post ci one\na< post ci one\nc> two\nc< post CI two\na< post CI two\nb0\n"
        "f> ci\nf~ you ci_2\na< join ci_2\na> /nick ci\na< nick ann ci_3\nf< nick ann ci_3\n"
        "b> /quit\nb. \nf> /nick ci\nf< error usage ci is taken\nc> /quit\nc. \n"
        "f> /nick ci\nf< nick ci_2 ci\ng> /post\ng> ci\ng< you ci_2\n"},
    {"no web page", {0}, "a> GET / HTTP/1.1\na< error not-allowed *\na. \n"},
    {"a secret", {.secret = "sesame"},
        "a> /users\na< error password *\na. \nb> ben\nb< error password *\nb. \n"
        "c> /pass sesame\nc> cid\nc~ you cid\n"
        "d> /pass sesamE\nd0\n+0.9\nd0\n+0.2\nd< error password *\nd. \n"
        "e> /pass \n+2\ne< error password *\ne. \n"
        "f> /resume 0123456789abcdef0123456789abcdef\nf< error password *\nf. \n"},
    {"a secret with what nobody can have typed", {.secret = "se"},
        "a> /pass \xef\xbf\xbd\na> s\n+2\na< error password *\na. \n"},
    {"errors name the thing", {0},
        "a> ann\na~ you ann\na> /msg carl hi\na< error no-such-user nobody here is called carl\n"
        "a> /whois carl\na< error unknown-command /whois is not a command here; try /help\n"
        "a> /\na< error unknown-command / is not a command here; try /help\n"
        "a> /history 3\na< error unknown-command /history is not a command here; try /help\n"
        "b> /msg ann hi\nb< error unknown-command /msg is not a command before the name\n"
        "b> /post\nb> ben\nb< you ben\n"
        "b> /Me x\nb< error not-allowed /Me is not for a session that only posts\n"
        "a> /msg " X64 "xxxxxx x\na< error no-such-user nobody here is called " X64 "\n"},
    {"a greeting", {.greeting = "hello\n\nand  mind the gap\n"},
        "a> /token\na> ann\na< token *\na< here ann\na< users 1\na< note hello\na< note \n"
        "a< note and  mind the gap\na< you ann\na> x\na< msg ann x\n"
        "b> /post\nb> ben\nb< you ben\nb0\n"
        "c> /resume 0123456789abcdef0123456789abcdef\nc< resumed *\nc> cid\nc< here ann cid\n"
        "c< users 2\nc< you cid\na< join cid\n"
        "d& \ne& \nd: dan\ne: eve\n+0\nd< here *\nd< users 4\nd< note hello\nd< note \nd< note and "
        "*\n"
        "d< you dan\nd0\ne< here *\ne< users 4\ne< note hello\n"},
    {"no secret is asked for", {0}, "a> /pass x\na> ann\na~ you ann\n"},
    {"a session must have given its name by then, whatever it says", {.login_us = 5 * SECOND},
        "a> ann\na~ you ann\nb> /users\nb~ users 1\n+4\nb> /users\nb~ users 1\nb0\n+1.1\n"
        "b< error login-timeout *\nb. \na0\n+60\na0\n"},
    {"clocks go on in the next hub", {.login_us = 5 * SECOND, .secret = "sesame", .rate = 1},
        "a> /pass sesame\na> ann\na~ you ann\nb& x\nc> /pass x\n^\n+0.9\nc0\n+0.2\n"
        "c< error password *\nc. \nb0\n+3\nb0\n+1\nb< error login-timeout *\nb. \na0\n"
        "a: 1\na: 2\na: 3\na: 4\na: 5\na: 6\na: 7\na: 8\na: 9\na: 10\na: 11\n+0\n^\n"
        "a~ msg ann 10\na0\n+1.1\na< msg ann 11\n"},
    {"so many lines a second, ten seconds ahead", {.rate = 1},
        "a> ann\na~ you ann\na: 1\na: 2\na: 3\na: 4\na: 5\na: 6\na: 7\na: 8\na: 9\na: 10\na: 11\n"
        "a: 12\n+0\na~ msg ann 10\na0\n+0.9\na0\n+0.2\na< msg ann 11\na0\n+1\na< msg ann 12\na0\n"},
    {"lines that come too fast count, though their worker has exited", {.rate = 1},
        "a> ann\na~ you ann\nb> ben\na~ join ben\nb: 1\nb: 2\nb: 3\nb: 4\nb: 5\nb: 6\nb: 7\nb: 8\n"
        "b: 9\nb: 10\nb: 11\nb: 12\nb! left\na~ msg ben 10\na0\n+3\na< msg ben 11\n"
        "a< msg ben 12\na< quit ben left\na0\n"},
    {"lines that are too long", {0},
        "a! too-long\na< error too-long *\na> ann\na~ you ann\na: x\na! too-long\na: y\n+0\n"
        "a< msg ann x\na< error too-long *\na< msg ann y\na0\n"},
    {"a token that nobody knows", {0},
        "a> /resume 0123456789abcdef0123456789abcdef\na< resumed ?\na> /resume x\na< resumed ?\n"
        "a> /resume\na< resumed ?\na> /resume 0123456789abcdef0123456789abcdeG\na< resumed ?\n"
        "a> ann\na~ you ann\n"},
};

START_TEST(plays_out)
{
    const struct play *play = &plays[_i];

    printf("%s\n", play->name);
    stage_open(&stage, &play->config);
    stage_play(&stage, play->script);
    stage_close(&stage);
}
END_TEST

/* Each of them again, with an upgrade after each of its steps: nobody notices. */
/* Where the room's order is that of a stream, nothing else is different. */
START_TEST(plays_out_in_a_cluster)
{
    const struct play *play = &plays[_i];
    struct stream stream = {.count = 0};

    printf("%s\n", play->name);
    stage_open_in(&stage, &play->config, &stream, "n");
    stage_play(&stage, play->script);
    stage_close(&stage);
    stream_free(&stream);
}
END_TEST

START_TEST(plays_out_with_upgrades)
{
    const struct play *play = &plays[_i];

    printf("%s\n", play->name);
    for (unsigned at = 1;; at++) {
        stage_open(&stage, &play->config);
        stage.upgrade_at = at;
        stage_play(&stage, play->script);
        stage_close(&stage);
        if (at >= stage.steps)
            break;
    }
}
END_TEST

/* ---- Names ---- */

START_TEST(plays_out_in_a_cluster_with_upgrades)
{
    const struct play *play = &plays[_i];

    printf("%s\n", play->name);
    for (unsigned at = 1;; at++) {
        struct stream stream = {.count = 0};

        stage_open_in(&stage, &play->config, &stream, "n");
        stage.upgrade_at = at;
        stage_play(&stage, play->script);
        stage_close(&stage);
        stream_free(&stream);
        if (at >= stage.steps)
            break;
    }
}
END_TEST

START_TEST(two_hundred_bobs)
{
    bool seen[201] = {false};

    stage_open(&stage, NULL);
    for (int i = 0; i < 200; i++)
        (void)mock_add(&stage);
    stage_settle(&stage); /* workers are started a few in a turn; the names come in one */
    for (size_t i = 0; i < stage.count; i++)
        mock_say(&stage.mocks[i], i % 2 == 0 ? "bob" : "BoB");
    stage_settle(&stage);
    for (size_t i = 0; i < stage.count; i++) {
        struct mock *p = &stage.mocks[i];
        unsigned long number = 1;
        size_t names = 0;

        while (mock_line(p) != NULL && p->event.verb != VERB_YOU)
            if (p->event.verb == VERB_HERE)
                for (size_t k = 0; k < p->event.text.len; k++)
                    names += p->event.text.at[k] == ' ' || k == 0;
        ensure(names == 200, "a list of %zu", names);
        ensure(p->event.verb == VERB_YOU && mock_line(p) == NULL, "the welcome ends");
        if (p->event.name.len > 4)
            number = strtoul(p->event.name.at + 4, NULL, 10);
        ensure(number >= 1 && number <= 200 && !seen[number], "a name twice: %s", p->text);
        seen[number] = true;
    }
    stage_close(&stage);
}
END_TEST

/* More names than one turn lets in, and than one line of a list holds. */
START_TEST(a_full_house)
{
    struct mock *last;
    char name[64];
    unsigned here = 0;

    stage_open(&stage, NULL);
    for (int i = 0; i < 390; i++) {
        snprintf(name, sizeof name, "somebody_with_quite_a_long_name_so_that_lists_are_long_%d", i);
        mock_say(mock_add(&stage), "%s", name);
    }
    stage_wait(&stage, SECOND);
    ensure(hub_members(stage.hub) == 390, "%zu are in", hub_members(stage.hub));
    last = mock_add(&stage);
    mock_say(last, "last");
    stage_settle(&stage);
    while (mock_line(last) != NULL && last->event.verb == VERB_HERE)
        here++;
    ensure(
        here > 1 && last->event.verb == VERB_USERS && last->event.count == 391, "%s", last->text);
    stage_close(&stage);
}
END_TEST

static const char *const logins[] = {"root", "ann_2", "eve", NULL};

/*
 * A login, and a login with a suffix, go to nobody who cannot prove it, not even where another name
 * gets a suffix. Who asks for one gets a mark.
 */
START_TEST(reserved_names)
{
    stage_open(&stage, &(struct hub_config){.start_lookup = stage_lookup});
    stage.logins = logins;
    stage_play(&stage,
        "a> ann\na~ you ann\nb> Root\nb~ you ~Root\nc> ann\nc~ you ann_3\n"
        "b> /nick ROOT\nb~ nick ~Root ~ROOT\nb> /nick root_17\nb< nick ~ROOT ~root_17\n"
        "b> /nick root_17\nb< error usage ~root_17 is your name\n"
        "b> /nick uid_7\nb< nick ~root_17 ~uid_7\nb> /nick root_1\nb< nick ~uid_7 root_1\n"
        "b> /nick UID_7_2\nb< nick root_1 ~UID_7_2\nb> /nick zoe\nb< nick * zoe\n");
    mock_say(mock_add_as(&stage, "local:7", "root"), "ann");
    stage_play(&stage, "d~ you root\nd> /nick ann\nd< error not-allowed *\n");
    mock_say(mock_add_as(&stage, "local:8", "root"), "%s", "");
    stage_play(&stage, "e~ you root_2\nc> /nick ann_2\nc~ nick ann_3 ~ann_2\n^\n");
    mock_say(mock_add_as(&stage, "local:9", "ann_2"), "%s", "");
    stage_play(&stage, "f~ you ann_2\n");
    mock_say(mock_add_as(&stage, "local:10", "nobody has this number"), "x");
    stage_play(&stage, "g~ you uid_1003\nh> /post\nh> root\nh< you ~root\n"
                       "i> ~root\ni~ you ~root_2\n");
    stage_close(&stage);
}
END_TEST

/* The lookup that is waited for says that there is no such login. */
static void helper_deny(void)
{
    ensure(write(stage.helper, "-\n", 2) == 2 && close(stage.helper) == 0, "write");
    stage.helper = -1;
}

/* One who waits for an answer holds nobody else up, and is nobody for whom a lookup has failed. */
START_TEST(slow_accounts)
{
    stage_open(&stage, &(struct hub_config){.start_lookup = stage_lookup});
    stage.logins = logins;
    stage.slow = "eve";
    stage_play(&stage, "a> ann\na~ you ann\nb> eve\nb0\nc> cid\nc~ you cid\na< join cid\n"
                       "a> /nick eve\na> hello\na0\nc> x\nc< msg cid x\na~ msg cid x\n");
    ensure(stage.helper != -1 && stage.lookups == 3, "%u lookups", stage.lookups);
    if (_i == 2)
        stage_play(&stage, "^\n");
    if (_i == 0) {
        helper_deny();
        stage_settle(&stage);
        stage_play(&stage, "a~ nick ann eve\na~ msg eve hello\nb~ you eve_2\n");
    } else {
        stage_wait(&stage, 14 * SECOND);
        stage_play(&stage, "a0\nb0\n");
        stage_wait(&stage, 2 * SECOND);
        stage_play(&stage, "a~ nick ann ~eve\na~ msg ~eve hello\nb~ you ~eve_2\n");
        ensure(stage.helper == -1, "it lives");
    }
    mock_say(mock_add_as(&stage, "local:9", "eve"), "eve");
    stage_play(&stage, _i == 0 ? "d~ you eve_3\n" : "d~ you eve\n");
    stage.slow = "1000";
    mock_say(mock_add_as(&stage, "local:10", "root"), "x");
    stage_settle(&stage);
    stage_play(&stage, "e0\nf> fay\nf~ you fay\n");
    mock_close(&stage.mocks[4]);
    mock_goodbye(&stage.mocks[4], CONTROL_LOST);
    mock_say(mock_add_as(&stage, "local:11", "root"), "x");
    stage_wait(&stage, 16 * SECOND);
    stage_play(&stage, "g~ you uid_1000\n");
    stage_close(&stage);
}
END_TEST

/* A name needs several lookups, each of which is slow: no answer is forgotten before the last. */
START_TEST(slow_answers)
{
    static const char *const asked[] = {"zoe_2", "zoe", "zoe_2_2"};

    stage_open(&stage, &(struct hub_config){.start_lookup = stage_lookup});
    stage.slow = asked[0];
    stage_play(&stage, "a> zoe_2\na0\n");
    for (unsigned i = 1; i <= COUNT_OF(asked); i++) {
        stage_wait(&stage, 14 * SECOND);
        ensure(stage.lookups == i && stage.helper != -1, "%u: %u lookups", i, stage.lookups);
        if (i == 2)
            mock_say(mock_add(&stage), "zoe_2");
        stage.slow = i < COUNT_OF(asked) ? asked[i] : NULL;
        helper_deny();
        stage_settle(&stage);
    }
    ensure(stage.lookups == COUNT_OF(asked), "%u lookups", stage.lookups);
    stage_play(&stage, "a~ you zoe_2\nb~ you zoe_2_2\n");
    stage_close(&stage);
}
END_TEST

/* The other ends of helpers that never answer. */
static int stuck[2];
static size_t stuck_count;

static pid_t stuck_lookup(void *context, char kind, const char *key, int *pair)
{
    int ends[2];

    if (strncmp(key, "stuck", 5) != 0)
        return stage_lookup(context, kind, key, pair);
    ensure(stuck_count < COUNT_OF(stuck), "too many helpers for one source");
    ensure(socketpair_cloexec_nonblock(ends) == 0, "socketpair: %s", strerror(errno));
    *pair = ends[0];
    stuck[stuck_count++] = ends[1];
    return 1;
}

/* Clients of one address ask for names that nobody has asked for, and go. */
static void strangers_ask(unsigned from, unsigned count)
{
    size_t before = stage.count;

    for (unsigned i = 0; i < count; i++)
        mock_say(mock_add_as(&stage, "192.0.2.250:1000", NULL), "stuck%u", from + i);
    stage_settle(&stage);
    for (size_t i = before; i < stage.count; i++)
        mock_vanish(&stage.mocks[i]);
    stage_settle(&stage);
    for (size_t i = before; i < stage.count; i++)
        free(stage.mocks[i].bytes);
    stage.count = before;
}

/* However many questions wait, an answer is there for who has waited for it. */
START_TEST(many_questions)
{
    stage_open(&stage, &(struct hub_config){.start_lookup = stuck_lookup});
    for (unsigned i = 0; i < 12; i++)
        strangers_ask(100 * i, 100);
    ensure(stuck_count == 2, "%zu helpers", stuck_count);
    mock_say(mock_add(&stage), "ann");
    stage_wait(&stage, SECOND);
    ensure(stage.lookups == 1, "%u lookups", stage.lookups);
    stage_play(&stage, "a~ you ann\n");
    while (stuck_count > 0)
        close(stuck[--stuck_count]);
    stage_close(&stage);
}
END_TEST

/* A token is good for who has proved the same login only; what it stood for goes on. */
START_TEST(tokens_of_logins)
{
    char token[64];
    struct mock *p;

    stage_open(&stage, &(struct hub_config){.start_lookup = stage_lookup});
    stage.logins = logins;
    p = mock_add_as(&stage, "local:7", "root");
    mock_say(p, "/token\nx");
    stage_settle(&stage);
    ensure(mock_line(p) != NULL && p->event.verb == VERB_TOKEN, "%s", p->text);
    span_copy(token, sizeof token, p->event.word);
    mock_say(mock_add_as(&stage, "local:8", "eve"), "/resume %s\nx", token);
    stage_settle(&stage); /* how many workers a turn starts depends on the time that it takes */
    mock_say(mock_add(&stage), "/resume %s\nx", token);
    stage_settle(&stage);
    stage_play(&stage, "b< resumed ?\nb~ you eve\nb< join x\nc< resumed ?\nc~ you x\na~ join x\n");
    if (_i == 1)
        stage_play(&stage, "^\n");
    mock_say(mock_add_as(&stage, "local:9", "root"), "/resume %s\nx", token);
    stage_settle(&stage);
    mock_goodbye(p, CONTROL_LOST);
    stage_settle(&stage);
    stage_play(&stage, "d< resumed 0\nd~ you root\nb0\n");
    stage_close(&stage);
}
END_TEST

/* ---- Bad workers ---- */

/* What a worker that was taken over may say, before its name (or instead of it) or after. */
static const struct {
    const char *bytes;
    size_t len;
    size_t times; /* the bytes are said so often */
} wrongs[] = {
#define WRONG(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1, 1                                                                  \
    }
    WRONG("\033[2J\n"),
    WRONG("a\rb\n"),
    WRONG("nul\0\n"),
    WRONG("\xc2\x9b"
          "31m\n"),
    WRONG("\xff\n"),
    WRONG("\xe2\x80\xae\n"),
    WRONG("\001unknown\n"),
    WRONG("\001\n"),
    WRONG("\001title x\n"),
    WRONG("\001left \n"),
    WRONG("\001left\nx\n"),
    WRONG("\001left\n\n"),
    WRONG("\001left\n\001left\n"),
    WRONG("\001lost\n\001kicked\n"),
    WRONG("\001left\n\001too-long\n\001lost\n"),
    WRONG("\001kicked\n\001foo\n"),
    WRONG("\001kicked\n"),
    WRONG("\001end\n"),
    WRONG("\001last\n"),
    WRONG("\001last a\nb\n"),
    WRONG("\001last a\n\n"),
    WRONG("\001last a\n\001last b\n"),
    WRONG("\001last a\n\001too-long\n"),
    WRONG("\001last a\n\001timing-mark\n"),
    WRONG("\001last a\n\001left\n\001left\n"),
    WRONG("\001last \033[2J\n\001left\n"),
    {"x", 1, LINE_CLEAN_MAX + 1},
    {"x", 1, 70000},
    {"x", 1, 200000},
#undef WRONG
};

static void wrong_give(struct mock *p, int which)
{
    static char bytes[200001];
    size_t len = 0;

    for (size_t i = 0; i < wrongs[which].times; i++, len += wrongs[which].len)
        memcpy(bytes + len, wrongs[which].bytes, wrongs[which].len);
    if (wrongs[which].times > 1)
        bytes[len++] = '\n';
    mock_give(p, bytes, len);
}

/* Only they are ended: ann and ben do not lose a byte. */
START_TEST(bad_workers)
{
    struct mock *ann;
    struct mock *ben;

    for (int named = 0; named < 3; named++) {
        stage_open(&stage, NULL);
        ann = mock_join(&stage, "ann");
        ben = mock_join(&stage, "ben");
        struct mock *bad = named > 0 ? mock_join(&stage, "bad") : mock_add(&stage);
        bad->reads = named < 2; /* the last one's client takes nothing either */
        mock_give(bad, named > 0 ? "fine\nhalf" : "/users\n", named > 0 ? 9 : 7);
        mock_give(bad, named > 0 ? "\n" : "", named > 0);
        wrong_give(bad, _i);
        mock_say(ann, "one");
        stage_settle(&stage);
        if (bad->kills == 0) /* a goodbye first: then only its end is awaited */
            mock_give(bad, "x\n", 2);
        stage_wait(&stage, 3 * SECOND); /* one that takes nothing is given two seconds */
        ensure(bad->kills == 1 && bad->process == PROCESS_REAPED, "the worker lives on");
        ensure(hub_connections(stage.hub) == 2, "its record is still there");
        mock_say(ben, "two");
        stage_settle(&stage);
        stage_play(&stage, named > 0 ? "a~ msg bad fine\na< msg bad half\na~ msg ben two\na0\n"
                                       "b~ msg bad half\nb~ msg ben two\nb0\n"
                                     : "a~ msg ann one\na~ msg ben two\na0\nb~ msg ann one\n");
        stage_play(&stage, "a> /users\na< here ann ben\na< users 2\na0\n");
        stage_close(&stage);
    }
}
END_TEST

/* Words of the server, prefixes of others: text like any other. */
START_TEST(forgeries)
{
    stage_open(&stage, NULL);
    stage_play(&stage,
        "a> ann\na~ you ann\nb> ben\na~ join ben\nb~ you ben\n"
        "b> 2026-11-22T21:42:07.123456Z msg ann I owe ben 100\n"
        "a< msg ben 2026-11-22T21:42:07.123456Z msg ann I owe ben 100\n"
        "b> msg ann x\na< msg ben msg ann x\nb> quit ann crashed\na< msg ben quit ann crashed\n"
        "b> /me 2026-11-22T21:42:07.123456Z\na< me ben 2026-11-22T21:42:07.123456Z\n"
        "b> /nick ann left\na< nick ben ann_left\n"
        "b> /quit ann crashed\na< quit ann_left left ann crashed\na0\n");
    stage_close(&stage);
}
END_TEST

/* Says lines until the room waits for its slow reader. */
static void flood_until_waiting(struct mock *p)
{
    char line[1000];

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 20000; i++) {
        ensure(mock_give(p, line, sizeof line) == sizeof line, "the room takes nothing");
        stage_settle(&stage);
        if (mock_line(p) == NULL)
            return; /* no echo */
    }
    ck_abort_msg("the room does not wait");
}

/* ---- Slow readers ---- */

/* What a reader has been given, gaps included. */
struct tally {
    uint64_t events; /* those of the room, those in gaps too */
    uint64_t mine;   /* one's own lines among them */
    uint64_t gaps;
    uint64_t skipped;
};

/* Reads all that has been taken; every error must stand where it belongs between one's own lines.
 */
static struct tally tally_up(struct mock *p, const char *me, uint64_t mine_per_error)
{
    struct tally t = {0};
    uint64_t errors = 0;

    while (mock_line(p) != NULL) {
        const struct event *e = &p->event;
        bool own = e->name.len == strlen(me) && memcmp(e->name.at, me, e->name.len) == 0;

        t.events += verb_is_room(e->verb);
        t.mine += own && e->verb == VERB_MSG;
        if (e->verb == VERB_GAP) {
            ensure(e->counted && e->count > 0 && e->mine <= e->count, "%s", p->text);
            t.events += e->count;
            t.mine += e->mine;
            t.skipped += e->count;
            t.gaps++;
        }
        if (e->verb == VERB_ERROR && mine_per_error > 0)
            ensure(t.mine == ++errors * mine_per_error, "an error at the wrong place");
    }
    return t;
}

/* Somebody who reads nothing for many logs, and says something now and then. */
START_TEST(gaps_are_exact)
{
    struct hub_config config = {.log_bytes = _i % 2 == 0 ? LOG_BYTES_MIN : 300000};
    bool torn = _i >= 2;
    struct mock *slow;
    struct mock *ann;
    struct tally all;
    struct tally some;

    stage_open(&stage, &config);
    ann = mock_join(&stage, "ann");
    slow = mock_join(&stage, "slow");
    slow->reads = false;
    for (int i = 0; i < 6000; i++) {
        mock_say(ann, "%0*d", i % 700, i);
        if (i % 500 == 0)
            mock_say(slow, "mine %d\n/foo", i);
        if (torn && i % 100 == 0)
            mock_take(slow, 1 + (size_t)i % 777);
        stage_settle(&stage);
    }
    slow->reads = true;
    mock_say(ann, "the end");
    stage_settle(&stage);
    (void)mock_line(ann); /* slow's join */
    all = tally_up(ann, "slow", 0);
    some = tally_up(slow, "slow", 1);
    ensure(all.gaps == 0 && all.events == 6013 && all.mine == 12, "ann lost something");
    ensure(some.gaps > 1 && some.skipped > 100, "there is no gap between the errors");
    ensure(some.events == all.events, "%llu instead of %llu events",
        (unsigned long long)some.events, (unsigned long long)all.events);
    ensure(some.mine == 12, "%llu of 12 are mine", (unsigned long long)some.mine);
    ensure(strstr(slow->text, "the end") != NULL, "%s", slow->text);
    stage_close(&stage);
}
END_TEST

/* The room waits for it once, for as long as it may; not again while it takes nothing. */
START_TEST(a_reader_that_never_reads)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN, .wait_us = SECOND};
    struct mock *ann;
    struct mock *slow;
    uint64_t before;

    stage_open(&stage, &config);
    slow = mock_join(&stage, "slow");
    ann = mock_join(&stage, "ann");
    slow->reads = false;
    flood_until_waiting(ann);
    mock_say(ann, "waits");
    before = stage.now;
    stage_wait(&stage, SECOND - 200000);
    (void)tally_up(ann, "ann", 0);
    ensure(strstr(ann->text, "waits") == NULL, "the room did not wait");
    stage_wait(&stage, 300000);
    ensure(tally_up(ann, "ann", 0).events > 0 && strstr(ann->text, "waits") != NULL,
        "the room waits too long");
    for (int i = 0; i < 2000; i++) {
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
        ensure(mock_line(ann) != NULL, "the room waits again");
    }
    ensure(stage.now - before < 2 * SECOND, "time has passed");
    slow->reads = true;
    stage_settle(&stage);
    ensure(tally_up(slow, "slow", 0).gaps > 0, "no gap");
    stage_close(&stage);
}
END_TEST

/* It takes what is there in one go: the room has nothing to wait for any more. */
START_TEST(a_reader_that_catches_up)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN, .wait_us = 60 * SECOND};
    struct mock *ann;
    struct mock *slow;

    stage_open(&stage, &config);
    slow = mock_join(&stage, "slow");
    ann = mock_join(&stage, "ann");
    slow->reads = false;
    flood_until_waiting(ann);
    mock_say(ann, "waits");
    stage_settle(&stage);
    slow->reads = true;
    stage_settle(&stage);
    (void)tally_up(slow, "slow", 0);
    ensure(strstr(slow->text, "waits") != NULL, "the room waits for nobody");
    stage_close(&stage);
}
END_TEST

/* A client that has been sent everything, but has not closed yet, reads the log no more. */
START_TEST(a_leaver_and_a_slow_reader)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN};
    struct mock *gone;
    struct mock *slow;
    struct mock *ann;

    stage_open(&stage, &config);
    ann = mock_join(&stage, "ann");
    slow = mock_join(&stage, "slow");
    gone = mock_join(&stage, "gone");
    gone->stays = true;
    mock_say(gone, "/quit");
    stage_settle(&stage);
    ensure(gone->ended && mock_is_served(gone), "the end was shown, and the client's is awaited");
    for (int i = 0; i < 5000; i++) {
        slow->reads = i < 1000; /* many logs have gone by then */
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
    }
    slow->reads = true;
    stage_settle(&stage);
    ensure(tally_up(slow, "slow", 0).gaps > 0, "no gap");
    stage_close(&stage);
}
END_TEST

/* A client that joined and left before it took its welcome holds nothing of the log. */
START_TEST(a_leaver_with_an_unread_welcome)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN};
    struct mock *ann;
    struct mock *gone;

    stage_open(&stage, &config);
    ann = mock_join(&stage, "ann");
    stage.pair_bytes = 4096;
    gone = mock_add(&stage);
    gone->reads = false;
    for (int i = 0; i < 200; i++) { /* the answers are more than the socket takes */
        mock_say(gone, "/nonsense");
        stage_settle(&stage);
    }
    mock_say(gone, "gone");
    mock_goodbye(gone, CONTROL_LEFT);
    stage_settle(&stage);
    (void)tally_up(ann, "ann", 0);
    ensure(ann->event.verb == VERB_QUIT, "joined and left: %s", ann->text);
    for (int i = 0; i < 500; i++) {
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
        ensure(mock_line(ann) != NULL, "the room waits");
    }
    gone->reads = true;
    stage_settle(&stage);
    (void)tally_up(gone, "gone", 0);
    ensure(gone->event.verb == VERB_YOU && gone->ended, "%s", gone->text);
    stage_close(&stage);
}
END_TEST

/* A log that has dropped lines says so to who asks for them. */
START_TEST(since_what_is_gone)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN};
    char early[STAMP_LEN + 1] = {0};
    char late[STAMP_LEN + 1] = {0};
    struct mock *ann;
    struct mock *ben;

    stage_open(&stage, &config);
    ann = mock_join(&stage, "ann");
    for (int i = 0; i < 200; i++) {
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
        ensure(mock_line(ann) != NULL, "no echo");
        if (i == 10 || i == 190)
            memcpy(i == 10 ? early : late, ann->text, STAMP_LEN);
    }
    ben = mock_add(&stage);
    mock_say(ben, "/since %s\nben", late);
    stage_settle(&stage);
    ensure(tally_up(ben, "ann", 0).mine == 9, "nine events");
    ben = mock_add(&stage);
    mock_say(ben, "/since %s\n/token\ncid", early);
    stage_play(&stage, "c< token *\nc< gap ? 0\nc< msg ann 0*\n");
    (void)tally_up(ben, "ann", 0);
    ensure(ben->event.verb == VERB_YOU, "%s", ben->text);
    stage_close(&stage);
}
END_TEST

/* ---- Queues that are full ---- */

/* Private lines for one who does not read: some, then `busy`, and each that was echoed comes. */
START_TEST(private_lines_for_a_slow_reader)
{
    struct mock *ann;
    struct mock *slow;
    unsigned long echoed = 0;
    unsigned long busy = 0;
    unsigned long got = 0;

    stage_open(&stage, NULL);
    ann = mock_join(&stage, "ann");
    slow = mock_join(&stage, "slow");
    slow->reads = false;
    (void)mock_line(ann);
    for (int i = 0; i < 1000; i++) {
        mock_say(ann, "/msg slow %0900d", i);
        stage_settle(&stage);
        ensure(mock_line(ann) != NULL, "no answer");
        echoed += ann->event.verb == VERB_PRIV;
        busy += ann->event.verb == VERB_ERROR;
    }
    ensure(busy > 0 && pattern_match("error busy *", ann->text + STAMP_LEN + 1), "%s", ann->text);
    slow->reads = true;
    stage_settle(&stage);
    while (mock_line(slow) != NULL)
        got += slow->event.verb == VERB_PRIV;
    ensure(got == echoed && got + busy == 1000, "%lu of %lu came", got, echoed);
    stage_play(&stage, "a> /msg slow again\na< priv ann slow again\nb< priv ann slow again\n");
    stage_close(&stage);
}
END_TEST

/* A client that asks and does not read its answers is not read any more, until it does. */
START_TEST(questions_without_end)
{
    static const char *const questions[] = {"/users\n", "/help\n", "/foo\n", "\001too-long\n"};
    const char *question = questions[_i % 4];
    struct mock *p;
    size_t asked = 0;
    size_t answers = 0;

    stage_open(&stage, NULL);
    p = _i < 4 ? mock_join(&stage, "ann") : mock_add(&stage);
    p->reads = false;
    while (mock_give(p, question, strlen(question)) == strlen(question)) {
        asked++;
        stage_settle(&stage);
        ensure(asked < 100000, "the hub reads without end");
    }
    p->reads = true;
    stage_settle(&stage);
    while (mock_line(p) != NULL)
        answers += p->event.verb != VERB_HERE;
    ensure(answers == asked, "%zu answers to %zu questions", answers, asked);
    stage_close(&stage);
}
END_TEST

/* ---- Ends ---- */

/* So many bodies are found between two turns, while a reader is as far behind as the log is long.
 */
START_TEST(many_deaths_and_a_slow_reader)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN, .wait_us = SECOND};
    struct mock *slow;
    struct mock *ann;
    unsigned long quits = 0;
    uint64_t gaps = 0;

    stage_open(&stage, &config);
    slow = mock_join(&stage, "slow");
    for (int i = 0; i < 390; i++)
        mock_say(mock_add(&stage), "a_mortal_with_a_long_name_so_that_his_quit_is_%d", i);
    stage_wait(&stage, SECOND);
    ann = mock_join(&stage, "ann");
    for (size_t i = 1; i < 391; i++)
        mock_die(&stage.mocks[i]);
    stage_settle(&stage);
    slow->reads = false;
    flood_until_waiting(ann);
    for (size_t i = 1; i < 391; i++)
        mock_reap(&stage, &stage.mocks[i], SIGSEGV);
    stage_wait(&stage, 5 * SECOND);
    ensure(hub_members(stage.hub) == 2, "%zu are left", hub_members(stage.hub));
    while (mock_line(ann) != NULL)
        quits += ann->event.verb == VERB_QUIT;
    ensure(quits == 390, "%lu quits", quits);
    slow->reads = true;
    stage_settle(&stage);
    while (mock_line(slow) != NULL)
        gaps += slow->event.verb == VERB_GAP ? slow->event.count : 0;
    ensure(gaps > 0, "no gap");
    stage_close(&stage);
}
END_TEST

/* Everybody is told, and shown the end; a client that does not close does not hold it up. */
START_TEST(stopping)
{
    bool stays = _i == 1;

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\nb> ben\nb~ you ben\na~ join ben\nc& ci\nd> /post\n"
                       "d> dan\nd< you dan\na> hello\na< msg ann hello\nb< msg ann hello\n");
    (void)mock_add_silent(&stage);
    for (size_t i = 0; i < stage.count; i++)
        stage.mocks[i].stays = stays;
    mock_give(&stage.mocks[1], "not heard\n", 10);
    hub_stop(stage.hub, stage.now);
    hub_stop(stage.hub, stage.now);
    stage.poked = true;
    stage_play(&stage, "a< note *\na. \nb< note *\nb. \nc< note *\nc. \nd~ note *\nd. \ne< note *\n"
                       "e. \na0\n");
    ensure(hub_is_done(stage.hub) == !stays, "clients that have not closed are awaited");
    stage_wait(&stage, SECOND);
    ensure(hub_is_done(stage.hub) && hub_connections(stage.hub) == 0, "all are gone");
    stage_close(&stage);
}
END_TEST

/* A stop delivers what is pending, to a slow client too; to one that takes nothing for 2 s. */
START_TEST(stopping_with_pending_output)
{
    struct mock *slow;
    struct mock *ann;
    unsigned long heard = 0;

    stage_open(&stage, NULL);
    slow = mock_join(&stage, "slow");
    slow->reads = false;
    ann = mock_join(&stage, "ann");
    for (int i = 0; i < 700; i++) {
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
    }
    hub_stop(stage.hub, stage.now);
    stage.poked = true;
    stage_wait(&stage, SECOND);
    ensure(!hub_is_done(stage.hub) && stage.timeout > 0, "output is pending: %d", stage.timeout);
    slow->reads = _i == 0;
    stage_wait(&stage, _i == 0 ? 0 : 2 * SECOND);
    ensure(hub_is_done(stage.hub), "it takes too long");
    slow->reads = true;
    stage_settle(&stage);
    while (mock_line(slow) != NULL)
        heard += slow->event.verb == VERB_MSG;
    ensure(slow->ended, "the end");
    ensure(_i == 1 || (heard == 700 && slow->event.verb == VERB_NOTE), "%lu heard", heard);
    stage_close(&stage);
}
END_TEST

/* The transcript's writer dies in the turn in which it was to be told something. */
START_TEST(a_dead_writer)
{
    int writer;

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\n");
    writer = writer_add(&stage);
    stage_settle(&stage);
    hub_finish_writer(stage.hub);
    close(writer);
    stage_play(&stage, "a> hello\n+1\na< msg ann hello\n");
    hub_stop(stage.hub, stage.now);
    stage.poked = true;
    stage_play(&stage, "a< note *\na. \n");
    stage_close(&stage);
}
END_TEST

/* The test is the transcript's writer: a word about all that has been said so far. */
static void writer_says(int fd, const char *word)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "%s2999-01-01T00:00:00.000000Z\n", word);

    ensure(write(fd, line, (size_t)len) == len, "the hub hears no writer");
    stage_settle(&stage);
}

/* The echo of a poster, who follows nothing, waits until the writer has been handed the line. */
START_TEST(a_poster_that_waits_for_the_writer)
{
    int writer;

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\nb> /post\nb> ben\nb~ you ben\n");
    writer = writer_add(&stage);
    stage_play(&stage, "b> hi\nb0\na0\n");
    if (_i == 1)
        ensure(stage_handover(&stage), "no upgrade");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "b< post ben hi\nb0\na< post ben hi\na0\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* One that starts is given more time than one that takes nothing. */
START_TEST(a_writer_that_takes_long_to_start)
{
    int writer;

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\n");
    writer = writer_add(&stage);
    stage_play(&stage, "a> hi\n+1.9\na0\n");
    if (_i == 0)
        writer_says(writer, WRITER_KEPT);
    else
        stage_play(&stage, "+0.2\n");
    stage_play(&stage, "a< msg ann hi\na0\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

static int writer_open(void)
{
    int fd = writer_add(&stage);

    writer_says(fd, WRITER_KEPT);
    return fd;
}

/* Lines behind a name are kept until its join is on the disk, and the hub waits for that. */
START_TEST(a_welcome_that_waits_for_the_disk)
{
    struct hub_config config = {.sync = true};
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a: ann\na: one\na> two\na0\n");
    ensure(stage.timeout == -1 || stage.timeout > 50, "it spins: %d ms", stage.timeout);
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\na0\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a< msg ann one\na< msg ann two\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* A line that is refused has one answer, also where its sender has left meanwhile. */
START_TEST(refused_after_the_goodbye)
{
    struct hub_config config = {.sync = true};
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, _i == 0 ? "a> /post\na> bot\n" : "a> bot\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you bot\na> x\na! left\na0\n");
    writer_says(writer, WRITER_LOST);
    stage_play(&stage, "a< error not-recorded *\na. \n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* An upgrade while lines are held: what waits behind them waits in the next hub. */
START_TEST(held_lines_are_handed_over)
{
    struct hub_config config = {.sync = true};
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\nb> /post\nb> bot\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\nb~ you bot\nb> x\na> /users\na> y\nc> cid\n^\na0\nb0\nc0\n");
    if (_i == 0) {
        writer_says(writer, WRITER_LOST);
        stage_play(&stage, "b< error not-recorded *\nb0\na< here ann\na< users 1\n"
                           "a< error not-recorded *\na< join cid\na0\nc~ you cid\n");
    } else {
        writer_says(writer, WRITER_KEPT);
        stage_play(&stage, "b< post bot x\nb0\na< post bot x\na< here ann\na< users 1\n"
                           "a< msg ann y\na< join cid\na0\nc~ you cid\n");
    }
    close(writer);
    stage_close(&stage);
}
END_TEST

/*
 * A session goes on while its last lines are held. How many of them were answered is said when the
 * disk has taken or refused them: what is refused then is sent again.
 */
START_TEST(held_lines_of_a_session_that_resumes)
{
    struct hub_config config = {.sync = true};
    char token[64];
    struct mock *a;
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> /token\na> ann\n");
    writer_says(writer, WRITER_KEPT);
    stage_settle(&stage);
    a = &stage.mocks[0];
    ensure(mock_line(a) != NULL && a->event.verb == VERB_TOKEN, "%s", a->text);
    span_copy(token, sizeof token, a->event.word);
    stage_play(&stage, "a~ you ann\na> one\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a< msg ann one\na> two\na> three\n");
    mock_say(mock_add(&stage), "/resume %s\nann", token);
    stage_settle(&stage);
    mock_goodbye(a, CONTROL_LOST);
    stage_play(&stage, "b0\n");
    if (_i >= 2)
        stage_play(&stage, "^\n");
    stage_wait(&stage, 7 * SECOND);
    stage_play(&stage, "b0\n");
    writer_says(writer, _i % 2 == 0 ? WRITER_KEPT : WRITER_LOST);
    stage_play(&stage, _i % 2 == 0 ? "b< resumed 3\nb~ you ann\n" : "b< resumed 1\nb~ you ann\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* A poster has left, and waits for its echo: it is told once that the disk did not take the line.
 */
START_TEST(a_poster_that_left_is_refused)
{
    struct hub_config config = {.sync = true};
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> /post\na> bot\na~ you bot\na: x\na: /users\na! left\na0\n");
    if (_i == 1)
        ensure(stage_handover(&stage), "no upgrade");
    writer_says(writer, WRITER_LOST);
    stage_play(&stage, "a< error not-recorded *\na< users 0\na. \na# \n");
    ensure(hub_connections(stage.hub) == 0, "its record is left");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* The past of a newcomer leaves space for what is held already: no line of it is overwritten. */
START_TEST(the_past_and_held_lines)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN, .sync = true};
    struct mock *ben;
    struct mock *ann;
    bool since = _i == 1;
    unsigned long last = 0;
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\n");
    writer_says(writer, WRITER_KEPT);
    ann = &stage.mocks[0];
    for (int i = 1; i <= 80; i++) {
        mock_say(ann, "%d %0900d", i, 0);
        stage_settle(&stage);
        writer_says(writer, WRITER_KEPT);
    }
    ben = mock_add(&stage);
    stage_settle(&stage);
    mock_say(ben, since ? "/since 1970-01-01T00:00:00.000000Z\nben" : "/history 1000\nben");
    stage_settle(&stage);
    for (int i = 81; i <= 110; i++)
        mock_say(ann, "%d %0900d", i, 0);
    stage_settle(&stage);
    writer_says(writer, WRITER_KEPT);
    stage_settle(&stage);
    if (since)
        stage_play(&stage, "b< gap ? 0\n");
    while (mock_line(ben) != NULL) {
        unsigned long number = strtoul(ben->event.text.at, NULL, 10);

        if (ben->event.verb != VERB_MSG)
            continue;
        ensure(last == 0 || number == last + 1, "%lu after %lu", number, last);
        last = number;
    }
    ensure(last == 110, "%lu is the last", last);
    close(writer);
    stage_close(&stage);
}
END_TEST

/* What the hub has handed to the writer since the last call. */
static const char *writer_got(int fd)
{
    static char lines[65536];
    ssize_t n;
    size_t len = 0;

    while ((n = recv(fd, lines + len, sizeof(lines) - 1 - len, 0)) > 0)
        len += (size_t)n;
    lines[len] = '\0';
    return lines;
}

/* Writes the stamp of the line that ends so, in what the writer got. */
static void stamp_of(const char *lines, const char *line, char out[STAMP_LEN + 1])
{
    const char *at = strstr(lines, line);

    ensure(at != NULL, "%s was not handed to the writer", line);
    while (at > lines && at[-1] != '\n')
        at--;
    memcpy(out, at, STAMP_LEN);
    out[STAMP_LEN] = '\0';
}

/* One word of the writer settles lines before the next is heard, however they come. */
START_TEST(words_that_come_together)
{
    struct hub_config config = {.sync = true};
    char words[3 * STAMP_LEN + 100];
    char stamps[3][STAMP_LEN + 1];
    const char *lines;
    int writer;
    int len;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\na> one\na> two\na> three\n");
    lines = writer_got(writer);
    stamp_of(lines, "one", stamps[0]);
    stamp_of(lines, "two", stamps[1]);
    stamp_of(lines, "three", stamps[2]);
    len = snprintf(words, sizeof(words), WRITER_KEPT "%s\n" WRITER_LOST "%s\n" WRITER_KEPT "%s\n",
        stamps[0], stamps[1], stamps[2]);
    ensure(write(writer, words, (size_t)len) == len, "the hub hears no writer");
    if (_i == 1) /* they are its last ones, and the file could not be opened again */
        close(writer);
    stage_settle(&stage);
    if (_i == 1)
        hub_miss_writer(stage.hub);
    stage.poked = true;
    stage_play(&stage, "a< msg ann one\na< error not-recorded *\na< msg ann three\na0\n");
    if (_i == 0)
        close(writer);
    stage_close(&stage);
}
END_TEST

/* The next writer is handed nothing that was refused; what went on without the file is a gap. */
START_TEST(what_a_dead_writer_has_refused)
{
    struct hub_config config = {.sync = true};
    char stamp[STAMP_LEN + 1];
    char word[64];
    const char *lines;
    int writer;
    int len;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\n");
    stamp_of(writer_got(writer), "join ann", stamp);
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\na> one\nb> ben\na> two\n");
    if (_i == 0)
        writer_says(writer, WRITER_LOST);
    close(writer);
    stage_settle(&stage);
    if (_i == 1)
        hub_miss_writer(stage.hub);
    stage.poked = true;
    stage_play(
        &stage, "a< error not-recorded *\na< join ben\na< error not-recorded *\na0\nb~ you *\n");
    writer = writer_add(&stage);
    len = snprintf(word, sizeof(word), WRITER_KEPT "%s\n", stamp);
    ensure(write(writer, word, (size_t)len) == len, "the hub hears no writer");
    stage_settle(&stage);
    stage_play(&stage, "a> three\na0\n");
    lines = writer_got(writer);
    ensure(strstr(lines, "one") == NULL && strstr(lines, "two") == NULL, "refused: %s", lines);
    ensure(strstr(lines, " gap 1 0\n") != NULL && strstr(lines, "msg ann three\n") != NULL, "%s",
        lines);
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a< msg ann three\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* What stood behind a line that the disk did not take has nothing to wait for any more. */
START_TEST(behind_a_line_taken_back)
{
    struct hub_config config = {.sync = true};
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\nb> ben\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\nb~ you ben\na> hello\n");
    stage_play(&stage, "b> /users\nb0\n");
    writer_says(writer, WRITER_LOST);
    stage_play(&stage, "a~ error not-recorded *\nb~ users 2\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* With -s members, and those who log in, are told once that the disk hangs, and that it is over. */
START_TEST(a_hanging_disk_is_told)
{
    struct hub_config config = {.sync = true};
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\nb> ben\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(
        &stage, "a~ you ann\na< join ben\nb~ you ben\nc> /post\nc> bot\nc< you bot\na> hello\n");
    stage_wait(&stage, 2900000);
    stage_play(&stage, "d> dan\na0\nb0\nc0\nd0\n");
    stage_wait(&stage, 200000);
    stage_play(&stage, "a< note the disk *\nb< note the disk *\nc0\nd< note the disk *\n");
    if (_i == 1)
        stage_play(&stage, "^\n");
    stage_play(&stage, "e> eve\ne< note the disk *\nf> /post\nf> bot\nf0\na> /users\n");
    stage_wait(&stage, 10 * SECOND);
    stage_play(&stage, "a0\nb0\nc0\nd0\ne0\nf0\n");
    ensure(stage.timeout == -1 || stage.timeout > 50, "it spins: %d ms", stage.timeout);
    if (_i == 2)
        writer_says(writer, WRITER_LOST);
    else
        writer_says(writer, WRITER_KEPT);
    stage_play(
        &stage, _i == 2 ? "a< error not-recorded *\n" : "a< msg ann hello\nb< msg ann hello\n");
    stage_play(&stage,
        "a< join dan\na< join eve\na< here *\na< users 4\na< note * answers again\na0\n"
        "b< join dan\nb< join eve\nb< note * answers again\nb0\nc0\nf< you bot\nf0\n"
        "d~ you dan\nd< join eve\nd< note * answers again\nd0\n"
        "e~ you eve\ne< note * answers again\ne0\n");
    close(writer);
    stage_close(&stage);
}
END_TEST

/* A disk that is slow, but confirms something every second, hangs for nobody. */
START_TEST(a_slow_disk_is_not_told)
{
    struct hub_config config = {.sync = true};
    char stamp[STAMP_LEN + 1];
    char word[64];
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    stage_play(&stage, "a> ann\n");
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\n");
    (void)writer_got(writer);
    for (int i = 0; i < 10; i++) {
        stage_play(&stage, "a> one\na> two\n");
        stamp_of(writer_got(writer), "one", stamp);
        stage_wait(&stage, 2000000);
        int len = snprintf(word, sizeof(word), WRITER_KEPT "%s\n", stamp);
        ensure(write(writer, word, (size_t)len) == len, "the hub hears no writer");
        stage_settle(&stage);
        stage_play(
            &stage, i == 0 ? "a< msg ann one\na0\n" : "a< msg ann two\na< msg ann one\na0\n");
    }
    close(writer);
    stage_close(&stage);
}
END_TEST

/* A client that waits for the disk is not slow: a gap would be a receipt for what may be refused.
 */
START_TEST(a_disk_that_hangs)
{
    struct hub_config config = {.log_bytes = 65536, .wait_us = _i == 0 ? 1 : 200000, .sync = true};
    struct mock *ann;
    int notes = 0;
    int writer;

    stage_open(&stage, &config);
    writer = writer_open();
    ann = mock_add(&stage);
    mock_say(ann, "ann");
    stage_settle(&stage);
    writer_says(writer, WRITER_KEPT);
    stage_play(&stage, "a~ you ann\n");
    for (int i = 0; i < 60; i++)
        mock_say(ann, "%01500d", i);
    for (int i = 0; i < 20; i++) {
        stage_wait(&stage, SECOND / 2);
        while (mock_line(ann) != NULL) {
            ensure(ann->event.verb == VERB_NOTE, "%s", ann->text);
            notes++;
        }
        ensure(stage.timeout == -1 || stage.timeout > 50, "it spins: %d ms", stage.timeout);
    }
    for (int i = 0; i < 60; i++)
        writer_says(writer, WRITER_KEPT);
    for (int i = 0; i < 60; notes += ann->event.verb == VERB_NOTE, i += ann->event.verb == VERB_MSG)
        ensure(mock_line(ann) != NULL, "%d lines", i);
    ensure(notes == 2, "%d notes", notes);
    close(writer);
    stage_close(&stage);
}
END_TEST

START_TEST(signal_to_all)
{
    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\nb> ben\nc& x\n");
    mock_die(&stage.mocks[1]);
    mock_reap(&stage, &stage.mocks[1], 0);
    hub_signal_workers(stage.hub, SIGKILL);
    ensure(stage.mocks[0].kills == 1 && stage.mocks[1].kills == 0 && stage.mocks[2].kills == 1,
        "all that are not reaped");
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 0, "all are gone");
    ensure(!hub_reaped(stage.hub, 4711, 0), "nobody of that number is here");
    stage_close(&stage);
}
END_TEST

/* ---- Resuming ---- */

/* Joins with /token; writes the token. */
static struct mock *join_for_token(const char *name, bool posts, char token[33])
{
    struct mock *p = mock_add(&stage);

    mock_say(p, "%s/token\n%s", posts ? "/post\n" : "", name);
    stage_settle(&stage);
    ensure(mock_line(p) != NULL && p->event.verb == VERB_TOKEN && p->event.word.len == 32,
        "a token: %s", p->text);
    span_copy(token, 33, p->event.word);
    while (p->event.verb != VERB_YOU)
        ensure(mock_line(p) != NULL, "a welcome");
    return p;
}

static void mock_resume(struct mock *p, const char *token, const char *stamp, const char *name)
{
    mock_say(p, "/resume %s\n/since %s\n%s", token, stamp, name);
    stage_settle(&stage);
}

#define LONG_AGO "1970-01-01T00:00:00.000000Z"

START_TEST(a_live_session)
{
    struct mock *ann;
    struct mock *old;
    struct mock *new;
    char stamp[STAMP_LEN + 1] = {0};
    char token[33];

    stage_open(&stage, NULL);
    ann = mock_join(&stage, "ann");
    old = join_for_token("ben", false, token);
    mock_say(old, "one\n/foo\n/msg ann psst\n/users\n\ntwo");
    stage_settle(&stage);
    while (mock_line(old) != NULL)
        memcpy(stamp, old->text, STAMP_LEN);
    mock_say(ann, "meanwhile");
    stage_settle(&stage);
    new = mock_add(&stage);
    mock_resume(new, token, stamp, "anybody");
    ensure(old->ends == 1 && mock_line(new) == NULL, "it waits for the old connection");
    /* Three more that the old worker still holds. */
    mock_give(old, "three\n/help\nfour\n" CONTROL_LOST, 17 + strlen(CONTROL_LOST));
    stage_play(&stage, "a~ msg ben one\n");
    while (mock_line(old) != NULL)
        ensure(pattern_match("msg ann meanwhile", old->text + STAMP_LEN + 1), "%s", old->text);
    ensure(old->ended && !mock_is_served(old), "the old client is shown the end");
    stage_play(&stage, "c< resumed 8\nc< msg ann meanwhile\nc< msg ben three\nc< msg ben four\n"
                       "c< here ann ben\nc< users 2\nc< you ben\nc0\n"
                       "c> again\nc< msg ben again\n"
                       "a< priv ben ann psst\na< msg ben two\na< msg ann meanwhile\n"
                       "a< msg ben three\na< msg ben four\na< msg ben again\na0\n");
    mock_leave(&stage, new);
    stage_play(&stage, "a< quit ben left\na0\n");
    stage_close(&stage);
}
END_TEST

START_TEST(a_finished_session)
{
    struct mock *ben;
    struct mock *new;
    char token[33];

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\n");
    ben = join_for_token("ben", false, token);
    mock_say(ben, "one");
    stage_settle(&stage);
    mock_die(ben);
    mock_reap(&stage, ben, 0);
    stage_settle(&stage);
    stage_play(&stage, "a< join ben\na< msg ben one\na< quit ben crashed\n");
    stage_wait(&stage, 599 * SECOND);
    new = mock_add(&stage);
    mock_resume(new, token, LONG_AGO, "ben");
    stage_play(&stage, "c< resumed 1\nc< join ann\nc< join ben\nc< msg ben one\n"
                       "c< quit ben crashed\nc< here ann ben\nc< users 2\nc< you ben\nc0\n"
                       "a< join ben\nc> two\na< msg ben two\nc~ msg ben two\n");
    mock_leave(&stage, new);
    stage_play(&stage, "a< quit ben left\n");
    /* Ten minutes, and it is forgotten. */
    stage_wait(&stage, 601 * SECOND);
    new = mock_add(&stage);
    mock_resume(new, token, LONG_AGO, "ben");
    stage_play(&stage, "d< resumed ?\nd~ you ben\n");
    stage_close(&stage);
}
END_TEST

/* The token stands for a session, not for a name: it gives nobody another's. */
START_TEST(a_session_keeps_its_name)
{
    struct mock *old;
    char token[33];

    for (int posts = 0; posts < 2; posts++)
        for (int posts_again = 0; posts_again < 2; posts_again++) {
            stage_open(&stage, NULL);
            stage_play(&stage, "a> ann\na~ you ann\n");
            old = join_for_token("ben", posts, token);
            mock_say(mock_add(&stage), "%s/resume %s\nann", posts_again ? "/post\n" : "", token);
            stage_settle(&stage);
            mock_leave(&stage, old);
            stage_play(&stage, "c< resumed 0\nc~ you ben\nc> hello\n");
            stage_play(&stage, posts && posts_again ? "a~ post ben hello\n" : "a~ msg ben hello\n");
            stage_play(&stage, "d> ann\nd~ you ann_2\ne> ben\ne~ you ben_2\nc> /quit\n"
                               "f> ben\nf~ you ben\na> /users\na~ users 4\n");
            stage_close(&stage);
        }
}
END_TEST

/* An old connection that does not end by itself is ended. */
START_TEST(a_session_that_is_not_given_up)
{
    struct mock *old;
    struct mock *new;
    char token[33];

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\n");
    old = join_for_token("ben", false, token);
    mock_say(old, "one");
    new = mock_add(&stage);
    mock_resume(new, token, LONG_AGO, "ben");
    ensure(old->kills == 0 && mock_line(new) == NULL, "it is waited for");
    stage_wait(&stage, 6 * SECOND);
    ensure(old->kills == 1, "it was waited for too long");
    stage_play(&stage, "c< resumed 1\nc< join ann\nc< join ben\nc< msg ben one\nc~ you ben\n"
                       "a~ msg ben one\na0\n");
    stage_close(&stage);
}
END_TEST

/* The claimant dies first; another one comes; two want it; one that has a session wants another. */
START_TEST(claimants)
{
    struct mock *old;
    struct mock *claimant;
    char token[33];
    char other[33];

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\n");
    old = join_for_token("ben", false, token);
    (void)join_for_token("cid", false, other);
    claimant = mock_add(&stage);
    mock_resume(claimant, token, LONG_AGO, "ben");
    mock_die(claimant);
    mock_reap(&stage, claimant, SIGKILL);
    stage_settle(&stage);
    claimant = mock_add(&stage);
    mock_resume(claimant, token, LONG_AGO, "ben");
    ensure(old->ends == 2, "the second is asked for too");
    mock_resume(mock_add(&stage), token, LONG_AGO, "ben");
    stage_play(&stage, "e< error not-allowed *\ne. \nf0\n");
    mock_give(old, CONTROL_LOST, strlen(CONTROL_LOST));
    stage_play(&stage, "f< resumed 0\nf~ you ben\na~ join cid\na0\n");
    mock_say(mock_add(&stage), "/resume %s\n/resume %s\n/resume %s\ngus", token, token, other);
    stage_settle(&stage);
    stage_play(&stage, "f! lost\ng< resumed 0\ng< resumed 0\ng< error usage *\ng~ you ben\na0\n");
    stage_close(&stage);
}
END_TEST

/* The lines of the old connection came too fast. The new one waits until all are taken, however
 * long that is, also where the worker cannot end before, and has no burst of its own. */
START_TEST(a_session_that_resumes_ahead_of_its_rate)
{
    struct hub_config config = {.rate = 1, .login_us = 20 * SECOND};
    struct mock *old;
    struct mock *new;
    unsigned taken = 0;
    char token[33];

    stage_open(&stage, &config);
    old = join_for_token("ben", false, token);
    for (int i = 0; i < 60; i++)
        mock_say(old, "%d", i);
    stage_settle(&stage);
    new = mock_add(&stage);
    mock_resume(new, token, LONG_AGO, "ben");
    if (_i == 0)
        mock_goodbye(old, CONTROL_LOST);
    stage_play(&stage, "b0\n");
    stage_wait(&stage, 40 * SECOND);
    stage_play(&stage, "b0\n");
    if (_i == 1)
        mock_goodbye(old, CONTROL_LOST);
    ensure(old->kills == 0, "its worker is killed");
    stage_wait(&stage, 20 * SECOND);
    stage_play(&stage, "b< resumed 60\nb< join ben\n");
    for (int i = 0; i < 60; i++)
        stage_play(&stage, "b< msg ben *\n");
    stage_play(&stage, "b< here ben\nb< users 1\nb< you ben\nb0\n");
    for (int i = 0; i < 15; i++)
        mock_say(new, "again");
    stage_settle(&stage);
    for (; mock_line(new) != NULL; taken++) {}
    ensure(taken < 15, "%u lines at once", taken);
    stage_wait(&stage, 15 * SECOND);
    for (; mock_line(new) != NULL; taken++) {}
    ensure(taken == 15, "%u lines", taken);
    stage_close(&stage);
}
END_TEST

/* The old connection's client takes nothing, so its worker is not read: its lines come out. */
START_TEST(a_session_behind_a_stalled_client)
{
    struct mock *old;
    struct mock *new;
    char token[33];

    stage_open(&stage, NULL);
    stage_play(&stage, "a> ann\na~ you ann\n");
    old = join_for_token("ben", false, token);
    old->reads = false;
    while (mock_give(old, "/help\n", 6) == 6)
        stage_settle(&stage);
    ensure(hub_members(stage.hub) == 2, "both are here");
    new = mock_add(&stage);
    mock_resume(new, token, LONG_AGO, "ben");
    ensure(old->ends == 1, "it is asked for the end");
    /* As the worker does: it passes on what it holds as the pair takes it. */
    ensure(mock_give(old, "last\n" CONTROL_LOST, 11) == 11, "the hub takes nothing");
    stage_play(&stage, "a~ msg ben last\na0\nc< resumed *\n");
    stage_wait(&stage, SECOND);
    ensure(!mock_is_served(old), "the old client is shown the end, and not awaited");
    stage_close(&stage);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {plays_out, COUNT_OF(plays), 10},
        {plays_out_in_a_cluster, COUNT_OF(plays), 30},
        {plays_out_in_a_cluster_with_upgrades, COUNT_OF(plays), 60},
        {plays_out_with_upgrades, COUNT_OF(plays), 30},
        {two_hundred_bobs, 1, 10},
        {a_full_house, 1, 20},
        {reserved_names, 1, 10},
        {slow_accounts, 3, 10},
        {slow_answers, 1, 10},
        {many_questions, 1, 20},
        {tokens_of_logins, 2, 10},
        {bad_workers, COUNT_OF(wrongs), 20},
        {forgeries, 1, 10},
        {gaps_are_exact, 4, 30},
        {a_reader_that_never_reads, 1, 20},
        {a_reader_that_catches_up, 1, 10},
        {a_leaver_and_a_slow_reader, 1, 20},
        {a_leaver_with_an_unread_welcome, 1, 20},
        {since_what_is_gone, 1, 10},
        {private_lines_for_a_slow_reader, 1, 10},
        {questions_without_end, 8, 20},
        {many_deaths_and_a_slow_reader, 1, 30},
        {stopping, 2, 10},
        {stopping_with_pending_output, 2, 10},
        {a_dead_writer, 1, 10},
        {a_poster_that_waits_for_the_writer, 2, 10},
        {a_writer_that_takes_long_to_start, 2, 20},
        {a_welcome_that_waits_for_the_disk, 1, 10},
        {refused_after_the_goodbye, 2, 10},
        {held_lines_of_a_session_that_resumes, 4, 20},
        {held_lines_are_handed_over, 2, 10},
        {words_that_come_together, 2, 10},
        {what_a_dead_writer_has_refused, 2, 10},
        {a_poster_that_left_is_refused, 2, 10},
        {the_past_and_held_lines, 2, 10},
        {behind_a_line_taken_back, 1, 10},
        {a_hanging_disk_is_told, 3, 20},
        {a_slow_disk_is_not_told, 1, 20},
        {a_disk_that_hangs, 2, 10},
        {signal_to_all, 1, 10},
        {a_live_session, 1, 10},
        {a_finished_session, 1, 10},
        {a_session_keeps_its_name, 1, 10},
        {a_session_that_is_not_given_up, 1, 10},
        {claimants, 1, 10},
        {a_session_that_resumes_ahead_of_its_rate, 2, 10},
        {a_session_behind_a_stalled_client, 1, 10},
    };

    return tests_run("hub", tests, COUNT_OF(tests));
}
