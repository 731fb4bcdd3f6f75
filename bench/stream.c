/*
 * stream.c: measures a room's way through a cluster, and beside it the bare store: a plain client
 * that publishes into a stream of its own at one server and reads it at another one.
 *
 *   stream raw SERVER SERVER BYTES [SERVER...]
 *       a message alone, and 16 of BYTES under way; one more reader at each other server
 *   stream room NODE NODE [SERVER STREAM]
 *       a line alone, and as many as the room takes; the size of its messages in that stream
 *   stream say NODE NAME LINES PAUSE
 *       a member says them, PAUSE microseconds apart; 0: as fast as the room takes them
 *   stream void SERVER ROOM COUNT
 *       stores messages that mean nothing
 *   stream look SERVER STREAM
 *       how many messages and bytes it has
 *   stream crowd NODE MEMBERS
 *       they join, and stay until the program is killed
 *   stream answer NODE SECONDS
 *       how long a member waits for an answer of the hub's own
 *
 * The first two measure for a second and more of either kind. bench/cluster.sh makes tables of it.
 */
#define _GNU_SOURCE
#include "bench/crowd.h"
#include "bench/meter.h"
#include "server/cluster/jetstream.h"
#include "server/cluster/json.h"
#include "server/cluster/nats.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM "bench"
#define LONE_COUNT 300
#define LONE_PAUSE_MS 5
#define BULK_NS (3ull * NS_PER_S)
#define BULK_MESSAGES 16
#define LINE_BYTES 64
#define SPEAKER "ann"
/* Lines of the room that may be under way: more than all the buffers between two nodes hold. */
#define BULK_LINES 60000
/* Messages without a meaning: how many are under way at once, and their size, with which as many as
 * a node reads to find a snapshot fill its log. */
#define VOID_MESSAGES 256
#define VOID_BYTES 256
#define READERS_MAX 8
#define ANSWER_MS 10000
#define HELD_MAX (2 * NATS_HELD_MAX)

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "stream: %s: %s\n", what, errno != 0 ? strerror(errno) : "unexpected answer");
    exit(1);
}

/* ---- A connection: what has arrived and is not taken yet --------------------------------------
 */

struct peer {
    int fd;
    size_t len;
    struct nats_parser parser;
    char held[HELD_MAX];
};

static void peer_connect(struct peer *p, const char *address)
{
    struct sockaddr_storage to;
    socklen_t len;
    int on = 1;

    address_parse(address, &to, &len);
    memset(p, 0, offsetof(struct peer, held));
    p->fd = socket(to.ss_family, SOCK_STREAM, 0);
    if (p->fd == -1 || connect(p->fd, (struct sockaddr *)&to, len) != 0)
        die(address);
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void peer_send(struct peer *p, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(p->fd, bytes, len, MSG_NOSIGNAL);
        if (n == -1)
            die("send");
        bytes += n;
        len -= (size_t)n;
    }
}

/* Reads what there is, and waits for it as long as that. False: nothing came. */
static bool peer_read(struct peer *p, int timeout_ms)
{
    struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
    ssize_t n;

    if (poll(&pfd, 1, timeout_ms) != 1)
        return false;
    n = recv(p->fd, p->held + p->len, sizeof p->held - p->len, 0);
    if (n <= 0)
        die("recv");
    p->len += (size_t)n;
    return true;
}

static void peer_drop(struct peer *p, size_t len)
{
    p->len -= len;
    memmove(p->held, p->held + len, p->len);
}

/* ---- The bare store ------------------------------------------------------------------------- */

/* What one server has said: the answer to a request, and messages of the stream. */
struct heard {
    struct jetstream_answer answer;
    bool answered;
    unsigned answers;
    uint64_t stored; /* bytes of a stream that was asked for */
    unsigned messages;
    uint64_t bytes;
};

static void nats_publish(struct peer *p, struct span subject, const char *reply, struct span bytes)
{
    char head[NATS_HEAD_MAX];

    peer_send(p, head, nats_write_pub(head, subject, reply, bytes.len));
    peer_send(p, bytes.at, bytes.len);
    peer_send(p, NATS_END, 2);
}

static void answer_take(const struct nats_operation *op, struct heard *heard)
{
    struct json json;

    jetstream_read_answer(&heard->answer, op->headers, op->payload);
    heard->answered = true;
    heard->answers++;
    if (json_parse(&json, op->payload))
        (void)json_number(json_member(json_member(json, "state"), "bytes"), &heard->stored);
}

