/* worker.c: see worker.h. */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"
#include "sandbox.h"
#include "wire/address.h"
#include "wire/line.h"
#include "wire/telnet.h"
#include "wire/text.h"

#define CLIENT 0
#define HUB 1

/* Measured: smaller pieces cost speed in a burst, larger ones gain nothing. */
#define PIECE 65536
/*
 * But pages that are never touched cost nothing, and most clients never see a burst: so much is
 * read at once from the hub until that many reads were full. (Not in a row: the hub gives what the
 * pair takes, and the last read of that is seldom full.)
 */
#define PIECE_FIRST 16384
#define FULL_READS 16
/* A line of the processor's cache. */
#define ALIGNED 64
/* A piece of the client's, and a line held from before it, cleaned. */
#define UP_MAX (3 * (PIECE + LINE_IN_MAX) + 64)
/* The peer takes nothing for so long after the end: it will not any more. */
#define DRAIN_MS 60000
/* What is left to do after the hub's death, and for the client's goodbye to ours. */
#define LINGER_MS 2000
/* But a client that has all of ours and says nothing has nothing that a reset could destroy. */
#define QUIET_MS 300
/* While the peer's kernel owes us an acknowledgement: how often to look, and how long it may. */
#define WATCH_MS 10000
#define DEAD_SECONDS 80
/* In a busy room the time is looked at once in so many wake-ups: it is for slow clocks only. */
#define WAKES_PER_LOOK 4

static volatile sig_atomic_t got_term;
static volatile sig_atomic_t got_usr1;

static void on_signal(int sig)
{
    if (sig == SIGTERM)
        got_term = 1;
    else
        got_usr1 = 1;
}

enum stage {
    STAGE_OPEN,   /* both directions */
    STAGE_DRAIN,  /* the hub has said all: it goes out, then our end is shut */
    STAGE_LINGER, /* everything is out: wait for the client to see it */
};

/* One process, one client: all there is to know. It lives on the stack of worker_main(). */
struct worker {
    const struct proctitle *title;
    enum stage stage;
    bool hub_gone;
    bool named;      /* the name line has passed */
    bool resumable;  /* the client may come again and send what was cut off */
    bool client_eof; /* no more comes from the client */
    bool client_bad; /* nothing more can be sent to him */
    bool goodbye;    /* the hub has been told */
    bool watching;   /* the peer's kernel owes an acknowledgement */
    bool mid_line;   /* the last byte that went down was not a LF */
    unsigned wakes;
    int64_t now; /* milliseconds; old, see WAKES_PER_LOOK */
    int64_t watch_at;
    int64_t progress_at; /* when the client last took something */
    int64_t deadline;    /* of the whole process; -1: none */
    uint64_t acked;
    struct telnet_filter telnet;
    struct line_splitter splitter;
    char *up_at;
    size_t up_len;
    char *down_at;
    size_t down_len;
    bool client_closed; /* his end has come too */
    int64_t lingering;  /* until when; 0: not yet */
    int full_reads;
    size_t control_len;
    char control[sizeof(CONTROL_TITLE) + NAME_LEN_MAX + PEER_TEXT_MAX + 2];
    /*
     * Aligned, for then the kernel copies faster. Most never fill a buffer: what is touched of the
     * first is on the page of the above.
     */
    _Alignas(ALIGNED) char in[ALIGNED + PIECE]; /* the telnet filter needs a byte before it */
    _Alignas(ALIGNED) char up[UP_MAX];
    _Alignas(ALIGNED) char down[PIECE];
    char held[LINE_IN_MAX + 1];
};

static int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS ||
           error == ENOMEM;
}

static void deadline_set(struct worker *w, int64_t ms)
{
    w->now = clock_ms();
    if (w->deadline == -1 || w->deadline > w->now + ms)
        w->deadline = w->now + ms;
}

/* It has died: what it has left in the pair is still for the client. */
static void hub_lose(struct worker *w)
{
    w->hub_gone = true;
    deadline_set(w, LINGER_MS);
}

/* ---- Up: from the client to the hub ---------------------------------------------------------- */

static void up_add(struct worker *w, const char *bytes, size_t len)
{
    memcpy(w->up_at + w->up_len, bytes, len);
    w->up_len += len;
}

/* The name is cleaned by its own rule here, where its bytes are still as they were sent. */
static void up_name(struct worker *w, const char *line, size_t len)
{
    char name[NAME_LEN_MAX + 1];

    w->named = true;
    if (line_is_http(line, len))
        w->up_len += text_clean(w->up_at + w->up_len, line, len);
    else
        up_add(w, name, name_clean(name, line, len));
    up_add(w, "\n", 1);
}

