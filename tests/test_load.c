/*
 * Load and slow peers: what is sent arrives once, in one order, or is counted in a gap;
 * and nobody waits for a client that does not read.
 */
#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- A flood with numbers in it ---- */

#define FLOOD_LINE 1000 /* bytes of one of its lines, LF included */

/* What somebody has had of a flood: the number that must come next, and what gaps took. */
struct account {
    unsigned long next;
    unsigned long received;
    unsigned long missed;
    unsigned long mine;
};

/* A line of the room: the flood's numbers have no hole but what a gap has counted. */
static void account_line(struct account *account, const struct event *event)
{
    if (event->verb == VERB_GAP) {
        ensure(event->counted, "the server knows how many it skipped");
        account->missed += event->count;
        account->mine += event->mine;
        account->next += event->count;
    } else if (event->verb == VERB_MSG) {
        unsigned long number = strtoul(event->text.at, NULL, 10);
        ensure(number == account->next, "%lu instead of %lu", number, account->next);
        account->received++;
        account->next++;
    } else {
        ck_abort_msg("a line that is neither flood nor gap");
    }
}

/* Takes what is here, without waiting. */
static void account_drain(struct account *account, struct conn *conn)
{
    while (conn_read_now(conn) != NULL)
        account_line(account, &conn->event);
}

/* Takes the rest of a flood of so many lines. */
static void account_finish(struct account *account, struct conn *conn, unsigned long lines)
{
    while (account->next < lines) {
        ensure(conn_read(conn) != NULL, "the end");
        account_line(account, &conn->event);
    }
    ck_assert_uint_eq(account->received + account->missed, lines);
}

/* One piece of the flood: 64 numbered lines. */
static size_t flood_piece(char *out, unsigned long first)
{
    for (unsigned long i = 0; i < 64; i++) {
        char *line = out + i * FLOOD_LINE;
        memset(line, '.', FLOOD_LINE);
        line[sprintf(line, "%lu ", first + i)] = '.';
        line[FLOOD_LINE - 1] = '\n';
    }
    return (size_t)64 * FLOOD_LINE;
}

/* Waits until both have had all but the last thousand of so many lines: far less than a log. */
static void flood_pause(struct conn *people[2], struct account accounts[2], unsigned long sent)
{
    for (int i = 0; i < 2; i++)
        while (accounts[i].next + 1000 < sent) {
            ensure(conn_read(people[i]) != NULL, "the end");
            account_line(&accounts[i], &people[i]->event);
        }
}

enum pace { HEADLONG, PACED };

/*
 * ann sends so many lines (a multiple of 64); she and ben read what comes. Their accounts begin
 * at 0 and must be complete in the end.
 */
static void flood(
    struct room *room, unsigned long lines, enum pace pace, struct account accounts[2])
{
    char *piece = malloc((size_t)64 * FLOOD_LINE);
    struct conn *people[] = {&room->ann, &room->ben};
    memset(accounts, 0, 2 * sizeof *accounts);
    for (unsigned long sent = 0; sent < lines; sent += 64) {
        size_t len = flood_piece(piece, sent);
        if (pace == PACED)
            flood_pause(people, accounts, sent);
        for (size_t at = 0; at < len;) {
            struct pollfd ready[] = {
                {people[0]->fd, POLLIN | POLLOUT, 0}, {people[1]->fd, POLLIN, 0}};
            await_ready(ready, 2);
            ssize_t n = conn_send_some(people[0], piece + at, len - at);
            ensure(n >= 0, "the end");
            at += (size_t)n;
            for (int i = 0; i < 2; i++)
                account_drain(&accounts[i], people[i]);
        }
    }
    /* Both at once: the room waits for either of them, who waits for its turn here. */
    while (accounts[0].next < lines && accounts[1].next < lines) {
        struct pollfd ready[] = {{people[0]->fd, POLLIN, 0}, {people[1]->fd, POLLIN, 0}};
        await_ready(ready, 2);
        for (int i = 0; i < 2; i++)
            account_drain(&accounts[i], people[i]);
    }
    for (int i = 0; i < 2; i++)
        account_finish(&accounts[i], people[i], lines);
    free(piece);
}

/* A room without a past, where the joins of ann and ben have been seen. */
static void flood_room(struct room *room, const char *wait)
{
    room_open(room, ANY_PORT, "-H", "0", "-w", wait);
}

