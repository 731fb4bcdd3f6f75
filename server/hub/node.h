/*
 * node.h: the machines of a room that several share, and the clock of what they have in common. On
 * one machine there are none.
 *
 * A node numbers its starts: each one is an incarnation, with a random value, for two programs may
 * have been given one name. An incarnation numbers its batches, 1, 2, ..., and a batch is applied
 * only if it is the next one. So to store a batch again is always safe, and one that overtook
 * another that was lost changes nothing.
 */
#ifndef SERVER_HUB_NODE_H
#define SERVER_HUB_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "server/cluster/batch.h"

/* One start of a node. */
struct incarnation {
    uint64_t number;
    uint64_t random;
};

/* OFF -> RUNNING -> ENDING -> OFF; RUNNING -> RUNNING, where another start ends the present one. */
enum node_state {
    NODE_OFF,     /* it has not started yet, has said that it stops, or is gone */
    NODE_RUNNING, /* batches of its incarnation are applied */
    NODE_ENDING   /* it is gone: its persons leave one by one */
};

/* Forgotten when it has been OFF for a day of the clock. */
struct node {
    struct list entry;
    enum node_state state;
    struct incarnation incarnation; /* the last one */
    uint64_t batch;                 /* of it: the last one that was applied */
    uint64_t heard;                 /* the clock when something of it was stored last */
    unsigned reads;                 /* the newest form of batches that it reads, from 1 */
    uint64_t told_place;            /* where it has told the hash of its state last; 0: nowhere */
    uint64_t told_hash;
    uint64_t missed_since; /* the clock when later batches came, but not the next one; 0: never. Not
                            * in snapshots, nor handed over */
    struct list persons;   /* struct person, in the order of their logins */
    char name[NODE_NAME_MAX + 1];
};

/* Where snapshots are made: after a message that is so many messages, bytes (1/32 of the stream's
 * size) or microseconds from the last such place, or that asks for it. Void messages count, too, so
 * all nodes agree. */
struct place {
    uint64_t sequence; /* of the message; 0: the stream's beginning */
    uint64_t bytes; /* of the messages behind it; as many as make a place where one asks for it */
    uint64_t clock;
    bool is_doubted; /* this node had missed a start before it: not in snapshots, nor handed over */
};

/*
 * time: of the last stored message. clock: advances with these times, by at most two seconds from
 * one message to the next and never back, so that no node is gone because nothing could be stored.
 * form: of the batches that the nodes write; newer ones are void.
 */
struct nodes {
    struct list all; /* struct node, in the order of their first starts */
    uint64_t time;
    uint64_t clock;
    unsigned form;
    uint64_t size; /* the bytes that the stream may have, as the last that started saw it; 0: no
                    * limit */
    struct place place;    /* the last one */
    uint64_t start_missed; /* since then: the clock when a batch came of an incarnation of which the
                            * start was not read; 0: none did. Not in snapshots, nor handed over */
    uint64_t forgotten;    /* the greatest number of an incarnation of a node that was forgotten */
};

void nodes_init(struct nodes *);
void nodes_free(struct nodes *);
/* All nodes one after the other: the one behind this one, or the first behind NULL; NULL: there is
 * none. */
struct node *nodes_next(const struct nodes *, const struct node *);
/* NULL: no node of that name has started, or it was forgotten. */
struct node *nodes_find(const struct nodes *, struct span name);
/* A node that is not there yet; NULL without memory. */
struct node *nodes_add(struct nodes *, struct span name);
/* A start of that node counts if its incarnation has a greater number. One that is not known may
 * have been forgotten: then it is the greatest number of all that were. */
uint64_t nodes_last_number(const struct nodes *, struct span name);
/* A message of that time was stored. Nodes of which nothing was stored for too long are ENDING, or
 * forgotten if they were OFF. */
void nodes_advance(struct nodes *, uint64_t time);
/* The first that is ENDING; NULL: there is none. */
struct node *nodes_ending(const struct nodes *);
/* The message of that sequence and size has been applied. True: it is a place. */
bool nodes_pass(struct nodes *, uint64_t sequence, size_t len);
/* The message that is being applied is to be a place, unless there has been one since that message.
 */
void nodes_want_place(struct nodes *, uint64_t sequence);

/* The stream was made anew by the message of that sequence, which is a place. */
void nodes_renew(struct nodes *, uint64_t sequence);

/* The newest form that all nodes which are running read; 0: none is running. */
unsigned nodes_read(const struct nodes *);

/* Something of this incarnation was stored: it is not gone. */
void node_hear(const struct nodes *, struct node *, struct incarnation);
/* A batch of that number, of the present incarnation, is not applied. */
void node_miss(const struct nodes *, struct node *, uint64_t batch);
/* A batch of an incarnation that is later than the node's last one is not applied: it has started,
 * for a node stores no other batch before it has read its start. */
void nodes_miss_start(struct nodes *);
/* A batch has been missing for 3 seconds of the clock, and there has been no place since. */
bool nodes_have_missed(const struct nodes *);
/* Shall the node's batch of that number be applied? begins: it says that the incarnation starts. */
bool node_accepts(const struct node *, struct incarnation, uint64_t batch, bool begins);
bool incarnation_equal(struct incarnation, struct incarnation);
/* The incarnation that has made the batch. */
struct incarnation batch_incarnation(const struct batch_id *);

#endif
