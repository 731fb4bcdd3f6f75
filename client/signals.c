/* signals.c: the handler, and the pipe that it writes to. */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* Greater than the number of every signal that is caught here. */
#define SIGNALS_MAX 64

/* In a handler nothing can wait for the kernel to do better. */
#define WAKE_TRIES 100

static volatile sig_atomic_t signals_wake = -1;
static volatile sig_atomic_t signals_caught[SIGNALS_MAX];

static void signals_handle(int signal)
{
    int error = errno;

    signals_caught[signal] = 1;
    /* A full pipe wakes as well. */
    for (int i = 0; i < WAKE_TRIES && write(signals_wake, "", 1) < 0 && errno != EAGAIN; i++)
        continue;
    errno = error;
}

static void signals_set(int signal, void (*action)(int))
{
    struct sigaction act = {.sa_handler = action, .sa_flags = SA_RESTART};

    sigemptyset(&act.sa_mask);
    sigaction(signal, &act, NULL);
}

void signals_init(int wake)
{
    signals_wake = wake;
    signals_set(SIGPIPE, SIG_IGN);
}

void signals_catch(int signal)
{
    struct sigaction before;

    sigaction(signal, NULL, &before);
    if (before.sa_handler != SIG_IGN || signal == SIGCHLD)
        signals_set(signal, signals_handle);
}

bool signals_take(int signal)
{
    bool caught = signals_caught[signal];

    signals_caught[signal] = 0;
    return caught;
}

void signals_suffer(int signal)
{
    sigset_t mask;

    signals_set(signal, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, signal);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    kill(signal == SIGTSTP ? 0 : getpid(), signal);
    signals_set(signal, signals_handle);
}
