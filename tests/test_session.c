/*
 * The client's side of a conversation, chat-protocol(7): what goes out, what counts as an
 * answer, and what is sent again after a broken connection. Scripts, a step a line:
 *
 *   @            a new connection
 *   < event      the server says it; its stamp is the number of such lines so far
 *   > text       a line of input
 *   .            the input ends
 *   = line       that line goes out, and wholly
 *   ~ bytes      only these bytes go out of what is pending
 *   =            nothing more is pending
 *   ? N N        so many lines are unanswered, so many refused
 *   ! !!         the session is not done; is done
 */
#include "../client/session.h"

#include "harness.h"
#include "wire/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script {
    enum session_kind kind;
    bool keep;
    bool commands;
    const char *steps;
};

#define LOGIN "@\n= /history 0\n= me\n=\n! \n< users 1\n< you me\n"
#define KEPT "@\n= /token\n= /history 0\n= me\n=\n< token T1\n< users 1\n< you me\n"
#define AGAIN(since)                                                                               \
    "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.00000" since "Z\n= me\n=\n"

static const struct script scripts[] = {
    /* Nothing goes out before the welcome; then everything; each line has one answer. */
    {SESSION_MEMBER, false, false,
        "> early\n" LOGIN "= early\n=\n? 1 0\n! \n< msg ann early\n< join bob\n? 1 0\n"
        "< msg me early\n? 0 0\n! \n.\n!!\n"},
    /* What is data and what is a command. */
    {SESSION_MEMBER, false, false,
        LOGIN "> /quit\n> //x\n> \n> a\n= //quit\n= ///x\n= a\n=\n? 3 0\n"},
    {SESSION_MEMBER, false, true,
        LOGIN "> /msg ann x\n> //x\n> /\n> //\n= /msg ann x\n= //x\n= /\n= //\n=\n? 4 0\n"},
    /* Each command has its own kind of answer, and others' lines are none. */
    {SESSION_MEMBER, false, true,
        LOGIN
        "> /users\n> /help\n> /me waves\n> /msg ann hi\n> /msg me hi\n> /nick you\n> /no\n> x\n"
        "= /users\n= /help\n= /me waves\n= /msg ann hi\n= /msg me hi\n= /nick you\n= /no\n= x\n"
        "? 8 0\n< note hello\n? 8 0\n< here me\n< users 1\n? 7 0\n< note help\n? 6 0\n"
        "< note goodbye\n< users 9\n? 6 0\n< me me waves\n? 5 0\n< priv ann me hi\n? 5 0\n"
        "< priv me ann hi\n? 4 0\n< priv me me hi\n? 3 0\n< nick me you\n? 2 0\n"
        "< error unknown-command no\n? 1 1\n< msg me not mine any more\n? 1 1\n"
        "< msg you x\n? 0 1\n"},
    /* What an operator does is answered by a note, or an error. */
    {SESSION_MEMBER, false, true,
        LOGIN
        "> /kick ann\n> /BAN ann 5\n> /unban ann\n> x\n= /kick ann\n= /BAN ann 5\n= /unban ann\n= "
        "x\n? 4 0\n< quit ann kicked\n? 4 0\n< note ann is kicked\n? 3 0\n< note ann is banned\n"
        "? 2 0\n< error no-such-user ann\n? 1 1\n< note hello\n? 1 1\n< msg me x\n? 0 1\n"},
    /* A gap answers as many as it says, and no more than were sent. */
    {SESSION_MEMBER, false, false,
        LOGIN "> a\n> b\n> c\n= a\n= b\n= c\n? 3 0\n< gap 100 2\n? 1 0\n< gap ? 100\n? 0 0\n"
              "> d\n< gap ? 1\n? 1 0\n= d\n"},
    /* A server that answers what was not sent is not believed. */
    {SESSION_MEMBER, false, false,
        LOGIN
        "< msg me what\n< error usage what\n< gap 1 1\n> a\n~ a\n< msg me a\n? 1 0\n= \n? 1 0\n"},
    /* /quit is answered by the end. */
    {SESSION_MEMBER, false, true,
        LOGIN "> a\n> /quit bye\n> lost\n= a\n! \n= /quit bye\n? 1 0\n! \n< msg me a\n!!\n"},
    /* Posts, and who only asks. */
    {SESSION_POSTER, false, false,
        "> x\n@\n= /post\n= /history 0\n= me\n=\n< you me\n= x\n< post you x\n? 1 0\n< post me "
        "x\n? 0 0\n.\n!!\n"},
    {SESSION_LISTER, false, false, "@\n= /users\n=\n< here a b\n! \n< users 2\n!!\n"},

    /* The hub knows how many lines it has answered. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> b\n> c\n> d\n= a\n= b\n= c\n< msg me a\n? 3 0\n" AGAIN(
            "4") "> e\n< resumed 3\n< token T1\n< msg me b\n< msg me c\n< users 1\n< you me\n? 2 "
                 "0\n"
                 "= d\n= e\n=\n< msg me d\n< msg me e\n? 0 0\n"},
    /* It answers fewer than had been written: those are sent again, half a line too. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> b\n> ccc\n= a\n= b\n~ cc\n" AGAIN(
            "3") "< resumed 1\n< token T1\n< msg me a\n< you me\n? 2 0\n= b\n= ccc\n=\n"},
    /* Counts go on over several connections of one session. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> b\n> c\n= a\n= b\n" AGAIN(
            "3") "< resumed 1\n< token T1\n< msg me a\n< you me\n= b\n= c\n"
                 "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000007Z\n= me\n"
                 "< resumed 2\n< token T1\n< msg me b\n< you me\n? 1 0\n= c\n"},
    /* A line that was answered without an echo was refused. */
    {SESSION_MEMBER, true, false,
        KEPT
        "> a\n> b\n= a\n= b\n" AGAIN("3") "< resumed 2\n< token T1\n< msg me b\n< you me\n? 0 1\n"},
    /* ... unless the past has a gap. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> b\n= a\n= b\n" AGAIN(
            "3") "< resumed 2\n< token T1\n< gap ? 0\n< msg me b\n< you me\n? 0 0\n"},
    /* A welcome that breaks off: what it told is not forgotten. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> b\n> c\n= a\n= b\n= c\n" AGAIN(
            "3") "< resumed 2\n< token T1\n< msg me a\n"
                 "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000006Z\n= me\n"
                 "< resumed 2\n< token T1\n< msg me b\n< you me\n? 1 0\n= c\n=\n"},
    /* The hub has crashed: events tell. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> a\n> b\n> c\n= a\n= a\n= b\n= c\n" AGAIN(
            "3") "< resumed ?\n< token T2\n< msg ann a\n< msg me a\n< msg me a\n< msg me b\n< quit "
                 "me crashed\n"
                 "< join me\n< msg me c\n< users 2\n< you me_2\n? 1 0\n= c\n< msg me c\n? 1 0\n< "
                 "msg me_2 c\n? 0 0\n"},
    /* ... over a welcome that broke off, with a token that is worth nothing. */
    {SESSION_MEMBER, true, false,
        KEPT "> a\n> b\n= a\n= b\n" AGAIN(
            "3") "< resumed ?\n< token T2\n< msg me a\n"
                 "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000006Z\n= me\n"
                 "< resumed ?\n< token T3\n< quit me crashed\n< you me\n? 1 0\n= b\n=\n"},
    /* The events carry the name that one had then. */
    {SESSION_MEMBER, true, true,
        KEPT "> /nick you\n> a\n> /me b\n> c\n= /nick you\n= a\n= /me b\n= c\n" AGAIN(
            "3") "< resumed ?\n< token T2\n< nick me you\n< msg me a\n< msg you a\n< me you b\n"
                 "< quit you crashed\n< you me\n? 1 0\n= c\n"},
    /* Private lines are sent at most once; those that the server did not take are sent. */
    {SESSION_MEMBER, true, true,
        KEPT
        "> /msg ann 1\n> a\n> /msg ann 2\n> b\n> /msg ann 3\n= /msg ann 1\n= a\n= /msg ann 2\n= "
        "b\n" AGAIN("3") "< resumed ?\n< token T2\n< msg me a\n< quit me crashed\n< you me\n"
                         "? 2 1\n= b\n= /msg ann 3\n=\n"},
    /* ... and so are the commands of operators. */
    {SESSION_MEMBER, true, true,
        KEPT "> /kick ann\n> a\n> /ban ann\n= /kick ann\n= a\n" AGAIN(
            "3") "< resumed ?\n< token T2\n< quit me crashed\n< you me\n? 2 1\n= a\n= /ban ann\n"},
    /* The old session is still there: when it ends, its name is taken back, once. */
    {SESSION_MEMBER, true, false,
        KEPT
        "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000003Z\n= me\n< resumed ?\n< "
        "token T2\n< you me_2\n=\n< quit ann left\n=\n< quit me lost\n= /nick me\n=\n? 1 0\n"
        "< nick me_2 me\n? 0 0\n< quit me_2 left\n=\n"},
    /* ... and asked for at the next connection; a refusal is no news. */
    {SESSION_MEMBER, true, false,
        KEPT
        "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000003Z\n= me\n< you me_2\n"
        "@\n= /token\n= /since 1970-01-01T00:00:00.000004Z\n= me\n< you me_3\n=\n"
        "< quit me lost\n= /nick me\n? 1 0\n< error usage me is taken\n? 0 0\n< quit me lost\n=\n"},
    /* ... but not when it is known to have ended: then it is another member's. */
    {SESSION_MEMBER, true, false,
        KEPT "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000003Z\n= me\n"
             "< quit me lost\n< join me\n< you me_2\n< quit me left\n=\n"},
    /* Without a name of one's own, the address is not asked for as one. */
    {SESSION_MEMBER, true, false,
        "@\n= /token\n= /history 0\n= \n< token T1\n< you 127.0.0.1:5\n"
        "@\n= /token\n= /resume T1\n= /since 1970-01-01T00:00:00.000002Z\n= \n"},
};

