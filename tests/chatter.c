/*
 * chatter.c: see chatter.h.
 */
#define _XOPEN_SOURCE 700 /* pseudo-terminals */

#include "chatter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a single answer may take on a busy machine. */
#define ANSWER_MS 10000
#define ARGUMENTS_MAX 32
#define ENVIRONMENT_MAX 16

/* ---- Starting ------------------------------------------------------------------------ */

/* The first of a name counts. A sanitizer's options are passed on. */
static void environment_fill(char *out[ENVIRONMENT_MAX], char *text, size_t size, const char *own)
{
    static const char *const passed[] = {"PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"};
    size_t len = (size_t)snprintf(text, size, "%s\nTZ=UTC0\nTERM=xterm\n", own != NULL ? own : "");
    int n = 0;

    for (size_t i = 0; i < COUNT_OF(passed); i++)
        if (getenv(passed[i]) != NULL)
            len +=
                (size_t)snprintf(text + len, size - len, "%s=%s\n", passed[i], getenv(passed[i]));
    for (char *word = strtok(text, "\n"); word != NULL && n < ENVIRONMENT_MAX - 1;
         word = strtok(NULL, "\n"))
        out[n++] = word;
    out[n] = NULL;
}

static _Noreturn void chatter_exec(
    const int fds[3], const struct chatter_setup *setup, const char *const arguments[])
{
    const char *program = getenv("CHAT") != NULL ? getenv("CHAT") : "./chat";
    const char *argv[ARGUMENTS_MAX] = {program};
    char *environment[ENVIRONMENT_MAX];
    char text[8192];

    environment_fill(environment, text, sizeof text, setup->env);
    for (int i = 0; arguments[i] != NULL && i < ARGUMENTS_MAX - 2; i++)
        argv[i + 1] = arguments[i];
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    signal(SIGPIPE, SIG_DFL);
    execve(program, (char *const *)argv, environment);
    perror(program);
    _exit(127);
}

static void pipe_open(int *ours, int *theirs, bool we_write)
{
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    *ours = fds[we_write];
    *theirs = fds[!we_write];
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
}

/* The new process's terminal, opened by itself so that it controls it. */
static int terminal_take(const char *name)
{
    int fd;

    setsid();
    fd = open(name, O_RDWR);
    return fcntl(fd, F_DUPFD, 10); /* above what is put into its place */
}

static void chatter_start_at(
    struct chatter *chatter, const struct chatter_setup *setup, const char *const arguments[])
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    int slave;

    ck_assert_int_ge(master, 0);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    chatter->slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(chatter->slave, 0);
    ck_assert_int_eq(tcgetattr(chatter->slave, &chatter->modes), 0);
    chatter->pid = fork();
    if (chatter->pid == 0) {
        slave = terminal_take(ptsname(master));
        chatter_exec((const int[]){slave, slave, slave}, setup, arguments);
    }
    chatter->in = master;
    chatter->out.fd = fcntl(master, F_DUPFD_CLOEXEC, 0);
}

void chatter_start_as(
    struct chatter *chatter, const struct chatter_setup *setup, const char *const arguments[])
{
    int theirs[3];

    *chatter = (struct chatter){.in = -1, .slave = -1, .out.fd = -1, .err.fd = -1};
    if (setup->terminal) {
        chatter_start_at(chatter, setup, arguments);
    } else {
        pipe_open(&chatter->in, &theirs[0], true);
        pipe_open(&chatter->out.fd, &theirs[1], false);
        pipe_open(&chatter->err.fd, &theirs[2], false);
        chatter->pid = fork();
        if (chatter->pid == 0)
            chatter_exec((const int[]){setup->in > 0 ? setup->in : theirs[0],
                             setup->out > 0 ? setup->out : theirs[1], theirs[2]},
                setup, arguments);
        for (int i = 0; i < 3; i++)
            close(theirs[i]);
    }
    ck_assert_int_gt(chatter->pid, 0);
    fcntl(chatter->in, F_SETFL, O_NONBLOCK);
}

/* ---- Reading and writing ------------------------------------------------------------- */

static void sink_read(struct sink *sink)
{
    ssize_t n;

    if (sink->size - sink->len < 65536) {
        sink->size = sink->size * 2 + 131072;
        sink->at = realloc(sink->at, sink->size);
        ck_assert_ptr_nonnull(sink->at);
    }
    n = read(sink->fd, sink->at + sink->len, sink->size - sink->len - 1);
    if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
        close(sink->fd);
        sink->fd = -1;
        n = 0;
    }
    sink->len += n > 0 ? (size_t)n : 0;
    sink->at[sink->len] = '\0';
}

