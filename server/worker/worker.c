/* worker.c: one poll loop: the client's bytes to the hub, the hub's words to the worker. */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "protocol.h"
#include "server/sandbox.h"
#include "wire/line.h"
#include "wire/proxy.h"
#include "wire/telnet.h"
#include "wire/text.h"

#define CLIENT STDIN_FILENO
#define HUB STDOUT_FILENO

/* One read from the client. Measured: smaller ones cost speed in a burst, larger ones gain nothing.
 */
#define READ_MAX 65536
/* A line of the processor's cache: the kernel copies to it faster. */
#define ALIGNED 64
/* What one read can become: each byte three, with a line held from before it and a word. */
#define UP_MAX (3 * (LINE_IN_MAX + 1 + READ_MAX) + 128)
/* The hub's words; the longest is a title. */
#define WORD_MAX 255
/* How long the client's input is discarded after the hub's death. */
#define LINGER_MS 2000

enum worker_state {
    WORKER_HEADER, /* a proxy's header comes before the client's bytes */
    WORKER_RELAYING,
    WORKER_ENDING,  /* the hub has said CONTROL_END: until the client's socket is empty */
    WORKER_LEAVING, /* the hub will have been told the end: until the pair has taken it */
    WORKER_ORPHANED /* the hub is gone: until the client closes, or the deadline */
};

/*
 * The whole process: it lives on the stack of worker_main(). HEADER goes to RELAYING and LEAVING,
 * RELAYING to every state behind it, ENDING to LEAVING, and all of them to ORPHANED; LEAVING and
 * ORPHANED end in _exit().
 *
 * What goes up is [up_at, up_at + up_len), within up. The client is read only while that is empty,
 * so one buffer is enough, and a hub that takes nothing stops the client. The large buffers come
 * last and are not cleared: most clients never fill a page of them, and pages that were never
 * touched take no memory.
 */
struct worker {
    const struct proctitle *title;
    enum worker_state state;
    bool named;        /* the name has passed: what comes is lines */
    bool resumable;    /* the client has a token, and sends again what was cut off */
    uint64_t deadline; /* of ORPHANED, in clock_us() */
    struct telnet_filter telnet;
    struct line_splitter lines; /* the client's */
    struct line_splitter words; /* the hub's */
    char *up_at;
    size_t up_len;
    char word[WORD_MAX + 1];
    size_t header_len; /* HEADER: of header; else: so many first bytes are a signature's */
    char header[PROXY_HEADER_MAX];
    _Alignas(ALIGNED) char in[ALIGNED + READ_MAX]; /* the telnet filter needs a byte before it */
    _Alignas(ALIGNED) char up[UP_MAX];
    char line[LINE_IN_MAX + 1];
};

/* The call may succeed later; nothing is broken. */
static bool is_temporary(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS ||
           error == ENOMEM;
}

/* ---- To the hub ------------------------------------------------------------------------------ */

static char *up_end(const struct worker *w)
{
    return w->up_at + w->up_len;
}

static void up_add(struct worker *w, const char *text)
{
    size_t len = strlen(text);

    memcpy(up_end(w), text, len);
    w->up_len += len;
}

/* As many as fit; a client that asks for more at once is not read until all have gone. */
static void up_add_timing_marks(struct worker *w)
{
    const char *limit = w->up + UP_MAX - strlen(CONTROL_TIMING_MARK);

    while (w->telnet.timing_marks > 0 && up_end(w) <= limit) {
        w->telnet.timing_marks--;
        up_add(w, CONTROL_TIMING_MARK);
    }
}

/*
 * The hub is dead: it ends connections by SIGKILL to their workers, and never closes a pair first.
 * The end of the stream tells the client; its input is discarded, because closing a socket that
 * holds some would reset the connection and destroy the hub's last lines on their way.
 */
static void hub_lose(struct worker *w)
{
    w->state = WORKER_ORPHANED;
    w->up_len = 0;
    w->telnet.timing_marks = 0;
    w->deadline = clock_us() + LINGER_MS * UINT64_C(1000);
    (void)socket_shutdown_write(CLIENT);
}

