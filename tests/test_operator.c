/*
 * What the operator is promised by chatd(8): its files, its user, its secret, its names, its
 * modes, and what ps(1), kill(1) and the log tell the operator.
 */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* A server that a failed test has left exits when its room has been empty for this time. */
#define FORGOTTEN "-x", "60"

static void file_write(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    ck_assert_msg(fd != -1, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

/* NUL-terminated, cut at size; false where there is no such file. */
static bool file_read(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY);
    if (fd == -1)
        return false;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static bool proc_text(pid_t pid, const char *file, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
    return file_read(path, out, size);
}

/* Two users of the machine can be used by root only. */
static bool is_for_root(void)
{
    if (geteuid() != 0)
        test_skip("needs root");
    return geteuid() != 0;
}

static const struct passwd *nobody(void)
{
    const struct passwd *user = getpwnam("nobody");
    ck_assert_msg(user != NULL, "this machine has no nobody");
    return user;
}

/* ---- -p ---- */

START_TEST(the_pid_file_is_there_when_the_room_is)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    char text[64];
    char want[64];
    test_path(path, "pid");
    if (_i == 1)
        file_write(path, "99999999999999 and what an old one left\n", 0644);
    server_start(&server, ANY_PORT, "-p", path);
    ck_assert(file_read(path, text, sizeof text));
    snprintf(want, sizeof want, "%ld\n", (long)server.pid);
    ck_assert_str_eq(text, want);
    server_stop(&server);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* Another server has taken the file over meanwhile. */
START_TEST(a_pid_file_of_others_stays)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    char text[64];
    test_path(path, "pid");
    server_start(&server, ANY_PORT, "-p", path);
    file_write(path, "1\n", 0644);
    server_stop(&server);
    ck_assert(file_read(path, text, sizeof text));
    ck_assert_str_eq(text, "1\n");
}
END_TEST

/* A second server with the same file leaves everything of the first alone. */
START_TEST(a_pid_file_is_for_one)
{
    struct room room;
    struct server second;
    struct stat before;
    struct stat after;
    char pid[PATH_TEXT_MAX];
    char socket[PATH_TEXT_MAX];
    char other[PATH_TEXT_MAX];
    char text[64];
    char want[64];
    test_path(pid, "pid");
    test_path(socket, "room");
    test_path(other, "other");
    room_open(&room, ANY_PORT, "-l", socket, "-p", pid);
    if (_i == 1) { /* the lock goes with the process over an upgrade */
        kill(room.server.pid, SIGUSR2);
        server_says(&room.server, "this is chatd");
    }
    ck_assert_int_eq(lstat(socket, &before), 0);
    server_spawn(&second, NULL,
        (const char *const[]){"-l", other, "-l", socket, "-t", other, "-p", pid, FORGOTTEN, NULL});
    ck_assert_int_eq(server_exit(&second, 5000), EX_CANTCREAT);
    server_says(&second, "another server is running with it");
    close(second.log);
    ck_assert(file_read(pid, text, sizeof text));
    snprintf(want, sizeof want, "%ld\n", (long)room.server.pid);
    ck_assert_str_eq(text, want);
    ck_assert_int_eq(lstat(socket, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_int_eq(access(other, F_OK), -1);
    room_close(&room);
    ck_assert_int_eq(access(pid, F_OK), -1);
}
END_TEST

/* After kill -9 the next one has it at once. */
START_TEST(a_pid_file_of_the_dead)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "pid");
    server_start(&server, ANY_PORT, "-p", path);
    server_kill(&server);
    server_start(&server, ANY_PORT, "-p", path);
    server_stop(&server);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

enum obstacle { NO_DIRECTORY, DIRECTORY, LINK, FIFO, OBSTACLES };

START_TEST(a_pid_file_that_cannot_be)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    char other[PATH_TEXT_MAX];
    char text[64];
    test_path(path, _i == NO_DIRECTORY ? "no/pid" : "pid");
    test_path(other, "other");
    file_write(other, "precious\n", 0644);
    if (_i == DIRECTORY)
        ck_assert_int_eq(mkdir(path, 0755), 0);
    else if (_i == LINK)
        ck_assert_int_eq(symlink(other, path), 0);
    else if (_i == FIFO)
        ck_assert_int_eq(mkfifo(path, 0644), 0);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, FORGOTTEN, "-p", path, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), EX_CANTCREAT);
    server_says(&server, path);
    ck_assert(file_read(other, text, sizeof text));
    ck_assert_str_eq(text, "precious\n");
    ck_assert_int_eq(access(path, F_OK), _i == NO_DIRECTORY ? -1 : 0);
    close(server.log);
}
END_TEST

