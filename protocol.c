/*
 * protocol.c: parses the lines of clients and of the server.
 */
#include "protocol.h"

#include <string.h>

#include "wire/number.h"

/* ---- What clients send --------------------------------------------------------------------- */

enum phase { BEFORE_NAME = 1, AFTER_NAME = 2 };

/* What follows the command word. */
enum arguments { ARGUMENTS_TEXT, ARGUMENTS_WORD, ARGUMENTS_NAME_TEXT, ARGUMENTS_NAME_MINUTES_TEXT };

struct command_form {
    char word[8];
    enum command command;
    int phases;
    enum arguments arguments;
};

static const struct command_form commands[] = {
    {"msg", CMD_MSG, AFTER_NAME, ARGUMENTS_NAME_TEXT},
    {"me", CMD_ME, AFTER_NAME, ARGUMENTS_TEXT},
    {"nick", CMD_NICK, AFTER_NAME, ARGUMENTS_TEXT},
    {"users", CMD_USERS, BEFORE_NAME | AFTER_NAME, ARGUMENTS_TEXT},
    {"help", CMD_HELP, AFTER_NAME, ARGUMENTS_TEXT},
    {"quit", CMD_QUIT, AFTER_NAME, ARGUMENTS_TEXT},
    {"kick", CMD_KICK, AFTER_NAME, ARGUMENTS_NAME_TEXT},
    {"ban", CMD_BAN, AFTER_NAME, ARGUMENTS_NAME_MINUTES_TEXT},
    {"unban", CMD_UNBAN, AFTER_NAME, ARGUMENTS_NAME_TEXT},
    {"history", CMD_HISTORY, BEFORE_NAME, ARGUMENTS_WORD},
    {"since", CMD_SINCE, BEFORE_NAME, ARGUMENTS_WORD},
    {"post", CMD_POST, BEFORE_NAME, ARGUMENTS_TEXT},
    {"pass", CMD_PASS, BEFORE_NAME, ARGUMENTS_TEXT},
    {"token", CMD_TOKEN, BEFORE_NAME, ARGUMENTS_TEXT},
    {"resume", CMD_RESUME, BEFORE_NAME, ARGUMENTS_WORD},
};

static struct command_form command_find(struct span word, enum phase phase)
{
    static const struct command_form unknown = {"", CMD_UNKNOWN, 0, ARGUMENTS_TEXT};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if ((commands[i].phases & (int)phase) != 0 && span_equal_caseless(word, commands[i].word))
            return commands[i];
    }
    return unknown;
}

static void span_skip_spaces(struct span *rest)
{
    while (span_skip_space(rest)) {}
}

/* Takes the name off `NAME TEXT`. Any number of spaces may come before it. */
static void request_take_name(struct request *request, struct span *rest)
{
    span_skip_spaces(rest);
    request->name = span_take_word(rest);
    span_skip_space(rest);
}

static bool word_is_digits(struct span word)
{
    size_t digits = 0;

    while (digits < word.len && word.at[digits] >= '0' && word.at[digits] <= '9')
        digits++;
    return word.len > 0 && digits == word.len;
}

/* Takes the minutes off `MINUTES TEXT`. Any number of spaces may come before them. A first word
 * that is not a number belongs to the text, with the spaces. More than BAN_MAX is that. */
static void request_take_minutes(struct request *request, struct span *rest)
{
    struct span text = *rest;
    struct span word;

    span_skip_spaces(&text);
    word = span_take_word(&text);
    request->minutes = BAN_DEFAULT;
    if (!word_is_digits(word))
        return;
    if (!number_parse(word.at, word.len, BAN_MAX, &request->minutes))
        request->minutes = BAN_MAX;
    span_skip_space(&text);
    *rest = text;
}

/* A line that begins with a slash. */
static struct request request_parse_slash(const char *line, size_t len, bool named)
{
    struct span rest = {line + 1, len - 1};
    struct request request = {.command = CMD_TEXT, .name = {line + len, 0}};
    struct command_form form;

