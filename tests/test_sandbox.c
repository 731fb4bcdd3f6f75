/* test_sandbox.c: the sandbox of each role from inside: what it forbids ends that process alone,
 * what it allows works. */
#include "compat/os.h"

#include "compat/compat.h"
#include "server/sandbox.h"
#include "server/seccomp_arch.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static const enum sandbox_role roles[] = {SANDBOX_WORKER, SANDBOX_WRITER};

/* A child, and the other ends of the two sockets that are its 0 and its 1. */
struct child {
    pid_t pid;
    int client;
    int hub;
};

static void child_start(struct child *child, void (*what)(void))
{
    int client[2];
    int hub[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, hub), 0);
    child->pid = fork();
    ck_assert_int_ge(child->pid, 0);
    if (child->pid == 0) {
        signal(SIGTERM, SIG_DFL);
        MUST(dup2(client[1], 200) == 200 && dup2(hub[1], 201) == 201);
        MUST(dup2(200, 0) == 0 && dup2(201, 1) == 1);
        MUST(close(2) == 0 && open("/dev/null", O_RDWR) == 2);
        descriptors_close_from(3);
        what();
        LEAVE(0);
    }
    close(client[1]);
    close(hub[1]);
    child->client = client[0];
    child->hub = hub[0];
}

/* Its wait status. */
static int child_end(const struct child *child)
{
    int status = -1;

    close(child->client);
    close(child->hub);
    ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
    return status;
}

static int child_run(void (*what)(void))
{
    struct child child;

    child_start(&child, what);
    return child_end(&child);
}

/* ---- The limits ---- */

/* Of the children of the running test. */
static enum sandbox_role role;
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
    MUST(sandbox_set_limits(role));
    if (role == SANDBOX_WORKER)
        MUST(write(2, "x", 1) == -1 && errno == EFBIG && caught == SIGXFSZ);
    else
        MUST(write(2, "x", 1) == 1);
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
    role = roles[_i];
    ck_assert_int_eq(child_run(limits_hold), 0);
}
END_TEST

static void enter_as_probed(void)
{
    enum sandbox_tier tier = sandbox_probe();

    MUST(tier == sandbox_probe());
    MUST(tier == SANDBOX_LIMITS || tier == SANDBOX_FILTER);
    MUST(sandbox_enter(role, tier));
}

static void enter_nothing(void)
{
    MUST(sandbox_enter(role, SANDBOX_NONE));
    MUST(dup(0) == 3);
}

START_TEST(the_probe_tells_what_can_be)
{
    role = roles[_i];
    ck_assert_int_eq(child_run(enter_as_probed), 0);
    ck_assert_int_eq(child_run(enter_nothing), 0);
}
END_TEST

START_TEST(tiers_have_letters)
{
    static const struct {
        enum sandbox_tier tier;
        char letter;
        const char *name;
    } tiers[] = {
        {SANDBOX_NONE, 'o', "none"},
        {SANDBOX_LIMITS, 'l', "limits"},
        {SANDBOX_FILTER, 'f', "filter"},
    };
    enum sandbox_tier tier;

    for (size_t i = 0; i < COUNT_OF(tiers); i++) {
        ck_assert_int_eq(sandbox_letter(tiers[i].tier), tiers[i].letter);
        ck_assert(sandbox_from_letter(tiers[i].letter, &tier) && tier == tiers[i].tier);
        ck_assert_str_eq(sandbox_name(tiers[i].tier), tiers[i].name);
    }
    ck_assert(!sandbox_from_letter('\0', &tier));
    ck_assert(!sandbox_from_letter('r', &tier));
}
END_TEST

/* ---- The filter ---- */

#ifdef SECCOMP_ARCH

#include <sys/ptrace.h>

