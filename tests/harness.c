/*
 * harness.c: starts servers, connects to them, and reads what they say with a deadline for
 * everything. Processes are looked at through /proc.
 */
#include "harness.h"
#include "wire/address.h"
#include "wire/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Deadlines are for a machine that has nothing else to do; one that is busy may take so many times.
 */
#define BUSY 4
/* How long a single answer may take; nothing waits that long in the usual run. */
#define ANSWER_MS 10000
/* libcheck's limit is 4 KiB, headers included, and a test with a longer message is an error. */
#define MESSAGE_MAX 65536
/* How much of a log a message shows: its end, where it is longer. */
#define SHOWN_MAX 4000
#define OPTIONS_MAX 64
/* More than a test has open when it starts a server. */
#define OWN_FDS_MAX 512

/* ---- The test program ---- */

static void directory_remove(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char name[PATH_TEXT_MAX * 2];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (remove(name) == -1)
            directory_remove(name);
    }
    closedir(dir);
    rmdir(path);
}

/* What an earlier test has left whose process had the same number: see test_path(). */
static void files_forget(void)
{
    const char *path = getenv("CHATD_TEST_DIR");
    char own[32];
    size_t len = (size_t)snprintf(own, sizeof own, "%ld.", (long)getpid());
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[PATH_TEXT_MAX * 2];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strncmp(entry->d_name, own, len) == 0 && remove(name) == -1)
            directory_remove(name);
    }
    closedir(dir);
}

/* The tests find the directory in CHATD_TEST_DIR. */
static void directory_make(char out[PATH_TEXT_MAX])
{
    const char *tmp = getenv("TMPDIR");
    snprintf(out, PATH_TEXT_MAX, "%s/chatd-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(out) == NULL || setenv("CHATD_TEST_DIR", out, 1) == -1) {
        perror(out);
        exit(EXIT_FAILURE);
    }
}

static int patience(void)
{
    const char *text = getenv("CHATD_PATIENCE");
    int factor = text != NULL ? atoi(text) : 1;
    return factor > 0 ? factor : 1;
}

