/*
 * harness.h: a chatd of one's own, and people who talk to it. For end-to-end tests: real processes,
 * real sockets, nothing of the server linked in but the language of protocol.h.
 *
 * An event that does not come within its deadline fails the running test, as does a line that no
 * chatd may send. libcheck runs each test in a process group of its own and kills that when it is
 * over, so a failed test leaves no server behind; tests_run() removes the files.
 *
 * Environment: CHATD is the program (./chatd); CHATD_OPTIONS are put before its other options
 * (`-S off` for a sanitizer's build); CHATD_PATIENCE multiplies every deadline (valgrind).
 * Deadlines are long enough for a busy machine; what must be prompt is measured by calm_ms().
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "protocol.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- The test program ---- */

/* One test: its function, how often it is run (with _i from 0), and its time in seconds. */
struct test {
    const TTest *function;
    int times;
    int seconds;
};

/* Runs them all, each in a process of its own; the exit status of main. */
int tests_run(const char *name, const struct test *tests, size_t count);

/* ck_assert_msg() writes to a pipe each time that it holds; this is for what is asked often. */
#define ensure(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Says that the running test, or a case of it, cannot be tried here; it is counted as skipped, and
 * returns. */
void test_skip(const char *why);
/* False, after test_skip(), where nothing can listen on ::1, as in most containers. */
bool test_has_ipv6(void);
/* From now on this call fails with that error. False where the system has no such filter. */
bool call_refuse(unsigned number, unsigned error);

#define PATH_TEXT_MAX 256
/* The path of a file of that name that belongs to the running test alone, in a short directory. */
void test_path(char out[PATH_TEXT_MAX], const char *name);
/* How many lines of the file, of less than 4096 bytes each, contain that text. */
size_t file_count(const char *path, const char *text);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);
/*
 * The same without the time in which any process had to wait for a processor, or with -s a disk, so
 * that a busy machine is not blamed on the server. Stands still where the kernel does not tell.
 */
int64_t calm_ms(void);
/* Less than ms, times CHATD_PATIENCE, of calm_ms() have passed since begun. */
void ensure_prompt(int64_t begun, int64_t ms);
/* ms from now on an idle machine: several times as much, times CHATD_PATIENCE. */
int64_t deadline_in(int64_t ms);
/*
 * More than ms have passed since begun, of clock_ms(): a limit of the program's own, which does not
 * know how busy the machine is, may have been over before the test had done its part. Then what has
 * come tells nothing, and the case is to be tried again. Counts from before the limit begins until
 * what it may have changed has come.
 */
bool was_late(int64_t begun, int64_t ms);
/* Lets a moment pass between two looks at something that wakes nobody; false when it is too late.
 */
bool deadline_wait(int64_t deadline);
struct pollfd;
/* poll(2) until one of them is ready; there may be a signal, but no failure and no end of patience.
 */
void await_ready(struct pollfd *fds, size_t count);

/* ---- The server ---- */

#define ADDRESS_TEXT_MAX 256

struct server {
    pid_t pid;                      /* -1 when it is gone */
    int log;                        /* an unlinked file with its stdout and stderr */
    char address[ADDRESS_TEXT_MAX]; /* the first address that it listens on */
};

/* Where most tests listen. */
#define ANY_PORT "-l", "127.0.0.1:0"
/* Any port of a loopback address that no other running test has: nobody takes the port while its
 * server is away. */
void address_own(char out[ADDRESS_TEXT_MAX]);

/* Starts chatd and waits until it listens; the arguments are its options. */
#define server_start(server, ...)                                                                  \
    server_start_as((server), NULL, (const char *const[]){__VA_ARGS__, NULL})
void server_start_as(struct server *, void (*in_child)(void), const char *const options[]);
/* Starts it only; in_child, where there is one, is called in the new process before exec. */
void server_spawn(struct server *, void (*in_child)(void), const char *const options[]);
/* For in_child: if root runs the tests, the process becomes the user 65534. */
void become_nobody(void);
/* Copies the program to the test's directory, which all users may enter from now on. The servers
 * that are started next execute the copy. */
void program_for_all(void);
/* Waits for the which-th address (from 0) that it says it listens on. */
void server_listens(struct server *, int which, char out[ADDRESS_TEXT_MAX]);

/* All that it has said so far, NUL-terminated, cut at size. */
void server_log(const struct server *, char *out, size_t size);
/* Waits until it has said that. */
void server_says(const struct server *, const char *words);
/* How often it has said that so far. */
size_t server_times_said(const struct server *, const char *words);
/* Waits for its end, within ms: the exit status, or 128 and the signal. */
int server_exit(struct server *, int64_t ms);
/* SIGTERM; it must exit 0 and have said nothing that is not a line of a log. */
void server_stop(struct server *);
/* SIGKILL, and waits for its end. */
void server_kill(struct server *);
/*
 * Stops a server with a transcript where all that its members have got would outlive it. False
 * where it goes on, for its disk is slow: then members get lines that the writer has not.
 */
bool server_freeze(const struct server *);

/* ---- Processes ---- */

/* The letter that ps(1) shows ('Z', 'T', ...), or 0 when it is gone. */
char process_state(pid_t);
/* Stops it, and waits until it stands. */
void process_stop(pid_t);
/* The number of its open descriptors. */
int process_fds(pid_t);
/* False, after test_skip(), where that and more in /proc is not shown: a server hides from
 * everybody but root. */
