/*
 * observer.c: what scripts need to see of a room on several machines, beside its nodes.
 *
 *   observer ask SERVER SUBJECT   asks a NATS server and prints the answer
 *   observer list SERVER ROOM     prints the messages of a room's stream, from first to last
 *   observer watch SERVER ROOM    the same, until it is killed, whatever becomes of the server
 *   observer time                 copies lines; before each is its time, in ms since 1970
 *
 * SERVER is an IPv4 address and a port. Of a stream there is a line for each message,
 *
 *   stored SEQUENCE BATCH TIME TEXT
 *
 * from watch also what nodes publish, and which of it a server has told a node to be stored,
 *
 *   published 0 BATCH 0 TEXT
 *   acked SEQUENCE BATCH
 *
 * and from list the name of the server whose copy it is; the servers choose that:
 *
 *   copy NAME
 *
 * BATCH is NODE:INCARNATION:RANDOM:NUMBER, or - for what is no batch; TIME is in nanoseconds since
 * 1970; TEXT is the message with a space for each byte that is not printable ASCII. The exit status
 * is 1 where no answer came in time.
 */
#include "compat/compat.h"
#include "server/cluster/batch.h"
#include "server/cluster/jetstream.h"
#include "server/cluster/nats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 3000
/* A connection is given up when nothing has come on it for this time: consumers have heartbeats. */
#define SILENCE_MS 4000
#define AGAIN_MS 200
/* What is printed at once: a line that is cut off by a signal would be another message. */
#define OUT_SIZE (1 << 21)
/* Publications of which the acknowledgement may still come. */
#define PUBLISHED_MAX 1024
#define BATCH_TEXT_MAX 112

enum { SID_ANSWER = 1, SID_DELIVERED, SID_PUBLISHED, SID_ACKED };

/* A batch that a node has published, by the subject to which its acknowledgement goes. */
struct published {
    char reply[64];
    char batch[BATCH_TEXT_MAX];
};

struct observer {
    struct sockaddr_in server;
    struct jetstream_names names;
    int fd;
    size_t len;
    struct nats_parser parser;
    bool lists;          /* it ends with the last message */
    bool has_answer;     /* to the request that was made last */
    unsigned inboxes;    /* how many were used */
    uint64_t next;       /* the sequence that is wanted next; 0: the first */
    uint64_t last;       /* the end of the stream when it was asked for */
    uint64_t deliveries; /* of the present consumer */
    struct jetstream_answer answer;
    char raw[65536]; /* the answer's own bytes */
    struct published published[PUBLISHED_MAX];
    unsigned published_at; /* the oldest of them */
    char held[2 * NATS_HELD_MAX];
};

_Noreturn static void usage(void)
{
    fprintf(stderr,
        "usage: observer ask SERVER SUBJECT | list SERVER ROOM | watch SERVER ROOM | time\n");
    exit(64);
}

/* ---- The connection -------------------------------------------------------------------------- */

static void server_parse(struct sockaddr_in *server, char *text)
{
    char *colon = strchr(text, ':');

    if (colon == NULL)
        usage();
    *colon = '\0';
    server->sin_family = AF_INET;
    server->sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, text, &server->sin_addr) != 1)
        usage();
}

static bool say(struct observer *o, const char *bytes, size_t len)
{
    return write_all(o->fd, bytes, len);
}

static bool subscribe(struct observer *o, const char *subject, uint64_t sid)
{
    char line[NATS_HEAD_MAX];

    return say(o, line, nats_write_sub(line, subject, sid));
}

static bool publish(struct observer *o, struct span subject, const char *reply, struct span bytes)
{
    char head[NATS_HEAD_MAX];

    return say(o, head, nats_write_pub(head, subject, reply, bytes.len)) &&
           say(o, bytes.at, bytes.len) && say(o, NATS_END, strlen(NATS_END));
}

/* A subject below one that no other observer has. */
static void inbox(const struct observer *o, char out[64], const char *kind)
{
    (void)snprintf(out, 64, "_INBOX.observer%ld.%s%u", (long)getpid(), kind, o->inboxes);
}

