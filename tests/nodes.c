/*
 * nodes.c: see nodes.h.
 */
#include "nodes.h"
#include "server/cluster/requests.h"

#include <stdio.h>
#include <string.h>

struct stage nodes[NODES]; /* too large for a stack */
struct stream stream;

const char *const names[NODES] = {"x", "y", "z"};

void nodes_open(const struct hub_config *config)
{
    stream = (struct stream){.form = stream.form};
    for (size_t i = 0; i < NODES; i++)
        stage_open_in(&nodes[i], config, &stream, names[i]);
}

void nodes_settle(void)
{
    size_t before;

    do {
        before = stream.count + stream.letters;
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].hub != NULL)
                stage_settle(&nodes[i]);
    } while (stream.count + stream.letters != before);
}

void nodes_wait(uint64_t us)
{
    for (uint64_t step = 0; step < us; step += SECOND) {
        for (size_t i = 0; i < NODES; i++)
            if (nodes[i].hub != NULL)
                stage_wait(&nodes[i], SECOND);
        nodes_settle();
    }
}

void node_close(size_t i)
{
    /* The descriptors of the others are still open. */
    stage_shut(&nodes[i]);
    nodes[i].hub = NULL;
}

void nodes_close(void)
{
    for (size_t i = NODES; i-- > 0;)
        if (nodes[i].hub != NULL)
            node_close(i);
    stream_free(&stream);
}

struct mock *join(size_t node, const char *name)
{
    struct mock *p = mock_add(&nodes[node]);

    nodes_settle();
    mock_say(p, "%s", name);
    nodes_settle();
    while (mock_line(p) != NULL && p->event.verb != VERB_YOU) {}
    ensure(p->event.verb == VERB_YOU, "%s: no welcome", name);
    return p;
}

void say(struct mock *p, const char *line)
{
    mock_say(p, "%s", line);
    nodes_settle();
}

void expect(struct mock *p, const char *want)
{
    const char *line = mock_line(p);

    ensure(line != NULL, "nothing instead of \"%s\"", want);
    ensure(strcmp(line, want) == 0, "\"%s\" instead of \"%s\"", line, want);
}

void expect_nothing(struct mock *p)
{
    const char *line = mock_line(p);

    ensure(line == NULL, "\"%s\"", line);
}

void two_join(struct mock **ann, struct mock **ben)
{
    nodes_open(NULL);
    *ann = join(0, "ann");
    *ben = join(1, "ben");
    expect(*ann, "join ben");
}

void stream_fill(size_t count)
{
    while (stream.count < count) {
        stream_put(&stream, "x", 1);
        if (stream.count % 1000 == 0)
            nodes_settle();
    }
    nodes_settle();
}

struct snapshot_part hash_of(const char *node)
{
    for (size_t i = stream.count; i-- > 0;) {
        struct requests requests;
        struct stored_request stored;

        if (!requests_open(&requests, (struct span){stream.all[i].bytes, stream.all[i].len}) ||
            !span_equal(requests.id.node, node))
            continue;
        while (requests_next(&requests, &stored))
            if (stored.request.kind == ROOM_HASH)
                return stored.request.part;
    }
    ck_abort_msg("node %s has told no hash", node);
}

void states_agree(void)
{
    size_t first = stream.count;
    struct snapshot_part right = {.place = 0};

    stream_fill(first + 10000);
    for (size_t i = 0; i < NODES; i++) {
        struct snapshot_part told;

        if (nodes[i].hub == NULL)
            continue;
        told = hash_of(names[i]);
        right = right.place == 0 ? told : right;
        ensure(told.place > first && told.place == right.place && told.hash == right.hash,
            "node %s has another state", names[i]);
    }
}

void nodes_agree(void)
{
    static char first[65536];
    static char other[65536];

    for (size_t i = 0; i < NODES; i++) {
        char *at = i == 0 ? first : other;
        struct mock *p;
        const char *line;

        if (nodes[i].hub == NULL)
            continue;
        p = mock_add(&nodes[i]);
        nodes_settle();
        mock_say(p, "/history 1000");
        mock_say(p, "/since 1970-01-01T00:00:00.000000Z");
        mock_say(p, "/post");
        mock_say(p, "/users");
        nodes_settle();
        while ((line = mock_line(p)) != NULL)
            at += sprintf(at, "%s\n", line);
        mock_leave(&nodes[i], p);
        ensure(i == 0 || strcmp(first, other) == 0, "%s instead of %s", other, first);
    }
    states_agree();
}

void read_all(struct mock *p)
{
    while (mock_line(p) != NULL) {}
}

const char *token_of(struct mock *p, char *out)
{
    while (mock_line(p) != NULL && p->event.verb != VERB_TOKEN) {}
    ensure(p->event.verb == VERB_TOKEN, "no token");
    snprintf(out, TOKEN_LEN + 1, "%s", p->text + STAMP_LEN + strlen(" token "));
    return out;
}

struct mock *join_with_token(size_t node, const char *name, char *token)
{
    struct mock *p = mock_add(&nodes[node]);

    nodes_settle();
    mock_say(p, "/token");
    mock_say(p, "%s", name);
    nodes_settle();
    (void)token_of(p, token);
    while (mock_line(p) != NULL) {}
    return p;
}

struct incarnation incarnation_of(const char *node)
{
    for (size_t i = stream.count; i-- > 0;) {
        struct batch_id id;

        if (batch_id_read(&id, (struct span){stream.all[i].bytes, stream.all[i].len}) > 0 &&
            span_equal(id.node, node))
            return (struct incarnation){id.incarnation, id.nonce};
    }
    ck_abort_msg("node %s has stored nothing", node);
}

uint64_t batch_of(const char *node)
{
    for (size_t i = stream.count; i-- > 0;) {
        struct batch_id id;

        if (batch_id_read(&id, (struct span){stream.all[i].bytes, stream.all[i].len}) > 0 &&
            span_equal(id.node, node))
            return id.number;
    }
    ck_abort_msg("node %s has stored nothing", node);
}

const char *line_at(uint64_t time, const char *text)
{
    static char lines[8][80];
    static size_t next;
    char *line = lines[next++ % COUNT_OF(lines)];

    stamp_format(line, time);
    snprintf(line + STAMP_LEN, sizeof lines[0] - STAMP_LEN, " %s", text);
    return line;
}
