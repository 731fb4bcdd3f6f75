/* mock_hub.c: the engine as a process, the frames to and from it, and the checks of these. */
#include "mock_hub.h"

#include "bytes.h"
#include "compat/compat.h"
#include "server/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_SIZE (4 * (FRAME_HEAD + FRAME_PAYLOAD_MAX))
/* Batches that did not come back: more than the engine takes, so that its pair fills up. */
#define PENDING_MAX 24
/* An election takes seconds. */
#define WAIT_MS 30000

/* ---- The hub --------------------------------------------------------------------------------- */

static const char *program(void)
{
    const char *path = getenv("CHATD");

    return path != NULL ? path : "./chatd";
}

/* What the server's options say is what its engine would be told. */
static const char *sandbox(void)
{
    const char *options = getenv("CHATD_OPTIONS");

    if (options != NULL && strstr(options, "-S off") != NULL)
        return "o";
    return sandbox_probe() == SANDBOX_FILTER ? "f" : "l";
}

_Noreturn void engine_execute(int fd)
{
    static char space[161];

    memset(space, '-', sizeof space - 1);
    dup2(fd, 1);
    dup2(fd, 0);
    descriptors_close_from(3);
    execl(program(), CHATD_PROGRAM ": engine", sandbox(), space, (char *)NULL);
    _exit(127);
}

void mock_hub_init(struct mock_hub *mock_hub)
{
    *mock_hub = (struct mock_hub){.fd = -1, .batch_size = 200};
    mock_hub->in = must_allocate(IN_SIZE);
    mock_hub->out = must_allocate(FRAME_HEAD + BATCH_MAX);
}

void mock_hub_start_engine(struct mock_hub *mock_hub, const char *servers, const char *credentials)
{
    struct frame_setup setup = {.room = S(ROOM),
        .node = S("n-1"),
        .credentials = {credentials, strlen(credentials)},
        .servers = {servers, strlen(servers)},
        .next = mock_hub->sequence > 0 ? mock_hub->sequence + 1 : 0,
        .time = mock_hub->time,
        .back = mock_hub->back};
    char frame[FRAME_SETUP_MAX];
    int sv[2];

    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    mock_hub->pid = fork();
    ck_assert_int_ne(mock_hub->pid, -1);
    if (mock_hub->pid == 0)
        engine_execute(sv[1]);
    close(sv[1]);
    mock_hub->fd = sv[0];
    mock_hub->state = ENGINE_CONNECTING;
    mock_hub->ends = 0;
    mock_hub->heard_at = clock_ms();
    mock_hub->in_len = mock_hub->out_at = mock_hub->out_len = 0;
    mock_hub->sent = mock_hub->returned; /* what did not come back is handed over again */
    ck_assert(write_all(mock_hub->fd, frame, frame_setup_write(frame, &setup)));
}

int mock_hub_end_engine(struct mock_hub *mock_hub, int sig)
{
    int status;

    if (sig != 0)
        kill(mock_hub->pid, sig);
    close(mock_hub->fd);
    mock_hub->fd = -1;
    ensure(waitpid(mock_hub->pid, &status, 0) == mock_hub->pid, "the engine is not ours");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void mock_hub_free(struct mock_hub *mock_hub)
{
    if (mock_hub->fd != -1)
        ck_assert_int_eq(mock_hub_end_engine(mock_hub, 0), 0);
    free(mock_hub->in);
    free(mock_hub->out);
}

/* ---- What the engine says -------------------------------------------------------------------- */

/* The bytes of a batch behind its head, from its number. */
static void content_fill(char *out, size_t len, uint64_t number)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)('a' + (number + i) % 26);
}

static bool content_is(const char *at, size_t len, uint64_t number)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != (char)('a' + (number + i) % 26))
            return false;
    return true;
}