static void up_flush(struct worker *w)
{
    ssize_t n;

    for (up_add_timing_marks(w); w->up_len > 0; up_add_timing_marks(w)) {
        n = socket_send(HUB, w->up_at, w->up_len);
        if (n == -1 && is_temporary(errno))
            return;
        if (n == -1) {
            hub_lose(w);
            return;
        }
        w->up_len -= (size_t)n;
        w->up_at = w->up_len > 0 ? w->up_at + n : w->up;
    }
    if (w->state == WORKER_LEAVING)
        _exit(0);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Nothing of the secret was replaced or removed: it stands behind its space as it was sent. */
static bool secret_is_as_sent(struct span line, struct span secret)
{
    const char *sent;

    if (line.len <= secret.len)
        return false;
    sent = line.at + line.len - secret.len;
    return sent[-1] == ' ' && memcmp(sent, secret.at, secret.len) == 0;
}

/* A secret that was cleaned is none: U+FFFD stands in no right one. */
static size_t secret_spoil(char *to)
{
    static const char spoilt[] = "/pass \xEF\xBF\xBD";

    memcpy(to, spoilt, sizeof(spoilt) - 1);
    return sizeof(spoilt) - 1;
}

/* A line that begins with a slash. It was cleaned to the end of what goes up, len bytes of it. */
static void line_relay_command(
    struct worker *w, struct span line, size_t len, enum line_result result)
{
    char *clean = up_end(w);
    struct request request;

    if (result == LINE_TOO_LONG) {
        up_add(w, CONTROL_TOO_LONG);
        return;
    }
    request = request_parse(clean, len, false);
    w->resumable |= request.command == CMD_TOKEN || request.command == CMD_RESUME;
    if (request.command == CMD_PASS && !secret_is_as_sent(line, request.text))
        len = secret_spoil(clean);
    w->up_len += len;
    up_add(w, "\n");
}

/*
 * The name is the first line that is not a command. It is cleaned by its own rule from the bytes
 * that were sent, which differ from the line's: a tab is a space in it, for one. One that is too
 * long is cut.
 */
static void line_relay_first(struct worker *w, struct span line, enum line_result result)
{
    char *clean = up_end(w);
    size_t len = text_clean(clean, line.at, line.len);

    if (len > 0 && clean[0] == '/') {
        line_relay_command(w, line, len, result);
        return;
    }
    w->named = true;
    if (!line_is_http(clean, len) && !line_is_proxy(clean, len))
        len = name_clean(clean, line.at, line.len);
    w->up_len += len;
    up_add(w, "\n");
}

static void line_relay(struct worker *w, struct span line, enum line_result result)
{
    size_t len;

    if (!w->named) {
        line_relay_first(w, line, result);
    } else if (result == LINE_TOO_LONG) {
        up_add(w, CONTROL_TOO_LONG);
    } else if ((len = text_clean(up_end(w), line.at, line.len)) > 0) {
        w->up_len += len;
        up_add(w, "\n");
    }
}

/*
 * The line that the client has not terminated. It goes up as a word, for the hub may know better
 * than this process whether the connection ended in order: an error is told only once, to one of
 * the two.
 */
static void line_relay_last(struct worker *w)
{
    struct span line;
    size_t before = w->up_len;
    size_t prefix = strlen(CONTROL_LAST);

    if (w->resumable || line_last(&w->lines, &line) != LINE_READY)
        return;
    up_add(w, CONTROL_LAST);
    line_relay(w, line, LINE_READY);
    if (w->up_len == before + prefix) /* an empty one */
        w->up_len = before;
}

/* ---- From the client ------------------------------------------------------------------------- */

/* Nothing more comes from the client. */
static void client_end(struct worker *w, const char *word)
{
    up_add(w, word);
    w->state = WORKER_LEAVING;
}

/*
 * True if the client's bytes begin like version 2 of a proxy's header, which is not text; version 1
 * is seen as a line. header_len counts the bytes that match so far; it stays below the whole if
 * others have followed.
 */
static bool is_proxy_header(struct worker *w, const char *bytes, size_t len)
{
    while (len > 0 && w->header_len < PROXY_SIGNATURE_LEN &&
           *bytes == proxy_signature[w->header_len]) {
        w->header_len++;
        bytes++;
        len--;
    }
    if (w->header_len == PROXY_SIGNATURE_LEN)
        return true;
    if (len > 0)
        w->header_len = SIZE_MAX;
    return false;
}

/* All of the client's bytes come through here, in order. */
static void client_take(struct worker *w, char *bytes, size_t len)
{
    const char *at;
    const char *end;
    struct span line;
    enum line_result result;

    if (w->header_len != SIZE_MAX && is_proxy_header(w, bytes, len)) {
        client_end(w, CONTROL_NO_PROXY);
        return;
    }
    at = telnet_filter(&w->telnet, bytes, &len);
    end = at + len;
    while ((result = line_next(&w->lines, &at, end, &line)) != LINE_NONE)
        line_relay(w, line, result);
}

static void up_add_proxy(struct worker *w, const struct proxy_header *header)
{
    char text[IP_PORT_TEXT_MAX];

    ip_port_format(text, &header->ip, header->port);
    up_add(w, CONTROL_PROXY);
    up_add(w, text);
    up_add(w, "\n");
}

/* What stands behind the header is the client's. */
static void header_end(struct worker *w, size_t len)
{
    size_t rest = w->header_len - len;
    char *in = w->in + ALIGNED;

    w->state = WORKER_RELAYING;
    w->header_len = 0; /* of a second one, which is not taken */
    memcpy(in, w->header + len, rest);
    if (rest > 0)
        client_take(w, in, rest);
}

static void header_take(struct worker *w)
{
    struct proxy_header header;

    switch (proxy_parse(&header, w->header, w->header_len)) {
    case PROXY_MORE:
        break;
    case PROXY_ADDRESS:
        up_add_proxy(w, &header);
        header_end(w, header.len);
        break;
    case PROXY_NONE:
        up_add(w, CONTROL_PROXY_SELF);
        header_end(w, header.len);
        break;
    case PROXY_INVALID:
        client_end(w, CONTROL_NO_PROXY);
        break;
    }
}

static void header_read(struct worker *w)
{
    ssize_t n = socket_recv(CLIENT, w->header + w->header_len, PROXY_HEADER_MAX - w->header_len);

    if (n > 0) {
        w->header_len += (size_t)n;
        header_take(w);
    } else if (n == 0 || !is_temporary(errno)) {
        client_end(w, n == 0 ? CONTROL_LEFT : CONTROL_LOST);
    }
    up_flush(w);
}

/* Complete lines that the kernel had received are read before the error of a broken connection. */
static void client_read(struct worker *w)
{
    char *in = w->in + ALIGNED;
    ssize_t n = socket_recv(CLIENT, in, READ_MAX);

    if (n > 0) {
        client_take(w, in, (size_t)n);
    } else if (n == 0) {
        line_relay_last(w);
        client_end(w, CONTROL_LEFT);
    } else if (!is_temporary(errno)) {
        client_end(w, CONTROL_LOST);
    }
    up_flush(w);
}

static void client_discard(struct worker *w)
{
    ssize_t n = socket_recv(CLIENT, w->in, READ_MAX);

    if (n == 0 || (n == -1 && !is_temporary(errno)))
        _exit(0);
}

/* ---- From the hub ---------------------------------------------------------------------------- */

static void title_set(const struct worker *w, const char *text, size_t len)
{
    char title[sizeof(CHATD_PROGRAM ": ") + WORD_MAX] = CHATD_PROGRAM ": ";
    size_t prefix = strlen(title);

    memcpy(title + prefix, text, len);
    proctitle_set(w->title, title, prefix + len);
}

static void control_take(struct worker *w, struct span word)
{
    size_t prefix = strlen(CONTROL_TITLE);

    if (word.len >= prefix && memcmp(word.at, CONTROL_TITLE, prefix) == 0)
        title_set(w, word.at + prefix, word.len - prefix);
    else if (word.len + 1 == strlen(CONTROL_END) && memcmp(word.at, CONTROL_END, word.len) == 0 &&
             w->state == WORKER_RELAYING)
        w->state = WORKER_ENDING;
}

static void hub_read(struct worker *w)
{
    char bytes[WORD_MAX + 1];
    const char *at = bytes;
    struct span word;
    enum line_result result;
    ssize_t n = socket_recv(HUB, bytes, sizeof(bytes));

    if (n == 0 || (n == -1 && !is_temporary(errno)))
        hub_lose(w);
    while (n > 0 && (result = line_next(&w->words, &at, bytes + n, &word)) != LINE_NONE)
        if (result == LINE_READY)
            control_take(w, word);
}

/* ---- The loop -------------------------------------------------------------------------------- */

static bool client_is_read(const struct worker *w)
{
    switch (w->state) {
    case WORKER_HEADER:
    case WORKER_RELAYING:
    case WORKER_ENDING:
        return w->up_len == 0 && w->telnet.timing_marks == 0;
    case WORKER_LEAVING:
        return false;
    case WORKER_ORPHANED:
        return true;
    }
    return false;
}

/* Milliseconds for poll(); -1 is without end. */
static int turn_timeout(const struct worker *w)
{
    uint64_t now;

    if (w->state == WORKER_ENDING && client_is_read(w))
        return 0;
    if (w->state != WORKER_ORPHANED)
        return -1;
    now = clock_us();
    if (now >= w->deadline)
        _exit(0);
    return (int)((w->deadline - now) / 1000) + 1;
}

static void hub_serve(struct worker *w, short revents)
{
    if ((revents & POLLOUT) != 0)
        up_flush(w);
    if ((revents & ~POLLOUT) != 0 && w->state != WORKER_ORPHANED)
        hub_read(w);
}

static void worker_turn(struct worker *w)
{
    bool reading = client_is_read(w);
    bool ending = w->state == WORKER_ENDING && reading;
    /* A descriptor that is not wanted is left out: its end would be reported again and again. */
    struct pollfd fds[2] = {
        {.fd = reading ? CLIENT : -1, .events = POLLIN},
        {.fd = w->state != WORKER_ORPHANED ? HUB : -1, .events = POLLIN},
    };

    if (w->up_len > 0)
        fds[1].events |= POLLOUT;
    if (poll(fds, 2, turn_timeout(w)) == -1)
        return;
    hub_serve(w, fds[1].revents);
    if (fds[0].revents != 0) {
        if (w->state == WORKER_ORPHANED)
            client_discard(w);
        else if (w->state == WORKER_HEADER)
            header_read(w);
        else
            client_read(w);
    } else if (ending && w->state == WORKER_ENDING) {
        client_end(w, CONTROL_LOST);
        up_flush(w);
    }
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* A signal to all processes of chatd is the parent's business. */
static void signals_ignore(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        sigaction(ignored[i], &ignore, NULL);
}

_Noreturn void worker_main(const struct proctitle *title, const char *mode)
{
    static const char starting[] = CHATD_PROGRAM ": no name yet";
    enum sandbox_tier tier;
    struct worker w;

    if (mode[0] == '\0' || !sandbox_from_letter(mode[0], &tier))
        _exit(1);
    memset(&w, 0, offsetof(struct worker, in));
    w.title = title;
    w.state = mode[1] == WORKER_PROXY ? WORKER_HEADER : WORKER_RELAYING;
    w.up_at = w.up;
    line_splitter_init(&w.lines, w.line, LINE_IN_MAX);
    line_splitter_init(&w.words, w.word, WORD_MAX);
    signals_ignore();
    oom_score_raise();
    parent_death_continues(); /* a worker that is stopped must not outlive a hub that is killed */
    proctitle_set(title, starting, strlen(starting)); /* over the arguments, mode among them */
    if (!sandbox_enter(SANDBOX_WORKER, tier))
        _exit(1);
    for (;;)
        worker_turn(&w);
}
