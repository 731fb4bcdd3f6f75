/*
 * SIGUSR2: the server becomes the program that is now installed, without losing a connection, a
 * name, a message or the history. The programs that are installed here are copies of chatd, and in
 * turn of another build of it, that differ in the version that they say they are.
 *
 * Environment: CHATD_NEXT is the other build (chatd), CHATD_UPGRADES is how often it is done in a
 * row under load (20).
 */
#include "harness.h"
#include "record.h"
#include "senders.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Programs ---- */

struct build {
    char *bytes;
    size_t len;
};

struct program {
    struct build builds[2];   /* they take turns */
    char path[PATH_TEXT_MAX]; /* where it is installed */
};

/* Replaces the file at the path in one step, as install(1) does. */
static void file_install(const char *path, const char *bytes, size_t len, mode_t mode)
{
    char fresh[PATH_TEXT_MAX + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_msg(fd != -1, "%s: %s", fresh, strerror(errno));
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
    ck_assert_int_eq(rename(fresh, path), 0);
}

static const char version[] = CHAT_VERSION;
/* Where its last digit is, which differs between the programs here. */
#define DIGIT (sizeof version - 2)

/* Installs the program with NUMBER for that digit, wherever it speaks of its version. */
static void program_install(struct program *program, unsigned number)
{
    const struct build *build = &program->builds[number % COUNT_OF(program->builds)];
    size_t places = 0;
    for (size_t i = 0; i + DIGIT < build->len; i++)
        if (memcmp(build->bytes + i, version, DIGIT) == 0) {
            build->bytes[i + DIGIT] = (char)('0' + number);
            places++;
        }
    ck_assert_uint_gt(places, 0);
    file_install(program->path, build->bytes, build->len, 0755);
}

static void build_read(struct build *build, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd != -1 && fstat(fd, &st) == 0, "%s: %s", path, strerror(errno));
    build->len = (size_t)st.st_size;
    build->bytes = malloc(build->len);
    ck_assert_ptr_nonnull(build->bytes);
    ck_assert_int_eq(read(fd, build->bytes, build->len), st.st_size);
    close(fd);
}

/* Takes chatd, installs it as version 0, and makes it what the harness starts. */
static void program_open(struct program *program)
{
    const char *path = getenv("CHATD") != NULL ? getenv("CHATD") : "./chatd";
    const char *next = getenv("CHATD_NEXT") != NULL ? getenv("CHATD_NEXT") : path;
    build_read(&program->builds[0], path);
    build_read(&program->builds[1], next);
    test_path(program->path, "chatd");
    program_install(program, 0);
    setenv("CHATD", program->path, 1);
}

static void program_close(struct program *program)
{
    for (size_t i = 0; i < COUNT_OF(program->builds); i++)
        free(program->builds[i].bytes);
}

#define DONE "this is chatd "

static void server_says_version(struct server *server, unsigned number)
{
    char words[64];

    snprintf(words, sizeof words, DONE "%.*s%u now", (int)DIGIT, version, number);
    server_says(server, words);
}

/* Installs that version, and waits until the server is it. */
static void upgrade(struct server *server, struct program *program, unsigned number)
{
    size_t before = server_times_said(server, DONE);
    int64_t deadline = deadline_in(10000);
    program_install(program, number);
    kill(server->pid, SIGUSR2);
    while (server_times_said(server, DONE) == before)
        ensure(deadline_wait(deadline), "no upgrade");
    server_says_version(server, number);
}

/* ---- What is carried over ---- */

#define LAG 3000

/* People in all the states that there are, when the program changes under them. */
struct scene {
    struct room room;
    struct program program;
    struct conn half;     /* has sent half a line */
    struct conn newcomer; /* has not given its name, but half of it */
    struct conn poster;
    struct conn slow;    /* has a lag, and private messages in it */
    struct conn local;   /* over the Unix-domain socket */
    struct conn resumer; /* has a token */
    char socket[PATH_TEXT_MAX];
    char transcript[PATH_TEXT_MAX];
    char pid[PATH_TEXT_MAX];
    char token[64];
};

