/*
 * The transcript, chatd(8), and faults of disks and clocks: the file holds what was
 * on the wire; whatever dies, nothing that was echoed is missing from it, and nothing is in it
 * twice.
 *
 * Environment: CHATD_KILLS is how often the hub is killed under load in each way (24).
 */
#define _GNU_SOURCE /* prlimit(2), unshare(2) */
#include "harness.h"
#include "record.h"
#include "senders.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITER "chatd: transcript"

/* -s after the other options, or nothing in its place. */
static const char *const sync_options[] = {NULL, "-s"};

static void file_write(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ck_assert_msg(fd != -1, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static off_t file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Takes room events and gaps as they come, up to one that matches. */
static void hear_until(struct conn *conn, struct record *heard, const char *pattern)
{
    for (const char *words = ""; !pattern_match(pattern, words);) {
        ensure((words = conn_read(conn)) != NULL, "the end instead of \"%s\"", pattern);
        if (verb_is_room(conn->event.verb) || conn->event.verb == VERB_GAP)
            record_add_words(heard, words);
    }
}

/* The next line but what members are told with -s where the disk is busy with something else. */
static const char *read_answer(struct conn *conn)
{
    const char *words;
    do
        words = conn_read(conn);
    while (words != NULL && pattern_match("note the disk * answer*", words));
    return words;
}

static void expect_answer(struct conn *conn, const char *pattern)
{
    const char *words = read_answer(conn);
    ensure(words != NULL, "the end instead of \"%s\"", pattern);
    ensure(pattern_match(pattern, words), "\"%s\" instead of \"%s\"", words, pattern);
}

/* Joins, and takes what is told of the past. */
static void join_since(struct conn *conn, const struct server *server, const char *past,
    const char *name, struct record *heard)
{
    conn_open(conn, server);
    conn_say(conn, "%s", past);
    conn_say(conn, "%s", name);
    hear_until(conn, heard, "you *");
}

/* ---- What is in it ---- */

/* Everything that a room can hear, and much that it must not. */
static const char of_all_kinds[] = "a> /history 0\n"
                                   "a> ann\n"
                                   "a~ you ann\n"
                                   "b> ben\n"
                                   "b~ you ben\n"
                                   "a> hello\n"
                                   "b> \xe4\xbd\xa0\xe5\xa5\xbd\n"
                                   "a> /me waves\n"
                                   "b> /msg ann a secret\n"
                                   "a> /msg ben another secret\n"
                                   "a> /msg ann a third secret\n"
                                   "b> /nobody knows this secret\n"
                                   "b> /users\n"
                                   "b> /help\n"
                                   "b> //slash \x1b[31m \xff\n"
                                   "p> /post\n"
                                   "p> poster\n"
                                   "p~ you poster\n"
                                   "p> a post\n"
                                   "p~ post poster a post\n"
                                   "p-\n"
                                   "b> /nick bob\n"
                                   "b~ nick ben bob\n"
                                   "b> /quit with a text\n"
                                   "a~ quit bob left with a text\n"
                                   "c> cia\n"
                                   "c~ you cia\n"
                                   "c|\n"
                                   "c.\n"
                                   "a~ quit cia left\n";

/* The file has what the room has heard, byte for byte, and nothing private. */
START_TEST(lines_of_the_wire)
{
    struct server server;
    struct conn reader;
    struct record heard = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    server_start(&server, ANY_PORT, "-t", path, sync_options[_i]);
    join_since(&reader, &server, "/history 0", "reader", &heard);
    play(&server, of_all_kinds);
    hear_until(&reader, &heard, "quit ann *");
    conn_say(&reader, "the last word");
    hear_until(&reader, &heard, "msg reader the last word");
    server_stop(&server);
    record_read(&file, path);
    ck_assert_str_eq(record_words(&file, 0), "join reader");
    record_holds(&file, 1, &heard);
    ck_assert_uint_eq(file.count, 1 + heard.count + 1);
    ck_assert_str_eq(record_words(&file, file.count - 1), "quit reader lost");
    ck_assert_uint_eq(record_count(&file, "*secret*"), 0);
    ck_assert_uint_eq(record_count(&file, "msg bob *"), 0);
    ck_assert_uint_eq(record_count(&file, "post poster a post"), 1);
    conn_close(&reader);
    record_clear(&heard);
    record_clear(&file);
}
END_TEST

/* ---- Read back ---- */

#define SAID 100

/* A room in which ann has said 100 things, and which has ended. */
static void past_make(const char *path)
{
    struct server server;
    struct conn ann;
    server_start(&server, ANY_PORT, "-t", path);
    conn_join(&ann, &server, "ann");
    for (int i = 0; i < SAID; i++)
        conn_say(&ann, "thing %d", i);
    conn_seek(&ann, "msg ann thing 99");
    conn_close(&ann);
    server_stop(&server);
}

/* History, and a /since from each part of it, are what the file says, after a restart as before. */
START_TEST(read_back)
{
    struct server server;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    past_make(path);
    record_read(&file, path);
    ck_assert_uint_eq(file.count, SAID + 2);
    server_start(&server, ANY_PORT, "-t", path);
    for (size_t from = 0; from <= file.count; from += 17) {
        char past[64];
        struct conn ben;
        struct record heard = {0};
        if (from == 0)
            strcpy(past, "/history 100000");
        else if (from % 2 == 0 && from <= SAID) /* behind the first line come the messages */
            snprintf(past, sizeof past, "/history %zu", SAID + 1 - from);
        else
            snprintf(past, sizeof past, "/since %.*s", STAMP_LEN, file.lines[from - 1]);
        join_since(&ben, &server, past, "ben", &heard);
        record_holds(&file, from, &heard);
        ck_assert_uint_eq(heard.count, file.count - from);
        conn_say(&ben, "/quit");
        conn_seek_end(&ben);
        conn_close(&ben);
        record_clear(&heard);
        record_await(&file, path, 1 + from / 17, "quit ben left");
    }
    server_stop(&server);
    record_clear(&file);
}
END_TEST

/* More in the file than in the log: the end of it is there, and one is told that more was. */
START_TEST(a_long_past)
{
    struct server server;
    struct conn ben;
    struct record heard = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    char line[128];
    test_path(path, "transcript");
    for (int i = 0; i < 5000; i++) {
        int len =
            snprintf(line, sizeof line, "2020-01-01T00:00:00.%06dZ msg ann thing %d\n", i + 1, i);
        file_write(path, line, (size_t)len);
    }
    server_start(&server, ANY_PORT, "-t", path, "-b", "65536");
    join_since(&ben, &server, "/since 2020-01-01T00:00:00.000000Z", "ben", &heard);
    record_await(&file, path, 1, "join ben");
    ck_assert_str_eq(record_words(&heard, 0), "gap ? 0");
    size_t told = heard.count - 1;
    ck_assert_uint_gt(told, 500);
    for (size_t i = 0; i < told; i++)
        ck_assert_str_eq(heard.lines[1 + i], file.lines[file.count - 1 - told + i]);
    server_stop(&server);
    conn_close(&ben);
    record_clear(&heard);
    record_clear(&file);
}
END_TEST

/* The clock was ahead when the file was written, or is behind now: stamps grow, and stay names. */
START_TEST(a_clock_that_was_ahead)
{
    static const char past[] = "2099-12-31T23:59:59.999998Z join old\n"
                               "2099-12-31T23:59:59.999999Z msg old hello\n"
                               "2100-01-01T00:00:00.000000Z quit old left\n";
    struct server server;
    struct conn ann;
    struct conn ben;
    struct record heard = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, past, sizeof past - 1);
    for (int i = 0; i < 3; i++) {
        server_start(&server, ANY_PORT, "-t", path);
        server_says(&server, "days ahead of the clock");
        join_since(&ann, &server, "/since 2100-01-01T00:00:00.000000Z", "ann", &heard);
        ck_assert_uint_eq(heard.count, (size_t)i * 5); /* what the earlier rounds said */
        conn_say(&ann, "hello again");
        conn_expect(&ann, "msg ann hello again");
        conn_join(&ben, &server, "ben");
        ck_assert_uint_gt(ben.event.stamp, ann.last);
        ck_assert_uint_eq(server_times_said(&server, "days ahead of the clock"), 1);
        conn_close(&ann);
        conn_close(&ben);
        server_stop(&server);
        record_clear(&heard);
    }
    record_read(&file, path);
    ck_assert_uint_eq(file.count, 3 + 3 * 5);
    record_clear(&file);
}
END_TEST

/* The events of a gap are older than the event after it, even if the gap line has a later stamp. */
START_TEST(a_gap_with_a_late_stamp)
{
    static const char past[] = "2026-11-22T21:42:01.000000Z join bob\n"
                               "2026-11-22T21:42:09.000000Z gap 3 0\n"
                               "2026-11-22T21:42:05.000000Z msg bob five\n"
                               "2026-11-22T21:42:06.000000Z quit bob left\n";
    static const struct {
        const char *since;
        bool gap;
        size_t events;
    } rows[] = {
        {"/since 2026-11-22T21:42:06.000000Z", false, 0},
        {"/since 2026-11-22T21:42:05.000000Z", false, 1},
        {"/since 2026-11-22T21:42:01.000000Z", true, 2},
    };
    struct server server;
    struct conn readers[COUNT_OF(rows)];
    struct record heard = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, past, sizeof past - 1);
    server_start(&server, ANY_PORT, "-t", path);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        join_since(&readers[i], &server, rows[i].since, "reader", &heard);
        ck_assert_uint_eq(record_count(&heard, "gap ? 0"), rows[i].gap);
        ck_assert_uint_eq(
            heard.count, rows[i].gap + rows[i].events + i); /* and the readers' joins */
        record_clear(&heard);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        conn_close(&readers[i]);
    server_stop(&server);
}
END_TEST