static void sandbox_enter_here(void)
{
    MUST(sandbox_enter(role, SANDBOX_FILTER));
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

static void try_getsockopt(void)
{
    socklen_t len = sizeof(int);

    getsockopt(0, SOL_SOCKET, SO_ERROR, &(int){0}, &len);
}

static void try_send_to_client(void)
{
    socket_send(0, "x", 1);
}

static void try_send_elsewhere(void)
{
    socket_send(2, "x", 1);
}

static void try_recv_elsewhere(void)
{
    char byte;

    socket_recv(2, &byte, 1);
}

#ifdef __LP64__

/* The kernel takes the lower half of the argument, which is 0. */
static void try_send_with_upper_half(void)
{
    syscall(SYS_sendto, 1L << 32, "x", 1L, 0L, NULL, 0L);
}

#endif

static void try_recv_on_minus_one(void)
{
    char byte;

    socket_recv(-1, &byte, 1);
}

static void try_shutdown_of_hub(void)
{
    socket_shutdown_write(1);
}

static void try_shutdown_elsewhere(void)
{
    socket_shutdown_write(2);
}

static void try_sigreturn(void)
{
    syscall(SYS_rt_sigreturn);
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

/* ---- The engine's filter: it looks up names, and does no harm to others ---- */

static void be_engine(void)
{
    char path[PATH_TEXT_MAX];
    int fd;

    test_path(path, "file");
    MUST(sandbox_enter(SANDBOX_ENGINE, SANDBOX_FILTER));
    MUST(socket(AF_INET, SOCK_STREAM, 0) == 3);
    MUST(open("/etc/passwd", O_RDONLY) == 4);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    signal(SIGXFSZ, SIG_IGN);
    MUST(fd == 5 && write(fd, "x", 1) == -1 && errno == EFBIG);
    MUST(dup2(0, 31) == 31 && dup2(0, 32) == -1);
    MUST(fork() == -1 && errno == EPERM);
    MUST(execve("/bin/true", (char *[]){NULL}, (char *[]){NULL}) == -1 && errno == EPERM);
    MUST(kill(getppid(), 0) == -1 && errno == EPERM);
    MUST(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) == -1 && errno == EPERM);
    MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 && errno == EPERM);
#ifdef SYS_pidfd_send_signal
    MUST(open("/proc/self", O_RDONLY | O_DIRECTORY) == 6);
    MUST(syscall(SYS_pidfd_send_signal, 6, 0, NULL, 0) == -1 && errno == EPERM);
#endif
#ifdef SYS_prlimit64
    MUST(syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, NULL) == -1 && errno == EPERM);
#endif
}

START_TEST(the_engine_does_no_harm)
{
    ck_assert_int_eq(child_run(be_engine), 0);
}
END_TEST

#ifdef __x86_64__

static void be_engine_in_x32(void)
{
    MUST(sandbox_enter(SANDBOX_ENGINE, SANDBOX_FILTER));
    syscall(0x40000000 | SYS_kill, 1, 0);
}

