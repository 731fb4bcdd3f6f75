/*
 * puppets.h: a hub in this process, and pretended workers at the other ends of its pairs. Nothing
 * forks and nothing waits: processes are numbers, and the clock is moved ahead.
 *
 * Every line that a puppet is given is checked: a stamp and a verb, clean text, not too long, room
 * events in the order of their stamps.
 */
#ifndef PUPPETS_H
#define PUPPETS_H

#include "harness.h"
#include "server/hub/hub.h"

#define PUPPETS_MAX 400

/* One pretended worker: its end of the pair, and what has come through it. */
struct puppet {
    int fd;     /* -1: closed */
    int hub_fd; /* the hub's, as long as it is this socket: */
    ino_t hub_socket;
    pid_t pid;
    bool reads;    /* takes what is there, whenever the stage turns */
    bool ended;    /* the hub has ended its side */
    bool dead;     /* by the test's will: its body is found when the test says so */
    bool killed;   /* the hub has sent SIGKILL: dies before the next turn */
    bool reaped;   /* the hub was told of its death */
    bool added;    /* hub_add() took it */
    int takeovers; /* how often the hub has sent SIGUSR1 */
    char *bytes;   /* what came and was not taken, [start, end) of size */
    size_t start;
    size_t end;
    size_t size;
    uint64_t last;           /* the stamp of the last room event */
    struct event event;      /* the line taken last; its spans are in text */
    size_t len;              /* of the whole line */
    char text[LINE_OUT_MAX]; /* it, NUL-terminated */
    char title[160];         /* the last one that the hub has sent */
};

struct stage {
    struct hub_config config;
    struct report report;
    struct hub *hub;
    struct poller *poller;
    uint64_t now; /* of CLOCK_MONOTONIC, and how much the test has put on top: */
    uint64_t ahead;
    int timeout;  /* what the last turn said */
    uint64_t due; /* so the next one is due then */
    bool poked;   /* or at once, after something that the poller does not see */
    struct puppet puppets[PUPPETS_MAX];
    size_t count;
    int other_fd; /* one more of the hub's, as long as it is this socket: the writer's */
    ino_t other_socket;
    void (*around)(bool inside); /* called before and after the hub; NULL: nobody is */
    int pair_bytes; /* what the pairs of those who come hold; 0: what the system gives them */
};

/* A room with this config: what is left zero becomes what most tests want (no history). */
void stage_open(struct stage *, const struct hub_config *);
void stage_close(struct stage *);
/* The poller once, deaths, one turn. True where anything was ready or taken. */
bool stage_turn(struct stage *);
/* Turns until nothing moves any more, nor will within a moment. */
void stage_settle(struct stage *);
/* Time passes, with a turn whenever the hub wants one. */
void stage_wait(struct stage *, uint64_t us);

/* A new worker; its peer is 192.0.2.N:1000. */
struct puppet *puppet_add(struct stage *);
/* The same with an address and a proved login (or NULL). */
struct puppet *puppet_add_as(struct stage *, const char *peer, const char *login);
/* Gives bytes to the hub, all that the pair takes now; how many those were. */
size_t puppet_give(struct puppet *, const char *bytes, size_t len);
/* Gives a line, which the pair must take. */
void puppet_say(struct puppet *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes at most max bytes from the pair. True where there were any, or the end. */
bool puppet_take(struct puppet *, size_t max);
/* The next whole line that was taken, what follows its stamp; NULL: there is none. */
const char *puppet_line(struct puppet *);
/* Closes its end, as death does. */
void puppet_close(struct puppet *);
/* Tells the hub that the process was reaped, with that status of waitpid(2). */
void puppet_reap(struct stage *, struct puppet *, int status);
/* A writer for the transcript: the other end of its pair, or -1 where there was no memory. */
int writer_add(struct stage *, bool sync);
/* Joins somebody, who takes his welcome. */
struct puppet *puppet_join(struct stage *, const char *name);
/* Says the goodbye, waits for the hub's, and is gone. */
void puppet_leave(struct stage *, struct puppet *);

/* The hub hands its room to a new one, as an upgrade does. False where it cannot now. */
bool stage_handover(struct stage *);

/*
 * Plays a script on an empty stage, a step a line: who (a letter; added when first heard of), what,
 * a blank, and the rest.
 *   a> text      gives the line, and the room settles
 *   a: text      gives it, and nothing happens yet
 *   a& text      gives it without a line end
 *   a! word      gives the control line
 *   a< pattern   the next line matches     a~ pattern   skips up to a line that matches
 *   a0           nothing more is there     a.           the hub has ended its side
 *   a|           its end is closed         a-           the same, by its death
 *   a* STATUS    its body is found, with that status of waitpid(2)
 *   +SECONDS     time passes
 */
void stage_play(struct stage *, const char *script);

#endif