static bool server_connect(struct observer *o)
{
    char line[NATS_CONNECT_MAX];
    char subject[64];

    o->fd = socket(AF_INET, SOCK_STREAM, 0);
    o->len = 0;
    o->parser = (struct nats_parser){0};
    o->inboxes++;
    inbox(o, subject, "a");
    return o->fd != -1 && connect(o->fd, (struct sockaddr *)&o->server, sizeof o->server) == 0 &&
           say(o, line, nats_write_connect(line, (struct span){"", 0}, "observer", "1")) &&
           subscribe(o, subject, SID_ANSWER);
}

/* ---- What is seen ---------------------------------------------------------------------------- */

static void batch_name(char out[BATCH_TEXT_MAX], struct span bytes)
{
    struct batch_id id;

    strcpy(out, "-");
    if (batch_id_read(&id, bytes) != 0)
        (void)snprintf(out, BATCH_TEXT_MAX, "%.*s:%" PRIu64 ":%016" PRIx64 ":%" PRIu64,
            (int)id.node.len, id.node.at, id.incarnation, id.nonce, id.number);
}

static void message_print(const char *what, uint64_t sequence, uint64_t time, struct span bytes)
{
    char batch[BATCH_TEXT_MAX];

    batch_name(batch, bytes);
    printf("%s %" PRIu64 " %s %" PRIu64 " ", what, sequence, batch, time);
    for (size_t i = 0; i < bytes.len; i++)
        putchar(bytes.at[i] >= ' ' && bytes.at[i] <= '~' ? bytes.at[i] : ' ');
    putchar('\n');
}

/* True if it is the message that comes next; otherwise another consumer is needed. */
static bool delivered(struct observer *o, const struct nats_operation *op)
{
    struct jetstream_place place;

    if (!jetstream_read_place(&place, op->reply))
        return op->reply.len == 0 || publish(o, op->reply, "", (struct span){"", 0});
    if (place.consumer != ++o->deliveries)
        return false;
    message_print("stored", place.stream, place.time, op->payload);
    o->next = place.stream + 1;
    return true;
}

static void remember(struct observer *o, const struct nats_operation *op)
{
    struct published *p = &o->published[o->published_at++ % PUBLISHED_MAX];

    (void)snprintf(p->reply, sizeof p->reply, "%.*s", (int)op->reply.len, op->reply.at);
    batch_name(p->batch, op->payload);
    message_print("published", 0, 0, op->payload);
}

static void acked(const struct observer *o, const struct nats_operation *op)
{
    struct jetstream_answer answer;

    jetstream_read_answer(&answer, op->headers, op->payload);
    if (answer.result != JETSTREAM_DONE || answer.sequence == 0)
        return;
    for (unsigned i = 0; i < PUBLISHED_MAX; i++)
        if (span_equal(op->subject, o->published[i].reply)) {
            printf("acked %" PRIu64 " %s\n", answer.sequence, o->published[i].batch);
            return;
        }
}

static void answer_keep(struct observer *o, const struct nats_operation *op)
{
    o->has_answer = true;
    jetstream_read_answer(&o->answer, op->headers, op->payload);
    (void)snprintf(o->raw, sizeof o->raw, "%.*s", (int)op->payload.len, op->payload.at);
}

static bool take(struct observer *o, const struct nats_operation *op)
{
    if (op->kind == NATS_PING)
        return say(o, NATS_PONG_LINE, strlen(NATS_PONG_LINE));
    if (op->kind != NATS_MESSAGE)
        return op->kind != NATS_ERROR;
    if (op->sid == SID_DELIVERED)
        return delivered(o, op);
    if (op->sid == SID_PUBLISHED)
        remember(o, op);
    else if (op->sid == SID_ACKED)
        acked(o, op);
    else
        answer_keep(o, op);
    return true;
}

