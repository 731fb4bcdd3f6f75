/* input.c: reading from pairs, splitting, checking. */
#include "input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "commands.h"
#include "connection.h"
#include "ending.h"
#include "login.h"
#include "proxy.h"
#include "rate.h"
#include "wire/telnet.h"
#include "wire/text.h"

/* One read from a worker; large reads make the batches that are the hub's speed. */
#define READ_MAX 65536u

static const struct span no_text = {NULL, 0};

bool input_init(struct input_buffer *buffer)
{
    /* Behind what is held from before there is space for one full read. */
    *buffer = (struct input_buffer){.bytes = malloc(2 * READ_MAX)};
    return buffer->bytes != NULL;
}

void input_free(struct input_buffer *buffer)
{
    free(buffer->bytes);
}

void input_ready(struct connections *cs, struct connection *c, short revents)
{
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && c->in.pause == PAUSE_NONE)
        connection_queue_input(cs, c);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* A line whose turn it is, if the client is not faster than -r. What follows the name has a burst
 * of its own, or the rest of the burst of the session that it resumes. */
static enum taken rated_line(
    struct connections *cs, struct connection *c, const char *line, size_t len)
{
    unsigned rate = cs->config->rate;
    uint64_t due = rate_due(c->in.rate_at, rate, cs->turn.now);
    bool named = c->session != SESSION_PREPARING;
    enum taken taken;

    if (due > cs->turn.now) {
        connection_pause(cs, c, PAUSE_UNTIL, due);
        return LINE_LATER;
    }
    taken = named ? command_line(cs, c, line, len) : login_line(cs, c, line, len);
    if (!named && c->session != SESSION_PREPARING)
        c->in.rate_at = c->token != NULL ? c->token->rate_at : 0;
    else if (taken == LINE_TAKEN)
        c->in.rate_at = rate_count(c->in.rate_at, rate, cs->turn.now);
    return taken;
}

/* What is no request stands behind the answers to those that are under way. */
static enum taken wait_for_stream(struct connections *cs, struct connection *c)
{
    connection_pause(cs, c, PAUSE_STREAM, TIME_NEVER);
    return LINE_LATER;
}

static enum taken text_line(
    struct connections *cs, struct connection *c, const char *line, size_t len)
{
    if (c->in.under_way > 0 && c->session != SESSION_LEFT && !command_may_overtake(c, line, len))
        return wait_for_stream(cs, c);
    switch (c->session) {
    case SESSION_PREPARING:
    case SESSION_MEMBER:
    case SESSION_POSTER:
        return rated_line(cs, c, line, len);
    case SESSION_NAMED:
    case SESSION_WELCOME:
        return LINE_LATER;
    case SESSION_LEFT:
        break;
    }
    return LINE_TAKEN;
}

/* The answer to a telnet client's question stands between the lines that it is sent. */
static enum taken timing_mark(struct connections *cs, struct connection *c)
{
    size_t len = strlen(TELNET_WONT_TIMING_MARK);
    struct item *item = item_new(len);

    if (item == NULL)
        return LINE_LATER;
    memcpy(item->bytes, TELNET_WONT_TIMING_MARK, len);
    connection_put(cs, c, item);
    return LINE_TAKEN;
}

/* The client closed its side, or its connection broke; where a write has met the break first, the
 * worker sees only the end. */
static void goodbye_take(struct connections *cs, struct connection *c, bool left)
{
    c->in.state = INPUT_BYE;
    if (left && c->out.link.state != LINK_RESET)
        session_end(cs, c, ENDING_GOODBYE, "left", no_text);
    else if (c->token != NULL && c->token->claimant != NULL)
        session_end(cs, c, ENDING_MOVED, "lost", no_text);
    else
        session_end(cs, c, ENDING_LOST, "lost", no_text);
}

/* An unterminated last line counts, unless the connection broke. */
static enum taken last_line(
    struct connections *cs, struct connection *c, const char *line, size_t len)
{
    enum taken taken = LINE_TAKEN;

    if (!text_is_clean(line, len)) {
        session_fault(cs, c, "a line that is not clean");
        return LINE_TAKEN;
    }
    if (c->out.link.state != LINK_RESET)
        taken = text_line(cs, c, line, len);
    if (taken == LINE_TAKEN && c->in.state == INPUT_OPEN)
        c->in.state = INPUT_LAST;
    return taken;
}

static bool word_is(struct span line, const char *word)
{
    return line.len + 1 == strlen(word) && memcmp(line.at, word, line.len) == 0;
}

