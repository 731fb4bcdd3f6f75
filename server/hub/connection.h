/*
 * connection.h: the record of one client's connection: its socket and the way out, its worker and
 * the way in, its timers; a person, once it has one. It knows no other connection.
 *
 * The client's lines come from its worker, through a socketpair. Output is written by the hub, to
 * the client's socket. So the two directions end separately, and each has a state below. A record
 * ends only in connection_finish().
 */
#ifndef SERVER_HUB_CONNECTION_H
#define SERVER_HUB_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bans.h"
#include "config.h"
#include "link.h"
#include "list.h"
#include "protocol.h"
#include "server/report.h"
#include "source.h"
#include "submission.h"
#include "table.h"
#include "timers.h"
#include "token.h"
#include "watch.h"

struct accounts;
struct cluster;
struct journal;
struct person;
struct room;
struct shared;
struct welcome;

/* Bytes of answers that may wait for one client; then no more is read from it. */
#define QUEUE_MAX 65536u
/*
 * Bytes of one client's requests that may be in the stream at once. So many that its next batches
 * are made while the first ones are stored: with 64 KiB the store stood still most of the time
 * (bench/cluster.sh).
 */
#define UNDER_WAY_MAX 262144u
/* When to try again after an allocation has failed. */
#define MEMORY_RETRY_US 100000u
/* How often it is looked whether a client whose queue is long has said goodbye. */
#define GOODBYE_LOOK_US 10000000u

/* ---- One connection -------------------------------------------------------------------------- */

/* How far the client's session is. Only forward; NAMED may go to LEFT, too. */
enum session_state {
    SESSION_PREPARING, /* before the name */
    SESSION_NAMED,     /* the name was read; the login is made at the end of a turn */
    SESSION_WELCOME,   /* the login is made; the welcome waits for held lines */
    SESSION_MEMBER,
    SESSION_POSTER,
    SESSION_LEFT
};

/*
 * The way in. SILENT -> OPEN -> LAST -> BYE, each of them -> CLOSED; OPEN -> BYE. Where a proxy
 * passes the client on, SILENT -> HEADER -> OPEN; HEADER -> BYE.
 */
enum input_state {
    INPUT_SILENT, /* the client has sent nothing: there is no worker */
    INPUT_HEADER, /* the worker reads a proxy's header */
    INPUT_OPEN,   /* the worker relays lines */
    INPUT_LAST,   /* the worker has relayed an unterminated last line */
    INPUT_BYE,    /* the worker has said that nothing follows */
    INPUT_CLOSED  /* nothing more is read: the pair is closed, or was never there */
};

/*
 * The way out. Only forward. DISCARDING: everything is sent and the writing side is shut down;
 * further input is read and discarded, because closing a socket with unread input would reset the
 * connection and lose the last lines.
 */
enum output_state { OUTPUT_OPEN, OUTPUT_DRAINING, OUTPUT_DISCARDING, OUTPUT_CLOSED };

/* The worker's process. NONE -> RUNNING -> KILLED -> REAPED, RUNNING -> REAPED. */
enum worker_state { WORKER_NONE, WORKER_RUNNING, WORKER_KILLED, WORKER_REAPED };

/* Why no more lines are taken from this client for now. */
enum pause {
    PAUSE_NONE,
    PAUSE_UNTIL,   /* until DEADLINE_WAKE: the rate, a wrong secret, no memory */
    PAUSE_RESUME,  /* until the old connection of its session has ended */
    PAUSE_QUEUE,   /* until its queue of answers has become short */
    PAUSE_BEGIN,   /* of a session that has a worker: until -r allows its source another one */
    PAUSE_STREAM,  /* until its requests that are under way have come back */
    PAUSE_PRIVATE, /* until its private message to another node has its answer */
    PAUSE_ACCOUNT  /* until an account has been looked up, see accounts.h */
};

/* The result for a client's line: it was taken, or it must be given again later (no memory). */
enum taken { LINE_TAKEN, LINE_LATER };