/* Joins, and takes the joins from the others' lines, so that only the flood is to come. */
static void flood_join(struct room *room, struct conn *conn, const char *name)
{
    conn_join(conn, &room->server, name);
    conn_seek(&room->ann, "join *");
    conn_seek(&room->ben, "join *");
}

/* ---- Slow readers ---- */

/*
 * 20 MB go by while one member does not read at all. The others have all of it; it stays, and when
 * it reads at last, what it has and what its gaps count is everything, in order. Nobody's lines are
 * kept for it without limit.
 */
START_TEST(a_reader_that_does_not_read)
{
    enum { LINES = 20032 };
    static const char *const waits[] = {"0", "1"};
    static const enum pace paces[] = {HEADLONG, PACED};
    struct room room;
    struct conn stalled;
    struct account accounts[2];
    struct account late = {0};
    flood_room(&room, waits[_i]);
    flood_join(&room, &stalled, "stalled");
    long before = process_memory(room.server.pid);
    flood(&room, LINES, paces[_i], accounts);
    ck_assert_int_lt(process_memory(room.server.pid), before + 12 * 1024);
    if (paces[_i] == PACED)
        ck_assert_uint_eq(accounts[0].missed + accounts[1].missed, 0);
    ck_assert_uint_eq(accounts[0].missed, accounts[0].mine);
    ck_assert_uint_eq(accounts[1].mine, 0);
    account_finish(&late, &stalled, LINES);
    ck_assert_uint_gt(late.missed, 0);
    ck_assert_uint_gt(late.received, 0);
    ck_assert_uint_eq(late.mine, 0);
    conn_say(&stalled, "I am here");
    conn_expect(&stalled, "msg stalled I am here");
    conn_close(&stalled);
    room_close(&room);
}
END_TEST

/* However fast the sender: for those who read, the room waits, and nothing is lost. */
START_TEST(a_bulk_sender)
{
    enum { LINES = 20032 };
    struct room room;
    struct account accounts[2];
    flood_room(&room, "10");
    flood(&room, LINES, HEADLONG, accounts);
    ck_assert_uint_eq(accounts[0].missed + accounts[1].missed, 0);
    room_close(&room);
}
END_TEST

/* A sender who never reads is one, too: its receipts are in the gap's MINE. */
START_TEST(a_sender_that_does_not_read)
{
    enum { LINES = 12800 };
    struct room room;
    struct conn stalled;
    struct account account = {0};
    struct account ben = {0};
    flood_room(&room, "0");
    flood_join(&room, &stalled, "stalled");
    char *piece = malloc((size_t)64 * FLOOD_LINE);
    for (unsigned long sent = 0; sent < LINES; sent += 64) {
        size_t len = flood_piece(piece, sent);
        for (size_t at = 0; at < len;) {
            struct pollfd ready[] = {{stalled.fd, POLLOUT, 0}, {room.ben.fd, POLLIN, 0}};
            await_ready(ready, 2);
            ssize_t n = conn_send_some(&stalled, piece + at, len - at);
            ensure(n >= 0, "the end");
            at += (size_t)n;
            account_drain(&ben, &room.ben);
        }
    }
    free(piece);
    account_finish(&ben, &room.ben, LINES);
    account_finish(&account, &stalled, LINES);
    ck_assert_uint_gt(account.missed, 0);
    ck_assert_uint_eq(account.mine, account.missed);
    conn_close(&stalled);
    room_close(&room);
}
END_TEST

/* While the room waits for one who does not read, and after, two others talk as ever. */
START_TEST(talk_beside_a_stalled_reader)
{
    struct room room;
    struct conn stalled;
    struct account accounts[2];
    flood_room(&room, "0");
    flood_join(&room, &stalled, "stalled");
    flood(&room, 12800, HEADLONG, accounts);
    for (int i = 0; i < 50; i++) {
        int64_t begun = calm_ms();
        room_exchange(&room);
        ensure_prompt(begun, 200);
    }
    room_rests(&room); /* its pending output costs no processor time */
    conn_close(&stalled);
    room_close(&room);
}
END_TEST