static void message_take(struct peer *p, const struct nats_operation *op, struct heard *heard)
{
    struct jetstream_place place;
    struct span words;

    if (jetstream_read_place(&place, op->reply)) {
        heard->messages++;
        heard->bytes += op->payload.len;
    } else if (nats_status(op->headers, &words) == 100 && op->reply.len > 0) {
        nats_publish(p, op->reply, "", (struct span){"", 0}); /* flow control */
    } else if (op->sid == 1) {
        answer_take(op, heard);
    }
}

static void nats_take(struct peer *p, struct heard *heard)
{
    struct span rest = {p->held, p->len};
    struct nats_operation op;
    enum nats_kind kind;

    while ((kind = nats_next(&p->parser, &rest, &op)) > NATS_BAD) {
        if (kind == NATS_PING)
            peer_send(p, NATS_PONG_LINE, sizeof NATS_PONG_LINE - 1);
        else if (kind == NATS_ERROR)
            die("nats-server says an error");
        else if (kind == NATS_MESSAGE)
            message_take(p, &op, heard);
    }
    if (kind == NATS_BAD)
        die("that is no nats-server");
    peer_drop(p, p->len - rest.len);
}

static void nats_login(struct peer *p, const char *address, const char *name)
{
    char connect_line[NATS_CONNECT_MAX];
    char sub[NATS_HEAD_MAX];
    char inbox[64];

    peer_connect(p, address);
    snprintf(inbox, sizeof inbox, "_INBOX.%s.%ld", name, (long)getpid());
    peer_send(p, connect_line, nats_write_connect(connect_line, (struct span){"", 0}, name, "1"));
    peer_send(p, sub, nats_write_sub(sub, inbox, 1));
    snprintf(inbox, sizeof inbox, "bench.%s.%ld", name, (long)getpid());
    peer_send(p, sub, nats_write_sub(sub, inbox, 2));
}

static struct heard nats_request(
    struct peer *p, const char *name, const char *subject, const char *request)
{
    struct heard heard = {.answered = false};
    char inbox[64];

    snprintf(inbox, sizeof inbox, "_INBOX.%s.%ld", name, (long)getpid());
    nats_publish(
        p, (struct span){subject, strlen(subject)}, inbox, (struct span){request, strlen(request)});
    while (!heard.answered) {
        if (!peer_read(p, ANSWER_MS))
            die(subject);
        nats_take(p, &heard);
    }
    if (heard.answer.result != JETSTREAM_DONE) {
        fprintf(stderr, "stream: %s: %s\n", subject, heard.answer.words);
        exit(1);
    }
    return heard;
}

struct store {
    struct peer writer;
    struct peer reader;
    struct jetstream_names names;
};

static void reader_open(struct store *s, const char *server)
{
    char request[JETSTREAM_REQUEST_MAX];
    char deliver[64];

    nats_login(&s->reader, server, "reader");
    snprintf(deliver, sizeof deliver, "bench.reader.%ld", (long)getpid());
    (void)jetstream_write_consumer(request, &s->names, deliver, 0);
    (void)nats_request(&s->reader, "reader", s->names.consumer_create, request);
}

static void store_open(struct store *s, char **servers)
{
    char request[JETSTREAM_REQUEST_MAX];

    jetstream_names_set(&s->names, (struct span){ROOM, sizeof ROOM - 1});
    nats_login(&s->writer, servers[0], "writer");
    (void)jetstream_write_stream(request, &s->names, JETSTREAM_REPLICAS_MAX);
    (void)nats_request(&s->writer, "writer", s->names.stream_create, request);
    reader_open(s, servers[1]);
}

/* A process that only reads, until it is killed. */
static pid_t reader_fork(struct store *s, const char *server)
{
    struct heard heard = {.messages = 0};
    pid_t pid = fork();

    if (pid == -1)
        die("fork");
    if (pid > 0)
        return pid;
    reader_open(s, server);
    for (;;)
        if (peer_read(&s->reader, -1))
            nats_take(&s->reader, &heard);
}

static void store_remove(struct store *s)
{
    char subject[JETSTREAM_SUBJECT_MAX + 32];

    snprintf(subject, sizeof subject, "$JS.API.STREAM.DELETE.%s", s->names.stream);
    (void)nats_request(&s->writer, "writer", subject, "");
    close(s->writer.fd);
    close(s->reader.fd);
}

