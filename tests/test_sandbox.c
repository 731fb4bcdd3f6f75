/* The workers' cage, from inside: what it forbids ends the process alone, what it allows works. */
#include "compat/os.h"

#include "server/worker/sandbox.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Ends a child. A sanitizer makes system calls of its own in _exit(). */
#ifdef __linux__
#include <sys/syscall.h>
#define LEAVE(status) syscall(SYS_exit_group, (status))
#else
#define LEAVE(status) _exit(status)
#endif

/* Fails a child; the line is in its exit status. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            LEAVE(__LINE__ % 250 + 1);                                                             \
    } while (0)

/* Runs what in a new process, whose descriptor 0 is the other end of *fd, and 1 that of /dev/null.
 */
static pid_t child_start(void (*what)(void), int *fd)
{
    int sv[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        MUST(dup2(sv[1], 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2);
        for (int i = 3; i < 1024; i++)
            close(i);
        what();
        LEAVE(0);
    }
    close(sv[1]);
    *fd = sv[0];
    return pid;
}

static int child_end(pid_t pid, int fd)
{
    int status = -1;

    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static int child_run(void (*what)(void))
{
    int fd;
    pid_t pid = child_start(what, &fd);

    return child_end(pid, fd);
}

/* ---- The limits ---- */

static volatile sig_atomic_t caught;

static void handle(int sig)
{
    caught = sig;
}

static void limits_hold(void)
{
    struct pollfd fds[3] = {{0, POLLIN, 0}, {1, POLLOUT, 0}, {2, POLLOUT, 0}};
    struct rlimit limit;
    char path[PATH_TEXT_MAX];
    struct sigaction action = {.sa_handler = handle};

    test_path(path, "file");
    MUST(close(2) == 0 && open(path, O_CREAT | O_WRONLY, 0600) == 2);
    MUST(unlink(path) == 0);
    sigaction(SIGXFSZ, &action, NULL);
    MUST(sandbox_set_limits());
    MUST(write(2, "x", 1) == -1 && errno == EFBIG && caught == SIGXFSZ);
    MUST(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE);
    MUST(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EMFILE);
    MUST(dup(0) == -1 && errno == EMFILE);
    MUST(poll(fds, 3, 0) >= 2);
    MUST(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 3);
    MUST(getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_max == 0);
    /* Root may start processes in spite of the limit. */
    if (getuid() != 0)
        MUST(fork() == -1 && errno == EAGAIN);
}

START_TEST(limits_leave_nothing_to_open)
{
    ck_assert_int_eq(child_run(limits_hold), 0);
}
END_TEST

static void enter_as_probed(void)
{
    enum sandbox_tier tier = sandbox_probe();

    MUST(tier == sandbox_probe());
    MUST(sandbox_enter() == tier);
}

START_TEST(the_probe_tells_what_will_be)
{
    ck_assert_int_eq(child_run(enter_as_probed), 0);
    ck_assert_str_eq(sandbox_name(SANDBOX_NONE), "none");
    ck_assert_str_eq(sandbox_name(SANDBOX_LIMITS), "limits");
    ck_assert_str_eq(sandbox_name(SANDBOX_FILTER), "filter");
}
END_TEST

/* ---- The filter ---- */

#ifdef SANDBOX_SECCOMP

#include <sys/ptrace.h>

static void enter(void)
{
    MUST(sandbox_enter() == SANDBOX_FILTER);
}

static void try_open(void)
{
    open("/dev/null", O_RDONLY);
}

static void try_read(void)
{
    char byte;

    MUST(read(0, &byte, 1) == 0);
}

static void try_write(void)
{
    MUST(write(1, "x", 1) == 1);
}

static void try_close(void)
{
    close(2);
}

static void try_socket(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}

static void try_connect(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET};

    connect(0, (const struct sockaddr *)&address, sizeof address);
}

static void try_fork(void)
{
    fork();
}

static void try_vfork(void)
{
    syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void try_kill(void)
{
    kill(getppid(), SIGKILL);
}

static void try_tgkill(void)
{
    syscall(SYS_tgkill, 1, 1, SIGKILL);
}

static void try_exec(void)
{
    char *const none[] = {NULL};

    execve("/bin/true", none, none);
}

static void try_ptrace(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_vm_read(void)
{
    syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static void try_sendmsg(void)
{
    struct msghdr message = {0};

    sendmsg(0, &message, 0);
}

static void try_recvmsg(void)
{
    struct msghdr message = {0};

    recvmsg(0, &message, MSG_DONTWAIT);
}

static void try_mmap(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_mprotect(void)
{
    mprotect(NULL, 4096, PROT_EXEC);
}

static void try_setsockopt(void)
{
    setsockopt(0, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int));
}

static void try_other_level(void)
{
    socklen_t len = sizeof(int);

    getsockopt(0, SOL_SOCKET, SO_ERROR, &(int){0}, &len);
}

static void try_other_option(void)
{
    socklen_t len = sizeof(int);

    getsockopt(0, IPPROTO_TCP, TCP_MAXSEG, &(int){0}, &len);
}

static void try_fcntl(void)
{
    fcntl(0, F_SETFL, 0);
}

static void try_ioctl(void)
{
    syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}

static void try_setrlimit(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static void try_another_filter(void)
{
    syscall(SYS_seccomp, 1, 0, NULL);
}

static void try_abort(void)
{
    abort();
}

static void try_unknown(void)
{
    syscall(0x7fff);
}

#ifdef __x86_64__

static void try_x32(void)
{
    syscall(0x40000000 | SYS_read, 0, NULL, 0);
}

static void try_negative(void)
{
    syscall(-1L);
}

/* The 32-bit entry, where 3 is read and where the numbers mean other calls. */
static void try_32_bit(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(3L), "b"(0L), "c"(0L), "d"(0L) : "memory");
    (void)result;
}

#endif

static void (*const forbidden[])(void) = {
    try_open,
    try_read,
    try_write,
    try_close,
    try_socket,
    try_connect,
    try_fork,
    try_vfork,
    try_kill,
    try_tgkill,
    try_exec,
    try_ptrace,
    try_vm_read,
    try_sendmsg,
    try_recvmsg,
    try_mmap,
    try_mprotect,
    try_setsockopt,
    try_other_level,
    try_other_option,
    try_fcntl,
    try_ioctl,
    try_setrlimit,
    try_another_filter,
    try_abort,
    try_unknown,
#ifdef __x86_64__
    try_x32,
    try_negative,
    try_32_bit,
#endif
};

static size_t forbidden_one;

static void enter_and_try(void)
{
    enter();
    forbidden[forbidden_one]();
}

/* Echoes what comes on 0 to its end, as a worker would. */
static void echo(void)
{
    char buf[64];
    ssize_t n;

    while ((n = recv(0, buf, sizeof buf, 0)) > 0)
        MUST(send(0, buf, (size_t)n, MSG_NOSIGNAL) == n);
}

static void enter_and_echo(void)
{
    enter();
    echo();
}

static void echo_check(int fd)
{
    char byte = 0;
    struct pollfd pfd = {fd, POLLIN, 0};

    ck_assert_int_eq(write(fd, "e", 1), 1);
    ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    ck_assert_int_eq(byte, 'e');
}

START_TEST(what_is_forbidden_ends_that_process_alone)
{
    int fd;
    pid_t neighbour = child_start(enter_and_echo, &fd);

    echo_check(fd);
    forbidden_one = (size_t)_i;
    int status = child_run(enter_and_try);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSYS);
    echo_check(fd);
    ck_assert_int_eq(child_end(neighbour, fd), 0);
}
END_TEST

/* By number where the library would do without the kernel. */
static void use_all_that_is_allowed(void)
{
    char byte;
    struct pollfd pfd = {0, POLLIN | POLLOUT, 0};
    const struct timespec soon = {0, 1000};
    struct timespec now;
    int fact;
    socklen_t len = sizeof fact;

    enter();
    MUST(poll(&pfd, 1, -1) == 1);
    MUST(ppoll(&pfd, 1, &soon, NULL) == 1);
    MUST(ppoll(NULL, 0, &soon, NULL) == 0);
    MUST(recv(0, &byte, 1, 0) == 1 && byte == 'a');
    MUST(recv(0, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'b');
    MUST(recv(0, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    MUST(send(0, "a", 1, 0) == 1);
    MUST(send(0, "b", 1, MSG_NOSIGNAL) == 1);
    MUST(getsockopt(0, IPPROTO_TCP, TCP_INFO, &fact, &len) == -1);
    MUST(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
    MUST(shutdown(0, SHUT_WR) == 0);
    MUST(recv(0, &byte, 1, 0) == 0);
}

START_TEST(what_is_allowed_works)
{
    char got[4];
    size_t have = 0;
    int fd;
    pid_t pid = child_start(use_all_that_is_allowed, &fd);

    ck_assert_int_eq(write(fd, "ab", 2), 2);
    for (ssize_t n = 1; n > 0; have += (size_t)n) {
        n = read(fd, got + have, sizeof got - have);
        ck_assert_int_ge(n, 0);
    }
    ck_assert_uint_eq(have, 2);
    ck_assert_mem_eq(got, "ab", 2);
    ck_assert_int_eq(child_end(pid, fd), 0);
}
END_TEST

/* Until it sleeps, which after its last word it does where the test wants it only. */
static void wait_asleep(pid_t pid, int fd)
{
    char byte;

    ck_assert_int_eq(read(fd, &byte, 1), 1);
    ck_assert_int_eq(byte, 'r');
    for (int64_t deadline = deadline_in(10000); process_state(pid) != 'S';)
        ck_assert(deadline_wait(deadline));
}

/* A handler that was set before interrupts the wait, and returns. */
static void be_interrupted(void)
{
    struct sigaction action = {.sa_handler = handle};
    struct pollfd pfd = {0, POLLIN, 0};

    sigaction(SIGTERM, &action, NULL);
    enter();
    MUST(send(0, "r", 1, 0) == 1);
    MUST(poll(&pfd, 1, 60000) == -1 && errno == EINTR && caught == SIGTERM);
}

START_TEST(a_handler_returns)
{
    int fd;
    pid_t pid = child_start(be_interrupted, &fd);

    wait_asleep(pid, fd);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    close(fd);
}
END_TEST

static void wait_by_poll(void)
{
    struct pollfd pfd = {0, POLLIN, 0};

    MUST(poll(&pfd, 1, 60000) == 1);
}

static void wait_by_poll_for_ever(void)
{
    struct pollfd pfd = {0, POLLIN, 0};

    MUST(poll(&pfd, 1, -1) == 1);
}

static void wait_by_ppoll(void)
{
    struct pollfd pfd = {0, POLLIN, 0};
    const struct timespec minute = {60, 0};

    MUST(ppoll(&pfd, 1, &minute, NULL) == 1);
}

static void wait_by_recv(void)
{
}

static void (*const waits[])(void) = {
    wait_by_poll,
    wait_by_poll_for_ever,
    wait_by_ppoll,
    wait_by_recv,
};

static size_t wait_one;

static void enter_and_wait(void)
{
    enter();
    MUST(send(0, "r", 1, 0) == 1);
    waits[wait_one]();
    echo();
}

/* A kernel continues some waits by restart_syscall(). */
START_TEST(a_stop_is_no_end)
{
    int fd, status;
    wait_one = (size_t)_i;
    pid_t pid = child_start(enter_and_wait, &fd);

    wait_asleep(pid, fd);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(pid, SIGSTOP), 0);
        ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
        ck_assert(WIFSTOPPED(status));
        ck_assert_int_eq(kill(pid, SIGCONT), 0);
        ck_assert_int_eq(waitpid(pid, &status, WCONTINUED), pid);
        ck_assert(WIFCONTINUED(status));
    }
    echo_check(fd);
    ck_assert_int_eq(child_end(pid, fd), 0);
}
END_TEST

START_TEST(the_kernel_says_so)
{
    char path[64], line[128];
    int fd, seen = 0;
    pid_t pid = child_start(enter_and_echo, &fd);

    echo_check(fd);
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strcmp(line, "Seccomp:\t2\n") == 0 || strcmp(line, "NoNewPrivs:\t1\n") == 0)
            seen++;
    fclose(file);
    ck_assert_int_eq(seen, 2);
    ck_assert_int_eq(child_end(pid, fd), 0);
}
END_TEST

#endif

int main(void)
{
    const struct test tests[] = {
        {limits_leave_nothing_to_open, 1, 10},
        {the_probe_tells_what_will_be, 1, 10},
#ifdef SANDBOX_SECCOMP
        {what_is_forbidden_ends_that_process_alone, COUNT_OF(forbidden), 20},
        {what_is_allowed_works, 1, 10},
        {a_handler_returns, 1, 20},
        {a_stop_is_no_end, COUNT_OF(waits), 20},
        {the_kernel_says_so, 1, 20},
#endif
    };
    return tests_run("sandbox", tests, COUNT_OF(tests));
}
