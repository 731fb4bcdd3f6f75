/*
 * fuzz_upstream.c: the engine's conversation with a server that says anything, in any pieces. What
 * the hub is told must be frames, in the stream's order, and what the server is told must be lines.
 *
 * The input: a byte for the cuts, then what the server says. Where that byte is WATCHES the engine
 * watches a stream that is gone, and is to make it anew; then sequences may begin again.
 */
#include "compat/compat.h"
#include "fuzz.h"
#include "server/cluster/feed.h"
#include "server/cluster/nats_client.h"
#include "server/cluster/pair.h"
#include "server/cluster/upstream.h"
#include "server/cluster/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* As large as the real ones, so made once. */
static struct upstream upstream;
static struct pair pair;
static struct window window;

#define WATCHES 7

static struct frame_setup setup = {.next = 3,
    .room = {"tea", 3},
    .node = {"n", 1},
    .credentials = {"a:b", 3},
    .servers = {"127.0.0.1:1", 11}};

static void window_fill(void)
{
    char bytes[BATCH_HEAD_MAX];
    struct batch_id id = {.node = setup.node, .incarnation = 1, .nonce = 2};

    window.first = window.count = window.sent = 0;
    for (id.number = 1; id.number <= 3; id.number++)
        must(window_add(&window, (struct span){bytes, batch_id_write(bytes, &id)}));
}

/* One whose connection has just been made; the server's end of it. */
static int upstream_open(void)
{
    int sv[2];

    must(socketpair_cloexec_nonblock(sv) == 0);
    memset(&upstream, 0, offsetof(struct upstream, in_bytes));
    window_fill();
    pair_init(&pair, -1);
    must(upstream_init(&upstream, &setup, &pair, &window, 1));
    upstream.fd = sv[0];
    upstream.phase = UPSTREAM_GREETING;
    upstream.times.due = UINT64_MAX;
    return sv[1];
}

/* What the hub is told: its sequences rise. */
static void pair_check(uint64_t *sequence)
{
    struct span rest = buffer_bytes(&pair.out);
    struct frame_message message;
    struct frame_state state;
    struct frame_letter question;
    struct frame_answered answer;
    struct frame frame;
    struct frame_end end;

    while (frame_next(&frame, &rest) == FRAME_READY) {
        if (frame.kind == FRAME_MESSAGE) {
            must(frame_message_read(&message, frame.payload));
            must(setup.watches || (message.sequence > *sequence && message.sequence >= setup.next));
            *sequence = message.sequence;
        } else if (frame.kind == FRAME_STATE) {
            must(frame_state_read(&state, frame.payload));
        } else if (frame.kind == FRAME_ASKED) {
            must(frame_letter_read(&question, FRAME_ASKED, frame.payload));
        } else if (frame.kind == FRAME_ANSWERED) {
            must(frame_answered_read(&answer, frame.payload));
        } else {
            must(frame.kind == FRAME_END && frame_end_read(&end, frame.payload));
        }
    }
    must(rest.len == 0);
    buffer_clear(&pair.out);
}

static void replies_discard(int fd)
{
    static char replies[1 << 16];

    while (recv(fd, replies, sizeof replies, 0) > 0)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t state = size > 0 ? data[0] : 0;
    uint64_t sequence = 0;
    uint64_t now = 1;
    int fd;

    if (size > 65536)
        return 0;
    setup.watches = size > 0 && data[0] == WATCHES;
    fd = upstream_open();
    if (setup.watches)
        must(feed_renew(&upstream, (struct span){"\0\0\0\0\0\0\0\5renewal", 15}));

    for (size_t at = 1, n; at < size && upstream.phase != UPSTREAM_AWAY; at += n) {
        state = state * 1664525 + 1013904223;
        n = data[0] < 8 ? size : 1 + (state >> 16) % data[0];
        n = n < size - at ? n : size - at;
        must(write(fd, data + at, n) == (ssize_t)n);
        now += 1000;
        nats_client_read(&upstream, POLLIN, now);
        if (upstream.phase != UPSTREAM_AWAY)
            nats_client_turn(&upstream, now);
        pair_check(&sequence);
        replies_discard(fd);
        must(window.sent <= window.count && window.count <= 3);
    }
    close(fd);
    if (upstream.fd != -1)
        close(upstream.fd);
    servers_leave(&upstream.servers);
    return 0;
}