static void store_publish(struct store *s, struct span bytes)
{
    nats_publish(&s->writer, (struct span){s->names.subject, strlen(s->names.subject)}, "", bytes);
}

/* Reads until that many messages have come in all. */
static void store_wait(struct store *s, struct heard *heard, unsigned messages)
{
    while (heard->messages < messages) {
        if (!peer_read(&s->reader, ANSWER_MS))
            die("a message does not come");
        nats_take(&s->reader, heard);
        while (peer_read(&s->writer, 0))
            nats_take(&s->writer, heard);
    }
}

static int run_raw(char **servers, size_t size, char **others)
{
    static struct store store;
    struct heard heard = {.messages = 0};
    struct samples delays = {NULL, 0, 0};
    char *bytes = calloc(1, size);
    unsigned published = 0;
    pid_t readers[READERS_MAX];
    size_t count = 0;
    uint64_t begun;

    store_open(&store, servers);
    for (; others[count] != NULL; count++)
        readers[count] = reader_fork(&store, others[count]);
    for (unsigned i = 0; i < LONE_COUNT; i++) {
        begun = clock_now();
        store_publish(&store, (struct span){bytes, LINE_BYTES});
        store_wait(&store, &heard, ++published);
        samples_add(&delays, clock_now() - begun);
        poll(NULL, 0, LONE_PAUSE_MS);
    }
    samples_report(&delays, "raw", "");
    heard.bytes = 0;
    begun = clock_now();
    while (clock_now() - begun < BULK_NS) {
        while (published - heard.messages < BULK_MESSAGES) {
            store_publish(&store, (struct span){bytes, size});
            published++;
        }
        store_wait(&store, &heard, heard.messages + 1);
    }
    store_wait(&store, &heard, published);
    report("raw", "mb_per_s", (double)heard.bytes * 1e3 / (double)(clock_now() - begun));
    while (count > 0)
        kill(readers[--count], SIGKILL);
    store_remove(&store);
    free(bytes);
    return 0;
}

/* ---- The room ------------------------------------------------------------------------------- */

/* Takes what has arrived; how many lines of it are the speaker's. */
static unsigned lines_take(struct peer *p, const char *speaker)
{
    char said[96];
    size_t len = (size_t)snprintf(said, sizeof said, " msg %s ", speaker);
    unsigned count = 0;
    size_t at = 0;
    const char *end;

    while ((end = memchr(p->held + at, '\n', p->len - at)) != NULL) {
        const char *word = memchr(p->held + at, ' ', p->len - at);
        count += word != NULL && (size_t)(end - word) > len && memcmp(word, said, len) == 0;
        at = (size_t)(end - p->held) + 1;
    }
    peer_drop(p, at);
    return count;
}

static void lines_wait(struct peer *p, unsigned *heard, unsigned lines)
{
    while (*heard < lines) {
        if (!peer_read(p, ANSWER_MS))
            die("a line does not come");
        *heard += lines_take(p, SPEAKER);
    }
}

static void room_join(struct peer *p, const char *address, const char *line)
{
    peer_connect(p, address);
    peer_send(p, line, strlen(line));
    /* The list, and whatever was said before. */
    while (peer_read(p, 1000))
        (void)lines_take(p, SPEAKER);
}

/* Sends without waiting, what the connection takes. */
static size_t peer_offer(struct peer *p, const char *bytes, size_t len)
{
    ssize_t n = send(p->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == -1 && errno != EAGAIN)
        die("send");
    return n > 0 ? (size_t)n : 0;
}

/* The speaker says as much as it may; the listener counts. Returns the lines. */
static unsigned room_talk(struct peer *speaker, struct peer *listener)
{
    static char text[256 * LINE_BYTES];
    struct pollfd pfds[2] = {{.fd = speaker->fd}, {.fd = listener->fd}};
    uint64_t begun = clock_now();
    uint64_t sent = 0;
    unsigned heard = 0;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % LINE_BYTES == LINE_BYTES - 1 ? '\n' : 'x';
    while (clock_now() - begun < BULK_NS || sent % LINE_BYTES > 0) {
        bool may_speak = sent / LINE_BYTES < heard + BULK_LINES;
        size_t at = (size_t)(sent % sizeof text);

        pfds[0].events = (short)(POLLIN | (may_speak ? POLLOUT : 0));
        pfds[1].events = POLLIN;
        if (poll(pfds, 2, ANSWER_MS) <= 0)
            die("the room stands still");
        if (pfds[0].revents & POLLOUT)
            sent += peer_offer(speaker, text + at, sizeof text - at);
        if (pfds[0].revents & ~POLLOUT && peer_read(speaker, 0))
            (void)lines_take(speaker, SPEAKER);
        if (pfds[1].revents && peer_read(listener, 0))
            heard += lines_take(listener, SPEAKER);
    }
    while (heard < sent / LINE_BYTES) {
        if (!peer_read(listener, ANSWER_MS))
            die("lines are missing");
        heard += lines_take(listener, SPEAKER);
        while (peer_read(speaker, 0))
            (void)lines_take(speaker, SPEAKER);
    }
    return heard;
}

