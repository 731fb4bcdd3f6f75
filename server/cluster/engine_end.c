/* engine_end.c: see engine_end.h. */
#include "engine_end.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "mailbox.h"
#include "outbox.h"
#include "server/hub/codec.h"
#include "server/hub/timers.h"
#include "server/report.h"

#define INBOX_SIZE (FRAME_HEAD + FRAME_PAYLOAD_MAX)
/* Read in one turn, at most. */
#define READ_MAX 262144u
/* How often to log that the stream is unavailable. */
#define TELL_US 60000000u

/* ---- The engine ------------------------------------------------------------------------------ */

void engine_end_init(struct engine_end *e)
{
    *e = (struct engine_end){.fd = -1, .watch = {.kind = WATCH_ENGINE}};
}

void engine_end_close(struct engine_end *e, struct poller *poller)
{
    if (e->fd == -1)
        return;
    poller_remove(poller, e->fd);
    close(e->fd);
    e->fd = -1;
    e->watch.events = 0;
}

bool engine_end_set(
    struct engine_end *e, int fd, const struct frame_setup *setup, struct poller *poller)
{
    if (poller_set(poller, fd, POLLIN, &e->watch) == -1)
        return false;
    e->fd = fd;
    e->watch.events = POLLIN;
    e->setup_len = frame_setup_write(e->setup, setup);
    return true;
}

void engine_end_reset(struct engine_end *e)
{
    e->state = ENGINE_CONNECTING;
    e->text[0] = '\0';
    e->setup_sent = 0;
}

/* What was begun is ended first. Then batches and private messages take turns: neither makes the
 * other wait for long, and a heartbeat is a batch. */
bool engine_end_send(struct engine_end *e, struct outbox *outbox, struct mailbox *mailbox)
{
    if (!frames_send(e->fd, e->setup, e->setup_len, &e->setup_sent))
        return false;
    do {
        if (outbox != NULL && !mailbox_is_cut(mailbox) && !outbox_send(outbox, e->fd))
            return false;
        if (!mailbox_send(mailbox, e->fd))
            return false;
    } while ((outbox != NULL && outbox_is_waiting(outbox)) || mailbox_is_waiting(mailbox));
    return true;
}

void engine_end_listen(
    struct engine_end *e, const struct inbox *in, struct poller *poller, bool all_sent)
{
    short events = all_sent ? 0 : POLLOUT;

    if (!inbox_is_full(in))
        events |= POLLIN;
    if (events != e->watch.events && poller_set(poller, e->fd, events, &e->watch) == 0)
        e->watch.events = events;
}

/* ---- Its state ------------------------------------------------------------------------------- */

static const char *state_word(enum engine_state state)
{
    switch (state) {
    case ENGINE_CONNECTING:
        return "connecting";
    case ENGINE_READY:
        return "ready";
    case ENGINE_AWAY:
        return "cannot be reached";
    case ENGINE_REFUSED:
        return "refuses this node";
    case ENGINE_UNUSABLE:
        return "cannot be used";
    case ENGINE_GONE:
        break;
    }
    return "has lost the room's stream";
}

static void state_tell(struct engine_end *e, const struct report *r, uint64_t now, bool changed)
{
    bool well = e->state == ENGINE_READY;

    if (!changed && (well || now - e->told_at < TELL_US))
        return;
    e->told_at = now;
    report(r, well || e->state == ENGINE_CONNECTING ? LOG_NOTICE : LOG_WARNING,
        "the cluster %s%s%s", state_word(e->state), e->text[0] != '\0' ? ": " : "", e->text);
}

uint64_t engine_end_tell_due(const struct engine_end *e)
{
    bool silent = e->state == ENGINE_READY || e->text[0] == '\0';

    return silent ? TIME_NEVER : e->told_at + TELL_US;
}

void engine_end_tell(struct engine_end *e, const struct report *r, uint64_t now)
{
    state_tell(e, r, now, false);
}

void engine_end_take_state(
    struct engine_end *e, const struct frame_state *state, const struct report *r, uint64_t now)
{
    bool changed = state->state != e->state;

    e->state = state->state;
    if (state->text.len > 0)
        memcpy(e->text, state->text.at, state->text.len);
    e->text[state->text.len] = '\0';
    state_tell(e, r, now, changed);
}

/* ---- What it has sent ------------------------------------------------------------------------ */

bool inbox_init(struct inbox *in)
{
    *in = (struct inbox){.bytes = malloc(INBOX_SIZE)};
    return in->bytes != NULL;
}

void inbox_free(struct inbox *in)
{
    free(in->bytes);
}

bool inbox_is_full(const struct inbox *in)
{
    return in->len == INBOX_SIZE;
}

void inbox_drop(struct inbox *in)
{
    in->len = in->at;
}

void inbox_compact(struct inbox *in)
{
    if (in->at == 0)
        return;
    memmove(in->bytes, in->bytes + in->at, in->len - in->at);
    in->len -= in->at;
    in->at = 0;
}

bool inbox_read(struct inbox *in, struct engine_end *e)
{
    size_t space = INBOX_SIZE - in->len;
    ssize_t n;

    space = space < READ_MAX ? space : READ_MAX;
    if (space == 0)
        return true;
    e->revents = 0;
    n = recv(e->fd, in->bytes + in->len, space, 0);
    if (n > 0)
        in->len += (size_t)n;
    return n > 0 || (n == -1 && error_passes(errno));
}

/* ---- Handing over ---------------------------------------------------------------------------- */

void engine_end_hand(struct engine_end *e, struct codec *c)
{
    codec_fd(c, &e->fd);
    codec_size(c, &e->setup_len);
    codec_size(c, &e->setup_sent);
    c->bad |= e->setup_len > sizeof(e->setup) || e->setup_sent > e->setup_len;
    codec_bytes(c, e->setup, sizeof(e->setup));
    e->state = (enum engine_state)codec_choice(c, e->state, ENGINE_GONE + 1);
    codec_u64(c, &e->told_at);
    codec_text(c, e->text, sizeof(e->text));
    if (c->loading)
        e->revents = POLLIN;
}

void inbox_hand(struct inbox *in, struct codec *c)
{
    codec_size(c, &in->len);
    codec_size(c, &in->at);
    c->bad |= in->len > INBOX_SIZE || in->at > in->len;
    if (c->bad)
        return;
    codec_bytes(c, in->bytes, in->len);
    codec_u64(c, &in->sequence);
    codec_u64(c, &in->time);
    codec_bool(c, &in->mine);
}

bool engine_end_restored(struct engine_end *e, struct poller *poller)
{
    if (e->fd == -1)
        return true;
    e->watch.events = POLLIN;
    return poller_set(poller, e->fd, POLLIN, &e->watch) == 0;
}
