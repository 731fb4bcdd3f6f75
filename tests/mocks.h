/*
 * mocks.h: a hub in this process, and mock clients and workers at the other ends of its sockets.
 * Nothing forks and nothing waits: processes are numbers, and the clock is moved ahead.
 *
 * A mock is a client and its worker. The client has a socket, to which the hub writes; the one byte
 * that the client sends there only makes the hub start the worker. The worker has a pair, through
 * which it relays what the test lets the client say, and a copy of the hub's end of that socket.
 *
 * Every line that a client is given is checked: a stamp and a verb, clean text, not too long, room
 * events in the order of their stamps.
 */
#ifndef MOCKS_H
#define MOCKS_H

#include "harness.h"
#include "server/hub/hub.h"
#include "server/report.h"
#include "stream.h"

#define MOCKS_MAX 400
/* Clients from addresses that begin so come through a proxy. */
#define MOCK_PROXY "203.0.113."

/*
 * A worker's process. NONE -> RUNNING -> any of KILLED, EXITED and DEAD -> REAPED. Those that are
 * KILLED or EXITED are reaped before the next turn; one that is DEAD when the test says so.
 */
enum mock_process {
    PROCESS_NONE, /* the hub has not started it */
    PROCESS_RUNNING,
    PROCESS_KILLED, /* by the hub */
    PROCESS_EXITED, /* after its goodbye */
    PROCESS_DEAD,   /* by the test's will */
    PROCESS_REAPED
};

/* A mock client with its worker, and what the client has been sent. */
struct mock {
    int client; /* the client's end of its socket; -1: closed */
    int worker; /* the worker's end of the pair; -1: closed */
    int copy;   /* the worker's copy of the hub's end of the socket; -1: closed, or not started */
    int hub_client; /* the hub's end of the socket, as long as it is this one: */
    ino_t hub_socket;
    int hub_pair; /* the hub's end of the pair; -1: the hub has it */
    enum mock_process process;
    pid_t pid;
    bool reads;  /* the client takes what is there, whenever the stage turns */
    bool stays;  /* it does not close its side when the stream has ended */
    bool ended;  /* the stream has ended */
    int kills;   /* how often the hub has sent SIGKILL */
    int ends;    /* how often it has said CONTROL_END */
    int broken;  /* the errno with which the stream ended; 0: an orderly end */
    char *bytes; /* what came and was not taken, [start, end) of size */
    size_t start;
    size_t end;
    size_t size;
    size_t word_len;
    char words[256];         /* of the hub to the worker, without an end yet */
    char title[160];         /* the last one that the hub has sent */
    uint64_t last;           /* the stamp of the last room event */
    struct event event;      /* the line taken last; its spans are in text */
    size_t len;              /* of the whole line */
    char text[LINE_OUT_MAX]; /* it, NUL-terminated */
};

struct stage {
    struct hub_config config;
    struct report report;
    struct hub *hub;
    struct poller *poller;
    uint64_t now; /* passes only as the test lets it, and a little with each turn */
    int timeout;  /* what the last turn said */
    uint64_t due; /* so the next one is due then */
    bool poked;   /* or at once, after something that the poller does not see */
    struct mock mocks[MOCKS_MAX];
    size_t count;
    int descriptors;             /* that were open before there was a stage */
    int start_errno;             /* starting a worker fails with it; 0: it does not fail */
    void (*around)(bool inside); /* called before and after the hub; NULL: nobody is */
    int pair_bytes; /* what the sockets of those who come hold; 0: what the system gives them */
    unsigned steps; /* of scripts so far */
    const char *const *logins; /* of stage_lookup(): the uids from 1000 on; NULL ends them */
    const char *slow;          /* the key that is looked up without an answer, until: */
    int hub_helper;            /* then: the hub's end of that pair */
    int helper;                /* the other end of that pair, for the test to close; -1: none */
    unsigned lookups;          /* how many there were */
    unsigned upgrade_at;       /* after this step the hub hands over to a new one; 0: never */
    struct cluster_config cluster;
    struct engine engine; /* its fd is -1 where the room is on one machine */
};

/* A room with this config: what is left zero becomes what most tests want (no history). */
void stage_open(struct stage *, const struct hub_config *);
/* The same for one node, of this name, of a room that is in a stream. It has started. */
void stage_open_in(struct stage *, const struct hub_config *, struct stream *, const char *node);
/* The same for a node that has read back a transcript of these lines, the last of which is NULL. */
void stage_open_after(
    struct stage *, struct stream *, const char *node, const char *const *transcript);
