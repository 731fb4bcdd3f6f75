/* engine.c: the poll loop between the pair with the hub and the connection to a server. */
#include "engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/compat.h"
#include "direct.h"
#include "feed.h"
#include "nats_client.h"
#include "pair.h"
#include "protocol.h"
#include "server/process.h"
#include "server/sandbox.h"
#include "upstream.h"
#include "window.h"

#define HUB_FD 1
/* A poll is not longer than this, so that its milliseconds fit an int. */
#define POLL_US 3600000000u

/* All that the process has. It is static, for most of it is never touched. */
struct engine {
    bool is_set_up;
    struct frame_setup setup;
    char setup_bytes[FRAME_SETUP_MAX]; /* to which the setup points */
    struct pair pair;
    struct window window;
    struct upstream upstream;
};

/* ---- The hub's frames ------------------------------------------------------------------------ */

static bool take_setup(struct engine *e, struct span payload, uint64_t now)
{
    if (payload.len > sizeof(e->setup_bytes))
        return false;
    memcpy(e->setup_bytes, payload.at, payload.len);
    payload.at = e->setup_bytes;
    e->is_set_up = frame_setup_read(&e->setup, payload) &&
                   upstream_init(&e->upstream, &e->setup, &e->pair, &e->window, now);
    return e->is_set_up;
}

static bool take_frame(struct engine *e, const struct frame *frame, uint64_t now)
{
    if (!e->is_set_up)
        return frame->kind == FRAME_SETUP && take_setup(e, frame->payload, now);
    if (frame->kind == FRAME_ASK)
        return direct_ask(&e->upstream, frame->payload, now);
    if (frame->kind == FRAME_ANSWER)
        return direct_answer(&e->upstream, frame->payload);
    if (frame->kind == FRAME_RENEW)
        return feed_renew(&e->upstream, frame->payload);
    return frame->kind == FRAME_PUBLISH && window_add(&e->window, frame->payload);
}

/* False: the hub has sent a malformed frame. */
static bool frames_take(struct engine *e, uint64_t now)
{
    struct span rest = buffer_bytes(&e->pair.in);
    struct frame frame;
    enum frame_result result = FRAME_NONE;

    while (!window_is_full(&e->window) && (result = frame_next(&frame, &rest)) == FRAME_READY)
        if (!take_frame(e, &frame, now))
            return false;
    buffer_drop(&e->pair.in, e->pair.in.end - e->pair.in.start - rest.len);
    if (window_is_full(&e->window))
        return true;
    return result != FRAME_BAD && buffer_space(&e->pair.in) > 0;
}

/* ---- The process ----------------------------------------------------------------------------- */

static bool wants_frames(const struct engine *e)
{
    return !window_is_full(&e->window);
}

/* A whole frame is in the buffer, and the window has space for it. */
static bool has_frame(const struct engine *e)
{
    struct span rest = buffer_bytes(&e->pair.in);
    struct frame frame;

    return wants_frames(e) && frame_next(&frame, &rest) == FRAME_READY;
}

static int timeout_ms(const struct engine *e, uint64_t now)
{
    uint64_t due = e->is_set_up ? nats_client_due(&e->upstream) : UINT64_MAX;

    if (due <= now || has_frame(e))
        return 0;
    return due - now > POLL_US ? (int)(POLL_US / 1000) : (int)((due - now + 999) / 1000);
}

static void engine_wait(struct engine *e, struct pollfd pfds[2])
{
    pfds[0] = (struct pollfd){.fd = HUB_FD};
    if (wants_frames(e))
        pfds[0].events |= POLLIN;
    if (e->pair.out.end > e->pair.out.start)
        pfds[0].events |= POLLOUT;
    pfds[1] = (struct pollfd){.fd = -1};
    if (e->is_set_up)
        nats_client_wait(&e->upstream, &pfds[1]);
    if (poll(pfds, 2, timeout_ms(e, clock_us())) == -1)
        pfds[0].revents = pfds[1].revents = 0;
}

/* Exits if the hub has closed its end or has sent a malformed frame. */
static void pair_turn(struct engine *e, short revents, uint64_t now)
{
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && wants_frames(e) &&
        !buffer_receive(&e->pair.in, HUB_FD))
        _exit(0);
    if ((revents & (POLLHUP | POLLERR)) != 0 && !wants_frames(e))
        _exit(0);
    if (!frames_take(e, now))
        _exit(1);
}

_Noreturn static void serve(struct engine *e)
{
    struct pollfd pfds[2];

    for (;;) {
        uint64_t now;

        engine_wait(e, pfds);
        now = clock_us();
        pair_turn(e, pfds[0].revents, now);
        if (e->is_set_up) {
            nats_client_read(&e->upstream, pfds[1].revents, now);
            nats_client_turn(&e->upstream, now);
        }
        if (!buffer_send(&e->pair.out, HUB_FD))
            _exit(0);
    }
}

_Noreturn void engine_main(const struct proctitle *title, const char *mode)
{
    static struct engine e;
    enum sandbox_tier tier;

    process_begin(title, CHATD_PROGRAM ": cluster");
    process_hide();                                         /* it has the credentials */
    (void)setenv("RES_OPTIONS", "timeout:1 attempts:1", 1); /* where the C library has it */
    if (!sandbox_from_letter(mode[0], &tier) || !sandbox_enter(SANDBOX_ENGINE, tier))
        _exit(1);
    pair_init(&e.pair, HUB_FD);
    serve(&e);
}