    if (named && rest.len > 0 && *rest.at == '/') {
        request.text = rest;
        return request;
    }
    form = command_find(span_take_word(&rest), named ? AFTER_NAME : BEFORE_NAME);
    request.command = form.command;
    span_skip_space(&rest);
    switch (form.arguments) {
    case ARGUMENTS_TEXT:
        break;
    case ARGUMENTS_WORD:
        span_skip_spaces(&rest);
        break;
    case ARGUMENTS_NAME_TEXT:
        request_take_name(&request, &rest);
        break;
    case ARGUMENTS_NAME_MINUTES_TEXT:
        request_take_name(&request, &rest);
        request_take_minutes(&request, &rest);
        break;
    }
    request.text = rest;
    return request;
}

struct request request_parse(const char *line, size_t len, bool named)
{
    if (len > 0 && line[0] == '/')
        return request_parse_slash(line, len, named);
    return (struct request){.command = len == 0 && named ? CMD_EMPTY : CMD_TEXT,
        .name = {line + len, 0},
        .text = {line, len}};
}

/* RFC 9110, 5.6.2: characters of a method. The script of a web page may choose any method. */
static bool char_is_token(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool line_is_http(const char *line, size_t len)
{
    static const char version[] = " HTTP/";
    const size_t version_len = sizeof version - 1;
    size_t method = 0;

    while (method < len && char_is_token(line[method]))
        method++;
    if (method == 0 || method == len || line[method] != ' ')
        return false;
    const char *target = line + method + 1;
    size_t rest = len - method - 1;
    if (len >= LINE_IN_MAX && rest > 0 && *target == '/')
        return true;
    for (size_t number_len = 1; number_len <= 3; number_len += 2) { /* "2", "1.1" */
        if (rest < version_len + number_len + 1)
            return false;
        const char *number = target + rest - number_len;
        if (memcmp(number - version_len, version, version_len) == 0)
            return char_is_digit(number[0]) &&
                   (number_len == 1 || (number[1] == '.' && char_is_digit(number[2])));
    }
    return false;
}

bool line_is_proxy(const char *line, size_t len)
{
    static const char *const beginnings[] = {"PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN"};

    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (len >= strlen(beginnings[i]) && memcmp(line, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/* ---- What the server sends ----------------------------------------------------------------- */

/* What may follow a verb, after one space each. */
enum event_arg {
    ARG_END,
    ARG_NAME,        /* into name */
    ARG_NAME_2,      /* into word */
    ARG_NAMES,       /* one or more, into text */
    ARG_WORD,        /* into word */
    ARG_TEXT,        /* all that is left, into text */
    ARG_TEXT_MAYBE,  /* the same, or nothing, not even the space */
    ARG_COUNT,       /* into count */
    ARG_COUNT_MAYBE, /* the same, or `?` */
    ARG_MINE         /* into mine */
};

static const struct {
    char word[8];
    enum verb verb;
    enum event_arg args[4];
} verbs[] = {
    {"msg", VERB_MSG, {ARG_NAME, ARG_TEXT}},
    {"me", VERB_ME, {ARG_NAME, ARG_TEXT}},
    {"join", VERB_JOIN, {ARG_NAME}},
    {"quit", VERB_QUIT, {ARG_NAME, ARG_WORD, ARG_TEXT_MAYBE}},
    {"nick", VERB_NICK, {ARG_NAME, ARG_NAME_2}},
    {"post", VERB_POST, {ARG_NAME, ARG_TEXT}},
    {"priv", VERB_PRIV, {ARG_NAME, ARG_NAME_2, ARG_TEXT}},
    {"note", VERB_NOTE, {ARG_TEXT}},
    {"error", VERB_ERROR, {ARG_WORD, ARG_TEXT}},
    {"gap", VERB_GAP, {ARG_COUNT_MAYBE, ARG_MINE}},
    {"here", VERB_HERE, {ARG_NAMES}},
    {"users", VERB_USERS, {ARG_COUNT}},
    {"you", VERB_YOU, {ARG_NAME}},
    {"token", VERB_TOKEN, {ARG_WORD}},
    {"resumed", VERB_RESUMED, {ARG_COUNT_MAYBE}},
};

const char *error_word(enum error_code code)
{
    static const char *const words[] = {
        [ERROR_OTHER] = "",
        [ERROR_TOO_LONG] = "too-long",
        [ERROR_UNKNOWN_COMMAND] = "unknown-command",
        [ERROR_USAGE] = "usage",
        [ERROR_NO_SUCH_USER] = "no-such-user",
        [ERROR_BUSY] = "busy",
        [ERROR_LOGIN_TIMEOUT] = "login-timeout",
        [ERROR_FULL] = "full",
        [ERROR_PASSWORD] = "password",
        [ERROR_NOT_ALLOWED] = "not-allowed",
        [ERROR_NOT_RECORDED] = "not-recorded",
    };

    return words[code];
}

static enum error_code error_find(struct span word)
{
    for (enum error_code code = ERROR_OTHER + 1; code <= ERROR_NOT_RECORDED; code++) {
        if (span_equal(word, error_word(code)))
            return code;
    }
    return ERROR_OTHER;
}

static bool name_word_take(struct span *rest, struct span *name)
{
    *name = span_take_word(rest);
    return name->len > 0 && name->len <= NAME_LEN_MAX;
}

static bool name_words_take(struct span *rest, struct span *names)
{
    struct span name;

    *names = *rest;
    do {
        if (!name_word_take(rest, &name))
            return false;
    } while (span_skip_space(rest));
    return true;
}

static bool count_take(struct span *rest, unsigned long *count)
{
    struct span word = span_take_word(rest);

    return number_parse(word.at, word.len, UINT32_MAX, count);
}

static bool event_take_arg(struct event *event, enum event_arg arg, struct span *rest)
{
    if (arg == ARG_TEXT_MAYBE && rest->len == 0)
        return true;
    if (!span_skip_space(rest))
        return false;
    switch (arg) {
    case ARG_END:
        break;
    case ARG_NAME:
        return name_word_take(rest, &event->name);
    case ARG_NAME_2:
        return name_word_take(rest, &event->word);
    case ARG_NAMES:
        return name_words_take(rest, &event->text);
    case ARG_WORD:
        event->word = span_take_word(rest);
        return event->word.len > 0;
    case ARG_TEXT:
    case ARG_TEXT_MAYBE:
        event->text = *rest;
        rest->at += rest->len;
        rest->len = 0;
        return true;
    case ARG_COUNT_MAYBE:
        if (rest->len > 0 && *rest->at == '?') {
            event->counted = false;
            rest->at++;
            rest->len--;
            return true;
        }
        return count_take(rest, &event->count);
    case ARG_COUNT:
        return count_take(rest, &event->count);
    case ARG_MINE:
        return count_take(rest, &event->mine);
    }
    return false;
}

/* Takes the verb that follows the stamp of a line, and gives its place in the table. */
static bool verb_take(struct span *rest, size_t *place)
{
    struct span word;

    if (!span_skip_space(rest))
        return false;
    word = span_take_word(rest);
    for (*place = 0; *place < sizeof verbs / sizeof verbs[0]; ++*place)
        if (span_equal(word, verbs[*place].word))
            return true;
    return false;
}

bool event_parse(struct event *event, const char *line, size_t len)
{
    const struct span none = {line + len, 0};
    struct span rest;
    size_t i;

    *event = (struct event){.name = none, .word = none, .text = none, .counted = true};
    if (!stamp_parse(line, len, &event->stamp))
        return false;
    rest = (struct span){line + STAMP_LEN, len - STAMP_LEN};
    if (!verb_take(&rest, &i))
        return false;
    event->verb = verbs[i].verb;
    for (const enum event_arg *arg = verbs[i].args; *arg != ARG_END; arg++) {
        if (!event_take_arg(event, *arg, &rest))
            return false;
    }
    if (event->verb == VERB_ERROR)
        event->error = error_find(event->word);
    return rest.len == 0;
}

bool event_verb(enum verb *verb, const char *line, size_t len)
{
    struct span rest;
    size_t i;

    if (len <= STAMP_LEN)
        return false;
    rest = (struct span){line + STAMP_LEN, len - STAMP_LEN};
    if (!verb_take(&rest, &i))
        return false;
    *verb = verbs[i].verb;
    return true;
}

bool verb_is_room(enum verb verb)
{
    switch (verb) {
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_NICK:
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
        return true;
    case VERB_HERE:
    case VERB_USERS:
    case VERB_YOU:
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_PRIV:
    case VERB_NOTE:
    case VERB_GAP:
    case VERB_ERROR:
        break;
    }
    return false;
}

bool verb_is_message(enum verb verb)
{
    return verb == VERB_PRIV || verb == VERB_MSG || verb == VERB_ME || verb == VERB_POST;
}
