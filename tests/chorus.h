/*
 * chorus.h: several people who talk at once, and remember what they hear.
 *
 * Everybody's lines are numbered from 0 on, and every number must come back as an echo, an error or
 * in the MINE of a gap, in order, over any number of connections: what was taken before a
 * connection broke is known from what the room says afterwards.
 */
#ifndef CHORUS_H
#define CHORUS_H

#include "harness.h"
#include "record.h"

/* Zeroed memory but for the name is one who has not come yet. singer_end() frees what it holds. */
struct singer {
    struct conn conn;
    char name[16];
    size_t length;          /* bytes of one of its lines, LF included; 0: 64 */
    bool resumes;           /* it asks for a token, and gives it when it comes again */
    char token[64];         /* empty: it has none */
    unsigned long before;   /* lines that were answered before the session of the token began */
    struct record heard;    /* room events and gaps */
    uint64_t last;          /* the stamp of the last event that it heard */
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
void singer_join(struct singer *, const struct server *);
/* Takes what is there, without waiting. */
void singer_hear(struct singer *);
/* Sends more lines, as many as fit, but at most ahead lines without an answer. */
void singer_say(struct singer *, unsigned long ahead);
void singer_end(struct singer *);

/* One round of all of them, of at most that many milliseconds. */
void chorus_step(struct singer *, size_t count, unsigned long ahead, int ms);
/* They talk for so long; what is said in the end may still be unanswered. */
void chorus_talk(struct singer *, size_t count, unsigned long ahead, int64_t ms);
/* Until each has had that many answers in all. */
void chorus_talk_until(struct singer *, size_t count, unsigned long ahead, unsigned long answers);
/* Nobody says anything more; waits until everything said is answered, and heard by all. */
void chorus_rest(struct singer *, size_t count);
/* Nobody says anything more; takes what still comes until the server has closed all. */
void chorus_hear_end(struct singer *, size_t count);
/* Nobody has heard other messages than the rest, in another order, or twice. */
void chorus_agrees(const struct singer *, size_t count);

#endif
