/* connect.c: lookups in a thread, sockets without blocking, and the deadline of both. */
#include "connect.h"

#include "../compat/compat.h"
#include "clock.h"
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* A Unix-domain listener with a full queue never becomes ready: try again after so many ms. */
#define QUEUE_PAUSE 20

/* Fits `[host]:port`, and any path that a socket can have. */
#define ADDRESS_TEXT_MAX 300

static void failure_set(
    struct connect_failure *failure, int status, const char *what, const char *why)
{
    failure->status = status;
    failure->hint[0] = '\0';
    snprintf(failure->text, sizeof failure->text, "%s: %s", what, why);
}

/* ---- Looking up ---------------------------------------------------------------------- */

/* Shared by the caller and the thread; the last of the two frees it. */
struct lookup {
    pthread_mutex_t lock;
    bool done;
    bool abandoned;
    int answer[2]; /* a byte comes through when it is done */
    char host[sizeof((struct address *)0)->host];
    char port[sizeof((struct address *)0)->port];
    int error;
    struct addrinfo *found;
};

static int lookup_call(const char *host, const char *port, int flags, struct addrinfo **found)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};

    *found = NULL;
    return getaddrinfo(host, port, &hints, found);
}

static void lookup_free(struct lookup *lookup)
{
    if (lookup->found != NULL)
        freeaddrinfo(lookup->found);
    close(lookup->answer[0]);
    close(lookup->answer[1]);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

static struct lookup *lookup_new(const struct address *address)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);

    if (lookup == NULL)
        return NULL;
    if (pipe(lookup->answer) < 0) {
        free(lookup);
        return NULL;
    }
    fcntl(lookup->answer[0], F_SETFD, FD_CLOEXEC);
    fcntl(lookup->answer[1], F_SETFD, FD_CLOEXEC);
    pthread_mutex_init(&lookup->lock, NULL);
    memcpy(lookup->host, address->host, sizeof lookup->host);
    memcpy(lookup->port, address->port, sizeof lookup->port);
    return lookup;
}

static void *lookup_thread(void *argument)
{
    struct lookup *lookup = argument;
    struct addrinfo *found;
    int error = lookup_call(lookup->host, lookup->port, 0, &found);
    bool abandoned;

    pthread_mutex_lock(&lookup->lock);
    lookup->error = error;
    lookup->found = error == 0 ? found : NULL;
    lookup->done = true;
    abandoned = lookup->abandoned;
    while (!abandoned && write(lookup->answer[1], "", 1) < 0 && errno == EINTR)
        continue;
    pthread_mutex_unlock(&lookup->lock);
    if (abandoned)
        lookup_free(lookup);
    return NULL;
}

/* Starts the thread, which handles no signal. */
static bool lookup_start(struct lookup *lookup)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&thread, &detached, lookup_thread, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return started;
}

/* Waits for the answer; false when it did not come in time, and then the thread has the lookup. */
static bool lookup_wait(struct lookup *lookup, int64_t deadline)
{
    struct pollfd answer = {.fd = lookup->answer[0], .events = POLLIN};
    bool done;

    while (poll(&answer, 1, clock_left(deadline)) < 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&lookup->lock);
    done = lookup->done;
    lookup->abandoned = !done;
    pthread_mutex_unlock(&lookup->lock);
    return done;
}

/* The host's addresses, which the caller frees; NULL and the failure where there are none. */
static struct addrinfo *host_lookup(
    const struct address *address, int64_t deadline, struct connect_failure *failure)
{
    struct addrinfo *found;
    struct lookup *lookup;

    if (lookup_call(address->host, address->port, AI_NUMERICHOST, &found) == 0)
        return found;
    lookup = lookup_new(address);
    if (lookup == NULL || !lookup_start(lookup)) {
        failure_set(failure, EX_OSERR, address->host, strerror(errno));
        if (lookup != NULL)
            lookup_free(lookup);
        return NULL;
    }
    if (!lookup_wait(lookup, deadline)) {
        failure_set(failure, EX_NOHOST, address->host, "unknown host (its look-up takes too long)");
        return NULL;
    }
    found = lookup->found;
    lookup->found = NULL;
    if (found == NULL)
        failure_set(failure, EX_NOHOST, address->host, gai_strerror(lookup->error));
    lookup_free(lookup);
    return found;
}

/* ---- Connecting ---------------------------------------------------------------------- */

static int socket_new(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Waits for the end of a connect(2) under way; 0 or an errno. */
static int socket_wait(int fd, int64_t deadline)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    int n;

    do
        n = poll(&ready, 1, clock_left(deadline));
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ETIMEDOUT;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    return error;
}