/* A stopped worker is a slow reader; when it goes on, what it missed is told or there. */
START_TEST(a_stopped_worker)
{
    static const unsigned long floods[] = {640, 12800}; /* a part of the log, several logs */
    struct room room;
    struct conn vic;
    struct account accounts[2];
    struct account late = {0};
    flood_room(&room, "0");
    pid_t worker = room_join(&room, &vic, "vic");
    conn_seek(&room.ann, "join vic");
    conn_seek(&room.ben, "join vic");
    process_stop(worker);
    conn_say(&vic, "said while stopped");
    flood(&room, floods[_i], HEADLONG, accounts);
    room_rests(&room);
    kill(worker, SIGCONT);
    account_finish(&late, &vic, floods[_i]);
    ck_assert_int_eq(late.missed == 0, _i == 0);
    conn_expect(&vic, "msg vic said while stopped");
    conn_expect(&room.ann, "msg vic said while stopped");
    conn_close(&vic);
    room_close(&room);
}
END_TEST

/*
 * Private messages have no log to fall back to: a client that does not read them is `busy`, in
 * bounded memory. What was echoed arrives, and every line is answered.
 */
START_TEST(private_messages_to_a_stalled_reader)
{
    struct room room;
    struct conn stalled;
    flood_room(&room, "0");
    flood_join(&room, &stalled, "stalled");
    long before = process_memory(room.server.pid);
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    unsigned long echoed = 0;
    unsigned long refused = 0;
    while (refused < 100) {
        ck_assert_uint_lt(echoed, 50000);
        for (int i = 0; i < 100; i++)
            conn_say(&room.ann, "/msg stalled %lu %s", echoed, text);
        for (int i = 0; i < 100; i++) {
            ck_assert_ptr_nonnull(conn_read(&room.ann));
            bool busy = room.ann.event.verb == VERB_ERROR;
            ck_assert(busy || room.ann.event.verb == VERB_PRIV);
            if (busy)
                ck_assert_int_eq(strncmp(room.ann.event.word.at, "busy ", 5), 0);
            echoed += !busy;
            refused += busy;
        }
    }
    ck_assert_int_lt(process_memory(room.server.pid), before + 8 * 1024);
    for (unsigned long i = 0; i < echoed; i++)
        conn_expect(&stalled, "priv ann stalled *");
    conn_say(&room.ann, "/msg stalled again");
    conn_expect(&room.ann, "priv ann stalled again");
    conn_expect(&stalled, "priv ann stalled again");
    conn_close(&stalled);
    room_close(&room);
}
END_TEST

/* ---- A rate ---- */

/* Beyond the burst a client's lines come at their rate: late, but all, and nobody else waits. */
START_TEST(lines_at_a_rate)
{
    enum { RATE = 20, BURST = 10 * RATE, LINES = BURST + 2 * RATE };
    struct room room;
    struct conn eager;
    room_open(&room, ANY_PORT, "-H", "0", "-r", "20");
    conn_join(&eager, &room.server, "eager");
    conn_seek(&room.ann, "join eager");
    int64_t start = clock_ms();
    for (int i = 0; i < LINES; i++)
        conn_say(&eager, "%d", i);
    int64_t deadline = deadline_in(1000);
    conn_say(&room.ben, "nobody holds me back");
    while (room.ben.event.verb != VERB_MSG || room.ben.event.name.at[0] != 'b')
        ensure(conn_read_by(&room.ben, deadline) != NULL, "the end");
    for (int i = 0; i < LINES; i++) {
        char want[32];
        snprintf(want, sizeof want, "msg eager %d", i);
        const char *line = conn_read(&room.ann);
        if (line != NULL && strcmp(line, "msg ben nobody holds me back") == 0)
            line = conn_read(&room.ann);
        ck_assert_str_eq(line, want);
    }
    ck_assert_int_ge(clock_ms() - start, 1500);
    conn_close(&eager);
    room_close(&room);
}
END_TEST

/* ---- Many ---- */

struct member {
    struct conn conn;
    unsigned long messages;
    uint64_t sum; /* of all that it received, in its order */
};

/* FNV-1a over the lines, stamps included. */
static void member_reads(struct member *member)
{
    for (const char *line; (line = conn_read_now(&member->conn)) != NULL;) {
        if (member->conn.event.verb != VERB_MSG)
            continue;
        member->messages++;
        for (const char *at = line - STAMP_LEN - 1; *at != '\0'; at++)
            member->sum = (member->sum ^ (unsigned char)*at) * 0x100000001b3u;
    }
}

