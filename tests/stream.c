/* stream.c: see stream.h. */
#include "stream.h"

#include "harness.h"
#include "server/cluster/batch.h"
#include "server/cluster/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* An engine that is behind says so much at once. */
#define OUT_MAX (4u << 20)

static void *bigger(void *memory, size_t size)
{
    void *more = realloc(memory, size);

    ensure(more != NULL, "no memory");
    return more;
}

void stream_free(struct stream *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->all[i].bytes);
    free(s->all);
    *s = (struct stream){.all = NULL};
}

void stream_put(struct stream *s, const char *bytes, size_t len)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (s->count == s->size) {
        s->size = 2 * s->size + 64;
        s->all = bigger(s->all, s->size * sizeof(s->all[0]));
    }
    s->all[s->count] = (struct stored){.bytes = bigger(NULL, len + 1),
        .len = len,
        .time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + s->ahead * 1000u};
    memcpy(s->all[s->count++].bytes, bytes, len);
}

/* ---- Engines --------------------------------------------------------------------------------- */

int engine_open(struct engine *e, struct stream *stream)
{
    int pair[2];

    ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        ensure(fcntl(pair[i], F_SETFL, O_NONBLOCK) == 0, "fcntl");
    *e = (struct engine){.stream = stream, .fd = pair[1]};
    return pair[0];
}

void engine_close(struct engine *e)
{
    if (e->fd != -1)
        close(e->fd);
    e->fd = -1;
    free(e->in);
    free(e->out);
    e->in = e->out = NULL;
}

static char *out_space(struct engine *e, size_t len)
{
    if (e->out_size - e->out_len < len) {
        e->out_size = 2 * e->out_size + len;
        e->out = bigger(e->out, e->out_size);
    }
    e->out_len += len;
    return e->out + e->out_len - len;
}

static void out_put(struct engine *e, const char *bytes, size_t len)
{
    memcpy(out_space(e, len), bytes, len);
}

static void message_tell(struct engine *e, size_t which)
{
    const struct stored *stored = &e->stream->all[which];
    const struct frame_message message = {
        .sequence = which + 1, .time = stored->time, .bytes = {stored->bytes, stored->len}};

    frame_message_write(out_space(e, FRAME_HEAD + FRAME_MESSAGE_HEAD), &message);
    out_put(e, stored->bytes, stored->len);
}

static void greet(struct engine *e, struct span payload)
{
    const struct frame_state ready = {.state = ENGINE_READY, .batch_max = BATCH_MAX};
    char state[FRAME_STATE_MAX];
    char end[FRAME_END_SIZE];
    struct frame_setup setup;

    ensure(frame_setup_read(&setup, payload) && !e->greeted, "a wrong SETUP");
    e->greeted = true;
    e->told = setup.next == 0 ? 0 : (size_t)setup.next - 1;
    out_put(e, state, frame_state_write(state, &ready));
    while (e->told < e->stream->count)
        message_tell(e, e->told++);
    frame_end_write(end, e->stream->count);
    out_put(e, end, sizeof end);
}

static bool frames_take(struct engine *e)
{
    struct span rest = {e->in, e->in_len};
    struct frame frame;
    bool moved = false;

    while ((!e->greeted || !e->stream->away) && frame_next(&frame, &rest) == FRAME_READY) {
        ensure(frame.kind == (e->greeted ? FRAME_PUBLISH : FRAME_SETUP), "kind %d", frame.kind);
        if (frame.kind == FRAME_SETUP)
            greet(e, frame.payload);
        else
            stream_put(e->stream, frame.payload.at, frame.payload.len);
        moved = true;
    }
    memmove(e->in, rest.at, rest.len);
    e->in_len = rest.len;
    return moved;
}

/* The end of the pair is the hub's end. */
static bool pair_read(struct engine *e)
{
    ssize_t n;

    if (e->in_size - e->in_len < 65536) {
        e->in_size = 2 * e->in_size + 65536;
        e->in = bigger(e->in, e->in_size);
    }
    n = recv(e->fd, e->in + e->in_len, e->in_size - e->in_len, 0);
    e->in_len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool pair_write(struct engine *e)
{
    ssize_t n = e->out_len == 0 ? 0 : send(e->fd, e->out, e->out_len, MSG_NOSIGNAL);

    if (n <= 0)
        return false;
    e->out_len -= (size_t)n;
    memmove(e->out, e->out + n, e->out_len);
    return true;
}

bool engine_turn(struct engine *e)
{
    bool moved = false;

    if (e->fd == -1)
        return false;
    moved |= pair_read(e);
    moved |= frames_take(e);
    while (e->greeted && e->told < e->stream->count && e->out_len < OUT_MAX)
        message_tell(e, e->told++);
    return pair_write(e) || moved;
}
