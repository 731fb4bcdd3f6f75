/*
 * login.c: from the first line to the welcome. All who give their name in one turn come in
 * together at its end: their joins stand in the log side by side, and one users list, written
 * once, is true for all of them.
 */
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "hub_private.h"
#include "wire/number.h"

/* ---- Before the name
 * ----------------------------------------------------------------------------- */

static bool has_secret(const struct hub *hub, const struct member *m)
{
    return hub->config.secret == NULL || m->passed;
}

/* The time this takes says nothing about the secret but its length. */
static bool secret_equal(const char *secret, struct span given)
{
    size_t len = strlen(secret);
    unsigned char differ = len != given.len || len == 0;

    for (size_t i = 0; i < given.len; i++)
        differ |= (unsigned char)(given.at[i] ^ secret[len == 0 ? 0 : i % len]);
    return differ == 0;
}

static enum taken refuse(struct hub *hub, struct member *m, const char *error)
{
    if (!outbox_say(hub, m, "error %s", error))
        return LINE_LATER;
    member_leave(hub, m, "lost", (struct span){NULL, 0});
    return LINE_TAKEN;
}

static enum taken usage(struct hub *hub, struct member *m, const char *text)
{
    return outbox_say(hub, m, "error usage %s", text) ? LINE_TAKEN : LINE_LATER;
}

static enum taken take_pass(struct hub *hub, struct member *m, struct span given)
{
    if (hub->config.secret == NULL)
        return LINE_TAKEN;
    if (secret_equal(hub->config.secret, given)) {
        m->passed = true;
        return LINE_TAKEN;
    }
    /* Guessing is slow: the answer takes its time, and then the connection is gone. */
    if (!m->wrong) {
        m->wrong = true;
        report_limited(hub->config.report, &hub->strangers, hub->now, LOG_NOTICE,
            "%s: wrong secret (pid %ld)", m->peer, (long)m->pid);
        member_pause(hub, m, PAUSE_UNTIL_WAKE, hub->now + WRONG_PASS_US);
        return LINE_LATER;
    }
    return refuse(hub, m, "password wrong secret");
}

static enum taken say_resumed(struct hub *hub, struct member *m)
{
    return outbox_say(hub, m, "resumed %llu", (unsigned long long)m->seat->answered) ? LINE_TAKEN
                                                                                     : LINE_LATER;
}

/* The newest connection has the seat; an earlier one that wants it too was given up. */
static enum taken send_taker_away(struct hub *hub, struct member *taker)
{
    (void)outbox_say(hub, taker, "error not-allowed a newer connection has this seat");
    member_leave(hub, taker, "lost", (struct span){NULL, 0});
    return LINE_TAKEN;
}

/* /resume: the old connection ends first, if it has not; then its seat is this one's. */
static enum taken take_resume(struct hub *hub, struct member *m, struct span token)
{
    struct seat *seat = seat_find(hub, token);
    struct member *rival = seat == NULL ? NULL : seat->taker != NULL ? seat->taker : seat->member;

    m->resumes = true;
    if (m->seat != NULL)
        return m->seat == seat ? say_resumed(hub, m) : usage(hub, m, "a session takes one seat");
    if (seat == NULL)
        return outbox_say(hub, m, "resumed ?") ? LINE_TAKEN : LINE_LATER;
    if (rival != NULL && rival->arrived > m->arrived)
        return send_taker_away(hub, m);
    if (seat->taker != NULL)
        (void)send_taker_away(hub, seat->taker);
    m->seat = seat;
    if (seat->member == NULL) {
        seat->member = m;
        return say_resumed(hub, m);
    }
    seat->taker = m;
    /* A client that takes nothing must not hold up what it has said. */
    outbox_deafen(seat->member);
    outbox_mark(hub, seat->member);
    if (!seat->member->reaped)
        hub->config.signal_worker(hub->config.context, seat->member->pid, SIGUSR1);
    member_pause(hub, m, PAUSE_TAKEOVER, hub->now + TAKEOVER_US);
    return LINE_LATER;
}

void login_take_over(struct hub *hub, struct member *taker, struct member *old)
{
    struct seat *seat = old->seat;

    seat->member = taker;
    seat->taker = NULL;
    taker->pause = PAUSE_NONE;
    member_queue_input(hub, taker);
    if (old->named) {
        memcpy(taker->name, old->name, sizeof(taker->name));
        names_give(hub->names, old->name, taker);
        taker->named = true;
        old->named = false;
    }
    if (old->seated) {
        taker->seated = true;
        taker->posting = false;
        old->seated = false;
        users_changed(hub);
    }
    taker->joined_stamp = old->joined_stamp;
    /* Its lines so far are answered by `resumed`: no gap counts them as the taker's, and the disk's
     * refusal of one of them is not for him; so he keeps a number of his own. */
    old->seat = NULL;
}

void login_takeover_late(struct hub *hub, struct member *taker)
{
    struct member *old = taker->seat->member;

    taker->wake = hub->now + TAKEOVER_US;
    if (old != NULL)
        member_kill(hub, old);
}