int tests_run(const char *name, const struct test *tests, size_t count)
{
    char dir[PATH_TEXT_MAX];
    directory_make(dir);
    signal(SIGPIPE, SIG_IGN);
    check_set_max_msg_size(MESSAGE_MAX);
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < count; i++) {
        TCase *tcase = tcase_create(tests[i].function->name);
        tcase_set_timeout(tcase, tests[i].seconds * BUSY * patience());
        tcase_add_checked_fixture(tcase, files_forget, NULL);
        tcase_add_loop_test(tcase, tests[i].function, 0, tests[i].times);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    directory_remove(dir);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void test_skip(const char *why)
{
    dprintf(STDERR_FILENO, "skipped: %s: %s\n", tcase_name(), why);
}

bool test_has_ipv6(void)
{
    const struct sockaddr_in6 loopback = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd != -1 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;

    if (fd != -1)
        close(fd);
    if (!has)
        test_skip("there is no ::1");
    return has;
}

bool call_refuse(unsigned number, unsigned error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {COUNT_OF(filter), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void test_path(char out[PATH_TEXT_MAX], const char *name)
{
    snprintf(out, PATH_TEXT_MAX, "%s/%ld.%s", getenv("CHATD_TEST_DIR"), (long)getpid(), name);
}

size_t file_count(const char *path, const char *text)
{
    char line[4096];
    FILE *file = fopen(path, "r");
    size_t count = 0;

    ensure(file != NULL, "%s", path);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, text) != NULL;
    fclose(file);
    return count;
}

int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Microseconds in which some process had to wait for that: proc(5), pressure. */
static bool pressure_read(const char *path, int64_t *us)
{
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd != -1 ? read(fd, text, sizeof text - 1) : -1;
    if (fd != -1)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *total = strstr(text, "total=");
    *us = total != NULL ? strtoll(total + strlen("total="), NULL, 10) : 0;
    return total != NULL;
}

/* A server has -s. */
static bool disk_is_awaited;

int64_t calm_ms(void)
{
    int64_t processor;
    int64_t disk = 0;
    bool told = pressure_read("/proc/pressure/cpu", &processor) &&
                (!disk_is_awaited || pressure_read("/proc/pressure/io", &disk));
    return told ? clock_ms() - (processor + disk) / 1000 : 0;
}

void ensure_prompt(int64_t begun, int64_t ms)
{
    int64_t took = calm_ms() - begun;
    ensure(
        took < ms * patience(), "it took %lld ms instead of %lld", (long long)took, (long long)ms);
}

int64_t deadline_in(int64_t ms)
{
    return clock_ms() + ms * BUSY * patience();
}

bool was_late(int64_t begun, int64_t ms)
{
    int64_t took = clock_ms() - begun;
    if (took >= ms)
        dprintf(STDERR_FILENO, "again: %s: %lld ms\n", tcase_name(), (long long)took);
    return took >= ms;
}

bool deadline_wait(int64_t deadline)
{
    if (clock_ms() >= deadline)
        return false;
    poll(NULL, 0, 5);
    return true;
}

void await_ready(struct pollfd *fds, size_t count)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    while (poll(fds, (nfds_t)count, 100) <= 0)
        ensure(clock_ms() < deadline, "nothing is ready");
}

/* ---- The server ---- */

void address_own(char out[ADDRESS_TEXT_MAX])
{
    unsigned long pid = (unsigned long)getpid(); /* 22 bits at most */
    snprintf(out, ADDRESS_TEXT_MAX, "127.%lu.%lu.%lu:0", 64 + (pid >> 16) % 64, pid >> 8 & 255,
        pid & 255);
}

static const char *program(void)
{
    const char *path = getenv("CHATD");
    return path != NULL ? path : "./chatd";
}

/* The words of CHATD_OPTIONS, then the test's own options. */
static void options_gather(const char *argv[OPTIONS_MAX], char *words, const char *const options[])
{
    int n = 0;
    argv[n++] = program();
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
        argv[n++] = word;
    while (*options != NULL && n < OPTIONS_MAX - 1)
        argv[n++] = *options++;
    argv[n] = NULL;
}

/* The new process: nothing on its standard input, all that it says goes to the log. */
static _Noreturn void server_exec(int log, void (*in_child)(void), const char *const options[])
{
    const char *own = getenv("CHATD_OPTIONS");
    char words[256];
    snprintf(words, sizeof words, "%s", own != NULL ? own : "");
    const char *argv[OPTIONS_MAX];
    options_gather(argv, words, options);

    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (int fd = STDERR_FILENO + 1; fd < OWN_FDS_MAX; fd++) /* ours and libcheck's */
        close(fd);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* where nobody is left to end it */
    if (in_child != NULL)
        in_child();
    execv(argv[0], (char *const *)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

void become_nobody(void)
{
    if (geteuid() == 0 && (setgid(65534) == -1 || setuid(65534) == -1))
        _exit(126);
}

void program_for_all(void)
{
    const char *from = program();
    char path[PATH_TEXT_MAX];
    char command[3 * PATH_TEXT_MAX];
    test_path(path, "chatd");
    snprintf(command, sizeof command, "cp '%s' '%s' && chmod 755 '%s'", from, path, path);
    ck_assert_int_eq(system(command), 0);
    setenv("CHATD", path, 1);
    ck_assert_int_eq(chmod(getenv("CHATD_TEST_DIR"), 0755), 0);
}

static int log_create(void)
{
    char path[PATH_TEXT_MAX];
    test_path(path, "log.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_msg(fd != -1, "%s: %s", path, strerror(errno));
    unlink(path);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

void server_spawn(struct server *server, void (*in_child)(void), const char *const options[])
{
    for (size_t i = 0; options[i] != NULL; i++)
        disk_is_awaited |= strcmp(options[i], "-s") == 0;
    server->log = log_create();
    server->address[0] = '\0';
    server->pid = fork();
    ck_assert_int_ne(server->pid, -1);
    if (server->pid == 0)
        server_exec(server->log, in_child, options);
}

void server_start_as(struct server *server, void (*in_child)(void), const char *const options[])
{
    server_spawn(server, in_child, options);
    server_listens(server, 0, server->address);
}

void server_log(const struct server *server, char *out, size_t size)
{
    ssize_t n = pread(server->log, out, size - 1, 0);
    out[n > 0 ? n : 0] = '\0';
}

/* All of it, to be freed. */
static char *log_read(const struct server *server, size_t *len)
{
    struct stat st;
    ensure(fstat(server->log, &st) == 0, "the log: %s", strerror(errno));
    char *log = malloc((size_t)st.st_size + 1);
    ensure(log != NULL, "no memory");
    ssize_t n = pread(server->log, log, (size_t)st.st_size, 0);
    *len = n > 0 ? (size_t)n : 0;
    log[*len] = '\0';
    return log;
}

size_t server_times_said(const struct server *server, const char *words)
{
    size_t len;
    size_t count = 0;
    char *log = log_read(server, &len);
    for (const char *at = log; (at = strstr(at, words)) != NULL; at++)
        count++;
    free(log);
    return count;
}

static _Noreturn void server_fail(const struct server *server, const char *what)
{
    size_t len;
    char *log = log_read(server, &len);
    ck_abort_msg("%s; the server says:\n%s", what, log + (len > SHOWN_MAX ? len - SHOWN_MAX : 0));
    abort(); /* not reached: libcheck does not promise so with CK_FORK=no */
}

/* Copies the address of the which-th announcement whose line is complete. */
static bool announced(const struct server *server, int which, char out[ADDRESS_TEXT_MAX])
{
    static const char words[] = "chatd: listening on ";
    char log[8192];
    server_log(server, log, sizeof log);
    const char *at = log;
    while ((at = strstr(at, words)) != NULL) {
        at += sizeof words - 1;
        size_t len = strcspn(at, "\n");
        if (at[len] == '\n' && which-- == 0) {
            snprintf(out, ADDRESS_TEXT_MAX, "%.*s", (int)len, at);
            return true;
        }
    }
    return false;
}

void server_listens(struct server *server, int which, char out[ADDRESS_TEXT_MAX])
{
    int64_t deadline = deadline_in(ANSWER_MS);
    while (!announced(server, which, out)) {
        if (process_state(server->pid) == 'Z')
            server_fail(server, "it ended instead of listening");
        if (!deadline_wait(deadline))
            server_fail(server, "it does not say that it listens");
    }
}

void server_says(const struct server *server, const char *words)
{
    char what[256];
    snprintf(what, sizeof what, "it does not say \"%s\"", words);
    int64_t deadline = deadline_in(ANSWER_MS);
    while (server_times_said(server, words) == 0)
        if (!deadline_wait(deadline))
            server_fail(server, what);
}

int server_exit(struct server *server, int64_t ms)
{
    int64_t begun = calm_ms();
    int64_t deadline = deadline_in(ANSWER_MS);
    int status;
    pid_t pid;
    while ((pid = waitpid(server->pid, &status, WNOHANG)) == 0)
        if (!deadline_wait(deadline))
            server_fail(server, "it does not end");
    ck_assert_int_eq(pid, server->pid);
    ensure_prompt(begun, ms);
    server->pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A log has lines that say whose they are, and nothing that a terminal would act on. */
static void log_check(struct server *server)
{
    size_t size;
    char *log = log_read(server, &size);
    for (char *at = log; at < log + size;) {
        size_t len = strcspn(at, "\n");
        if (at[len] != '\n' || strncmp(at, "chatd", 5) != 0 || !text_is_clean(at, len)) {
            char what[256];
            snprintf(what, sizeof what, "this belongs into no log: %.*s", (int)len, at);
            server_fail(server, what);
        }
        at += len + 1;
    }
    free(log);
}

/* It has been told to stop, and had that family then. */
static void server_stopped(struct server *server, const struct family *family)
{
    if (server_exit(server, 5000) != 0)
        server_fail(server, "it does not exit with 0");
    family_ends(family, 1000);
    log_check(server);
    close(server->log);
}

void server_stop(struct server *server)
{
    struct family family;
    family_look(&family, server->pid);
    kill(server->pid, SIGTERM);
    server_stopped(server, &family);
}

void server_kill(struct server *server)
{
    kill(server->pid, SIGKILL);
    server_exit(server, ANSWER_MS);
    close(server->log);
}

bool server_freeze(const struct server *server)
{
    process_stop(server->pid);
    bool is_well = server_times_said(server, "the disk is slow: members get") ==
                   server_times_said(server, "the transcript has caught up");
    if (!is_well)
        kill(server->pid, SIGCONT);
    return is_well;
}

/* ---- Processes ---- */

static bool proc_read(pid_t pid, const char *file, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return false;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

char process_state(pid_t pid)
{
    char text[1024];
    if (!proc_read(pid, "stat", text, sizeof text))
        return '\0';
    /* It stands behind the name in parentheses, which may hold anything. */
    const char *behind = strrchr(text, ')');
    return behind != NULL && behind[1] == ' ' ? behind[2] : '\0';
}

void process_stop(pid_t pid)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    kill(pid, SIGSTOP);
    while (process_state(pid) != 'T')
        ensure(deadline_wait(deadline), "process %ld does not stop", (long)pid);
}

int process_fds(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

bool process_is_seen(pid_t pid)
{
    char path[64];
    char target[PATH_TEXT_MAX];
    /* Root in a container can list its descriptors, but not follow the links of /proc. */
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    bool seen = readlink(path, target, sizeof target) != -1;

    if (!seen)
        test_skip("needs root, and CAP_SYS_PTRACE");
    return seen;
}

void process_settles(pid_t pid, int fds)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    while (process_fds(pid) != fds)
        ensure(deadline_wait(deadline), "%d descriptors instead of %d", process_fds(pid), fds);
}

int64_t process_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) == -1) {
        ensure(process_state(pid) == '\0', "the clock of process %ld cannot be read", (long)pid);
        return -1;
    }
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Its stack frames that stay on the heap for a while are what costs memory without a bound. */
bool memory_is_exact(void)
{
    const char *options = getenv("ASAN_OPTIONS");

    return !SANITIZED ||
           (options != NULL && strstr(options, "detect_stack_use_after_return=0") != NULL);
}

long process_memory(pid_t pid)
{
    char text[256];
    long size;
    long resident;
    long shared;
    ck_assert(proc_read(pid, "statm", text, sizeof text));
    ck_assert_int_eq(sscanf(text, "%ld %ld %ld", &size, &resident, &shared), 3);
    return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024);
}

long process_status(pid_t pid, const char *name)
{
    char text[4096];
    long value = -1;
    const char *at = proc_read(pid, "status", text, sizeof text) ? strstr(text, name) : NULL;
    if (at != NULL)
        sscanf(at + strlen(name), ":%ld", &value);
    return value;
}

/* Adds the children of one process (its only thread's: proc(5), children). */
static void family_add(struct family *family, pid_t parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)parent, (long)parent);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    for (long pid; family->count < COUNT_OF(family->pids) && fscanf(file, "%ld", &pid) == 1;)
        family->pids[family->count++] = (pid_t)pid;
    fclose(file);
}

void family_look(struct family *family, pid_t root)
{
    family->count = 0;
    family_add(family, root);
    for (size_t i = 0; i < family->count; i++) /* grows meanwhile */
        family_add(family, family->pids[i]);
}

static bool family_has(const struct family *family, pid_t pid)
{
    for (size_t i = 0; i < family->count; i++)
        if (family->pids[i] == pid)
            return true;
    return false;
}

pid_t family_new_process(const struct family *before, pid_t root)
{
    struct family now;
    pid_t found = -1;
    family_look(&now, root);
    for (size_t i = 0; i < now.count; i++)
        if (!family_has(before, now.pids[i])) {
            ck_assert_msg(found == -1, "two new processes");
            found = now.pids[i];
        }
    ck_assert_msg(found != -1, "no new process");
    return found;
}

pid_t family_find(pid_t root, const char *title)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    do {
        struct family family;
        char text[256];
        family_look(&family, root);
        for (size_t i = 0; i < family.count; i++)
            if (proc_read(family.pids[i], "cmdline", text, sizeof text) &&
                strncmp(text, title, strlen(title)) == 0)
                return family.pids[i];
    } while (deadline_wait(deadline));
    ck_abort_msg("no process is called \"%s\"", title);
    return -1;
}