bool process_is_seen(pid_t);
/* Waits until it has so many. */
void process_settles(pid_t, int fds);
/* Microseconds of processor that it has used, -1 when it is gone. */
int64_t process_cpu(pid_t);
/* Kilobytes of memory that are its own: resident and not shared. */
long process_memory(pid_t);
/* The number behind that name in /proc/PID/status ("Seccomp", "NoNewPrivs"); -1: there is none. */
long process_status(pid_t, const char *name);
/* False in a build whose sanitizer needs memory of its own: then no small bound holds. With
 * ASAN_OPTIONS=detect_stack_use_after_return=0 it needs so little that all of them do. */
bool memory_is_exact(void);

/* The descendants of a process, of all degrees, as they were when one looked. */
struct family {
    pid_t pids[4096];
    size_t count;
};

void family_look(struct family *, pid_t root);
/* The one descendant that has come since. */
pid_t family_new_process(const struct family *, pid_t root);
/* The descendant that ps(1) shows with a title that begins so; waits until there is one. */
pid_t family_find(pid_t root, const char *title);
/* Waits until all of them are gone, or zombies that their new parent leaves lying about. */
void family_ends(const struct family *, int64_t ms);

/* ---- People ---- */

/*
 * A connection to a server. Zeroed memory is none. Each line that is taken from it has been
 * checked: a stamp and a verb, clean text, not too long, room events in the order of their stamps.
 */
struct conn {
    int fd;
    char *bytes; /* what came and was not taken, [start, end) of size */
    size_t start;
    size_t end;
    size_t size;
    struct event event; /* the line taken last */
    char latest[160];   /* its beginning, for a test that fails */
    uint64_t last;      /* the stamp of the last room event */
    bool over;          /* the server's end of stream was seen */
    int broken;         /* the errno with which it ended; 0: an orderly end */
    bool stalled;       /* never reads while it sends */
};

/* Connects to the server's first address, or to the one given. */
void conn_open(struct conn *, const struct server *);
void conn_open_to(struct conn *, const char *address);
/* Connects from that IPv4 address. */
void conn_open_from(struct conn *, const struct server *, const char *source);
/* False, and nothing held, where nobody listens. */
bool conn_try(struct conn *, const char *address);
/* Connects, says the name, and takes the welcome, up to its `you`, which must give that name. */
void conn_join(struct conn *, const struct server *, const char *name);
void conn_close(struct conn *);
/* Closes with a reset instead of an orderly end. */
void conn_reset(struct conn *);
/* Half-closes: the client's end of input. */
void conn_finish(struct conn *);

/* Sends it all, reading meanwhile what comes unless stalled; false when the server has closed. */
bool conn_send(struct conn *, const char *bytes, size_t len);
/* Sends at most what fits now; the number of bytes, or -1 when the server has closed. */
ssize_t conn_send_some(struct conn *, const char *bytes, size_t len);
/* Waits until the server's kernel has all that was sent. TCP holds back what follows ten small
 * segments until they are acknowledged, which takes up to 40 ms. */
void conn_await_delivery(const struct conn *);
/* Sends one line, formatted. */
void conn_say(struct conn *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next line, what follows its stamp, valid until the next call; NULL at the stream's end. */
const char *conn_read(struct conn *);
/* The same with a deadline of its own. */
const char *conn_read_by(struct conn *, int64_t deadline);
/* The next line if it is here already, else NULL. */
const char *conn_read_now(struct conn *);
/* The next line must match: `*` stands for any bytes. */
void conn_expect(struct conn *, const char *pattern);
/* Skips lines up to one that matches, and returns it. */
const char *conn_seek(struct conn *, const char *pattern);
/* The stream must end here. */
void conn_expect_end(struct conn *);
/* Skips what still comes; the stream must end. */
void conn_seek_end(struct conn *);

bool pattern_match(const char *pattern, const char *text);
/* One of the event's spans, as a string. */
void span_copy(char *out, size_t size, struct span);

/* ---- Conversations ---- */

/*
 * Plays a script against the server, a step a line: who (a letter; connects when first heard of),
 * what, a blank, and the rest.
 *   a> text      sends the line            a& text   sends it without a line end
 *   a< pattern   the next line matches     a~ pattern   skips up to a line that matches
 *   a|           half-closes               a.        the server has closed
 *   a-           closes                    a!        resets
 */
void play(const struct server *, const char *script);

/* ---- A room with two witnesses ---- */

/* ann and ben sit in it and talk; nothing that others do may disturb them or leave a trace. */
struct room {
    struct server server;
    struct conn ann;
    struct conn ben;
    int fds;
    size_t children;
};

#define room_open(room, ...) room_open_with((room), (const char *const[]){__VA_ARGS__, NULL})
void room_open_with(struct room *, const char *const options[]);
/* The same with a server that was started by hand. */
void room_enter(struct room *);
/* The same where ann and ben, too, have joined by hand, in this order. */
void room_begin(struct room *);
/*
 * The check U of every fault: ann and ben exchange a line both ways within 1 s; within 2 s they are
 * alone again and the hub's descriptors and children are what they were; no zombie; no processor
 * time burnt. What they received meanwhile was checked line by line.
 */
void room_check(struct room *);
/* room_check(), and the server stops as it should: both are told, then it ends. */
void room_close(struct room *);
/* ann and ben only: each says a line, both get both within 1 s. */
void room_exchange(struct room *);
/* Asks how many are there. */
unsigned long room_count(struct room *);
/* Nobody says anything, and nobody uses the processor. */
void room_rests(const struct room *);
/* Joins somebody, trying again while the room is full. */
void room_admits(struct room *, struct conn *, const char *name);
/* Joins somebody, and finds the process that was started for it. */
pid_t room_join(struct room *, struct conn *, const char *name);

#endif
