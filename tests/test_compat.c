/* The small functions of compat/. The poller and spawn_worker() have tests of their own. */
#include "compat/os.h"

#include "compat/compat.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* ---- This program again, as somebody else ---- */

enum { ANSWER = 42 };

static char own_name[] = "/some/where/xchatd",
            padding[] = "--padding=..............................";
static char first[] = "A=first", second[] = "B=second";
static char *const own_environment[] = {first, second, NULL}, *const no_environment[] = {NULL};

/* Runs the program at path with one word that says what to do; its exit status. */
static int program_run(const char *path, char *what, char *const env[])
{
    char *const argv[] = {own_name, what, padding, NULL};
    int status = -1;

    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execve(path, argv, env);
        _exit(126);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- proctitle ---- */

#ifdef __linux__

static size_t file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd == -1 ? -1 : read(fd, buf, size);

    close(fd);
    return n < 0 ? 0 : (size_t)n;
}

/* In a process of its own: shows titles of every length; 0 where ps(1) would show just them. */
static int titles_main(int argc, char **argv)
{
    struct proctitle title;
    char text[512], seen[1024];

    proctitle_init(&title, argc, argv);
    proctitle_spare(&title, argv);
    if (title.room == 0 || title.room + 40 > sizeof text)
        return 4;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t len = title.room + 40; len > 0; len--) {
        proctitle_set(&title, text, len);
        size_t shown = len < title.room ? len : title.room - 1;
        size_t n = file_read("/proc/self/cmdline", seen, sizeof seen);
        if (n != shown + 1 || memcmp(seen, text, shown) != 0 || seen[shown] != '\0')
            return 1;
    }
    size_t n = file_read("/proc/self/comm", seen, sizeof seen);
    if (n != 7 || memcmp(seen, "xchatd\n", 7) != 0)
        return 2;
    /* The arguments and the environment are where they were, for the program. */
    if (strcmp(argv[0], own_name) != 0 || strcmp(argv[2], padding) != 0 || argv[3] != NULL)
        return 3;
    return getenv("B") == NULL || strcmp(getenv("B"), "second") == 0 ? 0 : 5;
}

START_TEST(a_title_is_all_that_ps_shows)
{
    char what[] = "titles";

    ck_assert_int_eq(
        program_run("/proc/self/exe", what, _i == 0 ? no_environment : own_environment), 0);
}
END_TEST

/* In a process of its own: removes its file and executes itself nevertheless. */
static int again_main(void)
{
    char path[PATH_TEXT_MAX], answer[] = "answer";
    char *const argv[] = {own_name, answer, NULL};
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    path[n < 0 ? 0 : n] = '\0';
    if (unlink(path) == -1)
        return 1;
    const char *self = self_exe(path, sizeof path, "/no/such");
    if (self == NULL)
        return 2;
    execve(self, argv, no_environment);
    return 3;
}

START_TEST(the_image_outlives_its_file)
{
    char path[PATH_TEXT_MAX], command[2 * PATH_TEXT_MAX], what[] = "again";

    test_path(path, "copy");
    snprintf(command, sizeof command, "cp /proc/%ld/exe %s", (long)getpid(), path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(program_run(path, what, no_environment), ANSWER);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

#endif

/* ---- program_path ---- */

/* The working directory D holds prog and sub/other, and plain, which cannot be executed. In PATH
 * and in what is expected, D stands for its path. NULL: this program's own file. */
static const struct {
    const char *argv0, *path, *expected;
} programs[] = {
    {"D/prog", "/bin", "D/prog"},
    {"./prog", "/bin", "D/./prog"},
    {"sub/other", "/bin", "D/sub/other"},
    {"sub/../prog", "/bin", "D/sub/../prog"},
    {"prog", "D", "D/prog"},
    {"prog", "/no/such:D", "D/prog"},
    {"other", "D:D/sub:/bin", "D/sub/other"},
    {"other", "D:sub:/bin", "D/sub/other"},
    {"prog", ":/bin", "D/prog"},
    {"prog", "/no/such:", "D/prog"},
    {"prog", "/no/such::/bin", "D/prog"},
    {"prog", "", "D/prog"},
    {"prog", "/no/such", NULL},
    {"plain", "D", NULL},
    {"D/plain", "D", NULL},
    {"sub", "D", NULL},
    {"D/nothing", "D", NULL},
    {"", "D", NULL},
};

static void text_expand(char out[512], const char *text, const char *dir)
{
    size_t len = 0;

    out[0] = '\0';
    for (; *text != '\0' && len < 511; text++)
        len += (size_t)snprintf(
            out + len, 512 - len, *text == 'D' ? "%s" : "%.1s", *text == 'D' ? dir : text);
}

static void file_make(const char *name, mode_t mode)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, mode);

    ck_assert_int_ne(fd, -1);
    close(fd);
}

