/*
 * The wire, chat-protocol(7), as a client sees it: what is said, what is answered, in which
 * order.
 */
#include "harness.h"
#include "wire/telnet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Conversations ---- */

#define NO_PAST "-H", "0"
#define BAD "\xef\xbf\xbd" /* U+FFFD */
#define ANN "a> ann\na< here ann\na< users 1\na< you ann\n"
#define ANN_AND_BEN ANN "b> ben\nb< here *\nb< users 2\nb< you ben\na< join ben\n"

static const struct {
    const char *what;
    const char *options[2];
    const char *script;
} conversations[] = {
    {"the first one is alone", {NO_PAST}, ANN},
    {"the welcome lists everybody, the client itself too, and the others get a join", {NO_PAST},
        ANN_AND_BEN "c> cia\nc< here *\nc< users 3\nc< you cia\na< join cia\nb< join cia\n"},
    {"a message goes to all, to its sender as the receipt", {NO_PAST},
        ANN_AND_BEN "a> hello\na< msg ann hello\nb< msg ann hello\n"},
    {"blanks and tabs are text", {NO_PAST},
        ANN "a>  two  blanks  \na< msg ann  two  blanks  \na>  \na< msg ann  \n"
            "a> \t\na< msg ann \t\n"},
    {"an action", {NO_PAST}, ANN_AND_BEN "b> /me waves\na< me ben waves\nb< me ben waves\n"},
    {"two slashes are one", {NO_PAST},
        ANN "a> //nick x\na< msg ann /nick x\na> ///\na< msg ann //\na> //\na< msg ann /\n"},
    {"an empty line is neither sent nor answered", {NO_PAST},
        ANN "a> \na> \r\na> x\na< msg ann x\n"},
    {"unknown commands are told to their sender only", {NO_PAST},
        ANN_AND_BEN "a> /foo bar\na< error unknown-command *\n"
                    "a> /\na< error unknown-command *\n"
                    "a> /mex\na< error unknown-command *\na> /post\na< error unknown-command *\n"
                    "a> /history 3\na< error unknown-command *\na> x\nb< msg ann x\n"},
    {"a new name", {NO_PAST},
        ANN_AND_BEN "a> /nick anna\na< nick ann anna\nb< nick ann anna\na> x\nb< msg anna x\n"
                    "b> /msg ann x\nb< error no-such-user *\n"},
    {"usage", {NO_PAST},
        ANN_AND_BEN "a> /nick\na< error usage *\na> /nick \na< error usage *\n"
                    "a> /nick ann\na< error usage *\na> /msg\na< error usage *\n"
                    "a> /msg ben\na< error usage *\na> /msg ben \na< error usage *\n"
                    "a> /me\na< error usage *\na> x\nb< msg ann x\n"},
    {"who is there", {NO_PAST},
        ANN_AND_BEN "a> /users\na< here *\na< users 2\nb> x\na< msg ben x\nb< msg ben x\n"},
    {"help is one note, to the client that asks", {NO_PAST},
        ANN_AND_BEN "a> /help\na< note *\na> x\na< msg ann x\nb< msg ann x\n"},
    {"a private message reaches its two ends", {NO_PAST},
        ANN_AND_BEN "c> cia\nc~ you cia\na< join cia\nb< join cia\n"
                    "a> /msg ben a secret\na< priv ann ben a secret\nb< priv ann ben a secret\n"
                    "b> /msg ANN /me too\nb< priv ben ann /me too\na< priv ben ann /me too\n"
                    "a> x\na< msg ann x\nb< msg ann x\nc< msg ann x\n"},
    {"a private message to oneself comes once", {NO_PAST},
        ANN "a> /msg ann x\na< priv ann ann x\na> y\na< msg ann y\n"},
    {"a private message to nobody", {NO_PAST},
        ANN "a> /msg zoe x\na< error no-such-user *\na> y\na< msg ann y\n"},
    {"a member that quits is off the list", {NO_PAST},
        ANN_AND_BEN "b> /quit\nb.\na< quit ben left\na> /users\na< here ann\na< users 1\n"},
    {"last words", {NO_PAST}, ANN_AND_BEN "b> /quit so long\nb.\na< quit ben left so long\n"},
    {"the end of input is goodbye, and pending output is delivered", {NO_PAST},
        ANN_AND_BEN "b> one\nb> /users\nb> two\nb|\nb< msg ben one\nb< here *\nb< users 2\n"
                    "b< msg ben two\nb.\na< msg ben one\na< msg ben two\na< quit ben left\n"},
    {"a last line without its end counts", {NO_PAST},
        ANN "e& eve\ne|\ne< here *\ne< users 2\ne< you eve\ne.\na< join eve\na< quit eve left\n"
            "f> fay\nf& hi\nf|\nf~ you fay\nf< msg fay hi\nf.\n"
            "a< join fay\na< msg fay hi\na< quit fay left\n"},
    {"a last CR is a line end, too", {NO_PAST},
        ANN "f> fay\nf& hi\r\nf|\nf~ you fay\nf< msg fay hi\nf.\n"},
    {"a client that closes has left, one that resets is lost", {NO_PAST},
        ANN_AND_BEN "b-\na< quit ben left\nc> cia\nc~ you cia\na< join cia\nc!\n"
                    "a< quit cia lost\n"},
    {"nobody comes who says nothing", {NO_PAST}, ANN "e|\ne.\nf-\na> x\na< msg ann x\n"},
    {"to ask who is there is not to join", {NO_PAST},
        ANN "u> /users\nu< here ann\nu< users 1\nu> /users\nu< here ann\nu< users 1\nu|\nu.\n"
            "v& /users\nv|\nv< here ann\nv< users 1\nv.\na> x\na< msg ann x\n"},
    {"an empty room has nobody", {NO_PAST}, "u> /users\nu< users 0\nu|\nu.\n"},
    {"after the question, the name", {NO_PAST},
        "u> /users\nu< users 0\nu> uma\nu< here uma\nu< users 1\nu< you uma\n"},
    {"a post comes from somebody who is not there", {NO_PAST},
        ANN "p> /post\np> ci\np< you ci\np> all done\np< post ci all done\n"
            "a< post ci all done\np> //x\np< post ci /x\na< post ci /x\n"
            "p> /users\np< here ann\np< users 1\np> /help\np< note *\n"
            "a> x\na< msg ann x\np> /quit\np.\na> y\na< msg ann y\n"},
    {"most commands are not for posts", {NO_PAST},
        ANN "p> /post\np> ci\np< you ci\np> /me x\np< error not-allowed *\n"
            "p> /nick x\np< error not-allowed *\np> /msg ann x\np< error not-allowed *\n"
            "p> /foo\np< error unknown-command *\na> x\na< msg ann x\n"},
    {"a post ends with its input", {NO_PAST},
        ANN "p> /post\np> ci\np& bye\np|\np< you ci\np< post ci bye\np.\na< post ci bye\n"},
    {"posts share a name with each other, and with no member", {NO_PAST},
        ANN "p> /post\np> ANN\np< you ANN_2\nq> /post\nq> ann\nq< you ann_2\n"
            "c> ann_2\nc~ users 2\nc< you ann_2_2\na< join ann_2_2\n"},
    {"a post hears nothing of the past", {"-H", "20"}, ANN "p> /post\np> ci\np< you ci\n"},
    {"what is wrong before the name", {NO_PAST},
        "a> /foo\na< error unknown-command *\na> /msg ann x\na< error unknown-command *\n"
        "a> /history\na< error usage *\na> /history x\na< error usage *\n"
        "a> /history -1\na< error usage *\na> /since\na< error usage *\n"
        "a> /since yesterday\na< error usage *\n" ANN},
    {"the past: events, oldest first, before the list", {"-H", "20"},
        ANN "a> one\na< msg ann one\na> /me two\na< me ann two\na> /nick anna\n"
            "a< nick ann anna\np> /post\np> ci\np> three\np< you ci\np< post ci three\n"
            "b> ben\nb< join ann\nb< msg ann one\nb< me ann two\nb< nick ann anna\n"
            "b< post ci three\nb< here *\nb< users 2\nb< you ben\n"},
    {"as much of the past as is asked for", {"-H", "20"},
        ANN "a> one\na> two\na> three\na< msg ann one\na< msg ann two\na< msg ann three\n"
            "b> /history 2\nb> ben\nb< msg ann two\nb< msg ann three\nb< here *\n"
            "b< users 2\nb< you ben\nc> /history 0\nc> cia\nc< here *\n"
            "d> /history 100000\nd> dan\nd< join ann\nd< msg ann one\nd~ join cia\nd< here *\n"},
    {"as much of the past as the server gives", {"-H", "1"},
        ANN "a> one\na> two\na< msg ann one\na< msg ann two\n"
            "b> ben\nb< msg ann two\nb< here *\nb< users 2\n"
            "c> /history 2\nc> cia\nc< msg ann one\nc< msg ann two\nc< join ben\nc< here *\n"},
    {"private messages have no past", {"-H", "20"},
        ANN "a> /msg ann x\na< priv ann ann x\nb> ben\nb< join ann\nb< here *\n"},
    {"no web page may talk", {NO_PAST},
        ANN "h> GET / HTTP/1.1\r\nh< error not-allowed *\nh.\n"
            "i> POST /x HTTP/1.0\ni< error not-allowed *\ni.\n"
            "j> OPTIONS * HTTP/1.1\r\nj< error not-allowed *\nj.\n"
            "k> /history 0\nk> GET http://x/ HTTP/1.1\r\nk< error not-allowed *\nk.\n"
            "l> GET lost\nl~ you GET_lost\na< join GET_lost\n"
            "a> GET / HTTP/1.1\na< msg ann GET / HTTP/1.1\n"},
    {"telnet's commands are not text", {NO_PAST},
        ANN "a> hel\xff\xf1lo\na< msg ann hello\na> \xff\xfb\x01x\na< msg ann x\n"
            "a> \xff\xfa\x18stuff\xff\xf0y\na< msg ann y\na> x\xff\xffy\n"
            "a< msg ann x" BAD "y\na& half\xff\xfb\na> \na< msg ann half\n"},
    {"what looks like a server's line is text", {NO_PAST},
        ANN_AND_BEN "a> 2026-11-22T21:42:07.123456Z msg ben x\n"
                    "b< msg ann 2026-11-22T21:42:07.123456Z msg ben x\na> quit ben left\n"
                    "b< msg ann quit ben left\na> x\rquit ben left\nb< msg ann x" BAD
                    "quit ben left\n"},
    {"percent signs are text", {NO_PAST}, ANN "a> %s%n%x %%\na< msg ann %s%n%x %%\n"},
    {"Chinese", {NO_PAST},
        ANN "c> 王小明\nc~ you 王小明\na< join 王小明\nc> 大家好\na< msg 王小明 大家好\n"
            "a> /msg 王小明 你好\na< priv ann 王小明 你好\n"},
    {"an unwritten name is the address", {NO_PAST},
        "a> \na< here 127.0.0.1:*\na< users 1\na< you 127.0.0.1:*\n"},
};