/* The deadlines of a connection. */
enum deadline {
    DEADLINE_NAME,    /* the time for giving a name is over */
    DEADLINE_WAKE,    /* the end of PAUSE_UNTIL */
    DEADLINE_RESUME,  /* the old connection has not ended in time */
    DEADLINE_BROKEN,  /* after a failed write: the time for complete lines is over */
    DEADLINE_WATCH,   /* look whether the peer still acknowledges what it is sent */
    DEADLINE_DRAIN,   /* look whether what is pending can still be delivered */
    DEADLINE_GOODBYE, /* look whether the goodbye behind waiting lines can still be reached */
    DEADLINE_DISCARD, /* look whether the client has seen the end */
    DEADLINE_LISTEN,  /* the poller had no memory: try again */
    DEADLINE_LOGIN,   /* its login has waited for the stream for a while: it is told so */
    DEADLINE_PRIVATE, /* its private message has no answer from another node in time */
    DEADLINES
};

/* The commands that were given before the name, as a set. */
enum wish {
    WISH_HISTORY = 1,
    WISH_SINCE = 2,
    WISH_POST = 4,
    WISH_TOKEN = 8,
    WISH_RESUME = 16,       /* /resume was given */
    WISH_RIGHT_SECRET = 32, /* so was the right secret */
    WISH_WRONG_SECRET = 64
};

struct worker {
    struct watch watch;
    enum worker_state state;
    int pair;   /* -1: closed */
    bool torn;  /* the last word sent to it was written in part only */
    bool heard; /* it has relayed something; also after an upgrade */
    pid_t pid;
    int status; /* of waitpid(2), when it is reaped */
    struct table_entry by_pid;
};

struct input {
    enum input_state state;
    enum pause pause;
    struct list queued; /* in the queue of connections with input */
    char *held;         /* what was read and is not processed yet */
    size_t held_len;
    struct span next;       /* while a line is taken: the bytes after it in the same read */
    uint64_t rate_at;       /* -r: see rate.h */
    uint64_t lines;         /* after the name, the empty ones not counted */
    unsigned under_way;     /* requests in the stream that have not come back */
    size_t under_way_bytes; /* what these count towards the queue of answers */
};

struct output {
    struct watch watch;
    enum output_state state;
    struct link link;
    struct list follower;  /* in the list of those who read the log */
    struct list marked;    /* among those that may have something to send, or the unseen */
    bool client_closed;    /* the client has closed its side, and all its input was read */
    uint64_t drain_until;  /* DRAINING, DISCARDING: the latest end */
    uint64_t quiet_since;  /* DISCARDING: no input has come since then */
    uint64_t acked;        /* what the peer's kernel had acknowledged when that was looked at */
    uint64_t goodbye_at;   /* the worker has exited after the client's goodbye */
    uint64_t goodbye_sent; /* of link.sent, then */
};

/*
 * The connection has a session whose last lines are held: as long as the disk may refuse them, it
 * is not known how many have been answered.
 */
struct resumption {
    struct waiter waiter;
    uint32_t author; /* who has said them: the old connection; 0: no line is held */
    uint64_t lost;   /* so many of them were refused, and none after these was taken */
};

/* A private message to a member of another node that has no answer yet. */
struct private
{
    struct item *echo; /* NULL: there is none */
    uint64_t number;   /* of the question */
    char to[NAME_LEN_MAX + 1];
};

/* What the client has asked for before its name. */
struct preparation {
    unsigned wishes; /* of enum wish */
    unsigned long history;
    uint64_t since;
    char name[NAME_LEN_MAX + 1]; /* wanted; clean */
};

/*
 * From hub_admit() until its pair is closed, its process is reaped and its output is over, in any
 * order. It owns its client's socket, its end of the pair, its held input and its queue.
 */
