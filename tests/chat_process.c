/* chat_process.c: the pipes or the terminal of the process, and the mock server. */
#define _XOPEN_SOURCE 700 /* pseudo-terminals */

#include "chat_process.h"

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

static _Noreturn void chat_exec(
    const int fds[3], const struct chat_setup *setup, const char *const arguments[])
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

static void chat_start_at(
    struct chat *chat, const struct chat_setup *setup, const char *const arguments[])
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    int slave;

    ck_assert_int_ge(master, 0);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    chat->slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(chat->slave, 0);
    ck_assert_int_eq(tcgetattr(chat->slave, &chat->modes), 0);
    chat->pid = fork();
    if (chat->pid == 0) {
        slave = terminal_take(ptsname(master));
        chat_exec((const int[]){slave, slave, slave}, setup, arguments);
    }
    chat->in = master;
    chat->out.fd = fcntl(master, F_DUPFD_CLOEXEC, 0);
}

void chat_start_as(struct chat *chat, const struct chat_setup *setup, const char *const arguments[])
{
    int theirs[3];

    *chat = (struct chat){.in = -1, .slave = -1, .out.fd = -1, .err.fd = -1};
    if (setup->terminal) {
        chat_start_at(chat, setup, arguments);
    } else {
        pipe_open(&chat->in, &theirs[0], true);
        pipe_open(&chat->out.fd, &theirs[1], false);
        pipe_open(&chat->err.fd, &theirs[2], false);
        chat->pid = fork();
        if (chat->pid == 0)
            chat_exec((const int[]){setup->in > 0 ? setup->in : theirs[0],
                          setup->out > 0 ? setup->out : theirs[1], theirs[2]},
                setup, arguments);
        for (int i = 0; i < 3; i++)
            close(theirs[i]);
    }
    ck_assert_int_gt(chat->pid, 0);
    fcntl(chat->in, F_SETFL, O_NONBLOCK);
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
static void chat_pump(struct chat *chat, bool writes)
{
    struct pollfd fds[] = {
        {.fd = chat->out.fd, .events = POLLIN},
        {.fd = chat->err.fd, .events = POLLIN},
        {.fd = writes ? chat->in : -1, .events = POLLOUT},
    };

    poll(fds, 3, 10);
    if (fds[0].revents != 0)
        sink_read(&chat->out);
    if (fds[1].revents != 0)
        sink_read(&chat->err);
}

static _Noreturn void chat_fail(const struct chat *chat, const char *what)
{
    size_t from = chat->out.len > 2000 ? chat->out.len - 2000 : 0;

    ck_abort_msg("%s\nit said: %.2000s\nand on stderr: %.2000s", what,
        chat->out.at != NULL ? chat->out.at + from : "", chat->err.at != NULL ? chat->err.at : "");
    abort();
}

void chat_write(struct chat *chat, const char *bytes, size_t len)
{
    int64_t deadline = deadline_in(ANSWER_MS);

    while (len > 0) {
        ssize_t n = write(chat->in, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            deadline = deadline_in(ANSWER_MS);
        } else if (errno == EAGAIN && clock_ms() < deadline) {
            chat_pump(chat, true);
        } else {
            chat_fail(chat, "it takes no input");
        }
    }
}

void chat_type(struct chat *chat, const char *text)
{
    chat_write(chat, text, strlen(text));
}

void chat_reads(struct chat *chat)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    int left = 0;

    while (ioctl(chat->slave >= 0 ? chat->slave : chat->in, FIONREAD, &left) == 0 && left > 0 &&
           process_state(chat->pid) != 'Z')
        ensure(deadline_wait(deadline), "%d bytes are not read", left);
}

void chat_finish(struct chat *chat)
{
    close(chat->in);
    chat->in = -1;
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

static const char *chat_seek_in(struct chat *chat, struct sink *sink, const char *pattern)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    const char *found;

    while (!sink_seek(sink, pattern, &found)) {
        if (sink->fd < 0 || clock_ms() >= deadline)
            chat_fail(chat, pattern);
        chat_pump(chat, false);
    }
    return found;
}

const char *chat_seek(struct chat *chat, const char *pattern)
{
    return chat_seek_in(chat, &chat->out, pattern);
}

const char *chat_seek_error(struct chat *chat, const char *pattern)
{
    return chat_seek_in(chat, &chat->err, pattern);
}

void chat_see(struct chat *chat, const char *text)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    struct sink *out = &chat->out;
    const char *found;

    while (out->at == NULL || (found = strstr(out->at + out->taken, text)) == NULL) {
        if (out->fd < 0 || clock_ms() >= deadline)
            chat_fail(chat, text);
        chat_pump(chat, false);
    }
    out->taken = (size_t)(found - out->at) + strlen(text);
}

/* ---- The end ------------------------------------------------------------------------- */

int chat_exit(struct chat *chat, int64_t ms)
{
    int64_t deadline = deadline_in(ms);
    int status;

    while (waitpid(chat->pid, &status, WNOHANG) == 0) {
        if (clock_ms() >= deadline)
            chat_fail(chat, "it does not end");
        chat_pump(chat, false);
    }
    chat->pid = -1;
    while (chat->out.fd >= 0 || chat->err.fd >= 0) {
        struct pollfd fds[] = {{chat->out.fd, POLLIN, 0}, {chat->err.fd, POLLIN, 0}};
        if (chat->slave >= 0 && poll(fds, 2, 0) == 0)
            break; /* the terminal stays open on our side */
        chat_pump(chat, false);
        if (clock_ms() >= deadline)
            chat_fail(chat, "something of it is left");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void chat_end(struct chat *chat)
{
    const int fds[] = {chat->in, chat->slave, chat->out.fd, chat->err.fd};

    ck_assert_int_eq(chat->pid, -1);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(chat->out.at);
    free(chat->err.at);
}

int chat_run(struct chat *chat, const char *input, const char *const arguments[])
{
    chat_start_as(chat, &(struct chat_setup){0}, arguments);
    if (write(chat->in, input, strlen(input)) >= 0) /* it may have ended already */
        chat_finish(chat);
    return chat_exit(chat, ANSWER_MS);
}

size_t sink_lines(const struct sink *sink)
{
    size_t n = 0;

    for (size_t i = 0; i < sink->len; i++)
        n += sink->at[i] == '\n' || sink->at[i] == '\0';
    return n;
}

void chat_complained_once(const struct chat *chat)
{
    ck_assert_uint_eq(sink_lines(&chat->err), 1);
    ck_assert_int_eq(strncmp(chat->err.at, "chat: ", 6), 0);
    ck_assert_uint_eq(chat->out.len, 0);
}

void chat_said_nothing(const struct chat *chat)
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
