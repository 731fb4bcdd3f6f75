/*
 * test_protocol.c: the language: what the lines of clients and of the server say.
 */
#include "bytes.h"
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What clients send -------------------------------------------------------------------- */

static const struct {
    const char *line;
    bool named;
    enum command command;
    const char *name;
    const char *text;
} request_rows[] = {
    {"", false, CMD_TEXT, "", ""},
    {"ann", false, CMD_TEXT, "", "ann"},
    {" /ann", false, CMD_TEXT, "", " /ann"},
    {"/history 30", false, CMD_HISTORY, "", "30"},
    {"/history", false, CMD_HISTORY, "", ""},
    {"/history   3", false, CMD_HISTORY, "", "3"},
    {"/since 2026-11-22T21:42:07.123456Z", false, CMD_SINCE, "", "2026-11-22T21:42:07.123456Z"},
    {"/post", false, CMD_POST, "", ""},
    {"/since  now", false, CMD_SINCE, "", "now"},
    {"/pass open sesame", false, CMD_PASS, "", "open sesame"},
    {"/pass  open", false, CMD_PASS, "", " open"},
    {"/token", false, CMD_TOKEN, "", ""},
    {"/resume abc", false, CMD_RESUME, "", "abc"},
    {"/resume  abc", false, CMD_RESUME, "", "abc"},
    {"/users", false, CMD_USERS, "", ""},
    {"/msg ann hi", false, CMD_UNKNOWN, "", "ann hi"},
    {"/help", false, CMD_UNKNOWN, "", ""},
    {"/quit", false, CMD_UNKNOWN, "", ""},
    {"//ann", false, CMD_UNKNOWN, "", ""},
    {"/", false, CMD_UNKNOWN, "", ""},
    {"", true, CMD_EMPTY, "", ""},
    {" ", true, CMD_TEXT, "", " "},
    {"hi /there", true, CMD_TEXT, "", "hi /there"},
    {" /msg ann", true, CMD_TEXT, "", " /msg ann"},
    {"//text", true, CMD_TEXT, "", "/text"},
    {"//", true, CMD_TEXT, "", "/"},
    {"///", true, CMD_TEXT, "", "//"},
    {"/", true, CMD_UNKNOWN, "", ""},
    {"/ msg", true, CMD_UNKNOWN, "", "msg"},
    {"/msg", true, CMD_MSG, "", ""},
    {"/msg ", true, CMD_MSG, "", ""},
    {"/msg ann", true, CMD_MSG, "ann", ""},
    {"/msg ann ", true, CMD_MSG, "ann", ""},
    {"/msg ann hi there", true, CMD_MSG, "ann", "hi there"},
    {"/msg   ann   hi ", true, CMD_MSG, "ann", "  hi "},
    {"/MSG ann hi", true, CMD_MSG, "ann", "hi"},
    {"/Msg Ann Hi", true, CMD_MSG, "Ann", "Hi"},
    {"/mSG", true, CMD_MSG, "", ""},
    {"/USERS", false, CMD_USERS, "", ""},
    {"/Token", false, CMD_TOKEN, "", ""},
    {"/Pass Open Sesame", false, CMD_PASS, "", "Open Sesame"},
    /* neither the Kelvin sign nor bytes that differ from letters in one bit are letters */
    {"/nic\xe2\x84\xaa ben", true, CMD_UNKNOWN, "", "ben"},
    {"/\x4d\x53\x27 ann hi", true, CMD_UNKNOWN, "", "ann hi"},
    {"/\xedsg ann hi", true, CMD_UNKNOWN, "", "ann hi"},
    {"/msgs ann hi", true, CMD_UNKNOWN, "", "ann hi"},
    {"/msg\tann hi", true, CMD_UNKNOWN, "", "hi"},
    {"/me waves", true, CMD_ME, "", "waves"},
    {"/me  waves", true, CMD_ME, "", " waves"},
    {"/me", true, CMD_ME, "", ""},
    {"/nick ben", true, CMD_NICK, "", "ben"},
    {"/users", true, CMD_USERS, "", ""},
    {"/help me", true, CMD_HELP, "", "me"},
    {"/quit", true, CMD_QUIT, "", ""},
    {"/quit good night", true, CMD_QUIT, "", "good night"},
    {"/kick", true, CMD_KICK, "", ""},
    {"/kick ann", true, CMD_KICK, "ann", ""},
    {"/kick ann enough of it", true, CMD_KICK, "ann", "enough of it"},
    {"/KICK  ann  enough", true, CMD_KICK, "ann", " enough"},
    {"/kick ann", false, CMD_UNKNOWN, "", "ann"},
    {"/ban ann", false, CMD_UNKNOWN, "", "ann"},
    {"/unban ann", true, CMD_UNBAN, "ann", ""},
    {"/unban ann and more", true, CMD_UNBAN, "ann", "and more"},
    {"/unban ann", false, CMD_UNKNOWN, "", "ann"},
    {"/history 3", true, CMD_UNKNOWN, "", "3"},
    {"/post", true, CMD_UNKNOWN, "", ""},
    {"/resume abc", true, CMD_UNKNOWN, "", "abc"},
};