/* Removes a word that something follows from the front. False where it is another one. */
static bool word_strip(struct span *line, const char *word)
{
    size_t len = strlen(word);

    if (line->len < len || memcmp(line->at, word, len) != 0)
        return false;
    *line = (struct span){line->at + len, line->len - len};
    return true;
}

/* In front of the lines of a client that comes through a proxy. */
static enum taken header_line(struct connections *cs, struct connection *c, struct span line)
{
    if (word_is(line, CONTROL_PROXY_SELF))
        return proxy_line(cs, c, no_text);
    if (word_strip(&line, CONTROL_PROXY) && line.len > 0)
        return proxy_line(cs, c, line);
    session_fault(cs, c, "a line before the proxy's address");
    return LINE_TAKEN;
}

/* What a worker says about its client, in its place between the lines. */
static enum taken control_line(struct connections *cs, struct connection *c, struct span line)
{
    struct span last = line;

    if (c->in.under_way > 0 && c->session != SESSION_LEFT)
        return wait_for_stream(cs, c);
    if (word_is(line, CONTROL_LEFT) || word_is(line, CONTROL_LOST)) {
        goodbye_take(cs, c, word_is(line, CONTROL_LEFT));
        return LINE_TAKEN;
    }
    if ((c->in.state == INPUT_HEADER || c->in.state == INPUT_OPEN) &&
        word_is(line, CONTROL_NO_PROXY))
        return proxy_refuse(cs, c);
    if (c->in.state == INPUT_HEADER)
        return header_line(cs, c, line);
    if (c->in.state == INPUT_OPEN && word_is(line, CONTROL_TOO_LONG))
        return c->session == SESSION_LEFT ? LINE_TAKEN : command_too_long(cs, c);
    if (c->in.state == INPUT_OPEN && word_is(line, CONTROL_TIMING_MARK))
        return timing_mark(cs, c);
    if (c->in.state == INPUT_OPEN && word_strip(&last, CONTROL_LAST))
        return last_line(cs, c, last.at, last.len);
    session_fault(cs, c, "an unknown control word");
    return LINE_TAKEN;
}

/* A worker is trusted with nothing: it may have been taken over by its client. */
static enum taken take_line(struct connections *cs, struct connection *c, struct span line)
{
    if (c->in.state == INPUT_BYE) {
        session_fault(cs, c, "a line after the goodbye");
        return LINE_TAKEN;
    }
    if (line.len > 0 && line.at[0] == CONTROL_BYTE && line.len <= LINE_CLEAN_MAX)
        return control_line(cs, c, line);
    if (c->in.state == INPUT_HEADER)
        return header_line(cs, c, line);
    if (c->in.state == INPUT_LAST || line.len > LINE_CLEAN_MAX ||
        !text_is_clean(line.at, line.len)) {
        session_fault(cs, c,
            c->in.state == INPUT_LAST   ? "a line after the last"
            : line.len > LINE_CLEAN_MAX ? "a line that is too long"
                                        : "a line that is not clean");
        return LINE_TAKEN;
    }
    return text_line(cs, c, line.at, line.len);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* May this client's next line be taken now? */
static bool may_take_line(const struct connections *cs, const struct connection *c)
{
    return c->in.pause == PAUSE_NONE && c->in.state != INPUT_CLOSED && !connection_is_entering(c) &&
           connections_have_room(cs);
}

/* Takes the whole lines of len bytes as far as it may; returns how many bytes those were. */
static size_t take_lines(
    struct connections *cs, struct connection *c, const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;

    while (at < end && may_take_line(cs, c)) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));

        if (lf == NULL)
            break;
        c->in.next = (struct span){lf + 1, (size_t)(end - lf - 1)};
        if (take_line(cs, c, (struct span){at, (size_t)(lf - at)}) == LINE_LATER) {
            if (c->in.pause == PAUSE_NONE)
                connection_pause(cs, c, PAUSE_UNTIL, cs->turn.now + MEMORY_RETRY_US);
            break;
        }
        at = lf + 1;
        if (connection_is_full(c) && c->in.pause == PAUSE_NONE)
            connection_pause(cs, c, PAUSE_QUEUE, TIME_NEVER);
    }
    c->in.next = no_text;
    return c->in.state == INPUT_CLOSED ? len : (size_t)(at - bytes);
}