/* ---- -x: test_processes.c has the room that somebody was in ---- */

START_TEST(a_room_that_nobody_enters_ends)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    int64_t start = clock_ms();
    server_start(&server, ANY_PORT, "-l", path, "-x", "0.5");
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    ck_assert_int_ge(clock_ms() - start, 500);
    server_says(&server, "stopping: nobody is here");
    ck_assert_int_eq(access(path, F_OK), -1);
    close(server.log);
}
END_TEST

/* ---- -d ---- */

static void enter_test_directory(void)
{
    if (chdir(getenv("CHATD_TEST_DIR")) == -1)
        _exit(126);
}

/* A path of the running test's own in that directory, as somebody who is there says it. */
static void path_relative(char out[PATH_TEXT_MAX], const char *name)
{
    snprintf(out, PATH_TEXT_MAX, "./%ld.%s", (long)getpid(), name);
}

/* Nothing of the caller is held: directory, session, descriptors. */
static void expect_detached(pid_t pid)
{
    char path[64];
    char target[PATH_TEXT_MAX];
    ck_assert_int_eq(getsid(pid), pid);
    for (int fd = -1; fd <= STDERR_FILENO; fd++) {
        if (fd == -1)
            snprintf(path, sizeof path, "/proc/%ld/cwd", (long)pid);
        else
            snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)pid, fd);
        /* While a worker is started, its descriptors are the parent's for a moment. */
        int64_t deadline = deadline_in(1000);
        do {
            ssize_t n = readlink(path, target, sizeof target - 1);
            ck_assert_msg(n != -1, "%s: %s", path, strerror(errno));
            target[n] = '\0';
        } while (strncmp(target, "socket:", 7) == 0 && deadline_wait(deadline));
        ck_assert_str_eq(target, fd == -1 ? "/" : "/dev/null");
    }
}

/* Through the socket, which only the secret opens, and into the transcript. */
static void expect_files_used(const char *socket, const char *transcript)
{
    struct conn conn;
    char text[4096];
    ck_assert_msg(conn_try(&conn, socket), "%s: %s", socket, strerror(errno));
    conn_say(&conn, "/pass sesame\nann\nhello");
    conn_seek(&conn, "msg ann hello");
    int64_t deadline = deadline_in(5000);
    while (!file_read(transcript, text, sizeof text) || strstr(text, " msg ann hello\n") == NULL)
        ck_assert_msg(deadline_wait(deadline), "%s lacks the message", transcript);
    conn_close(&conn);
}

/* When the command returns one can connect; paths are the caller's; the pid file says whom to end.
 */
START_TEST(detached)
{
    static const char *const names[] = {"room", "transcript", "pid", "secret"};
    struct server server;
    struct family family;
    struct conn conn;
    char relative[4][PATH_TEXT_MAX];
    char absolute[4][PATH_TEXT_MAX];
    char text[64];
    program_for_all();
    for (int i = 0; i < 4; i++) {
        path_relative(relative[i], names[i]);
        test_path(absolute[i], names[i]);
    }
    file_write(absolute[3], "sesame\n", 0600);
    server_spawn(&server, enter_test_directory,
        (const char *const[]){"-d", FORGOTTEN, ANY_PORT, "-l", relative[0], "-t", relative[1], "-p",
            relative[2], "-k", relative[3], NULL});
    ck_assert_int_eq(server_exit(&server, 10000), 0);
    ck_assert_msg(conn_try(&conn, absolute[0]), "not ready: %s", strerror(errno));
    conn_close(&conn);
    ck_assert(file_read(absolute[2], text, sizeof text));
    pid_t pid = (pid_t)atol(text);
    ck_assert_int_gt(pid, 1);
    if (process_is_seen(pid))
        expect_detached(pid);
    expect_files_used(absolute[0], absolute[1]);
    family_look(&family, pid);
    ck_assert_uint_lt(family.count, COUNT_OF(family.pids));
    family.pids[family.count++] = pid;
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    family_ends(&family, 5000);
    ck_assert_int_eq(access(absolute[0], F_OK), -1);
    ck_assert_int_eq(access(absolute[2], F_OK), -1);
    close(server.log);
}
END_TEST

