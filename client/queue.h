/*
 * queue.h: the lines for the server, from the input until each of them is answered.
 *
 * Positions in the bytes, LFs included:
 *
 *     start <= taken <= delivered <= sent <= end
 *
 *   [start, sent)  written to a connection and unanswered
 *   [sent, end)    not written yet
 *
 * While a replay is on (replay.h), a broken connection has left these:
 *
 *   [start, taken)      events have shown that the server had these lines
 *   [taken, delivered)  written whole; whether the server had them is not known yet
 *   [delivered, sent)   the beginning of a line, which is written anew
 *
 * At other times taken and delivered are start.
 */
#ifndef CLIENT_QUEUE_H
#define CLIENT_QUEUE_H

#include "../protocol.h"
#include "losses.h"

/* Unanswered bytes: more input is taken only while there are fewer. */
#define QUEUE_WINDOW ((size_t)1 << 20)
/* What one line of input can become at most (cleaned, cut, escaped): kept free behind the window.
 */
#define QUEUE_SLACK ((size_t)1 << 16)

struct queue {
    char *bytes;
    size_t start;
    size_t taken;
    size_t delivered;
    size_t sent;
    size_t end;
    unsigned long count;    /* unanswered lines, without a last /quit, which the end answers */
    unsigned long answered; /* so far; the session sets it to 0 for a new token */
};

/* False with errno set where there is no memory. queue_free() ends it. */
bool queue_init(struct queue *);
void queue_free(struct queue *);

bool queue_has_room(const struct queue *);
/* Adds the line that prefix and text are together. queue_has_room() has been asked. */
void queue_put(struct queue *, const char *prefix, struct span text);
/* The same for a /quit. */
void queue_put_quit(struct queue *, struct span line);

/* What is not written yet. */
struct span queue_unsent(const struct queue *);
/* Drops the lines of which nothing was written; all but a /quit are losses. */
void queue_drop_unsent(struct queue *, struct losses *);
/* How many lines were written whole or in part. */
unsigned long queue_count_sent(const struct queue *);

/*
 * The line that begins at `at`, without its LF; its `at` is NULL where none ends before limit.
 */
struct span queue_line(const struct queue *, size_t at, size_t limit);
/* The oldest line that was written whole. False where there is none, or only a /quit. */
bool queue_oldest(const struct queue *, struct request *);
/* The oldest line has its answer. False where there is no such line. */
bool queue_answer(struct queue *);

#endif
