/*
 * jetstream.h: what is asked of JetStream, NATS's store of streams, and what it answers: requests
 * and answers of its API (JSON), acknowledgements, and the subjects that say where in a stream a
 * message is. Only fields that nats-server 2.9 knows. Pure.
 */
#ifndef SERVER_CLUSTER_JETSTREAM_H
#define SERVER_CLUSTER_JETSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/span.h"

/* ---- Names ----------------------------------------------------------------------------------- */

#define JETSTREAM_SUBJECT_MAX 96

/* A room's stream, the subject of its messages, and where its requests are sent. */
struct jetstream_names {
    char stream[JETSTREAM_SUBJECT_MAX];
    char subject[JETSTREAM_SUBJECT_MAX];
    char stream_info[JETSTREAM_SUBJECT_MAX];
    char stream_create[JETSTREAM_SUBJECT_MAX];
    char consumer_create[JETSTREAM_SUBJECT_MAX];
};

/* room has at most 32 letters, digits, `-` and `_`. */
void jetstream_names_set(struct jetstream_names *, struct span room);

/* ---- Requests -------------------------------------------------------------------------------- */

#define JETSTREAM_REQUEST_MAX 1024
/* Servers that hold a copy of the stream, at most. */
#define JETSTREAM_REPLICAS_MAX 3
/* How often a consumer that has nothing to deliver says so. */
#define JETSTREAM_HEARTBEAT_US 1000000u

/* A stream of 1 GiB on disk that drops the oldest. Its length. */
size_t jetstream_write_stream(
    char out[JETSTREAM_REQUEST_MAX], const struct jetstream_names *, unsigned replicas);
/*
 * An ordered consumer: it delivers to that subject, from a sequence on (0: the oldest there is),
 * without acknowledgements, with flow control and heartbeats. Its length.
 */
size_t jetstream_write_consumer(char out[JETSTREAM_REQUEST_MAX], const struct jetstream_names *,
    const char *deliver, uint64_t from);

/* ---- Answers --------------------------------------------------------------------------------- */

#define JETSTREAM_WORDS_MAX 480

enum jetstream_result {
    JETSTREAM_DONE,
    JETSTREAM_NO_STREAM,
    JETSTREAM_NAME_TAKEN,  /* another node has made the stream meanwhile */
    JETSTREAM_FEWER,       /* there are not enough servers for so many replicas */
    JETSTREAM_ALONE,       /* there is one server and no cluster: one replica only */
    JETSTREAM_UNAVAILABLE, /* a failure that may pass */
    JETSTREAM_NOBODY,      /* no server took the request: JetStream is away, or not enabled */
    JETSTREAM_UNUSABLE,    /* a failure that will not pass */
    JETSTREAM_MALFORMED    /* it is not a valid answer */
};

/* What an answer says. Numbers that it does not have are 0. */
struct jetstream_answer {
    enum jetstream_result result;
    char words[JETSTREAM_WORDS_MAX]; /* of an error */
    uint64_t sequence;               /* of a publication: where it is in the stream */
    uint64_t first, last;            /* of a stream: its sequences; last + 1 == first: empty */
    uint64_t size;                   /* of a stream: the bytes that it may have; 0: no limit */
    uint64_t pending;                /* of a consumer: messages to be delivered at once */
    char created[40];                /* of a stream: when, as the server writes it */
    char leader[64];                 /* of a stream: the name of the server that leads; "": none */
};

/* Reads a message that is the answer to a request or to a publication: headers, then payload. */
void jetstream_read_answer(struct jetstream_answer *, struct span headers, struct span payload);

/* Where a delivered message is. */
struct jetstream_place {
    uint64_t stream;   /* its sequence in the stream */
    uint64_t consumer; /* the number of this delivery, from 1, without gaps */
    uint64_t time;     /* when it was stored: nanoseconds since 1970 */
    uint64_t pending;  /* how many are still to come */
};

/* Reads the reply's subject of a delivery, `$JS.ACK...` with 9, 11 or 12 tokens. False: it is none.
 */
bool jetstream_read_place(struct jetstream_place *, struct span reply);

#endif
