/*
 * session.c: see session.h.
 */
#include "session.h"
#include "../wire/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line under way that is this long loses a piece to the wire. What stays may hold its CR. */
#define HELD_ENOUGH (2 * LINE_IN_MAX)

static bool span_equals(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

static void name_copy(char out[NAME_LEN_MAX + 1], struct span name)
{
    size_t len = name.len < NAME_LEN_MAX ? name.len : NAME_LEN_MAX;

    memcpy(out, name.at, len);
    out[len] = '\0';
}

/* ---- The lines ----------------------------------------------------------------------- */

bool session_init(struct session *session, const struct session_setup *setup)
{
    *session = (struct session){.setup = *setup, .ended = setup->kind == SESSION_LISTER};
    session->lines = malloc(SESSION_WINDOW + SESSION_SLACK);
    line_splitter_init(&session->splitter, session->held, SESSION_HELD);
    return session->lines != NULL;
}

void session_free(struct session *session)
{
    free(session->lines);
    session->lines = NULL;
}

bool session_name(struct session *session, const char *raw)
{
    return name_clean(session->asked, raw, strlen(raw)) > 0;
}

/* Moves what is unanswered to the front of the memory. */
static void lines_compact(struct session *session)
{
    size_t gone = session->start;

    memmove(session->lines, session->lines + gone, session->end - gone);
    session->start = 0;
    session->sent -= gone;
    session->end -= gone;
    session->taken -= session->taken < gone ? session->taken : gone;
    session->delivered -= session->delivered < gone ? session->delivered : gone;
}

/* Adds bytes that session_has_room() has found room for. */
static void lines_add(struct session *session, const char *bytes, size_t len)
{
    if (session->end + len > SESSION_WINDOW + SESSION_SLACK)
        lines_compact(session);
    memcpy(session->lines + session->end, bytes, len);
    session->end += len;
}

static bool session_has_room(const struct session *session)
{
    return session->end - session->start < SESSION_WINDOW;
}

/* The line that begins at `at`, without its LF; at->at == NULL where none ends before limit. */
static struct span line_from(const struct session *session, size_t at, size_t limit)
{
    const char *begin = session->lines + at;
    const char *lf = at < limit ? memchr(begin, '\n', limit - at) : NULL;

    return (struct span){lf != NULL ? begin : NULL, lf != NULL ? (size_t)(lf - begin) : 0};
}

/* The oldest line that is unanswered and wholly sent. */
static bool line_oldest(const struct session *session, struct request *request)
{
    struct span line = line_from(session, session->start, session->sent);

    if (line.at == NULL)
        return false;
    *request = request_parse(line.at, line.len, true);
    return request->command != CMD_QUIT;
}

/* The oldest line has its answer. False where there is no such line. */
static bool line_answered(struct session *session)
{
    struct request request;

    if (!line_oldest(session, &request))
        return false;
    session->start += line_from(session, session->start, session->sent).len + 1;
    session->answered++;
    session->unanswered--;
    return true;
}

/* ---- Input --------------------------------------------------------------------------- */

static void put_line(struct session *session, const char *line, size_t len)
{
    lines_add(session, line, len);
    lines_add(session, "\n", 1);
    session->unanswered++;
}

/* Text of any length, clean, as messages. */
static void put_text(struct session *session, const char *text, size_t len)
{
    while (len > 0) {
        bool slash = *text == '/';
        size_t piece = text_cut(text, len, slash ? LINE_IN_MAX - 1 : LINE_IN_MAX);
        if (slash)
            lines_add(session, "/", 1);
        put_line(session, text, piece);
        text += piece;
        len -= piece;
    }
}

static void put_command(struct session *session, const char *line, size_t len)
{
    if (len > LINE_IN_MAX) {
        session->refused++;
        return;
    }
    put_line(session, line, len);
    if (request_parse(line, len, true).command == CMD_QUIT) {
        session->unanswered--; /* answered by the end of the stream */
        session->quitting = true;
        session->ended = true;
    }
}

/* A line of input, or a piece that begins a longer one; begins: nothing of it has gone before. */
static void put_input(struct session *session, struct span raw, bool begins)
{
    char clean[3 * SESSION_HELD];
    size_t len = text_clean(clean, raw.at, raw.len);
    bool slash = begins && session->setup.commands && len > 0 && clean[0] == '/';

    if (slash && (len < 2 || clean[1] != '/'))
        put_command(session, clean, len);
    else
        put_text(session, clean + slash, len - slash);
}

/* Sends the first piece of a line that is too long to be held until it ends. */
static void input_cut(struct session *session)
{
    struct line_splitter *splitter = &session->splitter;
    bool begins = !session->cutting;
    size_t piece = text_cut(splitter->held, splitter->len, LINE_IN_MAX);

    if (begins && session->setup.commands && splitter->held[0] == '/' && splitter->held[1] != '/') {
        session->refused++;
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
    return !session->ended && session_has_room(session);
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

    if (!session->ended && line_last(&session->splitter, &line) == LINE_READY)
        put_input(session, line, !session->cutting);
    session->ended = true;
}

void session_input_stop(struct session *session)
{
    session->splitter.len = 0;
    session->ended = true;
}

void session_abandon(struct session *session)
{
    size_t at = session->sent;

    session_input_stop(session);
    while (at < session->end && at > session->start && session->lines[at - 1] != '\n')
        at++;
    session->end = at;
    session->abandoned = true;
}

/* ---- Output -------------------------------------------------------------------------- */

static void prelude_add(struct session *session, const char *command, const char *argument)
{
    size_t room = sizeof session->prelude - session->prelude_len;
    int len = snprintf(session->prelude + session->prelude_len, room, "%s%s\n", command, argument);

    if (len > 0 && (size_t)len < room)
        session->prelude_len += (size_t)len;
}

/* Takes the seat of the last connection back, or else tells where the events are to begin. */
static void prelude_resume(struct session *session)
{
    char stamp[STAMP_LEN + 1];

    if (session->token[0] != '\0')
        prelude_add(session, "/resume ", session->token);
    stamp_format(stamp, session->last);
    stamp[STAMP_LEN] = '\0';
    prelude_add(session, "/since ", stamp);
}

/* Where the lines that were wholly sent end. */
static size_t lines_delivered(const struct session *session)
{
    size_t at = session->sent;

    while (at > session->start && session->lines[at - 1] != '\n')
        at--;
    return at;
}

/*
 * The connection has broken on which lines went out. What the events tell from here on is kept
 * over further connections that do not get as far as that: the events will not come again.
 */
static void replay_begin(struct session *session)
{
    session->delivered = lines_delivered(session);
    session->sent = session->start;
    session->taken = session->start;
    memcpy(session->then, session->me, sizeof session->then);
    session->echoes = 0;
    session->gap = false;
}

void session_connect(struct session *session)
{
    char history[24];

    if (session->state == SESSION_OPEN)
        replay_begin(session);
    session->state = SESSION_LOGIN;
    session->resumed = RESUMED_SILENCE;
    session->offered[0] = '\0';
    session->prelude_len = 0;
    session->prelude_sent = 0;
    if (session->setup.secret != NULL)
        prelude_add(session, "/pass ", session->setup.secret);
    if (session->setup.kind == SESSION_LISTER) {
        prelude_add(session, "/users", "");
        return;
    }
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
    prelude_add(session, session->asked, "");
}

struct span session_pending(const struct session *session)
{
    if (session->prelude_sent < session->prelude_len)
        return (struct span){
            session->prelude + session->prelude_sent, session->prelude_len - session->prelude_sent};
    if (session->state != SESSION_OPEN)
        return (struct span){session->lines, 0};
    return (struct span){session->lines + session->sent, session->end - session->sent};
}

void session_sent(struct session *session, size_t len)
{
    if (session->prelude_sent < session->prelude_len)
        session->prelude_sent += len;
    else
        session->sent += len;
}

bool session_is_done(const struct session *session)
{
    if (session->state == SESSION_LISTED)
        return true;
    if (session->abandoned)
        return session_pending(session).len == 0;
    return session->state == SESSION_OPEN && session->ended && session->unanswered == 0 &&
           session->sent == session->end;
}

void session_say_goodbye(struct session *session)
{
    static const char quit[] = "/quit\n";

    if (session->state != SESSION_OPEN || session->quitting)
        return;
    lines_add(session, quit, sizeof quit - 1);
    session->quitting = true;
}

/* ---- After a broken connection ------------------------------------------------------- */

/* The event is what the server made of this line, which one had sent as `then`. */
static bool event_is_of(const struct event *event, struct request request)
{
    switch (event->verb) {
    case VERB_MSG:
    case VERB_POST:
        return request.command == CMD_TEXT && request.text.len == event->text.len &&
               memcmp(request.text.at, event->text.at, event->text.len) == 0;
    case VERB_ME:
        return request.command == CMD_ME && request.text.len == event->text.len &&
               memcmp(request.text.at, event->text.at, event->text.len) == 0;
    case VERB_NICK:
        return request.command == CMD_NICK;
    case VERB_HERE:
    case VERB_USERS:
    case VERB_YOU:
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_PRIV:
    case VERB_NOTE:
    case VERB_GAP:
    case VERB_ERROR:
        return false;
    }
    return false;
}

/*
 * An event from the time between the connections. Those under the name that one had then are the
 * server's receipts for lines that it had taken, in their order; one's own quit is the last.
 */
static void replay_event(struct session *session, const struct event *event)
{
    struct span line;

    if (session->then[0] == '\0' || !verb_is_room(event->verb) ||
        !span_equals(event->name, session->then))
        return;
    if (event->verb == VERB_QUIT) {
        session->then[0] = '\0';
        return;
    }
    for (size_t at = session->taken;; at += line.len + 1) {
        line = line_from(session, at, session->delivered);
        if (line.at == NULL)
            break;
        if (event_is_of(event, request_parse(line.at, line.len, true))) {
            session->taken = at + line.len + 1;
            session->echoes++;
            break;
        }
    }
    if (event->verb == VERB_NICK)
        name_copy(session->then, event->word);
}

static bool command_is_for_room(enum command command)
{
    return command == CMD_TEXT || command == CMD_ME || command == CMD_NICK;
}

/*
 * The server has answered that many lines in all: those of which it could not tell are not sent
 * again. Where one of them left no event, the answer was an error.
 */
static void replay_drop(struct session *session, unsigned long count)
{
    unsigned long echoes = 0;
    struct request request;

    count = count > session->answered ? count - session->answered : 0;
    session->sent = session->delivered;
    for (; count > 0 && line_oldest(session, &request); count--) {
        if (command_is_for_room(request.command))
            echoes++;
        line_answered(session);
    }
    if (session->setup.kind == SESSION_MEMBER && !session->gap && echoes > session->echoes)
        session->refused += echoes - session->echoes;
}

/*
 * Nobody knows which of the lines behind the last known one the server had taken. Room lines that
 * it had would have come back as events; private ones must not come twice, so they go.
 */
static void replay_drop_private(struct session *session)
{
    size_t to = session->start;
    struct span line;

    for (size_t at = session->start; at < session->end; at += line.len + 1) {
        line = line_from(session, at, session->end);
        if (line.at == NULL)
            break;
        if (at < session->delivered && request_parse(line.at, line.len, true).command == CMD_MSG) {
            session->unanswered--;
            session->refused++;
            continue;
        }
        memmove(session->lines + to, line.at, line.len + 1);
        to += line.len + 1;
    }
    session->end = to;
}

/* The welcome is complete: now it is clear what has to be sent again. */
static void replay_end(struct session *session)
{
    if (session->resumed == RESUMED_COUNT) {
        replay_drop(session, session->resumed_count);
    } else {
        session->sent = session->taken;
        while (session->start < session->taken && line_answered(session))
            continue;
        if (session->start < session->delivered)
            replay_drop_private(session);
    }
    session->sent = session->start;
}

/* ---- Events -------------------------------------------------------------------------- */

/* One of the room's echoes, of a line of one's own. */
static bool event_is_mine(const struct session *session, const struct event *event)
{
    switch (event->verb) {
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
    case VERB_NICK:
    case VERB_PRIV:
        return span_equals(event->name, session->me);
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

/*
 * The welcome is complete. Only now is a new token worth more than the old one, which still stood
 * for the lines of the last connection; answers are counted anew for it.
 */
static void session_open(struct session *session, struct span name)
{
    session_rename(session, name);
    replay_end(session);
    if (strcmp(session->token, session->offered) != 0)
        session->answered = 0;
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
    case VERB_RESUMED:
        session->resumed = event->counted ? RESUMED_COUNT : RESUMED_UNKNOWN;
        session->resumed_count = event->count;
        break;
    case VERB_ERROR:
        if (span_equals(event->word, "full"))
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
        replay_event(session, event);
        break;
    case VERB_GAP:
        session->gap = true;
        break;
    case VERB_HERE:
    case VERB_PRIV:
    case VERB_NOTE:
        break;
    }
}

static void session_open_event(struct session *session, const struct event *event)
{
    struct request oldest = {.command = CMD_EMPTY};

    line_oldest(session, &oldest);
    switch (event->verb) {
    case VERB_USERS:
        if (oldest.command == CMD_USERS)
            line_answered(session);
        break;
    case VERB_NOTE: /* may also come unasked */
        if (oldest.command == CMD_HELP)
            line_answered(session);
        break;
    case VERB_ERROR:
        if (line_answered(session))
            session->refused++;
        break;
    case VERB_GAP:
        for (unsigned long i = 0; i < event->mine && line_answered(session); i++)
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
        }
        line_answered(session);
        break;
    case VERB_HERE:
    case VERB_YOU:
    case VERB_JOIN:
    case VERB_QUIT:
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