static const struct {
    const char *options[3];
    int status;
    const char *says;
} false_starts[] = {
    {{"-l", "192.0.2.1:1"}, EX_UNAVAILABLE, "192.0.2.1:1"},
    {{"-t", "/no/such/transcript"}, EX_CANTCREAT, "/no/such/transcript"},
    {{"-p", "/no/such/pid"}, EX_CANTCREAT, "/no/such/pid"},
    {{"-u", "no such user"}, EX_NOPERM, "no such user"},
};

/* What the room would have exited with is what the command does; why is said on its stderr. */
START_TEST(detached_in_vain)
{
    struct server server;
    server_spawn(&server, NULL,
        (const char *const[]){"-d", FORGOTTEN, ANY_PORT, false_starts[_i].options[0],
            false_starts[_i].options[1], NULL});
    ck_assert_int_eq(server_exit(&server, 5000), false_starts[_i].status);
    server_says(&server, false_starts[_i].says);
    close(server.log);
}
END_TEST

/* ---- -u ---- */

/* The real, effective, saved and file system's ID are one, and so are the groups. */
static void expect_user(pid_t pid, const struct passwd *user)
{
    char status[4096];
    char want[128];
    long uid = (long)user->pw_uid;
    long gid = (long)user->pw_gid;
    ck_assert(proc_text(pid, "status", status, sizeof status));
    snprintf(want, sizeof want, "\nUid:\t%ld\t%ld\t%ld\t%ld\n", uid, uid, uid, uid);
    ck_assert_msg(strstr(status, want) != NULL, "pid %ld:%s", (long)pid, status);
    snprintf(want, sizeof want, "\nGid:\t%ld\t%ld\t%ld\t%ld\n", gid, gid, gid, gid);
    ck_assert_msg(strstr(status, want) != NULL, "pid %ld:%s", (long)pid, status);
    const char *groups = strstr(status, "\nGroups:\t");
    ck_assert(groups != NULL);
    char *end;
    for (groups += strlen("\nGroups:\t"); *groups != '\n'; groups = end + strspn(end, " "))
        ck_assert_msg(strtol(groups, &end, 10) == gid && end > groups, "groups %s", groups);
    ck_assert_msg(strstr(status, "\nCapEff:\t0000000000000000\n") != NULL, "%s", status);
}

/* Hub, workers and the transcript's writer. */
START_TEST(root_is_given_up)
{
    struct room room;
    struct family family;
    struct stat st;
    char dir[PATH_TEXT_MAX];
    char path[PATH_TEXT_MAX + 16];
    if (is_for_root())
        return;
    program_for_all();
    test_path(dir, "dir");
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    ck_assert_int_eq(chown(dir, nobody()->pw_uid, nobody()->pw_gid), 0);
    snprintf(path, sizeof path, "%s/transcript", dir);
    room_open(&room, ANY_PORT, "-u", "nobody", "-t", path);
    family_look(&family, room.server.pid);
    ck_assert_uint_eq(family.count, 3);
    expect_user(room.server.pid, nobody());
    for (size_t i = 0; i < family.count; i++)
        expect_user(family.pids[i], nobody());
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_uid, nobody()->pw_uid);
    room_close(&room);
}
END_TEST

/* The secret and what is said are in its memory: no core, no tracer, also after an upgrade. */
START_TEST(the_memory_is_its_own)
{
    struct server server;
    struct family family;
    struct stat st;
    char text[4096];
    char path[64];
    char socket[PATH_TEXT_MAX];
    if (is_for_root())
        return;
    program_for_all();
    test_path(socket, "room");
    ck_assert_int_eq(chmod(getenv("CHATD_TEST_DIR"), 0777), 0);
    unsetenv("CHATD_OPTIONS");
    server_start_as(&server, become_nobody,
        (const char *const[]){"-l", socket, FORGOTTEN, _i == 2 ? "-S" : NULL, "off", NULL});
    if (_i == 1) {
        kill(server.pid, SIGUSR2);
        server_says(&server, "this is chatd");
    }
    /* The files of a process that is hidden are root's. */
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)server.pid);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_uid, _i == 2 ? nobody()->pw_uid : 0);
    ck_assert(proc_text(server.pid, "limits", text, sizeof text));
    if (_i != 2)
        ck_assert_ptr_nonnull(strstr(text, "\nMax core file size        0                    0 "));
    struct conn conn;
    conn_open_to(&conn, socket);
    conn_say(&conn, "ann");
    conn_seek(&conn, "you ann");
    family_look(&family, server.pid);
    ck_assert_uint_eq(family.count, 1);
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