struct connection {
    struct list all;
    struct output out;
    enum session_state session;
    struct input in;
    struct worker worker;
    struct preparation prepared;
    struct list waiting; /* in a queue of its source, of starts, of logins, of an account, or of
                          * the draining */
    struct source *source;
    struct list nameless;    /* in its source's list of sessions without a name */
    struct welcome *welcome; /* in SESSION_WELCOME */
    struct resumption resumption;
    struct private private;
    struct person *person;
    struct token *token; /* it holds, or claims */
    struct timer timer;  /* for the earliest of: */
    uint64_t deadlines[DEADLINES];
    uint64_t arrived;
    struct table_entry by_author;
    size_t place;     /* its number in a snapshot */
    bool finished;    /* in the list of those that are freed at the turn's end */
    bool is_operator; /* it may give operator commands */
    bool is_proxied;  /* it was accepted from a proxy */
    struct origin origin;
    char peer[PEER_TEXT_MAX];          /* it as text, with its port or process */
    char login_name[NAME_LEN_MAX + 1]; /* proved, see accounts.h; empty: none is */
};

/* ---- All connections ------------------------------------------------------------------------- */

/* Every line after a name is counted once, where it is dealt with:
 * received = echoed + answered + refused + ended + discarded. */
struct counters {
    uint64_t received;
    uint64_t echoed;
    uint64_t answered; /* users and help */
    uint64_t refused;
    uint64_t ended;     /* /quit */
    uint64_t discarded; /* of a member that was removed, or behind /quit */
    uint64_t logins;
    uint64_t faults;
};

/* Values of the present turn. */
struct turn {
    uint64_t now;      /* microseconds of CLOCK_MONOTONIC */
    uint64_t wall;     /* microseconds since 1970 */
    uint64_t head_max; /* room_lines() may be appended to up to here */
    uint64_t visible;  /* members may see the log up to here */
    bool waits;        /* the room waits for slow readers: no input is read */
};

/* All connections, and what they share. */
struct connections {
    const struct hub_config *config;
    struct room *room;
    struct journal *journal;
    struct cluster *cluster; /* NULL: the room is on one machine */
    struct tokens *tokens;
    struct accounts *accounts;
    completion *const *completions; /* by the kind of the request, see submit.h */
    struct turn turn;
    struct shared *greeting; /* of this turn; NULL: not written yet, see greeting.h */
    struct timers timers;
    struct table by_pid;
    struct table by_author;
    struct sources sources;
    struct bans bans;
    struct list all;
    struct list followers; /* struct output */
    struct list marked;    /* struct output */
    struct list unseen;    /* struct output.marked: sends again when more of the log is visible */
    struct list inputs;    /* struct input, in the order in which they are served */
    struct list starts;    /* struct connection, whose worker is to be started */
    struct list logins;    /* struct connection, with a name and no person yet */
    struct list joined;    /* struct connection, whose login is applied: it gets its welcome */
    uint64_t joins;        /* where the joins of these begin, in room_lines() */
    struct list resuming;  /* struct connection, whose resumption waits for held lines */
    struct list draining;  /* struct connection, in the order of their sessions' ends */
    struct list finished;  /* struct connection, to be freed at the turn's end */
    size_t count;          /* of all */
    size_t left;           /* of these, in SESSION_LEFT */
    uint64_t floor;        /* no follower needs anything of the log before it: a lower bound */
    uint32_t next_author;
    struct counters counters;
};

/* False without memory; connections_free() then too. */
bool connections_init(struct connections *, const struct hub_config *, const struct table_seed *);
/* Closes and frees all of them, without a line to the clients. */
void connections_free(struct connections *);

/* ---- Functions for one ----------------------------------------------------------------------- */

/*
 * A record for an accepted client, whose descriptor it owns then. NULL without memory: then the
 * descriptor is still the caller's.
 */
struct connection *connection_new(struct connections *, const struct client *);
/* The worker was started. */
void connection_set_worker(struct connections *, struct connection *, pid_t pid, int pair);
/* NULL: no worker that was not reaped yet has that pid. */
struct connection *connection_by_pid(const struct connections *, pid_t pid);
/* NULL: the connection that sent it is gone. */
struct connection *connection_by_author(const struct connections *, uint32_t author);
/* Frees the records that are finished: at a turn's end, when nothing points to them any more. */
void connections_free_finished(struct connections *);
/* An empty record for one that was handed over, and when it is filled, its place in all tables and
 * lists. NULL, or false, without memory. */