#define LATE_GAP "2026-11-22T21:42:09.000000Z gap 3 0\n"
#define SMALL_LOG 65536

/* Adds the line until these are more bytes than a small log has. */
static void file_write_often(const char *path, const char *line)
{
    static char bytes[SMALL_LOG + 64];
    size_t len = strlen(line);
    size_t at = 0;
    while (len > 0 && at <= SMALL_LOG) {
        memcpy(bytes + at, line, len);
        at += len;
    }
    file_write(path, bytes, at);
}

/*
 * A gap line is behind the last event by more than the log holds, with lines that are no events, or
 * with more gap lines, on either side. It is told, and so is one in a file without an event.
 */
START_TEST(a_gap_far_behind)
{
    static const char event[] = "2026-11-22T21:42:01.000000Z msg bob one\n";
    static const char since[] = "/since 2026-11-22T21:42:01.000000Z";
    static const struct {
        const char *first;
        const char *before; /* what stands before the gap line, longer than the log */
        const char *after;
    } rows[] = {
        {event, "no event\n", ""},
        {event, "", "no event\n"},
        {event, "no event\n", "no event\n"},
        {event, LATE_GAP, ""},
        {"", LATE_GAP, ""},
    };
    struct server server;
    struct conn reader;
    struct record heard = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, rows[_i].first, strlen(rows[_i].first));
    file_write_often(path, rows[_i].before);
    file_write(path, LATE_GAP, sizeof LATE_GAP - 1);
    file_write_often(path, rows[_i].after);
    server_start(&server, ANY_PORT, "-t", path, "-b", "65536");
    join_since(&reader, &server, since, "reader", &heard);
    ck_assert_uint_eq(record_count(&heard, "gap ? 0"), 1);
    conn_close(&reader);
    server_stop(&server);
    record_clear(&heard);
}
END_TEST

/* ---- Repair ---- */

#define WHOLE "2026-11-22T21:42:07.123456Z msg ann whole\n"

static const struct {
    const char *bytes;
    size_t len;
    size_t kept; /* lines that are still there in the end */
} torn[] = {
#define TORN(text, kept)                                                                           \
    {                                                                                              \
        text, sizeof text - 1, kept                                                                \
    }
    TORN(WHOLE "2", 1),
    TORN(WHOLE "2026-11-22T21:42:08.1", 1),
    TORN(WHOLE "2026-11-22T21:42:08.123456Z msg ann half a l", 1),
    TORN(WHOLE "2026-11-22T21:42:08.123456Z msg ann whole but the end", 1),
    TORN(WHOLE "2026-11-22T21:42:08.123456Z msg ann \xe4\xbd", 1),
    TORN(WHOLE "\0\0\0\0\0\0\0\0", 1),
    TORN("2026-11-22T21:42:08.123456Z msg ann the only line, torn", 0),
    TORN("2026-11", 0),
#undef TORN
};

/* What a power failure makes of a file that was growing: more zeros than any line has bytes. */
START_TEST(zeros_at_the_end)
{
    struct server server;
    struct conn ben;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, WHOLE, sizeof WHOLE - 1);
    ck_assert_int_eq(truncate(path, 200000), 0);
    server_start(&server, ANY_PORT, "-t", path);
    conn_join(&ben, &server, "ben");
    record_await(&file, path, 1, "join ben");
    ck_assert_uint_eq(file.count, 3);
    server_stop(&server);
    conn_close(&ben);
    record_clear(&file);
}
END_TEST

/* A torn end is cut off, and what follows stands on lines of its own. */
START_TEST(a_torn_end)
{
    struct server server;
    struct conn ben;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, torn[_i].bytes, torn[_i].len);
    server_start(&server, ANY_PORT, "-t", path);
    server_says(&server, "torn");
    conn_join(&ben, &server, "ben");
    conn_say(&ben, "goes on");
    conn_expect(&ben, "msg ben goes on");
    conn_close(&ben);
    record_await(&file, path, 1, "quit ben left");
    server_stop(&server);
    record_read(&file, path);
    ck_assert_uint_eq(record_count(&file, "msg ann whole"), torn[_i].kept);
    ck_assert_uint_eq(record_count(&file, "msg ben goes on"), 1);
    /* A member with a message was present, so it gets a quit. */
    ck_assert_uint_eq(record_count(&file, "quit ann lost"), torn[_i].kept);
    ck_assert_uint_eq(file.count, 2 * torn[_i].kept + 3);
    record_clear(&file);
}
END_TEST

#define GOOD                                                                                       \
    "2026-11-22T21:42:08.123456Z join ann\n"                                                       \
    "2026-11-22T21:42:09.123456Z msg ann good\n"                                                   \
    "2026-11-22T21:42:10.123456Z quit ann left\n"

/* What may stand in front of good lines, and what the log says of it. */
static const struct {
    const char *bytes;
    size_t len;
    const char *said; /* NULL: nothing needs to be */
} heads[] = {
#define HEAD(text, said)                                                                           \
    {                                                                                              \
        text, sizeof text - 1, said                                                                \
    }
    HEAD("\0\0\0\0\0\0\0\0", "at its beginning"),
    HEAD("\0\0\0\0\0\0\0\0:07.123456Z msg ann torn\n", "at its beginning"),
    HEAD("07.123456Z msg ann torn\n", "skipped 1 lines"),
    HEAD("\n", "skipped 1 lines"),
    HEAD("\r\n\n", "skipped 2 lines"),
    HEAD("\xef\xbb\xbf", "at its beginning"),
    HEAD("\xef\xbb\xbf\n", "at its beginning"),
    HEAD("\xef\xbb\xbf" WHOLE "2026-11-22T21:42:07.200000Z quit ann left\r\n", NULL),
#undef HEAD
};

/* A damaged beginning is skipped with a warning; what follows is read and stays what it was. */
START_TEST(a_damaged_head)
{
    struct server server;
    struct conn ben;
    struct record heard = {0};
    char path[PATH_TEXT_MAX];
    off_t size = (off_t)(heads[_i].len + sizeof GOOD - 1);
    test_path(path, "transcript");
    file_write(path, heads[_i].bytes, heads[_i].len);
    file_write(path, GOOD, sizeof GOOD - 1);
    server_start(&server, ANY_PORT, "-t", path);
    if (heads[_i].said != NULL)
        server_says(&server, heads[_i].said);
    ck_assert_int_eq(file_size(path), size);
    join_since(&ben, &server, "/history 1", "ben", &heard);
    ck_assert_uint_eq(heard.count, 2);
    ck_assert_str_eq(record_words(&heard, 0), "msg ann good");
    server_stop(&server);
    conn_close(&ben);
    record_clear(&heard);
}
END_TEST

/* Nothing but NUL bytes is what a crash leaves of a new file: it is as good as empty. */
START_TEST(nothing_but_zeros)
{
    static const off_t sizes[] = {1, 4096, 300000};
    struct server server;
    struct conn ben;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, "", 0);
    ck_assert_int_eq(truncate(path, sizes[_i]), 0);
    server_start(&server, ANY_PORT, "-t", path);
    conn_join(&ben, &server, "ben");
    record_await(&file, path, 1, "join ben");
    ck_assert_uint_eq(file.count, 1);
    server_stop(&server);
    conn_close(&ben);
    record_clear(&file);
}
END_TEST

