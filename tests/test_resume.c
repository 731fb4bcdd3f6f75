/*
 * Resuming, chat-protocol(7), RESUMING: whatever happens to a connection, its session goes on in
 * the next one, and of each line that was sent it is known whether it was taken.
 */
#include "harness.h"
#include "record.h"
#include "senders.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_MAX 128

/* Joins with a token, and no past. */
static pid_t join_with_token(
    struct room *room, struct conn *conn, const char *name, char token[TOKEN_MAX])
{
    struct family before;
    family_look(&before, room->server.pid);
    conn_open(conn, &room->server);
    conn_say(conn, "/history 0\n/token\n%s", name);
    conn_expect(conn, "token *");
    span_copy(token, TOKEN_MAX, conn->event.word);
    conn_seek(conn, "you *");
    return family_new_process(&before, room->server.pid);
}

/* Connects again and says so; what is answered is still to be read. */
static void open_again(
    struct room *room, struct conn *conn, const char *token, uint64_t since, const char *name)
{
    char stamp[STAMP_LEN];
    stamp_format(stamp, since);
    conn_open(conn, &room->server);
    conn_say(conn, "/resume %s\n/since %.*s\n%s", token, STAMP_LEN, stamp, name);
}

/* Both witnesses have seen nothing since they said their last line. */
static void nothing_was_seen(struct room *room)
{
    conn_say(&room->ann, "seen nothing");
    conn_expect(&room->ann, "msg ann seen nothing");
    conn_expect(&room->ben, "msg ann seen nothing");
}

static void both_expect(struct room *room, const char *pattern)
{
    conn_expect(&room->ann, pattern);
    conn_expect(&room->ben, pattern);
}

/* ---- Tokens ---- */

/* A client that asks gets a token in the welcome; it is long, and differs from every other one. */
START_TEST(tokens_are_told)
{
    enum { MANY = 20 };
    struct room room;
    struct conn conns[MANY];
    char tokens[MANY][TOKEN_MAX];
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "vic%d", i);
        join_with_token(&room, &conns[i], name, tokens[i]);
        ck_assert_uint_ge(strlen(tokens[i]), 22); /* 128 bits, however they are written */
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(tokens[i], tokens[k]);
    }
    play(&room.server, "x> no\n"
                       "x< here *\n"
                       "x< users 23\n"
                       "x< you no\n"
                       "p> /post\n"
                       "p> /token\n"
                       "p> poster\n"
                       "p< token *\n"
                       "p< you poster\n");
    for (int i = 0; i < MANY; i++)
        conn_close(&conns[i]);
    room_close(&room);
}
END_TEST

static const char *const strange_tokens[] = {"", "x", "00000000000000000000000000000000",
    "0123456789abcdef0123456789ABCDEF", "\xff", "%s%n", "../../etc/passwd",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};