/* Waits for more and takes it. False: the connection is to be given up. */
static bool read_on(struct observer *o, int timeout_ms)
{
    struct pollfd pfd = {.fd = o->fd, .events = POLLIN};
    struct span rest;
    struct nats_operation op;
    enum nats_kind kind;
    ssize_t n;

    if (poll(&pfd, 1, timeout_ms) != 1)
        return false;
    n = recv(o->fd, o->held + o->len, sizeof o->held - o->len, 0);
    if (n <= 0)
        return false;
    rest = (struct span){o->held, o->len + (size_t)n};
    while ((kind = nats_next(&o->parser, &rest, &op)) > NATS_BAD)
        if (!take(o, &op))
            return false;
    memmove(o->held, rest.at, rest.len);
    o->len = rest.len;
    return kind != NATS_BAD && fflush(stdout) == 0;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool request(struct observer *o, const char *subject, struct span bytes)
{
    uint64_t deadline = clock_us() + 1000u * ANSWER_MS;
    char reply[64];

    o->has_answer = false;
    inbox(o, reply, "a");
    if (!publish(o, (struct span){subject, strlen(subject)}, reply, bytes))
        return false;
    while (!o->has_answer && clock_us() < deadline)
        if (!read_on(o, ANSWER_MS))
            return false;
    return o->has_answer;
}

static bool consumer_make(struct observer *o)
{
    char bytes[JETSTREAM_REQUEST_MAX];
    char subject[64];
    size_t len;

    inbox(o, subject, "d");
    len = jetstream_write_consumer(bytes, &o->names, subject, o->next);
    o->deliveries = 0;
    return subscribe(o, subject, SID_DELIVERED) &&
           request(o, o->names.consumer_create, (struct span){bytes, len}) &&
           o->answer.result == JETSTREAM_DONE;
}

/* One connection, as long as it is good. True: all that was to be listed is. */
static bool stream_follow(struct observer *o)
{
    if (!request(o, o->names.stream_info, (struct span){"", 0}) ||
        o->answer.result != JETSTREAM_DONE)
        return false;
    o->last = o->answer.last;
    if (o->next > o->last + 1)
        o->next = 0; /* it has lost its end, or is another one: what it has now is seen, too */
    if (o->lists && o->answer.first > o->last)
        return true;
    if (!consumer_make(o))
        return false;
    if (o->lists)
        printf("copy %s\n", o->answer.leader);
    if (!o->lists && (!subscribe(o, o->names.subject, SID_PUBLISHED) ||
                         !subscribe(o, "_INBOX.*.p.*", SID_ACKED)))
        return false;
    while (!o->lists || o->next <= o->last)
        if (!read_on(o, SILENCE_MS))
            return false;
    return true;
}

static int observe(struct observer *o)
{
    static char out[OUT_SIZE];
    const struct timespec pause = {.tv_nsec = 1000000L * AGAIN_MS};

    setvbuf(stdout, out, _IOFBF, sizeof out);

    for (;;) {
        if (server_connect(o) && stream_follow(o))
            return fflush(stdout) == 0 ? 0 : 1;
        if (o->fd != -1)
            close(o->fd);
        if (o->lists)
            return 1;
        (void)fflush(stdout);
        (void)nanosleep(&pause, NULL);
    }
}

static int ask(struct observer *o, const char *subject)
{
    if (!server_connect(o) || !request(o, subject, (struct span){"", 0}))
        return 1;
    puts(o->raw);
    return 0;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int time_lines(void)
{
    static char line[65536];
    struct timespec now;

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    while (fgets(line, sizeof line, stdin) != NULL) {
        (void)clock_gettime(CLOCK_REALTIME, &now);
        printf("%lld %s", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, line);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct observer o;

    if (argc == 2 && strcmp(argv[1], "time") == 0)
        return time_lines();
    if (argc != 4)
        usage();
    server_parse(&o.server, argv[2]);
    if (strcmp(argv[1], "ask") == 0)
        return ask(&o, argv[3]);
    jetstream_names_set(&o.names, (struct span){argv[3], strlen(argv[3])});
    o.lists = strcmp(argv[1], "list") == 0;
    if (!o.lists && strcmp(argv[1], "watch") != 0)
        usage();
    return observe(&o);
}