/* Bytes that a process has asked read(2) and its like for. */
static unsigned long long process_read_bytes(pid_t pid)
{
    unsigned long long bytes = 0;
    char path[64];
    char line[64];
    snprintf(path, sizeof path, "/proc/%ld/io", (long)pid);
    FILE *io = fopen(path, "r");
    ck_assert_ptr_nonnull(io);
    while (fgets(line, sizeof line, io) != NULL)
        if (sscanf(line, "rchar: %llu", &bytes) == 1)
            break;
    fclose(io);
    return bytes;
}

/*
 * A file of more than 2 GiB, most of it a hole: only its end is read. Somebody who was in the room
 * by that part has a quit; and who asks for more than the log holds is told that there was more.
 */
START_TEST(a_huge_file)
{
    static const char late[] = "\n2026-11-22T21:42:08.123456Z join ann\n"
                               "2026-11-22T21:42:09.123456Z msg ben late\n"
                               "2026-11-22T21:42:10.123456Z quit ben left\n";
    struct server server;
    struct conn cia;
    struct record heard = {0};
    struct stat st;
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    file_write(path, WHOLE, sizeof WHOLE - 1);
    if (truncate(path, (off_t)3 << 30) == -1 || stat(path, &st) == -1 || st.st_blocks > 1000000) {
        test_skip("needs a file system with holes");
        return;
    }
    file_write(path, late, sizeof late - 1);
    server_start(&server, ANY_PORT, "-t", path);
    if (process_is_seen(server.pid))
        ck_assert_uint_lt(process_read_bytes(server.pid), 64u << 20);
    join_since(&cia, &server, "/since 2026-11-22T21:42:07.000000Z", "cia", &heard);
    ck_assert_uint_eq(heard.count, 5);
    ck_assert_str_eq(record_words(&heard, 0), "gap ? 0");
    ck_assert_str_eq(record_words(&heard, 1), "join ann");
    ck_assert_str_eq(record_words(&heard, 4), "quit ann lost");
    server_stop(&server);
    ck_assert_int_eq(unlink(path), 0);
    conn_close(&cia);
    record_clear(&heard);
}
END_TEST

/* Whom a crash left in the room has a quit at the next start, once; nobody else has. */
START_TEST(quits_after_a_crash)
{
    static const char *const names[] = {"ann", "ben", "cia", "dan"};
    struct server server;
    struct conn people[COUNT_OF(names)];
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    server_start(&server, ANY_PORT, "-t", path, sync_options[_i]);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        conn_join(&people[i], &server, names[i]);
    conn_close(&people[2]);
    conn_seek(&people[0], "quit cia *");
    conn_say(&people[3], "/nick Eve");
    conn_seek(&people[0], "nick dan Eve");
    server_kill(&server);
    for (int round = 0; round < 2; round++) {
        server_start(&server, ANY_PORT, "-t", path, sync_options[_i]);
        record_await(&file, path, 3, "quit * lost");
        ck_assert_uint_eq(file.count, 6 + 3);
        ck_assert_uint_lt(record_find(&file, 6, "quit ann lost"), file.count);
        ck_assert_uint_lt(record_find(&file, 6, "quit ben lost"), file.count);
        ck_assert_uint_lt(record_find(&file, 6, "quit Eve lost"), file.count);
        if (round == 0)
            server_kill(&server);
    }
    conn_open(&people[2], &server);
    conn_say(&people[2], "/users");
    conn_expect(&people[2], "users 0");
    server_stop(&server);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        conn_close(&people[i]);
    record_clear(&file);
}
END_TEST

/* ---- Deaths of the writer ---- */

/* People who talk, with a server on that file. */
static void senders_open(
    struct server *server, struct sender *senders, size_t count, const char *path, int sync)
{
    server_start(server, ANY_PORT, "-w", "60", "-t", path, sync_options[sync]);
    for (size_t i = 0; i < count; i++) {
        snprintf(senders[i].name, sizeof senders[i].name, "s%u", (unsigned)i);
        sender_join(&senders[i], server);
    }
}

/* Everything is said: the file holds the messages as everybody has heard them. */
static void senders_close(struct sender *senders, size_t count, struct record *file)
{
    record_keep_messages(file);
    for (size_t i = 0; i < count; i++) {
        record_keep_messages(&senders[i].heard);
        record_equal(file, &senders[i].heard);
        ck_assert_uint_gt(senders[i].echoed, 0);
        sender_end(&senders[i]);
    }
    record_clear(file);
}

/* Killed while it writes as fast as it can, it is replaced; what the room waits for is a moment. */
START_TEST(the_writer_is_killed)
{
    enum { PEOPLE = 3, KILLS = 3 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    senders_open(&server, senders, PEOPLE, path, _i);
    for (int kills = 0; kills < KILLS; kills++) {
        pid_t writer = family_find(server.pid, WRITER);
        senders_talk(senders, PEOPLE, 100, 20 + 37 * kills);
        kill(writer, SIGKILL);
        senders_talk(senders, PEOPLE, 100, 50);
        pid_t next = writer;
        for (int64_t deadline = deadline_in(10000); next == writer || next <= 0;) {
            ck_assert_msg(clock_ms() < deadline, "no other writer came");
            poll(NULL, 0, 5);
            next = family_find(server.pid, WRITER);
        }
    }
    senders_talk(senders, PEOPLE, 100, 100);
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    record_read(&file, path);
    ck_assert_uint_eq(record_missing(&file), 0);
    senders_close(senders, PEOPLE, &file);
}
END_TEST

/*
 * A write that the kill cut short has left half a line: its successor takes it away before it
 * writes on.
 */
START_TEST(a_writer_leaves_half_a_line)
{
    static const char half[] = "2026-11-22T21:42:07.123456Z msg ann ha";
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path, sync_options[_i]);
    record_await(&file, path, 1, "join ben");
    pid_t writer = family_find(room.server.pid, WRITER);
    process_stop(writer);
    file_write(path, half, sizeof half - 1);
    kill(writer, SIGKILL);
    conn_say(&room.ann, "goes on");
    expect_answer(&room.ann, "msg ann goes on");
    record_await(&file, path, 1, "msg ann goes on");
    ck_assert_uint_eq(file.count, 3);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* The answer to a post waits for the next writer, which an upgrade starts, and comes. */
START_TEST(a_post_while_the_writer_starts)
{
    struct server server;
    struct conn poster;
    char path[PATH_TEXT_MAX];
    char echo[32];
    test_path(path, "transcript");
    server_start(&server, ANY_PORT, "-t", path, sync_options[_i]);
    for (int i = 0; i < 40; i++) {
        kill(server.pid, SIGUSR2);
        conn_open(&poster, &server);
        conn_say(&poster, "/post");
        conn_say(&poster, "ci");
        conn_say(&poster, "line %d", i);
        snprintf(echo, sizeof echo, "post ci line %d", i);
        conn_seek(&poster, echo);
        conn_close(&poster);
    }
    server_stop(&server);
}
END_TEST

/* A signal to all processes of the service, as a service manager sends it, is meant for the hub. */
START_TEST(signals_to_the_writer)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path, sync_options[_i]);
    record_await(&file, path, 1, "join ben");
    pid_t writer = family_find(room.server.pid, WRITER);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        kill(writer, signals[i]);
    conn_say(&room.ann, "goes on");
    expect_answer(&room.ann, "msg ann goes on");
    record_await(&file, path, 1, "msg ann goes on");
    ck_assert_int_eq(family_find(room.server.pid, WRITER), writer);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* Until the room takes what ann says again. */
static void room_recovers(struct room *room)
{
    const char *words;
    do {
        conn_say(&room->ann, "again");
        words = read_answer(&room->ann);
        ck_assert_ptr_nonnull(words);
    } while (strncmp(words, "error not-recorded ", 19) == 0);
}

/* Fifty lines, a join and a quit while writes fail; tried again for more than a second. */
static void room_goes_on(struct room *room, bool sync)
{
    const char *answer = sync ? "error not-recorded *" : "msg ann *";
    struct conn cia;
    for (int i = 0; i < 50; i++)
        conn_say(&room->ann, "%d", i);
    for (int i = 0; i < 50; i++)
        expect_answer(&room->ann, answer);
    conn_join(&cia, &room->server, "cia");
    expect_answer(&room->ann, "join cia");
    conn_close(&cia);
    expect_answer(&room->ann, "quit cia left");
    for (int64_t end = clock_ms() + 2500; clock_ms() < end;) {
        conn_say(&room->ann, "still");
        expect_answer(&room->ann, answer);
        poll(NULL, 0, 20);
    }
}

