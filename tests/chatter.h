/*
 * chatter.h: chat as a process of one's own, at pipes or at a terminal, and servers that are none.
 * For end-to-end tests of the client; to be used with harness.h.
 *
 * A line that does not come within its deadline fails the running test, which shows chat's output.
 * Environment: CHAT is the program (./chat). Of the environment it gets only what is given.
 */
#ifndef CHATTER_H
#define CHATTER_H

#include "harness.h"

#include <termios.h>

/* All that came from one descriptor, NUL-terminated. */
struct sink {
    int fd; /* -1: its end was seen, or there is none */
    char *at;
    size_t len;
    size_t size;
    size_t taken; /* lines up to here were looked at */
};

/* Zeroed memory is none. chatter_end() frees what it holds. */
struct chatter {
    pid_t pid;            /* -1 when it is gone */
    int in;               /* to its standard input; -1: closed */
    int slave;            /* at a terminal: the program's side, for tcgetattr(); else -1 */
    struct termios modes; /* ... and its modes before the program was started */
    struct sink out;      /* its standard output; at a terminal, all that it shows */
    struct sink err;
};

/* How it is started; zeroed: all three are pipes, and its environment has PATH, TZ and TERM. */
struct chatter_setup {
    bool terminal;   /* all three are one terminal, and it is its controlling one */
    int in;          /* its standard input is this descriptor; 0: as above */
    int out;         /* its standard output */
    const char *env; /* "NAME=VALUE", up to three, separated by LF */
};

#define chatter_start(chatter, ...)                                                                \
    chatter_start_as(                                                                              \
        (chatter), &(struct chatter_setup){0}, (const char *const[]){__VA_ARGS__, NULL})
#define chatter_start_at_terminal(chatter, ...)                                                    \
    chatter_start_as((chatter), &(struct chatter_setup){.terminal = true},                         \
        (const char *const[]){__VA_ARGS__, NULL})
void chatter_start_as(
    struct chatter *, const struct chatter_setup *, const char *const arguments[]);

/* Writes to its standard input, reading meanwhile what it says. */
void chatter_type(struct chatter *, const char *text);
void chatter_write(struct chatter *, const char *bytes, size_t len);
/* Waits until it has read all that was written, or has ended. */
void chatter_reads(struct chatter *);
/* Closes its standard input; not for terminals. */
void chatter_finish(struct chatter *);

/* Skips lines of its standard output (error) up to one that matches, and returns it. */
const char *chatter_seek(struct chatter *, const char *pattern);
const char *chatter_seek_error(struct chatter *, const char *pattern);
/* Waits until that stands anywhere in what comes from now on; for terminals. */
void chatter_see(struct chatter *, const char *text);

/* Reads what it still says and waits for its end: the exit status, or 128 and the signal. */
int chatter_exit(struct chatter *, int64_t ms);
/* Closes and frees; the process must be gone. */
void chatter_end(struct chatter *);
/* Starts it with this on standard input, waits for its end, returns the status; then end it. */
int chatter_run(struct chatter *, const char *input, const char *const arguments[]);

/* Lines that came, taken or not. */
size_t sink_lines(const struct sink *);
/* It has said one sentence for people, and no data; or nothing at all. */
void chatter_complained_once(const struct chatter *);
void chatter_said_nothing(const struct chatter *);

/* Moves what comes from one descriptor to the other, waiting; false at the end. */
bool relay_bytes(int from, int to);

/* ---- A server that does what the test says ------------------------------------------- */

struct fake {
    int listener;
    int fd; /* the connection; -1 */
    char address[ADDRESS_TEXT_MAX];
    char held[LINE_IN_MAX + 2];
    size_t held_len;
    unsigned stamp;
};

void fake_open(struct fake *);
/* Waits for a connection; one that there was is closed. */
void fake_accept(struct fake *);
/* The same without waiting; false where no client has come. */
bool fake_try_accept(struct fake *);
/* Sends a line with the next stamp before it. */
void fake_say(struct fake *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sends it as it is. False when the client has closed. */
bool fake_send(struct fake *, const char *bytes, size_t len);
/* The client's next line; NULL at its end. Valid until the next call. */
const char *fake_read(struct fake *);
/* Takes a login, whatever its lines before the name are, and sends a welcome. */
void fake_welcome(struct fake *, const char *name);
void fake_hang_up(struct fake *);
void fake_close(struct fake *);

#endif