/* Connects, sends this, and skips what comes up to a line that matches. */
static void open_as(struct conn *conn, const char *address, const char *bytes, const char *until)
{
    conn_open_to(conn, address);
    conn_send(conn, bytes, strlen(bytes));
    if (until != NULL)
        conn_seek(conn, until);
}

/* More than sockets hold goes by, and less than the log; every hundredth line is for slow alone. */
static void lag_make(struct scene *scene)
{
    char text[900];
    memset(text, '.', sizeof text);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < LAG; i++) {
        if (i % 100 == 99)
            conn_say(&scene->room.ann, "/msg slow %d", i);
        else
            conn_say(&scene->room.ann, "%d %s", i, text);
        if (i % 100 == 99) { /* nobody else shall lag */
            char last[32];
            conn_seek(&scene->room.ann, "priv ann slow *");
            snprintf(last, sizeof last, "msg ann %d *", i - 1);
            conn_seek(&scene->room.ben, last);
        }
    }
}

static void lag_check(struct scene *scene)
{
    char wanted[64];
    for (int i = 0; i < LAG; i++) {
        if (i % 100 == 99)
            snprintf(wanted, sizeof wanted, "priv ann slow %d", i);
        else
            snprintf(wanted, sizeof wanted, "msg ann %d ...*", i);
        conn_expect(&scene->slow, wanted);
    }
}

/* How much of the log is still pending for slow. */
static bool lag_is_there(struct scene *scene)
{
    char log[65536];
    unsigned long behind = 0;
    kill(scene->room.server.pid, SIGUSR1);
    server_says(&scene->room.server, " resumer: joined,"); /* it is the last of the report */
    server_log(&scene->room.server, log, sizeof log);
    const char *at = strstr(log, " slow: joined,");
    at = at == NULL ? NULL : strstr(at, "here, ");
    return at != NULL && sscanf(at, "here, %lu", &behind) == 1 && behind > LAG / 4;
}

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){0};
    program_open(&scene->program);
    test_path(scene->socket, "room");
    test_path(scene->transcript, "transcript");
    test_path(scene->pid, "pid");
    struct server *server = &scene->room.server;
    server_start(server, ANY_PORT, "-l", scene->socket, "-t", scene->transcript, "-p", scene->pid,
        "-H", "5", "-w", "60");
    room_enter(&scene->room);
    open_as(&scene->half, server->address, "half\n", "you half");
    open_as(&scene->poster, server->address, "/post\nposter\n", "you poster");
    open_as(&scene->slow, server->address, "slow\n", "you slow");
    open_as(&scene->local, scene->socket, "local\n", "you local");
    open_as(&scene->resumer, server->address, "/token\nresumer\n", "token *");
    span_copy(scene->token, sizeof scene->token, scene->resumer.event.word);
    conn_seek(&scene->resumer, "you resumer");
    conn_seek(&scene->room.ann, "join resumer");
    conn_seek(&scene->room.ben, "join resumer");
    for (int i = 0; i < 7; i++)
        conn_say(&scene->resumer, "said %d", i);
    conn_seek(&scene->room.ann, "msg resumer said 6");
    conn_seek(&scene->slow, "msg resumer said 6");
    lag_make(scene);
    conn_send(&scene->half, "one half,", 9);
    open_as(&scene->newcomer, server->address, "/users\n/history 3\n/token\nnew", "users 6");
    ck_assert_msg(lag_is_there(scene), "slow is not behind");
}

static void scene_close(struct scene *scene)
{
    struct conn *conns[] = {&scene->half, &scene->newcomer, &scene->poster, &scene->slow,
        &scene->local, &scene->resumer, &scene->room.ann, &scene->room.ben};
    for (size_t i = 0; i < COUNT_OF(conns); i++)
        conn_close(conns[i]);
    program_close(&scene->program);
}

