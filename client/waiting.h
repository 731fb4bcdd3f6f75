/*
 * waiting.h: at a keyboard, for how long lines have been waiting for their answers: what the prompt
 * counts, and how long a user who leaves waits for them. No I/O; clock.h has the time.
 */
#ifndef CLIENT_WAITING_H
#define CLIENT_WAITING_H

#include "queue.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a user who leaves waits for the next answer, in ms. */
#define WAITING_PATIENCE 10000

struct waiting {
    unsigned long answered; /* when the oldest line began to wait */
    int64_t since;          /* that time; -1: no line waits */
    unsigned long shown;    /* lines that the prompt counts */
    int64_t quit_at;        /* the user wanted to leave then; -1: no */
    bool told;              /* the user, who wants to leave, knows of these lines */
};

void waiting_init(struct waiting *);
/*
 * Looks at the queue. Without a connection (is_open) all lines are counted, else those that have
 * had no answer for a while. True: the prompt counts another number.
 */
bool waiting_look(struct waiting *, const struct queue *, bool is_open);
/* The user wants to leave. */
void waiting_quit(struct waiting *);
/* True, once, if such a user has to be told that lines are waiting. */
bool waiting_tells(struct waiting *);
/* True if such a user has waited long enough. */
bool waiting_is_over(const struct waiting *);
/* When one of these changes by itself; -1: never. */
int64_t waiting_due(const struct waiting *);

#endif
