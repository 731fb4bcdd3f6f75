/*
 * test_purged.c: nodes of a room whose stream has lost its beginning, at a real nats-server: they
 * start from a snapshot; and one whose transcript is not the room's.
 */
#include "nats.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ROOM "room"
#define PLACE 10000

static const char *const no_options[] = {NULL};

static char url[256];

static void stream_open(struct nats *nats)
{
    char list[128];

    nats_start(nats, 1, no_options);
    nats_list(1, list, sizeof list);
    snprintf(url, sizeof url, "nats://%s/" ROOM, list);
}

/* What was stored before that message is gone; 0: everything. */
static void stream_purge(unsigned first)
{
    char request[64] = "";
    char answer[1024];

    if (first > 0)
        snprintf(request, sizeof request, "{\"seq\":%u}", first);
    ensure(nats_ask(0, "$JS.API.STREAM.PURGE.CHAT_" ROOM, request, answer, sizeof answer) &&
               strstr(answer, "\"success\":true") != NULL,
        "%s", answer);
}

static void say(struct conn *conn, const char *text)
{
    char echo[64];

    snprintf(echo, sizeof echo, "msg * %s", text);
    conn_say(conn, "%s", text);
    (void)conn_seek(conn, echo);
}

/* A place comes, and the snapshot: when `first` is stored the node of that member has told its
 * hash, when `second` is, it has that back, and, where it is the only one, stores the parts before
 * `third`. */
static void place_await(struct conn *ann)
{
    nats_fill(0, "chat." ROOM ".log", PLACE);
    say(ann, "first");
    say(ann, "second");
    say(ann, "third");
}

/* A node with one member, and a snapshot. */
static void first_node_open(struct server *a, struct conn *ann)
{
    server_start(a, ANY_PORT, "-c", url, "-N", "a");
    conn_join(ann, a, "ann");
    say(ann, "lost");
    place_await(ann);
}

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ensure(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

START_TEST(a_node_starts)
{
    char path[PATH_TEXT_MAX];
    struct nats nats;
    struct server a;
    struct server b;
    struct conn ann = {0};
    struct conn ben = {0};

    if (!nats_is_there())
        return;
    stream_open(&nats);
    first_node_open(&a, &ann);
    stream_purge(PLACE + 1);
    test_path(path, "transcript");
    server_start(&b, ANY_PORT, "-c", url, "-N", "b", "-t", path);
    server_says(&b, "the room is loaded from a snapshot at message 10000");
    conn_join(&ben, &b, "ben");
    (void)conn_seek(&ann, "join ben");
    say(&ann, "hello");
    conn_expect(&ben, "msg ann hello");
    conn_say(&ben, "/users");
    (void)conn_seek(&ben, "here ann ben");
    conn_close(&ben);
    (void)conn_seek(&ann, "quit ben *");
    server_stop(&b);
    ensure(file_count(path, " gap ? 0") == 1 && file_count(path, " msg ann third") == 1 &&
               file_count(path, " lost\n") == 0,
        "the transcript");
    say(&ann, "meanwhile");
    server_start(&b, ANY_PORT, "-c", url, "-N", "b", "-t", path);
    server_stop(&b);
    ensure(file_count(path, " gap ? 0") == 1 && file_count(path, " msg ann meanwhile") == 1 &&
               file_count(path, " msg ann hello") == 1,
        "the transcript later");
    conn_close(&ann);
    server_stop(&a);
}
END_TEST

/* Two nodes have the same room at a place, and one of them stores it. */
START_TEST(two_nodes)
{
    struct nats nats;
    struct server a;
    struct server b;
    struct server c;
    struct conn ann = {0};
    struct conn ben = {0};

    if (!nats_is_there())
        return;
    stream_open(&nats);
    server_start(&b, ANY_PORT, "-c", url, "-N", "b");
    conn_join(&ben, &b, "ben");
    first_node_open(&a, &ann);
    (void)conn_seek(&ben, "msg ann third");
    say(&ben, "b has told");
    (void)conn_seek(&ann, "msg ben b has told");
    say(&ann, "a has compared");
    say(&ann, "a has stored");
    stream_purge(PLACE + 1);
    server_start(&c, ANY_PORT, "-c", url, "-N", "c");
    server_says(&c, "the room is loaded from a snapshot at message 10000");
    ensure(server_times_said(&a, "another room") == 0 && server_times_said(&b, "another room") == 0,
        "they differ");
    conn_close(&ann);
    conn_close(&ben);
    server_stop(&a);
    server_stop(&b);
    server_stop(&c);
}
END_TEST

/* Where there is no snapshot any more, the room cannot be loaded. */
START_TEST(nothing_is_left)
{
    struct nats nats;
    struct server a;
    struct server b;
    struct conn ann = {0};

    if (!nats_is_there())
        return;
    stream_open(&nats);
    first_node_open(&a, &ann);
    stream_purge(0);
    server_spawn(&b, NULL, (const char *const[]){ANY_PORT, "-c", url, "-N", "b", NULL});
    ensure(server_exit(&b, 20000) == EX_UNAVAILABLE, "another status");
    say(&ann, "still here");
    conn_close(&ann);
    server_stop(&a);
}
END_TEST

/* It was written by a clock that was ahead: the room's stamps go on from there, at all nodes, and
 * one gap stands for what the room had before. */
START_TEST(a_transcript_that_is_ahead)
{
    const char *synced = _i == 1 ? "-s" : NULL;
    char path[PATH_TEXT_MAX];
    struct nats nats;
    struct server a;
    struct server b;
    struct conn ann = {0};
    struct conn ben = {0};

    if (!nats_is_there())
        return;
    stream_open(&nats);
    server_start(&a, ANY_PORT, "-c", url, "-N", "a");
    conn_join(&ann, &a, "ann");
    say(&ann, "before");
    test_path(path, "transcript");
    file_write(path, "2099-01-01T00:00:00.000000Z msg old x\n");
    server_start(&b, ANY_PORT, "-c", url, "-N", "b", "-t", path, synced);
    conn_join(&ben, &b, "ben");
    say(&ben, "hello");
    (void)conn_seek(&ann, "msg ben hello");
    ensure(ann.event.stamp == ben.event.stamp, "another stamp");
    conn_close(&ben);
    (void)conn_seek(&ann, "quit ben *");
    server_stop(&b);
    say(&ann, "meanwhile");
    server_start(&b, ANY_PORT, "-c", url, "-N", "b", "-t", path, synced);
    conn_join(&ben, &b, "ben");
    conn_close(&ben);
    server_stop(&b);
    ensure(file_count(path, "2099-01-01T00:00:00.000000Z gap ? 0") == 1 &&
               file_count(path, " gap ") == 1 && file_count(path, " msg ann before") == 0 &&
               file_count(path, "2099-01-01T00:00:00.000001Z join ben") == 1 &&
               file_count(path, " msg ben hello") == 1 &&
               file_count(path, " msg ann meanwhile") == 1,
        "the transcript");
    conn_close(&ann);
    server_stop(&a);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {a_node_starts, 1, 60},
        {two_nodes, 1, 60},
        {nothing_is_left, 1, 60},
        {a_transcript_that_is_ahead, 2, 60},
    };

    return tests_run("purged", tests, COUNT_OF(tests));
}