START_TEST(request_table)
{
    struct span line = {request_rows[_i].line, strlen(request_rows[_i].line)};
    char *copy = bytes_copy(line);
    struct request request = request_parse(copy, line.len, request_rows[_i].named);

    ck_assert_int_eq(request.command, request_rows[_i].command);
    assert_bytes(request.name.at, request.name.len,
        (struct span){request_rows[_i].name, strlen(request_rows[_i].name)});
    assert_bytes(request.text.at, request.text.len,
        (struct span){request_rows[_i].text, strlen(request_rows[_i].text)});
    free(copy);
}
END_TEST

static const struct {
    const char *line;
    const char *name;
    unsigned long minutes;
    const char *text;
} ban_rows[] = {
    {"/ban", "", 60, ""},
    {"/ban ann", "ann", 60, ""},
    {"/ban ann ", "ann", 60, ""},
    {"/ban ann 5", "ann", 5, ""},
    {"/ban ann 5 ", "ann", 5, ""},
    {"/ban ann 0", "ann", 0, ""},
    {"/ban ann 5 enough", "ann", 5, "enough"},
    {"/ban ann 5  enough", "ann", 5, " enough"},
    {"/ban ann enough", "ann", 60, "enough"},
    {"/ban ann 5x enough", "ann", 60, "5x enough"},
    {"/ban ann -5", "ann", 60, "-5"},
    {"/ban ann   5", "ann", 5, ""},
    {"/ban  ann  5  enough", "ann", 5, " enough"},
    {"/ban ann  enough", "ann", 60, " enough"},
    {"/ban ann 4294967295", "ann", 4294967295, ""},
    {"/ban ann 4294967296", "ann", 4294967295, ""},
    {"/ban ann 99999999999999999999 enough", "ann", 4294967295, "enough"},
};

START_TEST(ban_table)
{
    const char *line = ban_rows[_i].line;
    struct request request = request_parse(line, strlen(line), true);

    ck_assert_int_eq(request.command, CMD_BAN);
    ck_assert(span_equal(request.name, ban_rows[_i].name));
    ck_assert_uint_eq(request.minutes, ban_rows[_i].minutes);
    ck_assert(span_equal(request.text, ban_rows[_i].text));
}
END_TEST

static const struct {
    const char *line;
    bool http;
} http_rows[] = {
    {"GET / HTTP/1.1", true},
    {"GET / HTTP/1.0", true},
    {"POST /room?x=1 HTTP/1.1", true},
    {"OPTIONS * HTTP/1.1", true},
    {"CONNECT host:65432 HTTP/1.1", true},
    {"PRI * HTTP/2.0", true},
    {"GET http://127.0.0.1:65432/ HTTP/1.1", true},
    {"ABCDEFGHIJKLMNOPQRST / HTTP/1.1", true},
    {"ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1", true},
    {"get / HTTP/1.1", true},
    {"G3T / HTTP/1.1", true},
    {"M-SEARCH * HTTP/1.1", true},
    {"!#$%&'*+-.^_`|~ / HTTP/1.1", true},
    {"GET / HTTP/2", true},
    {"", false},
    {"GET", false},
    {"GET ", false},
    {"GET /", false},
    {"GET / HTTP", false},
    {"GET / HTTP/1.1 ", false},
    {"GET / HTTP/x.1", false},
    {"GET / HTTP/1.x", false},
    {"GET / HTTP/1-1", false},
    {"GET HTTP/1.1", false},
    {"GET  HTTP/1.1", false},
    {" GET / HTTP/1.1", false},
    {"G(T / HTTP/1.1", false},
    {"GET / HTTP/1.", false},
    {"GET / HTTP/11", false},
    {"GET HTTP/2", false},
    {"a b", false},
    {"GET\tHTTP/1.1 HTTP/1.1", false},
    {"Host: 127.0.0.1:65432", false},
    {"ANN", false},
};

START_TEST(http_table)
{
    struct span line = {http_rows[_i].line, strlen(http_rows[_i].line)};
    char *copy = bytes_copy(line);

    ck_assert_int_eq(line_is_http(copy, line.len), http_rows[_i].http);
    free(copy);
}
END_TEST

START_TEST(http_too_long)
{
    static char line[LINE_IN_MAX];

    memset(line, 'x', sizeof line);
    bytes_put(line, "GET /", 5);
    ck_assert(line_is_http(line, sizeof line));
    ck_assert(!line_is_http(line, sizeof line - 1));
    bytes_put(line, "GET x", 5);
    ck_assert(!line_is_http(line, sizeof line));
    memset(line, 'X', sizeof line);
    ck_assert(!line_is_http(line, sizeof line));
}
END_TEST

