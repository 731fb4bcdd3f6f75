/*
 * test_cluster_parts.c: the engine's parts: the list of servers, the window of batches, buffers.
 */
#include "bytes.h"
#include "compat/compat.h"
#include "server/cluster/buffer.h"
#include "server/cluster/servers.h"
#include "server/cluster/window.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Servers --------------------------------------------------------------------------------- */

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* All of the list, from the one that is tried first. */
static void servers_tell(struct servers *servers, char *out, size_t size)
{
    char name[SERVER_NAME_MAX];

    *out = '\0';
    for (size_t i = 0; i < servers->count; i++) {
        servers->current = i;
        servers_name(servers, name);
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i > 0 ? "," : "", name);
    }
    servers->current = servers->count - 1;
}

static const struct {
    const char *list;
    const char *told; /* NULL: refused */
} list_rows[] = {
    {"a", "a:4222"},
    {"a:1", "a:1"},
    {"nats-1.example.org:65535,10.0.0.1", "nats-1.example.org:65535,10.0.0.1:4222"},
    {"[::1]", "[::1]:4222"},
    {"[fe80::1%eth0]:7", "[fe80::1%eth0]:7"},
    {"a,a:4222,a", "a:4222"},
    {"", NULL},
    {"a,", NULL},
    {",a", NULL},
    {":1", NULL},
    {"a:", NULL},
    {"a:0", NULL},
    {"a:65536", NULL},
    {"a:b", NULL},
    {"::1", NULL},
    {"[::1", NULL},
    {"[]:1", NULL},
    {"a b", NULL},
    {"a/b", NULL},
    {"u:p@a", NULL},
    {"h\xc3\xa9", NULL},
};

START_TEST(server_lists)
{
    static struct servers servers;
    char told[256];

    memset(&servers, 0, sizeof servers);
    ck_assert_int_eq(
        servers_set(&servers, span_of(list_rows[_i].list)), list_rows[_i].told != NULL);
    if (list_rows[_i].told == NULL)
        return;
    servers_tell(&servers, told, sizeof told);
    ck_assert_str_eq(told, list_rows[_i].told);
}
END_TEST

static void learn(struct servers *servers, const char *text)
{
    struct json urls;

    ck_assert(json_parse(&urls, span_of(text)));
    servers_learn(servers, urls);
}

START_TEST(servers_are_learned)
{
    static struct servers servers;
    char text[4096] = "[";
    char told[256];

    ck_assert(servers_set(&servers, span_of("a,b")));
    learn(&servers, "[\"c:1\",\"b:4222\",\"[::1]:5\",\"\",\"x y:1\",7,\"c:1\"]");
    servers_tell(&servers, told, sizeof told);
    ck_assert_str_eq(told, "a:4222,b:4222,c:1,[::1]:5");
    learn(&servers, "[\"d:1\"]");
    servers_tell(&servers, told, sizeof told);
    ck_assert_str_eq(told, "a:4222,b:4222,d:1");
    learn(&servers, "{}");
    ck_assert_uint_eq(servers.count, 3);
    for (int i = 0; i < 100; i++)
        snprintf(text + strlen(text), 32, "%s\"h%d:1\"", i > 0 ? "," : "", i);
    learn(&servers, strcat(text, "]"));
    ck_assert_uint_eq(servers.count, SERVERS_MAX);
    learn(&servers, "[]");
    ck_assert_uint_eq(servers.count, 2);
    ck_assert_uint_lt(servers.current, servers.count);
}
END_TEST

START_TEST(servers_in_turn)
{
    static struct servers servers;
    static const char *const order[] = {"127.0.0.1:1", "127.0.0.2:2", "127.0.0.1:1"};
    char name[SERVER_NAME_MAX];
    int error;

    ck_assert(servers_set(&servers, span_of("127.0.0.1:1,127.0.0.2:2")));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const struct addrinfo *address = servers_next(&servers, &error);

        ck_assert_ptr_nonnull(address);
        ck_assert_int_eq(address->ai_family, AF_INET);
        servers_name(&servers, name);
        ck_assert_str_eq(name, order[i]);
        ck_assert_int_eq(servers_are_tried(&servers), i == 1);
    }
    servers_leave(&servers);
}
END_TEST

/* ---- The window ------------------------------------------------------------------------------ */

static char batch_bytes[BATCH_HEAD_MAX + 8];

static struct span batch_of(uint64_t number)
{
    struct batch_id id = {.node = S("n"), .incarnation = 1, .nonce = 2, .number = number};
    size_t len = batch_id_write(batch_bytes, &id);

