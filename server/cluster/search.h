/*
 * search.h: a node that starts looks for a snapshot near the stream's end, from which it goes on.
 * What it reads meanwhile is not applied: when it has found one it reads again from there. Where
 * none is near enough to the end it looks further back: as far as the times of the oldest messages
 * suggest, but at most eight times as far.
 *
 * A snapshot will do if it is not newer than the end of this node's transcript; without a
 * transcript, if so much follows that the log is filled. Where the stream does not reach so far
 * back, the oldest one is taken. A stream that was read from its first message on is applied from
 * there, unless it was made anew (renewal.h), or has led to another room than is right (copy.h):
 * what is before such a message does not count, and the snapshot of the state there is waited for
 * where it is not stored yet.
 */
#ifndef SERVER_CLUSTER_SEARCH_H
#define SERVER_CLUSTER_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "server/hub/room.h"
#include "wire/span.h"

/* Where one begins: so many messages before the end. There is a snapshot for each 10 000. */
#define SEARCH_BACK 25000u

/* So many are collected at once. A node stores one after the other, so there are two at most,
 * unless nodes have died in the middle. */
#define SEARCH_AT_ONCE 4

/* One of which all parts, or the first few, have come. A part that is not the next one is ignored:
 * a batch may be stored twice, or before an earlier one. */
struct snapshot {
    uint64_t place; /* 0: none */
    uint64_t hash;
    uint64_t stamp; /* of the last event before it */
    uint32_t count; /* of parts */
    uint32_t next;  /* part */
    char *bytes;
    size_t len;
};

/* The last message that was found to have made the stream anew, or at which the room was not
 * right. */
struct search_anew {
    uint64_t sequence; /* 0: none */
    uint64_t time;     /* when it was stored: microseconds since 1970; 0: it was not made anew */
    uint64_t stamp;    /* of the last event of the room that it is of; 0 as time */
    uint64_t hash;     /* of the right snapshot of that place; 0: any */
};

struct search {
    struct search_anew anew;
    uint64_t back;       /* how far before the end it has begun; 0: with the oldest message */
    uint64_t first;      /* sequence that was read; 0: none was */
    uint64_t first_time; /* when it was stored: microseconds since 1970 */
    uint64_t half_time;  /* the same half as far back */
    uint64_t following;  /* bytes of the messages behind the best snapshot */
    bool whole;          /* it was found to have its first message, and is applied */
    bool waits;          /* the end was reached, and any snapshot will do that comes */
    bool passed;         /* a snapshot is newer than the end of the transcript */
    struct snapshot taking[SEARCH_AT_ONCE];
    struct snapshot best; /* bytes: NULL: none was found yet */
};

/* What a snapshot must be good for. */
struct search_goal {
    uint64_t known;  /* the stamp at the end of the transcript; 0: there is none */
    size_t log_size; /* bytes that the log holds */
};

/* Zeroed memory is a search that has not begun. */
void search_free(struct search *);
/* The stream is read, for the first time or from further back. */
void search_begin(struct search *);
/* What was before that message does not count, and the stream is not applied from its first message
 * on. */
void search_begin_anew(struct search *, const struct search_anew *);
/* A message of the stream. True: best will do, and nothing better follows, so that the rest need
 * not be read. */
bool search_take(struct search *, const struct frame_message *, const struct search_goal *);

enum search_result {
    SEARCH_FOUND,   /* best is the snapshot to load */
    SEARCH_FURTHER, /* begin again: back has grown */
    SEARCH_WHOLE,   /* the stream has its first message: begin again, and apply all */
    SEARCH_WAIT,    /* it is yet to be stored: search_take() tells when it has come */
    SEARCH_NONE     /* there is none */
};

/* The stream ends at that sequence. */
enum search_result search_end(struct search *, uint64_t sequence, const struct search_goal *);

#endif
