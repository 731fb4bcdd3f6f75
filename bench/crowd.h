/*
 * crowd.h: many members of one room in one process. They log in, speak, receive, and check that
 * each of them receives every text once, in the order in which each speaker sent it and in one
 * order for all. Linux only (epoll).
 *
 * A text is TEXT_LEN bytes that hold the speaker's number and a count; the rest never changes.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TEXT_LEN 64
#define SPEAKERS_MAX 8

/* The protocol of a kind of server. Each of them echoes a speaker's text to the speaker too. */
struct wire {
    const char *name;
    const char *hello;  /* logs in; the name is put in place of each % */
    const char *ready;  /* part of the line that ends the login */
    const char *before; /* what a sent text begins with */
    const char *after;
    size_t frame; /* bytes of a received text with all around it; 0: found out with the first one */
    size_t end;   /* how many of them follow the text */
    bool list;    /* it tells who is in the room: `here`, `join`, `quit` */
    bool chat;    /* every line must be one of chat-protocol(7) */
    bool unordered; /* members may receive the texts of several speakers in different orders */
};

/* NULL if there is none of that name: chatd, token (chatd with /token), floor, redis, nats. */
const struct wire *wire_find(const char *name);

struct member {
    int fd; /* -1: not connected */
    bool ready;
    /* The users list as this member knows it: how many, and the sum of their numbers. */
    unsigned present;
    uint64_t present_sum;
    unsigned quits;
    uint64_t order; /* a hash of all received texts, in their order */
    uint32_t *next; /* by speaker: the count that is expected next */
    char *held;     /* the beginning of a line */
    size_t held_len;
};

/* Member N is speaker N, if N is below the number of speakers. answered <= said. */
struct speaker {
    uint32_t said;
    uint32_t answered; /* echoes received */
    bool blocked;      /* its connection takes nothing now */
    char *line;
    size_t line_len;
    size_t count_at; /* where in the line the count is */
    char *out;
    size_t out_at;
    size_t out_len;
};

/* What must not happen. */
struct faults {
    uint64_t doubled;
    uint64_t disordered; /* received after a text that was sent later */
    uint64_t torn;       /* lines that nobody sent; lists whose `users` count is wrong */
    uint64_t skipped;    /* the sum of what `gap` lines said */
    uint64_t refused;    /* `error` lines */
    uint64_t dropped;    /* connections that the server closed */
};

/* Texts that a member has not received although it has received later ones. */
struct hole {
    const struct member *member;
    unsigned speaker;
    uint32_t from;
    uint32_t to;
};

struct crowd {
    const struct wire *wire;
    struct sockaddr_storage address;
    socklen_t address_len;
    unsigned sources; /* how many addresses of 127.1.0.0/16 members connect from; 0: the default */
    int epoll;
    int timer;
    struct member *members;
    unsigned count;
    struct speaker *speakers;
    unsigned speaker_count;
    size_t frame;
    unsigned flight;         /* logins that are under way at once */
    unsigned ready;          /* logins that are complete */
    bool leave_at_once;      /* a member closes its connection as soon as its login is complete */
    unsigned alarms;         /* how often the timer of crowd_alarm() has expired */
    uint64_t received;       /* texts, doubled ones included */
    uint64_t received_at;    /* the end of the last turn in which a text was received */
    uint64_t received_bytes; /* of everything */
    uint64_t now;            /* the time of the last read, where on_text is set */
    void (*on_text)(void *, unsigned speaker, uint32_t count);
    void *on_text_arg;
    struct faults faults;
    struct hole *holes;
    size_t hole_count;
    char *in;
};

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_now(void);

/* A path, or HOST:PORT in numbers. Ends the program if it is neither. */
void address_parse(const char *address, struct sockaddr_storage *, socklen_t *len);

/* Nobody is connected yet. Ends the program on failure. */
void crowd_init(
    struct crowd *, const struct wire *, const char *address, unsigned members, unsigned speakers);

/*
 * Logs in all members and returns when all of them are in; false when there was no progress for
 * 30 s. crowd.ready counts.
 */
bool crowd_join(struct crowd *);

/*
 * Waits until every connected member has the complete users list, where the protocol has one, and
 * nothing has been received for quiet_ms. False when that takes more than 60 s.
 */
bool crowd_settle(struct crowd *, unsigned quiet_ms);

/* Closes the member's connection. */
void crowd_leave(struct crowd *, unsigned member);

/* The speaker sends n more texts, or as many as fit into its buffer; returns how many. */
uint32_t crowd_say(struct crowd *, unsigned speaker, uint32_t n);

/* The kernel has taken all that the speaker sent. */
bool speaker_is_idle(const struct speaker *);

/* Waits for at most timeout_ms (-1: without limit) and handles what has happened. */
void crowd_turn(struct crowd *, int timeout_ms);

/* From the time `start` on (0: never), alarms is increased every period_ns (0: once). */
void crowd_alarm(struct crowd *, uint64_t start, uint64_t period_ns);

/* How many texts must be received in all, since the start. */
uint64_t crowd_expected(const struct crowd *);

/* True when every text has been received by everybody, or was reported as skipped. */
bool crowd_is_complete(const struct crowd *);

/* Members that received the texts in another order than the first member, although the protocol
 * promises one order. Call it when all texts have been received. */
unsigned crowd_disagreeing(const struct crowd *);

void crowd_free(struct crowd *);

#endif
