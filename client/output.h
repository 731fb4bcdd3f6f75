/*
 * output.h: an output queue to a terminal, a pipe or a file.
 *
 * Both threads add to the queue, under a lock of its owner. No write blocks while that lock is
 * held. A terminal is opened again, because O_NONBLOCK on the inherited descriptor would also apply
 * to the shell. So the thread that reads keys and handles signals never waits for a terminal that
 * is stopped (Ctrl-S) or slow. A pipe or a file is written by one thread only, which may block.
 */
#ifndef CLIENT_OUTPUT_H
#define CLIENT_OUTPUT_H

#include "screen.h"

#include <pthread.h>
#include <stdbool.h>

enum output_kind {
    OUTPUT_CLOSED, /* or failed: text is discarded */
    OUTPUT_STREAM, /* a pipe or a file; writes block */
    OUTPUT_TERMINAL
};

/* Zeroed memory is a closed output. */
struct output {
    enum output_kind kind;
    int fd;
    int error;          /* errno of a failed write; 0 */
    bool busy;          /* a thread is writing `held` to a stream, without the lock */
    struct outbuf text; /* the queue */
    struct outbuf held; /* taken from the queue */
};

/* fd is a standard descriptor or the caller's; a terminal is opened again, see terminal_reopen().
 */
void output_init(struct output *, int fd);

/* Writes to a terminal without waiting. True if the queue is empty then. */
bool output_offer(struct output *);
/*
 * Writes the whole queue; the lock is released while the call waits. False if a terminal accepted
 * nothing for patience ms (-1: no limit). A stream has no limit.
 */
bool output_wait(struct output *, pthread_mutex_t *lock, int patience);
/* Closes the output; its descriptor too, unless a thread is writing to it. */
void output_close(struct output *);

/*
 * Opens the same terminal again, non-blocking and close-on-exec. The caller closes the descriptor.
 * -1: not possible.
 */
int terminal_reopen(int fd);
/* True if both descriptors are the same terminal. */
bool terminal_is_same(int a, int b);

/* Writes a short message; on a terminal, gives up when it accepts nothing for patience ms. */
void message_write(int fd, const char *bytes, size_t len, int patience);

#endif
