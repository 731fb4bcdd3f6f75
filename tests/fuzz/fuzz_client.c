/*
 * fuzz_client.c: a hostile server's bytes through all that chat does with them: the receiver, run
 * to its end in this thread, the session and the console behind it. Any cut gives the same; what
 * is printed is clean but for the client's own sequences, and not much longer than what came; what
 * is sent back is whole, clean lines, and no line of one's own is lost or told twice.
 *
 * The input: a byte for the console, one for its columns, one for the cuts, one for the session;
 * then what the server says. A byte 0xFF there, which is no text anyway, breaks the connection,
 * and another one follows.
 */
#include "client/receiver.h"
#include "fuzz.h"
#include "wire/text.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

/* Pieces that are shorter than the rest of the stream. */
#define CUTS_MAX 200
#define STREAM_MAX 60000
#define CONNECTIONS_MAX 6
/* Of one event, besides what it says: the time, marks of days, colours. */
#define EVENT_OUT_MAX 512
/* Narrow columns put a LF and an indent before each character. */
#define WRAPPED_MAX 4

/* How the bytes are handed over. */
enum cut { CUT_NOWHERE, CUT_BYTES, CUT_PIECES };

/* One reading of the stream: what was printed, and what the server was sent. */
struct reading {
    struct client client;
    struct options options;
    uint8_t how[4];
    struct text printed;
    struct outbuf said;
    uint32_t random;
    enum client_end end;
};

/* ---- The system: what the client reads and writes stays in memory, which is much faster ---- */

/* What the server says on a connection, and how it comes. */
struct stream {
    const char *at;
    const char *end;
    size_t alone; /* so many bytes come before the first cut */
    enum cut cut;
    int cuts; /* so far */
};

/* Of the reading that goes on. The descriptors are of a file that is empty. */
static struct {
    int connection;
    int out;
    struct stream stream;
    struct reading *reading;
} mock = {.connection = -1, .out = -1};

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

/* The length of the next piece; 0 at the end. */
static size_t stream_piece(struct stream *stream)
{
    struct reading *reading = mock.reading;
    size_t left = (size_t)(stream->end - stream->at);
    size_t n = left;

    reading->random = reading->random * 1664525 + 1013904223;
    if (stream->alone > 0)
        n = stream->alone;
    else if (stream->cut != CUT_NOWHERE && stream->cuts < CUTS_MAX)
        n = stream->cut == CUT_BYTES ? 1 : 1 + (reading->random >> 16) % (1 + reading->how[2]);
    stream->alone = 0;
    stream->cuts++;
    return n < left ? n : left;
}

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    struct stream *stream = &mock.stream;
    size_t n;

    if (fd != mock.connection)
        return __real_read(fd, bytes, size);
    n = stream_piece(stream);
    must(n <= size);
    memcpy(bytes, stream->at, n);
    stream->at += n;
    return (ssize_t)n;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (fd != mock.out)
        return __real_write(fd, bytes, len);
    text_add(&mock.reading->printed, bytes, len);
    return (ssize_t)len;
}

/*
 * The queue's memory is a megabyte, which a sanitizer maps, marks and unmaps each time: it is used
 * again.
 */
static char *queues[CUT_PIECES + 1];

bool __real_queue_init(struct queue *queue);
bool __wrap_queue_init(struct queue *queue);
void __wrap_queue_free(struct queue *queue);

bool __wrap_queue_init(struct queue *queue)
{
    size_t i = 0;

    while (i < CUT_PIECES && queues[i] == NULL)
        i++;
    if (queues[i] == NULL)
        return __real_queue_init(queue);
    *queue = (struct queue){.bytes = queues[i]};
    queues[i] = NULL;
    return true;
}

void __wrap_queue_free(struct queue *queue)
{
    size_t i = 0;

    while (i < CUT_PIECES && queues[i] != NULL)
        i++;
    must(queues[i] == NULL);
    queues[i] = queue->bytes;
    queue->bytes = NULL;
}