/* One line of a script without its mark; the mark in *mark. */
static bool script_step(const char **at, char *mark, char *rest, size_t size)
{
    size_t len = strcspn(*at, "\n");

    if (len == 0)
        return false;
    *mark = **at;
    snprintf(rest, size, "%.*s", (int)(len > 2 ? len - 2 : 0), *at + (len > 2 ? 2 : len));
    if (len == 2 && *at[0] == '!')
        rest[0] = (*at)[1], rest[1] = '\0';
    *at += len + 1;
    return true;
}

static void event_receive(struct session *session, const char *text, uint64_t stamp)
{
    struct event event;
    char line[256];
    int len;

    stamp_format(line, stamp);
    len = snprintf(line + STAMP_LEN, sizeof line - STAMP_LEN, " %s", text);
    ck_assert_msg(event_parse(&event, line, STAMP_LEN + (size_t)len), "no event: %s", text);
    session_event(session, &event);
}

static void expect_sent(struct session *session, const char *text, const char *end)
{
    struct span pending = session_pending(session);
    size_t len = strlen(text);

    ck_assert_msg(pending.len >= len + strlen(end) && memcmp(pending.at, text, len) == 0 &&
                      memcmp(pending.at + len, end, strlen(end)) == 0,
        "pending is \"%.*s\" and not \"%s\"", (int)pending.len, pending.at, text);
    session_sent(session, len + strlen(end));
}