/* Reads for all until everybody has had that many messages. */
static void members_read(struct member *members, size_t count, unsigned long messages)
{
    struct pollfd *ready = calloc(count, sizeof *ready);
    int64_t deadline = deadline_in(20000);
    for (size_t done = 0; done < count;) {
        ck_assert_msg(clock_ms() < deadline, "%zu of %zu members have all", done, count);
        done = 0;
        for (size_t i = 0; i < count; i++) {
            done += members[i].messages >= messages;
            ready[i] = (struct pollfd){members[i].conn.fd, POLLIN, 0};
        }
        if (done < count)
            poll(ready, (nfds_t)count, 100);
        for (size_t i = 0; i < count; i++)
            if (ready[i].revents != 0)
                member_reads(&members[i]);
    }
    free(ready);
}

static struct member *members_join(struct room *room, size_t count)
{
    struct member *members = calloc(count, sizeof *members);
    for (size_t i = 0; i < count; i++) {
        conn_open(&members[i].conn, &room->server);
        conn_say(&members[i].conn, "member");
    }
    for (size_t i = 0; i < count; i++)
        conn_seek(&members[i].conn, "you member*");
    for (size_t i = 0; i < count; i++)
        conn_seek(&room->ann, "join member*");
    return members;
}

static void members_leave(struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        conn_close(&members[i].conn);
    free(members);
}

