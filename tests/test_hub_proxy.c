/*
 * test_hub_proxy.c: the hub, and clients that come through a proxy: see mocks.h.
 */
#include "mocks.h"

#include <stdio.h>
#include <string.h>

#define SECOND 1000000u
#define PROXY MOCK_PROXY "1:7000"

static struct stage stage;

/* ---- What is asked of the parent ---- */

static unsigned asked; /* how often */

/* 198.51.100.2 is refused, 198.51.100.1 is an operator, and so is the proxy. */
static enum standing standing_of(void *context, const struct origin *origin, int fd)
{
    (void)context;
    (void)fd;
    return origin->ip.bytes[3] == 1 ? STANDING_OPERATOR : STANDING_CLIENT;
}

static const char *refusal(void *context, const struct origin *origin, int fd, uint64_t now)
{
    (void)context;
    asked++;
    ensure(fd != -1 && now > 0, "a socket and a time");
    if (hub_is_banned(stage.hub, origin, now))
        return "not-allowed you are banned";
    return origin->ip.bytes[3] == 2 ? "not-allowed not you" : NULL;
}

static void open_with(struct hub_config config)
{
    config.refusal = refusal;
    config.standing = standing_of;
    asked = 0;
    stage_open(&stage, &config);
}

static struct mock *proxied(void)
{
    struct mock *p = mock_add_as(&stage, PROXY, NULL);

    stage_settle(&stage);
    return p;
}

static size_t connections_from(const char *address)
{
    struct origin origin = {.local = false};

    ensure(ip_parse(&origin.ip, address, strlen(address)), "%s", address);
    return hub_connections_from(stage.hub, &origin);
}

/* ---- Addresses ---- */

/* It is the name of a client that gives none, and what counts for its source. */
START_TEST(an_address)
{
    open_with((struct hub_config){0});
    (void)proxied();
    ensure(connections_from(MOCK_PROXY "1") == 1, "the proxy's, until it is told");
    if (_i == 1)
        ensure(stage_handover(&stage), "a handover");
    stage_play(&stage, "a! proxy 198.51.100.9:55\na> \na~ you 198.51.100.9:55\n");
    ensure(connections_from(MOCK_PROXY "1") == 0 && connections_from("198.51.100.9") == 1,
        "the client's");
    ensure(asked == 1 && hub_nameless(stage.hub) == 0, "asked once");
    mock_leave(&stage, &stage.mocks[0]);
    ensure(connections_from("198.51.100.9") == 0, "it has gone");
    (void)proxied();
    stage_play(&stage, "b! proxy [2001:db8::7]:55\nb: /post\nb> \nb< you [2001:db8::7]:55\n");
    ensure(connections_from("2001:db8::") == 1, "a network");
    stage_close(&stage);
}
END_TEST

/* UNKNOWN and LOCAL. */
START_TEST(no_address)
{
    open_with((struct hub_config){0});
    (void)proxied();
    stage_play(&stage, "a! proxy-self\na> \na~ you " PROXY "\n");
    ensure(asked == 1 && connections_from(MOCK_PROXY "1") == 1, "it is the client now");
    stage_play(&stage, "a> /help\na< note * /kick *\n");
    stage_close(&stage);
}
END_TEST

START_TEST(rules_are_for_the_client)
{
    open_with((struct hub_config){0});
    for (int i = 0; i < 3; i++)
        (void)proxied();
    stage_play(&stage,
        "a! proxy 198.51.100.2:55\na< error not-allowed not you\na. \n"
        "b! proxy 198.51.100.3:55\nb> ben\nb~ you ben\nb> /kick x\nb< error not-allowed *\n"
        "c! proxy 198.51.100.1:55\nc> ann\nc~ you ann\nb< join ann\n"
        "c> /ban ben\nc< quit ben kicked\n"
        "c< note ben (198.51.100.3) is banned for 60 minutes\n");
    (void)proxied();
    (void)proxied();
    stage_play(&stage, "d! proxy 198.51.100.3:56\nd< error not-allowed *\nd. \n"
                       "e! proxy 198.51.100.4:56\ne> eve\ne~ you eve\n");
    stage_close(&stage);
}
END_TEST

/* New rules are not for those whose address is not known yet. */
START_TEST(a_review)
{
    open_with((struct hub_config){0});
    (void)proxied();
    mock_add_as(&stage, "192.0.2.5:6", NULL);
    stage_settle(&stage);
    hub_review(stage.hub);
    stage.poked = true;
    stage_settle(&stage);
    stage_play(&stage,
        "a! proxy 198.51.100.3:55\na> ann\na~ you ann\na> /kick ann\na< error not-allowed *\n");
    stage_close(&stage);
}
END_TEST

/* ---- Time ---- */

