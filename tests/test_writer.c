/* test_writer.c: the transcript's writer, with a file, for a hub that is this test. */
#include "compat/os.h"

#include "compat/compat.h"
#include "rig.h"
#include "server/journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST "2026-11-22T21:42:07.000001Z msg ann one\n"
#define SECOND "2026-11-22T21:42:07.000002Z msg ben two\n"
#define THIRD "2026-11-22T21:42:07.000003Z msg ann three\n"

struct writer {
    pid_t pid;
    int hub; /* the hub's end of the pair */
    char path[PATH_TEXT_MAX];
};

/* With and without -s. */
static const char sync_letters[] = {'-', 's'};

static _Noreturn void be_writer(
    int file, int pair, const char *path, const char *mode, void (*in_child)(void))
{
    static const struct proctitle no_title;

    dup2(file, 200);
    dup2(pair, 201);
    dup2(200, 0);
    dup2(201, 1);
    descriptors_close_from(3);
    if (in_child != NULL)
        in_child();
    writer_main(&no_title, path, mode);
}

/* Starts one whose file holds these bytes. */
static void writer_start_as(
    struct writer *w, const char *bytes, const char *mode, void (*in_child)(void))
{
    int pair[2];
    int file;

    test_path(w->path, "transcript");
    file = open(w->path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    ensure(file != -1, "%s: %s", w->path, strerror(errno));
    ensure(write_all(file, bytes, strlen(bytes)), "%s: %s", w->path, strerror(errno));
    ensure(socketpair_cloexec_nonblock(pair) == 0, "socketpair: %s", strerror(errno));
    w->pid = fork();
    ensure(w->pid != -1, "fork: %s", strerror(errno));
    if (w->pid == 0)
        be_writer(file, pair[1], w->path, mode, in_child);
    close(file);
    close(pair[1]);
    w->hub = pair[0];
}

static void writer_start(struct writer *w, const char *bytes, char sync)
{
    const char mode[] = {rig_sandbox(), sync, '\0'};

    writer_start_as(w, bytes, mode, NULL);
}

/* The next line from it, without its end; "" is the end of the stream. */
static void word_read(struct writer *w, char *word, size_t size)
{
    struct pollfd pfd = {.fd = w->hub, .events = POLLIN};
    size_t len = 0;

    for (;;) {
        await_ready(&pfd, 1);
        ssize_t n = recv(w->hub, word + len, 1, 0);
        ensure(n != -1 || errno == EAGAIN || errno == ECONNRESET, "recv: %s", strerror(errno));
        if (n == 0 || (n == -1 && errno == ECONNRESET) || (n == 1 && word[len] == '\n'))
            break;
        len += n == 1;
        ensure(len < size, "a word without end");
    }
    word[len] = '\0';
}

static void word_expect(struct writer *w, const char *pattern)
{
    char word[1024];

    word_read(w, word, sizeof word);
    ensure(pattern_match(pattern, word), "\"%s\" instead of \"%s\"", word, pattern);
}

static void file_expect(const struct writer *w, const char *want)
{
    char bytes[1024];
    int file = open(w->path, O_RDONLY | O_CLOEXEC);

    ensure(file != -1, "%s: %s", w->path, strerror(errno));
    ssize_t n = read(file, bytes, sizeof bytes - 1);
    close(file);
    ensure(n >= 0, "%s: %s", w->path, strerror(errno));
    bytes[n] = '\0';
    ck_assert_str_eq(bytes, want);
}

/* Waits for its end. */
static void writer_ends(struct writer *w, int exit_status)
{
    int status;

    word_expect(w, "");
    ensure(waitpid(w->pid, &status, 0) == w->pid, "waitpid: %s", strerror(errno));
    ensure(WIFEXITED(status) && WEXITSTATUS(status) == exit_status, "wait status 0x%x", status);
    close(w->hub);
}

static void writer_finish(struct writer *w)
{
    ck_assert_int_eq(shutdown(w->hub, SHUT_WR), 0);
    writer_ends(w, 0);
}

/* ---- What it writes ---- */

START_TEST(lines_are_appended)
{
    struct writer w;

    writer_start(&w, FIRST "2026-11-22T21:42:07.0000", sync_letters[_i]);
    word_expect(&w, WRITER_KEPT "2026-11-22T21:42:07.000001Z");
    file_expect(&w, FIRST);
    fd_say(w.hub, SECOND "2026-11-22");
    word_expect(&w, WRITER_KEPT "2026-11-22T21:42:07.000002Z");
    fd_say(w.hub, "T21:42:07.000003Z msg ann three\n");
    word_expect(&w, WRITER_KEPT "2026-11-22T21:42:07.000003Z");
    writer_finish(&w);
    file_expect(&w, FIRST SECOND THIRD);
}
END_TEST

static void size_limit(struct writer *w, rlim_t bytes)
{
    ck_assert_int_eq(
        prlimit(w->pid, RLIMIT_FSIZE, &(struct rlimit){bytes, RLIM_INFINITY}, NULL), 0);
}

/* A piece that the file takes in part is cut off again, and its events are counted. */
START_TEST(a_full_file)
{
    struct writer w;

    writer_start(&w, FIRST, sync_letters[0]);
    word_expect(&w, WRITER_KEPT "2026-11-22T21:42:07.000001Z");
    size_limit(&w, strlen(FIRST) + 10);
    fd_say(w.hub, SECOND);
    word_expect(&w, WRITER_WARN "*; events are missing from the transcript");
    word_expect(&w, WRITER_LOST "2026-11-22T21:42:07.000002Z");
    file_expect(&w, FIRST);
    size_limit(&w, RLIM_INFINITY);
    word_expect(&w, WRITER_KEPT "2026-11-22T21:42:07.000002Z");
    fd_say(w.hub, THIRD);
    word_expect(&w, WRITER_WARN "*: written again");
    word_expect(&w, WRITER_KEPT "2026-11-22T21:42:07.000003Z");
    writer_finish(&w);
    file_expect(&w, FIRST "2026-11-22T21:42:07.000002Z gap 1 0\n" THIRD);
}
END_TEST

START_TEST(a_removed_file)
{
    struct writer w;

    writer_start(&w, FIRST, sync_letters[_i]);
    word_expect(&w, WRITER_KEPT "*");
    unlink(w.path);
    fd_say(w.hub, SECOND);
    word_expect(&w, WRITER_WARN "*: the file was removed or replaced; *");
    word_expect(&w, "\001gone");
    word_expect(&w, WRITER_LOST "2026-11-22T21:42:07.000002Z");
    writer_finish(&w);
}
END_TEST

/* ---- The sandbox ---- */

#ifdef __linux__

START_TEST(the_filter_is_entered)
{
    struct writer w;

    if (rig_sandbox() != 'f') {
        test_skip("no filter");
        return;
    }
    writer_start(&w, FIRST, sync_letters[_i]);
    word_expect(&w, WRITER_KEPT "*");
    ck_assert_int_eq(process_status(w.pid, "Seccomp"), 2);
    ck_assert_int_eq(process_status(w.pid, "NoNewPrivs"), 1);
    writer_finish(&w);
}
END_TEST

/* Sends what the writer may not be there to read. */
static void offer(int fd, const char *bytes)
{
    ensure(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL) != -1 || errno == EPIPE, "send: %s",
        strerror(errno));
}

/* A writer that cannot enter what was announced says so, and neither writes nor answers. */
START_TEST(the_filter_is_refused)
{
    struct writer w;

    if (!filters_can_refuse()) {
        test_skip("no seccomp(2) here, as under valgrind");
        return;
    }
    writer_start_as(&w, FIRST, "f-", filters_refuse);
    offer(w.hub, SECOND);
    word_expect(&w, WRITER_WARN "*: the writer cannot enter its sandbox: Permission denied");
    writer_ends(&w, 1);
    file_expect(&w, FIRST);
}
END_TEST

#endif

START_TEST(an_unknown_sandbox)
{
    struct writer w;

    writer_start_as(&w, FIRST, _i == 0 ? "" : "xs", NULL);
    writer_ends(&w, 1);
    file_expect(&w, FIRST);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {lines_are_appended, COUNT_OF(sync_letters), 20},
        {a_full_file, 1, 30},
        {a_removed_file, COUNT_OF(sync_letters), 20},
#ifdef __linux__
        {the_filter_is_entered, COUNT_OF(sync_letters), 20},
        {the_filter_is_refused, 1, 20},
#endif
        {an_unknown_sandbox, 2, 20},
    };

    return tests_run("writer", tests, COUNT_OF(tests));
}