static void mock_begin(struct reading *reading)
{
    if (mock.connection == -1) {
        mock.connection = open("/dev/null", O_RDWR | O_CLOEXEC);
        mock.out = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    must(mock.connection != -1 && mock.out != -1);
    mock.reading = reading;
}

/* ---- What one says oneself ---- */

static const char input[] = "hello\n/me waves\n//slash\n/nick you\n/users\n/help\n/msg bob psst\n"
                            "h\xc3\xa9llo \x1b[31m\n/nonsense\nhello\n";

static struct session_setup setup_of(const uint8_t how[4])
{
    static const enum session_kind kinds[] = {
        SESSION_MEMBER, SESSION_MEMBER, SESSION_POSTER, SESSION_LISTER};

    return (struct session_setup){.kind = kinds[how[3] & 3],
        .keep = (how[3] & 4) != 0,
        .commands = (how[3] & 8) != 0,
        .secret = (how[3] & 16) != 0 ? "sesame" : NULL,
        .history = how[3]};
}

/* All that was said is whole lines, clean, of a length that the wire takes. */
static void said_check(const struct outbuf *said)
{
    const char *at = said->at;

    for (size_t left = said->len; left > 0; left = said->len - (size_t)(at - said->at)) {
        const char *lf = memchr(at, '\n', left);
        must(lf != NULL && lf - at <= LINE_IN_MAX);
        must(text_is_clean(at, (size_t)(lf - at)));
        at = lf + 1;
    }
}

/* Hands everything that waits to the server, or all but some bytes, which it never gets. */
static void session_say(struct reading *reading, size_t less)
{
    struct session *session = &reading->client.session;
    struct outbuf *said = &reading->said;
    struct span out;

    while ((out = session_pending(session)).len > less) {
        outbuf_add(said, out.at, out.len - less);
        session_sent(session, out.len - less);
        if (less > 0)
            break;
    }
    while (less > 0 && said->len > 0 && said->at[said->len - 1] != '\n')
        said->len--;
}

static void session_check(const struct session *session)
{
    const struct queue *queue = &session->queue;
    unsigned long lines = 0;

    must(queue->start <= queue->taken && queue->taken <= queue->delivered);
    must(queue->delivered <= queue->sent && queue->sent <= queue->end);
    must(queue->end <= QUEUE_WINDOW + QUEUE_SLACK);
    for (size_t i = queue->start; i < queue->end; i++)
        lines += queue->bytes[i] == '\n';
    must(lines == queue->count);
    must(lines + session->refused <= 10 + CONNECTIONS_MAX); /* with each a name may be taken back */
    must(strlen(session->me) <= NAME_LEN_MAX && text_is_clean(session->me, strlen(session->me)));
    must(strlen(session->token) <= SESSION_TOKEN_MAX);
}

/* ---- What is printed ---- */

/* The length of a colour at the beginning; nothing else may begin with ESC. */
static size_t colour_len(const char *at, const char *end)
{
    const char *begin = at;

    must(at + 1 < end && at[0] == '\x1b' && at[1] == '[');
    for (at += 2; at < end && ((*at >= '0' && *at <= '9') || *at == ';');)
        at++;
    must(at < end && *at == 'm');
    return (size_t)(at + 1 - begin);
}

/* One row, without its LF, is clean but for colours, where there are such. */
static void row_check(const struct console *console, const char *at, size_t len)
{
    char *text = must_allocate(len);
    const char *end = at + len;
    size_t n = 0;

    while (at < end) {
        if (*at == '\x1b') {
            must(console->view.colour != COLOUR_NONE && console->setup.format == CONSOLE_PRETTY);
            at += colour_len(at, end);
        } else {
            text[n++] = *at++;
        }
    }
    must(text_is_clean(text, n));
    free(text);
}

static void printed_check(const struct reading *reading, size_t lines, size_t size)
{
    const struct console *console = &reading->client.console;
    const char *at = reading->printed.at;
    const char *end = at != NULL ? at + reading->printed.len : at;
    size_t most = lines * EVENT_OUT_MAX + 4 * size;

    must(reading->printed.len <= (console->view.columns != 0 ? WRAPPED_MAX * most : most));
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        must(lf != NULL);
        row_check(console, at, (size_t)(lf - at));
        at = lf + 1;
    }
}

static void roster_check(const struct roster *roster, size_t size)
{
    must(roster->len <= size && roster->size <= 64 + 2 * size);
    for (size_t i = 0; i < roster->len; i++) {
        must(i == 0 || !roster->sorted || strcasecmp(roster->at[i - 1], roster->at[i]) < 0);
        must(strlen(roster->at[i]) <= NAME_LEN_MAX);
        must(text_is_clean(roster->at[i], strlen(roster->at[i])));
    }
}

/* ---- A connection ---- */

/* The receiver, from the first byte to the end of the stream or to where it has had enough. */
static void connection_run(struct reading *reading, const char *bytes, size_t len, enum cut cut)
{
    struct client *client = &reading->client;

    /* Somewhere on the way every byte is a piece of its own. */
    mock.stream = (struct stream){.at = bytes,
        .end = bytes + len,
        .alone = cut == CUT_BYTES && len > CUTS_MAX
                     ? (size_t)reading->how[2] * (len - CUTS_MAX) / 255
                     : 0,
        .cut = cut};
    client->connection.fd = -1;
    connection_adopt(&client->connection, mock.connection, -1);
    client->end = CLIENT_ON;
    receiver_main(client);
    must(client->end != CLIENT_ON && client->end != CLIENT_OUTPUT);
    must(client->connection.state == CONNECTION_DOWN);
}

