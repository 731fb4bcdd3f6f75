/*
 * senders.h: several clients that send at once, and record what they receive.
 *
 * The lines of each are numbered from 0 on. Every number must come back as an echo, an error or in
 * the MINE of a gap, in order, over any number of connections. Which lines the server had taken
 * before a connection broke is known from the events that follow.
 */
#ifndef SENDERS_H
#define SENDERS_H

#include "harness.h"
#include "record.h"

/* Zeroed memory but for the name: a client that has not joined yet. sender_end() frees what it
 * holds. */
struct sender {
    struct conn conn;
    char name[16];
    size_t length;          /* bytes of one of its lines, LF included; 0: 64 */
    bool resumes;           /* it asks for a token, and gives it when it comes again */
    char token[64];         /* empty: it has none */
    unsigned long before;   /* lines that were answered before the session of the token began */
    struct record heard;    /* room events and gaps */
    uint64_t last;          /* the stamp of the last event that it received */
    unsigned long said;     /* lines that were written to the socket whole */
    unsigned long answered; /* of these, lines whose answer has come */
    unsigned long echoed;
    unsigned long refused;
    unsigned long mine;    /* in gaps */
    unsigned long private; /* private messages that it got */
    char *out;             /* the line that is being sent */
    size_t out_at;
    size_t out_len;
};

/* Joins, or joins again after a break and asks for the events since then. */
void sender_join(struct sender *, const struct server *);
/* Takes what is there, without waiting. */
void sender_hear(struct sender *);
/* Sends more lines, as many as fit, but at most ahead lines without an answer. */
void sender_say(struct sender *, unsigned long ahead);
void sender_end(struct sender *);

/* One round of all of them, of at most that many milliseconds. */
void senders_step(struct sender *, size_t count, unsigned long ahead, int ms);
/* All send for ms milliseconds; the last lines may still be unanswered. */
void senders_talk(struct sender *, size_t count, unsigned long ahead, int64_t ms);
/* Until each has had that many answers in all. */
void senders_talk_until(struct sender *, size_t count, unsigned long ahead, unsigned long answers);
/* Sends nothing more, and waits until every line is answered and has reached all of them. */
void senders_rest(struct sender *, size_t count);
/* Sends nothing more, and receives until the server has closed all connections. */
void senders_hear_end(struct sender *, size_t count);
/* All have received the same messages, in the same order, each once. */
void senders_agree(const struct sender *, size_t count);

#endif