START_TEST(an_unknown_user)
{
    struct server server;
    server_spawn(
        &server, NULL, (const char *const[]){ANY_PORT, FORGOTTEN, "-u", "no such user", NULL});
    ck_assert_int_eq(server_exit(&server, 5000), EX_NOPERM);
    server_says(&server, "-u no such user: ");
    close(server.log);
}
END_TEST

/* A user other than root cannot become another user. */
START_TEST(only_root_can_become_another)
{
    struct server server;
    program_for_all();
    server_spawn(
        &server, become_nobody, (const char *const[]){ANY_PORT, FORGOTTEN, "-u", "root", NULL});
    ck_assert_int_eq(server_exit(&server, 5000), EX_NOPERM);
    server_says(&server, "-u root: ");
    close(server.log);
}
END_TEST

/* ---- What the system allows ---- */

static void hundred_descriptors(void)
{
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 100}) == -1)
        _exit(126);
}

/* Its user may have so many processes, which binds everybody but root. */
static void some_processes(void)
{
    struct rlimit limit = {3000, 3000};
    if (setrlimit(RLIMIT_NPROC, &limit) == -1)
        _exit(126);
    become_nobody();
}

/* A client costs two descriptors and a process: told what bounds them, and how far. */
START_TEST(what_bounds_the_clients)
{
    static const struct {
        void (*limit)(void);
        const char *words;
    } table[] = {{hundred_descriptors, "-m 1000000: RLIMIT_NOFILE allows no more than 30 clients"},
        {some_processes, "-m 1000000: RLIMIT_NPROC allows no more than 2984 clients"}};
    struct server server;
    if (_i == 1 && is_for_root())
        return;
    program_for_all();
    server_start_as(
        &server, table[_i].limit, (const char *const[]){ANY_PORT, "-m", "1000000", NULL});
    server_says(&server, table[_i].words);
    kill(server.pid, SIGUSR1);
    server_says(&server, _i == 0 ? "for at most 30 clients (RLIMIT_NOFILE)"
                                 : "for at most 2984 clients (RLIMIT_NPROC)");
    server_stop(&server);
}
END_TEST

/* ---- -k ---- */

static void enter_with(struct conn *conn, const struct server *server, const char *secret)
{
    conn_open(conn, server);
    conn_say(conn, "/pass %s\ncia", secret);
}

static bool is_let_in(const struct server *server, const char *secret)
{
    struct conn conn;
    enter_with(&conn, server, secret);
    while (conn_read(&conn) != NULL && conn.event.verb != VERB_YOU && conn.event.verb != VERB_ERROR)
        continue;
    bool in = !conn.over && conn.event.verb == VERB_YOU;
    conn_close(&conn);
    return in;
}

/* After a second, and then the connection is gone. */
static void expect_refused(const struct server *server, const char *secret)
{
    struct conn conn;
    int64_t start = clock_ms();
    enter_with(&conn, server, secret);
    conn_expect(&conn, "error password *");
    ck_assert_int_ge(clock_ms() - start, 1000);
    conn_seek_end(&conn);
    conn_close(&conn);
}