START_TEST(conversation)
{
    struct server server;
    const char *const *options = conversations[_i].options;
    server_start(&server, ANY_PORT, options[0], options[1]);
    play(&server, conversations[_i].script);
    server_stop(&server);
}
END_TEST

/* ---- Receipts ---- */

/* Lines of every kind and their answers. */
static const struct {
    const char *line;
    const char *answer;
} receipts[] = {
    {"text", "msg ann text"},
    {"/me acts", "me ann acts"},
    {"/msg ben psst", "priv ann ben psst"},
    {"/msg nobody psst", "error no-such-user *"},
    {"/users", "users 2"},
    {"/help", "note *"},
    {"/nope", "error unknown-command *"},
    {"/Me yawns", "me ann yawns"},
    {"/kick ben", "error not-allowed *"},
    {"/ban ben 5", "error not-allowed *"},
    {"/UnBan ben", "error not-allowed *"},
    {"/nick", "error usage *"},
    {"//", "msg ann /"},
};

/* Every line is answered once, in the order of the lines, however many are under way. */
START_TEST(every_line_is_answered_in_order)
{
    enum { ROUNDS = 300 };
    struct room room;
    room_open(&room, ANY_PORT, NO_PAST);
    char round[512] = "";
    for (size_t i = 0; i < COUNT_OF(receipts); i++)
        snprintf(round + strlen(round), sizeof round - strlen(round), "%s\n", receipts[i].line);
    char *all = calloc(ROUNDS, sizeof round);
    for (int i = 0; i < ROUNDS; i++)
        memcpy(all + (size_t)i * strlen(round), round, strlen(round));
    conn_send(&room.ann, all, ROUNDS * strlen(round));
    free(all);
    for (size_t i = 0; i < ROUNDS * COUNT_OF(receipts); i++) {
        const char *line = conn_read(&room.ann);
        while (room.ann.event.verb == VERB_HERE)
            line = conn_read(&room.ann);
        const char *answer = receipts[i % COUNT_OF(receipts)].answer;
        ck_assert_msg(pattern_match(answer, line), "%s instead of %s", line, answer);
    }
    room_close(&room);
}
END_TEST