static void up_line(struct worker *w, struct span line, enum line_result result)
{
    char *clean = w->up_at + w->up_len;
    size_t len = text_clean(clean, line.at, line.len);
    bool preparing = !w->named && len > 0 && *clean == '/';
    enum command command;

    if (preparing) {
        command = request_parse(clean, len, false).command;
        w->resumable |= command == CMD_TOKEN || command == CMD_RESUME;
    }
    if (!w->named && !preparing) {
        up_name(w, line.at, line.len);
    } else if (result == LINE_TOO_LONG) {
        up_add(w, CONTROL_TOO_LONG, strlen(CONTROL_TOO_LONG));
    } else if (len > 0) {
        w->up_len += len;
        up_add(w, "\n", 1);
    }
}

/* Tells the hub, once, that nothing more comes and why. */
static void up_goodbye(struct worker *w, const char *control)
{
    if (w->goodbye)
        return;
    w->goodbye = true;
    w->client_eof = true;
    up_add(w, control, strlen(control));
}

static void up_flush(struct worker *w)
{
    ssize_t n;

    while (w->up_len > 0) {
        n = send(HUB, w->up_at, w->up_len, MSG_NOSIGNAL);
        if (n == -1 && would_block(errno))
            return;
        if (n == -1) {
            hub_lose(w);
            w->up_len = 0;
            break;
        }
        w->up_at += n;
        w->up_len -= (size_t)n;
    }
    w->up_at = w->up;
}

static void up_bytes(struct worker *w, char *bytes, size_t len)
{
    const char *at = telnet_filter(&w->telnet, bytes, &len);
    const char *end = at + len;
    struct span line;
    enum line_result result;

    while ((result = line_next(&w->splitter, &at, end, &line)) != LINE_NONE)
        up_line(w, line, result);
}

/*
 * One read from the client; only called with nothing waiting to go up. A reset connection loses
 * its unterminated line; what was complete in the kernel's buffer is read before the error shows.
 */
static bool up_read(struct worker *w)
{
    struct span line;
    char *in = w->in + ALIGNED;
    ssize_t n = recv(CLIENT, in, PIECE, 0);

    if (n > 0) {
        up_bytes(w, in, (size_t)n);
        up_flush(w);
        return true;
    }
    if (n == -1 && would_block(errno))
        return false;
    if (n == 0 && !w->client_bad) {
        /* Where a tunnel dies its end looks like a goodbye: who can resume sends the line again. */
        if (line_last(&w->splitter, &line) == LINE_READY && !w->resumable)
            up_line(w, line, LINE_READY);
        up_goodbye(w, CONTROL_LEFT);
    } else {
        w->client_bad = true;
        up_goodbye(w, CONTROL_LOST);
    }
    up_flush(w);
    return false;
}

/* A read that gave nothing may just have been interrupted. */
static bool client_has_more(void)
{
    struct pollfd pfd = {.fd = CLIENT, .events = POLLIN};

    return poll(&pfd, 1, 0) != 0;
}

/* Another connection takes the seat: everything that has arrived counts, then this one ends. */
static void up_end(struct worker *w)
{
    while (!w->client_eof && w->up_len == 0 && (up_read(w) || client_has_more()))
        ;
    if (w->up_len > 0 || w->client_eof)
        return; /* again, when the hub has taken it */
    w->client_bad = true;
    up_goodbye(w, CONTROL_LOST);
    up_flush(w);
}

/* ---- Down: from the hub to the client
 * ------------------------------------------------------------ */

static void down_control(struct worker *w, const char *line, size_t len)
{
    size_t prefix = strlen(CONTROL_TITLE);
    char title[16 + NAME_LEN_MAX + PEER_TEXT_MAX];

    if (len < prefix || memcmp(line, CONTROL_TITLE, prefix) != 0)
        return;
    line += prefix;
    len -= prefix;
    if (len + 7 > sizeof(title))
        return;
    memcpy(title, "chatd: ", 7);
    memcpy(title + 7, line, len);
    proctitle_set(w->title, title, len + 7);
}

/*
 * Takes the hub's words to the worker out of what was read. Such a line comes in one piece, unless
 * the read ended in it: then the rest of it is awaited (a title is short, the hub writes it whole).
 */
static void down_filter(struct worker *w)
{
    char *end = w->down_at + w->down_len;
    char *mark;

    while ((mark = memchr(w->down_at, CONTROL_BYTE, (size_t)(end - w->down_at))) != NULL) {
        char *lf = memchr(mark, '\n', (size_t)(end - mark));

        if (lf == NULL) {
            if ((size_t)(end - mark) <= sizeof(w->control)) {
                w->control_len = (size_t)(end - mark);
                memcpy(w->control, mark, w->control_len);
            }
            end = mark;
            break;
        }
        down_control(w, mark, (size_t)(lf - mark));
        memmove(mark, lf + 1, (size_t)(end - lf - 1));
        end -= lf + 1 - mark;
    }
    w->down_len = (size_t)(end - w->down_at);
}

