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
    size_t length;          /* bytes of one of his lines, LF included; 0: 64 */
    bool resumes;           /* he asks for a token, and gives it when he comes again */
    char token[64];         /* empty: he has none */
    unsigned long before;   /* lines that were answered before the session of the token began */
    struct record heard;    /* room events and gaps */
    uint64_t last;          /* the stamp of the last event that he heard */
    unsigned long said;     /* of his lines, those that were given to his kernel whole */
    unsigned long answered; /* of these, those of which he knows what became of them */
    unsigned long echoed;
    unsigned long refused;
    unsigned long mine;    /* in gaps */
    unsigned long private; /* private messages that he got */
    char *out;             /* the line that is being sent */
    size_t out_at;
    size_t out_len;
};

/* Comes, or comes again after a break: then his past since then is asked for. */
void singer_join(struct singer *, const struct server *);
/* Takes what is there, without waiting. */
void singer_hear(struct singer *);
/* Sends more, as much as fits and as has him no more than ahead lines in front of the answers. */
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