void login_late(struct hub *hub, struct member *m)
{
    (void)outbox_say(hub, m, "error login-timeout no name within %llu seconds",
        (unsigned long long)(hub->config.login_us / 1000000u));
    report_limited(hub->config.report, &hub->strangers, hub->now, LOG_INFO,
        "%s: gave no name in time (pid %ld)", m->peer, (long)m->pid);
    member_leave(hub, m, "lost", (struct span){NULL, 0});
}

void login_forget(struct hub *hub, struct member *m)
{
    for (size_t i = 0; m->state == MEMBER_NAMED && i < hub->named_count; i++)
        if (hub->named[i] == m) {
            hub->named_count--;
            memmove(
                &hub->named[i], &hub->named[i + 1], (hub->named_count - i) * sizeof(hub->named[0]));
            break;
        }
    if (m->seat != NULL && m->seat->taker == m) {
        m->seat->taker = NULL;
        m->seat = NULL;
    }
}

/* What he wants to be called: the kernel's word before his own, his address where nothing is. */
static void want_name(struct member *m, const char *line, size_t len)
{
    if (m->named) /* a seat was taken, and its name with it */
        return;
    if (m->login[0] != '\0')
        memcpy(m->name, m->login, sizeof(m->name));
    else if (name_clean(m->name, line, len) == 0)
        memcpy(m->name, m->peer, strlen(m->peer) + 1);
}

static enum taken take_name(struct hub *hub, struct member *m, const char *line, size_t len)
{
    if (line_is_http(line, len))
        return refuse(hub, m, "not-allowed this is a chat room, not a web server");
    if (!has_secret(hub, m))
        return refuse(hub, m, "password this room wants /pass SECRET before the name");
    if (hub->named_count == NAMED_MAX)
        return LINE_LATER;
    want_name(m, line, len);
    m->state = MEMBER_NAMED;
    hub->named[hub->named_count++] = m;
    return LINE_TAKEN;
}

enum taken login_line(struct hub *hub, struct member *m, const char *line, size_t len)
{
    struct request request = request_parse(line, len, false);

    if (!has_secret(hub, m) && (request.command == CMD_USERS || request.command == CMD_RESUME))
        return refuse(hub, m, "password this room wants /pass SECRET first");
    switch (request.command) {
    case CMD_HISTORY:
        if (!number_parse(request.text.at, request.text.len, 1000000000, &m->history))
            return usage(hub, m, "/history N");
        m->has_history = true;
        return LINE_TAKEN;
    case CMD_SINCE:
        if (request.text.len != STAMP_LEN ||
            !stamp_parse(request.text.at, request.text.len, &m->since))
            return usage(hub, m, "/since YYYY-MM-DDTHH:MM:SS.UUUUUUZ");
        m->has_since = true;
        return LINE_TAKEN;
    case CMD_POST:
        m->posting = !m->seated;
        return LINE_TAKEN;
    case CMD_PASS:
        return take_pass(hub, m, request.text);
    case CMD_TOKEN:
        m->wants_token = true;
        return LINE_TAKEN;
    case CMD_RESUME:
        return take_resume(hub, m, request.text);
    case CMD_USERS:
        return users_say(hub, m) ? LINE_TAKEN : LINE_LATER;
    case CMD_TEXT:
        return take_name(hub, m, line, len);
    case CMD_EMPTY:
    case CMD_UNKNOWN:
    case CMD_MSG:
    case CMD_ME:
    case CMD_NICK:
    case CMD_HELP:
    case CMD_QUIT:
    case CMD_KICK:
    case CMD_BAN:
    case CMD_UNBAN:
        break;
    }
    return outbox_say(hub, m, "error unknown-command no such command before the name") ? LINE_TAKEN
                                                                                       : LINE_LATER;
}

/* ---- The login ------------------------------------------------------------------------------- */

/* Where in the log this member's past begins; the joins of this turn begin at joins. */
static uint64_t past_begins(struct hub *hub, const struct member *m, uint64_t joins)
{
    uint64_t from;

    if (m->has_since) {
        from = log_after(hub->log, m->since);
        return from < joins ? from : joins;
    }
    return log_back(hub->log, joins, m->has_history ? m->history : hub->config.history);
}

/*
 * The items of a welcome. All that a login takes memory for is taken before the room hears of it,
 * so that between a join and its welcome nothing can happen.
 */
struct welcome {
    struct item *token;
    struct item *gap;
    struct item *list;
    struct item *you;
    struct item *title;
};

/* All but its stamp, which is that of the join. */
static struct item *you_new(const struct member *m)
{
    size_t len = strlen(m->name);
    struct item *item = item_new(STAMP_LEN + 5 + len + 1);

    if (item == NULL)
        return NULL;
    memcpy(item->bytes + STAMP_LEN, " you ", 5);
    memcpy(item->bytes + STAMP_LEN + 5, m->name, len);
    item->bytes[item->len - 1] = '\n';
    return item;
}

struct item *item_title(const struct member *m)
{
    size_t prefix = strlen(CONTROL_TITLE);
    struct item *item = item_new(prefix + strlen(m->name) + 1 + strlen(m->peer) + 1);
    char *at;