/* What follows the line in memory is not looked at. */
START_TEST(http_ends_with_its_method)
{
    static char line[LINE_IN_MAX + 1];

    memset(line, 'X', sizeof line);
    bytes_put(line + LINE_IN_MAX - 1, " /", 2);
    ck_assert(!line_is_http(line, LINE_IN_MAX));
}
END_TEST

/* ---- What the server sends ---------------------------------------------------------------- */

#define STAMP "2026-11-22T21:42:07.123456Z "
#define NAME_64 SIXTY "abcd"

static const struct {
    const char *line;
    enum verb verb;
    const char *name;
    const char *word;
    const char *text;
    unsigned long count;
    unsigned long mine;
} event_rows[] = {
    {"here ann", VERB_HERE, "", "", "ann", 0, 0},
    {"here ann ben " NAME_64, VERB_HERE, "", "", "ann ben " NAME_64, 0, 0},
    {"users 0", VERB_USERS, "", "", "", 0, 0},
    {"users 10000", VERB_USERS, "", "", "", 10000, 0},
    {"you ann", VERB_YOU, "ann", "", "", 0, 0},
    {"you [::1]:5555", VERB_YOU, "[::1]:5555", "", "", 0, 0},
    {"join " NAME_64, VERB_JOIN, NAME_64, "", "", 0, 0},
    {"quit ann lost", VERB_QUIT, "ann", "lost", "", 0, 0},
    {"quit ann left ", VERB_QUIT, "ann", "left", "", 0, 0},
    {"quit ann left good night", VERB_QUIT, "ann", "left", "good night", 0, 0},
    {"nick ann " NI_HAO, VERB_NICK, "ann", NI_HAO, "", 0, 0},
    {"msg ann hi there", VERB_MSG, "ann", "", "hi there", 0, 0},
    {"msg ann  hi ", VERB_MSG, "ann", "", " hi ", 0, 0},
    {"msg ann ", VERB_MSG, "ann", "", "", 0, 0},
    {"msg msg msg", VERB_MSG, "msg", "", "msg", 0, 0},
    {"me ann waves", VERB_ME, "ann", "", "waves", 0, 0},
    {"post ci done", VERB_POST, "ci", "", "done", 0, 0},
    {"token 0123abcd", VERB_TOKEN, "", "0123abcd", "", 0, 0},
    {"resumed 17", VERB_RESUMED, "", "", "", 17, 0},
    {"resumed ?", VERB_RESUMED, "", "", "", 0, 0},
    {"priv ann ben psst psst", VERB_PRIV, "ann", "ben", "psst psst", 0, 0},
    {"note welcome", VERB_NOTE, "", "", "welcome", 0, 0},
    {"gap 12 3", VERB_GAP, "", "", "", 12, 3},
    {"gap ? 0", VERB_GAP, "", "", "", 0, 0},
    {"error too-long a line holds 4096 bytes", VERB_ERROR, "", "too-long",
        "a line holds 4096 bytes", 0, 0},
};

static void assert_span(struct span got, const char *want)
{
    assert_bytes(got.at, got.len, (struct span){want, strlen(want)});
}

START_TEST(event_table)
{
    char line[300];
    size_t len = (size_t)snprintf(line, sizeof line, STAMP "%s", event_rows[_i].line);
    char *copy = bytes_copy((struct span){line, len});
    struct event event;
    enum verb verb;

    ck_assert(event_parse(&event, copy, len));
    ck_assert_uint_eq(event.stamp, 1795383727123456);
    ck_assert_int_eq(event.verb, event_rows[_i].verb);
    ck_assert(event_verb(&verb, copy, len) && verb == event.verb);
    assert_span(event.name, event_rows[_i].name);
    assert_span(event.word, event_rows[_i].word);
    assert_span(event.text, event_rows[_i].text);
    ck_assert_int_eq(event.counted, strchr(event_rows[_i].line, '?') == NULL);
    ck_assert_uint_eq(event.count, event_rows[_i].count);
    ck_assert_uint_eq(event.mine, event_rows[_i].mine);
    free(copy);
}
END_TEST

static const struct {
    const char *word;
    enum error_code code;
} error_rows[] = {
    {"too-long", ERROR_TOO_LONG},
    {"unknown-command", ERROR_UNKNOWN_COMMAND},
    {"usage", ERROR_USAGE},
    {"no-such-user", ERROR_NO_SUCH_USER},
    {"busy", ERROR_BUSY},
    {"login-timeout", ERROR_LOGIN_TIMEOUT},
    {"full", ERROR_FULL},
    {"password", ERROR_PASSWORD},
    {"not-allowed", ERROR_NOT_ALLOWED},
    {"not-recorded", ERROR_NOT_RECORDED},
    {"of-a-later-version", ERROR_OTHER},
    {"ful", ERROR_OTHER},
    {"fuller", ERROR_OTHER},
    {"Full", ERROR_OTHER},
};