/* Somebody comes with resumer's token: its lines are counted from before, and nobody sees it. */
static void resumer_check(struct scene *scene)
{
    struct conn again;
    char login[256];
    snprintf(login, sizeof login, "/resume %s\n/history 0\nresumer\n", scene->token);
    open_as(&again, scene->room.server.address, login, "resumed 7");
    conn_seek(&again, "you resumer");
    conn_close(&scene->resumer); /* behind as it was, it may have lost half a line */
    scene->resumer = again;
    conn_say(&scene->resumer, "still here");
}

/* The history that newcomer asked for before, and its name of two halves. */
static void newcomer_check(struct scene *scene)
{
    conn_send(&scene->newcomer, "comer\n", 6);
    conn_expect(&scene->newcomer, "token *");
    for (int i = 0; i < 3; i++) {
        conn_expect(&scene->newcomer, "*");
        ensure(verb_is_room(scene->newcomer.event.verb), "no event of the past");
    }
    conn_expect(&scene->newcomer, "here *");
    conn_expect(&scene->newcomer, "users 7");
    conn_expect(&scene->newcomer, "you newcomer");
}

/* All go on where they were, in any order. */
START_TEST(everything_is_carried_over)
{
    struct scene scene;
    struct record file = {0};
    scene_open(&scene);
    struct server *server = &scene.room.server;
    int fds = process_fds(server->pid);
    upgrade(server, &scene.program, 1);
    process_settles(server->pid, fds);

    conn_send(&scene.half, " the other\n", 11);
    conn_seek(&scene.half, "msg half one half, the other");
    conn_expect(&scene.room.ben, "msg half one half, the other");
    conn_say(&scene.poster, "posted");
    conn_expect(&scene.poster, "post poster posted");
    conn_expect(&scene.room.ben, "post poster posted");
    conn_say(&scene.local, "local");
    conn_expect(&scene.room.ben, "msg local local");
    resumer_check(&scene);
    conn_expect(&scene.room.ben, "msg resumer still here");
    newcomer_check(&scene);
    conn_expect(&scene.room.ben, "join newcomer");
    lag_check(&scene);
    conn_expect(&scene.slow, "msg half one half, the other");

    /* Names are taken, old addresses lead to the room, and the program before is a program too. */
    upgrade(server, &scene.program, 0);
    struct conn namesake;
    open_as(&namesake, scene.socket, "/history 1\nANN\n", "join newcomer");
    conn_seek(&namesake, "you ANN_2");
    conn_close(&namesake);
    conn_seek(&scene.room.ben, "quit ANN_2 left");
    conn_seek(&scene.slow, "quit ANN_2 left");
    ck_assert_uint_eq(room_count(&scene.room), 7);

    server_stop(server);
    ck_assert_int_eq(access(scene.socket, F_OK), -1);
    ck_assert_int_eq(access(scene.pid, F_OK), -1);
    record_read(&file, scene.transcript);
    ck_assert_uint_eq(record_count(&file, "msg ann *"), LAG - LAG / 100);
    ck_assert_uint_eq(record_count(&file, "quit *"), 8);
    ck_assert_uint_eq(record_missing(&file), 0);
    record_clear(&file);
    scene_close(&scene);
}
END_TEST

/* ---- Again and again ---- */

static unsigned number_of(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? (unsigned)atoi(text) : otherwise;
}

/*
 * All talk as fast as they can while the program changes, again and again. All receive the same
 * events, and each line is answered once; nobody is disconnected, and no descriptor stays open.
 */
