/*
 * test_hub_strangers.c: the hub, and clients that take places, time and memory from others: see
 * puppets.h.
 */
#include "puppets.h"
#include "server/hub/source.h"

#include <stdio.h>
#include <string.h>
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
    struct puppet *poster;

    stage_open(&stage, NULL);
    puppet_add_silent(&stage);
    puppet_say(puppet_add_as(&stage, "192.0.2.1:6", NULL), "ann");
    poster = puppet_add_as(&stage, "192.0.2.1:7", NULL);
    puppet_say(poster, "/post\nben");
    puppet_add_as(&stage, "192.0.2.11:6", NULL);
    puppet_add_as(&stage, "[2001:db8::1]:6", NULL);
    puppet_add_as(&stage, "[2001:db8::1:2:3:4]:6", NULL);
    puppet_add_as(&stage, "[2001:db8:0:1::1]:6", NULL);
    puppet_add_as(&stage, "[fe80::1]:6", NULL);
    puppet_add_as(&stage, "local:7", "root");
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
    puppet_say(poster, "/quit");
    stage_settle(&stage);
    ensure(hub_sessions(stage.hub) == 8 && connections_from("192.0.2.1") == 3, "it drains");
    puppet_close(poster);
    stage_settle(&stage);
    ensure(connections_from("192.0.2.1") == 2, "it has ended");
    stage_close(&stage);
}
END_TEST

/* The oldest of the source that has most goes first, whatever it has said but a name. */
START_TEST(the_nameless_are_ended)
{
    struct puppet *puppets[6];

    stage_open(&stage, NULL);
    puppets[0] = puppet_add_as(&stage, "192.0.2.1:1", NULL);
    puppets[1] = puppet_add_as(&stage, "192.0.2.2:1", NULL);
    puppets[2] = puppet_add_as(&stage, "192.0.2.2:2", NULL);
    puppets[3] = puppet_add_as(&stage, "192.0.2.2:3", NULL);
    puppets[4] = puppet_add_as(&stage, "192.0.2.2:4", NULL);
    puppets[5] = puppet_add_as(&stage, "192.0.2.3:1", NULL);
    puppet_say(puppets[1], "ann");
    puppet_say(puppets[2], "/post");
    stage_settle(&stage);
    for (size_t i = 2; i <= 3; i++) {
        ensure(hub_end_nameless(stage.hub, stage.now), "one is ended");
        stage_settle(&stage);
        ensure(puppet_line(puppets[i]) != NULL &&
                   pattern_match("error full *", puppets[i]->text + STAMP_LEN + 1),
            "%zu: %s", i, puppets[i]->text);
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

/* What drains for the longest time is cut first; a member is not. */
START_TEST(the_draining_are_cut)
{
    struct puppet *ann;
    struct puppet *first;
    struct puppet *second;

    stage_open(&stage, NULL);
    ann = puppet_join(&stage, "ann");
    first = puppet_join(&stage, "first");
    second = puppet_join(&stage, "second");
    first->reads = second->reads = ann->reads = false;
    puppet_say(second, "/quit");
    stage_settle(&stage);
    puppet_say(first, "/quit");
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 3 && hub_sessions(stage.hub) == 1, "two drain");
    ensure(hub_cut_draining(stage.hub, stage.now), "one is cut");
    ensure(!puppet_is_served(second) && puppet_is_served(first), "the one that left first");
    ensure(hub_cut_draining(stage.hub, stage.now) && !puppet_is_served(first), "the other one");
    ensure(!hub_cut_draining(stage.hub, stage.now) && puppet_is_served(ann), "no more");
    stage_settle(&stage);
    ensure(hub_connections(stage.hub) == 1, "ann stays");
    stage_close(&stage);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {connections_from_one_source, 1, 10},
        {the_nameless_are_ended, 1, 10},
        {the_draining_are_cut, 1, 10},
    };

    return tests_run("hub_strangers", tests, COUNT_OF(tests));
}