    if (item == NULL)
        return NULL;
    at = (char *)memcpy(item->bytes, CONTROL_TITLE, prefix) + prefix;
    at = (char *)memcpy(at, m->name, strlen(m->name)) + strlen(m->name);
    *at++ = ' ';
    at = (char *)memcpy(at, m->peer, strlen(m->peer)) + strlen(m->peer);
    *at = '\n';
    return item;
}

static void welcome_free(struct welcome *w)
{
    struct item *items[] = {w->token, w->gap, w->list, w->you, w->title};

    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        if (items[i] != NULL)
            item_free(items[i]);
}

/* Finds a free name, too. False without memory: the name, once found, stays his. */
static bool welcome_make(struct hub *hub, struct member *m, struct blob *list, struct welcome *w)
{
    bool gap = m->has_since && (!m->posting || m->resumes) && log_dropped_after(hub->log, m->since);

    memset(w, 0, sizeof(*w));
    if (!m->named && !hub_take_name(hub, m, m->name))
        return false;
    if (m->wants_token && m->seat == NULL)
        m->seat = seat_new(hub, m);
    if (m->wants_token && m->seat != NULL)
        w->token = item_say(hub, "token %s", m->seat->token);
    if (gap)
        w->gap = item_say(hub, "gap ? 0");
    if (!m->posting && list != NULL)
        w->list = item_blob(list);
    w->you = you_new(m);
    w->title = item_title(m);
    if (w->you == NULL || (!m->posting && w->list == NULL) ||
        (m->wants_token && w->token == NULL) || (gap && w->gap == NULL)) {
        welcome_free(w);
        return false;
    }
    return true;
}

/* Tells the room of one who has not been in it. */
static void take_seat(struct hub *hub, struct member *m)
{
    if (m->posting && m->joined_stamp == 0)
        m->joined_stamp = hub->wall > hub->stamp ? hub->wall : hub->stamp;
    if (m->posting || m->seated)
        return;
    m->joined_stamp = hub_event(hub, "join", m->name, NULL, (struct span){NULL, 0}, 0);
    m->seated = true;
    hub->members++;
    users_changed(hub);
}

static void put_between(
    struct hub *hub, struct member *m, struct item *item, uint64_t due, uint64_t after)
{
    if (item == NULL)
        return;
    item->due = due;
    item->after = after;
    item->shown = after;
    outbox_put_at(hub, m, item);
}

/* What was queued before the name comes first: its place is where the log begins for him. */
static void outbox_open(struct outbox *out, uint64_t cursor)
{
    out->reads_log = true;
    out->cursor = out->moved_to = cursor;
    out->limit = UINT64_MAX;
    for (struct item *item = out->first; item != NULL; item = item->next)
        item->due = item->after = cursor;
}

static void welcome_put(
    struct hub *hub, struct member *m, struct welcome *w, uint64_t joins, uint64_t after)
{
    uint64_t from = past_begins(hub, m, joins);

    if (m->posting && !(m->resumes && m->has_since)) {
        from = joins = after = m->out.cursor;
    } else {
        outbox_open(&m->out, from);
        if (from < hub->floor)
            hub->floor = from;
    }
    /* One who posts sees the room only up to now, to find what it has taken of him before. */
    if (m->posting) {
        after = joins;
        m->out.limit = joins;
    }
    stamp_format(w->you->bytes, m->joined_stamp);
    if (w->list != NULL)
        w->list->len = w->list->blob->len;
    put_between(hub, m, w->token, from, from);
    put_between(hub, m, w->gap, from, from);
    if (w->gap != NULL)
        gap_stamp(hub, w->gap);
    put_between(hub, m, w->list, joins, joins);
    put_between(hub, m, w->title, joins, joins);
    put_between(hub, m, w->you, joins, after);
}

static void let_in(struct hub *hub, struct member *m, struct welcome *welcome, uint64_t joins)
{
    welcome_put(hub, m, welcome, joins, log_head(hub->log));
    m->state = m->posting ? MEMBER_POSTING : MEMBER_JOINED;
    hub->counters.logins++;
    report(hub->config.report, LOG_INFO, "%s: %s %s (pid %ld)", m->peer, m->name,
        m->posting ? "posts" : "joined", (long)m->pid);
    member_queue_input(hub, m);
}

void login_all(struct hub *hub)
{
    struct welcome welcomes[NAMED_MAX];
    struct member *in[NAMED_MAX];
    uint64_t joins = log_head(hub->log);
    struct blob *list = hub->named_count > 0 ? users_new(hub, hub->named_count) : NULL;
    size_t count = 0;
    size_t left = 0;

    for (size_t i = 0; i < hub->named_count; i++) {
        struct member *m = hub->named[i];

        if (hub->budget >= LINE_OUT_MAX && welcome_make(hub, m, list, &welcomes[count])) {
            take_seat(hub, m);
            in[count++] = m;
        } else {
            hub->named[left++] = m; /* for want of room or memory: in the next turn */
        }
    }
    hub->named_count = left;
    if (list != NULL && count > 0)
        users_write(hub, list);
    for (size_t i = 0; i < count; i++)
        let_in(hub, in[i], &welcomes[i], joins);
    blob_release(list);
}
