/*
 * input.c: what workers say: from the bytes in their pairs to whole lines, one at a time, each
 * checked again. A line that cannot be taken now is kept and comes again; none is lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hub_private.h"
#include "wire/text.h"

/* What a worker says about itself, in its place between the lines. */
static enum taken control_line(struct hub *hub, struct member *m, const char *line, size_t len)
{
    static const struct {
        const char *line;
        const char *reason;
    } goodbyes[] = {
        {CONTROL_LEFT, "left"},
        {CONTROL_LOST, "lost"},
        {CONTROL_KICKED, "kicked"},
    };
    struct span none = {NULL, 0};

    for (size_t i = 0; i < sizeof(goodbyes) / sizeof(goodbyes[0]); i++)
        if (len + 1 == strlen(goodbyes[i].line) && memcmp(line, goodbyes[i].line, len) == 0) {
            if (m->goodbye)
                member_fault(hub, m, "a second goodbye");
            else if (m->state != MEMBER_LEAVING)
                member_leave(hub, m, goodbyes[i].reason, none);
            m->goodbye = true;
            return LINE_TAKEN;
        }
    if (len + 1 == strlen(CONTROL_TOO_LONG) && memcmp(line, CONTROL_TOO_LONG, len) == 0) {
        if (m->state == MEMBER_LEAVING)
            return LINE_TAKEN;
        if (!outbox_say(hub, m, "error too-long a line holds at most %d bytes", LINE_IN_MAX))
            return LINE_LATER;
        hub->counters.received += m->state != MEMBER_PREPARING;
        hub->counters.refused += m->state != MEMBER_PREPARING;
        if (m->state != MEMBER_PREPARING)
            member_answered(m);
        return LINE_TAKEN;
    }
    member_fault(hub, m, "an unknown control line");
    return LINE_TAKEN;
}

/* -r: lines have a clock of their own that may be ten of its seconds ahead. */
static bool member_is_too_fast(struct hub *hub, struct member *m)
{
    uint64_t step;

    if (hub->config.rate == 0)
        return false;
    step = 1000000u / hub->config.rate;
    if (m->rate_at < hub->now)
        m->rate_at = hub->now;
    if (m->rate_at + step > hub->now + 10u * 1000000u) {
        member_pause(hub, m, PAUSE_UNTIL_WAKE, m->rate_at + step - 10u * 1000000u);
        return true;
    }
    m->rate_at += step;
    return false;
}

static enum taken member_line(struct hub *hub, struct member *m, const char *line, size_t len)
{
    if (len > 0 && line[0] == CONTROL_BYTE)
        return control_line(hub, m, line, len);
    if (m->goodbye || len > LINE_CLEAN_MAX || !text_is_clean(line, len)) {
        member_fault(hub, m,
            m->goodbye             ? "a line after the goodbye"
            : len > LINE_CLEAN_MAX ? "a line too long"
                                   : "a line not clean");
        return LINE_TAKEN;
    }
    switch (m->state) {
    case MEMBER_PREPARING:
        return login_line(hub, m, line, len);
    case MEMBER_JOINED:
    case MEMBER_POSTING:
        if (member_is_too_fast(hub, m))
            return LINE_LATER;
        return command_line(hub, m, line, len);
    case MEMBER_NAMED:
        return LINE_LATER;
    case MEMBER_LEAVING:
        return LINE_TAKEN;
    }
    return LINE_TAKEN;
}

/* May this member's next line be taken now? */
static bool member_may_speak(const struct hub *hub, const struct member *m)
{
    return m->pause == PAUSE_NONE && m->state != MEMBER_NAMED && !m->faulty &&
           hub->budget >= LINE_OUT_MAX;
}

/* Takes the whole lines of len bytes as far as it may; returns how many bytes those were. */
static size_t take_lines(struct hub *hub, struct member *m, const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;

    while (at < end && member_may_speak(hub, m)) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));

        if (lf == NULL)
            break;
        if (member_line(hub, m, at, (size_t)(lf - at)) == LINE_LATER) {
            if (m->pause == PAUSE_NONE && m->state != MEMBER_NAMED)
                member_pause(hub, m, PAUSE_UNTIL_WAKE, hub->now + MEMORY_RETRY_US);
            break;
        }
        at = lf + 1;
        if (m->out.bytes > OUTBOX_MAX && m->pause == PAUSE_NONE)
            member_pause(hub, m, PAUSE_OUTBOX, 0);
    }
    return m->faulty ? len : (size_t)(at - bytes);
}