/* The same, whether it starts or not. */
void stage_begin_in(struct stage *, const struct hub_config *, struct stream *, const char *node);
void stage_begin_after(
    struct stage *, struct stream *, const char *node, const char *const *transcript);
/* The engine dies, with what it has; another one is started. */
void stage_renew_engine(struct stage *);
/* A room's start_lookup with which names need proof: what it answers is in logins and slow. */
pid_t stage_lookup(void *stage, char kind, const char *key, int *pair);
/* Ends it; every descriptor that the hub had must be closed then. */
void stage_close(struct stage *);
/* The same without that: others are still open. */
void stage_shut(struct stage *);
/* The poller once, deaths, one turn. True where anything was ready or taken. */
bool stage_turn(struct stage *);
/* Turns until nothing moves any more, nor will within a moment. */
void stage_settle(struct stage *);
/* Time passes, with a turn whenever the hub wants one. */
void stage_wait(struct stage *, uint64_t us);

/* A new client that has sent its first byte; its peer is 192.0.2.N:1000. */
struct mock *mock_add(struct stage *);
/* The same with an address, and at a Unix-domain socket with a user of that login; NULL: over TCP.
 */
struct mock *mock_add_as(struct stage *, const char *peer, const char *login);
/* One that has sent nothing, until mock_speak(). */
struct mock *mock_add_silent(struct stage *);
void mock_speak(struct mock *);
/* False where the hub had no memory for it: there is no such connection. */
bool mock_is_admitted(const struct mock *);

/* The worker gives bytes to the hub, all that the pair takes now; how many those were. */
size_t mock_give(struct mock *, const char *bytes, size_t len);
/* It gives a line, which the pair must take. */
void mock_say(struct mock *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* It says CONTROL_LEFT or CONTROL_LOST and exits; the client has half-closed, or is gone. */
void mock_goodbye(struct mock *, const char *word);
/* It exits with status 0, after a goodbye that was given. */
void mock_exit(struct mock *);
/* It closes its end of the pair and lives on. */
void mock_hang_up(struct mock *);
/* It dies; mock_reap() tells the hub so. */
void mock_die(struct mock *);
/* Tells the hub that the process was reaped, with that status of waitpid(2). */
void mock_reap(struct stage *, struct mock *, int status);
/* Every process of it and every descriptor is gone, or will be at the next turn. */
void mock_vanish(struct mock *);

/* The client takes at most max bytes. True where there were any, or the end. */
bool mock_take(struct mock *, size_t max);
/* The next whole line that was taken, what follows its stamp; NULL: there is none. */
const char *mock_line(struct mock *);
/* The client closes its socket. */
void mock_close(struct mock *);
/* The hub still has its end of the client's socket. */
bool mock_is_served(const struct mock *);

/* The worker is reaped, or will never be started. */
bool mock_is_over(const struct mock *);

/* A writer for the transcript: the other end of its pair, or -1 where there was no memory. */
int writer_add(struct stage *);
/* Joins a client, which takes its welcome. */
struct mock *mock_join(struct stage *, const char *name);
/* A whole goodbye: half-close, the rest of the stream, its end. */
void mock_leave(struct stage *, struct mock *);

/* The hub hands its room to a new one, as an upgrade does. False where it cannot now. */
bool stage_handover(struct stage *);

/*
 * Plays a script on an empty stage, a step a line: who (a letter; added when first heard of), what,
 * a blank, and the rest.
 *   a> text      the worker relays the line, and the room settles
 *   a: text      relays it, and nothing happens yet
 *   a& text      relays it without a line end
 *   a! word      says the control word; after `left` and `lost` it exits, as workers do
 *   a= bytes     the client sends them to its socket, where no worker reads
 *   a< pattern   the client's next line matches     a~ pattern   skips up to one that matches
 *   a0           nothing more is there              a.           the stream has ended
 *   a|           the worker closes the pair         a-           the same, by its death
 *   a* STATUS    it is reaped, with that status of waitpid(2)
 *   a#           its socket is closed by the hub    aX           the client closes it
 *   +SECONDS     time passes                        ^            the hub hands over to a new one
 */
void stage_play(struct stage *, const char *script);

#endif