/* The client is gone, but what he sent before may still be in the kernel: it is read as ever. */
static void down_fail(struct worker *w)
{
    w->client_bad = true;
    w->down_len = 0;
}

static void down_send(struct worker *w)
{
    ssize_t n;

    if (w->down_len == 0)
        return;
    if (w->client_bad) {
        w->down_len = 0;
        return;
    }
    n = send(CLIENT, w->down_at, w->down_len, MSG_NOSIGNAL);
    if (n == -1 && would_block(errno))
        return;
    if (n == -1) {
        down_fail(w);
        return;
    }
    w->down_at += n;
    w->down_len -= (size_t)n;
    /* The answer to a telnet ends with 6, which no line of the hub's can hold. */
    w->mid_line = w->down_at[-1] != '\n' && w->down_at[-1] != TELNET_WONT_TIMING_MARK[2];
    w->progress_at = w->now;
    if (!w->watching) {
        w->watching = true;
        w->watch_at = w->now + WATCH_MS;
    }
}

static void down_read(struct worker *w)
{
    size_t room = w->full_reads < FULL_READS ? PIECE_FIRST : PIECE;
    ssize_t n;

    memcpy(w->down, w->control, w->control_len);
    w->down_at = w->down;
    n = recv(HUB, w->down + w->control_len, room - w->control_len, 0);
    if (n > 0) {
        w->full_reads += room == PIECE_FIRST && (size_t)n == room - w->control_len;
        w->down_len = w->control_len + (size_t)n;
        w->control_len = 0;
        down_filter(w);
        down_send(w);
    } else if (n == 0 || !would_block(errno)) {
        w->stage = STAGE_DRAIN;
        w->progress_at = w->now = clock_ms();
    }
}