/* Reads what comes within a moment; with writes true returns too when it takes input. */
static void chatter_pump(struct chatter *chatter, bool writes)
{
    struct pollfd fds[] = {
        {.fd = chatter->out.fd, .events = POLLIN},
        {.fd = chatter->err.fd, .events = POLLIN},
        {.fd = writes ? chatter->in : -1, .events = POLLOUT},
    };

    poll(fds, 3, 10);
    if (fds[0].revents != 0)
        sink_read(&chatter->out);
    if (fds[1].revents != 0)
        sink_read(&chatter->err);
}

static _Noreturn void chatter_fail(const struct chatter *chatter, const char *what)
{
    size_t from = chatter->out.len > 2000 ? chatter->out.len - 2000 : 0;

    ck_abort_msg("%s\nit said: %.2000s\nand on stderr: %.2000s", what,
        chatter->out.at != NULL ? chatter->out.at + from : "",
        chatter->err.at != NULL ? chatter->err.at : "");
    abort();
}

void chatter_write(struct chatter *chatter, const char *bytes, size_t len)
{
    int64_t deadline = deadline_in(ANSWER_MS);

    while (len > 0) {
        ssize_t n = write(chatter->in, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            deadline = deadline_in(ANSWER_MS);
        } else if (errno == EAGAIN && clock_ms() < deadline) {
            chatter_pump(chatter, true);
        } else {
            chatter_fail(chatter, "it takes no input");
        }
    }
}

void chatter_type(struct chatter *chatter, const char *text)
{
    chatter_write(chatter, text, strlen(text));
}

void chatter_reads(struct chatter *chatter)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    int left = 0;

    while (ioctl(chatter->slave >= 0 ? chatter->slave : chatter->in, FIONREAD, &left) == 0 &&
           left > 0 && process_state(chatter->pid) != 'Z')
        ensure(deadline_wait(deadline), "%d bytes are not read", left);
}

void chatter_finish(struct chatter *chatter)
{
    close(chatter->in);
    chatter->in = -1;
}

static bool sink_seek(struct sink *sink, const char *pattern, const char **found)
{
    while (sink->taken < sink->len) {
        char *line = sink->at + sink->taken;
        char *lf = memchr(line, '\n', sink->len - sink->taken);
        if (lf == NULL)
            return false;
        sink->taken = (size_t)(lf + 1 - sink->at);
        *lf = '\0';
        bool match = pattern_match(pattern, line);
        if (match) {
            *found = line;
            return true;
        }
        *lf = '\n';
    }
    return false;
}

static const char *chatter_seek_in(struct chatter *chatter, struct sink *sink, const char *pattern)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    const char *found;

    while (!sink_seek(sink, pattern, &found)) {
        if (sink->fd < 0 || clock_ms() >= deadline)
            chatter_fail(chatter, pattern);
        chatter_pump(chatter, false);
    }
    return found;
}

const char *chatter_seek(struct chatter *chatter, const char *pattern)
{
    return chatter_seek_in(chatter, &chatter->out, pattern);
}

const char *chatter_seek_error(struct chatter *chatter, const char *pattern)
{
    return chatter_seek_in(chatter, &chatter->err, pattern);
}

void chatter_see(struct chatter *chatter, const char *text)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    struct sink *out = &chatter->out;
    const char *found;

    while (out->at == NULL || (found = strstr(out->at + out->taken, text)) == NULL) {
        if (out->fd < 0 || clock_ms() >= deadline)
            chatter_fail(chatter, text);
        chatter_pump(chatter, false);
    }
    out->taken = (size_t)(found - out->at) + strlen(text);
}

/* ---- The end ------------------------------------------------------------------------- */

