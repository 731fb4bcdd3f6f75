/*
 * upstream.h: the connection to one NATS server after the other, and what is known of the stream
 * behind it. What is said there is in nats_client.h and feed.h.
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
#include "servers.h"

struct pair;
struct window;

/* A server that does not take a connection, or does not greet, by then is left for the next. */
#define UPSTREAM_CONNECT_US 1500000u
/* So is a server at which nothing has progressed for this time. */
#define UPSTREAM_PATIENCE_US 4000000u

/*
 * AWAY -> CONNECTING -> GREETING -> LOGIN -> FINDING; FINDING -> MAKING -> FINDING;
 * FINDING -> CONSUMING -> READING -> SERVING; CONSUMING, READING and SERVING -> FINDING where
 * something is missing; each of them -> AWAY
 */
enum upstream_phase {
    UPSTREAM_AWAY,       /* there is no connection */
    UPSTREAM_CONNECTING, /* connect(2) has not finished */
    UPSTREAM_GREETING,   /* the server has not said INFO */
    UPSTREAM_LOGIN,      /* it has not accepted us */
    UPSTREAM_FINDING,    /* it was asked for the stream, or will be */
    UPSTREAM_MAKING,     /* it was asked to make the stream */
    UPSTREAM_CONSUMING,  /* it was asked to deliver */
    UPSTREAM_READING,    /* not everything is delivered that was in the stream */
    UPSTREAM_SERVING
};

/* Subscriptions: answers of the API, acknowledgements of publications, other nodes' questions and
 * the answers to this node's, and, one after the other, what consumers deliver. */
enum { SID_ANSWERS = 1, SID_STORED, SID_QUESTIONS, SID_REPLIES, SID_CONSUMERS };

/* What is to be read, and how far that has come. */
struct reading {
    uint64_t next;         /* the sequence that is wanted next; 0: the stream was not found yet */
    uint64_t end;          /* the stream's last sequence, when it was found */
    uint64_t deliveries;   /* of the present consumer */
    uint64_t consumer;     /* its number, which is in its subject */
    uint64_t subscribed;   /* to the consumer, on this connection: its sid; 0: not yet */
    uint64_t behind_since; /* all is delivered that there is, and it is not all; 0: it is not so */
    bool has_consumer;
    bool is_idle;     /* everything there is was delivered */
    bool is_told;     /* the end was told since the connection was made */
    char created[40]; /* when the stream was made; "": it was not seen yet */
    char leader[64];  /* of the stream's servers, when it was found; "": none, or not known */
};

/* Times of clock_us(). */
struct upstream_times {
    uint64_t due;      /* the phase must be left by then, or in AWAY will be; TIME_NEVER */
    uint64_t ask;      /* a question is put again then; 0: it was put */
    uint64_t patience; /* since then the server has not brought us on */
    uint64_t heard;    /* the consumer has said something */
    uint64_t progress; /* a publication has come on, or the first one was made */
    uint64_t too_few;  /* since then there are too few servers; 0: there are not */
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
    struct upstream_times times;
    /* What a lost connection is told as: CONNECTING at first, then AWAY. */
    enum engine_state failure;
    bool doubtful;      /* the last publications were not stored */
    bool has_jetstream; /* the server's own word */
    bool waits_for_hub; /* something that was received is not looked at yet */
    unsigned replicas;
    uint64_t max_payload;
    uint64_t asked; /* the number of the last request */
    char inbox[24]; /* of this connection: replies go to subjects below it */
    char in_bytes[NATS_HELD_MAX + 65536];
    char out_bytes[BATCH_MAX + 131072];
};

/* setup, pair and window outlive it. False where the setup's servers are none. */
bool upstream_init(
    struct upstream *, const struct frame_setup *, struct pair *, struct window *, uint64_t now);

/* Tells the hub a state. */
void upstream_tell(struct upstream *, enum engine_state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Enters a phase that is to be left by then. */
void upstream_enter(struct upstream *, enum upstream_phase, uint64_t due);

/* Begins to connect to the next address. */
void upstream_connect(struct upstream *, uint64_t now);
/* connect(2) has finished: well, or the connection is given up. */
void upstream_connected(struct upstream *, uint64_t now);
/* Says something to the server. */
void upstream_say(struct upstream *, const char *bytes, size_t len);
/* Publishes these bytes; the answer goes to the subject reply, "": there is none. */
void upstream_publish(struct upstream *, const char *subject, const char *reply, struct span bytes);
void upstream_subscribe(struct upstream *, const char *subject, uint64_t sid);
/* A subject below the inbox, by the kind of what comes there and a number; the number of such a
 * subject; and a subscription to all of one kind. */
void upstream_inbox(
    const struct upstream *, char out[NATS_SUBJECT_MAX], char kind, uint64_t number);
uint64_t upstream_inbox_number(struct span subject);
void upstream_subscribe_inbox(struct upstream *, char kind, uint64_t sid);
/* What was received is looked at only where the hub can be told of it. */
bool upstream_may_read(const struct upstream *);

/* Gives up the connection; why is told with the server's name. */
void upstream_lose(struct upstream *, const char *why, uint64_t now);
/* The same for the reason in errno; 0: the server has closed it. */
void upstream_fail(struct upstream *, uint64_t now);
/* The same, told as that state, and the server is not tried at its other addresses. */
void upstream_lose_server(struct upstream *, enum engine_state, const char *why, uint64_t now);

#endif
