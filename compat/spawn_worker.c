/* The program's one fork: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

/*
 * An operator who sends one of these to all processes of the service means the parent. From its
 * first instant the child has them blocked.
 */
static void parents_signals(sigset_t *set)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(set, signals[i]);
}

/*
 * The portable way. On Linux it copies no memory either, but the whole table of descriptors, only
 * to close them all again: with 10 000 of them that is as much work as starting the program.
 * -DUSE_POSIX_SPAWN takes it there too, for valgrind and the thread sanitizer, which do not
 * understand the other.
 */
static int actions_fill(
    posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, int fd0, int fd1)
{
    sigset_t all, blocked;

    parents_signals(&blocked);
    sigfillset(&all);
    sigdelset(&all, SIGKILL); /* some systems object to these two */
    sigdelset(&all, SIGSTOP);
    int error = posix_spawn_file_actions_adddup2(actions, fd0, STDIN_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, fd1, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
    if (error == 0)
        error = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attr, &all);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attr, &blocked);
    return error;
}

static pid_t spawn_portably(const char *path, char *const argv[], int fd0, int fd1)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    char *none[] = {NULL};
    pid_t pid = -1;

    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        errno = error;
        return -1;
    }
    error = posix_spawnattr_init(&attr);
    if (error == 0) {
        error = actions_fill(&actions, &attr, fd0, fd1);
        if (error == 0)
            error = posix_spawn(&pid, path, &actions, &attr, argv, none);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    errno = error;
    return error == 0 ? pid : -1;
}

#if defined(__linux__) && !defined(USE_POSIX_SPAWN)

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9, the same number everywhere */
#endif
#define CLOSE_RANGE_OWN_TABLE (1U << 1) /* CLOSE_RANGE_UNSHARE */

/* The child's stack. It makes a few system calls there and nothing else. */
enum { CHILD_STACK = 32 * 1024 };

/* Shared by parent and child, which run in the same memory: the child's arguments and its result.
 */
struct spawn {
    const char *path;
    char *const *argv;
    sigset_t blocked;
    int error;
    bool unable; /* this system refuses the fast way; use the portable one */
};

/*
 * Runs in the parent's memory while the parent sleeps, on this small stack, with all signals
 * blocked; and until the first call in the parent's descriptor table too. That call gives it one
 * of its own, of which only 0, 1 and 2 have to be copied. An ignored signal would stay ignored
 * over the execution, and a handler could still be run before it: so all go to their default, but
 * for the real-time signals, which nothing here uses and which are as many calls again.
 */
static int spawn_child(void *arg)
{
    struct spawn *spawn = arg;
    struct sigaction action = {.sa_handler = SIG_DFL};
    char *none[] = {NULL};

    if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_OWN_TABLE) == -1) {
        spawn->unable = true;
        _exit(1);
    }
    close(STDERR_FILENO);
    if (open("/dev/null", O_RDWR) == STDERR_FILENO) {
        for (int sig = 1; sig < SIGRTMIN; sig++)
            sigaction(sig, &action, NULL);
        sigprocmask(SIG_SETMASK, &spawn->blocked, NULL);
        execve(spawn->path, spawn->argv, none);
    }
    spawn->error = errno;
    _exit(1);
}

static pid_t child_start(struct spawn *spawn)
{
    _Alignas(16) char stack[CHILD_STACK];

    pid_t pid = clone(
        spawn_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, spawn);
    if (pid == -1 && errno == EINVAL)
        spawn->unable = true; /* an emulated kernel */
    return pid;
}

/* Runs child_start() while fd0 and fd1 are this process's own 0 and 1: only low descriptors are
 * taken into the child's table cheaply. */
static pid_t child_start_with(struct spawn *spawn, int fd0, int fd1)
{
    pid_t pid = -1;
    int saved0 = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int saved1 = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;

    if (saved0 != -1 && saved1 != -1) {
        if (dup2(fd0, STDIN_FILENO) != -1 && dup2(fd1, STDOUT_FILENO) != -1)
            pid = child_start(spawn);
        error = errno;
        dup2(saved0, STDIN_FILENO);
        dup2(saved1, STDOUT_FILENO);
    }
    if (saved0 != -1)
        close(saved0);
    if (saved1 != -1)
        close(saved1);
    errno = error;
    return pid;
}

pid_t spawn_worker(const char *path, char *const argv[], int fd0, int fd1)
{
    struct spawn spawn = {.path = path, .argv = argv};
    sigset_t all, old;

    parents_signals(&spawn.blocked);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid_t pid = child_start_with(&spawn, fd0, fd1);
    int error = errno;
    if (pid != -1 && (spawn.unable || spawn.error != 0)) {
        while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
            ;
        error = spawn.error;
        pid = -1;
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (spawn.unable)
        return spawn_portably(path, argv, fd0, fd1);
    errno = error;
    return pid;
}

#else

pid_t spawn_worker(const char *path, char *const argv[], int fd0, int fd1)
{
    return spawn_portably(path, argv, fd0, fd1);
}

#endif