int chatter_exit(struct chatter *chatter, int64_t ms)
{
    int64_t deadline = deadline_in(ms);
    int status;

    while (waitpid(chatter->pid, &status, WNOHANG) == 0) {
        if (clock_ms() >= deadline)
            chatter_fail(chatter, "it does not end");
        chatter_pump(chatter, false);
    }
    chatter->pid = -1;
    while (chatter->out.fd >= 0 || chatter->err.fd >= 0) {
        struct pollfd fds[] = {{chatter->out.fd, POLLIN, 0}, {chatter->err.fd, POLLIN, 0}};
        if (chatter->slave >= 0 && poll(fds, 2, 0) == 0)
            break; /* the terminal stays open on our side */
        chatter_pump(chatter, false);
        if (clock_ms() >= deadline)
            chatter_fail(chatter, "something of it is left");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void chatter_end(struct chatter *chatter)
{
    const int fds[] = {chatter->in, chatter->slave, chatter->out.fd, chatter->err.fd};

    ck_assert_int_eq(chatter->pid, -1);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(chatter->out.at);
    free(chatter->err.at);
}

int chatter_run(struct chatter *chatter, const char *input, const char *const arguments[])
{
    chatter_start_as(chatter, &(struct chatter_setup){0}, arguments);
    if (write(chatter->in, input, strlen(input)) >= 0) /* it may have ended already */
        chatter_finish(chatter);
    return chatter_exit(chatter, ANSWER_MS);
}

size_t sink_lines(const struct sink *sink)
{
    size_t n = 0;

    for (size_t i = 0; i < sink->len; i++)
        n += sink->at[i] == '\n' || sink->at[i] == '\0';
    return n;
}

void chatter_complained_once(const struct chatter *chat)
{
    ck_assert_uint_eq(sink_lines(&chat->err), 1);
    ck_assert_int_eq(strncmp(chat->err.at, "chat: ", 6), 0);
    ck_assert_uint_eq(chat->out.len, 0);
}

void chatter_said_nothing(const struct chatter *chat)
{
    ck_assert_uint_eq(chat->out.len, 0);
    ck_assert_msg(chat->err.len == 0, "on stderr: %s", chat->err.at);
}

bool relay_bytes(int from, int to)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof bytes);

    for (ssize_t done = 0; done < n;) {
        ssize_t k = write(to, bytes + done, (size_t)(n - done));
        if (k < 0)
            return false;
        done += k;
    }
    return n > 0;
}

/* ---- Servers ------------------------------------------------------------------------- */

void fake_open(struct fake *fake)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;

    *fake = (struct fake){.fd = -1};
    fake->listener = socket(AF_INET, SOCK_STREAM, 0);
    fcntl(fake->listener, F_SETFD, FD_CLOEXEC);
    ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(listen(fake->listener, 8), 0);
    getsockname(fake->listener, (struct sockaddr *)&in, &len);
    snprintf(fake->address, sizeof fake->address, "127.0.0.1:%d", ntohs(in.sin_port));
}

static void wait_for(int fd, short events, const char *what)
{
    struct pollfd ready = {fd, events, 0};

    if (poll(&ready, 1, (int)(deadline_in(ANSWER_MS) - clock_ms())) <= 0)
        ck_abort_msg("no %s", what);
}

void fake_accept(struct fake *fake)
{
    fake_hang_up(fake);
    wait_for(fake->listener, POLLIN, "connection");
    fake->fd = accept(fake->listener, NULL, NULL);
    ck_assert_int_ge(fake->fd, 0);
    fcntl(fake->fd, F_SETFD, FD_CLOEXEC);
    fcntl(fake->fd, F_SETFL, O_NONBLOCK);
    fake->held_len = 0;
}

bool fake_try_accept(struct fake *fake)
{
    struct pollfd ready = {fake->listener, POLLIN, 0};

    if (poll(&ready, 1, 0) <= 0)
        return false;
    fake_accept(fake);
    return true;
}

bool fake_send(struct fake *fake, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fake->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0) {
            wait_for(fake->fd, POLLOUT, "reader");
            continue;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

void fake_say(struct fake *fake, const char *format, ...)
{
    char line[LINE_OUT_MAX];
    va_list arguments;
    int len;

    stamp_format(line, 1795383727000000u + ++fake->stamp);
    line[STAMP_LEN] = ' ';
    va_start(arguments, format);
    len = vsnprintf(line + STAMP_LEN + 1, sizeof line - STAMP_LEN - 2, format, arguments);
    va_end(arguments);
    line[STAMP_LEN + 1 + len] = '\n';
    fake_send(fake, line, (size_t)len + STAMP_LEN + 2);
}

const char *fake_read(struct fake *fake)
{
    static char line[sizeof fake->held];

    for (;;) {
        char *lf = memchr(fake->held, '\n', fake->held_len);
        if (lf != NULL) {
            size_t len = (size_t)(lf - fake->held);
            memcpy(line, fake->held, len);
            line[len] = '\0';
            fake->held_len -= len + 1;
            memmove(fake->held, lf + 1, fake->held_len);
            return line;
        }
        wait_for(fake->fd, POLLIN, "line from the client");
        ssize_t n = read(fake->fd, fake->held + fake->held_len, sizeof fake->held - fake->held_len);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return NULL;
        fake->held_len += n > 0 ? (size_t)n : 0;
    }
}

void fake_welcome(struct fake *fake, const char *name)
{
    const char *line;

    do {
        line = fake_read(fake);
        ck_assert_ptr_nonnull(line);
    } while (line[0] == '/');
    ck_assert_str_eq(line, name);
    fake_say(fake, "here %s", name);
    fake_say(fake, "users 1");
    fake_say(fake, "you %s", name);
}

void fake_hang_up(struct fake *fake)
{
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
}

void fake_close(struct fake *fake)
{
    fake_hang_up(fake);
    close(fake->listener);
}