START_TEST(the_engine_has_no_second_set_of_calls)
{
    int status = child_run(be_engine_in_x32);

    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

#endif

static void try_write_to_hub(void)
{
    (void)!write(1, "x", 1);
}

static void try_pread(void)
{
    char byte;

    (void)!pread(0, &byte, 1, 0);
}

static void try_fstat_of_a_path(void)
{
    struct stat st;

    stat("/", &st);
}

static void try_unlink(void)
{
    unlink("/dev/null/x");
}

static void try_ftruncate(void)
{
    (void)!ftruncate(0, 0);
}

static void try_lseek(void)
{
    lseek(0, 0, SEEK_END);
}

static void try_fdatasync(void)
{
    fdatasync(0);
}

static void try_ftruncate_elsewhere(void)
{
    (void)!ftruncate(1, 0);
}

static void try_shutdown_of_file(void)
{
    socket_shutdown_write(0);
}

static void try_recv_from_file(void)
{
    char byte;

    socket_recv(0, &byte, 1);
}

/* Whose filter forbids it. */
enum { WORKER = 1 << SANDBOX_WORKER, WRITER = 1 << SANDBOX_WRITER, BOTH = WORKER | WRITER };

static const struct {
    void (*what)(void);
    unsigned roles;
} forbidden[] = {
    {try_open, BOTH},
    {try_read, BOTH},
    {try_write, WORKER},
    {try_write_to_hub, WRITER},
    {try_pread, BOTH},
    {try_fstat_of_a_path, BOTH},
    {try_unlink, BOTH},
    {try_ftruncate, WORKER},
    {try_lseek, WORKER},
    {try_fdatasync, WORKER},
    {try_ftruncate_elsewhere, WRITER},
    {try_shutdown_of_file, WRITER},
    {try_close, BOTH},
    {try_socket, BOTH},
    {try_connect, BOTH},
    {try_fork, BOTH},
    {try_vfork, BOTH},
    {try_kill, BOTH},
    {try_tgkill, BOTH},
    {try_exec, BOTH},
    {try_ptrace, BOTH},
    {try_vm_read, BOTH},
    {try_sendmsg, BOTH},
    {try_recvmsg, BOTH},
    {try_mmap, BOTH},
    {try_mprotect, BOTH},
    {try_setsockopt, BOTH},
    {try_getsockopt, BOTH},
    {try_send_to_client, BOTH},
    {try_send_elsewhere, BOTH},
    {try_recv_elsewhere, BOTH},
    {try_recv_from_file, WRITER},
    {try_recv_on_minus_one, BOTH},
    {try_shutdown_of_hub, BOTH},
    {try_shutdown_elsewhere, BOTH},
    {try_sigreturn, BOTH},
    {try_fcntl, BOTH},
    {try_ioctl, BOTH},
    {try_setrlimit, BOTH},
    {try_another_filter, BOTH},
    {try_abort, BOTH},
    {try_unknown, BOTH},
#ifdef __LP64__
    {try_send_with_upper_half, BOTH},
#endif
#ifdef __x86_64__
    {try_x32, BOTH},
    {try_negative, BOTH},
    {try_32_bit, BOTH},
#endif
};

static size_t forbidden_one;

static void enter_and_try(void)
{
    sandbox_enter_here();
    forbidden[forbidden_one].what();
}

/* Passes what comes on 0 on to 1, to its end, as a worker would. */
static void relay(void)
{
    char buf[64];
    ssize_t n;

    while ((n = socket_recv(0, buf, sizeof buf)) > 0)
        MUST(socket_send(1, buf, (size_t)n) == n);
}

static void enter_and_relay(void)
{
    sandbox_enter_here();
    relay();
}

static void relay_check(const struct child *child)
{
    char byte = 0;
    struct pollfd pfd = {child->hub, POLLIN, 0};

    ck_assert_int_eq(write(child->client, "e", 1), 1);
    await_ready(&pfd, 1);
    ck_assert_int_eq(read(child->hub, &byte, 1), 1);
    ck_assert_int_eq(byte, 'e');
}

START_TEST(what_is_forbidden_ends_that_process_alone)
{
    struct child neighbour;

    child_start(&neighbour, enter_and_relay);
    relay_check(&neighbour);
    forbidden_one = (size_t)_i;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        role = roles[i];
        if ((forbidden[_i].roles & 1U << role) == 0)
            continue;
        int status = child_run(enter_and_try);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGSYS);
    }
    relay_check(&neighbour);
    ck_assert_int_eq(child_end(&neighbour), 0);
}
END_TEST

