/*
 * chat_process.h: chat as a process of its own, at pipes or at a terminal, and mock servers. For
 * end-to-end tests of the client; to be used with harness.h.
 *
 * A line that does not come within its deadline fails the running test, which shows chat's output.
 * Environment: CHAT is the program (./chat). Of the environment it gets only what is given.
 */
#ifndef CHAT_PROCESS_H
#define CHAT_PROCESS_H

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

/* Zeroed memory is none. chat_end() frees what it holds. */
struct chat {
    pid_t pid;            /* -1 when it is gone */
    int in;               /* to its standard input; -1: closed */
    int slave;            /* at a terminal: the program's side, for tcgetattr(); else -1 */
    struct termios modes; /* ... and its modes before the program was started */
    struct sink out;      /* its standard output; at a terminal, all that it shows */
    struct sink err;
};

/* How it is started; zeroed: all three are pipes, and its environment has PATH, TZ and TERM. */
struct chat_setup {
    bool terminal;   /* all three are one terminal, and it is its controlling one */
    int in;          /* its standard input is this descriptor; 0: as above */
    int out;         /* its standard output */
    const char *env; /* "NAME=VALUE", up to three, separated by LF */
};

#define chat_start(chat, ...)                                                                      \
    chat_start_as((chat), &(struct chat_setup){0}, (const char *const[]){__VA_ARGS__, NULL})
#define chat_start_at_terminal(chat, ...)                                                          \
    chat_start_as(                                                                                 \
        (chat), &(struct chat_setup){.terminal = true}, (const char *const[]){__VA_ARGS__, NULL})
void chat_start_as(struct chat *, const struct chat_setup *, const char *const arguments[]);

/* Writes to its standard input, reading meanwhile what it says. */
void chat_type(struct chat *, const char *text);
void chat_write(struct chat *, const char *bytes, size_t len);
/* Waits until it has read all that was written, or has ended. */
void chat_reads(struct chat *);
/* Closes its standard input; not for terminals. */
void chat_finish(struct chat *);

/* Skips lines of its standard output (error) up to one that matches, and returns it. */
const char *chat_seek(struct chat *, const char *pattern);
const char *chat_seek_error(struct chat *, const char *pattern);
/* Waits until that stands anywhere in what comes from now on; for terminals. */
void chat_see(struct chat *, const char *text);

/* Reads what it still says and waits for its end: the exit status, or 128 and the signal. */
int chat_exit(struct chat *, int64_t ms);
/* Closes and frees; the process must be gone. */
void chat_end(struct chat *);
/* Starts it with this on standard input, waits for its end, returns the status; then end it. */
int chat_run(struct chat *, const char *input, const char *const arguments[]);

/* Lines that came, taken or not. */
size_t sink_lines(const struct sink *);
/* It has said one sentence for people, and no data; or nothing at all. */
void chat_complained_once(const struct chat *);
void chat_said_nothing(const struct chat *);

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