/* The file has what ben has heard; with -s a gap stands for cia, who came and went. */
static void room_is_recorded(struct room *room, const char *path, bool sync, size_t before)
{
    struct record file = {0};
    struct record heard = {0};
    conn_say(&room->ann, "at last");
    conn_seek(&room->ann, "msg ann at last");
    record_await(&file, path, 1, "msg ann at last");
    ck_assert_uint_eq(record_missing(&file), sync ? 2 : 0);
    hear_until(&room->ben, &heard, "msg ann at last");
    if (sync) {
        record_keep_messages(&file);
        record_keep_messages(&heard);
        before = 0;
    }
    record_holds(&file, before, &heard);
    ck_assert_uint_eq(file.count, before + heard.count);
    record_clear(&file);
    record_clear(&heard);
}

/*
 * The file is removed, and cannot be made again for a while. That is said once, nothing that could
 * be recorded is lost, and the new file says what is.
 */
START_TEST(the_file_is_removed)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-H", "0", "-t", path, sync_options[_i]);
    record_await(&file, path, 1, "join ben");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    room_goes_on(&room, _i == 1);
    ck_assert_int_eq(rmdir(path), 0);
    room_recovers(&room);
    room_is_recorded(&room, path, _i == 1, 0);
    ck_assert_uint_eq(server_times_said(&room.server, "the file was removed or replaced"), 1);
    ck_assert_uint_eq(server_times_said(&room.server, "cannot be opened anew: Is a directory"), 1);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* Another file is moved over it: the next line that is said goes there, and all that follow. */
START_TEST(the_file_is_replaced)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    char other[PATH_TEXT_MAX];
    test_path(path, "transcript");
    test_path(other, "other");
    room_open(&room, ANY_PORT, "-t", path, sync_options[_i]);
    record_await(&file, path, 1, "join ben");
    file_write(other, "", 0);
    ck_assert_int_eq(rename(other, path), 0);
    room_recovers(&room);
    record_await(&file, path, 1, "msg ann again");
    ck_assert_uint_eq(record_missing(&file), 0);
    ck_assert_uint_eq(server_times_said(&room.server, "the file was removed or replaced"), 1);
    room_close(&room);
    record_clear(&file);
}
END_TEST

static void limit_set(pid_t pid, __rlimit_resource_t what, rlim_t most)
{
    struct rlimit limit = {most, RLIM_INFINITY};
    ck_assert_int_eq(prlimit(pid, what, NULL, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    ck_assert_msg(prlimit(pid, what, &limit, NULL) == 0, "%s", strerror(errno));
}

/* The writer dies, and without descriptors there is no other for a while. */
START_TEST(no_writer_can_be_started)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path, sync_options[_i]);
    record_await(&file, path, 1, "join ben");
    if (!process_is_seen(room.server.pid)) {
        room_close(&room);
        record_clear(&file);
        return;
    }
    limit_set(room.server.pid, RLIMIT_NOFILE, (rlim_t)process_fds(room.server.pid));
    kill(family_find(room.server.pid, WRITER), SIGKILL);
    /* The reason behind it is in the words of chatd's libc. */
    server_says(&room.server, "cannot start the transcript's writer: ");
    for (int64_t end = clock_ms() + 1500; clock_ms() < end;) {
        conn_say(&room.ann, "still");
        expect_answer(&room.ann, _i == 1 ? "error not-recorded *" : "msg ann still");
    }
    limit_set(room.server.pid, RLIMIT_NOFILE, RLIM_INFINITY);
    room_recovers(&room);
    record_await(&file, path, 1, "msg ann again");
    ck_assert_uint_eq(record_missing(&file), 0);
    ck_assert_uint_eq(server_times_said(&room.server, "cannot start the transcript's writer"), 1);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* ---- Deaths of the hub ---- */

/* How far each has heard the file: they have heard its messages, in its order, up to somewhere. */
static void senders_is_recorded(
    const struct sender *senders, size_t count, const struct record *file)
{
    for (size_t i = 0; i < count; i++) {
        struct record heard = {0};
        for (size_t k = 0; k < senders[i].heard.count; k++)
            record_add(&heard, senders[i].heard.lines[k], strlen(senders[i].heard.lines[k]));
        record_keep_messages(&heard);
        record_holds(file, 0, &heard);
        record_clear(&heard);
    }
}

/* The numbers of one person's lines in the file are all there, each once. */
static void lines_are_counted(const struct sender *sender, const struct record *file)
{
    char pattern[32];
    unsigned long next = 0;
    snprintf(pattern, sizeof pattern, "msg %s *", sender->name);
    for (size_t i = 0; (i = record_find(file, i, pattern)) < file->count; i++, next++) {
        const char *number = record_words(file, i) + strlen(pattern) - 1;
        ensure(strtoul(number, NULL, 10) == next, "%s instead of %lu", number, next);
    }
    ensure(next == sender->answered, "%s: %lu lines in the file, %lu answered", sender->name, next,
        sender->answered);
}

#define KILLS_OF_ONE_FILE 12

static unsigned random_next(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/*
 * The hub is killed under load at a random moment, and started again on the same file. What anybody
 * has heard is in it, in the order in which it was heard; and when all have come again with /since,
 * they have heard all that is in it, once, and know of each of their lines what became of it.
 */
START_TEST(the_hub_is_killed)
{
    enum { PEOPLE = 4 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    unsigned seed = (unsigned)getpid();
    unsigned long heard = 0;
    test_path(path, "transcript");
    senders_open(&server, senders, PEOPLE, path, _i % 2);
    for (int kills = 0; kills < KILLS_OF_ONE_FILE; kills++) {
        senders_talk(senders, PEOPLE, 50, random_next(&seed) % 60);
        pid_t writer = family_find(server.pid, WRITER);
        if (kills % 2 == 1) {
            kill(writer, SIGSTOP); /* anywhere in its work, which has not ended with the hub's */
            senders_talk(senders, PEOPLE, 50, 5);
        }
        for (int64_t deadline = deadline_in(10000); !server_freeze(&server);) {
            ensure(deadline_wait(deadline), "the disk stays slow");
            kill(writer, SIGCONT);
        }
        kill(server.pid, SIGKILL);
        kill(writer, SIGCONT);
        senders_hear_end(senders, PEOPLE);
        server_kill(&server);
        server_start(&server, ANY_PORT, "-w", "60", "-t", path, sync_options[_i % 2]);
        record_read_growing(&file, path);
        record_keep_messages(&file);
        senders_is_recorded(senders, PEOPLE, &file);
        for (size_t i = 0; i < PEOPLE; i++)
            sender_join(&senders[i], &server);
    }
    senders_talk_until(senders, PEOPLE, 50, senders[0].answered + 10);
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    record_read(&file, path);
    record_keep_messages(&file);
    for (size_t i = 0; i < PEOPLE; i++) {
        heard += senders[i].echoed;
        lines_are_counted(&senders[i], &file);
    }
    ck_assert_uint_eq(heard, file.count);
    ck_assert_uint_gt(heard, 0);
    senders_close(senders, PEOPLE, &file);
}
END_TEST

/* A new hub waits until the writer of the old one has written what it was handed. */
START_TEST(the_old_writer_is_waited_for)
{
    struct server old;
    struct server new;
    struct conn ann;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    server_start(&old, ANY_PORT, "-t", path);
    conn_join(&ann, &old, "ann");
    pid_t writer = family_find(old.pid, WRITER);
    record_await(&file, path, 1, "join ann");
    process_stop(writer);
    conn_say(&ann, "handed over");
    conn_expect(&ann, "msg ann handed over");
    server_kill(&old);
    server_spawn(&new, NULL, (const char *const[]){ANY_PORT, "-t", path, NULL});
    server_says(&new, "waiting for an earlier writer");
    record_read(&file, path);
    ck_assert_uint_eq(file.count, 1);
    kill(writer, SIGCONT);
    server_listens(&new, 0, new.address);
    record_await(&file, path, 1, "quit ann lost");
    ck_assert_uint_eq(file.count, 3);
    ck_assert_str_eq(record_words(&file, 1), "msg ann handed over");
    server_stop(&new);
    conn_close(&ann);
    record_clear(&file);
}
END_TEST

/* Both at once, under load: with -s what anybody has heard is in the file all the same. */
START_TEST(hub_and_writer_are_killed)
{
    enum { PEOPLE = 4, KILLS = 8 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    unsigned seed = (unsigned)getpid();
    test_path(path, "transcript");
    senders_open(&server, senders, PEOPLE, path, 1);
    for (int kills = 0; kills < KILLS; kills++) {
        pid_t writer = family_find(server.pid, WRITER);
        senders_talk(senders, PEOPLE, 50, random_next(&seed) % 60);
        kill(writer, SIGKILL);
        kill(server.pid, SIGKILL);
        senders_hear_end(senders, PEOPLE);
        server_kill(&server);
        server_start(&server, ANY_PORT, "-w", "60", "-s", "-t", path);
        record_read_growing(&file, path);
        record_keep_messages(&file);
        senders_is_recorded(senders, PEOPLE, &file);
        for (size_t i = 0; i < PEOPLE; i++)
            sender_join(&senders[i], &server);
    }
    senders_talk_until(senders, PEOPLE, 50, senders[0].answered + 10);
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    record_read(&file, path);
    senders_close(senders, PEOPLE, &file);
}
END_TEST

/* ---- Stops while the disk is slow ---- */

#define BEHIND 20000

/* ann sends so much that the writer, which is stopped, is far behind. */
static void room_runs_ahead(struct room *room, const char *path)
{
    struct record file = {0};
    struct sender sender = {.name = "cia", .length = 80};
    record_await(&file, path, 1, "join ben");
    process_stop(family_find(room->server.pid, WRITER));
    sender_join(&sender, &room->server);
    senders_talk_until(&sender, 1, 100, BEHIND);
    sender_end(&sender);
    record_clear(&file);
}

/*
 * SIGTERM while the writer is behind: the hub exits in time and says what is left, and a process of
 * its own hands that to the writer. A start waits for both.
 */
START_TEST(a_stop_with_a_slow_disk)
{
    struct room room;
    struct server next;
    struct record file = {0};
    struct family family;
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path);
    room_runs_ahead(&room, path);
    pid_t writer = family_find(room.server.pid, WRITER);
    kill(room.server.pid, SIGTERM);
    family_look(&family, room.server.pid);
    ck_assert_int_eq(server_exit(&room.server, 5000), 0);
    server_says(&room.server, "the disk is slow: the writer goes on");
    server_spawn(&next, NULL, (const char *const[]){ANY_PORT, "-t", path, NULL});
    server_says(&next, "waiting for an earlier writer");
    kill(writer, SIGCONT);
    server_listens(&next, 0, next.address);
    record_await(&file, path, 1, "quit ben lost");
    ck_assert_uint_eq(record_missing(&file), 0);
    ck_assert_uint_ge(record_count(&file, "msg cia *"), BEHIND);
    ck_assert_uint_eq(record_count(&file, "quit ann lost"), 1);
    ck_assert_uint_eq(record_count(&file, "quit ben lost"), 1);
    ck_assert_uint_eq(server_times_said(&next, "skipped"), 0);
    family_ends(&family, 10000);
    server_stop(&next);
    conn_close(&room.ann);
    conn_close(&room.ben);
    close(room.server.log);
    record_clear(&file);
}
END_TEST

/* Asks until the writer is so far behind. */
static void await_behind(const struct server *server, unsigned long bytes)
{
    static char log[1 << 18];
    int64_t deadline = deadline_in(10000);
    unsigned long behind = 0;
    while (behind < bytes) {
        ensure(deadline_wait(deadline), "the writer is %lu bytes behind", behind);
        kill(server->pid, SIGUSR1);
        server_log(server, log, sizeof log);
        for (const char *at = log; (at = strstr(at, "status: transcript: ")) != NULL; at++)
            sscanf(at, "status: transcript: %lu bytes behind", &behind);
    }
}

/*
 * Lines that fill the log and wait for the disk do not keep the server from its end either, and the
 * quits, for which the log has no space, come behind them.
 */
START_TEST(a_stop_with_a_full_log)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    char line[1000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    test_path(path, "transcript");
    if (_i == 0)
        room_open(&room, ANY_PORT, "-b", "65536", "-s", "-t", path);
    else
        room_open(&room, ANY_PORT, "-b", "65536", "-w", "60", "-t", path);
    record_await(&file, path, 1, "join ben");
    pid_t writer = family_find(room.server.pid, WRITER);
    process_stop(writer);
    for (int i = 0; i < 600; i++) /* more than the log holds: some are never read */
        conn_say(&room.ann, "%s", line);
    await_behind(&room.server, 40000);
    kill(room.server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&room.server, 6000), 0);
    kill(writer, SIGCONT);
    for (int64_t deadline = deadline_in(10000);
         process_state(writer) != 0 && process_state(writer) != 'Z';)
        ensure(deadline_wait(deadline), "the writer does not end");
    record_read(&file, path);
    ck_assert_uint_gt(record_count(&file, "msg ann *"), 10);
    ck_assert_uint_eq(record_missing(&file), 0);
    ck_assert_uint_eq(record_count(&file, "quit *"), 2);
    conn_close(&room.ann);
    conn_close(&room.ben);
    close(room.server.log);
    record_clear(&file);
}
END_TEST

/* What a full disk does not take before the end is said, with the count. */
START_TEST(a_stop_with_a_full_disk)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path);
    record_await(&file, path, 1, "join ben");
    limit_set(family_find(room.server.pid, WRITER), RLIMIT_FSIZE, (rlim_t)file_size(path));
    for (int i = 0; i < 10; i++) {
        conn_say(&room.ann, "%d", i);
        conn_expect(&room.ann, "msg ann *");
    }
    server_says(&room.server, "File too large; events are missing from the transcript");
    kill(room.server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&room.server, 6000), 0);
    server_says(&room.server, "12 events are missing from the transcript"); /* and two quits */
    conn_close(&room.ann);
    conn_close(&room.ben);
    close(room.server.log);
    record_clear(&file);
}
END_TEST