/* Telnet's questions are answered between what the hub sends, once the way is free. */
static void down_timing_marks(struct worker *w)
{
    while (w->telnet.timing_marks > 0 && w->down_len == 0 && !w->mid_line) {
        w->telnet.timing_marks--;
        memcpy(w->down, TELNET_WONT_TIMING_MARK, 3);
        w->down_at = w->down;
        w->down_len = 3;
        down_send(w);
    }
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* A kick: the client is told, if a line can be put there, and the hub is. */
static void take_term(struct worker *w)
{
    static const char text[] = " note you have been sent out of the room\n";
    struct timespec ts;

    got_term = 0;
    if (w->goodbye) { /* over already, but what the client has said still counts */
        deadline_set(w, w->up_len > 0 ? LINGER_MS : 0);
        return;
    }
    up_goodbye(w, CONTROL_KICKED);
    up_flush(w);
    if (w->down_len == 0 && !w->mid_line) {
        clock_gettime(CLOCK_REALTIME, &ts);
        stamp_format(w->down, (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u);
        memcpy(w->down + STAMP_LEN, text, strlen(text));
        w->down_at = w->down;
        w->down_len = STAMP_LEN + strlen(text);
        down_send(w);
    }
    deadline_set(w, LINGER_MS);
}

/* Does the kernel still wait for the peer, and in vain? */
static void watch(struct worker *w)
{
    w->watch_at = w->now + WATCH_MS;
    if (tcp_is_dead(CLIENT, DEAD_SECONDS)) {
        w->client_bad = true;
        w->down_len = 0;
        up_goodbye(w, CONTROL_LOST);
        up_flush(w);
        return;
    }
    w->watching = w->down_len > 0 || !tcp_all_acked(CLIENT);
}

/* After the hub's last byte: out with the rest, then our goodbye, then the client's. */
static void end_stages(struct worker *w)
{
    uint64_t acked;

    if (w->stage == STAGE_DRAIN && w->down_len == 0) {
        w->stage = STAGE_LINGER;
        shutdown(CLIENT, SHUT_WR);
    }
    acked = tcp_bytes_acked(CLIENT);
    if (acked != w->acked) {
        w->acked = acked;
        w->progress_at = w->now;
    }
    if (w->now - w->progress_at >= DRAIN_MS || w->client_bad)
        _exit(0);
    if (w->stage == STAGE_LINGER) {
        if (w->lingering == 0 && tcp_all_acked(CLIENT)) {
            w->lingering = w->now + QUIET_MS;
            deadline_set(w, LINGER_MS);
        }
        if (w->client_closed || (w->lingering != 0 && w->now >= w->lingering))
            _exit(0);
    }
}

/* In the end the client's bytes are read only to be thrown away: closing a socket that holds
 * unread bytes would reset the connection, and the goodbye with it. */
static void discard(struct worker *w)
{
    ssize_t n = recv(CLIENT, w->in, PIECE, 0);

    if (n > 0 && w->lingering != 0)
        w->lingering = w->now + QUIET_MS;
    if (n == 0 || (n == -1 && !would_block(errno)))
        w->client_closed = true;
}

/* ---- The loop
 * ------------------------------------------------------------------------------------- */

static int next_timeout(const struct worker *w)
{
    int64_t at = w->deadline;

    /* What a dead hub has left is there to be read at once. */
    if (w->hub_gone && w->stage == STAGE_OPEN && w->down_len == 0)
        return 0;
    if (w->stage != STAGE_OPEN && (at == -1 || at > w->now + 200))
        at = w->now + 200;
    if (w->watching && (at == -1 || at > w->watch_at))
        at = w->watch_at;
    if (at == -1)
        return -1;
    return at > w->now ? (int)(at - w->now) : 0;
}

static void wait_for_events(struct worker *w, const sigset_t *mask, struct pollfd fds[2])
{
    int n;

    fds[0].fd = w->client_bad && w->client_eof ? -1 : CLIENT;
    fds[0].events = 0;
    if (w->stage == STAGE_OPEN ? !w->client_eof && w->up_len == 0 : !w->client_closed)
        fds[0].events |= POLLIN;
    if (w->down_len > 0)
        fds[0].events |= POLLOUT;
    if (fds[0].events == 0)
        fds[0].fd = -1;
    fds[1].fd = w->hub_gone ? -1 : HUB;
    fds[1].events = w->down_len == 0 && w->stage == STAGE_OPEN ? POLLIN : 0;
    if (w->up_len > 0)
        fds[1].events |= POLLOUT;
    fds[0].revents = fds[1].revents = 0;
    n = poll_masked(fds, 2, next_timeout(w), mask);
    if (n <= 0)
        fds[0].revents = fds[1].revents = 0;
    if (n <= 0 || w->stage != STAGE_OPEN || w->deadline != -1 || ++w->wakes % WAKES_PER_LOOK == 0)
        w->now = clock_ms();
}

static void pump(struct worker *w, const struct pollfd fds[2])
{
    if ((fds[1].revents & (POLLHUP | POLLERR)) != 0 && !w->hub_gone)
        hub_lose(w);
    if (w->up_len > 0 && (fds[1].revents & (POLLOUT | POLLHUP | POLLERR)) != 0)
        up_flush(w);
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        if (w->stage != STAGE_OPEN)
            discard(w);
        else if (!w->client_eof && w->up_len == 0)
            (void)up_read(w);
    }
    if ((fds[0].revents & (POLLOUT | POLLHUP | POLLERR)) != 0)
        down_send(w);
    if (w->down_len == 0 && w->stage == STAGE_OPEN &&
        (w->hub_gone || (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0))
        down_read(w);
    down_timing_marks(w);
}

static _Noreturn void worker_loop(struct worker *w, const sigset_t *mask)
{
    struct pollfd fds[2];

    for (;;) {
        wait_for_events(w, mask, fds);
        if (got_term)
            take_term(w);
        pump(w, fds);
        if (got_usr1)
            up_end(w);
        if (w->watching && w->now >= w->watch_at)
            watch(w);
        /* Told the hub that nobody is there: nothing is left to do. */
        if (w->client_bad && w->goodbye && w->up_len == 0)
            _exit(0);
        if (w->stage != STAGE_OPEN)
            end_stages(w);
        if (w->deadline != -1 && w->now >= w->deadline)
            _exit(0);
    }
}

static void signals_prepare(sigset_t *mask)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t block;

    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, mask);
    sigdelset(mask, SIGTERM);
    sigdelset(mask, SIGUSR1);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    /* The keys of the operator's terminal are for the parent. */
    sa.sa_handler = SIG_IGN;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    sigaction(SIGQUIT, &sa, NULL);
}

_Noreturn void worker_main(const struct proctitle *title, enum worker_cage cage)
{
    static const char starting[] = "chatd: nobody yet";
    struct worker w;
    sigset_t mask;

    /* The buffers are left alone: a page that is never touched is never there. */
    memset(&w, 0, offsetof(struct worker, in));
    w.title = title;
    w.deadline = -1;
    w.up_at = w.up;
    w.down_at = w.down;
    line_splitter_init(&w.splitter, w.held, LINE_IN_MAX);
    signals_prepare(&mask);
    proctitle_set(title, starting, strlen(starting));
    if (cage != WORKER_LOOSE && sandbox_enter() != SANDBOX_FILTER && cage == WORKER_LOCKED)
        _exit(1);
    w.now = clock_ms();
    worker_loop(&w, &mask);
}
