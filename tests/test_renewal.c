/*
 * test_renewal.c: nodes of a room whose stream is gone, at real nats-servers: 30 seconds later one
 * of them makes it anew, and the room goes on.
 */
#include "nats.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ROOM "room"
#define NODES 3
/* Until the stream is made anew, in milliseconds, and twice as long again. */
#define ANEW_MS 90000

static const char *const no_options[] = {NULL};
static const char *const names[NODES] = {"a", "b", "c"};

struct scene {
    struct nats nats[NATS_SERVERS_MAX];
    unsigned servers;
    char url[256];
    struct server nodes[NODES];
    char transcripts[NODES][PATH_TEXT_MAX];
    struct conn members[NODES];
};

static void node_start(struct scene *s, size_t i)
{
    server_start(&s->nodes[i], ANY_PORT, "-c", s->url, "-N", names[i], "-t", s->transcripts[i]);
}

/* Members of the first so many nodes, who are called like these. */
static void scene_open(struct scene *s, unsigned servers, size_t nodes)
{
    char list[128];

    memset(s, 0, sizeof *s);
    s->servers = servers;
    nats_start(s->nats, servers, no_options);
    nats_list(servers, list, sizeof list);
    snprintf(s->url, sizeof s->url, "nats://%s/" ROOM, list);
    for (size_t i = 0; i < nodes; i++) {
        char name[32];

        snprintf(name, sizeof name, "transcript-%s", names[i]);
        test_path(s->transcripts[i], name);
        node_start(s, i);
        conn_join(&s->members[i], &s->nodes[i], names[i]);
    }
}

static void say(struct scene *s, size_t i, const char *text)
{
    char echo[64];

    snprintf(echo, sizeof echo, "msg %s %s", names[i], text);
    conn_say(&s->members[i], "%s", text);
    (void)conn_seek(&s->members[i], echo);
}

/* Asks the servers, one after the other, until one does it. */
static void stream_ask(const struct scene *s, const char *what, const char *payload)
{
    int64_t deadline = deadline_in(20000);
    char answer[8192];
    char subject[80];
    unsigned place = 0;

    snprintf(subject, sizeof subject, "$JS.API.STREAM.%s.CHAT_" ROOM, what);
    while (!nats_ask(place, subject, payload, answer, sizeof answer) ||
           strstr(answer, "\"error\"") != NULL) {
        ensure(deadline_wait(deadline), "%s: %s", what, answer);
        place = (place + 1) % s->servers;
    }
}

/* The line comes, however long it takes until the stream is there again. */
static void seek_long(struct conn *conn, const char *pattern)
{
    int64_t deadline = deadline_in(ANEW_MS);
    const char *line;

    while ((line = conn_read_by(conn, deadline)) != NULL)
        if (pattern_match(pattern, line))
            return;
    ck_abort_msg("no `%s`", pattern);
}

/* All have the same lines up to that one. Returns them. */
static const char *transcripts_compare(const struct scene *s, size_t nodes, const char *end)
{
    static char first[65536];
    static char other[65536];

    for (size_t i = 0; i < nodes; i++) {
        char *at = i == 0 ? first : other;
        FILE *file = fopen(s->transcripts[i], "r");
        char *line = at;

        ensure(file != NULL, "%s", s->transcripts[i]);
        while (
            fgets(line, (int)(at + sizeof first - line), file) != NULL && strstr(line, end) == NULL)
            line += strlen(line);
        fclose(file);
        ensure(strstr(line, end) != NULL, "node %zu has no `%s`", i, end);
        ensure(i == 0 || strcmp(first, other) == 0, "%s instead of %s", other, first);
    }
    return first;
}

static void scene_stop(struct scene *s, size_t nodes)
{
    for (size_t i = 0; i < nodes; i++)
        conn_close(&s->members[i]);
    for (size_t i = 0; i < nodes; i++)
        server_stop(&s->nodes[i]);
}

