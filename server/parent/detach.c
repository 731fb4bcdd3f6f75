/* detach.c: the fork, and the pipe by which the parent learns how the start has ended. */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* Runs in the process that was called: a byte says that the other is ready, its end that it is
 * not to be. */
static _Noreturn void wait_for_child(int ready, pid_t pid)
{
    char byte;
    int status;
    ssize_t n;

    while ((n = read(ready, &byte, 1)) == -1 && errno == EINTR)
        ;
    if (n == 1)
        _exit(0);
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            _exit(EX_OSERR);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_OSERR);
}

int detach_begin(void)
{
    struct sigaction sa = {.sa_handler = SIG_DFL};
    int ready[2];
    pid_t pid;

    /* It may have been inherited as ignored, and children would leave no status. */
    sigaction(SIGCHLD, &sa, NULL);
    if (pipe(ready) == -1)
        return -1;
    pid = fork();
    if (pid > 0) {
        close(ready[1]);
        wait_for_child(ready[0], pid);
    }
    close(ready[0]);
    if (pid == -1) {
        int error = errno;

        close(ready[1]);
        errno = error;
        return -1;
    }
    (void)fcntl(ready[1], F_SETFD, FD_CLOEXEC);
    return ready[1];
}

void detach_finish(int ready)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ssize_t n;

    (void)setsid();
    if (chdir("/") == -1) {
        /* Then a directory cannot be unmounted, no more. */
    }
    for (int fd = STDIN_FILENO; null != -1 && fd <= STDERR_FILENO; fd++)
        (void)dup2(null, fd);
    if (null != -1)
        close(null);
    do
        n = write(ready, "", 1);
    while (n == -1 && errno == EINTR);
    close(ready);
}
