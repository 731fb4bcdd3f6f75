/*
 * test_faults.c: calls that fail. The linker leads the calls of malloc(3), recv(2) and others
 * through this file first (see the Makefile), which lets them fail, or take one byte only, where a
 * test wants that: in the hub once at every place and at random ones, in a worker at each of the
 * first places and all the time. $FAULTS_SEEDS is how many seeds the random ones try, $FAULTS_SEED
 * a single one.
 */
#include "compat/os.h"

#include "compat/poller.h"
#include "harness.h"
#include "mocks.h"
#include "model.h"
#include "rig.h"
#include "server/hub/log.h"
#include "server/journal/writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Calls that fail ---- */

enum call {
    CALL_MEMORY, /* malloc, calloc, realloc */
    CALL_RECV,
    CALL_SEND,   /* and sendmsg */
    CALL_POLL,   /* and ppoll */
    CALL_POLLER, /* poller_set */
    CALL_MAP,    /* mmap, memory_file */
    CALL_RANDOM, /* random_bytes */
    CALL_KINDS
};

/* ONE_BYTE is no error: the call does as little as it may. */
#define ONE_BYTE 0

/* What is to happen. The wrapped functions are told nothing, so this is the program's. */
static struct {
    bool inside; /* only then */
    unsigned long seen[CALL_KINDS];
    unsigned long at[CALL_KINDS];   /* the seen-th call fails, from 1; 0: none does */
    unsigned long each[CALL_KINDS]; /* every so many-th does; 0: none */
    unsigned random[CALL_KINDS];    /* one in so many does, at random; 0: none */
    int errors[CALL_KINDS][4];      /* with one of these, in turn */
    int error_count[CALL_KINDS];
    uint32_t seed;
    unsigned long failed;
} faults;

static uint32_t fault_chance(uint32_t limit)
{
    faults.seed = faults.seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)faults.seed * limit) >> 32);
}

/* Whether this call is one to fail; then *error says how. */
static bool call_fails(enum call call, int *error)
{
    unsigned long n;

    if (!faults.inside)
        return false;
    n = ++faults.seen[call];
    if (n != faults.at[call] && (faults.each[call] == 0 || n % faults.each[call] != 0) &&
        (faults.random[call] == 0 || fault_chance(faults.random[call]) != 0))
        return false;
    *error = faults.errors[call][faults.failed++ % (unsigned long)faults.error_count[call]];
    return true;
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
ssize_t __real_recv(int, void *, size_t, int);
ssize_t __real_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
int __real_poll(struct pollfd *, nfds_t, int);
int __real_ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
int __real_poller_set(struct poller *, int, short, void *);

void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap___recv_chk(int, void *, size_t, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
/* Its name where time_t has 64 bits and a long has 32. */
ssize_t __wrap___sendmsg64(int, const struct msghdr *, int);
int __wrap_poll(struct pollfd *, nfds_t, int);
int __wrap___poll_chk(struct pollfd *, nfds_t, int, size_t);
int __wrap_ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
int __wrap___ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
int __wrap_poller_set(struct poller *, int, short, void *);

static bool memory_fails(void)
{
    int error;

    if (!call_fails(CALL_MEMORY, &error))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return memory_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return memory_fails() ? NULL : __real_realloc(old, size);
}

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
    int error;

    if (!call_fails(CALL_RECV, &error))
        return __real_recv(fd, buf, len, flags);
    if (error == ONE_BYTE)
        return __real_recv(fd, buf, len > 1 ? 1 : len, flags);
    errno = error;
    return -1;
}

ssize_t __wrap___recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
    if (len > room)
        abort();
    return __wrap_recv(fd, buf, len, flags);
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
    int error;

    if (!call_fails(CALL_SEND, &error))
        return __real_send(fd, buf, len, flags);
    if (error == ONE_BYTE)
        return __real_send(fd, buf, len > 1 ? 1 : len, flags);
    errno = error;
    return -1;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    int error;

    if (!call_fails(CALL_SEND, &error))
        return __real_sendmsg(fd, msg, flags);
    if (error == ONE_BYTE)
        return __real_send(fd, msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len > 0, flags);
    errno = error;
    return -1;
}

