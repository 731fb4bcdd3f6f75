/* session.c: the lines before the name, the welcome, answers and resumption. */
#include "session.h"
#include "../wire/text.h"

#include <stdio.h>
#include <string.h>

/* A line under way that is this long loses a piece to the wire. What stays may hold its CR. */
#define HELD_ENOUGH (2 * LINE_IN_MAX)

static void name_copy(char out[NAME_LEN_MAX + 1], struct span name)
{
    size_t len = name.len < NAME_LEN_MAX ? name.len : NAME_LEN_MAX;

    memcpy(out, name.at, len);
    out[len] = '\0';
}

bool session_init(struct session *session, const struct session_setup *setup)
{
    *session = (struct session){.setup = *setup};
    if (setup->kind == SESSION_LISTER)
        session->input = SESSION_ENDED;
    line_splitter_init(&session->splitter, session->held, SESSION_HELD);
    return queue_init(&session->queue);
}

void session_free(struct session *session)
{
    queue_free(&session->queue);
}

bool session_name(struct session *session, const char *raw)
{
    return name_clean(session->asked, raw, strlen(raw)) > 0;
}

/* ---- Input --------------------------------------------------------------------------- */

/* Text of any length, clean, as messages. */
static void put_text(struct session *session, const char *text, size_t len)
{
    while (len > 0) {
        bool slash = *text == '/';
        size_t piece = text_cut(text, len, slash ? LINE_IN_MAX - 1 : LINE_IN_MAX);
        queue_put(&session->queue, slash ? "/" : "", (struct span){text, piece});
        text += piece;
        len -= piece;
    }
}

static void session_lose_command(struct session *session, struct span line)
{
    losses_add(&session->losses, LOSS_TOO_LONG, line);
    session->refused++;
}

static void put_command(struct session *session, struct span line)
{
    if (line.len > LINE_IN_MAX) {
        session_lose_command(session, line);
    } else if (request_parse(line.at, line.len, true).command == CMD_QUIT) {
        queue_put_quit(&session->queue, line);
        session->quitting = true;
        session->input = SESSION_ENDED;
    } else {
        queue_put(&session->queue, "", line);
    }
}

/* A line of input, or a piece that begins a longer one; begins: nothing of it has gone before. */
static void put_input(struct session *session, struct span raw, bool begins)
{
    char clean[3 * SESSION_HELD];
    size_t len = text_clean(clean, raw.at, raw.len);
    bool slash = begins && session->setup.commands && len > 0 && clean[0] == '/';

    if (slash && (len < 2 || clean[1] != '/'))
        put_command(session, (struct span){clean, len});
    else
        put_text(session, clean + slash, len - slash);
}

/* A command that does not end: what is held of it begins it. */
static void session_lose_held(struct session *session, size_t len)
{
    char clean[3 * LINE_IN_MAX];

    len = text_clean(clean, session->held, len);
    session_lose_command(session, (struct span){clean, len});
}

/* Sends the first piece of a line that is too long to be held until it ends. */
static void input_cut(struct session *session)
{
    struct line_splitter *splitter = &session->splitter;
    bool begins = !session->cutting;
    size_t piece = text_cut(splitter->held, splitter->len, LINE_IN_MAX);

    if (begins && session->setup.commands && splitter->held[0] == '/' && splitter->held[1] != '/') {
        session_lose_held(session, piece);
        splitter->skipping = true;
        splitter->len = 0;
        return;
    }
    put_input(session, (struct span){splitter->held, piece}, begins);
    splitter->len -= piece;
    memmove(splitter->held, splitter->held + piece, splitter->len);
    session->cutting = true;
}

bool session_wants_input(const struct session *session)
{
    return session->input == SESSION_TAKES && queue_has_room(&session->queue);
}

size_t session_input(struct session *session, const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;
    struct span line;

    while (at < end && session_wants_input(session)) {
        /* No more than can be held, so that no line is ever too long for the splitter. */
        size_t room = SESSION_HELD - session->splitter.len;
        const char *stop = (size_t)(end - at) < room ? end : at + room;
        if (line_next(&session->splitter, &at, stop, &line) == LINE_READY) {
            put_input(session, line, !session->cutting);
            session->cutting = false;
        } else if (session->splitter.len >= HELD_ENOUGH) {
            input_cut(session);
        }
    }
    return (size_t)(at - bytes);
}

void session_input_end(struct session *session)
{
    struct span line;

    if (session->input != SESSION_TAKES)
        return;
    if (line_last(&session->splitter, &line) == LINE_READY)
        put_input(session, line, !session->cutting);
    session->input = SESSION_ENDED;
}

void session_input_stop(struct session *session)
{
    session->splitter.len = 0;
    if (session->input == SESSION_TAKES)
        session->input = SESSION_ENDED;
}