/* ---- Locks ---- */

static bool process_has_exited(pid_t pid)
{
    siginfo_t info = {0};
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid != 0;
}

/* A file whose lock the test has, as the writer of an earlier server that is gone. */
struct earlier {
    int fd;
    struct server next; /* a server that waits for it */
};

static void earlier_open(struct earlier *earlier, const char *name)
{
    char path[PATH_TEXT_MAX];
    test_path(path, name);
    file_write(path, WHOLE, sizeof WHOLE - 1);
    earlier->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ck_assert_int_eq(flock(earlier->fd, LOCK_EX | LOCK_NB), 0);
    server_spawn(&earlier->next, NULL, (const char *const[]){ANY_PORT, "-t", path, NULL});
}

/* One writer has more to write for longer than the other one, which writes nothing, is waited for.
 * Both at once, for it takes its time. */
START_TEST(starts_that_wait)
{
    int64_t begun = calm_ms();
    struct earlier slow;
    struct earlier idle;
    earlier_open(&slow, "slow");
    earlier_open(&idle, "idle");
    server_says(&slow.next, "waiting for an earlier writer");
    server_says(&idle.next, "waiting for an earlier writer");
    for (int i = 0; i < 12; i++) {
        char line[64];
        int len = snprintf(line, sizeof line, "2026-11-22T21:43:%02d.000000Z msg ann slow\n", i);
        poll(NULL, 0, 1000);
        ck_assert_int_eq(write(slow.fd, line, (size_t)len), len);
        ck_assert(!process_has_exited(slow.next.pid));
    }
    ck_assert_int_eq(server_exit(&idle.next, 20000), 73);
    ensure_prompt(begun, 20000);
    server_says(&idle.next, "the writer of an earlier server has not finished");
    close(slow.fd);
    server_listens(&slow.next, 0, slow.next.address);
    server_stop(&slow.next);
    close(idle.next.log);
    close(idle.fd);
}
END_TEST

/* A server on a file that another one writes. */
struct rival {
    struct room room; /* of the one that writes it */
    struct server second;
    char path[PATH_TEXT_MAX];
};

static void rival_open(struct rival *rival, const char *name)
{
    test_path(rival->path, name);
    room_open(&rival->room, ANY_PORT, "-t", rival->path);
    server_spawn(&rival->second, NULL, (const char *const[]){ANY_PORT, "-t", rival->path, NULL});
}

/* It does not start, and says why. */
static void rival_ends(struct rival *rival)
{
    char words[64];
    ck_assert_int_eq(server_exit(&rival->second, 20000), 73);
    snprintf(words, sizeof words, "another server, process %ld, is writing it",
        (long)rival->room.server.pid);
    server_says(&rival->second, words);
    close(rival->second.log);
    room_close(&rival->room);
}

/*
 * Two servers on one file: the second does not start, and the first does not notice. Nor is one
 * waited for that makes the file grow. Both at once, for it takes its time.
 */
START_TEST(two_servers)
{
    int64_t begun = calm_ms();
    struct rival silent;
    struct rival busy;
    struct record file = {0};
    rival_open(&silent, "silent");
    rival_open(&busy, "busy");
    while (!process_has_exited(busy.second.pid)) {
        conn_say(&busy.room.ann, "busy");
        conn_expect(&busy.room.ann, "msg ann busy");
        conn_expect(&busy.room.ben, "msg ann busy");
        poll(NULL, 0, 50);
    }
    rival_ends(&busy);
    rival_ends(&silent);
    ensure_prompt(begun, 20000);
    record_read(&file, silent.path);
    ck_assert_uint_eq(record_count(&file, "join *"), 2);
    record_clear(&file);
}
END_TEST

