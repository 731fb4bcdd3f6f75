/*
 * What a worker is born with, and that its parent notices nothing. The workers are this program
 * again. test_spawn_posix.c runs the same over the portable implementation.
 */
#include "compat/compat.h"
#include "server/hub/config.h"
#include "server/parent/children.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* How far descriptors are looked at. */
enum { FDS_MAX = 12000 };

/* ---- The worker ---- */

static int count_ignored(void)
{
    struct sigaction action;
    int count = 0;

    for (int sig = 1; sig < 32; sig++)
        if (sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            count++;
    return count;
}

static int count_blocked(void)
{
    sigset_t blocked;
    int count = 0;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int sig = 1; sig < 32; sig++)
        if (sigismember(&blocked, sig) == 1)
            count++;
    return count;
}

/* Says on 1 what it finds itself with, and what it was told on 0. */
static int worker_report(int argc)
{
    char heard[64];
    struct stat st;
    bool null = fstat(2, &st) == 0 && S_ISCHR(st.st_mode) && isatty(2) == 0;

    for (int fd = 0; fd < FDS_MAX; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            dprintf(1, "%d ", fd);
    ssize_t n = read(0, heard, sizeof heard - 1);
    heard[n < 0 ? 0 : n] = '\0';
    dprintf(1, "%s, %d arguments, environment %d, ignored %d, blocked %d, heard %s",
        null ? "null" : "?", argc, environ[0] != NULL, count_ignored(), count_blocked(), heard);
    return 0;
}

/* ---- The parent ---- */

static char own_name[] = "test_spawn", worker_word[] = "worker", nothing_word[] = "nothing";
static char *const worker_argv[] = {own_name, worker_word, NULL};
static char *const nothing_argv[] = {own_name, nothing_word, NULL};

/* Descriptors that the test program was started with may not be close-on-exec. */
static void descriptors_guard(void)
{
    for (int fd = 3; fd < 1024; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* What must be the same before and after: descriptors, and what 0 and 1 are; the signal mask. */
struct state {
    int open;
    struct stat standard[3];
    sigset_t blocked;
};

static void state_get(struct state *state)
{
    state->open = 0;
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            state->open++;
    for (int fd = 0; fd < 3; fd++)
        ck_assert_int_eq(fstat(fd, &state->standard[fd]), 0);
    sigprocmask(SIG_BLOCK, NULL, &state->blocked);
}

static void state_compare(const struct state *before)
{
    struct state now;

    state_get(&now);
    ck_assert_int_eq(now.open, before->open);
    for (int fd = 0; fd < 3; fd++) {
        ck_assert_int_eq((long)now.standard[fd].st_ino, (long)before->standard[fd].st_ino);
        ck_assert_int_eq((long)now.standard[fd].st_dev, (long)before->standard[fd].st_dev);
    }
    for (int sig = 1; sig < 32; sig++)
        ck_assert_int_eq(sigismember(&now.blocked, sig), sigismember(&before->blocked, sig));
}

static int child_status(pid_t pid)
{
    int status = -1;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* Starts this program as a worker, says hello to it, and compares its report. */
static void worker_check(void)
{
    char path[PATH_TEXT_MAX], report[512];
    int up[2], down[2];

    ck_assert_int_eq(socketpair_cloexec_nonblock(down), 0);
    ck_assert_int_eq(socketpair_cloexec_nonblock(up), 0);
    ck_assert_int_eq(write(down[0], "hello", 5), 5);
    pid_t pid = spawn_worker(self_exe(path, sizeof path, "/no/such"), worker_argv, down[1], up[1]);
    ck_assert_int_gt(pid, 0);
    close(down[1]);
    close(up[1]);
    ck_assert_int_eq(child_status(pid), 0);
    ssize_t n = read(up[0], report, sizeof report - 1);
    ck_assert_int_gt(n, 0);
    report[n] = '\0';
    ck_assert_str_eq(
        report, "0 1 2 null, 2 arguments, environment 0, ignored 0, blocked 5, heard hello");
    ck_assert_int_eq(read(up[0], report, 1), 0);
    close(down[0]);
    close(up[0]);
}

static void handle_nothing(int sig)
{
    (void)sig;
}

START_TEST(a_worker_has_two_descriptors_and_nothing_else)
{
    struct state state;
    struct sigaction action = {.sa_handler = handle_nothing};
    sigset_t some;

    descriptors_guard();
    setenv("CHAT_PASS", "secret", 1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&some);
    sigaddset(&some, SIGCHLD);
    sigaddset(&some, SIGUSR2);
    sigprocmask(SIG_BLOCK, &some, NULL);
    state_get(&state);
    for (int i = 0; i < 3; i++)
        worker_check();
    state_compare(&state);
    ck_assert_ptr_eq(signal(SIGPIPE, SIG_IGN), SIG_IGN);
    ck_assert_int_eq(sigaction(SIGTERM, NULL, &action), 0);
    ck_assert_ptr_eq(action.sa_handler, handle_nothing);
}
END_TEST

/* A kernel without close_range(2), or a container that refuses it, gets the portable way. */
START_TEST(a_call_is_refused)
{
    static const unsigned errors[] = {ENOSYS, EPERM};
    struct state state;

    descriptors_guard();
    if (!call_refuse(SYS_close_range, errors[_i])) {
        test_skip("needs a filter of system calls");
        return;
    }
    state_get(&state);
    worker_check();
    state_compare(&state);
}
END_TEST

/* More sockets than any table is first made for. */
START_TEST(a_full_room_makes_no_difference)
{
    enum { PAIRS = 5000 };
    struct state state;
    struct rlimit limit;
    int pair[2];

    descriptors_guard();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < PAIRS && i < (int)limit.rlim_cur / 2 - 50; i++)
        ck_assert_int_eq(socketpair_cloexec_nonblock(pair), 0);
    state_get(&state);
    worker_check();
    state_compare(&state);
}
END_TEST

static const struct {
    const char *path;
    int error;
} failures[] = {
    {"/no/such/program", ENOENT},
    {"/dev/null", EACCES},
    {"/", EACCES},
    {"/dev/null/x", ENOTDIR},
    {"", ENOENT},
};

START_TEST(a_failed_execution_leaves_no_process)
{
    struct state state;
    int pair[2];

    descriptors_guard();
    ck_assert_int_eq(socketpair_cloexec_nonblock(pair), 0);
    state_get(&state);
    errno = 0;
    ck_assert_int_eq(spawn_worker(failures[_i].path, nothing_argv, pair[0], pair[1]), -1);
    ck_assert_int_eq(errno, failures[_i].error);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    state_compare(&state);
}
END_TEST

/* The table is full but for spare places: it works, or fails with that reason and changes nothing.
 */
START_TEST(a_full_table_is_told)
{
    char path[PATH_TEXT_MAX];
    struct state state;
    int pair[2], last = -1;

    descriptors_guard();
    ck_assert_int_eq(socketpair_cloexec_nonblock(pair), 0);
    const struct rlimit limit = {200, 200};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int fd; (fd = dup(pair[0])) != -1; last = fd)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    for (int spare = 0; spare < _i; spare++)
        close(last - spare);
    state_get(&state);
    pid_t pid =
        spawn_worker(self_exe(path, sizeof path, "/no/such"), nothing_argv, pair[0], pair[1]);
    if (pid == -1)
        ck_assert_int_eq(errno, EMFILE);
    else
        ck_assert_int_eq(child_status(pid), 0);
    ck_assert(pid != -1 || _i < 2);
    state_compare(&state);
    descriptors_close_from(pair[1] + 1); /* a sanitizer needs some to end */
}
END_TEST

static volatile sig_atomic_t handled, strayed;
static pid_t handler_owner;

static void handle(int sig)
{
    (void)sig;
    handled = 1;
    if (getpid() != handler_owner)
        strayed = 1;
}

/* A process that sends SIGUSR1 to all of its group, as a terminal sends SIGINT. */
static pid_t shower_start(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        signal(SIGUSR1, SIG_IGN);
        while (kill(0, SIGUSR1) == 0 && getppid() == handler_owner)
            ;
        _exit(0);
    }
    return pid;
}

/*
 * The child is in the parent's memory for a while, and a handler of the parent must not run there.
 * Nor is the new image ended by a signal that all processes get.
 */
START_TEST(handlers_stay_with_the_parent)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    char path[PATH_TEXT_MAX];
    int pair[2];

    descriptors_guard();
    handler_owner = getpid();
    sigaction(SIGUSR1, &action, NULL);
    ck_assert_int_eq(socketpair_cloexec_nonblock(pair), 0);
    const char *self = self_exe(path, sizeof path, "/no/such");
    pid_t shower = shower_start();
    for (int i = 0; i < 300; i++) {
        pid_t pid = spawn_worker(self, nothing_argv, pair[0], pair[1]);
        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(child_status(pid), 0);
    }
    kill(shower, SIGKILL);
    child_status(shower);
    ck_assert_int_ne(handled, 0);
    ck_assert_int_eq(strayed, 0);
}
END_TEST