/* A line that is too long is answered in its place, once, and is not seen by others. */
START_TEST(a_long_line_is_answered_in_its_place)
{
    struct room room;
    room_open(&room, ANY_PORT, NO_PAST);
    char text[LINE_IN_MAX + 1];
    memset(text, 'x', sizeof text);
    conn_say(&room.ann, "before");
    conn_send(&room.ann, text, sizeof text);
    conn_send(&room.ann, "\n", 1);
    conn_say(&room.ann, "behind");
    conn_expect(&room.ann, "msg ann before");
    conn_expect(&room.ann, "error too-long *");
    conn_expect(&room.ann, "msg ann behind");
    conn_expect(&room.ben, "msg ann before");
    conn_expect(&room.ben, "msg ann behind");
    room_close(&room);
}
END_TEST

START_TEST(nothing_counts_after_quit)
{
    struct room room;
    struct conn cia;
    room_open(&room, ANY_PORT, NO_PAST);
    conn_join(&cia, &room.server, "cia");
    conn_expect(&room.ann, "join cia");
    conn_say(&cia, "one\n/quit\ntwo\n/users");
    conn_expect(&cia, "msg cia one");
    conn_expect_end(&cia);
    conn_expect(&room.ann, "msg cia one");
    conn_expect(&room.ann, "quit cia left");
    conn_say(&room.ann, "x");
    conn_expect(&room.ann, "msg ann x");
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* ---- Stamps and the past ---- */

START_TEST(you_has_the_stamp_of_the_join)
{
    struct room room;
    room_open(&room, ANY_PORT, NO_PAST);
    struct conn cia;
    conn_join(&cia, &room.server, "cia");
    uint64_t you = cia.event.stamp;
    conn_expect(&room.ann, "join cia");
    ck_assert_uint_eq(room.ann.event.stamp, you);
    conn_expect(&room.ben, "join cia");
    ck_assert_uint_eq(room.ben.event.stamp, you);
    conn_say(&cia, "x");
    conn_expect(&cia, "msg cia x");
    ck_assert_uint_gt(cia.event.stamp, you);
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* Two talk at once; both see one order, with the same stamps. */
START_TEST(all_see_one_order)
{
    enum { LINES = 1000 };
    struct room room;
    room_open(&room, ANY_PORT, NO_PAST);
    for (int i = 0; i < LINES; i++) {
        conn_say(&room.ann, "a%d", i);
        conn_say(&room.ben, "b%d", i);
    }
    for (int i = 0; i < 2 * LINES; i++) {
        const char *line = conn_read(&room.ann);
        ck_assert_str_eq(conn_read(&room.ben), line);
        ck_assert_uint_eq(room.ben.event.stamp, room.ann.event.stamp);
    }
    room_close(&room);
}
END_TEST

/* Opens a session that wants what came after the stamp. */
static void open_since(struct conn *conn, const struct server *server, uint64_t stamp)
{
    char text[STAMP_LEN];
    stamp_format(text, stamp);
    conn_open(conn, server);
    conn_say(conn, "/since %.*s", STAMP_LEN, text);
    conn_say(conn, "cia");
}

/* A stamp names an event: what came after it, to the microsecond, and nothing else. */
START_TEST(since_a_stamp)
{
    struct room room;
    struct conn cia;
    room_open(&room, ANY_PORT, NO_PAST);
    uint64_t stamps[5];
    for (int i = 0; i < 5; i++) {
        conn_say(&room.ann, "%d", i);
        conn_seek(&room.ann, "msg ann *");
        stamps[i] = room.ann.event.stamp;
    }
    for (int i = 0; i < 5; i++) {
        open_since(&cia, &room.server, stamps[i] - (i == 2));
        for (int k = i + 1 - (i == 2); k < 5; k++) {
            conn_expect(&cia, "msg ann *");
            ck_assert_uint_eq(cia.event.stamp, stamps[k]);
        }
        while (cia.event.verb != VERB_YOU) {
            conn_read(&cia);
            ck_assert(cia.event.verb != VERB_MSG && cia.event.verb != VERB_GAP);
        }
        conn_close(&cia);
        conn_seek(&room.ann, "quit cia *");
    }
    room_close(&room);
}
END_TEST

/* From a stamp that the room has forgotten: a gap is told, and what follows it has no hole. */
START_TEST(since_a_forgotten_stamp)
{
    enum { LINES = 3000 };
    struct room room;
    struct conn cia;
    room_open(&room, ANY_PORT, "-b", "65536");
    conn_say(&room.ann, "first");
    conn_seek(&room.ann, "msg ann first");
    uint64_t first = room.ann.event.stamp;
    for (int i = 0; i < LINES; i++) {
        conn_say(&room.ann, "%0100d", i);
        conn_seek(&room.ann, "msg ann *");
    }
    open_since(&cia, &room.server, first);
    conn_expect(&cia, "gap * 0");
    unsigned long missing = cia.event.count;
    bool counted = cia.event.counted;
    int next = -1;
    int had = 0;
    for (const char *line; (line = conn_read(&cia)) != NULL && cia.event.verb == VERB_MSG; had++) {
        int number = atoi(cia.event.text.at);
        ck_assert_msg(next == -1 || number == next, "%d instead of %d", number, next);
        next = number + 1;
    }
    ck_assert_int_eq(next, LINES);
    ck_assert_int_gt(had, 0);
    if (counted)
        ck_assert_uint_eq(missing + (unsigned long)had, LINES);
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* ---- Telnet ---- */

/* What the server sends besides lines, and so is not for conn_read(). */
static void expect_bytes(struct conn *conn, const char *bytes, size_t len)
{
    char got[16];
    size_t have = 0;
    while (have < len) {
        struct pollfd ready = {conn->fd, POLLIN, 0};
        await_ready(&ready, 1);
        ssize_t n = recv(conn->fd, got + have, len - have, 0);
        ck_assert_int_gt(n, 0);
        have += (size_t)n;
    }
    ck_assert_mem_eq(got, bytes, len);
}

/* Ctrl-C in telnet: it waits for the answer to its timing mark; without it all output is lost. */
START_TEST(a_timing_mark_is_answered)
{
    struct room room;
    room_open(&room, ANY_PORT, NO_PAST);
    conn_send(&room.ann, "\xff\xf4\xff\xfd\x06", 5);
    expect_bytes(&room.ann, TELNET_WONT_TIMING_MARK, 3);
    struct conn cia;
    conn_open(&cia, &room.server);
    conn_send(&cia, "\xff\xf4\xff\xfd", 4);
    conn_send(&cia, "\x06", 1);
    expect_bytes(&cia, TELNET_WONT_TIMING_MARK, 3);
    conn_say(&cia, "cia");
    conn_seek(&cia, "you cia");
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* ---- Resuming ---- */

#define TOKEN_MAX 128

/* Joins as cia and asks for a token. */
static void join_with_token(struct room *room, struct conn *conn, char token[TOKEN_MAX])
{
    conn_open(conn, &room->server);
    conn_say(conn, "/token\ncia");
    conn_seek(conn, "token *");
    span_copy(token, TOKEN_MAX, conn->event.word);
    conn_seek(conn, "you cia");
}

/* Comes again; what the server says of the lines that it had answered. */
static void conn_resume(
    struct conn *conn, const struct server *server, const char *token, uint64_t stamp)
{
    char text[STAMP_LEN];
    stamp_format(text, stamp);
    conn_open(conn, server);
    conn_say(conn, "/resume %s\n/since %.*s\ncia", token, STAMP_LEN, text);
    conn_seek(conn, "resumed *");
}

/*
 * The new connection has the session, the name and what was missed; the old one ends, its last
 * words are taken; the room sees nothing of it.
 */
START_TEST(a_seat_is_taken_back)
{
    struct room room;
    struct conn old;
    struct conn new;
    char token[TOKEN_MAX];
    room_open(&room, ANY_PORT, NO_PAST);
    join_with_token(&room, &old, token);
    conn_say(&old, "one\n/users\n/nope");
    conn_seek(&old, "error *");
    uint64_t stamp = old.last;
    conn_say(&room.ann, "missed");
    conn_seek(&room.ann, "msg ann missed");
    conn_send(&old, "two\nthr", 7);
    conn_await_delivery(&old);
    conn_resume(&new, &room.server, token, stamp);
    ck_assert(new.event.counted);
    ck_assert_uint_eq(new.event.count, 4);
    conn_seek(&new, "msg ann missed");
    conn_expect(&new, "msg cia two");
    conn_seek(&new, "you cia");
    conn_say(&new, "three");
    conn_expect(&new, "msg cia three");
    conn_seek_end(&old);
    conn_seek(&room.ben, "join cia");
    conn_expect(&room.ben, "msg cia one");
    conn_expect(&room.ben, "msg ann missed");
    conn_expect(&room.ben, "msg cia two");
    conn_expect(&room.ben, "msg cia three");
    conn_close(&old);
    conn_close(&new);
    room_close(&room);
}
END_TEST

/* A session that has ended begins anew, and still gets the number of its answered lines. */
START_TEST(a_token_outlives_its_session)
{
    struct room room;
    struct conn conn;
    char token[TOKEN_MAX];
    room_open(&room, ANY_PORT, NO_PAST);
    join_with_token(&room, &conn, token);
    conn_say(&conn, "one");
    conn_expect(&conn, "msg cia one");
    uint64_t stamp = conn.last;
    conn_reset(&conn);
    conn_seek(&room.ann, "quit cia lost");
    conn_resume(&conn, &room.server, token, stamp);
    ck_assert_uint_eq(conn.event.count, 1);
    conn_expect(&conn, "quit cia lost");
    conn_seek(&conn, "you cia");
    conn_expect(&room.ann, "join cia");
    conn_close(&conn);
    room_close(&room);
}
END_TEST

/* A token that nobody gave: not known, and a session like any other. */
START_TEST(an_unknown_token)
{
    struct room room;
    struct conn conn;
    room_open(&room, ANY_PORT, NO_PAST);
    conn_resume(&conn, &room.server, "0123456789abcdef0123456789abcdef", room.ann.last);
    ck_assert(!conn.event.counted);
    conn_seek(&conn, "you cia");
    conn_close(&conn);
    room_close(&room);
}
END_TEST

/* ---- The secret ---- */

START_TEST(the_secret)
{
    struct conn conn;
    char path[PATH_TEXT_MAX];
    test_path(path, "secret");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("open sesame\nnot this\n", file);
    fclose(file);
    chmod(path, 0600);
    struct server server;
    server_start(&server, ANY_PORT, "-k", path);
    static const char *const wrong[] = {
        "cia", "/pass\ncia", "/pass open\ncia", "/pass open sesame \ncia", "/pass not this\ncia"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        conn_open(&conn, &server);
        conn_say(&conn, "%s", wrong[i]);
        conn_expect(&conn, "error password *");
        conn_seek_end(&conn);
        conn_close(&conn);
    }
    conn_open(&conn, &server);
    conn_say(&conn, "/pass open sesame\ncia");
    conn_seek(&conn, "you cia");
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {conversation, COUNT_OF(conversations), 20},
        {every_line_is_answered_in_order, 1, 30},
        {a_long_line_is_answered_in_its_place, 1, 20},
        {nothing_counts_after_quit, 1, 20},
        {you_has_the_stamp_of_the_join, 1, 20},
        {all_see_one_order, 1, 30},
        {since_a_stamp, 1, 20},
        {since_a_forgotten_stamp, 1, 30},
        {a_timing_mark_is_answered, 1, 20},
        {a_seat_is_taken_back, 1, 20},
        {a_token_outlives_its_session, 1, 20},
        {an_unknown_token, 1, 20},
        {the_secret, 1, 60},
    };
    return tests_run("wire", tests, COUNT_OF(tests));
}