START_TEST(many_in_a_row)
{
    enum { PEOPLE = 8 };
    unsigned times = number_of("CHATD_UPGRADES", 20);
    struct server server;
    struct program program;
    struct sender senders[PEOPLE] = {0};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    program_open(&program);
    server_start(&server, ANY_PORT, "-w", "60", "-t", path);
    for (size_t i = 0; i < PEOPLE; i++) {
        snprintf(senders[i].name, sizeof senders[i].name, "s%zu", i);
        senders[i].length = 40 + 300 * i;
        sender_join(&senders[i], &server);
    }
    int fds = process_fds(server.pid);
    for (unsigned i = 1; i <= times; i++) {
        program_install(&program, i % 10);
        kill(server.pid, SIGUSR2);
        for (int64_t deadline = deadline_in(10000); server_times_said(&server, DONE) < i;) {
            ensure(
                clock_ms() < deadline, "%zu upgrades of %u", server_times_said(&server, DONE), i);
            senders_step(senders, PEOPLE, 200, 5);
        }
    }
    senders_rest(senders, PEOPLE);
    process_settles(server.pid, fds);
    server_stop(&server);
    record_read(&file, path);
    record_keep_messages(&file);
    for (size_t i = 0; i < PEOPLE; i++) {
        ck_assert_uint_gt(senders[i].echoed, times);
        ck_assert_uint_eq(senders[i].echoed, senders[i].said);
        record_keep_messages(&senders[i].heard);
        record_equal(&file, &senders[i].heard);
        sender_end(&senders[i]);
    }
    record_clear(&file);
    program_close(&program);
}
END_TEST

/* ---- Programs that cannot take over ---- */

static const struct {
    const char *text; /* NULL: nothing is there */
    mode_t mode;
    const char *why;
} others[] = {
    {NULL, 0, "No such file"},
    {"#!/bin/sh\nexit 1\n", 0755, "does not understand"},
    {"#!/bin/sh\nexit 0\n", 0755, "does not understand"},
    {"#!/bin/sh\nkill -SEGV $$\n", 0755, "does not answer"},
    {"#!/bin/sh\nexec sleep 30\n", 0755, "does not answer"},
    {"#!/nonexistent\n", 0755, "No such file"},
    {"no program at all\n", 0755, "Exec format error"},
    {"\177ELF\2\1\1", 0755, "Exec format error"},
    {"#!/bin/sh\nexit 1\n", 0644, "Permission denied"},
};

/* The old one goes on, says why, and takes the next chance. */
START_TEST(not_a_successor)
{
    struct room room;
    struct program program;
    char why[PATH_TEXT_MAX + 16];
    program_open(&program);
    room_open(&room, ANY_PORT);
    unlink(program.path);
    if (others[_i].text != NULL)
        file_install(program.path, others[_i].text, strlen(others[_i].text), others[_i].mode);
    kill(room.server.pid, SIGUSR2);
    room_exchange(&room);
    snprintf(why, sizeof why, "no upgrade: %s", program.path);
    server_says(&room.server, why);
    server_says(&room.server, others[_i].why);
    room_check(&room);
    ck_assert_uint_eq(server_times_said(&room.server, DONE), 0);
    upgrade(&room.server, &program, 7);
    room_close(&room);
    program_close(&program);
}
END_TEST

/* A second SIGUSR2 while a program does not answer: the program that is installed then is used. */
START_TEST(a_better_successor_in_time)
{
    static const char silent[] = "#!/bin/sh\nexec sleep 30\n";
    struct room room;
    struct program program;
    program_open(&program);
    room_open(&room, ANY_PORT);
    file_install(program.path, silent, sizeof silent - 1, 0755);
    kill(room.server.pid, SIGUSR2);
    (void)family_find(room.server.pid, "sleep");
    program_install(&program, 7);
    kill(room.server.pid, SIGUSR2);
    server_says(&room.server, "does not answer");
    server_says_version(&room.server, 7);
    room_check(&room);
    room_close(&room);
    program_close(&program);
}
END_TEST

/* ---- Signals ---- */

