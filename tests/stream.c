/* stream.c: stores batches, and tells each hub the messages. */
#include "stream.h"

#include "harness.h"
#include "server/cluster/batch.h"
#include "server/cluster/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* Where the stream has that engine; NULL: where it has none. */
static struct engine **engine_place(struct stream *s, const struct engine *e)
{
    for (size_t i = 0; i < ENGINES_MAX; i++)
        if (s->engines[i] == e)
            return &s->engines[i];
    ck_abort_msg("too many engines");
}

int engine_open(struct engine *e, struct stream *stream)
{
    int pair[2];

    ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        ensure(fcntl(pair[i], F_SETFL, O_NONBLOCK) == 0, "fcntl");
    *e = (struct engine){.stream = stream, .fd = pair[1]};
    *engine_place(stream, NULL) = e;
    return pair[0];
}

void engine_close(struct engine *e)
{
    if (e->fd != -1) {
        close(e->fd);
        *engine_place(e->stream, e) = NULL;
    }
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
    const struct stream *s = e->stream;
    const struct stored *stored = &s->all[which];
    bool odd = s->odd_node != NULL && strcmp(e->node, s->odd_node) == 0 && s->odd == which + 1;
    const struct frame_message message = {.sequence = which + 1,
        .time = stored->time,
        .bytes = {odd ? "x" : stored->bytes, odd ? 1 : stored->len}};

    frame_message_write(out_space(e, FRAME_HEAD + FRAME_MESSAGE_HEAD), &message);
    out_put(e, message.bytes.at, message.bytes.len);
}

static void state_tell(struct engine *e, enum engine_state state)
{
    const struct frame_state told = {.state = state, .batch_max = BATCH_MAX};
    char frame[FRAME_STATE_MAX];

    out_put(e, frame, frame_state_write(frame, &told));
}

static void end_tell(struct engine *e)
{
    char end[FRAME_END_SIZE];

    frame_end_write(end, &(struct frame_end){e->stream->count, e->stream->max_bytes});
    out_put(e, end, sizeof end);
}

static void gone_tell(struct engine *e)
{
    e->gone = true;
    state_tell(e, ENGINE_GONE);
}

void stream_set_state(struct stream *s, enum engine_state state)
{
    for (size_t i = 0; i < ENGINES_MAX; i++)
        if (s->engines[i] != NULL) {
            s->engines[i]->ended = 0;
            state_tell(s->engines[i], state);
        }
}

void stream_lose(struct stream *s, size_t kept)
{
    while (s->count > kept)
        free(s->all[--s->count].bytes);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *e = s->engines[i];

        if (e == NULL || e->told <= kept)
            continue;
        if (e->watches)
            e->told = kept;
        else if (e->greeted)
            gone_tell(e);
    }
}

/* What it tells as long as the stream is gone. */
static void watch(struct engine *e)
{
    if (!e->watches || e->stream->slow || e->ended == e->stream->count + 1)
        return;
    while (e->told < e->stream->count)
        message_tell(e, e->told++);
    end_tell(e);
    e->ended = e->stream->count + 1;
}

/* The place of the first message that the hub is told. */
static size_t first_wanted(const struct stream *s, const struct frame_setup *setup)
{
    uint64_t first = setup->back != 0 && setup->back < s->count ? s->count - setup->back : 0;

    if (setup->next != 0 && !setup->watches)
        first = setup->next - 1;
    return first < s->gone ? s->gone : (size_t)first;
}

/* The message before the one that the hub wants is there, if it has had one. */
static bool is_as_read(const struct stream *s, const struct frame_setup *setup)
{
    return setup->next <= 1 ||
           (setup->next <= s->count + 1 &&
               (setup->time == 0 || s->all[setup->next - 2].time == setup->time));
}

static void greet(struct engine *e, struct span payload)
{
    struct frame_setup setup;

    ensure(frame_setup_read(&setup, payload) && !e->greeted, "a wrong SETUP");
    e->greeted = true;
    snprintf(e->node, sizeof e->node, "%.*s", (int)setup.node.len, setup.node.at);
    e->watches = setup.watches;
    e->told = first_wanted(e->stream, &setup);
    if (setup.watches || !is_as_read(e->stream, &setup)) {
        gone_tell(e);
        return;
    }
    state_tell(e, ENGINE_READY);
    while (e->told < e->stream->count)
        message_tell(e, e->told++);
    end_tell(e);
}

/* ---- Questions ------------------------------------------------------------------------------- */