static void without_locks(void)
{
    if (!call_refuse(SYS_flock, ENOLCK))
        _exit(126);
}

/* A lock that cannot be taken for another reason than another server. */
START_TEST(no_locks)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    server_spawn(&server, without_locks, (const char *const[]){ANY_PORT, "-t", path, NULL});
    ck_assert_int_eq(server_exit(&server, 20000), 73);
    server_says(&server, "cannot be locked: No locks available");
    close(server.log);
}
END_TEST

static void without_fsync(void)
{
    if (!call_refuse(SYS_fsync, EIO))
        _exit(126);
}

/* With -s the name of a new file is on the disk too, or the log says that it is not. */
START_TEST(the_name_is_synchronized)
{
    struct room room;
    char path[PATH_TEXT_MAX];
    char moved[PATH_TEXT_MAX * 2];
    test_path(path, "transcript");
    server_start_as(
        &room.server, without_fsync, (const char *const[]){ANY_PORT, "-s", "-t", path, NULL});
    room_enter(&room);
    server_says(&room.server, "directory cannot be synchronized: ");
    snprintf(moved, sizeof moved, "%s.moved", path);
    ck_assert_int_eq(rename(path, moved), 0);
    kill(room.server.pid, SIGHUP);
    for (int64_t deadline = deadline_in(10000);
         server_times_said(&room.server, "cannot be synchronized") < 2;)
        ensure(deadline_wait(deadline), "it is not said again");
    room_close(&room);
}
END_TEST

/* ---- What it may be ---- */

enum kind {
    LINK,
    DANGLING_LINK,
    FIFO,
    DIRECTORY,
    TWO_NAMES,
    STRANGE,
    STRANGE_BUT_THE_END,
    BINARY,
    MISSING,
    CLOSED, /* in a directory to which the server's user has no right to write */
    /* Only root can make somebody else's file. */
    OTHERS,
    OTHERS_FOR_ROOT,
    KINDS
};

static void kind_make(enum kind kind, const char *path, const char *other)
{
    switch (kind) {
    case LINK:
        file_write(other, WHOLE, sizeof WHOLE - 1);
        ck_assert_int_eq(symlink(other, path), 0);
        break;
    case DANGLING_LINK:
        ck_assert_int_eq(symlink(other, path), 0);
        break;
    case FIFO:
        ck_assert_int_eq(mkfifo(path, 0666), 0);
        break;
    case DIRECTORY:
        ck_assert_int_eq(mkdir(path, 0777), 0);
        break;
    case TWO_NAMES:
        file_write(path, WHOLE, sizeof WHOLE - 1);
        ck_assert_int_eq(link(path, other), 0);
        break;
    case STRANGE:
        file_write(path, "Dear Ann,\nyours\nBen\n", 20);
        break;
    case STRANGE_BUT_THE_END: /* the event is behind the last LF, where a start cuts the file */
        file_write(path, "Dear Ann,\n", 10);
        file_write(path, WHOLE, sizeof WHOLE - 2);
        file_write(path, "\r\0", 2);
        break;
    case BINARY:
        file_write(path,
            "\x7f"
            "ELF\0\0\0",
            7);
        break;
    case MISSING:
        break;
    case CLOSED:
        ck_assert_int_eq(mkdir(other, 0555), 0);
        break;
    case OTHERS:
    case OTHERS_FOR_ROOT:
        file_write(path, WHOLE, sizeof WHOLE - 1);
        ck_assert_int_eq(chmod(path, 0666), 0);
        ck_assert_int_eq(chown(path, 12345, (gid_t)-1), 0);
        break;
    case KINDS:
        break;
    }
}

/* What is no transcript, or not ours alone, is refused and stays as it was. */
START_TEST(wrong_kinds_of_file)
{
    enum kind kind = (enum kind)_i;
    struct server server;
    struct stat before;
    struct stat after;
    char path[PATH_TEXT_MAX];
    char other[PATH_TEXT_MAX];
    bool as_nobody = kind == OTHERS || (kind == CLOSED && geteuid() == 0);
    if (kind >= OTHERS && geteuid() != 0) {
        test_skip("needs root");
        return;
    }
    test_path(path, kind == MISSING ? "no/transcript" : kind == CLOSED ? "closed/t" : "transcript");
    test_path(other, kind == CLOSED ? "closed" : "other");
    chmod(getenv("CHATD_TEST_DIR"), 0755);
    kind_make(kind, path, other);
    if (as_nobody)
        program_for_all();
    int there = lstat(path, &before);
    server_spawn(&server, as_nobody ? become_nobody : NULL,
        (const char *const[]){ANY_PORT, "-t", path, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), 73);
    server_says(&server, path);
    if (kind == CLOSED)
        server_says(&server, "Permission denied");
    ck_assert_int_eq(lstat(path, &after), there);
    if (there == 0) {
        ck_assert_uint_eq(before.st_ino, after.st_ino);
        ck_assert_int_eq(before.st_size, after.st_size);
        ck_assert_int_eq(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
        ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    }
    ck_assert(kind != DANGLING_LINK || access(other, F_OK) == -1);
    close(server.log);
}
END_TEST

/* ---- Rotation ---- */

static void lines_append(struct record *all, const struct record *more)
{
    for (size_t i = 0; i < more->count; i++)
        record_add(all, more->lines[i], strlen(more->lines[i]));
}

/* Moved away under load, again and again: old and new files together hold each line once. */
START_TEST(rotation)
{
    enum { PEOPLE = 3, TURNS = 20 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    struct record all = {0};
    char path[PATH_TEXT_MAX];
    char moved[PATH_TEXT_MAX * 2];
    test_path(path, "transcript");
    senders_open(&server, senders, PEOPLE, path, _i);
    for (int turn = 0; turn < TURNS; turn++) {
        senders_talk(senders, PEOPLE, 100, 20);
        snprintf(moved, sizeof moved, "%s.%d", path, turn);
        ck_assert_int_eq(rename(path, moved), 0);
        senders_talk(senders, PEOPLE, 100, 5);
        kill(server.pid, SIGHUP);
        for (int64_t deadline = deadline_in(10000); access(path, F_OK) == -1;) {
            ensure(clock_ms() < deadline, "no new file");
            senders_step(senders, PEOPLE, 100, 1);
        }
    }
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    for (int turn = 0; turn <= TURNS; turn++) {
        snprintf(moved, sizeof moved, "%s.%d", path, turn);
        record_read(&file, turn < TURNS ? moved : path);
        lines_append(&all, &file);
    }
    ck_assert_uint_eq(record_missing(&all), 0);
    senders_close(senders, PEOPLE, &all);
    record_clear(&file);
}
END_TEST

/* Moves the transcript away, and waits until there is another one. */
static void file_moves(struct server *server, const char *path, const char *moved)
{
    int64_t deadline = deadline_in(10000);

    ck_assert_int_eq(rename(path, moved), 0);
    kill(server->pid, SIGHUP);
    while (access(path, F_OK) == -1)
        ensure(deadline_wait(deadline), "no new file");
}

/* Ben talks until something stands in the new file. */
static void next_file_grows(struct room *room, const char *path, struct record *file)
{
    int64_t deadline = deadline_in(10000);

    do {
        ensure(deadline_wait(deadline), "nothing stands in the new file");
        conn_say(&room->ben, "again");
        conn_seek(&room->ben, "msg ben again");
        record_read_growing(file, path);
    } while (file->count == 0);
}

/* Moved away, and the writer killed when nothing stands in the new file yet: nothing comes twice.
 */
START_TEST(rotation_and_a_death)
{
    struct room room;
    struct record file = {0};
    struct record old = {0};
    char path[PATH_TEXT_MAX];
    char moved[PATH_TEXT_MAX * 2];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path, sync_options[_i]);
    conn_say(&room.ann, "before");
    record_await(&file, path, 1, "msg ann before");
    snprintf(moved, sizeof moved, "%s.moved", path);
    file_moves(&room.server, path, moved);
    kill(family_find(room.server.pid, WRITER), SIGKILL);
    next_file_grows(&room, path, &file);
    record_read(&old, moved);
    lines_append(&old, &file);
    ck_assert_uint_eq(record_missing(&old), 0);
    ck_assert_uint_eq(record_count(&old, "join *"), 2);
    ck_assert_uint_eq(record_count(&old, "msg ann before"), 1);
    room_close(&room);
    record_clear(&file);
    record_clear(&old);
}
END_TEST

/* Moved away, and the writer killed before it wrote what it was handed for the old file: that goes
 * there, and nowhere else. */
START_TEST(rotation_and_a_death_with_a_line_under_way)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    char moved[PATH_TEXT_MAX * 2];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path, sync_options[_i]);
    record_await(&file, path, 1, "join ben");
    pid_t writer = family_find(room.server.pid, WRITER);
    process_stop(writer);
    conn_say(&room.ann, "under way");
    if (_i == 0)
        conn_expect(&room.ann, "msg ann under way");
    else
        server_says(&room.server, "the disk does not answer");
    snprintf(moved, sizeof moved, "%s.moved", path);
    file_moves(&room.server, path, moved);
    kill(writer, SIGKILL);
    next_file_grows(&room, path, &file);
    ck_assert_uint_eq(record_count(&file, "msg ann under way"), 0);
    record_read(&file, moved);
    ck_assert_uint_eq(record_count(&file, "msg ann under way"), 1);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* HUP without a move, as a careless logrotate does, changes nothing and stops nobody. */