/* USR1, HUP and USR2 at any distance from a change of program are heard. */
START_TEST(signals_beside_it)
{
    struct room room;
    struct program program;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    char moved[PATH_TEXT_MAX * 2];
    test_path(path, "transcript");
    program_open(&program);
    room_open(&room, ANY_PORT, "-t", path);
    record_await(&file, path, 1, "join ben");
    for (unsigned i = 0; i < 40; i++) {
        size_t reports = server_times_said(&room.server, "status: chatd");
        size_t done = server_times_said(&room.server, DONE);
        int64_t deadline = deadline_in(10000);
        snprintf(moved, sizeof moved, "%s.%u", path, i);
        ck_assert_int_eq(rename(path, moved), 0);
        kill(room.server.pid, SIGUSR2);
        poll(NULL, 0, (int)(i / 4)); /* anywhere between the question and the answer */
        kill(room.server.pid, SIGUSR1);
        kill(room.server.pid, SIGHUP);
        while (server_times_said(&room.server, "status: chatd") == reports ||
               server_times_said(&room.server, DONE) == done || access(path, F_OK) == -1)
            ensure(deadline_wait(deadline), "%s",
                access(path, F_OK) == -1 ? "HUP was lost" : "USR1 or USR2 was lost");
    }
    room_close(&room);
    record_clear(&file);
    program_close(&program);
}
END_TEST

