/*
 * hub.h: the room: members, names, commands, who gets what.
 *
 * The hub sees workers as descriptors that give lines and take bytes. It knows no listener, no
 * fork and no client socket, never blocks, and believes a worker nothing: a line that is not clean,
 * too long or not legal in its member's state costs that worker its connection.
 *
 * The caller owns the poller and the loop: it hands ready descriptors to hub_ready(), deaths to
 * hub_reaped(), and then calls hub_turn(), which does the work. All times are microseconds of
 * CLOCK_MONOTONIC.
 */
#ifndef SERVER_HUB_H
#define SERVER_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/report.h"

struct hub;
struct poller;

/* What the room is told once. What is pointed to must outlive the hub. */
struct hub_config {
    size_t log_bytes;
    unsigned history;   /* past events for a joiner who asks for no number */
    uint64_t login_us;  /* a session must have given its name by then */
    uint64_t wait_us;   /* how long the room waits for slow readers, contract 3 */
    unsigned rate;      /* lines a second from one client; 0: no limit */
    const char *secret; /* what /pass must give; NULL: no secret, empty: nobody gets in */
    struct poller *poller;
    const struct report *report;
    /* Sends a signal to a worker that was given with hub_add() and is not reaped yet. */
    void (*signal_worker)(void *context, pid_t pid, int signal);
    /* Says that a folded name belongs to a login of this machine; NULL: no name does. */
    bool (*name_reserved)(void *context, const char *folded);
    void *context;
};

/* NULL with errno set where there is no memory. */
struct hub *hub_new(const struct hub_config *);
void hub_free(struct hub *);

/* ---- The transcript. Without hub_set_writer() there is none. --------------------------------- */

size_t hub_log_size(const struct hub *);
/* At a start, line by line: an event of an earlier hub, without its LF; keep: it fits the log. */
void hub_remember(struct hub *, const char *line, size_t len, uint64_t stamp, bool keep);
/* Events up to this stamp are missing in what is remembered. */
void hub_remember_gap(struct hub *, uint64_t stamp);
/* The file has no more: the writer goes on behind what it had, whatever stands at its end. */
void hub_remember_end(struct hub *);
/* Somebody whom a crash left in the room is not there any more. */
void hub_say_absent(struct hub *, const char *name);
/*
 * A writer was started (see transcript.h): fd is the hub's end of its pair (the hub closes it).
 * sync: members get nothing that it has not confirmed. Again after its death: nothing is lost.
 */
bool hub_set_writer(struct hub *, int fd, bool sync, uint64_t now);
/* It has died, and another could not be started: with -s nothing that is said is taken. */
void hub_miss_writer(struct hub *);
/* The writer shall open its file anew. */
void hub_reopen(struct hub *);
/* After hub_stop(): nothing is owed any more, to workers or writer. */
bool hub_is_done(const struct hub *);

/* ---- What one hub hands to the next ---------------------------------------------------------- */

struct codec;

/*
 * Writes the room, or fills a new hub with it; see codec.h. Between two turns only. False where
 * that is not possible now, or what is read is wrong (then the new hub is only to be freed).
 */
bool hub_state(struct hub *, struct codec *);
/* After that: tells the poller of everybody. False with errno. */
bool hub_listen(struct hub *);

/*
 * A worker was started: fd is the hub's end of its pair (non-blocking; the hub closes it), peer
 * the client's address, fit to be a name. login, where not NULL, is the name that the kernel has
 * proved for the client. False where there is no memory: then fd is still the caller's.
 */
bool hub_add(struct hub *, int fd, pid_t pid, const char *peer, const char *login, uint64_t now);

/* The poller said this of a tag of the hub's. Only notes it down. */
void hub_ready(struct hub *, void *tag, short revents);
/* A worker was reaped, with that status of waitpid(2). False where it is none of the hub's. */
bool hub_reaped(struct hub *, pid_t pid, int status);

/* One turn: read all, write all. Returns in how many milliseconds the next is due at the latest;
 * -1: when something is ready. */
int hub_turn(struct hub *, uint64_t now);

/* Says goodbye to everybody: no more input is taken, what is owed is still delivered. */
void hub_stop(struct hub *);

/* Workers that are not over yet (members, sessions before their name and after their goodbye). */
size_t hub_workers(const struct hub *);
/* Those of them that have not said goodbye, or been told it: they have a place. */
size_t hub_sessions(const struct hub *);
/* Those of these whose peer is at the same ip as this ip:port. */
size_t hub_sessions_from(const struct hub *, const char *peer);
/* People in the room. */
size_t hub_members(const struct hub *);
/* Calls signal_worker for every worker that is not reaped. */
void hub_signal_all(struct hub *, int signal);
/* A report of the room to the operator: members, lags, counters, memory. */
void hub_report(struct hub *, uint64_t now);

#endif
