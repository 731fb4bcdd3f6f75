/* nats.c: writes configurations, starts and kills servers, and asks them. */
#include "nats.h"

#include "compat/compat.h"
#include "server/cluster/nats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "nats-server"
enum { CLIENT_PORT = 4222, ROUTE_PORT = 6222 };
/* A server that has no answer by then is not waited for where another one may have it: without a
 * leader it gives none. */
#define ANSWER_MS 3000

bool nats_is_there(void)
{
    if (system("command -v " PROGRAM " >/dev/null") == 0)
        return true;
    test_skip(PROGRAM " is not installed");
    return false;
}

/* The test's own address, without a port. */
static void host_own(char out[ADDRESS_TEXT_MAX])
{
    address_own(out);
    *strchr(out, ':') = '\0';
}

void nats_address(unsigned place, char out[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];

    host_own(host);
    snprintf(out, ADDRESS_TEXT_MAX, "%.32s:%u", host, CLIENT_PORT + place);
}

void nats_list(unsigned count, char *out, size_t size)
{
    char address[ADDRESS_TEXT_MAX];

    *out = '\0';
    for (unsigned i = 0; i < count; i++) {
        nats_address(i, address);
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i > 0 ? "," : "", address);
    }
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void config_write(const struct nats *nats, const char *path)
{
    char dir[PATH_TEXT_MAX];
    char host[ADDRESS_TEXT_MAX];
    char name[32];
    FILE *file = fopen(path, "w");

    ensure(file != NULL, "%s: %s", path, strerror(errno));
    snprintf(name, sizeof name, "nats%u", nats->place);
    test_path(dir, name);
    host_own(host);
    fprintf(file, "server_name: n%u\nlisten: \"%s:%u\"\n", nats->place, host,
        CLIENT_PORT + nats->place);
    if (nats->count > 1) {
        fprintf(file, "cluster { name: c, listen: \"%s:%u\", routes: [", host,
            ROUTE_PORT + nats->place);
        for (unsigned i = 0; i < nats->count; i++)
            fprintf(file, "%s\"nats://%s:%u\"", i > 0 ? "," : "", host, ROUTE_PORT + i);
        fprintf(file, "] }\n");
    }
    for (const char *const *option = nats->options; *option != NULL; option++)
        fprintf(file, "%s\n", *option);
    if (nats->options[0] == NULL || strcmp(nats->options[0], NATS_NO_JETSTREAM) != 0)
        fprintf(file, "jetstream { store_dir: \"%s\", max_file: 4G, max_mem: 64M }\n", dir);
    fclose(file);
}

_Noreturn static void server_execute(const char *config)
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    descriptors_close_from(3);
    execlp(PROGRAM, PROGRAM, "-c", config, (char *)NULL);
    _exit(127);
}

static int server_connect(unsigned place)
{
    char host[ADDRESS_TEXT_MAX];
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)(CLIENT_PORT + place))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    host_own(host);
    ensure(fd != -1 && inet_pton(AF_INET, host, &in.sin_addr) == 1, "a socket");
    if (connect(fd, (struct sockaddr *)&in, sizeof in) == 0)
        return fd;
    close(fd);
    return -1;
}

void nats_restart(struct nats *nats)
{
    char config[PATH_TEXT_MAX];
    char name[32];
    int64_t deadline = deadline_in(10000);
    int fd;

    snprintf(name, sizeof name, "nats%u.conf", nats->place);
    test_path(config, name);
    config_write(nats, config);
    nats->pid = fork();
    ck_assert_int_ne(nats->pid, -1);
    if (nats->pid == 0)
        server_execute(config);
    while ((fd = server_connect(nats->place)) == -1)
        ensure(deadline_wait(deadline) && waitpid(nats->pid, NULL, WNOHANG) == 0,
            "nats-server does not start");
    close(fd);
}

static void server_end(struct nats *nats, int signal)
{
    kill(nats->pid, signal);
    ensure(waitpid(nats->pid, NULL, 0) == nats->pid, "nats-server is not ours");
    nats->pid = -1;
}

void nats_kill(struct nats *nats)
{
    server_end(nats, SIGKILL);
}