ssize_t __wrap___sendmsg64(int fd, const struct msghdr *msg, int flags)
{
    return __wrap_sendmsg(fd, msg, flags);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int error;

    if (!call_fails(CALL_POLL, &error))
        return __real_poll(fds, count, timeout);
    errno = error;
    return -1;
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
    if (count > room / sizeof *fds)
        abort();
    return __wrap_poll(fds, count, timeout);
}

int __wrap_ppoll(
    struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    int error;

    if (!call_fails(CALL_POLL, &error))
        return __real_ppoll(fds, count, timeout, mask);
    errno = error;
    return -1;
}

int __wrap___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
    const sigset_t *mask, size_t room)
{
    if (count > room / sizeof *fds)
        abort();
    return __wrap_ppoll(fds, count, timeout, mask);
}

int __wrap_poller_set(struct poller *poller, int fd, short events, void *tag)
{
    int error;

    if (!call_fails(CALL_POLLER, &error))
        return __real_poller_set(poller, fd, events, tag);
    errno = error;
    return -1;
}

void *__real_mmap64(void *, size_t, int, int, int, off_t);
int __real_memory_file(void);
bool __real_random_bytes(void *, size_t);
void *__wrap_mmap64(void *, size_t, int, int, int, off_t);
int __wrap_memory_file(void);
bool __wrap_random_bytes(void *, size_t);

void *__wrap_mmap64(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    int error;

    if (!call_fails(CALL_MAP, &error))
        return __real_mmap64(at, len, protection, flags, fd, offset);
    errno = error;
    return MAP_FAILED;
}

int __wrap_memory_file(void)
{
    int error;

    if (!call_fails(CALL_MAP, &error))
        return __real_memory_file();
    errno = error;
    return -1;
}

bool __wrap_random_bytes(void *buf, size_t len)
{
    int error;

    return !call_fails(CALL_RANDOM, &error) && __real_random_bytes(buf, len);
}

/* ---- The hub ---- */

static struct stage stage; /* too large for a stack */

static void inside(bool is)
{
    faults.inside = is;
}

static void none_fails(void)
{
    memset(faults.random, 0, sizeof faults.random);
    memset(faults.at, 0, sizeof faults.at);
    memset(faults.each, 0, sizeof faults.each);
}

static const struct {
    enum call call;
    int errors[4];
    int count;
    unsigned often; /* one in so many, where they fail at random */
} hub_kinds[] = {
    {CALL_MEMORY, {ENOMEM}, 1, 20},
    {CALL_RECV, {EINTR, EAGAIN, ENOMEM, ONE_BYTE}, 4, 20},
    {CALL_SEND, {EINTR, EAGAIN, ENOMEM, ONE_BYTE}, 4, 20},
    {CALL_SEND, {ENOBUFS}, 1, 20},
    {CALL_POLLER, {ENOMEM}, 1, 3},
    {CALL_RANDOM, {EIO}, 1, 2},
};

static void fail_with(size_t kind)
{
    enum call call = hub_kinds[kind].call;

    memcpy(faults.errors[call], hub_kinds[kind].errors, sizeof faults.errors[call]);
    faults.error_count[call] = hub_kinds[kind].count;
}

/* At random, and often: no line is lost, doubled or torn. */
START_TEST(hub_at_random)
{
    const char *one = getenv("FAULTS_SEED");
    uint32_t seed = one != NULL ? (uint32_t)atoi(one) : (uint32_t)_i;
    size_t kind = seed % (COUNT_OF(hub_kinds) + 1);
    struct model model = {.seed = seed, .steps = 1500, .around = inside, .calm = none_fails};

    memset(&faults, 0, sizeof faults);
    faults.seed = seed;
    for (size_t k = 0; k < COUNT_OF(hub_kinds); k++)
        if (k == kind || kind == COUNT_OF(hub_kinds)) {
            fail_with(k);
            faults.random[hub_kinds[k].call] = hub_kinds[k].often;
        }
    model_run(&model);
    printf("%lu calls failed\n", faults.failed);
    ensure(faults.failed > 2, "hardly anything has failed");
}
END_TEST

/* The transcript's writer, where there is one: all that it was handed is on the disk. */
static int writer = -1;