/* Takes the bells out: there is one for what is read in one go, so they differ with the cuts. */
static size_t bells_remove(const struct console *console, char *text, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++) {
        must(text[i] != '\a' ||
             (console->setup.bell != NOTICE_NONE && i > 0 && text[i - 1] == '\n'));
        if (text[i] != '\a')
            text[kept++] = text[i];
    }
    return kept;
}

static void reading_begin(struct reading *reading, const uint8_t *data)
{
    struct client *client = &reading->client;
    struct session_setup setup = setup_of(data);
    struct console_setup console = {.out = mock.out,
        .bell = (data[0] & 1) != 0 ? NOTICE_MENTION : NOTICE_NONE,
        .quiet = (data[0] & 2) != 0,
        .format = (data[0] & 4) != 0 ? CONSOLE_WIRE : CONSOLE_PRETTY};

    memcpy(reading->how, data, sizeof reading->how);
    must(client_init(client, &reading->options));
    console_init(&client->console, &console);
    client->console.screen = true; /* else errors are told on standard error */
    client->console.setup.bell = console.bell;
    client->console.view.terminal = (data[0] & 8) != 0;
    client->console.view.colour = (enum view_colour)(data[0] >> 4 & 3) % 3;
    client->console.view.columns = data[1];
    must(session_init(&client->session, &setup));
    (void)session_name(&client->session, (data[3] & 32) != 0 ? "" : "ann");
    if (setup.kind != SESSION_LISTER)
        must(session_input(&client->session, input, sizeof input - 1) == sizeof input - 1);
    session_input_end(&client->session);
}

static void reading_end(struct reading *reading)
{
    session_free(&reading->client.session);
    view_free(&reading->client.console.view);
    outbuf_free(&reading->client.console.output.text);
    outbuf_free(&reading->client.console.output.held);
    free(reading->printed.at);
    outbuf_free(&reading->said);
    pthread_mutex_destroy(&reading->client.console.lock);
    pthread_mutex_destroy(&reading->client.lock);
    close(reading->client.wake[0]);
    close(reading->client.wake[1]);
    free(reading);
}

/* Whether the receiver would come back for more after such an end. */
static bool may_return(const struct client *client)
{
    return client->end == CLIENT_GONE || client->session.state == SESSION_FULL;
}

/* Reads it all, connection after connection. */
static struct reading *stream_read(const uint8_t *data, size_t size, enum cut cut)
{
    struct reading *reading = must_allocate(sizeof *reading);
    const char *at = (const char *)data + 4;
    const char *end = (const char *)data + size;

    mock_begin(reading);
    reading_begin(reading, data);
    reading->random = data[2];
    for (int i = 0; i < CONNECTIONS_MAX && at < end; i++) {
        const char *stop = memchr(at, 0xFF, (size_t)(end - at));
        stop = stop != NULL && i + 1 < CONNECTIONS_MAX ? stop : end;
        session_connect(&reading->client.session);
        session_say(reading, 0);
        connection_run(reading, at, (size_t)(stop - at), cut);
        /* What was open for writing has taken all that waited, but for some bytes perhaps. */
        session_say(reading, reading->client.session.state == SESSION_OPEN ? data[3] >> 6 : 0);
        session_check(&reading->client.session);
        if (!may_return(&reading->client))
            break;
        console_restart(&reading->client.console);
        at = stop < end ? stop + 1 : end;
    }
    reading->end = reading->client.end;
    reading->printed.len =
        bells_remove(&reading->client.console, reading->printed.at, reading->printed.len);
    return reading;
}

static bool bytes_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool readings_equal(const struct reading *a, const struct reading *b)
{
    const struct session *s = &a->client.session, *t = &b->client.session;

    return bytes_equal(a->printed.at, a->printed.len, b->printed.at, b->printed.len) &&
           bytes_equal(a->said.at, a->said.len, b->said.at, b->said.len) && a->end == b->end &&
           s->state == t->state && s->queue.count == t->queue.count && s->refused == t->refused &&
           strcmp(s->me, t->me) == 0 && strcmp(a->client.why, b->client.why) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    size_t lines = 1;

    if (size < 4 || size > STREAM_MAX)
        return 0;
    if (!begun)
        screen_locale();
    begun = true;
    for (size_t i = 4; i < size; i++)
        lines += data[i] == '\n';
    struct reading *whole = stream_read(data, size, CUT_NOWHERE);
    struct reading *bytes = stream_read(data, size, CUT_BYTES);
    struct reading *pieces = stream_read(data, size, CUT_PIECES);

    must(readings_equal(whole, bytes));
    must(readings_equal(whole, pieces));
    printed_check(whole, lines, size);
    said_check(&whole->said);
    roster_check(&whole->client.console.view.people.roster, size);
    reading_end(whole);
    reading_end(bytes);
    reading_end(pieces);
    return 0;
}