void family_ends(const struct family *family, int64_t ms)
{
    int64_t begun = calm_ms();
    int64_t deadline = deadline_in(ANSWER_MS);
    for (size_t i = 0; i < family->count; i++)
        for (char state; (state = process_state(family->pids[i])) != '\0' && state != 'Z';)
            if (!deadline_wait(deadline))
                ck_abort_msg("process %ld (%c) is there", (long)family->pids[i], state);
    ensure_prompt(begun, ms);
}

/* ---- Connecting ---- */

static int path_connect(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof sun.sun_path);
    memcpy(sun.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_ne(fd, -1);
    if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
        return fd;
    close(fd);
    return -1;
}

static int inet_connect(const struct address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *info;
    ck_assert_int_eq(getaddrinfo(address->host, address->port, &hints, &info), 0);
    int fd = socket(info->ai_family, SOCK_STREAM, 0);
    ck_assert_int_ne(fd, -1);
    int done = connect(fd, info->ai_addr, info->ai_addrlen);
    freeaddrinfo(info);
    if (done == 0)
        return fd;
    close(fd);
    return -1;
}

static void conn_init(struct conn *conn, int fd)
{
    *conn = (struct conn){.fd = fd};
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool conn_try(struct conn *conn, const char *text)
{
    struct address address;
    const char *wrong = address_parse(&address, text);
    ck_assert_msg(wrong == NULL, "%s: %s", text, wrong);
    int fd = address.kind == ADDRESS_PATH ? path_connect(address.path) : inet_connect(&address);
    conn_init(conn, fd);
    return fd != -1;
}

void conn_open_to(struct conn *conn, const char *address)
{
    ck_assert_msg(conn_try(conn, address), "%s: %s", address, strerror(errno));
}

void conn_open(struct conn *conn, const struct server *server)
{
    conn_open_to(conn, server->address);
}

void conn_open_from(struct conn *conn, const struct server *server, const char *source)
{
    const char *colon = strrchr(server->address, ':');
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(inet_pton(AF_INET, source, &from.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    conn_init(conn, fd);
}

void conn_join(struct conn *conn, const struct server *server, const char *name)
{
    conn_open(conn, server);
    conn_say(conn, "%s", name);
    conn_seek(conn, "you *");
    char got[NAME_LEN_MAX + 1];
    span_copy(got, sizeof got, conn->event.name);
    ck_assert_str_eq(got, name);
}

void conn_close(struct conn *conn)
{
    if (conn->fd != -1)
        close(conn->fd);
    free(conn->bytes);
    *conn = (struct conn){.fd = -1};
}

void conn_reset(struct conn *conn)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    conn_close(conn);
}

void conn_finish(struct conn *conn)
{
    shutdown(conn->fd, SHUT_WR);
}

/* ---- Sending and receiving ---- */

/* Makes room behind what is held. */
static void conn_reserve(struct conn *conn, size_t room)
{
    if (conn->start > 0 && conn->start >= (conn->end - conn->start)) {
        memcpy(conn->bytes, conn->bytes + conn->start, conn->end - conn->start);
        conn->end -= conn->start;
        conn->start = 0;
    }
    if (conn->size - conn->end >= room)
        return;
    conn->size = 2 * conn->size + room;
    conn->bytes = realloc(conn->bytes, conn->size);
    ensure(conn->bytes != NULL, "no memory");
}

/* Takes what is there; false when nothing is. A reset is an end, too. */
static bool conn_fill(struct conn *conn)
{
    conn_reserve(conn, 65536);
    ssize_t n = recv(conn->fd, conn->bytes + conn->end, 65536, 0);
    if (n > 0) {
        conn->end += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn->over = true;
        conn->broken = n == 0 ? 0 : errno;
    }
    return n > 0 || conn->over;
}

ssize_t conn_send_some(struct conn *conn, const char *bytes, size_t len)
{
    ssize_t n = send(conn->fd, bytes, len, MSG_NOSIGNAL);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n;
}

bool conn_send(struct conn *conn, const char *bytes, size_t len)
{
    int64_t deadline = deadline_in(3 * ANSWER_MS);
    while (len > 0) {
        ssize_t n = conn_send_some(conn, bytes, len);
        if (n == -1)
            return false;
        bytes += n;
        len -= (size_t)n;
        if (len == 0)
            break;
        ensure(clock_ms() < deadline, "the server does not read");
        bool listens = !conn->stalled && !conn->over;
        struct pollfd ready = {conn->fd, (short)(listens ? POLLIN | POLLOUT : POLLOUT), 0};
        poll(&ready, 1, 100);
        if (ready.revents & POLLIN)
            conn_fill(conn);
    }
    return true;
}

void conn_await_delivery(const struct conn *conn)
{
    int64_t deadline = deadline_in(5000);
    for (int left = 1; left > 0;) {
        ck_assert_int_eq(ioctl(conn->fd, TIOCOUTQ, &left), 0);
        ensure(left == 0 || deadline_wait(deadline), "%d bytes are not taken", left);
    }
}

void conn_say(struct conn *conn, const char *format, ...)
{
    char line[LINE_OUT_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    ensure(len >= 0 && (size_t)len < sizeof line - 1, "a line that is too long");
    line[len] = '\n';
    conn_send(conn, line, (size_t)len + 1);
}

/* Checks what holds for every line of a chatd. */
static void line_check(struct conn *conn, const char *line, size_t len)
{
    ensure(len < LINE_OUT_MAX, "a line of %zu bytes", len);
    ensure(event_parse(&conn->event, line, len), "no line of a chatd: %s", line);
    ensure(text_is_clean(line, len), "forbidden text: %s", line);
    for (size_t i = 0; i < len; i++)
        ensure((unsigned char)line[i] >= 0x20 || line[i] == '\t', "control: %s", line);
    if (conn->event.verb == VERB_HERE)
        ensure(len < LINE_HERE_MAX, "a here line of %zu bytes", len);
    if (verb_is_room(conn->event.verb)) {
        ensure(conn->event.stamp > conn->last, "stamps do not grow: %s", line);
        conn->last = conn->event.stamp;
    }
}

/* Takes one line from the bytes that are here. */
static const char *conn_take(struct conn *conn)
{
    if (conn->start == conn->end)
        return NULL;
    char *line = conn->bytes + conn->start;
    char *lf = memchr(line, '\n', conn->end - conn->start);
    if (lf == NULL) {
        ensure(conn->end - conn->start < LINE_OUT_MAX, "a line without an end");
        return NULL;
    }
    *lf = '\0';
    conn->start += (size_t)(lf - line) + 1;
    snprintf(conn->latest, sizeof conn->latest, "%s", line);
    line_check(conn, line, (size_t)(lf - line));
    return line + STAMP_LEN + 1;
}

/* The next line by then, NULL at the end; wanted says for what one is waiting. */
static const char *conn_await(struct conn *conn, int64_t deadline, const char *wanted)
{
    for (;;) {
        const char *line = conn_take(conn);
        if (line != NULL)
            return line;
        if (conn->over) {
            ensure(conn->start == conn->end, "the last line is torn");
            return NULL;
        }
        int64_t left = deadline - clock_ms();
        struct pollfd ready = {conn->fd, POLLIN, 0};
        if (left <= 0 || poll(&ready, 1, (int)left) == 0)
            ck_abort_msg("after \"%s\" nothing comes; wanted: %s", conn->latest, wanted);
        conn_fill(conn);
    }
}

const char *conn_read_by(struct conn *conn, int64_t deadline)
{
    return conn_await(conn, deadline, "a line");
}

const char *conn_read(struct conn *conn)
{
    return conn_read_by(conn, deadline_in(ANSWER_MS));
}

const char *conn_read_now(struct conn *conn)
{
    const char *line = conn_take(conn);
    if (line == NULL && !conn->over && conn_fill(conn))
        line = conn_take(conn);
    return line;
}

bool pattern_match(const char *pattern, const char *text)
{
    for (; *pattern != '*'; pattern++, text++) {
        if (*pattern != *text)
            return false;
        if (*pattern == '\0')
            return true;
    }
    do
        if (pattern_match(pattern + 1, text))
            return true;
    while (*text++ != '\0');
    return false;
}

void conn_expect(struct conn *conn, const char *pattern)
{
    const char *line = conn_await(conn, deadline_in(ANSWER_MS), pattern);
    ensure(line != NULL, "the end instead of \"%s\"", pattern);
    ensure(pattern_match(pattern, line), "\"%s\" instead of \"%s\"", line, pattern);
}

const char *conn_seek(struct conn *conn, const char *pattern)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    for (const char *line; (line = conn_await(conn, deadline, pattern)) != NULL;)
        if (pattern_match(pattern, line))
            return line;
    ck_abort_msg("the end instead of \"%s\"", pattern);
    return NULL;
}

void conn_expect_end(struct conn *conn)
{
    const char *line = conn_read(conn);
    ensure(line == NULL, "\"%s\" instead of the end", line);
}

void conn_seek_end(struct conn *conn)
{
    int64_t deadline = deadline_in(ANSWER_MS);
    while (conn_read_by(conn, deadline) != NULL)
        continue;
}

void span_copy(char *out, size_t size, struct span span)
{
    ensure(span.len < size, "%zu bytes", span.len);
    memcpy(out, span.at, span.len);
    out[span.len] = '\0';
}

/* ---- Conversations ---- */

static void play_step(const struct server *server, struct conn *who, char what, const char *rest)
{
    if (who->fd == -1)
        conn_open(who, server);
    switch (what) {
    case '>':
        conn_say(who, "%s", rest);
        break;
    case '&':
        conn_send(who, rest, strlen(rest));
        break;
    case '<':
        conn_expect(who, rest);
        break;
    case '~':
        conn_seek(who, rest);
        break;
    case '|':
        conn_finish(who);
        break;
    case '.':
        conn_expect_end(who);
        break;
    case '-':
        conn_close(who);
        break;
    case '!':
        conn_reset(who);
        break;
    default:
        ck_abort_msg("a step '%c'", what);
    }
}

void play(const struct server *server, const char *script)
{
    struct conn people[26];
    for (size_t i = 0; i < COUNT_OF(people); i++)
        people[i] = (struct conn){.fd = -1};
    char line[LINE_IN_MAX * 2];
    for (size_t len; *script != '\0'; script += len + 1) {
        len = strcspn(script, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, script);
        ck_assert_msg(len >= 2 && script[len] == '\n', "the step: %s", line);
        mark_point();
        play_step(server, &people[line[0] - 'a'], line[1], len > 3 ? line + 3 : "");
    }
    for (size_t i = 0; i < COUNT_OF(people); i++)
        conn_close(&people[i]);
}

/* ---- A room with two witnesses ---- */

/* Who is there when both have joined is what there always must be. Nobody has come before them, so
 * nobody is about to leave. */
void room_begin(struct room *room)
{
    struct family family;
    conn_seek(&room->ann, "join ben");
    family_look(&family, room->server.pid);
    room->children = family.count;
    room->fds = process_fds(room->server.pid);
}

void room_enter(struct room *room)
{
    conn_join(&room->ann, &room->server, "ann");
    conn_join(&room->ben, &room->server, "ben");
    room_begin(room);
}

void room_open_with(struct room *room, const char *const options[])
{
    server_start_as(&room->server, NULL, options);
    room_enter(room);
}

void room_exchange(struct room *room)
{
    struct conn *people[] = {&room->ann, &room->ben};
    for (int i = 0; i < 2; i++) {
        char echo[64];
        snprintf(echo, sizeof echo, "msg %s %lld", i == 0 ? "ann" : "ben", (long long)clock_ms());
        int64_t begun = calm_ms();
        int64_t deadline = deadline_in(ANSWER_MS);
        conn_say(people[i], "%s", echo + strlen("msg ann "));
        for (int k = 0; k < 2; k++)
            for (const char *line = ""; !pattern_match(echo, line);)
                ensure((line = conn_await(people[k], deadline, echo)) != NULL, "the end");
        ensure_prompt(begun, 1000);
    }
}

unsigned long room_count(struct room *room)
{
    conn_say(&room->ann, "/users");
    conn_seek(&room->ann, "users *");
    return room->ann.event.count;
}

static bool room_is_alone(struct room *room)
{
    struct family family;
    family_look(&family, room->server.pid);
    bool alone = family.count == room->children && process_fds(room->server.pid) == room->fds;
    for (size_t i = 0; i < family.count; i++)
        alone = alone && process_state(family.pids[i]) != 'Z';
    return alone && room_count(room) == 2;
}

static void room_fail(struct room *room)
{
    struct family family;
    char what[256];
    family_look(&family, room->server.pid);
    snprintf(what, sizeof what, "%d descriptors (%d at first), %zu children (%zu), state %c",
        process_fds(room->server.pid), room->fds, family.count, room->children,
        process_state(room->server.pid));
    server_fail(&room->server, what);
}

/* The processor time of the server and its family in so many milliseconds, in microseconds. One
 * that ends meanwhile takes its time with it. */
static int64_t family_cpu(pid_t root, int ms)
{
    struct family family;
    int64_t before[COUNT_OF(family.pids)];
    family_look(&family, root);
    int64_t used = -process_cpu(root);
    for (size_t i = 0; i < family.count; i++)
        before[i] = process_cpu(family.pids[i]);
    poll(NULL, 0, ms);
    for (size_t i = 0; i < family.count; i++) {
        int64_t now = process_cpu(family.pids[i]);
        used += now != -1 && before[i] != -1 ? now - before[i] : 0;
    }
    return used + process_cpu(root);
}

/* Less than a tenth of the time is anybody's. What has just been done may still keep them busy. */
void room_rests(const struct room *room)
{
    enum { LOOK_MS = 200 };
    int64_t deadline = deadline_in(2000);
    int64_t start;
    int64_t used = 0;
    do {
        ensure(clock_ms() < deadline, "%lld us of processor, idle", (long long)used);
        start = clock_ms();
        used = family_cpu(room->server.pid, LOOK_MS);
    } while (used >= (clock_ms() - start) * 100);
}

/* Reads what has come for both members while the test was busy with something else. */
static void room_catch_up(struct room *room)
{
    struct conn *people[] = {&room->ann, &room->ben};
    for (int i = 0; i < 2; i++) {
        conn_say(people[i], "/users");
        conn_seek(people[i], "users *");
    }
}

void room_check(struct room *room)
{
    room_catch_up(room);
    room_exchange(room);
    int64_t begun = calm_ms();
    int64_t deadline = deadline_in(ANSWER_MS);
    while (!room_is_alone(room))
        if (!deadline_wait(deadline))
            room_fail(room);
    ensure_prompt(begun, 2000);
    room_rests(room);
    room_exchange(room);
}

void room_close(struct room *room)
{
    struct family family;
    struct conn *people[] = {&room->ann, &room->ben};
    room_check(room);
    family_look(&family, room->server.pid);
    kill(room->server.pid, SIGTERM);
    for (int i = 0; i < 2; i++) {
        conn_seek(people[i], "note *");
        conn_seek_end(people[i]);
        conn_close(people[i]);
    }
    server_stopped(&room->server, &family);
}

void room_admits(struct room *room, struct conn *conn, const char *name)
{
    int64_t deadline = deadline_in(5000);
    for (;;) {
        conn_open(conn, &room->server);
        conn_say(conn, "%s", name);
        while (conn_read_by(conn, deadline) != NULL)
            if (conn->event.verb == VERB_YOU)
                return;
        conn_close(conn);
        ck_assert_msg(deadline_wait(deadline), "no place for %s", name);
    }
}

pid_t room_join(struct room *room, struct conn *conn, const char *name)
{
    struct family before;
    family_look(&before, room->server.pid);
    conn_join(conn, &room->server, name);
    return family_new_process(&before, room->server.pid);
}