/* So is TERM: it stops the old program or the new one, which cleans up as well. */
START_TEST(stopped_beside_it)
{
    struct room room;
    struct program program;
    char path[PATH_TEXT_MAX];
    char pid[PATH_TEXT_MAX];
    test_path(path, "room");
    test_path(pid, "pid");
    program_open(&program);
    room_open(&room, ANY_PORT, "-l", path, "-p", pid);
    kill(room.server.pid, SIGUSR2);
    poll(NULL, 0, _i);
    kill(room.server.pid, SIGTERM);
    conn_seek(&room.ann, "note *");
    conn_seek_end(&room.ann);
    ck_assert_int_eq(server_exit(&room.server, 5000), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(access(pid, F_OK), -1);
    conn_close(&room.ann);
    conn_close(&room.ben);
    close(room.server.log);
    program_close(&program);
}
END_TEST

/* The word of the next program and the one of the operator come in the same instant. */
START_TEST(stopped_when_all_is_ready)
{
    struct room room;
    struct program program;
    struct family before;
    char real[PATH_TEXT_MAX];
    char gate[PATH_TEXT_MAX];
    char script[4 * PATH_TEXT_MAX];
    if (access("/bin/bash", X_OK) == -1) {
        test_skip("needs bash");
        return;
    }
    test_path(real, "real");
    test_path(gate, "gate");
    program_open(&program);
    file_install(real, program.builds[0].bytes, program.builds[0].len, 0755);
    room_open(&room, ANY_PORT);
    family_look(&before, room.server.pid);
    /* It answers as chatd does, but not before it may. */
    snprintf(script, sizeof script,
        "#!/bin/bash\nread line <%s\nexec -a 'chatd: handover' %s \"$@\"\n", gate, real);
    file_install(program.path, script, strlen(script), 0755);
    ck_assert_int_eq(mkfifo(gate, 0600), 0);
    kill(room.server.pid, SIGUSR2);
    int fd = open(gate, O_WRONLY | O_CLOEXEC);
    pid_t asked = family_new_process(&before, room.server.pid);
    process_stop(room.server.pid);
    ck_assert_int_eq(write(fd, "\n", 1), 1);
    close(fd);
    for (int64_t deadline = deadline_in(10000); process_state(asked) != 'Z';)
        ensure(deadline_wait(deadline), "no answer");
    kill(room.server.pid, SIGTERM);
    kill(room.server.pid, SIGCONT);
    ck_assert_int_eq(server_exit(&room.server, 5000), 0);
    conn_close(&room.ann);
    conn_close(&room.ben);
    close(room.server.log);
    program_close(&program);
}
END_TEST

/* ---- Deaths beside it ---- */

/* Workers that die while the program changes are missed and buried, each once. */
START_TEST(workers_die_beside_it)
{
    enum { VICTIMS = 10, TIMES = 10 };
    struct room room;
    struct program program;
    struct conn victims[VICTIMS];
    pid_t workers[VICTIMS];
    program_open(&program);
    room_open(&room, ANY_PORT, "-H", "0");
    for (unsigned turn = 0; turn < TIMES; turn++) {
        size_t done = server_times_said(&room.server, DONE);
        int64_t deadline = deadline_in(10000);
        for (int i = 0; i < VICTIMS; i++) {
            char name[16];
            snprintf(name, sizeof name, "vic%d", i);
            workers[i] = room_join(&room, &victims[i], name);
        }
        kill(room.server.pid, SIGUSR2);
        for (int i = 0; i < VICTIMS; i++) {
            poll(NULL, 0, (int)turn % 3);
            kill(workers[i], i % 2 == 0 ? SIGKILL : SIGTERM);
        }
        for (int i = 0; i < VICTIMS; i++)
            conn_seek(&room.ann, "quit vic*");
        while (server_times_said(&room.server, DONE) == done)
            ensure(deadline_wait(deadline), "no upgrade");
        for (int i = 0; i < VICTIMS; i++)
            conn_close(&victims[i]);
    }
    room_close(&room);
    program_close(&program);
}
END_TEST

/* The writer is stopped with lines in its pipe, or dies, while the program changes. */
START_TEST(a_writer_beside_it)
{
    struct room room;
    struct program program;
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    program_open(&program);
    room_open(&room, ANY_PORT, "-t", path);
    pid_t writer = family_find(room.server.pid, "chatd: transcript");
    record_await(&file, path, 1, "join ben");
    process_stop(writer);
    for (int i = 0; i < 100; i++)
        conn_say(&room.ann, "before %d", i);
    conn_seek(&room.ben, "msg ann before 99");
    upgrade(&room.server, &program, 1);
    for (int i = 0; i < 100; i++)
        conn_say(&room.ann, "after %d", i);
    conn_seek(&room.ben, "msg ann after 99");
    kill(writer, _i == 0 ? SIGCONT : SIGKILL);
    record_await(&file, path, 1, "msg ann after 99");
    ck_assert_uint_eq(file.count, 202);
    room_close(&room);
    record_clear(&file);
    program_close(&program);
}
END_TEST

/* ---- Waits that go on in the next program ---- */

/* A wrong secret, too many lines, and a session whose old connection stands still. */
START_TEST(waits_are_carried_over)
{
    struct room room;
    struct program program;
    struct conn guesser;
    struct conn fast;
    struct conn resumer;
    struct conn again;
    char token[64];
    char secret[PATH_TEXT_MAX];
    char login[256];
    test_path(secret, "secret");
    file_install(secret, "open sesame\n", 12, 0600);
    program_open(&program);
    server_start(&room.server, ANY_PORT, "-k", secret, "-r", "10", "-H", "0");
    const char *address = room.server.address;
    open_as(&room.ann, address, "/pass open sesame\nann\n", "you ann");
    struct family before;
    family_look(&before, room.server.pid);
    open_as(&resumer, address, "/pass open sesame\n/token\nresumer\n", "token *");
    span_copy(token, sizeof token, resumer.event.word);
    conn_seek(&resumer, "you resumer");
    process_stop(family_new_process(&before, room.server.pid));
    open_as(&fast, address, "/pass open sesame\nfast\n", "you fast");
    for (int i = 0; i < 110; i++)
        conn_say(&fast, "%d", i);
    snprintf(login, sizeof login, "/pass open sesame\n/resume %s\nresumer\n", token);
    open_as(&again, address, login, NULL);
    open_as(&guesser, address, "/pass open barley\nguesser\n", NULL);
    conn_seek(&room.ann, "msg fast 50");
    ck_assert_int_eq(unlink(secret), 0); /* what cannot be read again is known */
    upgrade(&room.server, &program, 3);
    conn_seek(&guesser, "error password *");
    conn_seek_end(&guesser);
    for (int i = 0; i < 110; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "msg fast %d", i);
        conn_seek(&fast, wanted);
    }
    conn_seek(&again, "resumed 0");
    conn_seek(&again, "you resumer");
    conn_seek_end(&resumer);
    struct conn late;
    open_as(&late, address, "/pass open sesame\nlate\n", "you late");
    server_stop(&room.server);
    struct conn *conns[] = {&room.ann, &guesser, &fast, &resumer, &again, &late};
    for (size_t i = 0; i < COUNT_OF(conns); i++)
        conn_close(conns[i]);
    program_close(&program);
}
END_TEST

