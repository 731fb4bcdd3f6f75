/*
 * crowd.h: many members of one room in one process. They log in, speak, listen, and check that each
 * of them hears everything once, in the order in which each speaker said it and in one order for
 * all. Linux only (epoll).
 *
 * What a speaker says is TEXT_LEN bytes that hold his number and a count; the rest never changes.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TEXT_LEN 64
#define SPEAKERS_MAX 26

/* How a kind of server is talked to. */
struct wire {
    const char *name;
    const char *hello;  /* logs in; the name stands for each % */
    const char *ready;  /* what the line holds that ends the login */
    unsigned flight;    /* logins that are under way at once */
    const char *before; /* what stands before a text that is sent */
    const char *after;
    size_t frame;    /* bytes of a text that is heard, with all around it; 0: they are found out */
    size_t end;      /* how many of them follow the text */
    bool echo;       /* a speaker hears himself */
    bool list;       /* it tells who is there: contract 2.2 */
    bool lines_only; /* every line is of contract 2.2: what is not, is torn */
};

/* NULL if there is none of that name: chatd, floor, redis, irc, ncat. */
const struct wire *wire_find(const char *name);

struct member {
    int fd; /* -1: not in */
    bool ready;
    /* The list as this member knows it: how many, and the sum of their numbers. */
    unsigned present;
    uint64_t present_sum;
    unsigned quits;
    uint64_t order; /* a hash of all that was heard, in its order */
    uint32_t *next; /* by speaker: the count that comes next */
    char *held;     /* the beginning of a line */
    size_t held_len;
};

/* Member number N is speaker number N, if N < speakers. */
struct speaker {
    uint32_t said;
    uint32_t answered; /* heard by himself, or, where there is no echo, by the member after him */
    bool blocked;      /* his connection takes nothing now */
    char *line;
    size_t line_len;
    size_t count_at; /* where in the line the count stands */
    char *out;
    size_t out_at;
    size_t out_len;
};

/* What must not happen. */
struct faults {
    uint64_t doubled;
    uint64_t disordered; /* heard after something that was said later */
    uint64_t torn;       /* lines that nobody said; lists that `users` does not count right */
    uint64_t skipped;    /* the sum of what `gap` said */
    uint64_t refused;    /* `error` lines */
    uint64_t dropped;    /* connections that the server ended */
};

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
    int epoll;
    int timer;
    struct member *members;
    unsigned count;
    struct speaker *speakers;
    unsigned speaker_count;
    size_t frame;
    unsigned flight;    /* logins that are under way at once; from the wire, until it is changed */
    unsigned ready;     /* logins that are done */
    bool leave_at_once; /* a member goes as soon as its login is done */
    unsigned alarms;    /* how often the clock of crowd_alarm() has struck */
    uint64_t heard;     /* texts, doubled ones included */
    uint64_t heard_at;  /* when a turn ended in which something was heard */
    uint64_t heard_bytes; /* whatever was received */
    uint64_t now;         /* of the last read, where on_heard is set */
    void (*on_heard)(void *, unsigned speaker, uint32_t count);
    void *on_heard_arg;
    struct faults faults;
    struct hole *holes;
    size_t hole_count;
    char *in;
};

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_now(void);

/* Nobody is in yet. The address is a path, or HOST:PORT in numbers. Ends the program on failure. */
void crowd_init(
    struct crowd *, const struct wire *, const char *address, unsigned members, unsigned speakers);

/*
 * Logs in all members and returns when they are in; false when there was no progress for 30 s.
 * crowd.ready counts.
 */
bool crowd_join(struct crowd *);

/*
 * Waits until every member that is in has the whole list, where the wire tells it, and nothing has
 * come for quiet_ms. False when the list was not complete after 60 s.
 */
bool crowd_settle(struct crowd *, unsigned quiet_ms);

/* Closes the member's connection. */
void crowd_leave(struct crowd *, unsigned member);

/* The speaker says n more texts, or as many as fit into his buffer; returns how many. */
uint32_t crowd_say(struct crowd *, unsigned speaker, uint32_t n);

/* What the speaker said has been taken by the kernel. */
bool speaker_is_idle(const struct speaker *);

/* Waits for at most timeout_ms (-1: for ever) and acts on what has happened. */
void crowd_turn(struct crowd *, int timeout_ms);

/* From the time `start` on (0: never), alarms is counted up every period_ns. */
void crowd_alarm(struct crowd *, uint64_t start, uint64_t period_ns);

/* How many texts must be heard in all, by those who are in or were dropped. */
uint64_t crowd_owed(const struct crowd *);

/* Members that did not hear what the first silent one heard in the same order. Call it when all is
 * heard. */
unsigned crowd_disagreeing(const struct crowd *);

void crowd_free(struct crowd *);

#endif