/* Keeps the input that could not be taken yet. */
static void keep_rest(struct input_buffer *buffer, struct connection *c, size_t used, size_t len)
{
    size_t rest = len - used;

    if (rest > 0) {
        char *held = realloc(c->in.held, rest);

        if (held == NULL) {
            memmove(buffer->bytes, buffer->bytes + used, rest);
            buffer->stuck = c;
            buffer->stuck_len = rest;
            return;
        }
        c->in.held = held;
    }
    if (rest > 0)
        memcpy(c->in.held, buffer->bytes + used, rest);
    if (rest == 0) {
        free(c->in.held);
        c->in.held = NULL;
    }
    c->in.held_len = rest;
}

/* Input waits that needs no reading: a whole line that could not be taken earlier. */
static bool has_line(const struct connection *c)
{
    return c->in.held_len > 0 && memchr(c->in.held, '\n', c->in.held_len) != NULL;
}

enum read_result { READ_SOME, READ_NOTHING, READ_EOF };

/* A worker that died reads as its last bytes, then perhaps ECONNRESET, then end of file. */
static enum read_result pair_read(struct connection *c, char *to, size_t *len)
{
    ssize_t n = recv(c->worker.pair, to, READ_MAX, 0);

    if (n == -1 && errno == ECONNRESET)
        n = recv(c->worker.pair, to, READ_MAX, 0);
    if (n == -1)
        return READ_NOTHING;
    c->worker.heard = true;
    *len += (size_t)n;
    return n == 0 ? READ_EOF : READ_SOME;
}

static void connection_read(
    struct connections *cs, struct input_buffer *buffer, struct connection *c)
{
    enum read_result result = READ_SOME;
    size_t len = c->in.held_len;
    size_t used = 0;

    if (len > 0)
        memcpy(buffer->bytes, c->in.held, len);
    if (!has_line(c))
        result = pair_read(c, buffer->bytes + len, &len);
    c->in.held_len = 0;
    if (result != READ_NOTHING)
        used = take_lines(cs, c, buffer->bytes, len);
    if (c->in.state != INPUT_CLOSED && len - used > LINE_CLEAN_MAX + 64 &&
        memchr(buffer->bytes + used, '\n', len - used) == NULL)
        session_fault(cs, c, "a line without end");
    if (c->in.state == INPUT_CLOSED)
        return;
    /* What is left at the end of file is a line that was cut off, unless it waits for its time. */
    if (result == READ_EOF && memchr(buffer->bytes + used, '\n', len - used) == NULL)
        session_input_over(cs, c);
    else
        keep_rest(buffer, c, used, len);
}

/* The process has ended, and not after a goodbye: what it has relayed before is discarded. */
static bool has_crashed(const struct connection *c)
{
    return c->worker.state == WORKER_REAPED && c->session != SESSION_LEFT &&
           (c->in.state == INPUT_CLOSED || !WIFEXITED(c->worker.status) ||
               WEXITSTATUS(c->worker.status) != 0);
}

void input_forget_closed(struct input_buffer *buffer)
{
    if (buffer->stuck != NULL && buffer->stuck->in.state == INPUT_CLOSED)
        buffer->stuck = NULL;
}

static bool buffer_is_free(struct connections *cs, struct input_buffer *buffer)
{
    struct connection *c = buffer->stuck;

    if (c == NULL)
        return true;
    buffer->stuck = NULL;
    if (c->in.state == INPUT_CLOSED)
        return true;
    keep_rest(buffer, c, 0, buffer->stuck_len);
    if (buffer->stuck != NULL)
        return false;
    connection_queue_input(cs, c);
    return true;
}

static void connection_serve(
    struct connections *cs, struct input_buffer *buffer, struct connection *c)
{
    if (has_crashed(c)) {
        session_worker_died(cs, c);
        return;
    }
    if (c->in.state == INPUT_CLOSED || c->in.state == INPUT_SILENT || c->in.pause != PAUSE_NONE)
        return;
    connection_read(cs, buffer, c);
    if (has_line(c) && c->in.pause == PAUSE_NONE && !connection_is_entering(c))
        connection_queue_input(cs, c);
    connection_listen(cs, c);
}

void input_read_all(struct connections *cs, struct input_buffer *buffer)
{
    struct list *last;
    bool done = false;

    if (!buffer_is_free(cs, buffer) || list_is_empty(&cs->inputs))
        return;
    last = cs->inputs.prev;
    while (!done && buffer->stuck == NULL && !list_is_empty(&cs->inputs) &&
           connections_have_room(cs)) {
        struct list *first = list_take(&cs->inputs);

        done = first == last;
        connection_serve(cs, buffer, LIST_ENTRY(struct connection, in.queued, first));
    }
}