/* Lookups that are not reaped leave room for the other processes. */
START_TEST(lookups_leave_room)
{
    struct children children = {.sandbox = SANDBOX_NONE};
    struct child ended;
    int pairs[LOOKUPS_MAX + 1];
    int status;
    siginfo_t info;

    descriptors_guard();
    children.program = self_exe(children.path, sizeof children.path, "/no/such");
    for (int i = 0; i < LOOKUPS_MAX; i++)
        ck_assert_int_gt(children_start_lookup(&children, 'n', "ann", &pairs[i]), 0);
    errno = 0;
    ck_assert_int_eq(children_start_lookup(&children, 'n', "ann", &pairs[LOOKUPS_MAX]), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(children_start_engine(&children, &pairs[LOOKUPS_MAX]));
    while (children_have(&children, CHILD_LOOKUP) || children_have(&children, CHILD_ENGINE)) {
        ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
        ck_assert(children_reap(&children, &ended, &status));
    }
    for (int i = 0; i < LOOKUPS_MAX + 1; i++)
        close(pairs[i]);
    ck_assert_int_gt(children_start_lookup(&children, 'n', "ann", &pairs[0]), 0);
    close(pairs[0]);
    ck_assert_int_eq(child_status(children.others[0].pid), 0);
}
END_TEST

int main(int argc, char **argv)
{
    const struct test tests[] = {
        {a_worker_has_two_descriptors_and_nothing_else, 1, 20},
        {a_call_is_refused, 2, 20},
        {a_full_room_makes_no_difference, 1, 20},
        {a_failed_execution_leaves_no_process, COUNT_OF(failures), 10},
        {a_full_table_is_told, 4, 20},
        {handlers_stay_with_the_parent, 1, 60},
        {lookups_leave_room, 1, 20},
    };
    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        return worker_report(argc);
    if (argc > 1)
        return 0;
    return tests_run("spawn", tests, COUNT_OF(tests));
}
