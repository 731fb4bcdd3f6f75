/* login.c: the lines before the name, and the logins of a turn. */
#include "login.h"

#include <string.h>
#include <syslog.h>

#include "accounts.h"
#include "disk.h"
#include "ending.h"
#include "log.h"
#include "resume.h"
#include "room.h"
#include "server/cluster/requests.h"
#include "submit.h"
#include "users.h"
#include "welcome.h"
#include "wire/number.h"
#include "wire/text.h"

/* So many are logged in together in one turn, at most. */
#define LOGINS_MAX 256
/*
 * The answer to a wrong secret is delayed by so much, and meanwhile no other secret from that
 * source is looked at: one client guesses as slowly with many connections as with one.
 */
#define WRONG_SECRET_US 1000000u
/* A login that has waited for the stream for this time gets a note that says so. */
#define LOGIN_WAITS_US 1000000u

/* As for a connection that is not accepted. */
#define BANNED "not-allowed you are banned"

static const struct span no_text = {NULL, 0};

static bool wishes(const struct connection *c, enum wish wish)
{
    return (c->prepared.wishes & wish) != 0;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static enum taken login_refuse(struct connections *cs, struct connection *c, const char *error)
{
    if (!connection_say(cs, c, "error %s", error))
        return LINE_LATER;
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
    return LINE_TAKEN;
}

static enum taken usage_answer(struct connections *cs, struct connection *c, const char *usage)
{
    return connection_say(cs, c, "error usage %s", usage) ? LINE_TAKEN : LINE_LATER;
}

static enum taken unknown_command(struct connections *cs, struct connection *c, struct span line)
{
    struct span word = span_take_word(&line);
    int shown = (int)text_cut(word.at, word.len, NAME_LEN_MAX);

    return connection_say(
               cs, c, "error unknown-command %.*s is not a command before the name", shown, word.at)
               ? LINE_TAKEN
               : LINE_LATER;
}

/* ---- The secret ------------------------------------------------------------------------------ */

static bool has_secret(const struct connections *cs, const struct connection *c)
{
    return cs->config->secret == NULL || wishes(c, WISH_RIGHT_SECRET);
}

/* The time this takes says nothing about the secret but its length. */
static bool secret_equal(const char *secret, struct span given)
{
    size_t len = strlen(secret);
    unsigned char differ = len != given.len;

    for (size_t i = 0; i < given.len; i++)
        differ |= (unsigned char)(given.at[i] ^ secret[i % len]);
    return differ == 0;
}

/* Those of one source are served in the order in which they came, each behind the answers to the
 * wrong ones before it. */
static bool secret_waits(struct connections *cs, struct connection *c)
{
    struct source *source = c->source;
    bool first = list_is_empty(&source->guesses) || source->guesses.next == &c->waiting;
    uint64_t now = cs->turn.now;

    if (first && now >= source->pass_at) {
        list_remove(&c->waiting);
        return false;
    }
    if (list_is_empty(&c->waiting))
        list_append(&source->guesses, &c->waiting);
    connection_pause(
        cs, c, PAUSE_UNTIL, now < source->pass_at ? source->pass_at : now + WRONG_SECRET_US);
    return true;
}

/* It has done its part, and waits for the guesses of others: it is not late. */
static bool secret_is_queued(const struct connections *cs, const struct connection *c)
{
    return !has_secret(cs, c) && !list_is_empty(&c->waiting);
}

/* A right secret makes nobody wait. */
static void secret_next(struct connections *cs, struct source *source)
{
    if (!list_is_empty(&source->guesses))
        connection_unpause(cs, LIST_ENTRY(struct connection, waiting, source->guesses.next));
}

static enum taken take_wrong_pass(struct connections *cs, struct connection *c)
{
    if (wishes(c, WISH_WRONG_SECRET))
        return login_refuse(cs, c, "password wrong secret");
    c->prepared.wishes |= WISH_WRONG_SECRET;
    report_stranger(cs->config->report, cs->turn.now, LOG_NOTICE, "%s: wrong secret (pid %ld)",
        c->peer, (long)c->worker.pid);
    c->source->pass_at = cs->turn.now + WRONG_SECRET_US;
    connection_pause(cs, c, PAUSE_UNTIL, c->source->pass_at);
    return LINE_LATER;
}

static enum taken take_pass(struct connections *cs, struct connection *c, struct span given)
{
    if (cs->config->secret == NULL)
        return LINE_TAKEN;
    if (!wishes(c, WISH_WRONG_SECRET) && secret_waits(cs, c))
        return LINE_LATER;
    if (secret_equal(cs->config->secret, given)) {
        c->prepared.wishes |= WISH_RIGHT_SECRET;
        secret_next(cs, c->source);
        return LINE_TAKEN;
    }
    return take_wrong_pass(cs, c);
}

void login_late(struct connections *cs, struct connection *c)
{
    if (secret_is_queued(cs, c)) {
        deadline_set(cs, c, DEADLINE_NAME, cs->turn.now + WRONG_SECRET_US);
        return;
    }
    (void)connection_say(cs, c, "error login-timeout no name within %llu seconds",
        (unsigned long long)(cs->config->login_us / 1000000u));
    report_stranger(cs->config->report, cs->turn.now, LOG_INFO,
        "%s: gave no name in time (pid %ld)", c->peer, (long)c->worker.pid);
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
}

/* ---- Resuming -------------------------------------------------------------------------------- */

static enum taken say_resumed(struct connections *cs, struct connection *c)
{
    if (c->token->answered == TOKEN_UNKNOWN)
        return connection_say(cs, c, "resumed ?") ? LINE_TAKEN : LINE_LATER;
    return connection_say(cs, c, "resumed %llu", (unsigned long long)c->token->answered)
               ? LINE_TAKEN
               : LINE_LATER;
}

/* The newest connection gets the session; an older one that claims it, too, has been given up. */
static enum taken refuse_claimant(struct connections *cs, struct connection *claimant)
{
    (void)connection_say(cs, claimant, "error not-allowed a newer connection resumes this session");
    session_end(cs, claimant, ENDING_SERVER, "lost", no_text);
    return LINE_TAKEN;
}

/* The old connection ends first: its complete lines are taken, its output is dropped. */
static void session_claim(struct connections *cs, struct connection *c, struct token *token)
{
    struct connection *old = token->holder;

    token->claimant = c;
    c->token = token;
    link_break(&old->out.link, LINK_SHUT);
    connection_mark(cs, old);
    if (old->worker.state == WORKER_RUNNING)
        worker_say(old, CONTROL_END, strlen(CONTROL_END));
    connection_pause(cs, c, PAUSE_RESUME, cs->turn.now + RESUME_US);
    deadline_set(cs, c, DEADLINE_NAME, TIME_NEVER); /* the name is behind that */
    if (cs->cluster != NULL)
        deadline_set(cs, c, DEADLINE_LOGIN, cs->turn.now + LOGIN_WAITS_US);
}

/* No session of that token is known here. One of another node ends there, at the place in the
 * stream to which the request comes, and goes on with this connection. Whether there is one is
 * known only at that place, too: this node may be behind. */
static enum taken resume_elsewhere(struct connections *cs, struct connection *c, struct span token)
{
    char text[TOKEN_LEN + 1] = "";
    struct submission resume = {.connection = c,
        .answer = item_text(connections_time(cs), "resumed ?"),
        .request = {
            .kind = ROOM_RESUME, .time = cs->turn.wall, .token = text, .login = c->login_name}};
    bool done = resume.answer != NULL;

    if (request_takes_token(token))
        memcpy(text, token.at, TOKEN_LEN);
    if (cs->cluster != NULL && done && c->person == NULL && text[0] != '\0')
        done = submit(cs, &resume);
    else if (done)
        connection_put(cs, c, resume.answer);
    if (!done)
        item_free(resume.answer);
    if (c->in.under_way > 0) { /* its name waits behind it */
        deadline_set(cs, c, DEADLINE_NAME, TIME_NEVER);
        deadline_set(cs, c, DEADLINE_LOGIN, cs->turn.now + LOGIN_WAITS_US);
    }
    return done ? LINE_TAKEN : LINE_LATER;
}

/* A session that was over before its person came has no use for it. */
static void person_give_back(struct connections *cs, struct connection *c)
{
    struct submission leave = {
        .connection = c, .request = {.kind = ROOM_LEAVE, .time = cs->turn.wall, .reason = "lost"}};

    (void)submit(cs, &leave);
}

void login_resumed(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    struct connection *c = s->connection;

    deadline_set(cs, c, DEADLINE_LOGIN, TIME_NEVER);
    if (c->session == SESSION_PREPARING)
        deadline_set(cs, c, DEADLINE_NAME, cs->turn.now + cs->config->login_us);
    connection_put(cs, c, s->answer);
    if (result != ROOM_DONE)
        return;
    outcome->person->source = c->source->key;
    if (c->session == SESSION_LEFT) {
        person_give_back(cs, c);
        return;
    }
    c->person = outcome->person;
    c->token = token_adopt(cs->tokens, outcome->person->token, c, c->login_name);
    connection_leave_nameless(cs, c);
}

static enum taken take_resume(struct connections *cs, struct connection *c, struct span text)
{
    struct token *token;
    struct connection *older;

    if (account_prove(cs, c) != ACCOUNT_READY)
        return LINE_LATER;
    token = token_find(cs->tokens, text, cs->turn.now);
    if (token != NULL && strcmp(token->login, c->login_name) != 0)
        token = NULL; /* not this login's token */
    c->prepared.wishes |= WISH_RESUME;
    if (c->token != NULL)
        return c->token == token ? say_resumed(cs, c)
                                 : usage_answer(cs, c, "/resume TOKEN, one session only");
    if (token == NULL)
        return resume_elsewhere(cs, c, text);
    older = token->claimant != NULL ? token->claimant : token->holder;
    if (older != NULL && older->arrived > c->arrived)
        return refuse_claimant(cs, c);
    if (token->claimant != NULL)
        (void)refuse_claimant(cs, token->claimant);
    if (token->holder != NULL) {
        session_claim(cs, c, token);
        return LINE_LATER;
    }
    token_hold(token, c);
    c->token = token;
    return say_resumed(cs, c);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The wanted name: the address where nothing is. A proved login comes before it, at the login. */
static void set_wanted_name(struct connection *c, const char *line, size_t len)
{
    if (name_clean(c->prepared.name, line, len) == 0)
        strcpy(c->prepared.name, c->peer);
}

static enum taken take_name(
    struct connections *cs, struct connection *c, const char *line, size_t len)
{
    if (line_is_http(line, len))
        return login_refuse(cs, c, "not-allowed this is a chat server, not a web server");
    if (line_is_proxy(line, len))
        return login_refuse(cs, c, "not-allowed no PROXY header is taken from you");
    if (!has_secret(cs, c))
        return login_refuse(cs, c, "password this room wants /pass SECRET before the name");
    set_wanted_name(c, line, len);
    c->session = SESSION_NAMED;
    connection_leave_nameless(cs, c);
    deadline_set(cs, c, DEADLINE_NAME, TIME_NEVER);
    list_append(&cs->logins, &c->waiting);
    return LINE_TAKEN;
}

static enum taken take_history(struct connections *cs, struct connection *c, struct span text)
{
    if (!number_parse(text.at, text.len, 1000000000, &c->prepared.history))
        return usage_answer(cs, c, "/history N");
    c->prepared.wishes |= WISH_HISTORY;
    return LINE_TAKEN;
}

static enum taken take_since(struct connections *cs, struct connection *c, struct span text)
{
    if (text.len != STAMP_LEN || !stamp_parse(text.at, text.len, &c->prepared.since))
        return usage_answer(cs, c, "/since YYYY-MM-DDTHH:MM:SS.UUUUUUZ");
    c->prepared.wishes |= WISH_SINCE;
    return LINE_TAKEN;
}

enum taken login_line(struct connections *cs, struct connection *c, const char *line, size_t len)
{
    struct request request = request_parse(line, len, false);

    if (!has_secret(cs, c) && (request.command == CMD_USERS || request.command == CMD_RESUME))
        return login_refuse(cs, c, "password this room wants /pass SECRET first");
    switch (request.command) {
    case CMD_HISTORY:
        return take_history(cs, c, request.text);
    case CMD_SINCE:
        return take_since(cs, c, request.text);
    case CMD_POST:
        c->prepared.wishes |= WISH_POST;
        return LINE_TAKEN;
    case CMD_PASS:
        return take_pass(cs, c, request.text);
    case CMD_TOKEN:
        c->prepared.wishes |= WISH_TOKEN;
        return LINE_TAKEN;
    case CMD_RESUME:
        return take_resume(cs, c, request.text);
    case CMD_USERS:
        return connection_say_users(cs, c) ? LINE_TAKEN : LINE_LATER;
    case CMD_TEXT:
        return take_name(cs, c, line, len);
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
    return unknown_command(cs, c, (struct span){line, len});
}

/* ---- The logins of a turn -------------------------------------------------------------------- */

/* A session that has only posted joins: under its name, which is free for a moment. */
static void poster_give_up(struct connections *cs, struct connection *c)
{
    struct submission leave = {.connection = c,
        .request = {
            .kind = ROOM_LEAVE, .time = cs->turn.wall, .person = c->person, .reason = "left"}};

    memcpy(c->prepared.name, c->person->name, sizeof(c->prepared.name));
    (void)submit(cs, &leave);
    c->person = NULL;
}

/* Its source may have been banned since the connection was accepted: it has waited in case, or
 * comes to another node before the ban. */
static bool login_is_banned(const struct connections *cs, const struct connection *c)
{
    return bans_have(&cs->bans, &c->source->key, cs->turn.now);
}

/* It has its person: its welcome comes when the others of this turn are in, too. */
static void login_join(struct connections *cs, struct connection *c, uint64_t joins)
{
    if (list_is_empty(&cs->joined))
        cs->joins = joins;
    list_remove(&c->waiting);
    list_append(&cs->joined, &c->waiting);
}

void login_made(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    struct connection *c = s->connection;

    deadline_set(cs, c, DEADLINE_LOGIN, TIME_NEVER);
    if (result == ROOM_DONE)
        outcome->person->source = c->source->key;
    if (c->session == SESSION_LEFT) {
        if (result == ROOM_DONE) /* its leave may follow already: then this one finds nobody */
            person_give_back(cs, c);
        return;
    }
    if (result == ROOM_NOBODY) {
        (void)connection_say(cs, c, NODE_CUT_OFF);
        session_end(cs, c, ENDING_SERVER, "lost", no_text);
        return;
    }
    c->person = outcome->person;
    if (cs->cluster != NULL && login_is_banned(cs, c)) {
        (void)connection_say(cs, c, "error " BANNED);
        session_end(cs, c, ENDING_KICKED, "kicked", no_text);
        return;
    }
    login_join(cs, c, outcome->start);
}

/* It claims a session, which passes on when no line of it is under way any more. */
static bool claim_waits_for_worker(const struct connection *c)
{
    const struct connection *holder = c->token == NULL ? NULL : c->token->holder;

    return c->in.pause == PAUSE_RESUME && (holder == NULL || holder->in.under_way == 0);
}

void login_waits(struct connections *cs, struct connection *c)
{
    struct item *note;

    if (claim_waits_for_worker(c)) {
        deadline_set(cs, c, DEADLINE_LOGIN, cs->turn.now + LOGIN_WAITS_US);
        return;
    }
    note = item_text(connections_time(cs), "note " STREAM_HANGS);
    if (note != NULL && (c->session == SESSION_NAMED || c->session == SESSION_PREPARING))
        connection_put_now(cs, c, note);
    else
        item_free(note);
}

/* Asks for the person, unless the session has one from its old connection. */
static bool login_submit(struct connections *cs, struct connection *c, names_mask reserved)
{
    struct submission login = {.connection = c,
        .request = {.kind = ROOM_LOGIN,
            .time = cs->turn.wall,
            .name = c->prepared.name,
            .reserved = reserved,
            .login = c->login_name,
            .posting = wishes(c, WISH_POST) ? PERSON_POSTER : PERSON_MEMBER}};

    if (c->person != NULL) {
        login_join(cs, c, log_head(room_lines(cs->room)));
        return true;
    }
    login.request.token = c->token != NULL ? c->token->text : "";
    if (!submit(cs, &login))
        return false;
    if (c->in.under_way > 0) {
        list_remove(&c->waiting); /* it has its turn when the stream has brought it */
        deadline_set(cs, c, DEADLINE_LOGIN, cs->turn.now + LOGIN_WAITS_US);
    }
    return true;
}

/* Whose login it is, and which names it must not get. A session that resumes has its name. */
static enum account_result login_reserve(
    struct connections *cs, struct connection *c, names_mask *reserved)
{
    enum account_result result = account_prove(cs, c);

    *reserved = 0;
    if (result != ACCOUNT_READY)
        return result;
    if (c->person != NULL && c->person->kind == PERSON_POSTER && !wishes(c, WISH_POST))
        poster_give_up(cs, c);
    if (c->person != NULL)
        return ACCOUNT_READY;
    if (c->login_name[0] != '\0')
        memcpy(c->prepared.name, c->login_name, sizeof(c->prepared.name));
    return account_reserve(cs, c, c->prepared.name,
        wishes(c, WISH_POST) ? PERSON_POSTER : PERSON_MEMBER, NULL, reserved);
}

/* The next login of the queue; false where its time has not come. */
static bool login_next(struct connections *cs)
{
    struct connection *c = LIST_ENTRY(struct connection, waiting, cs->logins.next);
    names_mask reserved;

    if (!connections_have_room(cs))
        return false;
    if (c->person == NULL && login_is_banned(cs, c))
        return login_refuse(cs, c, BANNED) == LINE_TAKEN;
    switch (login_reserve(cs, c, &reserved)) {
    case ACCOUNT_READY:
        break;
    case ACCOUNT_WAITS:
        return true; /* it is in another queue now */
    case ACCOUNT_LATER:
        return false;
    }
    if (!welcome_prepare(cs, c))
        return false;
    if (login_submit(cs, c, reserved))
        return true;
    welcome_cancel(c);
    return false;
}

static void login_finish(
    struct connections *cs, struct connection *c, struct shared *list, uint64_t joins)
{
    cs->counters.logins++;
    report_stranger(cs->config->report, cs->turn.now, LOG_INFO, "%s: %s %s (pid %ld)", c->peer,
        c->person->name, c->person->kind == PERSON_POSTER ? "posts" : "joined",
        (long)c->worker.pid);
    worker_set_title(c);
    disk_tell(cs, c);
    welcome_give(cs, c, list, joins, log_head(room_lines(cs->room)));
}

/* Logins that were applied side by side share a list, which is true behind all of them. */
static void logins_welcome(struct connections *cs, struct shared *list)
{
    if (list_is_empty(&cs->joined))
        return;
    users_write(cs->room, list, cs->turn.wall);
    while (!list_is_empty(&cs->joined))
        login_finish(
            cs, LIST_ENTRY(struct connection, waiting, list_take(&cs->joined)), list, cs->joins);
}

bool logins_finish(struct connections *cs)
{
    struct shared *list;

    if (list_is_empty(&cs->joined))
        return true;
    list = users_new(cs->room, 0);
    if (list != NULL)
        logins_welcome(cs, list);
    shared_release(list);
    return list != NULL;
}

uint64_t logins_make(struct connections *cs)
{
    struct shared *list;
    bool stuck = false;

    if (list_is_empty(&cs->logins))
        return TIME_NEVER;
    list = users_new(cs->room, LOGINS_MAX);
    for (int i = 0; list != NULL && !stuck && i < LOGINS_MAX && !list_is_empty(&cs->logins); i++)
        stuck = !login_next(cs);
    if (list != NULL)
        logins_welcome(cs, list);
    shared_release(list);
    if (list_is_empty(&cs->logins))
        return TIME_NEVER;
    return (list == NULL || stuck) && connections_have_room(cs) ? cs->turn.now + MEMORY_RETRY_US
                                                                : cs->turn.now;
}