START_TEST(the_path_is_found_as_the_shell_does)
{
    char dir[PATH_TEXT_MAX], found[512], text[512], own[512] = "";

    test_path(dir, "dir");
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    file_make("prog", 0700);
    file_make("plain", 0600);
    file_make("sub/other", 0700);
    text_expand(text, programs[_i].path, dir);
    setenv("PATH", text, 1);
    text_expand(text, programs[_i].argv0, dir);
    bool ok = program_path(found, sizeof found, text);
    if (programs[_i].expected != NULL)
        text_expand(text, programs[_i].expected, dir);
    else
        snprintf(text, sizeof text, "%s",
            readlink("/proc/self/exe", own, sizeof own - 1) == -1 ? "" : own);
    ck_assert_int_eq(ok, text[0] != '\0');
    if (ok)
        ck_assert_str_eq(found, text);
    ck_assert(!program_path(found, 4, "D/prog"));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert(unlink("prog") == 0 && unlink("plain") == 0 && unlink("sub/other") == 0);
    ck_assert(rmdir("sub") == 0 && rmdir(dir) == 0);
}
END_TEST

/* ---- Descriptors ---- */

static void check_cloexec_nonblock(int fd)
{
    ck_assert_int_ne(fd, -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

START_TEST(pairs_are_close_on_exec_and_non_blocking)
{
    int sv[2];
    char byte;

    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    for (int i = 0; i < 2; i++) {
        check_cloexec_nonblock(sv[i]);
        ck_assert_int_eq(read(sv[i], &byte, 1), -1);
        ck_assert_int_eq(write(sv[i], "x", 1), 1);
        ck_assert_int_eq(read(sv[1 - i], &byte, 1), 1);
    }
}
END_TEST

/* The child connects to the Unix-domain socket at path and waits for the end. */
static pid_t child_connect(const struct sockaddr_un *address)
{
    char byte;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        _exit((int)read(fd, &byte, 1));
    _exit(1);
}

START_TEST(who_is_at_the_other_end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_TEXT_MAX];
    int status;
    pid_t pid;
    uid_t uid;

    test_path(path, "socket");
    ck_assert_int_lt(
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path), sizeof address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    pid_t child = child_connect(&address);
    int fd = accept_cloexec_nonblock(listener, NULL, NULL);
    check_cloexec_nonblock(fd);
    ck_assert_int_eq(socket_peer_pid(fd, &pid, &uid), 0);
#ifdef __linux__
    ck_assert_int_eq(pid, child);
#endif
    ck_assert_int_eq((long)uid, (long)getuid());
    ck_assert_int_eq(socket_peer_pid(-1, &pid, &uid), -1);
    ck_assert_int_eq(errno, EBADF);
    close(fd);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    unlink(path);
}
END_TEST

/* The kernel does it in one call (0), does not have that call (1), or a container refuses it (2).
 */
START_TEST(all_from_one_on_are_closed)
{
    int low = dup(0), last = low;

#ifdef SYS_close_range
    if (_i > 0 && !call_refuse(SYS_close_range, _i == 1 ? ENOSYS : EPERM)) {
        test_skip("needs a filter of system calls");
        return;
    }
#endif
    while (last < low + 100)
        last = dup(0);
    descriptors_close_from(low + 1);
    ck_assert_int_ne(fcntl(low, F_GETFD), -1);
    for (int fd = low + 1; fd <= last + 10; fd++)
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* ---- TCP ---- */

/* [0] is the server's end, prepared; [1] the peer's. */
static void tcp_pair(int sv[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    sv[1] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(sv[1], (struct sockaddr *)&address, len), 0);
    sv[0] = accept_cloexec_nonblock(listener, (struct sockaddr *)&address, &len);
    check_cloexec_nonblock(sv[0]);
    close(listener);
    tcp_prepare(sv[0]);
}

static int option_get(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

START_TEST(a_connection_is_prepared)
{
    int sv[2];
    char got[8];

    tcp_pair(sv);
    ck_assert_int_ne(option_get(sv[0], IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_ne(option_get(sv[0], SOL_SOCKET, SO_KEEPALIVE), 0);
#ifdef TCP_NOTSENT_LOWAT
    ck_assert_int_eq(option_get(sv[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 16 * 1024);
#else
    ck_assert_int_le(option_get(sv[0], SOL_SOCKET, SO_SNDBUF), 256 * 1024);
#endif
    ck_assert_int_le(option_get(sv[0], IPPROTO_TCP, TCP_KEEPIDLE) +
                         option_get(sv[0], IPPROTO_TCP, TCP_KEEPINTVL) *
                             option_get(sv[0], IPPROTO_TCP, TCP_KEEPCNT),
        115);
    /* What telnet sends as urgent comes in its place. */
    ck_assert_int_eq(send(sv[1], "ab", 2, MSG_OOB), 2);
    ck_assert_int_eq(send(sv[1], "c", 1, 0), 1);
    fcntl(sv[0], F_SETFL, 0);
    for (size_t n = 0; n < 3; n++)
        ck_assert_int_eq(read(sv[0], got + n, 1), 1);
    ck_assert_mem_eq(got, "abc", 3);
}
END_TEST

START_TEST(other_sockets_are_left_in_peace)
{
    int sv[2];

    ck_assert_int_eq(socketpair_cloexec_nonblock(sv), 0);
    tcp_prepare(sv[0]);
    ck_assert_int_eq(write(sv[0], "x", 1), 1);
    ck_assert(!tcp_is_dead(sv[0], 0));
    ck_assert(tcp_all_acked(sv[0]));
    ck_assert_uint_eq(tcp_bytes_acked(sv[0]), 0);
    ck_assert(!tcp_progress(sv[0], &(struct tcp_progress){0}));
    ck_assert(!tcp_is_dead(-1, 0));
    ck_assert(tcp_all_acked(-1));
}
END_TEST

static void fill(int fd)
{
    static const char bytes[65536];

    while (send(fd, bytes, sizeof bytes, 0) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
}

static void wait_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    await_ready(&pfd, 1);
}

static void wait_all_acked(int fd)
{
    for (int64_t deadline = deadline_in(10000); !tcp_all_acked(fd);)
        ck_assert(deadline_wait(deadline));
}

#ifdef __linux__

START_TEST(what_is_acknowledged_is_seen)
{
    static char bytes[65536];
    int sv[2];
    uint64_t sent = 1000;

    tcp_pair(sv);
    ck_assert_int_eq(write(sv[0], bytes, 1000), 1000);
    wait_all_acked(sv[0]);
    ck_assert_uint_eq(tcp_bytes_acked(sv[0]), sent);

    fill(sv[0]);
    ck_assert(!tcp_all_acked(sv[0]));
    sent = tcp_bytes_acked(sv[0]);
    ck_assert_uint_gt(sent, 1000);
    shutdown(sv[0], SHUT_WR);
    ck_assert(!tcp_all_acked(sv[0]));
    while (read(sv[1], bytes, sizeof bytes) > 0)
        ;
    wait_all_acked(sv[0]);
    ck_assert_uint_gt(tcp_bytes_acked(sv[0]), sent);
    close(sv[1]);
    wait_readable(sv[0]);
    ck_assert_int_eq(read(sv[0], bytes, 1), 0);
    ck_assert(tcp_all_acked(sv[0]));
}
END_TEST

/* A peer that does not read closes its window, and is not taken for one that is gone. */
START_TEST(the_window_of_the_peer_is_seen)
{
    struct tcp_progress progress;
    int64_t deadline = deadline_in(10000);
    int sv[2];

    tcp_pair(sv);
    ck_assert(tcp_progress(sv[0], &progress));
    ck_assert_uint_eq(progress.acked, 0);
    ck_assert_uint_gt(progress.window, 1000);
    ck_assert_int_eq(write(sv[0], "x", 1), 1);
    wait_all_acked(sv[0]);
    ck_assert(tcp_progress(sv[0], &progress));
    ck_assert_uint_eq(progress.acked, 1);
    fill(sv[0]);
    do
        ck_assert(tcp_progress(sv[0], &progress));
    while (progress.window > 0 && deadline_wait(deadline));
    ck_assert_uint_eq(progress.window, 0);
    ck_assert(!progress.repeats);
    close(sv[0]);
    close(sv[1]);
}
END_TEST

START_TEST(nothing_is_owed_to_a_peer_that_reset)
{
    const struct linger now = {1, 0};
    int sv[2];

    tcp_pair(sv);
    fill(sv[0]);
    ck_assert(!tcp_all_acked(sv[0]));
    setsockopt(sv[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(sv[1]);
    wait_all_acked(sv[0]);
}
END_TEST

/* Whether this socket sees what is sent to it, for which it asks a time to live that loopback's
 * packets have or have not: a cable that can be cut. */
static void packets_accept(int fd, bool yes)
{
    const int ttl = yes ? 0 : 255;

    ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof ttl), 0);
}

static void wait_dead(int fd)
{
    for (int64_t deadline = deadline_in(30000); !tcp_is_dead(fd, 1);)
        ck_assert(deadline_wait(deadline));
}

/* How often the kernel has doubled its patience. */
static int backoff_get(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_backoff;
}

START_TEST(a_peer_that_does_not_read_is_alive_until_it_is_gone)
{
    static char bytes[65536];
    int sv[2];

    tcp_pair(sv);
    fill(sv[0]);
    /* It answers each question; the last was asked within about the second half of the time. */
    int64_t begun = clock_ms();
    for (int64_t deadline = deadline_in(60000); backoff_get(sv[0]) < 5;) {
        ck_assert(!tcp_is_dead(sv[0], 1 + (unsigned)((clock_ms() - begun) * 3 / 4000)));
        ck_assert(deadline_wait(deadline));
    }
    packets_accept(sv[1], false);
    wait_dead(sv[0]);
    ck_assert(!tcp_is_dead(sv[0], 3600));
    packets_accept(sv[1], true);
    ck_assert_int_gt(read(sv[1], bytes, sizeof bytes), 0);
    for (int64_t deadline = deadline_in(30000); tcp_is_dead(sv[0], 1);)
        ck_assert(deadline_wait(deadline));
}
END_TEST

START_TEST(a_peer_that_vanishes_with_data_pending_is_dead)
{
    int sv[2];

    tcp_pair(sv);
    packets_accept(sv[1], false);
    ck_assert(!tcp_is_dead(sv[0], 0));
    ck_assert_int_eq(write(sv[0], "x", 1), 1);
    ck_assert(!tcp_all_acked(sv[0]));
    ck_assert(!tcp_is_dead(sv[0], 0));
    wait_dead(sv[0]);
    ck_assert(!tcp_all_acked(sv[0]));
}
END_TEST

START_TEST(a_peer_that_vanishes_idle_is_dead)
{
    const int one = 1, three = 3;
    int sv[2];
    char byte;

    tcp_pair(sv);
    setsockopt(sv[0], IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof one);
    setsockopt(sv[0], IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof one);
    setsockopt(sv[0], IPPROTO_TCP, TCP_KEEPCNT, &three, sizeof three);
    packets_accept(sv[1], false);
    wait_dead(sv[0]);
    wait_readable(sv[0]);
    ck_assert_int_eq(read(sv[0], &byte, 1), -1);
    ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

#endif

/* ---- write_all ---- */

#ifdef __linux__

#define REFUSED_FD 200

/* Writes to REFUSED_FD fail. */
static void writes_fail(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REFUSED_FD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
        _exit(126);
}

/* A file is always ready for poll(2): one that never has memory must end by itself. */
START_TEST(a_file_without_memory)
{
    static const int errors[] = {ENOMEM, ENOBUFS};
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        dup2(open("/dev/null", O_WRONLY), REFUSED_FD);
        writes_fail(errors[_i]);
        alarm(15);
        _exit(!write_all(REFUSED_FD, "x", 1) && errno == errors[_i] ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

#endif

/* ---- poll_masked ---- */

static volatile sig_atomic_t handled;

static void handle(int sig)
{
    (void)sig;
    handled++;
}

START_TEST(a_blocked_signal_ends_the_wait_only)
{
    struct sigaction action = {.sa_handler = handle};
    sigset_t blocked, old;

    handled = 0;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    sigdelset(&old, SIGUSR1);
    raise(SIGUSR1);
    ck_assert_int_eq(poll_masked(NULL, 0, 0, NULL), 0);
    ck_assert_int_eq(handled, 0);
    ck_assert_int_eq(poll_masked(NULL, 0, -1, &old), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(handled, 1);
    int64_t start = clock_ms();
    ck_assert_int_eq(poll_masked(NULL, 0, 1030, &old), 0);
    ck_assert_int_ge(clock_ms() - start, 1029);
}
END_TEST

/* ---- privileges_drop ---- */

START_TEST(not_every_name_is_a_user_to_become)
{
    ck_assert_str_eq(privileges_drop("no-such-user"), "no such user");
    ck_assert_int_eq(errno, 0);
    ck_assert_str_eq(privileges_drop(""), "no such user");
    ck_assert_str_eq(privileges_drop("root"), "is root too");
}
END_TEST

static void check_user(const struct passwd *pw)
{
    gid_t groups[64], expected[64];
    int count = 64;

    ck_assert_int_eq((long)getuid(), (long)pw->pw_uid);
    ck_assert_int_eq((long)geteuid(), (long)pw->pw_uid);
    ck_assert_int_eq((long)getgid(), (long)pw->pw_gid);
    ck_assert_int_eq((long)getegid(), (long)pw->pw_gid);
    getgrouplist(pw->pw_name, pw->pw_gid, expected, &count);
    ck_assert_int_eq(getgroups(64, groups), count);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq((long)groups[i], (long)expected[i]);
}

/* Root becomes nobody, for good; another user stays the same and cannot become nobody. */
START_TEST(root_is_given_up_for_good)
{
    const struct passwd *pw = getpwnam("nobody");
    uid_t uid = getuid();
    char name[64];
    char closed[PATH_TEXT_MAX];

    ck_assert_ptr_nonnull(pw);
    if (uid == 0) {
        test_path(closed, "closed");
        close(open(closed, O_CREAT | O_WRONLY, 0600));
        ck_assert_ptr_null(privileges_drop("nobody"));
        check_user(pw);
        ck_assert_int_eq(setuid(0), -1);
        ck_assert_int_eq(seteuid(0), -1);
        ck_assert_int_eq(setgid(0), -1);
        ck_assert_int_eq(setegid(0), -1);
        ck_assert_int_eq(access(closed, R_OK), -1);
    } else if (uid != pw->pw_uid) {
        ck_assert_str_eq(privileges_drop("nobody"), "its groups cannot be taken on");
        ck_assert_int_eq(errno, EPERM);
        pw = getpwuid(uid);
    }
    if (pw == NULL) {
        test_skip("this user has no account");
        return;
    }
    snprintf(name, sizeof name, "%s", pw->pw_name);
    ck_assert_ptr_null(privileges_drop(name));
}
END_TEST

/* ---- oom_score_raise ---- */

#ifdef __linux__

static int oom_score(void)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "re");
    int score;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d", &score), 1);
    fclose(file);
    return score;
}

/* False where this process has not the right to. */
static bool oom_score_set(int score)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(fprintf(file, "%d", score), 0);
    return fclose(file) == 0;
}

/* It is raised from where it is, as high as it can be. Anybody may raise it, and never lower it. */
START_TEST(the_kernel_prefers_to_kill_this)
{
    int before = oom_score();

    oom_score_raise();
    ck_assert_int_eq(oom_score(), before + 500 < 1000 ? before + 500 : 1000);
    for (int score = -1000; score <= 1000; score += 91) {
        if (!oom_score_set(score))
            continue;
        oom_score_raise();
        ck_assert_int_eq(oom_score(), score + 500 < 1000 ? score + 500 : 1000);
    }
    oom_score_raise();
    oom_score_raise();
    ck_assert_int_eq(oom_score(), 1000);
}
END_TEST

#endif
/* As it was made, and for nobody to change. */
START_TEST(a_file_in_memory)
{
    char bytes[100000];
    char found[sizeof bytes + 1];
    memset(bytes, 'x', sizeof bytes);
    int fd = memory_file(bytes, sizeof bytes);
    ck_assert_int_ne(fd, -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(read(fd, found, sizeof found), sizeof bytes);
    ck_assert_mem_eq(found, bytes, sizeof bytes);
#ifdef F_ADD_SEALS
    ck_assert_int_eq(pwrite(fd, "y", 1, 0), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
#endif
    close(fd);
}
END_TEST

/* Without memory for it there is none, at once. */
START_TEST(no_file_in_memory)
{
    char bytes[100000] = {0};
    struct rlimit limit = {4096, 4096};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(memory_file(bytes, sizeof bytes), -1);
    ck_assert_int_eq(errno, EFBIG);
}
END_TEST

int main(int argc, char **argv)
{
    const struct test tests[] = {
        {the_path_is_found_as_the_shell_does, COUNT_OF(programs), 10},
        {pairs_are_close_on_exec_and_non_blocking, 1, 10},
        {who_is_at_the_other_end, 1, 10},
        {all_from_one_on_are_closed, 3, 10},
        {a_connection_is_prepared, 1, 10},
        {other_sockets_are_left_in_peace, 1, 10},
        {a_blocked_signal_ends_the_wait_only, 1, 10},
        {a_file_in_memory, 1, 10},
        {no_file_in_memory, 1, 10},
        {not_every_name_is_a_user_to_become, 1, 10},
        {root_is_given_up_for_good, 1, 10},
#ifdef __linux__
        {a_file_without_memory, 2, 20},
        {a_title_is_all_that_ps_shows, 2, 10},
        {the_kernel_prefers_to_kill_this, 1, 10},
        {the_image_outlives_its_file, 1, 10},
        {the_window_of_the_peer_is_seen, 1, 20},
        {what_is_acknowledged_is_seen, 1, 30},
        {nothing_is_owed_to_a_peer_that_reset, 1, 30},
        {a_peer_that_does_not_read_is_alive_until_it_is_gone, 1, 100},
        {a_peer_that_vanishes_with_data_pending_is_dead, 1, 60},
        {a_peer_that_vanishes_idle_is_dead, 1, 60},
#endif
    };
#ifdef __linux__
    if (argc > 1 && strcmp(argv[1], "titles") == 0)
        return titles_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "again") == 0)
        return again_main();
#endif
    if (argc > 1 && strcmp(argv[1], "answer") == 0)
        return ANSWER;
    return tests_run("compat", tests, COUNT_OF(tests));
}