static void take_message(struct mock_hub *mock_hub, const struct frame_message *message)
{
    struct batch_id id;
    size_t head = batch_id_read(&id, message->bytes);
    int64_t now = clock_ms();

    if (now - mock_hub->heard_at > mock_hub->silence)
        mock_hub->silence = now - mock_hub->heard_at;
    mock_hub->heard_at = now;
    ensure(message->sequence > mock_hub->sequence, "%llu after %llu",
        (unsigned long long)message->sequence, (unsigned long long)mock_hub->sequence);
    mock_hub->holes += message->sequence != mock_hub->sequence + 1;
    ensure(message->time >= mock_hub->time, "the time steps back");
    mock_hub->sequence = message->sequence;
    mock_hub->time = message->time;
    if (head == 0)
        return; /* not one of ours */
    ensure(content_is(message->bytes.at + head, message->bytes.len - head, id.number),
        "batch %llu has other bytes", (unsigned long long)id.number);
    if (id.number == mock_hub->returned + 1)
        mock_hub->returned++;
    else
        mock_hub->doubles++;
}

static void take_state(struct mock_hub *mock_hub, const struct frame_state *state)
{
    mock_hub->state = state->state;
    mock_hub->batch_max = state->batch_max;
    snprintf(mock_hub->text, sizeof mock_hub->text, "%.*s", (int)state->text.len, state->text.at);
    if (getenv("CLUSTER_STATES") != NULL)
        fprintf(stderr, "%lld state %d: %s\n", (long long)clock_ms(), state->state, mock_hub->text);
}

/* A question or an answer. */
static void take_letter(struct mock_hub *mock_hub, const struct frame *frame)
{
    size_t len = strlen(mock_hub->told);
    char *at = mock_hub->told + len;
    struct frame_answered answered;
    struct frame_letter asked;

    if (frame->kind == FRAME_ASKED) {
        ensure(frame_letter_read(&asked, FRAME_ASKED, frame->payload), "a wrong question");
        snprintf(at, sizeof mock_hub->told - len, "%.*s: %.*s\n", (int)asked.reply.len,
            asked.reply.at, (int)asked.bytes.len, asked.bytes.at);
    } else {
        ensure(frame_answered_read(&answered, frame->payload), "a wrong answer");
        snprintf(at, sizeof mock_hub->told - len, "%llu: %.*s\n",
            (unsigned long long)answered.number, (int)answered.bytes.len, answered.bytes.at);
    }
}

static void take_frame(struct mock_hub *mock_hub, const struct frame *frame)
{
    struct frame_message message;
    struct frame_state state;

    if (frame->kind == FRAME_MESSAGE && frame_message_read(&message, frame->payload)) {
        take_message(mock_hub, &message);
    } else if (frame->kind == FRAME_STATE && frame_state_read(&state, frame->payload)) {
        take_state(mock_hub, &state);
    } else if (frame->kind == FRAME_ASKED || frame->kind == FRAME_ANSWERED) {
        take_letter(mock_hub, frame);
    } else {
        ensure(frame->kind == FRAME_END && frame_end_read(&mock_hub->end, frame->payload),
            "frame %u", frame->kind);
        ensure(mock_hub->end.sequence <= mock_hub->sequence || mock_hub->holes > 0 ||
                   mock_hub->sequence == 0,
            "the end is told before what is there");
        mock_hub->ends++;
    }
}