static void writer_answers(void)
{
    char lines[65536];
    char word[sizeof(WRITER_KEPT) + STAMP_LEN + 1];
    ssize_t n = recv(writer, lines, sizeof lines, 0);
    int len;

    if (n <= 0)
        return;
    ensure(lines[n - 1] == '\n', "half a line");
    for (n--; n > 0 && lines[n - 1] != '\n';)
        n--; /* to where the last line begins */
    len = snprintf(word, sizeof word, WRITER_KEPT "%.*s\n", STAMP_LEN, lines + n);
    ensure(send(writer, word, (size_t)len, MSG_NOSIGNAL) == len, "the hub hears no writer");
}

/* All clients take what comes, until the room is at rest and nothing is pending. */
static void hub_rests(void)
{
    for (int i = 0; i < (writer == -1 ? 3 : 12); i++) {
        stage_wait(&stage, 250000);
        if (writer != -1)
            writer_answers();
    }
}

static struct mock *client_join(const char *lines)
{
    struct mock *p = mock_add(&stage);

    for (int tries = 0; !mock_is_admitted(p) && tries < 3; tries++) /* "full, try later" */
        p = mock_add(&stage);
    ensure(mock_is_admitted(p), "the client is never admitted");
    mock_say(p, "%s", lines);
    hub_rests();
    return p;
}

/* The next line must be this one. */
static void hears(struct mock *p, const char *pattern)
{
    const char *line = mock_line(p);

    ensure(line != NULL && pattern_match(pattern, line), "%s instead of %s",
        line == NULL ? "nothing" : line, pattern);
}

static void hears_all(struct mock *p, const char *const patterns[])
{
    for (; *patterns != NULL; patterns++)
        hears(p, *patterns);
    ensure(mock_line(p) == NULL, "%s too", p->text);
}

#define HEARS(p, ...) hears_all((p), (const char *const[]){__VA_ARGS__, NULL})

/* A slow reader with a gap between two answers. */
static void scene_gap(struct mock *ann)
{
    struct mock *slow = client_join("slow");
    unsigned long echoes = 0;

    HEARS(ann, "join slow");
    HEARS(slow, "here *", "users 2", "you slow");
    slow->reads = false;
    mock_say(slow, "/foo");
    for (int i = 0; i < 300; i++) {
        mock_say(ann, "%0900d", i);
        stage_settle(&stage);
        if (mock_line(ann) == NULL) { /* without memory; it is tried again */
            hub_rests();
            ensure(mock_line(ann) != NULL, "no echo");
        }
    }
    mock_say(slow, "/foo");
    mock_say(ann, "last");
    hub_rests();
    while (mock_line(ann) != NULL)
        echoes++;
    ensure(echoes == 1, "%lu echoes more", echoes);
    slow->reads = true;
    hub_rests();
    echoes = 0;
    while (mock_line(slow) != NULL) {
        echoes += slow->event.verb == VERB_MSG ? 1 : 0;
        echoes += slow->event.verb == VERB_GAP ? slow->event.count : 0;
        echoes += slow->event.verb == VERB_ERROR ? 1000 : 0;
    }
    ensure(echoes == 2301, "%lu lines", echoes);
    mock_say(slow, "/quit");
    hub_rests();
    HEARS(ann, "quit slow left");
}

/* A session is resumed, and a line that was on the way is taken once. */
static void scene_resume(struct mock *ann)
{
    struct mock *ben = client_join("/token\nben");
    char token[33];
    char lines[200];
    struct mock *again;

    HEARS(ann, "join ben");
    hears(ben, "token *");
    span_copy(token, sizeof token, ben->event.word);
    HEARS(ben, "here ann ben", "users 2", "you ben");
    snprintf(lines, sizeof lines, "/resume %s\n/since %.27s\n/token\nwhoever", token, ben->text);
    mock_say(ben, "one");
    again = client_join(lines);
    mock_give(ben, "two\n" CONTROL_LOST, 4 + strlen(CONTROL_LOST));
    hub_rests();
    HEARS(ann, "msg ben one", "msg ben two");
    HEARS(again, "resumed 2", "token *", "msg ben one", "msg ben two", "here ann ben", "users 2",
        "you ben");
    mock_say(again, "/quit");
    hub_rests();
    HEARS(ann, "quit ben left");
}

