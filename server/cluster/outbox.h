/*
 * outbox.h: the requests of this node on their way to the stream. They are collected in an open
 * batch. At the end of a turn it is sealed: it gets a number, and is kept until it has come back,
 * even if the engine dies meanwhile. Each request has a ticket, which tells whose it is.
 *
 *   The numbers of the sealed batches are consecutive. The tickets are those of the requests in the
 *   sealed batches and in the open one, in order.
 */
#ifndef SERVER_CLUSTER_OUTBOX_H
#define SERVER_CLUSTER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requests.h"

struct codec;
struct connection;
struct item;

/* Kept while a request is under way: its owner, and memory for its answer. */
struct ticket {
    struct connection *owner; /* NULL: no connection waits for the outcome */
    struct item *answer;
    enum room_request_kind kind;
    uint32_t author; /* the connection that gets the event as its answer; 0: none */
    uint32_t text;   /* bytes of the request's text */
};

/* A batch that has not come back, as a frame for the engine. The first may have come back, as an
 * earlier engine had published it: it is kept until the present one has the rest of its frame. */
struct sealed {
    struct sealed *next;
    uint64_t number; /* 0: it has come back */
    size_t sent;     /* bytes of the frame that the present engine was sent */
    size_t len;      /* of the frame */
    char frame[];
};

struct outbox {
    struct sealed *first;
    struct sealed *last;
    struct sealed *unsent; /* the first that the present engine has not got; NULL: it has all */
    size_t bytes;          /* of all that are sealed */
    uint64_t next;         /* the number of the open batch */
    size_t batch_max;      /* bytes of a batch, its head included */
    char *open;            /* BATCH_MAX bytes: the requests of the open batch */
    size_t open_len;
    struct ticket *ring; /* of tickets */
    size_t ring_size;    /* a power of two, or 0 */
    size_t oldest;       /* ticket; its place is this number modulo the size */
    size_t count;        /* of tickets */
};

/* False without memory. */
bool outbox_init(struct outbox *);
/* The tickets' answers are freed. */
void outbox_free(struct outbox *);
/* Forgets all batches: another incarnation begins. All tickets were taken. */
void outbox_clear(struct outbox *);

/* There is space for a few requests more. */
bool outbox_has_room(const struct outbox *);
/* Appends a request to the open batch. False without memory or space: then the ticket is still the
 * caller's. */
bool outbox_put(struct outbox *, const struct room_request *, const struct ticket *);
/* Seals the open batch, which may be empty, as this incarnation's next, in that form. False without
 * memory: it stays open. */
bool outbox_seal(struct outbox *, struct span node, struct incarnation, unsigned form);

/* Sends the next batch to the engine, or the rest of one; nothing where there is none. False with
 * errno if the descriptor takes no more. */
bool outbox_send(struct outbox *, int fd);
/* A batch was sent in part: nothing else may be sent before its rest. */
bool outbox_is_cut(const struct outbox *);
/* There are batches that were not sent. */
bool outbox_is_waiting(const struct outbox *);
/* There is another engine: all batches are sent again. */
void outbox_rewind(struct outbox *);

/* The stream is another one from here on: what is said of the state at places of the old one is
 * not of the new one's. The present engine has got nothing. */
void outbox_displace(struct outbox *);

/* The oldest batch that has not come back; NULL: there is none. */
struct sealed *outbox_oldest(const struct outbox *);
/* The author of the oldest request; 0: it has none. */
uint32_t outbox_author(const struct outbox *);
/* Removes the ticket of the oldest request, which has come back. False: there is none. */
bool outbox_take(struct outbox *, struct ticket *);
/* The batches up to that number have come back. */
void outbox_forget(struct outbox *, uint64_t number);

/*
 * Encodes or decodes it; see codec.h. The caller's function encodes one ticket. The open batch must
 * be empty.
 */
void outbox_state(
    struct outbox *, struct codec *, void (*ticket_state)(void *, struct ticket *), void *context);

#endif