START_TEST(the_secret)
{
    struct server server;
    struct conn conn;
    char path[PATH_TEXT_MAX];
    test_path(path, "secret");
    file_write(path, "open sesame\r\nnot this\n", 0600);
    server_start(&server, ANY_PORT, "-k", path);
    ck_assert(is_let_in(&server, "open sesame"));
    expect_refused(&server, "open sesam");
    server_says(&server, ": wrong secret (pid ");
    conn_open(&conn, &server);
    conn_say(&conn, "cia");
    conn_expect(&conn, "error password *");
    conn_seek_end(&conn);
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

/* Members stay; the old secret is not accepted any more. */
START_TEST(the_secret_changes)
{
    struct server server;
    struct conn ann;
    char path[PATH_TEXT_MAX];
    test_path(path, "secret");
    file_write(path, "old\n", 0600);
    server_start(&server, ANY_PORT, "-k", path, "-H", "0");
    conn_open(&ann, &server);
    conn_say(&ann, "/pass old\nann");
    conn_seek(&ann, "you ann");
    file_write(path, "new\n", 0600);
    kill(server.pid, SIGHUP);
    int64_t deadline = deadline_in(10000);
    while (!is_let_in(&server, "new"))
        ck_assert_msg(deadline_wait(deadline), "the new secret is not read");
    expect_refused(&server, "old");
    conn_say(&ann, "still here");
    conn_seek(&ann, "msg ann still here");

    /* What cannot be used changes nothing. */
    file_write(path, "newer\n", 0644);
    kill(server.pid, SIGHUP);
    server_says(&server, "must not be open to others; the old secret stays");
    file_write(path, "newer\xff\n", 0600);
    kill(server.pid, SIGHUP);
    server_says(&server, "not printable UTF-8 text; the old secret stays");
    expect_refused(&server, "newer");
    ck_assert(is_let_in(&server, "new"));
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* What chatd does not start with, and what it says then. */
static const struct {
    const char *bytes; /* NULL: there is no such file */
    const char *words;
} no_secrets[] = {
    {NULL, "No such file"},
    {"", "no secret in its first line"},
    {"\n", "no secret in its first line"},
    {"\r\nsecond line\n", "no secret in its first line"},
    {"caf\xe9\n", "not printable UTF-8 text"},
    {"\xff\xfe\n", "not printable UTF-8 text"},
    {"\xef\xbb\xbfsesame\n", "not printable UTF-8 text"},
    {"ses\xc2\xad"
     "ame\n",
        "not printable UTF-8 text"},
    {"ses\xef\xbf\xbd"
     "ame\n",
        "not printable UTF-8 text"},
    {"ses\rame\n", "not printable UTF-8 text"},
    {"\033[1m\n", "not printable UTF-8 text"},
};

/* Never a server that cannot be entered, or one that takes a wrong secret for the right one. */
START_TEST(no_secret_no_server)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "secret");
    if (no_secrets[_i].bytes != NULL)
        file_write(path, no_secrets[_i].bytes, 0600);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, FORGOTTEN, "-k", path, NULL});
    ck_assert_int_eq(server_exit(&server, 10000), EX_CONFIG);
    server_says(&server, path);
    server_says(&server, no_secrets[_i].words);
    close(server.log);
}
END_TEST

/* One byte more than fits behind "/pass " in a line is refused, one less is a secret. */
START_TEST(the_longest_secret)
{
    static char text[LINE_IN_MAX];
    struct server server;
    struct conn conn;
    char path[PATH_TEXT_MAX];
    test_path(path, "secret");
    memset(text, 'x', LINE_IN_MAX - 5);
    file_write(path, text, 0600);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, FORGOTTEN, "-k", path, NULL});
    ck_assert_int_eq(server_exit(&server, 10000), EX_CONFIG);
    server_says(&server, "too long");
    close(server.log);
    text[LINE_IN_MAX - 6] = '\0';
    file_write(path, text, 0600);
    server_start(&server, ANY_PORT, "-k", path);
    conn_open(&conn, &server);
    conn_say(&conn, "/pass %s\ncia", text);
    conn_seek(&conn, "you cia");
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

/* A descriptor is what a shell makes of <(command). */
static char fifo_path[PATH_TEXT_MAX];

static void fifo_inherit(void)
{
    int fd = open(fifo_path, O_RDONLY);
    dup2(fd, 63);
    close(fd);
}

/* A command may take its time, and what it has said cannot be read again. */
START_TEST(a_secret_from_a_descriptor)
{
    struct server server;
    test_path(fifo_path, "secret");
    ck_assert_int_eq(mkfifo(fifo_path, 0600), 0);
    int fd = open(fifo_path, O_RDWR);
    ck_assert_int_ne(fd, -1);
    server_spawn(&server, fifo_inherit,
        (const char *const[]){ANY_PORT, FORGOTTEN, "-k", "/dev/fd/63", NULL});
    int64_t deadline = deadline_in(10000);
    while (process_state(server.pid) != 'S')
        ck_assert_msg(deadline_wait(deadline), "it does not wait");
    ck_assert_int_eq(write(fd, "sesame\n", 7), 7);
    server_listens(&server, 0, server.address);
    ck_assert(is_let_in(&server, "sesame"));
    kill(server.pid, SIGHUP);
    kill(server.pid, SIGUSR1);
    server_says(&server, "status: memory");
    ck_assert(is_let_in(&server, "sesame"));
    ck_assert_uint_eq(server_times_said(&server, "old secret"), 0);
    server_stop(&server);
    close(fd);
}
END_TEST

static const mode_t exposed[] = {0604, 0640, 0602, 0601, 0666};

START_TEST(an_exposed_secret)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "secret");
    file_write(path, "sesame\n", exposed[_i]);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, FORGOTTEN, "-k", path, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), EX_NOPERM);
    server_says(&server, path);
    close(server.log);
}
END_TEST