/* By number where the library would do without the kernel. */
static void use_all_that_is_allowed(void)
{
    char byte;
    struct pollfd pfd = {0, POLLIN | POLLOUT, 0};
    const struct timespec soon = {0, 1000};
    struct timespec now;

    sandbox_enter_here();
    MUST(poll(&pfd, 1, -1) == 1);
    MUST(ppoll(&pfd, 1, &soon, NULL) == 1);
    MUST(ppoll(NULL, 0, &soon, NULL) == 0);
    MUST(socket_recv(0, &byte, 1) == 1 && byte == 'a');
    MUST(socket_recv(1, &byte, 1) == 1 && byte == 'b');
    MUST(socket_send(1, "c", 1) == 1);
#ifdef SYS_clock_gettime
    MUST(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
#endif
    MUST(socket_shutdown_write(0) == 0);
}

START_TEST(what_is_allowed_works)
{
    char got[4];
    struct child child;

    child_start(&child, use_all_that_is_allowed);
    ck_assert_int_eq(write(child.hub, "b", 1), 1);
    ck_assert_int_eq(write(child.client, "a", 1), 1);
    ck_assert_int_eq(read(child.client, got, sizeof got), 0);
    ck_assert_int_eq(read(child.hub, got, sizeof got), 1);
    ck_assert_int_eq(got[0], 'c');
    ck_assert_int_eq(child_end(&child), 0);
}
END_TEST

/* The same for a writer, whose 0 is a file. */
static void use_all_that_a_writer_may(void)
{
    char path[PATH_TEXT_MAX];
    char byte;
    struct pollfd pfd = {1, POLLIN, 0};
    struct stat st;

    test_path(path, "file");
    MUST(close(0) == 0 && open(path, O_CREAT | O_RDWR | O_APPEND, 0600) == 0);
    MUST(unlink(path) == 0);
    sandbox_enter_here();
    MUST(poll(&pfd, 1, -1) == 1);
    MUST(socket_recv(1, &byte, 1) == 1 && byte == 'b');
    MUST(write(0, "torn", 4) == 4);
    MUST(ftruncate(0, 1) == 0);
    MUST(lseek(0, 0, SEEK_END) == 1);
    MUST(fdatasync(0) == 0);
    MUST(file_stat(0, &st) == 0 && st.st_size == 1 && st.st_nlink == 0);
    MUST(clock_us() > 0);
    MUST(socket_send(1, "c", 1) == 1);
}

START_TEST(what_a_writer_may_works)
{
    char got[4];
    struct child child;

    role = SANDBOX_WRITER;
    child_start(&child, use_all_that_a_writer_may);
    ck_assert_int_eq(write(child.hub, "b", 1), 1);
    ck_assert_int_eq(read(child.hub, got, sizeof got), 1);
    ck_assert_int_eq(got[0], 'c');
    ck_assert_int_eq(child_end(&child), 0);
}
END_TEST

/* Until it sleeps, which after its last word it does where the test wants it only. */
static void wait_asleep(const struct child *child)
{
    char byte;

    ck_assert_int_eq(read(child->hub, &byte, 1), 1);
    ck_assert_int_eq(byte, 'r');
    for (int64_t deadline = deadline_in(10000); process_state(child->pid) != 'S';)
        ck_assert(deadline_wait(deadline));
}

/* Signals that are ignored or that end the process need nothing of the filter. */
static void wait_for_signals(void)
{
    struct pollfd pfd = {0, POLLIN, 0};

    signal(SIGUSR1, SIG_IGN);
    sandbox_enter_here();
    MUST(socket_send(1, "r", 1) == 1);
    MUST(poll(&pfd, 1, 60000) == 1);
}

START_TEST(signals_have_their_actions)
{
    int status;
    struct child child;

    child_start(&child, wait_for_signals);
    wait_asleep(&child);
    ck_assert_int_eq(kill(child.pid, SIGUSR1), 0);
    ck_assert_int_eq(kill(child.pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(child.pid, &status, 0), child.pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    close(child.client);
    close(child.hub);
}
END_TEST

static void wait_by_poll(void)
{
    struct pollfd pfd = {0, POLLIN, 0};

    MUST(poll(&pfd, 1, 60000) == 1);
}

static void wait_by_poll_without_end(void)
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
    wait_by_poll_without_end,
    wait_by_ppoll,
    wait_by_recv,
};

static size_t wait_one;

static void enter_and_wait(void)
{
    sandbox_enter_here();
    MUST(socket_send(1, "r", 1) == 1);
    waits[wait_one]();
    relay();
}

/* A kernel continues some waits by restart_syscall(). */
START_TEST(a_stop_is_no_end)
{
    int status;
    struct child child;

    wait_one = (size_t)_i;
    child_start(&child, enter_and_wait);
    wait_asleep(&child);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(child.pid, SIGSTOP), 0);
        ck_assert_int_eq(waitpid(child.pid, &status, WUNTRACED), child.pid);
        ck_assert(WIFSTOPPED(status));
        ck_assert_int_eq(kill(child.pid, SIGCONT), 0);
        ck_assert_int_eq(waitpid(child.pid, &status, WCONTINUED), child.pid);
        ck_assert(WIFCONTINUED(status));
    }
    relay_check(&child);
    ck_assert_int_eq(child_end(&child), 0);
}
END_TEST

START_TEST(the_kernel_says_so)
{
    struct child child;

    child_start(&child, enter_and_relay);
    relay_check(&child);
    ck_assert_int_eq(process_status(child.pid, "Seccomp"), 2);
    ck_assert_int_eq(process_status(child.pid, "NoNewPrivs"), 1);
    ck_assert_int_eq(child_end(&child), 0);
}
END_TEST

#endif

int main(void)
{
    const struct test tests[] = {
        {limits_leave_nothing_to_open, COUNT_OF(roles), 10},
        {the_probe_tells_what_can_be, COUNT_OF(roles), 10},
        {tiers_have_letters, 1, 10},
#ifdef SECCOMP_ARCH
        {what_is_forbidden_ends_that_process_alone, COUNT_OF(forbidden), 20},
        {what_is_allowed_works, 1, 10},
        {what_a_writer_may_works, 1, 10},
        {the_engine_does_no_harm, 1, 10},
#ifdef __x86_64__
        {the_engine_has_no_second_set_of_calls, 1, 10},
#endif
        {signals_have_their_actions, 1, 20},
        {a_stop_is_no_end, COUNT_OF(waits), 20},
        {the_kernel_says_so, 1, 20},
#endif
    };
    return tests_run("sandbox", tests, COUNT_OF(tests));
}
