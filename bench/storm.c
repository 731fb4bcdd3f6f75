#define _GNU_SOURCE
#include "bench/storm.h"
#include "bench/crowd.h"
#include "bench/meter.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* After a pause of the machine, this many connections at most are opened without a look at the
 * control socket. */
#define CATCH_UP_MAX 100

bool storm_parse(struct storm *s, const char *text)
{
    static const char *const kinds[] = {
        [STORM_NONE] = "none",
        [STORM_SILENT] = "silent",
        [STORM_RESET] = "reset",
        [STORM_BYTES] = "bytes",
        [STORM_LOGIN] = "login",
    };
    size_t len = strcspn(text, ":");
    *s = (struct storm){.control = -1, .sources = text[len] ? (unsigned)atoi(text + len + 1) : 0};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i]) == len && memcmp(kinds[i], text, len) == 0) {
            s->kind = (enum storm_kind)i;
            return true;
        }
    }
    return false;
}

static void source_bind(int fd, unsigned source)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    int on = 1;
    sin.sin_addr.s_addr = htonl(0x7f020000u + source + 1);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sin, sizeof sin) != 0)
        perror("load: storm: bind");
}

static void connection_use(int fd, enum storm_kind kind, uint64_t number)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    char text[16];
    int len = 0;
    switch (kind) {
    case STORM_NONE:
    case STORM_SILENT:
        break;
    case STORM_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        break;
    case STORM_BYTES:
        len = snprintf(text, sizeof text, "stranger");
        break;
    case STORM_LOGIN:
        len = snprintf(text, sizeof text, "s%05u\n", (unsigned)(number % 100000));
        break;
    }
    if (len > 0)
        send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* True if the connection was made. */
static bool connection_open_and_close(
    const struct storm *s, const struct sockaddr_storage *to, socklen_t len, uint64_t number)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (s->sources > 0 && to->ss_family == AF_INET)
        source_bind(fd, (unsigned)(number % s->sources));
    bool open = connect(fd, (const struct sockaddr *)to, len) == 0;
    /* Loopback answers at once unless the listener's queue is full. */
    if (!open && errno == EINPROGRESS)
        open = poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 0) == 1;
    if (open)
        connection_use(fd, s->kind, number);
    close(fd);
    return open;
}

static _Noreturn void storm_run(const struct storm *s, int control,
    const struct sockaddr_storage *to, socklen_t len, unsigned per_second)
{
    struct storm_result r = {0, 0, 0};
    struct pollfd end = {.fd = control, .events = POLLIN};
    uint64_t start = clock_now();
    uint64_t period = NS_PER_S / per_second;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t number = 0; poll(&end, 1, 1) == 0;) {
        for (int n = 0; n < CATCH_UP_MAX && clock_now() - start >= number * period; n++) {
            if (connection_open_and_close(s, to, len, number++))
                r.opened++;
            else
                r.failed++;
        }
    }
    r.seconds = (double)(clock_now() - start) / NS_PER_S;
    _exit(write(control, &r, sizeof r) == sizeof r ? 0 : 1);
}

void storm_start(
    struct storm *s, const struct sockaddr_storage *to, socklen_t len, unsigned per_second)
{
    int pair[2];
    if (s->kind == STORM_NONE)
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || (s->pid = fork()) < 0) {
        perror("load: storm");
        exit(71);
    }
    if (s->pid == 0) {
        close(pair[0]);
        storm_run(s, pair[1], to, len, per_second);
    }
    close(pair[1]);
    s->control = pair[0];
}

void storm_stop(struct storm *s, struct storm_result *r)
{
    *r = (struct storm_result){0, 0, 0};
    if (s->kind == STORM_NONE)
        return;
    shutdown(s->control, SHUT_WR);
    if (read(s->control, r, sizeof *r) != sizeof *r)
        fprintf(stderr, "load: the storm did not say what it did\n");
    close(s->control);
    waitpid(s->pid, NULL, 0);
}
