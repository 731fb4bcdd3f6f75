/*
 * output.h: bytes on their way to a terminal, a pipe or a file.
 *
 * Both threads add to one output, under a lock of the owner; a write never waits with that lock
 * held. A terminal is opened again, so that its descriptor can be non-blocking without being that
 * for the shell, too; so the thread that reads keys never waits for a terminal that is held
 * (Ctrl-S, a slow line). What such a terminal does not take stays here. A pipe or a file is written
 * by one thread, which may wait.
 */
#ifndef CLIENT_OUTPUT_H
#define CLIENT_OUTPUT_H

#include "screen.h"

#include <pthread.h>
#include <stdbool.h>

enum output_kind {
    OUTPUT_CLOSED, /* or failed: what is added is dropped */
    OUTPUT_STREAM, /* blocking */
    OUTPUT_TERMINAL
};

/* Zeroed memory is a closed one. */
struct output {
    enum output_kind kind;
    int fd;
    int error;          /* errno of what could not be written; 0 */
    bool busy;          /* a thread is writing to a stream */
    struct outbuf text; /* to be written; anybody adds */
    struct outbuf held; /* what is being written to a stream */
};

/* fd is a standard descriptor or the caller's; a terminal is opened again, see terminal_reopen().
 */
void output_init(struct output *, int fd);

/* Gives a terminal what it takes at once. True where nothing is left. */
bool output_offer(struct output *);
/*
 * Writes all, with the lock released while that waits. False where a terminal has taken nothing for
 * that many ms (-1: waits without end); streams are waited for.
 */
bool output_wait(struct output *, pthread_mutex_t *lock, int patience);
/* Closes the descriptor, unless a thread is writing to it. */
void output_close(struct output *);

/*
 * The same terminal by a non-blocking, close-on-exec description of its own, which the caller
 * closes; -1 where that cannot be had.
 */
int terminal_reopen(int fd);
/* Both descriptors are one terminal. */
bool terminal_is_same(int a, int b);

/*
 * Writes a short message. A terminal that has taken nothing for that many ms is given up; others
 * are waited for.
 */
void message_write(int fd, const char *bytes, size_t len, int patience);

#endif
