/*
 * stream.h: a room's stream in this process, and mock engines between it and hubs. An engine
 * that is there stores each batch at once, or as the test lets it, and tells every hub all messages
 * in order.
 */
#ifndef TESTS_STREAM_H
#define TESTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/cluster/frame.h"
#include "wire/span.h"

struct stored {
    char *bytes;
    size_t len;
    uint64_t time; /* nanoseconds since 1970 */
};

/* What becomes of a question to another node. */
enum questions {
    QUESTIONS_GO,    /* it is answered */
    QUESTIONS_WAIT,  /* it waits for a test that lets it go */
    QUESTIONS_VANISH /* and so do answers */
};

#define ENGINES_MAX 8

struct stream {
    struct stored *all;
    size_t count;
    size_t size;
    size_t gone;          /* so many of them were removed from the beginning */
    uint64_t max_bytes;   /* as engines see it; 0: no limit */
    bool away;            /* nothing is stored: engines keep what they are given */
    bool slow;            /* engines that watch have not read any messages yet */
    uint64_t ahead;       /* microseconds by which its clock is ahead of this machine's */
    unsigned form;        /* the newest that nodes read which start; 0: as this program does */
    const char *odd_node; /* this node is told another message at one sequence; NULL: none is */
    size_t odd;           /* that sequence */
    enum questions questions;
    size_t letters; /* questions and answers that have gone from one engine to another */
    struct engine *engines[ENGINES_MAX]; /* those that are open */
};

/* The engine's end of a pair. */
struct engine {
    struct stream *stream;
    char node[33];
    int fd;       /* -1: there is none */
    size_t told;  /* messages that the hub was told */
    bool greeted; /* it has had its SETUP, and was told where the stream ends */
    bool gone;    /* the stream is not what the hub has read: it was told so */
    bool watches; /* that was in the SETUP */
    size_t ended; /* where it was told, plus one, that the stream ends, as one that watches */
    bool cut;     /* nothing of this hub's is stored, and it is told nothing */
    char *in;     /* what the hub has sent and was not processed */
    size_t in_len;
    size_t in_size;
    char *out; /* what the pair did not take */
    size_t out_len;
    size_t out_size;
};

void stream_free(struct stream *);
/* A batch of any bytes is stored. */
void stream_put(struct stream *, const char *bytes, size_t len);
/* It loses all but so many messages; engines that have told more say that it is gone. */
void stream_lose(struct stream *, size_t kept);
/* All engines that are open tell that state. */
void stream_set_state(struct stream *, enum engine_state);

/* A new engine; returns the hub's end of its pair. */
int engine_open(struct engine *, struct stream *);
void engine_close(struct engine *);
/* It reads, stores and tells what it can. True where anything moved. */
bool engine_turn(struct engine *);
/* A question for its node, which is to be answered to a subject, arrives. */
void engine_question(struct engine *, const char *reply, struct span bytes);

#endif
