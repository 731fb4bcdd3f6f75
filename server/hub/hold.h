/*
 * hold.h: with -s, finished lines that wait for the disk before they go into the room's log, and
 * the answers that wait behind them.
 *
 * The held lines are a log of their own, which only the transcript's writer reads. As it confirms
 * them they are settled one by one, in their order: each is appended to the room's log or, a
 * message that the disk refused, dropped. An answer that belongs behind a held line waits with it:
 * its place in the log is known only when that line is settled.
 *
 *   settled <= every ticket of a waiter <= head of lines
 */
#ifndef SERVER_HUB_HOLD_H
#define SERVER_HUB_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct log;

enum waiter_kind {
    WAITER_ITEM,    /* an item: it is due when the lines before it are settled */
    WAITER_STOP,    /* a link: the log is sent up to there, and no further */
    WAITER_WELCOME, /* a login: its welcome stands behind its join */
    WAITER_RESUME   /* a connection that resumes: how many lines were answered is known then */
};

/* What an item, a link or a welcome embeds. */
struct waiter {
    struct list entry;
    uint64_t ticket; /* the held lines before this position come first */
    enum waiter_kind kind;
};

struct hold {
    struct log *lines; /* NULL: nothing is ever held */
    uint64_t settled;  /* the lines before this position are settled */
    struct list waiters;
};

/* lines: an empty log, owned by the hold from now on, or NULL. */
void hold_init(struct hold *, struct log *lines);
/* Frees the lines; the waiters are their owners'. */
void hold_free(struct hold *);
/* True if every line is settled: an answer made now has its position at once. */
bool hold_is_empty(const struct hold *);
/* Puts a waiter behind all lines that are held now. */
void hold_wait(struct hold *, struct waiter *, enum waiter_kind);
/* Takes the next waiter whose lines are all settled; NULL: there is none. */
struct waiter *hold_take(struct hold *);

#endif