void session_abandon(struct session *session)
{
    char clean[3 * SESSION_HELD];
    struct span half = {clean, text_clean(clean, session->held, session->splitter.len)};

    queue_drop_unsent(&session->queue, &session->losses);
    if (half.len > 0)
        losses_add(&session->losses, LOSS_LEFT, half);
    session_input_stop(session);
    session->input = SESSION_ABANDONED;
}

/* ---- Output -------------------------------------------------------------------------- */

static void prelude_add(struct session *session, const char *command, const char *argument)
{
    struct prelude *prelude = &session->prelude;
    size_t room = sizeof prelude->bytes - prelude->len;
    int len = snprintf(prelude->bytes + prelude->len, room, "%s%s\n", command, argument);

    if (len > 0 && (size_t)len < room)
        prelude->len += (size_t)len;
}

/* Resumes the last connection's session, or at least tells where the events are to begin. */
static void prelude_resume(struct session *session)
{
    char stamp[STAMP_LEN + 1];

    if (session->token[0] != '\0')
        prelude_add(session, "/resume ", session->token);
    stamp_format(stamp, session->last);
    stamp[STAMP_LEN] = '\0';
    prelude_add(session, "/since ", stamp);
}

/* What may come before the name, and the name. */
static void prelude_join(struct session *session)
{
    char history[24];

    if (session->setup.kind == SESSION_POSTER)
        prelude_add(session, "/post", "");
    if (session->setup.keep)
        prelude_add(session, "/token", "");
    if (session->last != 0) {
        prelude_resume(session);
    } else {
        snprintf(history, sizeof history, "%lu", session->setup.history);
        prelude_add(session, "/history ", history);
    }
    prelude_add(session, session->lost[0] != '\0' ? session->lost : session->asked, "");
}

void session_connect(struct session *session)
{
    if (session->state == SESSION_OPEN)
        replay_begin(&session->replay, &session->queue, session->me);
    replay_connect(&session->replay);
    session->state = SESSION_LOGIN;
    session->offered[0] = '\0';
    session->prelude.len = 0;
    session->prelude.sent = 0;
    if (session->setup.secret != NULL)
        prelude_add(session, "/pass ", session->setup.secret);
    if (session->setup.kind == SESSION_LISTER)
        prelude_add(session, "/users", "");
    else
        prelude_join(session);
}

struct span session_pending(const struct session *session)
{
    const struct prelude *prelude = &session->prelude;

    if (prelude->sent < prelude->len)
        return (struct span){prelude->bytes + prelude->sent, prelude->len - prelude->sent};
    if (session->state != SESSION_OPEN)
        return (struct span){prelude->bytes, 0};
    return queue_unsent(&session->queue);
}

void session_sent(struct session *session, size_t len)
{
    if (session->prelude.sent < session->prelude.len)
        session->prelude.sent += len;
    else
        session->queue.sent += len;
}

bool session_is_done(const struct session *session)
{
    if (session->state == SESSION_LISTED)
        return true;
    if (session->input == SESSION_ABANDONED)
        return session_pending(session).len == 0;
    return session->state == SESSION_OPEN && session->input == SESSION_ENDED &&
           session->queue.count == 0 && queue_unsent(&session->queue).len == 0;
}

void session_say_goodbye(struct session *session)
{
    static const char quit[] = "/quit";

    if (session->state != SESSION_OPEN || session->quitting)
        return;
    queue_put_quit(&session->queue, (struct span){quit, sizeof quit - 1});
    session->quitting = true;
}

/* ---- Events -------------------------------------------------------------------------- */

/* True for an echo of a line of this session. */
static bool event_is_mine(const struct session *session, const struct event *event)
{
    switch (event->verb) {
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
    case VERB_NICK:
    case VERB_PRIV:
        return span_equal(event->name, session->me);
    case VERB_HERE:
    case VERB_USERS:
    case VERB_YOU:
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_NOTE:
    case VERB_GAP:
    case VERB_ERROR:
        return false;
    }
    return false;
}

bool session_is_own(const struct session *session, const struct event *event)
{
    const char *me = session->me[0] != '\0' ? session->me : session->asked;
    char name[NAME_LEN_MAX + 1], folded[NAME_LEN_MAX + 1], own[NAME_LEN_MAX + 1];

    name_copy(name, event->name);
    name_fold(folded, name);
    name_fold(own, me);
    return verb_is_message(event->verb) && strcmp(folded, own) == 0;
}

/* A name that one did not ask for, the address, is not asked for the next time either. */
static void session_rename(struct session *session, struct span name)
{
    name_copy(session->me, name);
    if (session->asked[0] != '\0')
        name_copy(session->asked, name);
}

static void session_take_token(struct session *session, struct span token)
{
    if (token.len > SESSION_TOKEN_MAX)
        return;
    memcpy(session->offered, token.at, token.len);
    session->offered[token.len] = '\0';
}

/* ---- A name that the old session still has --------------------------------------------- */