/*
 * Keeps the input that could not be taken yet. Without memory for it, it stays in the scratch
 * buffer, and nobody is read until there is: a line that was read is never lost.
 */
static void member_keep(struct hub *hub, struct member *m, size_t used, size_t len)
{
    size_t rest = len - used;

    if (rest > 0 && rest != m->held_len) {
        char *held = realloc(m->held, rest);

        if (held == NULL) {
            memmove(hub->scratch, hub->scratch + used, rest);
            hub->stuck = m;
            hub->stuck_len = rest;
            return;
        }
        m->held = held;
    }
    if (rest > 0)
        memcpy(m->held, hub->scratch + used, rest);
    if (rest == 0) {
        free(m->held);
        m->held = NULL;
    }
    m->held_len = rest;
}

/* Input waits that needs no reading: a whole line that could not be taken earlier. */
static bool member_has_line(const struct member *m)
{
    return m->held_len > 0 && memchr(m->held, '\n', m->held_len) != NULL;
}

static void member_read(struct hub *hub, struct member *m)
{
    size_t len = m->held_len;
    bool more = true;
    size_t used;

    if (m->held_len > 0)
        memcpy(hub->scratch, m->held, len);
    if (!member_has_line(m) && !m->eof) {
        ssize_t n = recv(m->fd, hub->scratch + len, READ_MAX, 0);

        /* A dead worker reads as its last bytes, then perhaps ECONNRESET, then end of file. */
        if (n == -1 && errno == ECONNRESET)
            n = recv(m->fd, hub->scratch + len, READ_MAX, 0);
        if (n == -1) {
            more = false;
        } else if (n == 0) {
            m->eof = true;
        } else {
            len += (size_t)n;
        }
    }
    used = more ? take_lines(hub, m, hub->scratch, len) : 0;
    if (!m->eof && len - used > LINE_CLEAN_MAX &&
        memchr(hub->scratch + used, '\n', len - used) == NULL) {
        member_fault(hub, m, "a line without end");
        used = len;
    }
    member_keep(hub, m, used, len);
}

/* The pair has given all and all of it is taken: what is left is a line that was cut off. */
static void member_check_eof(struct hub *hub, struct member *m)
{
    if (!m->eof || m->over || member_has_line(m) || hub->stuck == m)
        return;
    /* Who hangs up without a goodbye has died; its body tells how. It may also just pretend. */
    if (!m->goodbye && m->state != MEMBER_LEAVING)
        member_kill(hub, m);
    member_end(hub, m);
}

static bool unstick(struct hub *hub)
{
    struct member *m = hub->stuck;

    if (m == NULL)
        return true;
    hub->stuck = NULL;
    member_keep(hub, m, 0, hub->stuck_len);
    if (hub->stuck != NULL)
        return false;
    member_queue_input(hub, m);
    return true;
}

static struct member *next_input(struct hub *hub)
{
    struct member *m = hub->input_first;

    hub->input_first = m->next_queued;
    m->queued = false;
    return m;
}

/* Reads from everybody in the queue once, as long as the log has room for what they say. */
void input_read_all(struct hub *hub)
{
    struct member *last;
    struct member *m;
    bool end = false;

    if (!unstick(hub))
        return;
    last = hub->input_last;
    while (!end && hub->input_first != NULL && hub->budget >= LINE_OUT_MAX) {
        m = next_input(hub);
        end = m == last;
        if (m->over || m->pause != PAUSE_NONE)
            continue;
        member_read(hub, m);
        if (member_has_line(m) && m->pause == PAUSE_NONE && !m->over)
            member_queue_input(hub, m);
        member_check_eof(hub, m);
        member_listen(hub, m);
        if (hub->stuck != NULL)
            return;
    }
}
