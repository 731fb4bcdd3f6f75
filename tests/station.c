/* station.c: see station.h. */
#include "station.h"

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

void station_init(struct station *station)
{
    *station = (struct station){.fd = -1, .batch_size = 200};
    station->in = must_allocate(IN_SIZE);
    station->out = must_allocate(FRAME_HEAD + BATCH_MAX);
}

void station_start_engine(struct station *station, const char *servers, const char *credentials)
{
    struct frame_setup setup = {.room = S(ROOM),
        .node = S("n-1"),
        .credentials = {credentials, strlen(credentials)},
        .servers = {servers, strlen(servers)},
        .next = station->sequence > 0 ? station->sequence + 1 : 0};
    char frame[FRAME_SETUP_MAX];
    int sv[2];

    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    station->pid = fork();
    ck_assert_int_ne(station->pid, -1);
    if (station->pid == 0)
        engine_execute(sv[1]);
    close(sv[1]);
    station->fd = sv[0];
    station->state = ENGINE_CONNECTING;
    station->ends = 0;
    station->in_len = station->out_at = station->out_len = 0;
    station->sent = station->returned; /* what did not come back is handed over again */
    ck_assert(write_all(station->fd, frame, frame_setup_write(frame, &setup)));
}

int station_end_engine(struct station *station, int sig)
{
    int status;

    if (sig != 0)
        kill(station->pid, sig);
    close(station->fd);
    station->fd = -1;
    ensure(waitpid(station->pid, &status, 0) == station->pid, "the engine is not ours");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void station_free(struct station *station)
{
    if (station->fd != -1)
        ck_assert_int_eq(station_end_engine(station, 0), 0);
    free(station->in);
    free(station->out);
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

static void take_message(struct station *station, const struct frame_message *message)
{
    struct batch_id id;
    size_t head = batch_id_read(&id, message->bytes);

    ensure(message->sequence > station->sequence, "%llu after %llu",
        (unsigned long long)message->sequence, (unsigned long long)station->sequence);
    station->holes += message->sequence != station->sequence + 1;
    ensure(message->time >= station->time, "the time steps back");
    station->sequence = message->sequence;
    station->time = message->time;
    if (head == 0)
        return; /* not one of ours */
    ensure(content_is(message->bytes.at + head, message->bytes.len - head, id.number),
        "batch %llu has other bytes", (unsigned long long)id.number);
    if (id.number == station->returned + 1)
        station->returned++;
    else
        station->doubles++;
}

static void take_state(struct station *station, const struct frame_state *state)
{
    station->state = state->state;
    station->batch_max = state->batch_max;
    snprintf(station->text, sizeof station->text, "%.*s", (int)state->text.len, state->text.at);
    if (getenv("CLUSTER_STATES") != NULL)
        fprintf(stderr, "%lld state %d: %s\n", (long long)clock_ms(), state->state, station->text);
}

/* A question or an answer. */
static void take_letter(struct station *station, const struct frame *frame)
{
    size_t len = strlen(station->told);
    char *at = station->told + len;
    struct frame_answered answered;
    struct frame_letter asked;

    if (frame->kind == FRAME_ASKED) {
        ensure(frame_letter_read(&asked, FRAME_ASKED, frame->payload), "a wrong question");
        snprintf(at, sizeof station->told - len, "%.*s: %.*s\n", (int)asked.reply.len,
            asked.reply.at, (int)asked.bytes.len, asked.bytes.at);
    } else {
        ensure(frame_answered_read(&answered, frame->payload), "a wrong answer");
        snprintf(at, sizeof station->told - len, "%llu: %.*s\n",
            (unsigned long long)answered.number, (int)answered.bytes.len, answered.bytes.at);
    }
}

static void take_frame(struct station *station, const struct frame *frame)
{
    struct frame_message message;
    struct frame_state state;

    if (frame->kind == FRAME_MESSAGE && frame_message_read(&message, frame->payload)) {
        take_message(station, &message);
    } else if (frame->kind == FRAME_STATE && frame_state_read(&state, frame->payload)) {
        take_state(station, &state);
    } else if (frame->kind == FRAME_ASKED || frame->kind == FRAME_ANSWERED) {
        take_letter(station, frame);
    } else {
        ensure(frame->kind == FRAME_END && frame_end_read(&station->end, frame->payload),
            "frame %u", frame->kind);
        ensure(station->end <= station->sequence || station->holes > 0 || station->sequence == 0,
            "the end is told before what is there");
        station->ends++;
    }
}

/* False at the end of the engine. */
static bool station_read(struct station *station)
{
    struct span rest = {station->in, 0};
    struct frame frame;
    ssize_t n = recv(station->fd, station->in + station->in_len, IN_SIZE - station->in_len, 0);

    if (n <= 0)
        return n == -1 && errno == EAGAIN;
    station->in_len += (size_t)n;
    rest.len = station->in_len;
    while (frame_next(&frame, &rest) == FRAME_READY)
        take_frame(station, &frame);
    memmove(station->in, rest.at, rest.len);
    station->in_len = rest.len;
    return true;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void frame_make(struct station *station)
{
    struct batch_id id = {
        .node = S("n-1"), .incarnation = 1, .nonce = 7, .number = ++station->sent};
    size_t head = batch_id_write(station->out + FRAME_HEAD, &id);

    content_fill(station->out + FRAME_HEAD + head, station->batch_size - head, id.number);
    frame_head_write(station->out, FRAME_PUBLISH, station->batch_size);
    station->out_at = 0;
    station->out_len = FRAME_HEAD + station->batch_size;
}

static void station_write(struct station *station)
{
    for (;;) {
        ssize_t n;

        if (station->out_at == station->out_len && station->sent < station->wanted &&
            station->sent - station->returned < PENDING_MAX)
            frame_make(station);
        if (station->out_at == station->out_len)
            return;
        n = socket_send(
            station->fd, station->out + station->out_at, station->out_len - station->out_at);
        if (n <= 0)
            return;
        station->out_at += (size_t)n;
    }
}

void station_ask(
    struct station *station, uint64_t number, uint64_t until, const char *node, struct span bytes)
{
    const struct frame_ask ask = {
        .number = number, .until = until, .node = {node, strlen(node)}, .bytes = bytes};
    char frame[FRAME_ASK_MAX];

    ck_assert(write_all(station->fd, frame, frame_ask_write(frame, &ask)));
}

void station_answer(struct station *station, const char *reply, struct span bytes)
{
    const struct frame_letter answer = {.reply = {reply, strlen(reply)}, .bytes = bytes};
    char frame[FRAME_LETTER_MAX];

    ck_assert(write_all(station->fd, frame, frame_letter_write(frame, FRAME_ANSWER, &answer)));
}

void station_await_told(struct station *station, const char *line)
{
    int64_t deadline = deadline_in(WAIT_MS);
    char whole[256];

    snprintf(whole, sizeof whole, "%s\n", line);
    while (strstr(station->told, whole) == NULL)
        ensure(station_turn(station) && clock_ms() < deadline, "`%s` in `%s`", line, station->told);
}

bool station_turn(struct station *station)
{
    struct pollfd pfd = {.fd = station->fd, .events = POLLIN};

    station_write(station);
    (void)poll(&pfd, 1, 20);
    return station_read(station);
}

void station_await_state(struct station *station, enum engine_state state)
{
    int64_t deadline = deadline_in(WAIT_MS);

    while (station->state != state)
        ensure(station_turn(station) && clock_ms() < deadline, "state %d instead of %d: %s",
            station->state, state, station->text);
}

void station_await(struct station *station, uint64_t returned)
{
    int64_t deadline = deadline_in(WAIT_MS);
    uint64_t last = station->returned;

    while (station->returned < returned) {
        ensure(station_turn(station) && clock_ms() < deadline,
            "%llu of %llu came back; state %d: %s", (unsigned long long)station->returned,
            (unsigned long long)returned, station->state, station->text);
        if (station->returned > last)
            deadline = deadline_in(WAIT_MS);
        last = station->returned;
    }
}

void station_publish(struct station *station, uint64_t count)
{
    station->wanted += count;
    station_await(station, station->wanted);
}