/* ---- From wherever it was started ---- */

static void enter_directory(void)
{
    if (chdir(getenv("CHATD_TEST_DIR")) == -1)
        _exit(126);
}

/* The program that a process runs now, with " (deleted)" behind where another one stands there. */
static bool runs_what_is_installed(pid_t pid)
{
    char link[64];
    char program[512];
    snprintf(link, sizeof link, "/proc/%ld/exe", (long)pid);
    ssize_t n = readlink(link, program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    return n > 0 && strstr(program, " (deleted)") == NULL;
}

static pid_t read_pid(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd != -1 && read(fd, text, sizeof text - 1) > 0, "%s", path);
    close(fd);
    return (pid_t)atol(text);
}

/* Detached, started by a relative path with relative paths: all of them still lead there. */
START_TEST(detached_with_relative_paths)
{
    struct server server;
    struct program program;
    struct conn ann;
    char paths[4][PATH_TEXT_MAX]; /* chatd, room, transcript, pid */
    char relative[4][64];
    static const char *const names[] = {"chatd", "room", "transcript", "pid"};
    for (int i = 0; i < 4; i++) {
        test_path(paths[i], names[i]);
        snprintf(relative[i], sizeof relative[i], "./%.60s", strrchr(paths[i], '/') + 1);
    }
    program_open(&program);
    setenv("CHATD", relative[0], 1);
    /* -x: nobody else would end it if this test failed, for it leaves the test's group. */
    server_spawn(&server, enter_directory,
        (const char *const[]){
            "-d", "-x", "20", "-l", relative[1], "-t", relative[2], "-p", relative[3] + 2, NULL});
    ck_assert_int_eq(server_exit(&server, 10000), 0);
    pid_t pid = read_pid(paths[3]);
    open_as(&ann, paths[1], "ann\n", "you ann");
    if (!process_is_seen(pid)) {
        kill(pid, SIGTERM);
        conn_seek_end(&ann);
        return;
    }
    for (unsigned i = 1; i <= 3; i++) {
        int64_t deadline = deadline_in(10000);
        program_install(&program, i);
        ck_assert(!runs_what_is_installed(pid));
        kill(pid, SIGUSR2);
        while (!runs_what_is_installed(pid))
            ensure(deadline_wait(deadline), "no upgrade");
        conn_say(&ann, "hello %u", i);
        conn_seek(&ann, "msg ann hello *");
    }
    ck_assert_int_eq(read_pid(paths[3]), pid);
    kill(pid, SIGHUP);
    kill(pid, SIGTERM);
    conn_seek_end(&ann);
    struct family family = {.pids = {pid}, .count = 1};
    family_ends(&family, 5000);
    ck_assert_int_eq(access(paths[1], F_OK), -1);
    ck_assert_int_eq(access(paths[3], F_OK), -1);
    struct record file = {0};
    record_read(&file, paths[2]);
    ck_assert_uint_eq(file.count, 5);
    record_clear(&file);
    conn_close(&ann);
    close(server.log);
    program_close(&program);
}
END_TEST

