/*
 * mock_hub.h: a mock hub, which hands batches to an engine, a process of its own. It checks all
 * that comes: every message once and in the stream's order, every batch with its own bytes.
 */
#ifndef TESTS_MOCK_HUB_H
#define TESTS_MOCK_HUB_H

#include "harness.h"
#include "server/cluster/batch.h"
#include "server/cluster/frame.h"

#define ROOM "tea"

struct mock_hub {
    pid_t pid; /* the engine */
    int fd;    /* -1: none */
    enum engine_state state;
    char text[FRAME_TEXT_MAX + 1];
    uint32_t batch_max;
    uint64_t sequence;    /* of the last message */
    uint64_t time;        /* of the last message */
    struct frame_end end; /* that was told last */
    unsigned ends;        /* how often one was told */
    unsigned holes;       /* messages that did not follow the one before them */
    uint64_t wanted;      /* batches that are to be published */
    uint64_t sent;        /* to the present engine; returned <= sent <= wanted */
    uint64_t back;        /* at most so many messages before the end are wanted at first; 0: all */
    uint64_t returned;    /* batches that came back in their order */
    uint64_t doubles;     /* messages of batches that do not count */
    int64_t heard_at;     /* clock_ms() of the last message, or of the engine's start */
    int64_t silence;      /* the longest time in which no message came, in milliseconds */
    size_t batch_size;    /* of the test's batches */
    char told[512];       /* the questions and answers that came, a line each */
    size_t in_len;
    char *in;
    char *out; /* a frame under way: [out_at, out_len) */
    size_t out_at;
    size_t out_len;
};

/* Executes the program as an engine whose pair's end is fd. */
_Noreturn void engine_execute(int fd);

void mock_hub_init(struct mock_hub *);
/* Ends the engine, which must exit as it should. */
void mock_hub_free(struct mock_hub *);
/* Starts an engine that is to read from behind the last message. */
void mock_hub_start_engine(struct mock_hub *, const char *servers, const char *credentials);
/* Ends it by a signal, or, with 0, by closing the pair: its exit status, or 128 and the signal. */
int mock_hub_end_engine(struct mock_hub *, int sig);

/* A question to that node, and an answer to that subject, go to the engine. */
void mock_hub_ask(
    struct mock_hub *, uint64_t number, uint64_t until, const char *node, struct span bytes);
void mock_hub_answer(struct mock_hub *, const char *reply, struct span bytes);
/* Until that question or answer has come, `_INBOX.1: bytes` or `7: bytes`. */
void mock_hub_await_told(struct mock_hub *, const char *line);

/* One look at the pair, of 20 ms at most. False at the end of the engine. */
bool mock_hub_turn(struct mock_hub *);
void mock_hub_await_state(struct mock_hub *, enum engine_state);
/* Until so many batches have come back in their order. */
void mock_hub_await(struct mock_hub *, uint64_t returned);
/* So many more are published and come back. */
void mock_hub_publish(struct mock_hub *, uint64_t count);

#endif