/* ---- -g ---- */

/* It is what the file says, also after SIGHUP; what cannot be used changes nothing. */
START_TEST(the_greeting)
{
    struct server server;
    struct conn conn;
    char path[PATH_TEXT_MAX];
    test_path(path, "greeting");
    file_write(path, "hel\033lo\r\n you\xad", 0644);
    server_start(&server, ANY_PORT, "-g", path);
    for (int i = 0; i < 3; i++) {
        conn_open(&conn, &server);
        conn_say(&conn, "ann");
        conn_seek(&conn, "users 1");
        conn_expect(&conn, i == 2 ? "note welcome" : "note hel\xef\xbf\xbdlo");
        if (i < 2)
            conn_expect(&conn, "note  you\xef\xbf\xbd");
        conn_expect(&conn, "you ann*");
        conn_say(&conn, "/quit");
        conn_seek_end(&conn);
        conn_close(&conn);
        if (i == 0)
            ck_assert_int_eq(unlink(path), 0);
        else
            file_write(path, "welcome\n", 0644);
        kill(server.pid, SIGHUP);
        kill(server.pid, SIGUSR1);
        for (int64_t deadline = deadline_in(10000);
             server_times_said(&server, "status: memory") < (size_t)i + 1;)
            ck_assert(deadline_wait(deadline));
    }
    server_says(&server, "; the old greeting stays");
    server_stop(&server);
}
END_TEST

/* A file that is missing, or more than every client shall be sent. */
START_TEST(no_greeting_no_server)
{
    static char text[8194];
    struct server server;
    char path[PATH_TEXT_MAX];
    test_path(path, "greeting");
    memset(text, _i == 1 ? 'x' : '\n', _i == 1 ? 8193 : 101);
    if (_i > 0)
        file_write(path, text, 0644);
    server_spawn(&server, NULL, (const char *const[]){ANY_PORT, FORGOTTEN, "-g", path, NULL});
    ck_assert_int_eq(server_exit(&server, 10000), EX_CONFIG);
    server_says(&server, path);
    server_says(&server, _i == 0 ? "No such file" : _i == 1 ? "8192 bytes" : "100 lines");
    close(server.log);
}
END_TEST

/* ---- -a and the modes of sockets ---- */

/* Connects as the user nobody, which is what the kernel reports then; false if that is forbidden.
 */
static bool try_as_nobody(struct conn *conn, const char *path)
{
    gid_t gid = getegid();
    ck_assert_int_eq(setegid(nobody()->pw_gid), 0);
    ck_assert_int_eq(seteuid(nobody()->pw_uid), 0);
    bool done = conn_try(conn, path);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(gid), 0);
    return done;
}

static void expect_name(struct conn *conn, const char *asked, const char *name)
{
    char want[NAME_LEN_MAX + 8];
    snprintf(want, sizeof want, "you %s", name);
    conn_say(conn, "%s", asked);
    conn_seek(conn, want);
}

/* The name comes from the kernel, for any name that the client asks for. */
START_TEST(names_are_login_names)
{
    struct server server;
    struct conn root[2];
    struct conn other;
    struct conn far[3];
    char path[PATH_TEXT_MAX];
    if (is_for_root())
        return;
    test_path(path, "room");
    ck_assert_int_eq(chmod(getenv("CHATD_TEST_DIR"), 0755), 0);
    server_start(&server, ANY_PORT, "-l", path, "-a", "-M", "0666", "-H", "0");

    /* Nobody is called root yet, and from afar nobody will be. */
    conn_open(&far[0], &server);
    expect_name(&far[0], "root", "~root");
    conn_open(&far[1], &server);
    expect_name(&far[1], "NoBody", "~NoBody");
    conn_open(&far[2], &server);
    expect_name(&far[2], "zoe", "zoe");

    conn_open_to(&root[0], path);
    expect_name(&root[0], "zed", "root");
    conn_open_to(&root[1], path);
    expect_name(&root[1], "nobody", "root_2");
    ck_assert_msg(try_as_nobody(&other, path), "%s lets nobody in", path);
    expect_name(&other, "root", "nobody");

    conn_say(&other, "/nick zed");
    conn_seek(&other, "error not-allowed *");
    conn_say(&far[2], "/nick root");
    conn_seek(&far[2], "nick zoe ~root_2");
    for (int i = 0; i < 2; i++)
        conn_close(&root[i]);
    conn_close(&other);
    for (int i = 0; i < 3; i++)
        conn_close(&far[i]);
    server_stop(&server);
}
END_TEST