static void script_check(struct session *session, char mark, const char *rest, bool bare)
{
    unsigned long unanswered, refused;

    switch (mark) {
    case '=':
        if (bare)
            ck_assert_uint_eq(session_pending(session).len, 0);
        else
            expect_sent(session, rest, "\n");
        break;
    case '~':
        expect_sent(session, rest, "");
        break;
    case '?':
        ck_assert_int_eq(sscanf(rest, "%lu %lu", &unanswered, &refused), 2);
        ck_assert_uint_eq(session->queue.count, unanswered);
        ck_assert_uint_eq(session->refused, refused);
        break;
    case '!':
        ck_assert_int_eq(session_is_done(session), rest[0] == '!');
        break;
    default:
        ck_abort_msg("no such step: %c", mark);
    }
}

static void line_type(struct session *session, const char *text)
{
    session_input(session, text, strlen(text));
    session_input(session, "\n", 1);
}

START_TEST(conversation)
{
    const struct script *script = &scripts[_i];
    const struct session_setup setup = {
        .kind = script->kind, .keep = script->keep, .commands = script->commands};
    struct session *session = malloc(sizeof *session);
    const char *at = script->steps;
    uint64_t stamp = 0;
    char mark, rest[256];

    ck_assert(session_init(session, &setup));
    session_name(session, strstr(at, "127") == NULL ? "me" : "");
    for (const char *step = at; script_step(&at, &mark, rest, sizeof rest); step = at) {
        if (mark == '@')
            session_connect(session);
        else if (mark == '<')
            event_receive(session, rest, ++stamp);
        else if (mark == '>')
            line_type(session, rest);
        else if (mark == '.')
            session_input_end(session);
        else
            script_check(session, mark, rest, step[1] == '\n');
    }
    session_free(session);
    free(session);
}
END_TEST

static struct session *session_open_new(bool commands)
{
    const struct session_setup setup = {.kind = SESSION_MEMBER, .commands = commands};
    struct session *session = malloc(sizeof *session);