/*
 * The transcript's writer becomes the new program too, when it has written what it was handed: also
 * one that stands still during the upgrade. Nothing is lost meanwhile.
 */
START_TEST(the_writer_is_renewed)
{
    bool behind = _i % 2 == 1;
    struct server server;
    struct program program;
    struct sender ann = {.name = "ann"};
    struct record file = {0};
    char path[PATH_TEXT_MAX];
    pid_t old;
    pid_t new;
    test_path(path, "transcript");
    program_open(&program);
    server_start(&server, ANY_PORT, "-t", path, _i / 2 == 1 ? "-s" : NULL);
    old = family_find(server.pid, "chatd: transcript");
    sender_join(&ann, &server);
    if (behind)
        process_stop(old);
    senders_talk(&ann, 1, 100, 100);
    upgrade(&server, &program, 1);
    senders_talk(&ann, 1, 100, 100);
    kill(old, SIGCONT);
    int64_t deadline = deadline_in(10000);
    while (process_state(old) != 0)
        ensure(deadline_wait(deadline), "the old writer stays");
    new = family_find(server.pid, "chatd: transcript");
    ck_assert_int_ne(old, new);
    senders_talk(&ann, 1, 100, 100);
    senders_rest(&ann, 1);
    ck_assert_uint_eq(server_times_said(&server, "writer has ended"), 0);
    server_stop(&server);
    record_read(&file, path);
    ck_assert_uint_eq(record_missing(&file), 0);
    record_keep_messages(&file);
    record_keep_messages(&ann.heard);
    record_equal(&file, &ann.heard);
    ck_assert_uint_gt(file.count, 0);
    sender_end(&ann);
    record_clear(&file);
    program_close(&program);
}
END_TEST

/* The process with that title has that filter, at the latest in a moment. */
static pid_t confined(const struct server *server, const char *title, long filter)
{
    pid_t pid = family_find(server->pid, title);
    int64_t deadline = deadline_in(10000);
    while (process_status(pid, "Seccomp") != filter)
        ensure(deadline_wait(deadline), "%s: another filter", title);
    return pid;
}

/* What the new program starts is confined like what the old one has started. */
START_TEST(the_sandbox_is_kept)
{
    struct server server;
    struct program program;
    struct conn ann;
    struct conn ben;
    char path[PATH_TEXT_MAX];
    test_path(path, "transcript");
    program_open(&program);
    server_start(&server, ANY_PORT, "-t", path);
    conn_join(&ann, &server, "ann");
    long filter = process_status(family_find(server.pid, "chatd: ann"), "Seccomp");
    pid_t writer = confined(&server, "chatd: transcript", filter);
    upgrade(&server, &program, 1);
    conn_join(&ben, &server, "ben");
    confined(&server, "chatd: ben", filter);
    int64_t deadline = deadline_in(10000);
    while (process_state(writer) != 0)
        ensure(deadline_wait(deadline), "the old writer stays");
    confined(&server, "chatd: transcript", filter);
    server_stop(&server);
    conn_close(&ann);
    conn_close(&ben);
    program_close(&program);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {everything_is_carried_over, 1, 60},
        {many_in_a_row, 1, 600},
        {not_a_successor, COUNT_OF(others), 30},
        {a_better_successor_in_time, 1, 60},
        {signals_beside_it, 1, 60},
        {stopped_beside_it, 10, 20},
        {stopped_when_all_is_ready, 1, 30},
        {workers_die_beside_it, 1, 60},
        {a_writer_beside_it, 2, 30},
        {the_writer_is_renewed, 4, 30},
        {the_sandbox_is_kept, 1, 30},
        {waits_are_carried_over, 1, 60},
        {detached_with_relative_paths, 1, 60},
    };
    return tests_run("upgrade", tests, COUNT_OF(tests));
}