/* Two hundred, ten of whom talk at once: each has each line once, and all have one order. */
START_TEST(many_members_one_order)
{
    enum { MEMBERS = 200, TALKERS = 10, LINES = 200 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0", "-w", "5");
    struct member *members = members_join(&room, MEMBERS);
    for (int line = 0; line < LINES; line++)
        for (int i = 0; i < TALKERS; i++)
            conn_say(&members[i].conn, "%d", line);
    members_read(members, MEMBERS, TALKERS * LINES);
    for (int i = 0; i < MEMBERS; i++) {
        ck_assert_uint_eq(members[i].messages, TALKERS * LINES);
        ck_assert_msg(members[i].sum == members[0].sum, "member %d saw another room", i);
    }
    members_leave(members, MEMBERS);
    room_close(&room);
}
END_TEST

/* Two hundred leave in one instant: each is seen to go once, and the list has the others. */
START_TEST(many_leave_at_once)
{
    enum { MEMBERS = 200 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    struct member *members = members_join(&room, MEMBERS);
    for (int i = 0; i < MEMBERS; i++)
        if (_i == 0)
            conn_finish(&members[i].conn);
        else
            conn_reset(&members[i].conn);
    for (int i = 0; i < MEMBERS; i++)
        conn_seek(&room.ann, _i == 0 ? "quit member* left" : "quit member* lost");
    members_leave(members, MEMBERS);
    conn_say(&room.ann, "/users");
    conn_expect(&room.ann, "here *");
    conn_expect(&room.ann, "users 2");
    room_close(&room);
}
END_TEST

/* A process that sends as fast as it can through all of these, and throws away what comes. */
static pid_t flooders_start(const struct member *members, size_t count)
{
    static char piece[4096];
    static char rubbish[65536];
    for (size_t at = 0; at < sizeof piece; at += 64)
        memcpy(piece + at, "a line of a flood: sixty-three bytes and the one that ends them\n", 64);
    pid_t pid = fork();
    ck_assert_int_ne(pid, -1);
    while (pid == 0)
        for (size_t i = 0; i < count; i++) {
            int fd = members[i].conn.fd;
            if (send(fd, piece, sizeof piece, MSG_NOSIGNAL) == -1 && errno != EAGAIN)
                _exit(EXIT_FAILURE);
            while (recv(fd, rubbish, sizeof rubbish, 0) == sizeof rubbish)
                continue;
        }
    return pid;
}

/* A member that looks for a few words in what it gets, and so keeps up with any flood. */
struct reader {
    int fd;
    size_t kept; /* bytes of what was looked at: the words may have come in two pieces */
    char bytes[65536];
};

#define WORDS_MAX 64

static void reader_open(struct reader *reader, const struct room *room, const char *name)
{
    struct conn conn;
    conn_join(&conn, &room->server, name);
    *reader = (struct reader){.fd = dup(conn.fd)};
    conn_close(&conn);
}

/* Takes what is here; the words are among it, or a gap that may hold them. */
static bool reader_finds(struct reader *reader, const char *words)
{
    for (ssize_t n; (n = recv(reader->fd, reader->bytes + reader->kept,
                         sizeof reader->bytes - reader->kept - 1, 0)) != -1;) {
        ensure(n > 0, "the end");
        size_t len = reader->kept + (size_t)n;
        reader->bytes[len] = '\0';
        reader->kept = 0;
        if (strstr(reader->bytes, words) != NULL || strstr(reader->bytes, "Z gap ") != NULL)
            return true;
        reader->kept = len < WORDS_MAX ? len : WORDS_MAX;
        memmove(reader->bytes, reader->bytes + len - reader->kept, reader->kept);
    }
    return false;
}

/* The first says that beside the flood: the milliseconds until both have it. */
static int64_t flood_pass(struct reader readers[2], const char *text)
{
    char words[WORDS_MAX];
    const char *line = words + strlen(" msg reader0 ");
    bool heard[2] = {false};
    snprintf(words, sizeof words, " msg reader0 %s\n", text);
    int64_t start = clock_ms();
    ck_assert_int_eq(send(readers[0].fd, line, strlen(line), 0), (ssize_t)strlen(line));
    while (!heard[0] || !heard[1]) {
        struct pollfd ready[] = {{readers[0].fd, POLLIN, 0}, {readers[1].fd, POLLIN, 0}};
        await_ready(ready, 2);
        for (int i = 0; i < 2; i++)
            heard[i] = reader_finds(&readers[i], words) || heard[i];
    }
    return clock_ms() - start;
}

/* Waits until both have some of the flood. */
static void flood_begins(struct reader readers[2])
{
    for (int i = 0; i < 2; i++)
        while (!reader_finds(&readers[i], " msg member"))
            await_ready(&(struct pollfd){readers[i].fd, POLLIN, 0}, 1);
}

/* Both read on until the last flooder is off the list, and what they had sent with them. */
static void flood_ends(struct room *room)
{
    unsigned long count = 0;
    while (count != 2) {
        conn_say(&room->ann, "/users");
        for (count = 0; count == 0;) {
            struct pollfd ready[] = {{room->ann.fd, POLLIN, 0}, {room->ben.fd, POLLIN, 0}};
            await_ready(ready, 2);
            while (conn_read_now(&room->ben) != NULL)
                continue;
            while (conn_read_now(&room->ann) != NULL)
                if (room->ann.event.verb == VERB_USERS)
                    count = room->ann.event.count;
        }
    }
}

static int compare_times(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a;
    int64_t other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

/* For a moment nothing else wants a processor. */
static bool machine_rests(void)
{
    int64_t begun = calm_ms();
    poll(NULL, 0, 100);
    return calm_ms() - begun >= 90;
}

/*
 * Fifty flood without a pause; the words of two others pass all the same. Most of them in time,
 * too: that can be said where the flood is all that the machine has to do.
 */
START_TEST(talk_beside_many_flooders)
{
    enum { FLOODERS = 50, WORDS = 21 };
    static struct reader readers[2];
    struct room room;
    int64_t took[WORDS];
    room_open(&room, ANY_PORT, "-H", "0", "-w", "0");
    reader_open(&readers[0], &room, "reader0");
    reader_open(&readers[1], &room, "reader1");
    struct member *members = members_join(&room, FLOODERS);
    bool at_rest = machine_rests();
    pid_t flooders = flooders_start(members, FLOODERS);
    for (int i = 0; i < WORDS; i++) {
        char text[16];
        snprintf(text, sizeof text, "word %d", i);
        flood_begins(readers);
        took[i] = flood_pass(readers, text);
    }
    kill(flooders, SIGKILL);
    ck_assert_int_eq(waitpid(flooders, NULL, 0), flooders);
    members_leave(members, FLOODERS);
    for (int i = 0; i < 2; i++)
        close(readers[i].fd);
    flood_ends(&room);
    qsort(took, WORDS, sizeof *took, compare_times);
    ck_assert(!at_rest || !machine_rests() || took[WORDS / 2] < deadline_in(200) - clock_ms());
    room_close(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {a_reader_that_does_not_read, 2, 60},
        {a_bulk_sender, 1, 60},
        {a_sender_that_does_not_read, 1, 60},
        {talk_beside_a_stalled_reader, 1, 60},
        {a_stopped_worker, 2, 60},
        {private_messages_to_a_stalled_reader, 1, 60},
        {lines_at_a_rate, 1, 30},
        {many_members_one_order, 1, 60},
        {many_leave_at_once, 2, 60},
        {talk_beside_many_flooders, 1, 60},
    };
    return tests_run("load", tests, COUNT_OF(tests));
}