/* What the stream holds: nothing where it is not named. */
struct holding {
    double bytes;
    double messages;
};

static struct holding stream_look(char **server)
{
    static struct peer p;
    struct heard heard;
    char subject[JETSTREAM_SUBJECT_MAX + 32];

    if (server[0] == NULL)
        return (struct holding){0, 0};
    nats_login(&p, server[0], "look");
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", server[1]);
    heard = nats_request(&p, "look", subject, "");
    close(p.fd);
    return (struct holding){(double)heard.stored, (double)heard.answer.last};
}

/* A line alone, again and again. */
static void room_lone(struct peer *speaker, struct peer *listener)
{
    struct samples delays = {NULL, 0, 0};
    char line[LINE_BYTES];
    unsigned heard = 0;

    memset(line, 'x', sizeof line);
    line[LINE_BYTES - 1] = '\n';
    for (unsigned i = 0; i < LONE_COUNT; i++) {
        uint64_t begun = clock_now();
        peer_send(speaker, line, LINE_BYTES);
        lines_wait(listener, &heard, i + 1);
        samples_add(&delays, clock_now() - begun);
        while (peer_read(speaker, LONE_PAUSE_MS))
            (void)lines_take(speaker, SPEAKER);
    }
    samples_report(&delays, "room", "");
}

static int run_room(char **nodes, char **server)
{
    static struct peer speaker;
    static struct peer listener;

    room_join(&speaker, nodes[0], SPEAKER "\n");
    room_join(&listener, nodes[1], "bob\n");
    room_lone(&speaker, &listener);
    struct holding before = stream_look(server);
    uint64_t begun = clock_now();
    unsigned lines = room_talk(&speaker, &listener);
    double seconds = (double)(clock_now() - begun) / NS_PER_S;
    struct holding after = stream_look(server);
    double bytes = after.bytes - before.bytes;
    report("room", "lines_per_s", (double)lines / seconds);
    if (after.messages > before.messages) {
        report("room", "stored_mb_per_s", bytes / seconds / 1e6);
        report("room", "bytes_per_message", bytes / (after.messages - before.messages));
    }
    close(speaker.fd);
    close(listener.fd);
    return 0;
}

/* ---- Workloads of which something else is measured ------------------------------------------ */

/* Without waiting for the list, which has no end where others talk. */
static void room_enter(struct peer *p, const char *node, const char *name)
{
    char line[128];
    int len = snprintf(line, sizeof line, "/history 0\n%s\n", name);

    peer_connect(p, node);
    peer_send(p, line, (size_t)len);
}

/* The next lines of a speaker, to be sent from where it was left. */
struct speech {
    const char *name;
    unsigned long said; /* lines that are in the text */
    size_t at;
    size_t len;
    char text[256 * LINE_BYTES];
};

/* Goes on with up to that many lines. */
static void speech_write(struct speech *s, unsigned long lines)
{
    s->at = s->len = 0;
    for (; lines > 0 && s->len + LINE_BYTES <= sizeof s->text; lines--, s->len += LINE_BYTES) {
        char *line = s->text + s->len;
        int n = snprintf(line, LINE_BYTES, "%s %08lu ", s->name, ++s->said);

        memset(line + n, 'x', LINE_BYTES - (size_t)n);
        line[LINE_BYTES - 1] = '\n';
    }
}