/* A client that asks for what is gone. */
static void scene_late(struct mock *ann)
{
    struct mock *late;

    scene_gap(ann);
    late = client_join("/since 1970-01-01T00:00:00.000000Z\n/history 1\nlate");
    hears(late, "gap ? 0");
    while (mock_line(late) != NULL && late->event.verb != VERB_YOU)
        continue;
    ensure(late->event.verb == VERB_YOU, "%s", late->text);
    HEARS(ann, "join late");
}

/* All that a hub takes memory for. */
static void scenes(void)
{
    struct mock *ann = client_join("ann");
    struct mock *ben;

    HEARS(ann, "here ann", "users 1", "you ann");
    ben =
        client_join("/users\n/foo\nANN\nhi\n/me x\n/nick ben\n/msg ann psst\n/users\n/help\n/foo");
    HEARS(ben, "here ann", "users 1", "error unknown-command *", "here ann ANN_2", "users 2",
        "you ANN_2", "msg ANN_2 hi", "me ANN_2 x", "nick ANN_2 ben", "priv ben ann psst",
        "here ann ben", "users 2", "note *", "error unknown-command *");
    HEARS(ann, "join ANN_2", "msg ANN_2 hi", "me ANN_2 x", "nick ANN_2 ben", "priv ben ann psst");
    mock_give(ben, "half", 4);
    hub_rests();
    mock_say(ben, " a line\n/quit so long");
    hub_rests();
    HEARS(ann, "msg ben half a line", "quit ben left so long");
    HEARS(ben, "msg ben half a line");
    ben = client_join("/post\nben\nposted\n/users");
    HEARS(ben, "you ben", "post ben posted", "here ann", "users 1");
    HEARS(ann, "post ben posted");
    mock_say(ben, "/quit");
    hub_rests();
    scene_resume(ann);
    if (writer == -1)
        scene_late(ann);
    hub_stop(stage.hub, stage.now);
    stage.poked = true;
    hub_rests();
}

static void writer_begin(void)
{
    static const char word[] = WRITER_KEPT "1970-01-01T00:00:00.000000Z\n";

    while ((writer = writer_add(&stage)) == -1)
        stage_wait(&stage, 1000000);
    ensure(write(writer, word, sizeof word - 1) == sizeof word - 1, "the hub hears no writer");
}

static void scenes_play(bool sync)
{
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN, .sync = sync};

    stage_open(&stage, &config);
    stage.pair_bytes = 4096;
    stage.around = inside;
    if (sync)
        writer_begin();
    scenes();
    if (sync)
        close(writer);
    stage_close(&stage);
}

/* Every call of a kind fails once, in a room where little happens twice; then the same with -s. */
START_TEST(hub_at_every_place)
{
    size_t kind = (size_t)_i % COUNT_OF(hub_kinds);
    enum call call = hub_kinds[kind].call;

    for (unsigned long at = 1;; at++) {
        memset(&faults, 0, sizeof faults);
        fail_with(kind);
        faults.at[call] = at;
        faults.failed = at; /* so that the errors take turns */
        scenes_play((size_t)_i >= COUNT_OF(hub_kinds));
        if (faults.failed == at) {
            printf("%lu calls\n", at - 1);
            ensure(at > (call == CALL_RANDOM ? 1 : 5), "hardly any calls");
            return;
        }
    }
}
END_TEST

/* A login comes back from the stream while there is no memory for it: the hub waits a moment. */
START_TEST(memory_is_short_in_a_cluster)
{
    struct stream stream = {.count = 0};
    struct mock *p;
    size_t stored;

    memset(&faults, 0, sizeof faults);
    fail_with(0);
    stage_open_in(&stage, NULL, &stream, "x");
    stage.around = inside;
    p = mock_add(&stage);
    stage_settle(&stage);
    mock_say(p, "ann");
    for (stored = stream.count; stream.count == stored;)
        (void)stage_turn(&stage);
    faults.each[CALL_MEMORY] = 1;
    for (int turns = 0; turns < 10; turns++)
        (void)stage_turn(&stage);
    ensure(faults.failed > 0, "nothing has failed");
    ensure(stage.timeout != 0, "the next turn is due at once");
    none_fails();
    stage_wait(&stage, 1000000);
    while (mock_line(p) != NULL && p->event.verb != VERB_YOU) {}
    ensure(p->event.verb == VERB_YOU, "no welcome");
    stage_close(&stage);
    stream_free(&stream);
}
END_TEST

