/*
 * upstream.h: the connection to a NATS server, to the next one if it fails, and the state of
 * reading the stream. nats_client.h and feed.h speak the protocols on it.
 */
#ifndef SERVER_CLUSTER_UPSTREAM_H
#define SERVER_CLUSTER_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"
#include "buffer.h"
#include "frame.h"
#include "jetstream.h"
#include "nats.h"
#include "reading.h"
#include "servers.h"

struct pair;
struct window;

/* Limit for connect(2) and for the server's INFO; then the next server is tried. */
#define UPSTREAM_CONNECT_US 1500000u
/* Limit for a connection without progress; then the next server is tried. */
#define UPSTREAM_PATIENCE_US 4000000u
/* Bytes of `out` that publications leave for requests and for answers to the server. With fewer
 * free nothing is read from it. */
#define UPSTREAM_RESERVE 65536

/*
 * AWAY -> CONNECTING -> GREETING -> LOGIN -> FINDING; FINDING -> MAKING -> FINDING;
 * FINDING -> CONSUMING -> READING -> SERVING; CONSUMING, READING and SERVING -> FINDING if a
 * message or the stream is missing; any -> AWAY
 */
enum upstream_phase {
    UPSTREAM_AWAY,       /* there is no connection */
    UPSTREAM_CONNECTING, /* connect(2) has not finished */
    UPSTREAM_GREETING,   /* the server has not said INFO */
    UPSTREAM_LOGIN,      /* the server has not accepted the login */
    UPSTREAM_FINDING,    /* the request for the stream is under way, or due */
    UPSTREAM_MAKING,     /* the request to make the stream is under way */
    UPSTREAM_CONSUMING,  /* the request to make a consumer is under way */
    UPSTREAM_READING,    /* the stream's end has not been reached */
    UPSTREAM_SERVING
};

/* Subscriptions: answers of the API, acknowledgements of publications, other nodes' questions and
 * the answers to this node's, and, one after the other, what consumers deliver. */
enum { SID_ANSWERS = 1, SID_STORED, SID_QUESTIONS, SID_REPLIES, SID_CONSUMERS };

/* Times of clock_us(). */
struct upstream_times {
    uint64_t due;      /* deadline of the phase; in AWAY the next attempt; UINT64_MAX: none */
    uint64_t ask;      /* the stream is asked for then; 0: no request is due */
    uint64_t patience; /* when the last progress was made with this server */
    uint64_t heard;    /* the last delivery or heartbeat of the consumer */
    uint64_t progress; /* the last acknowledgement, or the first publication */
    uint64_t too_few;  /* since when there are too few servers; 0: there are enough */
};

/* What is to be stored as the beginning of a stream that was gone. */
struct renewal_out {
    uint64_t last; /* see struct frame_renew */
    size_t len;    /* 0: there is nothing */
    char bytes[FRAME_RENEWAL_MAX];
};

struct upstream {
    enum upstream_phase phase;
    const struct frame_setup *setup;
    struct jetstream_names names;
    struct servers servers;
    struct pair *pair;
    struct window *window;
    int fd; /* -1 in AWAY */
    struct nats_parser parser;
    struct buffer in;
    struct buffer out;
    struct reading reading;
    struct renewal_out renewal;
    struct upstream_times times;
    /* The state to tell when the connection is lost: CONNECTING at first, then AWAY. */
    enum engine_state failure;
    bool doubtful;      /* the last publications were not stored */
    bool has_jetstream; /* as the server's INFO says */
    bool waits_for_hub; /* input is not processed, because the hub has no space */
    unsigned replicas;
    uint64_t max_payload;
    uint64_t asked; /* the number of the last request */
    char inbox[24]; /* of this connection: replies go to subjects below it */
    char in_bytes[NATS_HELD_MAX + 65536];
    char out_bytes[BATCH_MAX + 2 * UPSTREAM_RESERVE];
};

/* setup, pair and window must outlive it. False: the setup's list of servers is malformed. */
bool upstream_init(
    struct upstream *, const struct frame_setup *, struct pair *, struct window *, uint64_t now);

/* Tells the hub a state. */
void upstream_tell(struct upstream *, enum engine_state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Enters a phase, with its deadline. */
void upstream_enter(struct upstream *, enum upstream_phase, uint64_t due);

/* Begins to connect to the next address. */
void upstream_connect(struct upstream *, uint64_t now);
/* connect(2) has finished. If it has failed, the connection is given up. */
void upstream_connected(struct upstream *, uint64_t now);
/* Queues bytes for the server. */
void upstream_say(struct upstream *, const char *bytes, size_t len);
/* Publishes these bytes; the answer goes to the subject reply, "": there is none. What does not fit
 * is not published at all. */
void upstream_publish(struct upstream *, const char *subject, const char *reply, struct span bytes);
/* The same with a header. */
void upstream_publish_with(struct upstream *, const char *subject, const char *reply,
    const struct nats_header *, struct span bytes);
/* A publication of so many bytes would leave the reserve. */
bool upstream_may_publish(const struct upstream *, size_t len);
void upstream_subscribe(struct upstream *, const char *subject, uint64_t sid);
/* A subject below the inbox, by the kind of what comes there and a number; the number of such a
 * subject; and a subscription to all of one kind. */
void upstream_inbox(
    const struct upstream *, char out[NATS_SUBJECT_MAX], char kind, uint64_t number);
uint64_t upstream_inbox_number(struct span subject);
void upstream_subscribe_inbox(struct upstream *, char kind, uint64_t sid);
/* False: the hub has no space for what the input may cause, or the server does not take what it is
 * told. */
bool upstream_may_read(const struct upstream *);

/* Gives up the connection. The hub gets the reason, with the server's name. */
void upstream_lose(struct upstream *, const char *why, uint64_t now);
/* The same, with the reason in errno; 0: the server has closed the connection. */
void upstream_fail(struct upstream *, uint64_t now);
/* The same, with another state for the hub, and the other addresses of the server are skipped. */
void upstream_lose_server(struct upstream *, enum engine_state, const char *why, uint64_t now);

#endif