/* A token that is nobody's leads nowhere, and the session begins as any. */
START_TEST(unknown_tokens)
{
    struct room room;
    struct conn vic;
    room_open(&room, ANY_PORT, "-H", "0");
    open_again(&room, &vic, strange_tokens[_i], room.ann.last, "vic");
    conn_expect(&vic, "resumed ?");
    conn_seek(&vic, "you vic");
    both_expect(&room, "join vic");
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/* ---- The old connection is still there ---- */

/* Lines of all kinds, six of which are answered. */
static const char some_lines[] = "one\n\n/users\n/msg ann two\n/nonsense\n\n/help\n//three\n";
#define SOME_ANSWERED 6

/*
 * The old connection is open and silent, with half a line in it: the new one has the session, under
 * its name, whatever it asks for; nobody sees it; and all goes on from the last line it had read.
 */
START_TEST(the_old_one_is_silent)
{
    struct room room;
    struct conn old;
    struct conn new;
    char token[TOKEN_MAX];
    room_open(&room, ANY_PORT, "-H", "0");
    join_with_token(&room, &old, "vic", token);
    conn_send(&old, some_lines, sizeof some_lines - 1);
    conn_seek(&old, "msg vic /three");
    both_expect(&room, "join vic");
    both_expect(&room, "msg vic one");
    conn_expect(&room.ann, "priv vic ann two");
    both_expect(&room, "msg vic /three");
    conn_send(&old, "half a li", 9);
    uint64_t last = old.last;
    conn_say(&room.ann, "not read before the break");
    both_expect(&room, "msg ann not read before the break");
    open_again(&room, &new, token, last, "another");
    char wanted[32];
    snprintf(wanted, sizeof wanted, "resumed %d", SOME_ANSWERED);
    conn_expect(&new, wanted);
    conn_expect(&new, "msg ann not read before the break");
    conn_expect(&new, "here ann ben vic");
    conn_expect(&new, "users 3");
    conn_expect(&new, "you vic");
    conn_seek_end(&old);
    nothing_was_seen(&room);
    conn_expect(&new, "msg ann seen nothing");
    conn_say(&new, "half a line");
    conn_expect(&new, "msg vic half a line");
    both_expect(&room, "msg vic half a line");
    conn_say(&room.ann, "/msg vic to the new one");
    conn_expect(&new, "priv ann vic to the new one");
    conn_close(&old);
    conn_close(&new);
    room_close(&room);
}
END_TEST

/* A worker that is stopped is waited for only for a limited time. */
#define STOPPED_MS 5000

/* False where that time was over before the worker had read its lines. */
static bool unread_lines_are_taken(unsigned long lines)
{
    struct room room;
    struct conn old;
    struct conn new;
    char token[TOKEN_MAX];
    char wanted[32];
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = join_with_token(&room, &old, "vic", token);
    both_expect(&room, "join vic");
    uint64_t last = old.event.stamp;
    process_stop(worker);
    for (unsigned long i = 0; i < lines; i++)
        conn_say(&old, "%lu", i);
    conn_await_delivery(&old);
    int64_t begun = clock_ms();
    open_again(&room, &new, token, last, "vic");
    room_exchange(&room); /* nobody else waits for that */
    kill(worker, SIGCONT);
    conn_expect(&new, "resumed *");
    bool in_time = new.event.count == lines || !was_late(begun, STOPPED_MS);
    if (in_time) {
        ck_assert_uint_eq(new.event.count, lines);
        conn_seek(&new, "msg ben *");
        for (unsigned long i = 0; i < lines; i++) {
            snprintf(wanted, sizeof wanted, "msg vic %lu", i);
            both_expect(&room, wanted);
            conn_expect(&new, wanted);
        }
        conn_seek(&new, "you vic");
        nothing_was_seen(&room);
    }
    conn_close(&old);
    conn_close(&new);
    room_close(&room);
    return in_time;
}

/* What had arrived is taken first, however late it is read: it counts, and comes to all, once. */
START_TEST(the_old_one_has_lines_unread)
{
    while (!unread_lines_are_taken(500))
        continue;
}
END_TEST

/* One that goes on standing still is killed, and what it has not read does not count. */
START_TEST(the_old_one_stands_still)
{
    struct room room;
    struct conn old;
    struct conn new;
    char token[TOKEN_MAX];
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = join_with_token(&room, &old, "vic", token);
    both_expect(&room, "join vic");
    conn_say(&old, "one");
    both_expect(&room, "msg vic one");
    process_stop(worker);
    conn_say(&old, "never read");
    open_again(&room, &new, token, old.event.stamp, "vic");
    const char *line = conn_read_by(&new, deadline_in(15000));
    ck_assert_str_eq(line, "resumed 1");
    conn_expect(&new, "msg vic one");
    conn_seek(&new, "you vic");
    nothing_was_seen(&room);
    conn_close(&old);
    conn_close(&new);
    room_close(&room);
}
END_TEST

/* Again and again, each by the one before; and one that never was in the room itself. */
START_TEST(a_chain)
{
    struct room room;
    struct conn old;
    struct conn new;
    char token[TOKEN_MAX];
    char wanted[32];
    room_open(&room, ANY_PORT, "-H", "0");
    join_with_token(&room, &old, "vic", token);
    both_expect(&room, "join vic");
    uint64_t last = old.event.stamp;
    for (int i = 0; i < 20; i++) {
        if (i % 4 == 3) { /* has the session, and gives no name */
            conn_open(&new, &room.server);
            conn_say(&new, "/resume %s", token);
        } else {
            open_again(&room, &new, token, last, "vic");
        }
        snprintf(wanted, sizeof wanted, "resumed %d", i - i / 4);
        conn_expect(&new, wanted);
        conn_close(&old);
        old = new;
        if (i % 4 == 3)
            continue;
        conn_seek(&old, "you vic");
        conn_say(&old, "%d", i);
        snprintf(wanted, sizeof wanted, "msg vic %d", i);
        conn_seek(&old, wanted);
        both_expect(&room, wanted);
        last = old.last;
    }
    nothing_was_seen(&room);
    conn_close(&old);
    room_close(&room);
}
END_TEST

/* ---- The session is over ---- */

enum ending { RESET, HALF_CLOSE, CLOSE, QUIT, DEATH, KICK };

static const char *const reasons[] = {"lost", "left", "left", "left", "crashed", "kicked"};

static void session_end(enum ending ending, struct conn *conn, pid_t worker)
{
    switch (ending) {
    case RESET:
        conn_reset(conn);
        break;
    case HALF_CLOSE:
        conn_finish(conn);
        break;
    case CLOSE:
        conn_close(conn);
        break;
    case QUIT:
        conn_say(conn, "/quit");
        break;
    case DEATH:
        kill(worker, SIGKILL);
        break;
    case KICK:
        kill(worker, SIGTERM);
        break;
    }
}

/*
 * The others have seen a quit, and see a join: but the lines are counted on. The name is free to
 * anybody meanwhile.
 */
START_TEST(the_session_is_over)
{
    struct room room;
    struct conn old;
    struct conn new;
    struct conn thief;
    char token[TOKEN_MAX];
    char wanted[32];
    room_open(&room, ANY_PORT, "-H", "0");
    pid_t worker = join_with_token(&room, &old, "vic", token);
    conn_send(&old, some_lines, sizeof some_lines - 1);
    conn_seek(&old, "msg vic /three");
    uint64_t last = old.last;
    session_end((enum ending)_i, &old, worker);
    snprintf(wanted, sizeof wanted, "quit vic %s", reasons[_i]);
    conn_seek(&room.ann, wanted);
    conn_seek(&room.ben, wanted);
    conn_join(&thief, &room.server, "vic");
    both_expect(&room, "join vic");
    open_again(&room, &new, token, last, "vic");
    snprintf(wanted, sizeof wanted, "resumed %d", SOME_ANSWERED);
    conn_expect(&new, wanted);
    conn_expect(&new, "quit vic *");
    conn_expect(&new, "join vic");
    conn_seek(&new, "you vic_2");
    both_expect(&room, "join vic_2");
    conn_say(&new, "goes on");
    conn_seek(&new, "msg vic_2 goes on");
    /* And once more, now that it is somebody's again. */
    conn_reset(&new);
    conn_seek(&room.ann, "quit vic_2 lost");
    open_again(&room, &new, token, room.ann.last, "vic");
    snprintf(wanted, sizeof wanted, "resumed %d", SOME_ANSWERED + 1);
    conn_expect(&new, wanted);
    conn_close(&new);
    conn_close(&thief);
    if (old.fd != -1)
        conn_close(&old);
    room_close(&room);
}
END_TEST

/* One who posts: its lines are counted too. */
START_TEST(a_post_session)
{
    struct room room;
    struct conn old;
    struct conn new;
    char token[TOKEN_MAX];
    room_open(&room, ANY_PORT, "-H", "0");
    conn_open(&old, &room.server);
    conn_say(&old, "/post\n/token\nbot\none\ntwo\n/me not allowed");
    conn_expect(&old, "token *");
    span_copy(token, sizeof token, old.event.word);
    conn_seek(&old, "error not-allowed *");
    conn_open(&new, &room.server);
    conn_say(&new, "/post\n/resume %s\nbot", token);
    conn_expect(&new, "resumed 3");
    conn_expect(&new, "you bot");
    conn_say(&new, "three");
    conn_expect(&new, "post bot three");
    conn_seek_end(&old);
    both_expect(&room, "post bot one");
    both_expect(&room, "post bot two");
    both_expect(&room, "post bot three");
    conn_close(&old);
    conn_close(&new);
    room_close(&room);
}
END_TEST

/* ---- Under load ---- */

/* Every line of the session that anybody knows of, in the order and number in which it sent them.
 */
static void lines_are_counted(const struct sender *sender, const struct record *heard)
{
    char pattern[32];
    unsigned long next = 0;
    snprintf(pattern, sizeof pattern, "msg %s *", sender->name);
    for (size_t i = 0; (i = record_find(heard, i, pattern)) < heard->count; i++, next++) {
        const char *number = record_words(heard, i) + strlen(pattern) - 1;
        ensure(strtoul(number, NULL, 10) == next, "%s instead of %lu", number, next);
    }
    ensure(next == sender->echoed && next == sender->said, "%s: %lu heard, %lu echoed, %lu said",
        sender->name, next, sender->echoed, sender->said);
}

/* The connection breaks in one of many ways, in the middle of a line. */
static void sender_break(struct sender *sender, int how, struct conn *left)
{
    *left = (struct conn){.fd = -1};
    switch (how) {
    case 0:
        conn_reset(&sender->conn);
        break;
    case 1: /* the peer does not hear of it */
        *left = sender->conn;
        break;
    case 2: /* a tunnel ends: an orderly close in the middle of a line */
        conn_close(&sender->conn);
        break;
    case 3: /* a half-close, and nothing is read any more */
        conn_finish(&sender->conn);
        *left = sender->conn;
        break;
    }
    if (how != 0 && how != 2)
        sender->conn = (struct conn){.fd = -1};
}

static unsigned random_next(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/*
 * Fifty times the connection of one of four breaks while all talk. Each has in the end all that was
 * said, once and in one order, and knows of each line of its own that it was taken.
 */
START_TEST(fifty_breaks_under_load)
{
    enum { PEOPLE = 4, BREAKS = 50 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    unsigned seed = (unsigned)getpid();
    test_path(path, "transcript");
    server_start(&server, ANY_PORT, "-w", "60", "-t", path);
    for (size_t i = 0; i < PEOPLE; i++) {
        snprintf(senders[i].name, sizeof senders[i].name, "s%zu", i);
        senders[i].resumes = true;
        senders[i].length = 64 + 200 * i;
        sender_join(&senders[i], &server);
    }
    for (int i = 0; i < BREAKS; i++) {
        struct conn left;
        struct sender *victim = &senders[random_next(&seed) % PEOPLE];
        senders_talk(senders, PEOPLE, 300, random_next(&seed) % 20);
        int how = _i < 4 ? _i : (int)(random_next(&seed) % 4);
        sender_break(victim, how, &left);
        sender_join(victim, &server);
        if (left.fd != -1)
            conn_close(&left);
    }
    senders_talk_until(senders, PEOPLE, 300, senders[0].answered + 10);
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    record_read(&file, path);
    if (_i == 1)
        ck_assert_uint_eq(record_count(&file, "quit *"), PEOPLE); /* at the end */
    record_keep_messages(&file);
    for (size_t i = 0; i < PEOPLE; i++) {
        lines_are_counted(&senders[i], &file);
        record_keep_messages(&senders[i].heard);
        record_equal(&file, &senders[i].heard);
        sender_end(&senders[i]);
    }
    record_clear(&file);
}
END_TEST

/*
 * The same over deaths of the hub: what it knew of the tokens is gone with it, and the transcript
 * tells instead.
 */
START_TEST(breaks_and_crashes)
{
    enum { PEOPLE = 3, CRASHES = 6 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    const char *options[] = {ANY_PORT, "-w", "60", "-t", path, _i == 0 ? NULL : "-s", NULL};
    test_path(path, "transcript");
    server_start_as(&server, NULL, options);
    for (size_t i = 0; i < PEOPLE; i++) {
        snprintf(senders[i].name, sizeof senders[i].name, "s%zu", i);
        senders[i].resumes = true;
        sender_join(&senders[i], &server);
    }
    for (int crashes = 0; crashes < CRASHES; crashes++) {
        senders_talk(senders, PEOPLE, 100, 10 + 7 * crashes);
        conn_reset(&senders[0].conn);
        sender_join(&senders[0], &server);
        senders_talk(senders, PEOPLE, 100, 10);
        for (int64_t deadline = deadline_in(10000); !server_freeze(&server);)
            ensure(deadline_wait(deadline), "the disk stays slow");
        kill(server.pid, SIGKILL);
        senders_hear_end(senders, PEOPLE);
        server_kill(&server);
        server_start_as(&server, NULL, options);
        for (size_t i = 0; i < PEOPLE; i++)
            sender_join(&senders[i], &server);
    }
    senders_talk_until(senders, PEOPLE, 100, senders[0].answered + 10);
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    record_read(&file, path);
    record_keep_messages(&file);
    for (size_t i = 0; i < PEOPLE; i++) {
        lines_are_counted(&senders[i], &file);
        sender_end(&senders[i]);
    }
    record_clear(&file);
}
END_TEST

/* Takes private messages, numbered, up to the last one or to the connection's end. */
static void take_privates(struct conn *conn, unsigned long *next, unsigned long end)
{
    int64_t deadline = deadline_in(10000);
    while (*next < end && !conn->over) {
        ensure(clock_ms() < deadline, "%lu of %lu private messages", *next, end);
        poll(&(struct pollfd){conn->fd, POLLIN, 0}, 1, 100);
        while (conn_read_now(conn) != NULL) {
            if (conn->event.verb != VERB_PRIV)
                continue;
            unsigned long number = strtoul(conn->event.text.at, NULL, 10);
            ensure(number >= *next, "%lu came again", number);
            *next = number + 1;
        }
    }
}

/* Private messages to one who breaks off and comes again: each at most once, in order. */
START_TEST(private_messages_come_at_most_once)
{
    enum { BREAKS = 20, EACH = 50 };
    struct room room;
    struct conn vic;
    char token[TOKEN_MAX];
    unsigned long next = 0;
    unsigned long sent = 0;
    room_open(&room, ANY_PORT, "-H", "0");
    join_with_token(&room, &vic, "vic", token);
    for (int i = 0; i < BREAKS; i++) {
        struct conn old = vic;
        for (int k = 0; k < EACH; k++)
            conn_say(&room.ann, "/msg vic %lu", sent++);
        open_again(&room, &vic, token, vic.last, "vic");
        conn_expect(&vic, "resumed 0");
        take_privates(&old, &next, ULONG_MAX);
        conn_close(&old);
    }
    conn_seek(&vic, "you vic");
    conn_say(&room.ann, "/msg vic %lu", sent++);
    take_privates(&vic, &next, sent);
    conn_close(&vic);
    room_close(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {tokens_are_told, 1, 20},
        {unknown_tokens, COUNT_OF(strange_tokens), 20},
        {the_old_one_is_silent, 1, 20},
        {the_old_one_has_lines_unread, 1, 20},
        {the_old_one_stands_still, 1, 40},
        {a_chain, 1, 20},
        {the_session_is_over, KICK + 1, 20},
        {a_post_session, 1, 20},
        {fifty_breaks_under_load, 5, 120},
        {breaks_and_crashes, 2, 120},
        {private_messages_come_at_most_once, 1, 60},
    };
    return tests_run("resume", tests, COUNT_OF(tests));
}
