/* commands.c: messages and commands. */
#include "commands.h"

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "accounts.h"
#include "ending.h"
#include "log.h"
#include "login.h"
#include "operator.h"
#include "private.h"
#include "room.h"
#include "submit.h"
#include "wire/text.h"

#define HELP                                                                                       \
    "note commands: /msg NAME TEXT, /me TEXT, /nick NAME, /users, /help, /quit [TEXT]; "           \
    "//TEXT says /TEXT"
#define HELP_OPERATOR                                                                              \
    HELP "; for operators: /kick NAME [TEXT], /ban NAME [MINUTES [TEXT]], /unban NAME"
#define NOT_RECORDED "error not-recorded the disk does not take it; nobody has got it"

static enum taken command_refuse(struct connections *cs, struct connection *c, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static enum taken command_refuse(
    struct connections *cs, struct connection *c, const char *format, ...)
{
    struct item *error;
    va_list ap;

    va_start(ap, format);
    error = item_vtext(connections_time(cs), format, ap);
    va_end(ap);
    if (error == NULL)
        return LINE_LATER;
    connection_put(cs, c, error);
    connection_count_answer(cs, c, &cs->counters.refused);
    return LINE_TAKEN;
}

/* How much of a client's word an error repeats. */
static int word_shown(struct span word)
{
    return (int)text_cut(word.at, word.len, NAME_LEN_MAX);
}

enum taken command_too_long(struct connections *cs, struct connection *c)
{
    if (!connection_say(cs, c, "error too-long a line holds at most %d bytes", LINE_IN_MAX))
        return LINE_LATER;
    if (c->session != SESSION_PREPARING)
        connection_count_answer(cs, c, &cs->counters.refused);
    return LINE_TAKEN;
}

static enum taken echo_count(struct connections *cs, struct connection *c)
{
    connection_count_answer(cs, c, &cs->counters.echoed);
    return LINE_TAKEN;
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* A poster does not read the log: its echo is an item of its own, which may become an error. */
static struct item *poster_echo_new(const struct connection *c, struct span text)
{
    size_t len = STAMP_LEN + strlen(" post  ") + strlen(c->person->name) + text.len + 1;
    size_t error = STAMP_LEN + 1 + strlen(NOT_RECORDED) + 1;
    struct item *echo;

    echo = item_new(len > error ? len : error);
    if (echo != NULL)
        echo->kind = ITEM_ECHO;
    return echo;
}

static enum taken message_submit(
    struct connections *cs, struct connection *c, enum room_request_kind kind, struct span text)
{
    struct submission said = {.connection = c,
        .request = {.kind = kind,
            .time = cs->turn.wall,
            .author = c->out.link.author,
            .person = c->person,
            .text = text}};

    if (kind == ROOM_POST && (said.answer = poster_echo_new(c, text)) == NULL)
        return LINE_LATER;
    if (submit(cs, &said))
        return LINE_TAKEN;
    item_free(said.answer);
    return LINE_LATER;
}

/* Its session has gone on elsewhere, or its node was gone. */
static bool came_to_nothing(
    struct connections *cs, const struct submission *s, enum room_result result)
{
    if (result != ROOM_NOBODY)
        return false;
    item_free(s->answer);
    connection_count_discarded(cs);
    return true;
}

void command_said(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    (void)outcome; /* the log is the answer */
    if (came_to_nothing(cs, s, result))
        return;
    connection_count_answer(cs, s->connection, &cs->counters.echoed);
}

void command_posted(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    struct item *echo = s->answer;

    if (came_to_nothing(cs, s, result))
        return;
    echo->len = (size_t)(outcome->end - outcome->start);
    log_copy(room_lines(cs->room), outcome->start, outcome->end, echo->bytes);
    if (cs->room->hold.lines == NULL)
        echo->visible = outcome->end;
    connection_put(cs, s->connection, echo);
    connection_count_answer(cs, s->connection, &cs->counters.echoed);
}

/* A poster's echo waits among the others for the line that is now refused; NULL: there is none. */
static struct item *poster_echo_find(const struct connection *c, uint64_t end)
{
    struct item *echo = c->out.link.waiting;

    while (echo != NULL && (echo->kind != ITEM_ECHO || echo->waiter.ticket != end))
        echo = echo->next;
    return echo;
}

/* The error goes out where the echo was to go. */
static void poster_echo_refuse(const struct connections *cs, struct item *echo)
{
    size_t len = strlen(NOT_RECORDED);

    link_resize(echo, STAMP_LEN + 1 + len + 1);
    stamp_format(echo->bytes, connections_time(cs));
    echo->bytes[STAMP_LEN] = ' ';
    memcpy(echo->bytes + STAMP_LEN + 1, NOT_RECORDED, len);
    echo->bytes[echo->len - 1] = '\n';
}

bool command_not_recorded(struct connections *cs, struct connection *c, uint64_t end)
{
    struct item *echo = poster_echo_find(c, end);
    struct item *error;

    if (echo != NULL) {
        poster_echo_refuse(cs, echo);
    } else {
        error = item_text(connections_time(cs), NOT_RECORDED);
        if (error == NULL)
            return false;
        connection_put_now(cs, c, error);
    }
    cs->counters.echoed--;
    cs->counters.refused++;
    return true;
}

/* ---- Private messages ------------------------------------------------------------------------ */

static struct person *find_person(const struct connections *cs, struct span name)
{
    char text[NAME_LEN_MAX + 1];

    if (name.len > NAME_LEN_MAX)
        return NULL;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    return room_find(cs->room, text);
}

static struct item *private_new(const struct connections *cs, const struct connection *c,
    const struct person *to, struct span text)
{
    return item_text(
        connections_time(cs), "priv %s %s %.*s", c->person->name, to->name, (int)text.len, text.at);
}

/* To both ends, or once where it is sent to oneself. */
static enum taken send_private(struct connections *cs, struct connection *c, struct request request)
{
    struct connection *other;
    struct person *to;
    struct item *mine;
    struct item *theirs = NULL;

    if (request.name.len == 0 || request.text.len == 0)
        return command_refuse(cs, c, "error usage /msg NAME TEXT");
    to = find_person(cs, request.name);
    if (to == NULL)
        return command_refuse(cs, c, "error no-such-user nobody here is called %.*s",
            word_shown(request.name), request.name.at);
    if (private_is_elsewhere(cs, to))
        return private_send(cs, c, to, request.text);
    if (to->link == NULL || (to != c->person && to->link->bytes > QUEUE_MAX))
        return command_refuse(cs, c, "error busy %s cannot take a private message now", to->name);
    mine = private_new(cs, c, to, request.text);
    other = to == c->person ? NULL : connection_by_author(cs, to->link->author);
    if (other != NULL)
        theirs = private_new(cs, c, to, request.text);
    if (mine == NULL || (other != NULL && theirs == NULL)) {
        item_free(mine);
        item_free(theirs);
        return LINE_LATER;
    }
    connection_put(cs, c, mine);
    if (theirs != NULL)
        connection_put(cs, other, theirs);
    return echo_count(cs, c);
}

/* ---- Other commands -------------------------------------------------------------------------- */

/* The wanted name is taken: the answer, in case. */
static struct item *taken_error_new(const struct connections *cs, const char *wanted)
{
    return item_text(connections_time(cs), "error usage %s is taken", wanted);
}

static enum taken rename_person(struct connections *cs, struct connection *c, struct span text)
{
    char wanted[NAME_LEN_MAX + 1];
    struct submission renamed = {.connection = c,
        .request = {.kind = ROOM_RENAME,
            .time = cs->turn.wall,
            .author = c->out.link.author,
            .person = c->person,
            .name = wanted}};

    if (c->login_name[0] != '\0')
        return command_refuse(cs, c, "error not-allowed names are login names here");
    if (name_clean(wanted, text.at, text.len) == 0 || strcmp(wanted, c->person->name) == 0)
        return command_refuse(cs, c, "error usage /nick NAME, another one than yours");
    if (account_reserve(cs, c, wanted, PERSON_MEMBER, c->person->name, &renamed.request.reserved) !=
        ACCOUNT_READY)
        return LINE_LATER;
    if (strcmp(wanted, c->person->name) == 0) /* now that it is marked */
        return command_refuse(cs, c, "error usage %s is your name", wanted);
    renamed.answer = taken_error_new(cs, wanted);
    if (renamed.answer != NULL && submit(cs, &renamed))
        return LINE_TAKEN;
    item_free(renamed.answer);
    return LINE_LATER;
}

/* The old name is in the event only. */
static void report_rename(
    struct connections *cs, const struct connection *c, const struct room_outcome *outcome)
{
    char line[STAMP_LEN + sizeof(" nick ") + 2 * (NAME_LEN_MAX + 1)];
    size_t len = (size_t)(outcome->end - outcome->start);
    struct event event;

    if (len > sizeof(line))
        return;
    log_copy(room_lines(cs->room), outcome->start, outcome->end, line);
    if (event_parse(&event, line, len - 1))
        report_stranger(cs->config->report, cs->turn.now, LOG_INFO, "%s: %.*s is now %s (pid %ld)",
            c->peer, (int)event.name.len, event.name.at, c->person->name, (long)c->worker.pid);
}

void command_renamed(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    struct connection *c = s->connection;

    if (came_to_nothing(cs, s, result))
        return;
    if (result == ROOM_TAKEN) {
        connection_put(cs, c, s->answer);
        connection_count_answer(cs, c, &cs->counters.refused);
        return;
    }
    item_free(s->answer);
    if (c->person != NULL) {
        report_rename(cs, c, outcome);
        worker_set_title(c);
    }
    connection_count_answer(cs, c, &cs->counters.echoed);
}

static enum taken answer_count(struct connections *cs, struct connection *c, bool done)
{
    if (!done)
        return LINE_LATER;
    connection_count_answer(cs, c, &cs->counters.answered);
    return LINE_TAKEN;
}

static enum taken session_quit(struct connections *cs, struct connection *c, struct span text)
{
    cs->counters.received++;
    cs->counters.ended++;
    c->in.lines++; /* the close is the answer: a session that resumes may send it again */
    session_end(cs, c, ENDING_SERVER, "left", text);
    return LINE_TAKEN;
}

/* A poster may say something, ask, and leave. */
static bool is_allowed(const struct connection *c, enum command command)
{
    return c->session != SESSION_POSTER || command == CMD_EMPTY || command == CMD_TEXT ||
           command == CMD_USERS || command == CMD_HELP || command == CMD_QUIT ||
           command == CMD_UNKNOWN;
}

bool command_may_overtake(const struct connection *c, const char *line, size_t len)
{
    struct request request = request_parse(line, len, true);

    return c->session == SESSION_POSTER
               ? request.command == CMD_TEXT
               : c->session == SESSION_MEMBER &&
                     (request.command == CMD_TEXT ||
                         (request.command == CMD_ME && request.text.len > 0));
}

enum taken command_line(struct connections *cs, struct connection *c, const char *line, size_t len)
{
    struct request request = request_parse(line, len, true);
    struct span rest = {line, len};
    struct span word = span_take_word(&rest);

    if (!is_allowed(c, request.command))
        return command_refuse(cs, c, "error not-allowed %.*s is not for a session that only posts",
            word_shown(word), word.at);
    switch (request.command) {
    case CMD_EMPTY:
        return LINE_TAKEN;
    case CMD_TEXT:
        return message_submit(
            cs, c, c->session == SESSION_POSTER ? ROOM_POST : ROOM_SAY, request.text);
    case CMD_ME:
        if (request.text.len == 0)
            return command_refuse(cs, c, "error usage /me TEXT");
        return message_submit(cs, c, ROOM_ACT, request.text);
    case CMD_MSG:
        return send_private(cs, c, request);
    case CMD_NICK:
        return rename_person(cs, c, request.text);
    case CMD_USERS:
        return answer_count(cs, c, connection_say_users(cs, c));
    case CMD_HELP:
        return answer_count(
            cs, c, connection_say(cs, c, "%s", c->is_operator ? HELP_OPERATOR : HELP));
    case CMD_QUIT:
        return session_quit(cs, c, request.text);
    case CMD_KICK:
    case CMD_BAN:
    case CMD_UNBAN:
        if (c->is_operator)
            return operator_line(cs, c, &request);
        return command_refuse(
            cs, c, "error not-allowed %.*s is for operators", word_shown(word), word.at);
    case CMD_UNKNOWN:
    case CMD_HISTORY:
    case CMD_SINCE:
    case CMD_POST:
    case CMD_PASS:
    case CMD_TOKEN:
    case CMD_RESUME:
        break;
    }
    return command_refuse(cs, c, "error unknown-command %.*s is not a command here; try /help",
        word_shown(word), word.at);
}