void engine_question(struct engine *e, const char *reply, struct span bytes)
{
    const struct frame_letter question = {.reply = {reply, strlen(reply)}, .bytes = bytes};
    char out[FRAME_LETTER_MAX];

    e->stream->letters++;
    out_put(e, out, frame_letter_write(out, FRAME_ASKED, &question));
}

static void answer_tell(struct engine *e, uint64_t number, struct span bytes)
{
    const struct frame_answered answered = {.number = number, .bytes = bytes};
    char out[FRAME_ANSWERED_MAX];

    e->stream->letters++;
    out_put(e, out, frame_answered_write(out, &answered));
}

/* The first engine of that node that is open; NULL: there is none. */
static struct engine *engine_of(const struct stream *s, struct span node)
{
    for (size_t i = 0; i < ENGINES_MAX; i++)
        if (s->engines[i] != NULL && span_equal(node, s->engines[i]->node))
            return s->engines[i];
    return NULL;
}

static void ask(struct engine *e, struct span payload)
{
    struct engine *to;
    struct frame_ask ask;
    char reply[80];

    ensure(frame_ask_read(&ask, payload), "a wrong question");
    to = engine_of(e->stream, ask.node);
    snprintf(reply, sizeof reply, "_INBOX.%s.%llu", e->node, (unsigned long long)ask.number);
    if (to == NULL)
        answer_tell(e, ask.number, (struct span){"", 0});
    else if (e->stream->questions != QUESTIONS_VANISH)
        engine_question(to, reply, ask.bytes);
}

static void answer(struct stream *s, struct span payload)
{
    struct frame_letter letter;
    char reply[80];
    char node[33];
    unsigned long long number;
    struct engine *to;

    ensure(frame_letter_read(&letter, FRAME_ANSWER, payload), "a wrong answer");
    snprintf(reply, sizeof reply, "%.*s", (int)letter.reply.len, letter.reply.at);
    if (sscanf(reply, "_INBOX.%32[^.].%llu", node, &number) != 2 ||
        (to = engine_of(s, (struct span){node, strlen(node)})) == NULL)
        return;
    if (s->questions != QUESTIONS_VANISH)
        answer_tell(to, number, letter.bytes);
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static bool frame_waits(const struct engine *e, const struct frame *frame)
{
    return (frame->kind == FRAME_PUBLISH && (e->stream->away || e->gone)) ||
           (frame->kind == FRAME_ASK && e->stream->questions == QUESTIONS_WAIT);
}

static void renew(struct stream *s, struct span payload)
{
    struct frame_renew renew;

    ensure(frame_renew_read(&renew, payload), "a wrong beginning");
    if (renew.last == s->count && !s->away)
        stream_put(s, renew.bytes.at, renew.bytes.len);
}

static void frame_take(struct engine *e, const struct frame *frame)
{
    ensure(e->greeted != (frame->kind == FRAME_SETUP), "kind %d", frame->kind);
    if (frame->kind == FRAME_SETUP)
        greet(e, frame->payload);
    else if (frame->kind == FRAME_PUBLISH)
        stream_put(e->stream, frame->payload.at, frame->payload.len);
    else if (frame->kind == FRAME_ASK)
        ask(e, frame->payload);
    else if (frame->kind == FRAME_RENEW && e->watches)
        renew(e->stream, frame->payload);
    else if (frame->kind == FRAME_ANSWER)
        answer(e->stream, frame->payload);
    else
        ck_abort_msg("kind %d", frame->kind);
}

/* Those that wait stay, in their order. */
static bool frames_take(struct engine *e)
{
    struct span rest = {e->in, e->in_len};
    struct frame frame;
    size_t stays = 0;
    bool moved = false;

    while (frame_next(&frame, &rest) == FRAME_READY) {
        size_t len = FRAME_HEAD + frame.payload.len;

        if (frame_waits(e, &frame)) {
            memmove(e->in + stays, rest.at - len, len);
            stays += len;
        } else {
            frame_take(e, &frame);
            moved = true;
        }
    }
    memmove(e->in + stays, rest.at, rest.len);
    e->in_len = stays + rest.len;
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

    if (e->fd == -1 || e->cut)
        return false;
    moved |= pair_read(e);
    moved |= frames_take(e);
    watch(e);
    while (e->greeted && !e->gone && e->told < e->stream->count && e->out_len < OUT_MAX)
        message_tell(e, e->told++);
    return pair_write(e) || moved;
}
