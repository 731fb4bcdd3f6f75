/*
 * renewal.h: a stream that is made anew. Where the stream of a room is gone, or is not any more
 * what was read of it, one of the nodes stores a message that says: from here on the stream is the
 * room's again, and the room is as I have it. The others go on behind it if theirs is the same.
 *
 * The message is the head of a batch whose number is 0, so it is no batch, and what is written
 * here. doc/cluster.md has the bytes.
 */
#ifndef SERVER_CLUSTER_RENEWAL_H
#define SERVER_CLUSTER_RENEWAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"

struct codec;

/* The state of a room, in a few numbers. */
struct renewal_note {
    struct span node;  /* that has made the stream anew */
    uint64_t hash;     /* of its state, see replica.h */
    uint64_t stamp;    /* of its last event */
    uint64_t sequence; /* of the last message that it had applied, in the stream that is gone */
};

#define RENEWAL_MAX (BATCH_HEAD_MAX + 1 + 4 + 3 * 8)

/* Writes the message, with a head that has the node, the incarnation and the form. Its length. */
size_t renewal_write(
    char out[RENEWAL_MAX], const struct batch_id *head, const struct renewal_note *);
/* False: it is another message. The node's name points into the bytes. */
bool renewal_read(struct renewal_note *, struct span bytes);

/* NONE -> LOST -> WATCHING -> FOUND -> NONE */
enum renewal_state {
    RENEWAL_NONE,     /* the stream is the one that was read */
    RENEWAL_LOST,     /* it is gone: an engine that watches is to be started */
    RENEWAL_WATCHING, /* that engine tells what is stored where it was */
    RENEWAL_FOUND     /* it is there again, or anew: an engine that goes on is to be started */
};

/* A message that has made it anew, in what the engine that watches has told. */
struct renewal_found {
    uint64_t sequence; /* 0: none yet */
    uint64_t time;     /* ns since 1970 */
    char node[NODE_NAME_MAX + 1];
    struct renewal_note note; /* its node is the one above */
};

/* The stream's last sequence, where it is not known. */
#define RENEWAL_UNKNOWN UINT64_MAX

/* Times are those of clock_us(). */
struct renewal {
    enum renewal_state state;
    uint64_t since; /* the servers have said since then that it is gone; 0: not now */
    uint64_t last;  /* the last sequence of what is stored there; 0: nothing is */
    uint64_t due;   /* this node makes it anew then, unless another one has */
    struct renewal_found found;
};

/* An engine that watches is started. The next ones are for what it tells. */
void renewal_begin(struct renewal *);
/* Its state, now: the stream is gone, or something else. */
void renewal_hear(struct renewal *, bool is_gone, uint64_t now);
/* A message. */
void renewal_take(struct renewal *, uint64_t sequence);
/* That message, stored at that time (ns since 1970), makes the stream anew. */
void renewal_find(struct renewal *, uint64_t sequence, uint64_t time, const struct renewal_note *);
/* The stream's end. True: a message that makes it anew was found. */
bool renewal_end(struct renewal *, uint64_t sequence);
/* No message that makes the stream anew was found, nor is one to be expected: a batch of another
 * node, stored at that time, shows that the stream is not gone for that node. It was stored when
 * all nodes for which it is had noticed that, some seconds after the last message that the room
 * was given (applied), and is told as late. Times of messages: microseconds since 1970. */
bool renewal_will_not_come(const struct renewal *, uint64_t time, uint64_t applied, uint64_t now);
/* When this node is to make it anew; UINT64_MAX: not known. */
uint64_t renewal_due(const struct renewal *);
/* It tries to, now; where that leads to nothing it is due again a little later. */
void renewal_try(struct renewal *, uint64_t now);
/* An engine is to be started in place of the present one. */
bool renewal_changes(const struct renewal *);
/* The next engine is to watch. */
bool renewal_wants_watch(const struct renewal *);

/* Encodes or decodes it; see codec.h. After an upgrade the time that it is gone begins anew. */
void renewal_hand(struct renewal *, struct codec *);

#endif
