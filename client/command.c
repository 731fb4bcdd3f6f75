/* command.c: starts /bin/sh with posix_spawn(), and waits for its end. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Between two looks at a process that may have ended. */
#define LOOK_PAUSE 10
/* After SIGTERM. */
#define TERM_GRACE 1000

/* A user is at the terminal, and only its foreground process group may ask them something. */
static bool terminal_is_ours(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool ours = fd >= 0 && tcgetpgrp(fd) == getpgrp();

    if (fd >= 0)
        close(fd);
    return ours;
}

/* The group; and undoes what the client does to its own signals. */
static void command_attributes(posix_spawnattr_t *attributes)
{
    short group = terminal_is_ours() ? 0 : POSIX_SPAWN_SETPGROUP;
    sigset_t none, pipe_only;

    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &pipe_only);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(
        attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
}

pid_t command_start(const char *command, int in, int out)
{
    char sh[] = "sh", dash_c[] = "-c";
    char *arguments[] = {sh, dash_c, (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = -1;
    int error = posix_spawn_file_actions_init(&actions);

    if (error == 0)
        error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        command_attributes(&attributes);
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        error = posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    errno = error;
    return error == 0 ? pid : -1;
}

static bool command_wait(pid_t pid, int ms, int *status)
{
    for (; ms >= 0; ms -= LOOK_PAUSE) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid)
            return true;
        if (ended < 0 && errno != EINTR) {
            *status = -1;
            return true;
        }
        poll(NULL, 0, LOOK_PAUSE);
    }
    return false;
}

int command_end(pid_t pid, int grace_ms)
{
    int status;

    if (command_wait(pid, grace_ms, &status))
        return status;
    if (kill(-pid, SIGTERM) < 0)
        kill(pid, SIGTERM);
    return command_wait(pid, TERM_GRACE, &status) ? status : -1;
}