/* The time for a name covers that for the header. */
START_TEST(a_header_that_does_not_come)
{
    open_with((struct hub_config){.login_us = 5 * SECOND});
    (void)proxied();
    stage_play(&stage, "+4\na0\n+1.1\na< error login-timeout *\na. \n");
    stage_close(&stage);
}
END_TEST

/* The rate of sessions is that of the client's source: a proxy never waits. */
START_TEST(sessions_at_a_rate)
{
    struct hub_config config = {.rate = 1, .login_us = 5 * SECOND};
    size_t members = 0;

    open_with(config);
    for (int i = 0; i < 15; i++)
        (void)proxied();
    for (size_t i = 0; i < 15; i++)
        mock_say(&stage.mocks[i], "\001proxy 198.51.100.%d:55\n%zu", i < 13 ? 3 : 4, i);
    stage_settle(&stage);
    members = hub_members(stage.hub);
    ensure(members >= 12 && members <= 13, "%zu members at once", members);
    if (_i == 1)
        ensure(stage_handover(&stage), "a handover");
    stage_wait(&stage, 8 * SECOND);
    ensure(hub_members(stage.hub) == 15, "%zu members", hub_members(stage.hub));
    stage_close(&stage);
}
END_TEST

/* ---- Workers that are not what they should be ---- */

/* Words of proxied ones, and of others: the session ends, and nobody else notices. */
static const struct {
    const char *name;
    const char *said;
    bool proxied;
    const char *answer; /* NULL: the worker has broken the rules */
} wrongs[] = {
    {"a line without a header", "ann", true, NULL},
    {"no address", "\001proxy ann", true, NULL},
    {"an empty address", "\001proxy ", true, NULL},
    {"an address without a port", "\001proxy 198.51.100.3", true, NULL},
    {"an address of a link", "\001proxy [fe80::1%eth0]:1", true, NULL},
    {"more behind it", "\001proxy 198.51.100.3:55 ann", true, NULL},
    {"two of them", "\001proxy 198.51.100.3:55\n\001proxy 198.51.100.4:55", true, NULL},
    {"one after none", "\001proxy-self\n\001proxy 198.51.100.4:55", true, NULL},
    {"one after the name", "\001proxy-self\nann\n\001proxy 198.51.100.4:55", true, NULL},
    {"a last line", "\001last x", true, NULL},
    {"a line that was too long", "\001too-long", true, NULL},
    {"a question of telnet", "\001timing-mark", true, NULL},
    {"an address from no proxy", "\001proxy 198.51.100.4:55", false, NULL},
    {"no address from no proxy", "\001proxy-self", false, NULL},
    {"no header", "\001no-proxy", true, "error not-allowed a PROXY header is wanted *"},
    {"a header of no proxy", "\001no-proxy", false, "error not-allowed no PROXY header *"},
    {"version 1 of no proxy", "PROXY TCP4 198.51.100.4 127.0.0.1 55 66", false,
        "error not-allowed no PROXY header *"},
    {"version 1 twice", "\001proxy-self\nPROXY UNKNOWN", true,
        "error not-allowed no PROXY header *"},
};

START_TEST(wrong_words)
{
    struct mock *p;

    printf("%s\n", wrongs[_i].name);
    open_with((struct hub_config){0});
    stage_play(&stage, "a> witness\na~ you witness\n");
    p = mock_add_as(&stage, wrongs[_i].proxied ? PROXY : "192.0.2.5:6", NULL);
    stage_settle(&stage);
    mock_say(p, "%s", wrongs[_i].said);
    stage_settle(&stage);
    while (wrongs[_i].answer != NULL && mock_line(p) != NULL)
        ensure(pattern_match(wrongs[_i].answer, p->text + STAMP_LEN + 1), "%s", p->text);
    ensure(p->ended && p->kills == 1, "it goes on");
    ensure(hub_members(stage.hub) == 1, "%zu members", hub_members(stage.hub));
    ensure(connections_from("198.51.100.4") == 0, "an address was taken");
    stage_close(&stage);
}
END_TEST

/* A name that only begins so is one. */
START_TEST(called_proxy)
{
    open_with((struct hub_config){0});
    stage_play(&stage, "a> PROXY\na~ you PROXY\nb> PROXY TCP\nb~ you PROXY_TCP\n");
    stage_close(&stage);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {an_address, 2, 10},
        {no_address, 1, 10},
        {rules_are_for_the_client, 1, 10},
        {a_review, 1, 10},
        {a_header_that_does_not_come, 1, 10},
        {sessions_at_a_rate, 2, 10},
        {wrong_words, COUNT_OF(wrongs), 10},
        {called_proxy, 1, 10},
    };

    return tests_run("hub_proxy", tests, COUNT_OF(tests));
}