/* Returns the socket, or -1 with errno. */
static int socket_connect(const struct sockaddr *to, socklen_t len, int64_t deadline)
{
    int fd = socket_new(to->sa_family);
    int error = 0;

    if (fd < 0)
        return -1;
    while (connect(fd, to, len) < 0) {
        error = errno;
        if (error == EINTR || error == EINPROGRESS)
            error = socket_wait(fd, deadline);
        if (error != EAGAIN)
            break;
        if (clock_left(deadline) == 0) {
            error = ETIMEDOUT;
            break;
        }
        poll(NULL, 0, QUEUE_PAUSE);
        error = 0;
    }
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static int connect_path(const char *path, int64_t deadline)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof to.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    return socket_connect((const struct sockaddr *)&to, sizeof to, deadline);
}

/* Tries them all; -1 with errno, a refusal if one of them has refused. */
static int connect_first(const struct addrinfo *found, int64_t deadline)
{
    int left = 0;
    int error = 0;

    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
        left++;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next, left--) {
        int64_t share = clock_now() + clock_left(deadline) / left;
        int fd = socket_connect(at->ai_addr, at->ai_addrlen, share);
        if (fd >= 0)
            return fd;
        if (error != ECONNREFUSED)
            error = errno;
    }
    errno = error;
    return -1;
}

static void address_text(char out[ADDRESS_TEXT_MAX], const struct address *address)
{
    bool bracket = strchr(address->host, ':') != NULL;

    if (address->kind == ADDRESS_PATH)
        snprintf(out, ADDRESS_TEXT_MAX, "%s", address->path);
    else
        snprintf(
            out, ADDRESS_TEXT_MAX, bracket ? "[%s]:%s" : "%s:%s", address->host, address->port);
}

/* The user could start a chatd there. */
static bool address_is_local(const struct address *address)
{
    return address->kind == ADDRESS_PATH || strcmp(address->host, "localhost") == 0 ||
           strncmp(address->host, "127.", 4) == 0 || strcmp(address->host, "::1") == 0;
}

/* Something else is there, and chatd would not replace it. */
static bool address_is_taken(const struct address *address)
{
    struct stat there;

    return address->kind == ADDRESS_PATH && stat(address->path, &there) == 0 &&
           !S_ISSOCK(there.st_mode);
}

static void connect_explain(
    struct connect_failure *failure, const struct address *address, int error)
{
    char text[ADDRESS_TEXT_MAX];
    bool standard = address->kind == ADDRESS_INET &&
                    strcmp(address->host, CHAT_DEFAULT_HOST) == 0 &&
                    strcmp(address->port, CHAT_DEFAULT_PORT) == 0;

    address_text(text, address);
    if (error == ETIMEDOUT) {
        failure_set(failure, EX_UNAVAILABLE, text, "no answer");
    } else if (address_is_taken(address)) {
        failure_set(failure, EX_UNAVAILABLE, text, "not a socket");
    } else if (error != ECONNREFUSED && error != ENOENT) {
        failure_set(failure, EX_UNAVAILABLE, text, strerror(error));
    } else {
        *failure = (struct connect_failure){.status = EX_UNAVAILABLE};
        snprintf(failure->text, sizeof failure->text, "nobody listens on %s", text);
        if (address_is_local(address))
            snprintf(failure->hint, sizeof failure->hint, "; start a room with: chatd%s%s",
                standard ? "" : " -l ", standard ? "" : text);
    }
}

int connect_server(const struct address *address, int64_t deadline, struct connect_failure *failure)
{
    struct addrinfo *found;
    int fd;

    if (address->kind == ADDRESS_PATH) {
        fd = connect_path(address->path, deadline);
        if (fd < 0)
            connect_explain(failure, address, errno);
        return fd;
    }
    found = host_lookup(address, deadline, failure);
    if (found == NULL)
        return -1;
    fd = connect_first(found, deadline);
    if (fd < 0)
        connect_explain(failure, address, errno);
    else
        tcp_prepare(fd);
    freeaddrinfo(found);
    return fd;
}

int connect_command(const char *command, pid_t *pid, struct connect_failure *failure)
{
    int pair[2];

    if (socketpair_cloexec_nonblock(pair) == 0) {
        fcntl(pair[1], F_SETFL, 0); /* the command expects to wait */
        *pid = command_start(command, pair[1], pair[1]);
        close(pair[1]);
        if (*pid > 0)
            return pair[0];
        close(pair[0]);
    }
    failure_set(failure, EX_OSERR, command, strerror(errno));
    return -1;
}
