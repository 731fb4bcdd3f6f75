/*
 * link.h: the output to one reader of the log: a descriptor, a cursor in the log, and a queue of
 * items, which are lines for this reader only. An item has a position in the log: it is sent when
 * the cursor is there. Only items are copied for each reader; the log's bytes are sent from the
 * ring.
 *
 *   tail of the log <= moved_to; cursor <= limit; due of the first item <= due of the next one
 *
 * A link knows no person, no name and no process. It does not own its descriptor.
 */
#ifndef SERVER_HUB_LINK_H
#define SERVER_HUB_LINK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hold.h"
#include "protocol.h"

struct log;

/* A gap item has room for this line. */
#define GAP_TEXT_MAX (STAMP_LEN + 64)
/* What a shared list counts towards the size of a queue: it is in memory once for all. */
#define SHARED_COST 4096u
/* A position that is never reached. */
#define LINK_NO_LIMIT UINT64_MAX

/* Bytes that are sent to several readers, as one users list to all who ask in one turn. */
struct shared {
    unsigned refs;
    size_t place; /* its number in a snapshot, from 1; 0: it has none */
    size_t len;
    char bytes[];
};

enum item_kind {
    ITEM_BYTES,
    ITEM_SHARED,
    ITEM_GAP, /* written when its turn comes; until then it can grow */
    ITEM_ECHO /* bytes: a poster's line; while it waits for the disk it may become an error */
};

/*
 * A line for one reader. It is sent when the reader's cursor is at due, and the cursor
 * continues at after. It is not sent before the log is visible up to visible. Once queued it is
 * owned by the link; before, by the function that made it.
 */
struct item {
    struct item *next;
    struct waiter waiter; /* while lines are held before it */
    struct link *link;    /* then: whose it is */
    uint64_t due;
    uint64_t after;
    uint64_t visible;
    enum item_kind kind;
    struct shared *shared; /* of ITEM_SHARED */
    uint64_t count;        /* of ITEM_GAP: the missing events; UINT64_MAX: unknown */
    uint64_t mine;         /* of ITEM_GAP: those of them that this reader's own lines caused */
    size_t room;           /* how many bytes there is space for */
    size_t len;            /* how many there are */
    size_t sent;
    char bytes[];
};

/*
 * READY <-> BLOCKED, either -> SHUT, PIPE or RESET; these are final. In PIPE and RESET the queue is
 * empty and nothing can be queued.
 */
enum link_state {
    LINK_READY,
    LINK_BLOCKED, /* the descriptor takes nothing now: wait until it is writable */
    LINK_SHUT,    /* the writing side has been shut down, after the last byte */
    LINK_PIPE,    /* a write failed: the peer has closed (EPIPE) */
    LINK_RESET    /* a write failed: the connection broke (ECONNRESET, ETIMEDOUT, ...) */
};

struct link {
    int fd;
    enum link_state state;
    bool follows;    /* the log is read from cursor to limit; else there are only items */
    uint32_t author; /* whose lines of the log are this reader's own */
    uint64_t cursor;
    uint64_t moved_to;  /* everything before it was skipped, see link_skip() */
    uint64_t limit;     /* the log is not sent beyond this */
    struct item *first; /* with their places, in order */
    struct item *last;
    struct item *waiting; /* without: lines are held before them; behind the others, in order */
    struct item *waiting_last;
    struct waiter stop; /* until the limit has its place, see link_stop() */
    size_t bytes;       /* of all items, their headers included */
    size_t lists;       /* how many of the items are shared */
    uint64_t skipped;   /* events in the gaps so far */
    uint64_t progress;  /* when the descriptor last took something */
    uint64_t sent;      /* bytes that it has taken so far */
};

/* ---- Items ----------------------------------------------------------------------------------- */

/* An item with room for that many bytes; NULL without memory. item_free() it or queue it. */
struct item *item_new(size_t len);
void item_free(struct item *);
/* An item that holds "STAMP text LF"; NULL without memory. stamp: microseconds since 1970. */
struct item *item_text(uint64_t stamp, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct item *item_vtext(uint64_t stamp, const char *format, va_list)
    __attribute__((format(printf, 2, 0)));
/* An item that stands for shared bytes, which it holds a reference to. NULL without memory. */
struct item *item_shared(struct shared *);
/* Gives an item of item_shared(NULL), which is not queued yet, its bytes. */
void item_share(struct item *, struct shared *);
/* Queues an item that was handed over, placed or waiting, behind the others. */
void link_restore(struct link *, struct item *, bool waits);
/* Drops a reference; NULL is ignored. */
void shared_release(struct shared *);

/* ---- Queueing -------------------------------------------------------------------------------- */

void link_init(struct link *, int fd, uint32_t author, uint64_t now);
/* Frees the queue. */
void link_clear(struct link *);
/* Queues an item whose due, after and visible are set; frees it where nothing can be sent. */
void link_put(struct link *, struct item *);
/* Queues an item behind the lines that are held now; it is due when they are settled. */
void link_wait(struct link *, struct hold *, struct item *);
/* A waiting item becomes shorter: its bytes are replaced by others, at most as many as it had. */
void link_resize(struct item *, size_t len);
/* The lines before a waiting item are settled: it is due here. */
void link_settle(struct item *, uint64_t head);
/* Begins to send the log from cursor to limit. Items that are queued already are sent first. */
void link_follow(struct link *, uint64_t cursor, uint64_t limit);
/* The log is sent up to here, and no further. */
void link_stop(struct link *, uint64_t limit);
/* The position that an item queued now gets, if the log ends at head. */
uint64_t link_end(const struct link *, uint64_t head);

/* ---- Sending --------------------------------------------------------------------------------- */

/* The next item to send must wait until more of the log than that is visible. */
bool link_waits(const struct link *, uint64_t visible);
/*
 * Sends what can be sent of the log up to visible, and the items between. One sendmsg(2), more
 * only while there is more than one call takes. Updates state and progress. log: the one that this
 * link reads.
 */
void link_send(struct link *, const struct log *, uint64_t visible, uint64_t now);
/* Writes what link_send() would send to a file, all of it. False if the file does not take it. */
bool link_copy(struct link *, const struct log *, uint64_t visible, int file);
/* True where nothing is left to send, in the log or beside it, or nothing can be sent. */
bool link_is_done(const struct link *);
/* The link can send: it is READY or BLOCKED. */
bool link_is_open(const struct link *);
/* Bytes that wait, the log's up to head and those of shared items included. */
uint64_t link_pending(const struct link *, uint64_t head);
/* Drops the queue; nothing more is sent or queued. */
void link_break(struct link *, enum link_state);

/* ---- Gaps ------------------------------------------------------------------------------------ */

/* The smallest position of the log that this reader still needs; LINK_NO_LIMIT: none. */
uint64_t link_needs(const struct link *);
/* Skips the log before target and queues gap items in its place. False without memory: try again.
 */
bool link_skip(struct link *, const struct log *, uint64_t target);
/* A gap of unknown size at the position at which the reader's part of the log begins. */
struct item *item_gap_unknown(void);

#endif