static const struct {
    unsigned servers;
    size_t nodes;
    const char *here;
} rooms[] = {{3, 3, "here a b c"}, {1, 3, "here a b c"}, {1, 1, "here a"}};

/* The members stay, and what they said meanwhile comes once. */
START_TEST(stream_is_deleted)
{
    static struct scene s;
    size_t nodes = rooms[_i].nodes;
    char echo[64];

    if (!nats_is_there())
        return;
    scene_open(&s, rooms[_i].servers, nodes);
    say(&s, 0, "before");
    for (size_t i = 1; i < nodes; i++)
        (void)conn_seek(&s.members[i], "msg a before");
    stream_ask(&s, "DELETE", NULL);
    for (size_t i = 0; i < nodes; i++)
        server_says(&s.nodes[i], "has lost the room's stream");
    for (size_t i = 0; i < nodes; i++)
        conn_say(&s.members[i], "meanwhile");
    for (size_t i = 0; i < nodes; i++) {
        seek_long(&s.members[i], "msg * meanwhile");
        for (size_t more = 1; more < nodes; more++)
            (void)conn_seek(&s.members[i], "msg * meanwhile");
    }
    for (size_t i = 0; i < nodes; i++)
        say(&s, i, "behind");
    for (size_t i = 0; i < nodes; i++) {
        conn_say(&s.members[i], "/users");
        (void)conn_seek(&s.members[i], rooms[_i].here);
    }
    say(&s, 0, "the end");
    for (size_t i = 1; i < nodes; i++)
        (void)conn_seek(&s.members[i], "msg a the end");
    scene_stop(&s, nodes);
    for (size_t i = 0; i < nodes; i++) {
        snprintf(echo, sizeof echo, " msg %s meanwhile\n", names[i]);
        ensure(file_count(s.transcripts[0], echo) == 1, "%s", echo);
    }
    ensure(strstr(transcripts_compare(&s, nodes, " msg a the end\n"), " quit ") == NULL,
        "somebody has left");
}
END_TEST

/* Another program makes a stream of that name and fills it beyond what was read. One node stands
 * still until it was made anew, and goes on as well; a third one starts then. */
START_TEST(stream_is_replaced)
{
    static struct scene s;
    const char create[] = "{\"name\":\"CHAT_" ROOM "\",\"subjects\":[\"chat." ROOM ".log\"]}";

    if (!nats_is_there())
        return;
    scene_open(&s, 1, 2);
    say(&s, 1, "before");
    (void)conn_seek(&s.members[0], "msg b before");
    process_stop(s.nodes[1].pid);
    stream_ask(&s, "DELETE", NULL);
    stream_ask(&s, "CREATE", create);
    nats_fill(0, "chat." ROOM ".log", 100);
    server_says(&s.nodes[0], "the stream differs from what was read of it");
    conn_say(&s.members[0], "meanwhile");
    seek_long(&s.members[0], "msg a meanwhile");
    kill(s.nodes[1].pid, SIGCONT);
    server_says(&s.nodes[1], "node a has made the room's stream anew");
    (void)conn_seek(&s.members[1], "msg a meanwhile");
    test_path(s.transcripts[2], "transcript-c");
    node_start(&s, 2);
    conn_join(&s.members[2], &s.nodes[2], "c");
    (void)conn_seek(&s.members[0], "join c");
    say(&s, 2, "hello");
    say(&s, 0, "the end");
    (void)conn_seek(&s.members[2], "msg a the end");
    scene_stop(&s, NODES);
    (void)transcripts_compare(&s, 2, " msg a the end\n");
    ensure(file_count(s.transcripts[2], " gap ? 0\n") == 1, "no gap");
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {stream_is_deleted, COUNT_OF(rooms), 200},
        {stream_is_replaced, 1, 200},
    };

    return tests_run("renewal", tests, COUNT_OF(tests));
}
