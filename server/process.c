/* process.c: ignores signals and sets the process's title. */
#include "process.h"

#include <signal.h>
#include <string.h>

void process_begin(const struct proctitle *title, const char *name)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    static const int ignored[] = {
        SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)sigaction(ignored[i], &ignore, NULL);
    proctitle_set(title, name, strlen(name));
}