    memcpy(batch_bytes + len, "requests", 8);
    return (struct span){batch_bytes, len + 8};
}

START_TEST(window_in_order)
{
    static struct window w;

    ck_assert_ptr_null(window_next(&w));
    ck_assert_int_eq(window_return(&w, batch_of(1)), WINDOW_FOREIGN);
    for (uint64_t n = 1; n <= 3; n++)
        ck_assert(window_add(&w, batch_of(n)));
    ck_assert_uint_eq(window_publish(&w), 1);
    ck_assert_uint_eq(window_publish(&w), 2);
    ck_assert(window_has(&w, 1) && window_has(&w, 2) && !window_has(&w, 3) && !window_has(&w, 0));
    ck_assert_int_eq(window_return(&w, (struct span)S("foreign")), WINDOW_FOREIGN);
    ck_assert_int_eq(window_return(&w, batch_of(4)), WINDOW_FOREIGN);
    ck_assert_int_eq(window_return(&w, batch_of(1)), WINDOW_CAME_BACK);
    ck_assert_int_eq(window_return(&w, batch_of(1)), WINDOW_FOREIGN);
    ck_assert_int_eq(window_return(&w, batch_of(3)), WINDOW_OVERTAKEN);
    ck_assert_uint_eq(w.count, 2);
    ck_assert(window_has(&w, 2));
    window_rewind(&w);
    ck_assert(!window_has(&w, 2));
    ck_assert_uint_eq(window_publish(&w), 3);
    ck_assert_int_eq(window_return(&w, batch_of(2)), WINDOW_CAME_BACK);
    ck_assert_int_eq(window_return(&w, batch_of(3)), WINDOW_CAME_BACK);
    ck_assert_ptr_null(window_next(&w));
    ck_assert_uint_eq(w.sent, 0);
}
END_TEST

/* Round and round, full and empty. */
START_TEST(window_full)
{
    static struct window w;
    static char large[BATCH_MAX + 1];
    uint64_t number = 0;

    for (int round = 0; round < 5; round++) {
        while (!window_is_full(&w))
            ck_assert(window_add(&w, batch_of(++number)));
        ck_assert_uint_eq(w.count, WINDOW_MAX);
        for (int i = 0; i < 7; i++) {
            struct span oldest = batch_of(number - w.count + 1);

            assert_bytes(window_next(&w)->bytes, window_next(&w)->len, oldest);
            (void)window_publish(&w);
            ck_assert_int_eq(window_return(&w, oldest), WINDOW_CAME_BACK);
        }
    }
    memcpy(large, batch_of(99).at, batch_of(99).len);
    ck_assert(!window_add(&w, (struct span){large, sizeof large}));
    ck_assert(!window_add(&w, (struct span)S("no batch")));
    ck_assert(window_add(&w, (struct span){large, sizeof large - 1}));
}
END_TEST

/* ---- Buffers --------------------------------------------------------------------------------- */

START_TEST(buffers)
{
    char memory[8];
    struct buffer b;
    int sv[2];

    buffer_init(&b, memory, sizeof memory);
    ck_assert(buffer_add(&b, "abcdef", 6));
    ck_assert(!buffer_add(&b, "ghi", 3));
    buffer_drop(&b, 4);
    ck_assert_uint_eq(buffer_space(&b), 6);
    ck_assert(buffer_add(&b, "ghijkl", 6));
    assert_bytes(buffer_bytes(&b).at, buffer_bytes(&b).len, (struct span)S("efghijkl"));
    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    ck_assert(buffer_send(&b, sv[0]));
    ck_assert_uint_eq(buffer_space(&b), 8);
    ck_assert(buffer_receive(&b, sv[1]));
    assert_bytes(buffer_bytes(&b).at, buffer_bytes(&b).len, (struct span)S("efghijkl"));
    ck_assert(buffer_receive(&b, sv[1])); /* full */
    buffer_drop(&b, 8);
    ck_assert(buffer_receive(&b, sv[1])); /* nothing is there */
    close(sv[0]);
    ck_assert(!buffer_receive(&b, sv[1]));
    ck_assert_int_eq(errno, 0);
    ck_assert(buffer_add(&b, "x", 1));
    ck_assert(!buffer_send(&b, sv[1]));
    close(sv[1]);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {server_lists, COUNT_OF(list_rows), 60},
        {servers_are_learned, 1, 60},
        {servers_in_turn, 1, 60},
        {window_in_order, 1, 60},
        {window_full, 1, 60},
        {buffers, 1, 60},
    };

    return tests_run("cluster_parts", tests, COUNT_OF(tests));
}