/*
 * On another connection one has another name than before, and one's quit was not among the events
 * of the time between: the old session is still there, perhaps until its path is found to be dead.
 */
static void reclaim_look(struct session *session, struct span name)
{
    bool old_is_there = session->replay.then[0] != '\0' && session->asked[0] != '\0';

    session->reclaiming = false;
    if (span_equal(name, session->lost))
        session->lost[0] = '\0';
    if (session->lost[0] == '\0' && old_is_there && !span_equal(name, session->replay.then))
        memcpy(session->lost, session->replay.then, sizeof session->lost);
}

/* The old session has ended. */
static void reclaim_begin(struct session *session, struct span name)
{
    struct span lost = {session->lost, strlen(session->lost)};

    if (lost.len == 0 || session->reclaiming || session->input == SESSION_ABANDONED ||
        session->quitting || !span_equal(name, session->lost))
        return;
    queue_put(&session->queue, "/nick ", lost);
    session->reclaiming = true;
}

/* The answer to a line: true if it is an error that refuses the name, which is not shown. */
static bool reclaim_is_refused(struct session *session, struct request oldest)
{
    if (!session->reclaiming || oldest.command != CMD_NICK ||
        !span_equal(oldest.text, session->lost))
        return false;
    session->reclaiming = false;
    session->lost[0] = '\0';
    return true;
}

/* The user has a name that they want, or the lost one. */
static void reclaim_end(struct session *session)
{
    session->lost[0] = '\0';
    session->reclaiming = false;
}

/* ---- The server's lines ---------------------------------------------------------------- */

/*
 * The welcome is complete. Only now is a new token worth more than the old one, which still stood
 * for the lines of the last connection; answers are counted anew for it.
 */
static void session_open(struct session *session, struct span name)
{
    if (session->setup.kind == SESSION_MEMBER)
        reclaim_look(session, name);
    session_rename(session, name);
    session->refused += replay_end(
        &session->replay, &session->queue, session->setup.kind == SESSION_MEMBER, &session->losses);
    if (strcmp(session->token, session->offered) != 0)
        session->queue.answered = 0;
    memcpy(session->token, session->offered, sizeof session->token);
    session->state = SESSION_OPEN;
}

static void session_login_event(struct session *session, const struct event *event)
{
    switch (event->verb) {
    case VERB_USERS:
        session->present = event->count;
        if (session->setup.kind == SESSION_LISTER)
            session->state = SESSION_LISTED;
        break;
    case VERB_YOU:
        session_open(session, event->name);
        break;
    case VERB_TOKEN:
        session_take_token(session, event->word);
        break;
    case VERB_ERROR:
        if (event->error == ERROR_FULL)
            session->state = SESSION_FULL;
        else
            session->state = SESSION_REFUSED;
        break;
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_NICK:
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
    case VERB_RESUMED:
    case VERB_GAP:
        replay_event(&session->replay, &session->queue, event);
        break;
    case VERB_HERE:
    case VERB_PRIV:
    case VERB_NOTE:
        break;
    }
}

static bool command_wants_note(enum command command)
{
    return command == CMD_HELP || command == CMD_KICK || command == CMD_BAN || command == CMD_UNBAN;
}

static void session_open_event(struct session *session, const struct event *event)
{
    struct request oldest = {.command = CMD_EMPTY};

    queue_oldest(&session->queue, &oldest);
    switch (event->verb) {
    case VERB_USERS:
        if (oldest.command == CMD_USERS)
            queue_answer(&session->queue);
        break;
    case VERB_NOTE: /* may also come unasked */
        if (command_wants_note(oldest.command))
            queue_answer(&session->queue);
        break;
    case VERB_ERROR:
        if (queue_answer(&session->queue) && !reclaim_is_refused(session, oldest))
            session->refused++;
        break;
    case VERB_GAP:
        for (unsigned long i = 0; i < event->mine && queue_answer(&session->queue); i++)
            continue;
        break;
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
    case VERB_NICK:
    case VERB_PRIV:
        if (!event_is_mine(session, event))
            break;
        if (event->verb == VERB_NICK) {
            session->asked[0] = '_'; /* no longer the address, if it was that */
            session_rename(session, event->word);
            reclaim_end(session);
        }
        queue_answer(&session->queue);
        break;
    case VERB_QUIT:
        reclaim_begin(session, event->name);
        break;
    case VERB_HERE:
    case VERB_YOU:
    case VERB_JOIN:
    case VERB_TOKEN:
    case VERB_RESUMED:
        break;
    }
}

void session_event(struct session *session, const struct event *event)
{
    if ((verb_is_room(event->verb) || event->verb == VERB_YOU) && event->stamp > session->last)
        session->last = event->stamp;
    if (session->state == SESSION_LOGIN)
        session_login_event(session, event);
    else if (session->state == SESSION_OPEN)
        session_open_event(session, event);
}