    ck_assert(session_init(session, &setup));
    session_name(session, "me");
    session_connect(session);
    session_sent(session, session_pending(session).len);
    event_receive(session, "you me", 1);
    return session;
}

/* All that goes out where each line is answered; it ends with a whole line. */
static size_t take_pending(struct session *session, char *bytes)
{
    struct span pending;
    size_t len = 0;

    while ((pending = session_pending(session)).len > 0) {
        memcpy(bytes + len, pending.at, pending.len);
        len += pending.len;
        session_sent(session, pending.len);
        event_receive(session, "gap ? 1000000", 1);
    }
    ck_assert(len > 0 && bytes[len - 1] == '\n');
    return len;
}

/* Lines that the wire takes, which the server would leave alone, back to the text that they are. */
static size_t join_lines(const char *at, size_t size, char *text)
{
    const char *end = at + size;
    size_t len = 0;

    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        struct request request = request_parse(at, (size_t)(lf - at), true);
        ck_assert_int_eq(request.command, CMD_TEXT);
        ck_assert_uint_le((size_t)(lf - at), LINE_IN_MAX);
        ck_assert(text_is_clean(at, (size_t)(lf - at)));
        memcpy(text + len, request.text.at, request.text.len);
        len += request.text.len;
        at = lf + 1;
    }
    return len;
}

/* Any cut of the input gives the same lines, and pieces that make up the whole. */
START_TEST(long_input_in_any_cut)
{
    static const char *const patterns[] = {
        "abc", "\xe4\xbd\xa0", "e\xcc\x81", "/", "\xf0\x9f\x98\x80"};
    static char sent[50000], got[sizeof sent], bytes[2 * sizeof sent];
    size_t len = strlen(patterns[_i]), sent_len = 0;

    while (sent_len + len < sizeof sent) {
        memcpy(sent + sent_len, patterns[_i], len);
        sent_len += len;
    }
    for (size_t cut = 1; cut < 20000; cut = cut * 3 + 1) {
        struct session *session = session_open_new(false);
        for (size_t at = 0; at < sent_len; at += cut) {
            size_t n = sent_len - at < cut ? sent_len - at : cut;
            ck_assert_uint_eq(session_input(session, sent + at, n), n);
        }
        session_input_end(session);
        ck_assert_uint_eq(join_lines(bytes, take_pending(session, bytes), got), sent_len);
        ck_assert_int_eq(memcmp(sent, got, sent_len), 0);
        session_free(session);
        free(session);
    }
}
END_TEST

/* A command is not cut, for its rest would be said aloud. */
START_TEST(long_commands_are_refused)
{
    static char line[20000];
    struct session *session = session_open_new(true);
    size_t len = _i == 0 ? LINE_IN_MAX + 2 : sizeof line;

    memset(line, 'x', sizeof line);
    memcpy(line, "/msg ann ", 9);
    line[len - 1] = '\n';
    session_input(session, line, len);
    ck_assert_uint_eq(session->refused, 1);
    ck_assert_uint_eq(session_pending(session).len, 0);
    session_free(session);
    free(session);
}
END_TEST

/* Input waits while a window is unanswered, and memory is what it was. */
START_TEST(the_window)
{
    static char text[65536];
    struct session *session = session_open_new(false);
    size_t taken = 0, n;

    memset(text, '\n', sizeof text);
    for (size_t i = 0; i < sizeof text; i += 2)
        text[i] = 'x';
    do {
        n = session_input(session, text, sizeof text);
        taken += n;
        session_sent(session, session_pending(session).len);
    } while (n == sizeof text);
    ck_assert(!session_wants_input(session));
    ck_assert_uint_ge(taken, QUEUE_WINDOW - 1);
    ck_assert_uint_lt(taken, QUEUE_WINDOW + 4096);
    for (int i = 0; i < 1000000; i++) {
        event_receive(session, "msg me x", 2);
        if (session_wants_input(session))
            ck_assert_uint_eq(session_input(session, "x\n", 2), 2);
        session_sent(session, session_pending(session).len);
    }
    ck_assert_uint_eq(session->queue.count, QUEUE_WINDOW / 2);
    session_free(session);
    free(session);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {conversation, COUNT_OF(scripts), 20},
        {long_input_in_any_cut, 5, 60},
        {long_commands_are_refused, 2, 20},
        {the_window, 1, 60},
    };

    return tests_run("session", tests, COUNT_OF(tests));
}