struct connection *connection_blank(void);
bool connection_restore(struct connections *, struct connection *);

/*
 * Queues an item behind all events so far. It is freed if the client cannot be sent anything.
 */
void connection_put(struct connections *, struct connection *, struct item *);
/* The same, but in front of the lines that are held (-s). */
void connection_put_now(struct connections *, struct connection *, struct item *);
/* Queues "STAMP text". False without memory; then nothing happened. */
bool connection_say(struct connections *, struct connection *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Queues the users list. False without memory, and where the client has not read its last list yet:
 * a client that asks and does not read holds one list. Then nothing happened, or a pause.
 */
bool connection_say_users(struct connections *, struct connection *);
/* The stamp for a line that is not an event, now. */
uint64_t connections_time(const struct connections *);
/* The room has space for another line in this turn. */
bool connections_have_room(const struct connections *);

/* Puts the connection into the list of those who may have something to send. */
void connection_mark(struct connections *, struct connection *);
/* Puts it into the queue of those with input. */
void connection_queue_input(struct connections *, struct connection *);
/* No lines are taken until that time, or until something else ends this pause (TIME_NEVER). */
void connection_pause(struct connections *, struct connection *, enum pause, uint64_t until);
void connection_unpause(struct connections *, struct connection *);
/* Sets one deadline; TIME_NEVER clears it. */
void deadline_set(struct connections *, struct connection *, enum deadline, uint64_t at);
/* Updates the poller's events of both descriptors, if they have changed. */
void connection_listen(struct connections *, struct connection *);
/*
 * The client's first byte is there, or the address that a proxy has told: the session begins, or
 * waits until -r allows it to its source. A proxy itself never waits.
 */
void connection_begin(struct connections *, struct connection *);
/* Begins the waiting sessions that -r allows now. */
void connections_begin_waiting(struct connections *);
/* Moves a connection without a name to another source, when a proxy has given its real address.
 * False without memory; then nothing has changed. */
bool connection_move(struct connections *, struct connection *, const struct origin *);
/* The session has a name now, or a person that it resumes, or is over. */
void connection_leave_nameless(struct connections *, struct connection *);
/* The name was read, and the welcome is not placed yet: no line can be taken. */
bool connection_is_entering(const struct connection *);
/* So many answers wait, or requests are under way, that no more is read from the client. */
bool connection_is_full(const struct connection *);
/* There were so many, and now they are few: what was left is read. */
void connection_look_at_queue(struct connections *, struct connection *);
/* A request with so many bytes of text is under way; or it has come back. */
void connection_add_under_way(struct connection *, size_t text);
void connection_remove_under_way(struct connections *, struct connection *, size_t text);
/* Its login, or its resumption, is under way. */
bool connection_waits_for_person(const struct connection *);
/* A line after the name comes to nothing, for its session is over. */
void connection_count_discarded(struct connections *);
/* One more line after the name has its answer. */
void connection_count_answer(struct connections *, struct connection *, uint64_t *counter);

/* Sends the worker a control word, with its LF. It is lost where the pair takes nothing. */
void worker_say(struct connection *, const char *word, size_t len);
/* Sends the worker its title for ps(1): name and address. */
void worker_set_title(struct connection *);
/* SIGKILL, unless it has ended. */
void connection_kill(struct connections *, struct connection *);
/* Counts the lines that the worker has relayed and that are discarded because the session ends. */
void connection_discard(struct connections *, const struct connection *);
/* Nothing more is read from the worker: closes the pair. */
void connection_close_input(struct connections *, struct connection *);
/* Closes the client's socket; what is pending is dropped. */
void connection_close_output(struct connections *, struct connection *);
/* Ends the record if pair, process and output are over. Records end nowhere else. */
void connection_finish(struct connections *, struct connection *);

/* A person's name, the wanted one before the login, or "nobody". */
const char *connection_name(const struct connection *);

#endif
