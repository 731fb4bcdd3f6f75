/*
 * window.h: the batches that the hub has handed over and that have not come back from the stream
 * yet, in their order. A batch is valid only behind the one before it, so the oldest comes back
 * first.
 */
#ifndef SERVER_CLUSTER_WINDOW_H
#define SERVER_CLUSTER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "wire/span.h"

/* 4 MiB of the largest batches. */
#define WINDOW_MAX 16

struct flight {
    size_t len;
    uint64_t publication; /* its number; 0: it is to be published */
    char bytes[BATCH_MAX];
};

/* Zeroed memory is an empty one. */
struct window {
    unsigned first;
    unsigned count;        /* <= WINDOW_MAX */
    unsigned sent;         /* of these, the oldest that are published; <= count */
    uint64_t publications; /* of all connections */
    struct flight flights[WINDOW_MAX];
};

bool window_is_full(const struct window *);
/* Adds a batch, of at most BATCH_MAX bytes, to a window that is not full. False: it is none. */
bool window_add(struct window *, struct span batch);
/* The oldest batch that is to be published; NULL: all are. */
const struct flight *window_next(const struct window *);
/* Notes that this batch is being published, under the number that is returned. */
uint64_t window_publish(struct window *);
/* All are to be published again. */
void window_rewind(struct window *);
/* Bytes of the largest batch; 0: there is none. */
size_t window_largest(const struct window *);
/* There is a batch that was published under that number, and not again since. */
bool window_has(const struct window *, uint64_t publication);

enum window_result {
    WINDOW_FOREIGN,   /* no batch of the window */
    WINDOW_CAME_BACK, /* the oldest, which was removed from the window */
    WINDOW_OVERTAKEN  /* one that was stored before the oldest, and so is void */
};

/* Compares a message of the stream with the batches, by node, incarnation and number. That is
 * enough here: of two batches that have these in common, nodes apply the one that is stored first.
 * If that is another program's, the hub finds that its bytes are not those that it has under way,
 * and ends before it applies it; what the engine has dropped from the window by then would be void.
 */
enum window_result window_return(struct window *, struct span message);

#endif