/* Nothing is to be had for two seconds: the login is tried ten times a second, and made then. */
START_TEST(a_login_that_waits)
{
    static const enum call calls[] = {CALL_MEMORY, CALL_RANDOM};
    enum call call = calls[_i];
    struct mock *ann;
    struct mock *late;

    memset(&faults, 0, sizeof faults);
    for (size_t kind = 0; kind < COUNT_OF(hub_kinds); kind++)
        if (hub_kinds[kind].call == call)
            fail_with(kind);
    stage_open(&stage, NULL);
    stage.around = inside;
    ann = client_join("ann");
    HEARS(ann, "here ann", "users 1", "you ann");
    late = mock_add(&stage);
    hub_rests();
    mock_say(late, "/token\nlate");
    faults.each[call] = 1;
    stage_wait(&stage, 2000000);
    ensure(faults.failed >= 10 && faults.failed <= 200, "%lu calls", faults.failed);
    none_fails();
    stage_wait(&stage, 1000000);
    HEARS(late, "token *", "here ann late", "users 2", "you late");
    HEARS(ann, "join late");
    stage_close(&stage);
}
END_TEST

/* A hub is made whole or not at all. */
START_TEST(no_hub)
{
    static const enum call calls[] = {CALL_MEMORY, CALL_MAP, CALL_RANDOM};
    enum call call = calls[_i];
    struct hub_config config = {.log_bytes = LOG_BYTES_MIN, .sync = true};
    struct hub *hub = NULL;
    unsigned long at;
    int next = dup(0);

    close(next);
    for (at = 1; hub == NULL; at++) {
        memset(&faults, 0, sizeof faults);
        faults.at[call] = at;
        faults.errors[call][0] = ENOMEM;
        faults.error_count[call] = 1;
        inside(true);
        hub = hub_new(&config);
        inside(false);
        ensure(hub != NULL || errno == (call == CALL_RANDOM ? EIO : ENOMEM), "errno %d", errno);
        ensure(hub != NULL || dup(0) == next, "a descriptor is left");
        close(next);
    }
    printf("%lu calls\n", at - 2);
    ensure(at > 2, "hardly any calls");
    hub_free(hub);
}
END_TEST

/* ---- A worker ---- */

static const struct {
    enum call call;
    int error;
} worker_kinds[] = {
    {CALL_RECV, EINTR},
    {CALL_RECV, EAGAIN},
    {CALL_RECV, ENOMEM},
    {CALL_RECV, ENOBUFS},
    {CALL_RECV, ONE_BYTE},
    {CALL_SEND, EINTR},
    {CALL_SEND, EAGAIN},
    {CALL_SEND, ENOMEM},
    {CALL_SEND, ENOBUFS},
    {CALL_SEND, ONE_BYTE},
    {CALL_POLL, EINTR},
    {CALL_POLL, EAGAIN},
    {CALL_POLL, ENOMEM},
};

static void worker_fails(void)
{
    faults.inside = true;
}

static void worker_kind(int kind, unsigned long at, unsigned long each)
{
    enum call call = worker_kinds[kind].call;

    memset(&faults, 0, sizeof faults);
    faults.errors[call][0] = worker_kinds[kind].error;
    faults.error_count[call] = 1;
    faults.at[call] = at;
    faults.each[call] = each;
}

#define SAID "ann\nhello\r\n\xff\xfd\x06\x1b\n/me x\nlast"
#define RELAYED "ann\nhello\n\xef\xbf\xbd\n/me x\n" CONTROL_LAST "last\n" CONTROL_LEFT

static void worker_start(struct rig *rig)
{
    rig_start_as(rig, &(struct rig_start){.kind = RIG_STREAMS, .in_child = worker_fails});
}