void nats_end(struct nats *nats)
{
    server_end(nats, SIGTERM);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Waits for the answer among all that the server says. */
static bool answer_read(int fd, int64_t deadline, char *out, size_t size)
{
    static char held[1 << 18];
    struct nats_parser parser = {0};
    struct nats_operation op;
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    size_t len = 0;

    while (clock_ms() < deadline && poll(&pfd, 1, (int)(deadline - clock_ms())) == 1) {
        ssize_t n = recv(fd, held + len, sizeof held - len, 0);
        struct span rest = {held, len + (size_t)(n > 0 ? n : 0)};
        enum nats_kind kind;

        while ((kind = nats_next(&parser, &rest, &op)) > NATS_BAD)
            if (kind == NATS_MESSAGE) {
                snprintf(out, size, "%.*s", (int)op.payload.len, op.payload.at);
                return true;
            }
        if (n <= 0 || kind == NATS_BAD)
            return false;
        memmove(held, rest.at, rest.len);
        len = rest.len;
    }
    return false;
}

static bool ask_until(int64_t deadline, unsigned place, const char *subject, const char *payload,
    char *out, size_t size)
{
    char request[2048];
    int fd = server_connect(place);
    bool answered;
    int len;

    if (payload == NULL)
        payload = "";
    if (fd == -1)
        return false;
    len = snprintf(request, sizeof request,
        "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n"
        "SUB _INBOX.test 1\r\nPUB %s _INBOX.test %zu\r\n%s\r\n",
        subject, strlen(payload), payload);
    answered = write_all(fd, request, (size_t)len) && answer_read(fd, deadline, out, size);
    close(fd);
    return answered;
}

bool nats_ask(unsigned place, const char *subject, const char *payload, char *out, size_t size)
{
    return ask_until(deadline_in(ANSWER_MS), place, subject, payload, out, size);
}

static bool api_succeeds(const char *subject, const char *payload, const char *word)
{
    char answer[8192];

    return ask_until(clock_ms() + ANSWER_MS, 0, subject, payload, answer, sizeof answer) &&
           strstr(answer, word) != NULL;
}

/* Waits until a stream can have a replica at each of the servers: until then an engine might have
 * to do with fewer. */
static void replicas_await(unsigned count)
{
    int64_t deadline = deadline_in(30000);
    char request[128];

    snprintf(request, sizeof request,
        "{\"name\":\"PROBE\",\"subjects\":[\"probe\"],\"num_replicas\":%u}", count);
    while (!api_succeeds("$JS.API.STREAM.CREATE.PROBE", request, "\"created\""))
        ensure(deadline_wait(deadline), "the servers do not find each other");
    while (!api_succeeds("$JS.API.STREAM.DELETE.PROBE", NULL, "\"success\":true") &&
           !api_succeeds("$JS.API.STREAM.INFO.PROBE", NULL, "not found"))
        ensure(deadline_wait(deadline), "the probe stays");
}

void nats_start(struct nats *nats, unsigned count, const char *const options[])
{
    for (unsigned i = 0; i < count; i++) {
        nats[i] = (struct nats){.place = i, .count = count, .options = options};
        nats_restart(&nats[i]);
    }
    if (count > 1)
        replicas_await(count);
}

void nats_fill(unsigned place, const char *subject, unsigned count)
{
    char line[256];
    char answer[1024];
    int fd = server_connect(place);
    int len = snprintf(line, sizeof line, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.test 1\r\n");

    ensure(fd != -1 && write_all(fd, line, (size_t)len), "no connection");
    for (unsigned i = 1; i <= count; i++) {
        len = snprintf(
            line, sizeof line, "PUB %s %s 1\r\nx\r\n", subject, i == count ? "_INBOX.test" : "");
        ensure(write_all(fd, line, (size_t)len), "message %u", i);
    }
    ensure(answer_read(fd, deadline_in(ANSWER_MS), answer, sizeof answer), "no answer");
    close(fd);
}

/* How many replicas have all that the leader has. */
static unsigned count_current(const char *answer)
{
    static const char current[] = "\"current\":true";
    unsigned count = 0;

    while ((answer = strstr(answer, current)) != NULL) {
        count++;
        answer += sizeof current - 1;
    }
    return count;
}

/* followers: how many of the other servers run. */
static bool leader_of(unsigned place, unsigned followers, const char *room, unsigned *leader)
{
    char subject[128];
    char answer[8192];
    const char *found;

    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.CHAT_%s", room);
    if (!ask_until(clock_ms() + ANSWER_MS, place, subject, NULL, answer, sizeof answer))
        return false;
    found = strstr(answer, "\"leader\":\"n");
    return found != NULL && sscanf(found, "\"leader\":\"n%u\"", leader) == 1 &&
           count_current(answer) >= followers;
}

bool nats_has_leader(const struct nats *nats, unsigned count, const char *room, unsigned *leader)
{
    int64_t deadline = deadline_in(15000);
    unsigned running = 0;

    for (unsigned i = 0; i < count; i++)
        running += nats[i].pid != -1;
    for (unsigned i = 0;; i = (i + 1) % count) {
        if (nats[i].pid != -1 && leader_of(i, running - 1, room, leader) && *leader < count &&
            nats[*leader].pid != -1)
            return true;
        if (!deadline_wait(deadline))
            return false;
    }
}

unsigned nats_leader(const struct nats *nats, unsigned count, const char *room)
{
    unsigned leader = 0;

    ensure(nats_has_leader(nats, count, room, &leader), "the stream has no leader");
    return leader;
}