static int run_say(const char *node, const char *name, unsigned long lines, long pause_us)
{
    static struct peer p;
    static struct speech speech;
    const struct timespec pause = {.tv_nsec = pause_us * 1000};
    unsigned long echoes = 0;
    uint64_t begun;

    speech.name = name;
    room_enter(&p, node, name);
    begun = clock_now();
    while (echoes < lines) {
        bool more = speech.at < speech.len || speech.said < lines;

        if (speech.at == speech.len)
            speech_write(&speech, pause_us > 0 && more ? 1 : lines - speech.said);
        speech.at += peer_offer(&p, speech.text + speech.at, speech.len - speech.at);
        if (pause_us > 0 && more)
            nanosleep(&pause, NULL);
        if (peer_read(&p, more ? 0 : ANSWER_MS))
            echoes += lines_take(&p, name);
        else if (!more)
            die("a line does not come");
    }
    report("say", "lines_per_s", (double)lines * 1e9 / (double)(clock_now() - begun));
    return 0;
}

static int run_void(const char *server, const char *room, unsigned long count)
{
    static struct peer p;
    static char bytes[VOID_BYTES];
    struct heard heard = {.messages = 0};
    struct jetstream_names names;
    char inbox[64];

    jetstream_names_set(&names, (struct span){room, strlen(room)});
    nats_login(&p, server, "void");
    snprintf(inbox, sizeof inbox, "_INBOX.void.%ld", (long)getpid());
    for (unsigned long published = 0; heard.answers < count;) {
        for (; published < count && published < heard.answers + VOID_MESSAGES; published++)
            nats_publish(&p, (struct span){names.subject, strlen(names.subject)}, inbox,
                (struct span){bytes, sizeof bytes});
        if (!peer_read(&p, ANSWER_MS))
            die("no answer");
        nats_take(&p, &heard);
    }
    return 0;
}

static int run_look(char **server)
{
    struct holding held = stream_look(server);

    printf("%.0f messages, %.0f bytes\n", held.messages, held.bytes);
    return 0;
}

static int run_crowd(const char *node, unsigned members)
{
    struct crowd crowd;

    crowd_init(&crowd, wire_find("chatd"), node, members, 0);
    if (!crowd_join(&crowd))
        die("they do not get in");
    puts("in");
    fflush(stdout);
    for (;;)
        crowd_turn(&crowd, -1);
}

/* A word that the hub does not know is answered in the turn that reads it. */
static int run_answer(const char *node, double seconds)
{
    static struct peer p;
    static const char line[] = "/unknown\n";
    struct samples delays = {NULL, 0, 0};
    uint64_t begun = clock_now();

    room_enter(&p, node, SPEAKER);
    while ((double)(clock_now() - begun) < seconds * 1e9) {
        uint64_t sent = clock_now();
        bool answered = false;

        peer_send(&p, line, sizeof line - 1);
        while (!answered) {
            if (!peer_read(&p, ANSWER_MS))
                die("no answer");
            answered = memmem(p.held, p.len, " error ", 7) != NULL && p.held[p.len - 1] == '\n';
            if (p.held[p.len - 1] == '\n')
                p.len = 0;
        }
        samples_add(&delays, clock_now() - sent);
        poll(NULL, 0, 1);
    }
    samples_report(&delays, "answer", "");
    return 0;
}

int main(int argc, char **argv)
{
    long size = argc >= 5 ? atol(argv[4]) : 0;

    if (argc >= 5 && argc <= 5 + READERS_MAX && strcmp(argv[1], "raw") == 0 && size > 0 &&
        size <= NATS_CONTENT_MAX)
        return run_raw(argv + 2, (size_t)size, argv + 5);
    if ((argc == 4 || argc == 6) && strcmp(argv[1], "room") == 0)
        return run_room(argv + 2, argv + 4);
    if (argc == 6 && strcmp(argv[1], "say") == 0)
        return run_say(argv[2], argv[3], strtoul(argv[4], NULL, 10), atol(argv[5]));
    if (argc == 5 && strcmp(argv[1], "void") == 0)
        return run_void(argv[2], argv[3], strtoul(argv[4], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "look") == 0)
        return run_look(argv + 2);
    if (argc == 4 && strcmp(argv[1], "crowd") == 0)
        return run_crowd(argv[2], (unsigned)atol(argv[3]));
    if (argc == 4 && strcmp(argv[1], "answer") == 0)
        return run_answer(argv[2], atof(argv[3]));
    fprintf(stderr, "usage: stream raw SERVER SERVER BYTES [SERVER...]\n"
                    "       stream room NODE NODE [SERVER STREAM]\n"
                    "       stream say NODE NAME LINES PAUSE\n"
                    "       stream void SERVER ROOM COUNT\n"
                    "       stream look SERVER STREAM\n"
                    "       stream crowd NODE MEMBERS\n"
                    "       stream answer NODE SECONDS\n");
    return 64;
}