/* Takes the word out of what comes up to the worker's end: where it stands depends on the reads. */
static void timing_mark_take(struct rig *rig)
{
    size_t len = strlen(CONTROL_TIMING_MARK);
    int64_t deadline = deadline_in(RIG_PATIENCE_MS);
    char *mark;

    for (hub_read_more(rig); !rig->up.over; hub_read_more(rig))
        rig_wait(rig, 0, POLLIN, deadline);
    rig->up.bytes[rig->up.len] = '\0';
    mark = strstr(rig->up.bytes, CONTROL_TIMING_MARK);
    ensure(mark != NULL, "\"%s\"", rig->up.bytes);
    memmove(mark, mark + len, strlen(mark + len) + 1);
    rig->up.len -= len;
}

/* A short life of a worker, both ways: not a byte is lost, doubled or torn. */
static void worker_lives(void)
{
    struct rig rig;

    worker_start(&rig);
    fd_say(rig.hub, CONTROL_TITLE "ann 192.0.2.1:5\n" CONTROL_TITLE "ben\n");
    rig_shows(&rig, "chatd: ben");
    fd_say(rig.client, SAID);
    shutdown(rig.client, SHUT_WR);
    timing_mark_take(&rig);
    hub_expect(&rig, RELAYED);
    hub_expect_end(&rig);
    rig_ends(&rig);
}

/* Its session is taken over: all that the client's socket holds goes up, then the word. */
static void worker_is_ended(void)
{
    static char lines[100000];
    struct rig rig;

    for (size_t i = 0; i < sizeof lines; i += 10)
        memcpy(lines + i, "012345678\n", 10);
    worker_start(&rig);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    kill(rig.pid, SIGSTOP);
    fd_give(rig.client, lines, sizeof lines);
    fd_say(rig.client, "half");
    fd_say(rig.hub, CONTROL_END);
    kill(rig.pid, SIGCONT);
    hub_expect_bytes(&rig, lines, sizeof lines);
    hub_expect(&rig, CONTROL_LOST);
    hub_expect_end(&rig);
    rig_ends(&rig);
}

/* The hub is gone: the client's input is discarded, and its end seen. */
static void worker_is_alone(void)
{
    struct rig rig;

    worker_start(&rig);
    fd_say(rig.client, "ann\n");
    hub_expect(&rig, "ann\n");
    kill(rig.pid, SIGSTOP);
    fd_say(rig.client, SAID);
    hub_dies(&rig);
    kill(rig.pid, SIGCONT);
    client_expect_end(&rig);
    fd_say(rig.client, SAID);
    client_closes(&rig);
    rig_ends(&rig);
}

START_TEST(worker_once)
{
    for (unsigned long at = 1; at <= 12; at++) {
        worker_kind(_i, at, 0);
        worker_lives();
    }
}
END_TEST

START_TEST(worker_again_and_again)
{
    for (unsigned long each = 2; each <= 4; each++) {
        worker_kind(_i, 0, each);
        worker_lives();
    }
    if (worker_kinds[_i].error == ONE_BYTE) {
        worker_kind(_i, 0, 1);
        worker_lives();
    }
}
END_TEST

START_TEST(worker_that_is_ended)
{
    for (unsigned long at = 1; at <= 8; at++) {
        worker_kind(_i, at, 0);
        worker_is_ended();
    }
    worker_kind(_i, 0, 2);
    worker_is_ended();
}
END_TEST

START_TEST(worker_without_hub)
{
    for (unsigned long at = 1; at <= 8; at++) {
        worker_kind(_i, at, 0);
        worker_is_alone();
    }
    worker_kind(_i, 0, 2);
    worker_is_alone();
}
END_TEST

int main(void)
{
    const char *seeds = getenv("FAULTS_SEEDS");
    const struct test tests[] = {
        {hub_at_random, seeds != NULL ? atoi(seeds) : 42, 60},
        {hub_at_every_place, 2 * COUNT_OF(hub_kinds), 300},
        {memory_is_short_in_a_cluster, 1, 20},
        {a_login_that_waits, 2, 20},
        {no_hub, 3, 10},
        {worker_once, COUNT_OF(worker_kinds), 60},
        {worker_again_and_again, COUNT_OF(worker_kinds), 60},
        {worker_that_is_ended, COUNT_OF(worker_kinds), 60},
        {worker_without_hub, COUNT_OF(worker_kinds), 60},
    };

    return tests_run("faults", tests, COUNT_OF(tests));
}
