/*
 * station.h: the hub of a station, played by a test: it hands batches to an engine, a process of
 * its own, and checks all that comes: every message once and in the stream's order, every batch
 * with its own bytes.
 */
#ifndef TESTS_STATION_H
#define TESTS_STATION_H

#include "harness.h"
#include "server/cluster/batch.h"
#include "server/cluster/frame.h"

#define ROOM "tea"

struct station {
    pid_t pid; /* the engine */
    int fd;    /* -1: none */
    enum engine_state state;
    char text[FRAME_TEXT_MAX + 1];
    uint32_t batch_max;
    uint64_t sequence; /* of the last message */
    uint64_t time;     /* of the last message */
    uint64_t end;      /* that was told last */
    unsigned ends;     /* how often one was told */
    unsigned holes;    /* messages that did not follow the one before them */
    uint64_t wanted;   /* batches that are to be published */
    uint64_t sent;     /* to the present engine; returned <= sent <= wanted */
    uint64_t returned; /* batches that came back in their order */
    uint64_t doubles;  /* messages of batches that do not count */
    size_t batch_size; /* of the test's batches */
    char told[512];    /* the questions and answers that came, a line each */
    size_t in_len;
    char *in;
    char *out; /* a frame under way: [out_at, out_len) */
    size_t out_at;
    size_t out_len;
};

/* Executes the program as an engine whose pair's end is fd. */
_Noreturn void engine_execute(int fd);

void station_init(struct station *);
/* Ends the engine, which must exit as it should. */
void station_free(struct station *);
/* Starts an engine that is to read from behind the last message. */
void station_start_engine(struct station *, const char *servers, const char *credentials);
/* Ends it by a signal, or, with 0, by closing the pair: its exit status, or 128 and the signal. */
int station_end_engine(struct station *, int sig);

/* A question to that node, and an answer to that subject, go to the engine. */
void station_ask(
    struct station *, uint64_t number, uint64_t until, const char *node, struct span bytes);
void station_answer(struct station *, const char *reply, struct span bytes);
/* Until that question or answer has come, `_INBOX.1: bytes` or `7: bytes`. */
void station_await_told(struct station *, const char *line);

/* One look at the pair, of 20 ms at most. False at the end of the engine. */
bool station_turn(struct station *);
void station_await_state(struct station *, enum engine_state);
/* Until so many batches have come back in their order. */
void station_await(struct station *, uint64_t returned);
/* So many more are published and come back. */
void station_publish(struct station *, uint64_t count);

#endif
