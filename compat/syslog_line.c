/* A line for the system's log: see compat.h. */
#include "os.h"

#include "compat.h"

#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)

#include <sys/un.h>

/* syslog(3) waits as long as the log's reader does not read. */
int syslog_connect(const char *name)
{
    (void)name;
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Not connected: who reads the log may be restarted. */
bool syslog_line(int fd, const char *name, int priority, const char *text)
{
    static const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char line[2048];
    char when[32];
    struct tm tm;
    time_t now = time(NULL);
    int n;

    if (fd == -1 || localtime_r(&now, &tm) == NULL ||
        strftime(when, sizeof when, "%b %e %H:%M:%S", &tm) == 0)
        return false;
    n = snprintf(line, sizeof line, "<%d>%s %s[%ld]: %s", LOG_DAEMON | priority, when, name,
        (long)getpid(), text);
    if (n < 0)
        return false;
    return sendto(fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1, MSG_NOSIGNAL,
               (const struct sockaddr *)&to, sizeof to) != -1;
}

#else

int syslog_connect(const char *name)
{
    openlog(name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    return -1;
}

bool syslog_line(int fd, const char *name, int priority, const char *text)
{
    (void)fd;
    (void)name;
    syslog(priority, "%s", text);
    return true;
}

#endif