/* A second session of the same user. */
START_TEST(a_second_session)
{
    struct server server;
    struct conn both[2];
    char path[PATH_TEXT_MAX];
    test_path(path, "room");
    const struct passwd *user = getpwuid(geteuid());
    if (user == NULL) {
        test_skip("this user has no account");
        return;
    }
    server_start(&server, "-l", path, "-a", "-H", "0");
    for (int i = 0; i < 2; i++) {
        char name[NAME_LEN_MAX + 1];
        snprintf(name, sizeof name, "%s%s", user->pw_name, i == 0 ? "" : "_2");
        conn_open_to(&both[i], path);
        expect_name(&both[i], "zed", name);
    }
    for (int i = 0; i < 2; i++)
        conn_close(&both[i]);
    server_stop(&server);
}
END_TEST

/* The modes of the socket and of its directory decide who can connect. */
static const struct {
    const char *mode;
    mode_t directory;
    bool open;
} doors[] = {{"0666", 0755, true}, {"0600", 0755, false}, {"0666", 0700, false}};

START_TEST(two_users)
{
    struct server server;
    struct conn conn;
    char dir[PATH_TEXT_MAX];
    char path[PATH_TEXT_MAX + 16];
    if (is_for_root())
        return;
    ck_assert_int_eq(chmod(getenv("CHATD_TEST_DIR"), 0755), 0);
    test_path(dir, "dir");
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    ck_assert_int_eq(chmod(dir, doors[_i].directory), 0);
    snprintf(path, sizeof path, "%s/room", dir);
    server_start(&server, "-l", path, "-M", doors[_i].mode, "-H", "0");
    bool open = try_as_nobody(&conn, path);
    ck_assert_int_eq(open, doors[_i].open);
    if (open) {
        expect_name(&conn, "cia", "cia");
        conn_close(&conn);
        server_says(&server, "cia left");
    }
    conn_open_to(&conn, path);
    expect_name(&conn, "dan", "dan"); /* cia may still be leaving */
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

static void mask_all(void)
{
    umask(077);
}

static void mask_nothing(void)
{
    umask(0);
}

static const struct {
    const char *option; /* NULL: none is given */
    mode_t mode;
} modes[] = {{NULL, 0660}, {"0600", 0600}, {"0666", 0666}, {"777", 0777}, {"0", 0}};

/* The mode is the one of -M, with any mask of the caller. */
START_TEST(the_mode_of_sockets)
{
    struct server server;
    struct stat st;
    char path[PATH_TEXT_MAX];
    const char *option = modes[_i / 2].option;
    test_path(path, "room");
    server_start_as(&server, _i % 2 == 0 ? mask_all : mask_nothing,
        (const char *const[]){"-l", path, option != NULL ? "-M" : NULL, option, NULL});
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 0777, modes[_i / 2].mode);
    server_stop(&server);
}
END_TEST

/* ---- ps, kill, the log ---- */