START_TEST(hangups_without_rotation)
{
    enum { PEOPLE = 3 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    senders_open(&server, senders, PEOPLE, path, _i);
    for (int i = 0; i < 300; i++) {
        kill(server.pid, SIGHUP);
        senders_talk(senders, PEOPLE, 100, 2);
    }
    senders_rest(senders, PEOPLE);
    ck_assert_uint_eq(server_times_said(&server, "opened anew"), 0);
    server_stop(&server);
    record_read(&file, path);
    ck_assert_uint_eq(record_missing(&file), 0);
    senders_close(senders, PEOPLE, &file);
}
END_TEST

/* What is found in the file's place at a HUP and is none: the old file is written on. */
START_TEST(rotation_to_a_wrong_kind)
{
    static const struct {
        enum kind kind;
        const char *why;
    } rows[] = {{FIFO, "not a regular file"}, {DIRECTORY, "Is a directory"}, {LINK, "is a link"},
        {STRANGE, "is no transcript of a room"},
        {STRANGE_BUT_THE_END, "is no transcript of a room"}};
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    char moved[PATH_TEXT_MAX * 2];
    char other[PATH_TEXT_MAX * 2];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path);
    record_await(&file, path, 1, "join ben");
    snprintf(moved, sizeof moved, "%s.moved", path);
    snprintf(other, sizeof other, "%s.other", path);
    ck_assert_int_eq(rename(path, moved), 0);
    kind_make(rows[_i].kind, path, other);
    off_t size = file_size(path);
    kill(room.server.pid, SIGHUP);
    server_says(&room.server, rows[_i].why);
    server_says(&room.server, "the old file is written on");
    conn_say(&room.ann, "still in the old file");
    record_await(&file, moved, 1, "msg ann still in the old file");
    ck_assert_uint_eq(file.count, 3);
    ck_assert_int_eq(file_size(path), size);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* ---- A disk that takes nothing ---- */

/* What stops the writer: a limit of its own, or a file system that is full. */
struct obstacle {
    bool full;    /* a small file system for this test alone */
    pid_t writer; /* whose limit it is */
    char path[PATH_TEXT_MAX];
    char ballast[PATH_TEXT_MAX];
};

/* False, and skipped, where mounting is not allowed. */
static bool obstacle_prepare(struct obstacle *obstacle, bool full)
{
    char dir[PATH_TEXT_MAX - 16];
    *obstacle = (struct obstacle){0};
    snprintf(dir, sizeof dir, "%.200s/%ld.disk", getenv("CHATD_TEST_DIR"), (long)getpid());
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    obstacle->full = full && unshare(CLONE_NEWNS) == 0 &&
                     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                     mount("none", dir, "tmpfs", 0, "size=256k") == 0;
    if (obstacle->full != full)
        test_skip("needs a file system of its own");
    snprintf(obstacle->path, sizeof obstacle->path, "%s/transcript", dir);
    snprintf(obstacle->ballast, sizeof obstacle->ballast, "%s/ballast", dir);
    return obstacle->full == full;
}

/* From now on not even a line more fits, but a piece of one does. */
static void obstacle_raise(struct obstacle *obstacle, pid_t hub)
{
    char page[4096] = {0};
    if (!obstacle->full) {
        obstacle->writer = family_find(hub, WRITER);
        limit_set(obstacle->writer, RLIMIT_FSIZE, (rlim_t)file_size(obstacle->path) + 10);
        return;
    }
    int fd = open(obstacle->ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, page, sizeof page) > 0)
        continue;
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}

static void obstacle_lift(struct obstacle *obstacle)
{
    if (obstacle->full)
        ck_assert_int_eq(unlink(obstacle->ballast), 0);
    else
        limit_set(obstacle->writer, RLIMIT_FSIZE, RLIM_INFINITY);
}

/* Without -s the chat goes on; the file says how many events it lacks, and the log says it once. */
START_TEST(a_full_disk)
{
    enum { BLOCKED = 300 };
    struct room room;
    struct obstacle obstacle;
    struct record file = {0};
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    if (!obstacle_prepare(&obstacle, _i == 1))
        return;
    room_open(&room, ANY_PORT, "-t", obstacle.path);
    record_await(&file, obstacle.path, 1, "join ben");
    obstacle_raise(&obstacle, room.server.pid);
    for (int i = 0; i < BLOCKED; i++) {
        conn_say(&room.ann, "%d %s", i, line);
        conn_expect(&room.ann, "msg ann *");
        conn_seek(&room.ben, "msg ann *");
    }
    server_says(&room.server, "events are missing from the transcript");
    record_read_growing(&file, obstacle.path); /* it tries again once a second */
    size_t before = file.count;
    ck_assert_uint_lt(before, BLOCKED);
    obstacle_lift(&obstacle);
    record_await(&file, obstacle.path, 1, "gap *");
    conn_say(&room.ann, "written again");
    conn_expect(&room.ann, "msg ann written again");
    record_await(&file, obstacle.path, 1, "msg ann written again");
    ck_assert_uint_eq(file.count, before + 2);
    ck_assert_uint_eq(file.count - 1 + record_missing(&file), 2 + BLOCKED + 1);
    ck_assert_uint_eq(server_times_said(&room.server, "events are missing from the transcript"), 1);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* With -s what the disk does not take is refused: nobody gets it, and the file has the rest. */
START_TEST(a_full_disk_with_s)
{
    enum { TRIES = 200 };
    struct room room;
    struct obstacle obstacle;
    struct record file = {0};
    struct record heard = {0};
    unsigned long refused = 0;
    char line[LINE_IN_MAX - 15]; /* longer than the rest of a page that is not full */
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    if (!obstacle_prepare(&obstacle, _i == 1))
        return;
    room_open(&room, ANY_PORT, "-s", "-t", obstacle.path);
    obstacle_raise(&obstacle, room.server.pid);
    for (int i = 0; i < TRIES; i++)
        conn_say(&room.ann, "%d %s", i, line);
    for (int i = 0; i < TRIES; i++) {
        const char *words = read_answer(&room.ann);
        ck_assert_ptr_nonnull(words);
        if (room.ann.event.verb == VERB_MSG) {
            record_add_words(&heard, words);
            continue;
        }
        ck_assert_msg(pattern_match("error not-recorded *", words), "%s", words);
        refused++;
    }
    ck_assert_uint_gt(refused, 0);
    for (int64_t end = clock_ms() + 2500; clock_ms() < end;) { /* tried again twice */
        conn_say(&room.ben, "nor this %s", line);
        conn_seek(&room.ben, "error not-recorded *");
    }
    ck_assert_uint_eq(server_times_said(&room.server, "events are missing from the transcript"), 1);
    ck_assert_uint_eq(server_times_said(&room.server, "written again"), 0);
    obstacle_lift(&obstacle);
    for (int64_t deadline = deadline_in(10000);;) {
        const char *words;
        ensure(clock_ms() < deadline, "nothing is taken");
        conn_say(&room.ann, "but this");
        words = read_answer(&room.ann);
        ck_assert_ptr_nonnull(words);
        if (room.ann.event.verb == VERB_MSG) {
            record_add_words(&heard, words);
            break;
        }
    }
    server_says(&room.server, "written again");
    record_await(&file, obstacle.path, 1, "msg ann but this");
    ck_assert_uint_eq(heard.count, TRIES - refused + 1);
    ck_assert_uint_eq(server_times_said(&room.server, "written again"), 1);
    record_holds(&file, 2, &heard);
    ck_assert_uint_eq(file.count, 2 + heard.count);
    conn_seek(&room.ben, "msg ann but this");
    room_close(&room);
    record_clear(&file);
    record_clear(&heard);
}
END_TEST

static unsigned long senders_refused(const struct sender *senders, size_t count)
{
    unsigned long refused = 0;
    for (size_t i = 0; i < count; i++)
        refused += senders[i].refused;
    return refused;
}

/* They talk until somebody's lines are refused, or until they are taken again. */
static void senders_talk_until_refused(struct sender *senders, size_t count, bool refused)
{
    unsigned long before = senders_refused(senders, count);
    unsigned long echoed = senders[0].echoed;
    int64_t deadline = deadline_in(10000);
    while (refused ? senders_refused(senders, count) == before : senders[0].echoed < echoed + 50) {
        ensure(clock_ms() < deadline, "lines are %s", refused ? "taken" : "refused");
        senders_step(senders, count, 30, 100);
    }
}

/*
 * Several post and talk while the disk fills and is freed again and again: whatever was echoed, and
 * nothing else, is in the file, in the order in which all have heard it.
 */
START_TEST(a_disk_that_comes_and_goes_with_s)
{
    enum { PEOPLE = 4, TURNS = 3 };
    struct server server;
    struct sender senders[PEOPLE] = {0};
    struct obstacle obstacle;
    struct record file = {0};
    obstacle_prepare(&obstacle, false);
    senders_open(&server, senders, PEOPLE, obstacle.path, 1);
    for (int turn = 0; turn < TURNS; turn++) {
        senders_talk(senders, PEOPLE, 30, 50);
        obstacle_raise(&obstacle, server.pid);
        senders_talk_until_refused(senders, PEOPLE, true);
        senders_talk(senders, PEOPLE, 30, 50);
        obstacle_lift(&obstacle);
        senders_talk_until_refused(senders, PEOPLE, false);
    }
    senders_rest(senders, PEOPLE);
    server_stop(&server);
    record_read(&file, obstacle.path);
    for (size_t i = 0; i < PEOPLE; i++)
        ck_assert_uint_eq(senders[i].said, senders[i].echoed + senders[i].refused);
    senders_close(senders, PEOPLE, &file);
}
END_TEST

/* ---- A slow disk ---- */

/* The room waits for it a moment only; what was said meanwhile is written when it goes on. */
START_TEST(a_slow_disk)
{
    struct room room;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-t", path);
    pid_t writer = family_find(room.server.pid, WRITER);
    process_stop(writer);
    /* Until the pair to the writer is full, nobody notices; then it takes a moment, once. */
    char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    int64_t worst = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t begun = calm_ms();
        int64_t start = clock_ms();
        conn_say(&room.ann, "%s", line);
        conn_expect(&room.ann, "msg ann *");
        conn_seek(&room.ben, "msg ann *");
        worst = clock_ms() - start > worst ? clock_ms() - start : worst;
        ensure_prompt(begun, 1000);
    }
    ck_assert_int_ge(worst, 150);
    server_says(&room.server, "the disk is slow");
    kill(writer, SIGCONT);
    server_says(&room.server, "caught up");
    record_await(&file, path, 1000, "msg ann *");
    ck_assert_uint_eq(record_missing(&file), 0);
    ck_assert_uint_eq(file.count, 1002);
    room_close(&room);
    record_clear(&file);
}
END_TEST