START_TEST(error_table)
{
    char line[100];
    struct event event;
    int len = snprintf(line, sizeof line, STAMP "error %s x", error_rows[_i].word);

    ck_assert(event_parse(&event, line, (size_t)len));
    ck_assert_int_eq(event.error, error_rows[_i].code);
    ck_assert_str_eq(
        error_word(event.error), error_rows[_i].code == ERROR_OTHER ? "" : error_rows[_i].word);
}
END_TEST

static const char *const events_wrong[] = {
    "",
    " ",
    "hello",
    "msg ann hi",
    "2026-11-22T21:42:07.123456Z",
    STAMP,
    STAMP " msg ann hi",
    "2026-11-22T21:42:07.123456Z\tmsg ann hi",
    "2026-13-22T21:42:07.123456Z msg ann hi",
    STAMP "shout ann hi",
    STAMP "MSG ann hi",
    STAMP "msg",
    STAMP "msg ",
    STAMP "msg ann",
    STAMP "msg  hi",
    STAMP "msg " NAME_64 "e hi",
    STAMP "here",
    STAMP "here ",
    STAMP "here ann ",
    STAMP "here  ann",
    STAMP "here ann  ben",
    STAMP "here ann " NAME_64 "e",
    STAMP "users",
    STAMP "users ",
    STAMP "users x",
    STAMP "users -1",
    STAMP "users ?",
    STAMP "users 1 ",
    STAMP "users 1 2",
    STAMP "users 4294967296",
    STAMP "you",
    STAMP "you ",
    STAMP "you ann ben",
    STAMP "join ann ",
    STAMP "quit ann",
    STAMP "quit ann ",
    STAMP "quit ann  left",
    STAMP "nick ann",
    STAMP "nick ann ",
    STAMP "nick ann ben cid",
    STAMP "token",
    STAMP "token a b",
    STAMP "resumed",
    STAMP "resumed ??",
    STAMP "resumed 1?",
    STAMP "priv ann",
    STAMP "priv ann ben",
    STAMP "note",
    STAMP "gap 1",
    STAMP "gap 1 ?",
    STAMP "gap ?",
    STAMP "gap ?1 1",
    STAMP "error too-long",
    STAMP "error  too long",
};

START_TEST(event_wrong)
{
    struct span line = {events_wrong[_i], strlen(events_wrong[_i])};
    char *copy = bytes_copy(line);
    struct event event;

    ck_assert(!event_parse(&event, copy, line.len));
    free(copy);
}
END_TEST

static const char *const lines_without_verb[] = {
    "",
    "msg ann hi",
    STAMP,
    STAMP "hum ann hi",
    STAMP "ms",
    STAMP " msg",
};

START_TEST(event_verb_wrong)
{
    struct span line = {lines_without_verb[_i], strlen(lines_without_verb[_i])};
    char *copy = bytes_copy(line);
    enum verb verb;

    ck_assert(!event_verb(&verb, copy, line.len));
    free(copy);
}
END_TEST

START_TEST(verb_groups)
{
    static const struct {
        enum verb verb;
        bool room;
        bool message;
    } rows[] = {{VERB_HERE, false, false}, {VERB_USERS, false, false}, {VERB_YOU, false, false},
        {VERB_JOIN, true, false}, {VERB_QUIT, true, false}, {VERB_NICK, true, false},
        {VERB_MSG, true, true}, {VERB_ME, true, true}, {VERB_POST, true, true},
        {VERB_TOKEN, false, false}, {VERB_RESUMED, false, false}, {VERB_PRIV, false, true},
        {VERB_NOTE, false, false}, {VERB_GAP, false, false}, {VERB_ERROR, false, false}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert_int_eq(verb_is_room(rows[i].verb), rows[i].room);
        ck_assert_int_eq(verb_is_message(rows[i].verb), rows[i].message);
    }
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {request_table, COUNT_OF(request_rows), 60},
        {ban_table, COUNT_OF(ban_rows), 60},
        {http_table, COUNT_OF(http_rows), 60},
        {http_too_long, 1, 60},
        {http_ends_with_its_method, 1, 60},
        {event_table, COUNT_OF(event_rows), 60},
        {error_table, COUNT_OF(error_rows), 60},
        {event_verb_wrong, COUNT_OF(lines_without_verb), 5},
        {event_wrong, COUNT_OF(events_wrong), 60},
        {verb_groups, 1, 60},
    };

    return tests_run("protocol", tests, COUNT_OF(tests));
}