static unsigned port_of(const struct conn *conn)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    ck_assert_int_eq(getsockname(conn->fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

static void expect_title(pid_t pid, const char *want)
{
    char title[512] = "";
    int64_t deadline = deadline_in(5000);
    while (!proc_text(pid, "cmdline", title, sizeof title) || strcmp(title, want) != 0)
        ck_assert_msg(deadline_wait(deadline), "\"%s\" instead of \"%s\"", title, want);
}

START_TEST(titles)
{
    struct room room;
    struct conn cia;
    char want[ADDRESS_TEXT_MAX + 64];
    room_open(&room, ANY_PORT, "-H", "0");
    snprintf(want, sizeof want, "chatd: 2 members, %s", room.server.address);
    expect_title(room.server.pid, want);
    pid_t pid = room_join(&room, &cia, "cia");
    snprintf(want, sizeof want, "chatd: 3 members, %s", room.server.address);
    expect_title(room.server.pid, want);
    snprintf(want, sizeof want, "chatd: cia 127.0.0.1:%u", port_of(&cia));
    expect_title(pid, want);
    conn_say(&cia, "/nick zoe");
    snprintf(want, sizeof want, "chatd: zoe 127.0.0.1:%u", port_of(&cia));
    expect_title(pid, want);
    conn_close(&cia);
    room_close(&room);
}
END_TEST

/* The process that ps shows as hers is killed: she is told, and so is everybody. */
START_TEST(kill_is_a_kick)
{
    struct room room;
    struct conn cia;
    room_open(&room, ANY_PORT, "-H", "0");
    conn_join(&cia, &room.server, "cia");
    kill(family_find(room.server.pid, "chatd: cia "), SIGTERM);
    conn_seek(&cia, "note *");
    conn_seek_end(&cia);
    conn_seek(&room.ann, "quit cia kicked");
    conn_seek(&room.ben, "quit cia kicked");
    conn_close(&cia);
    room_close(&room);
}
END_TEST

START_TEST(a_report)
{
    struct room room;
    char want[ADDRESS_TEXT_MAX + 64];
    room_open(&room, ANY_PORT, "-H", "0", "-m", "10");
    conn_say(&room.ann, "one\n/me two\n/users\n/nonsense");
    conn_seek(&room.ann, "error unknown-command *");
    pid_t worker = family_find(room.server.pid, "chatd: ann ");
    kill(room.server.pid, SIGUSR1);
    server_says(&room.server, "status: chatd " CHAT_VERSION ", pid ");
    snprintf(want, sizeof want, ", on %s, for at most 10 clients (-m)\n", room.server.address);
    server_says(&room.server, want);
    server_says(&room.server, "status: 2 members, 2 connections, 2 logins, 0 faults\n");
    server_says(&room.server, "status: lines: 4 received: 2 echoed, 1 answered, 1 refused, ");
    server_says(&room.server, "status: log: ");
    server_says(&room.server, "status: memory: ");
    snprintf(want, sizeof want, "status: 127.0.0.1:%u ann: joined, pid %ld, ", port_of(&room.ann),
        (long)worker);
    server_says(&room.server, want);
    snprintf(want, sizeof want, "status: 127.0.0.1:%u ben: joined, ", port_of(&room.ben));
    server_says(&room.server, want);
    room_close(&room);
}
END_TEST

static void stderr_is_the_journal(void)
{
    struct stat st;
    char text[64];
    if (fstat(STDERR_FILENO, &st) == -1)
        _exit(126);
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)st.st_dev,
        (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
}

static void stderr_was_the_journal(void)
{
    setenv("JOURNAL_STREAM", "1:1", 1);
}

/* Levels are for the journal; anybody else would wonder. */
START_TEST(levels_for_the_journal)
{
    struct server server;
    char log[8192];
    server_start_as(&server, _i == 0 ? stderr_is_the_journal : stderr_was_the_journal,
        (const char *const[]){ANY_PORT, NULL});
    kill(server.pid, SIGTERM);
    ck_assert_int_eq(server_exit(&server, 5000), 0);
    server_log(&server, log, sizeof log);
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_msg(pattern_match(_i == 0 ? "<*>chatd: *" : "chatd: *", line), "%s", line);
    server_says(&server, _i == 0 ? "<5>chatd: stopping\n" : "chatd: stopping\n");
    close(server.log);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {the_pid_file_is_there_when_the_room_is, 2, 20},
        {a_pid_file_of_others_stays, 1, 20},
        {a_pid_file_is_for_one, 2, 30},
        {a_pid_file_of_the_dead, 1, 20},
        {a_pid_file_that_cannot_be, OBSTACLES, 20},
        {a_room_that_nobody_enters_ends, 1, 20},
        {detached, 1, 30},
        {detached_in_vain, COUNT_OF(false_starts), 20},
        {the_memory_is_its_own, 3, 30},
        {an_unknown_user, 1, 20},
        {only_root_can_become_another, 1, 20},
        {what_bounds_the_clients, 2, 20},
        {the_secret, 1, 20},
        {the_secret_changes, 1, 40},
        {no_secret_no_server, COUNT_OF(no_secrets), 20},
        {the_longest_secret, 1, 20},
        {a_secret_from_a_descriptor, 1, 30},
        {an_exposed_secret, COUNT_OF(exposed), 20},
        {the_greeting, 1, 20},
        {no_greeting_no_server, 3, 20},
        {a_second_session, 1, 20},
        {the_mode_of_sockets, 2 * COUNT_OF(modes), 20},
        {titles, 1, 20},
        {kill_is_a_kick, 1, 20},
        {a_report, 1, 20},
        {levels_for_the_journal, 2, 20},
        {root_is_given_up, 1, 20},
        {names_are_login_names, 1, 20},
        {two_users, COUNT_OF(doors), 20},
    };
    return tests_run("operator", tests, COUNT_OF(tests));
}