/* After which time members are told. */
#define HANGS_MS 3000

/* With -s everything waits for a disk that hangs. That is logged, and those who wait are told. */
START_TEST(a_hanging_disk_with_s)
{
    struct room room;
    struct conn cia;
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    room_open(&room, ANY_PORT, "-s", "-t", path);
    pid_t writer = family_find(room.server.pid, WRITER);
    process_stop(writer);
    int64_t begun = clock_ms();
    conn_say(&room.ann, "hello");
    server_says(&room.server, "the disk does not answer");
    kill(room.server.pid, SIGUSR1);
    server_says(&room.server, " bytes behind, ");
    if (!was_late(begun, HANGS_MS))
        server_says(&room.server, "bytes behind, slow");
    conn_expect(&room.ann, "note the disk * does not answer*");
    conn_expect(&room.ben, "note the disk * does not answer*");
    conn_open(&cia, &room.server);
    conn_say(&cia, "cia");
    conn_expect(&cia, "note the disk * does not answer*");
    kill(room.server.pid, SIGUSR1);
    server_says(&room.server, "bytes behind, hanging");
    kill(writer, SIGCONT);
    server_says(&room.server, "the disk answers again");
    conn_expect(&room.ann, "msg ann hello");
    conn_seek(&room.ann, "note * answers again");
    conn_seek(&room.ben, "note * answers again");
    conn_seek(&cia, "you cia");
    conn_close(&cia);
    conn_seek(&room.ann, "quit cia left");
    conn_seek(&room.ben, "quit cia left");
    room_close(&room);
}
END_TEST

/* Slow for longer than the log remembers: the file says how much it lacks, exactly. */
START_TEST(a_disk_too_slow_for_the_log)
{
    enum { PEOPLE = 2, LINES = 6000 };
    struct server server;
    struct sender senders[PEOPLE] = {{.name = "s0", .length = 200}, {.name = "s1", .length = 200}};
    struct record file = {0};
    struct record all = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    server_start(&server, ANY_PORT, "-w", "0", "-b", "1048576", "-t", path);
    for (size_t i = 0; i < PEOPLE; i++)
        sender_join(&senders[i], &server);
    record_await(&file, path, 1, "join s1");
    pid_t writer = family_find(server.pid, WRITER);
    process_stop(writer);
    senders_talk_until(senders, PEOPLE, 20, LINES);
    kill(writer, SIGCONT);
    senders_rest(senders, PEOPLE);
    unsigned long said = senders[0].said + senders[1].said;
    ck_assert_uint_eq(senders[0].mine + senders[1].mine, 0);
    server_stop(&server);
    record_read(&file, path);
    ck_assert_uint_gt(record_missing(&file), 0);
    ck_assert_uint_eq(record_count(&file, "msg *") + record_missing(&file), said);
    /* What is there stands in order before and after the gap. */
    size_t gap = record_find(&file, 0, "gap *");
    lines_append(&all, &senders[0].heard);
    record_keep_messages(&all);
    for (size_t i = 2; i < gap; i++)
        ck_assert_str_eq(file.lines[i], all.lines[i - 2]);
    for (size_t i = 0; i < PEOPLE; i++)
        sender_end(&senders[i]);
    record_clear(&file);
    record_clear(&all);
}
END_TEST

int main(void)
{
    const char *text = getenv("CHATD_KILLS");
    int kills = text != NULL ? atoi(text) : 24;
    int files = 2 * ((kills + KILLS_OF_ONE_FILE - 1) / KILLS_OF_ONE_FILE); /* with and without -s */
    const struct test tests[] = {
        {lines_of_the_wire, 2, 20},
        {read_back, 1, 30},
        {a_long_past, 1, 20},
        {a_clock_that_was_ahead, 1, 20},
        {a_gap_with_a_late_stamp, 1, 20},
        {a_gap_far_behind, 5, 20},
        {a_torn_end, COUNT_OF(torn), 20},
        {zeros_at_the_end, 1, 20},
        {a_damaged_head, COUNT_OF(heads), 20},
        {nothing_but_zeros, 3, 20},
        {a_huge_file, 1, 60},
        {quits_after_a_crash, 2, 30},
        {the_writer_is_killed, 2, 60},
        {a_writer_leaves_half_a_line, 2, 30},
        {a_post_while_the_writer_starts, 2, 60},
        {signals_to_the_writer, 2, 30},
        {the_file_is_removed, 2, 30},
        {the_file_is_replaced, 2, 30},
        {no_writer_can_be_started, 2, 30},
        {the_hub_is_killed, files, 120},
        {hub_and_writer_are_killed, 1, 60},
        {the_old_writer_is_waited_for, 1, 30},
        {a_stop_with_a_slow_disk, 1, 60},
        {a_stop_with_a_full_log, 2, 60},
        {a_stop_with_a_full_disk, 1, 60},
        {starts_that_wait, 1, 60},
        {no_locks, 1, 40},
        {the_name_is_synchronized, 1, 40},
        {two_servers, 1, 60},
        {wrong_kinds_of_file, KINDS, 20},
        {rotation, 2, 60},
        {rotation_and_a_death, 2, 30},
        {rotation_and_a_death_with_a_line_under_way, 2, 30},
        {rotation_to_a_wrong_kind, 5, 30},
        {hangups_without_rotation, 2, 60},
        {a_full_disk, 2, 30},
        {a_full_disk_with_s, 2, 30},
        {a_disk_that_comes_and_goes_with_s, 1, 60},
        {a_slow_disk, 1, 30},
        {a_hanging_disk_with_s, 1, 30},
        {a_disk_too_slow_for_the_log, 1, 60},
    };
    return tests_run("transcript", tests, COUNT_OF(tests));
}