/* False at the end of the engine. */
static bool mock_hub_read(struct mock_hub *mock_hub)
{
    struct span rest = {mock_hub->in, 0};
    struct frame frame;
    ssize_t n = recv(mock_hub->fd, mock_hub->in + mock_hub->in_len, IN_SIZE - mock_hub->in_len, 0);

    if (n <= 0)
        return n == -1 && errno == EAGAIN;
    mock_hub->in_len += (size_t)n;
    rest.len = mock_hub->in_len;
    while (frame_next(&frame, &rest) == FRAME_READY)
        take_frame(mock_hub, &frame);
    memmove(mock_hub->in, rest.at, rest.len);
    mock_hub->in_len = rest.len;
    return true;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void frame_make(struct mock_hub *mock_hub)
{
    struct batch_id id = {
        .node = S("n-1"), .incarnation = 1, .nonce = 7, .number = ++mock_hub->sent};
    size_t head = batch_id_write(mock_hub->out + FRAME_HEAD, &id);

    content_fill(mock_hub->out + FRAME_HEAD + head, mock_hub->batch_size - head, id.number);
    frame_head_write(mock_hub->out, FRAME_PUBLISH, mock_hub->batch_size);
    mock_hub->out_at = 0;
    mock_hub->out_len = FRAME_HEAD + mock_hub->batch_size;
}

static void mock_hub_write(struct mock_hub *mock_hub)
{
    for (;;) {
        ssize_t n;

        if (mock_hub->out_at == mock_hub->out_len && mock_hub->sent < mock_hub->wanted &&
            mock_hub->sent - mock_hub->returned < PENDING_MAX)
            frame_make(mock_hub);
        if (mock_hub->out_at == mock_hub->out_len)
            return;
        n = socket_send(
            mock_hub->fd, mock_hub->out + mock_hub->out_at, mock_hub->out_len - mock_hub->out_at);
        if (n <= 0)
            return;
        mock_hub->out_at += (size_t)n;
    }
}

void mock_hub_ask(
    struct mock_hub *mock_hub, uint64_t number, uint64_t until, const char *node, struct span bytes)
{
    const struct frame_ask ask = {
        .number = number, .until = until, .node = {node, strlen(node)}, .bytes = bytes};
    char frame[FRAME_ASK_MAX];

    ck_assert(write_all(mock_hub->fd, frame, frame_ask_write(frame, &ask)));
}

void mock_hub_answer(struct mock_hub *mock_hub, const char *reply, struct span bytes)
{
    const struct frame_letter answer = {.reply = {reply, strlen(reply)}, .bytes = bytes};
    char frame[FRAME_LETTER_MAX];

    ck_assert(write_all(mock_hub->fd, frame, frame_letter_write(frame, FRAME_ANSWER, &answer)));
}

void mock_hub_await_told(struct mock_hub *mock_hub, const char *line)
{
    int64_t deadline = deadline_in(WAIT_MS);
    char whole[256];

    snprintf(whole, sizeof whole, "%s\n", line);
    while (strstr(mock_hub->told, whole) == NULL)
        ensure(
            mock_hub_turn(mock_hub) && clock_ms() < deadline, "`%s` in `%s`", line, mock_hub->told);
}

bool mock_hub_turn(struct mock_hub *mock_hub)
{
    struct pollfd pfd = {.fd = mock_hub->fd, .events = POLLIN};

    mock_hub_write(mock_hub);
    (void)poll(&pfd, 1, 20);
    return mock_hub_read(mock_hub);
}

void mock_hub_await_state(struct mock_hub *mock_hub, enum engine_state state)
{
    int64_t deadline = deadline_in(WAIT_MS);

    while (mock_hub->state != state)
        ensure(mock_hub_turn(mock_hub) && clock_ms() < deadline, "state %d instead of %d: %s",
            mock_hub->state, state, mock_hub->text);
}

void mock_hub_await(struct mock_hub *mock_hub, uint64_t returned)
{
    int64_t deadline = deadline_in(WAIT_MS);
    uint64_t last = mock_hub->returned;

    while (mock_hub->returned < returned) {
        ensure(mock_hub_turn(mock_hub) && clock_ms() < deadline,
            "%llu of %llu came back; state %d: %s", (unsigned long long)mock_hub->returned,
            (unsigned long long)returned, mock_hub->state, mock_hub->text);
        if (mock_hub->returned > last)
            deadline = deadline_in(WAIT_MS);
        last = mock_hub->returned;
    }
}

void mock_hub_publish(struct mock_hub *mock_hub, uint64_t count)
{
    mock_hub->wanted += count;
    mock_hub_await(mock_hub, mock_hub->wanted);
}
