/*
 * children.h: the processes of the server. This is the one place that starts, reaps and kills them.
 *
 * Workers and the transcript's writer are fresh images of this program, told by argv[0] what they
 * are. Each has one end of a socket pair as its descriptor 1; the other end belongs to the hub. The
 * question whether an installed program understands the state (handover.h) is a process too.
 */
#ifndef SERVER_CHILDREN_H
#define SERVER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "options.h"
#include "server/sandbox.h"

struct codec;

enum child_kind {
    CHILD_NONE, /* the server itself */
    CHILD_WORKER,
    CHILD_WRITER,
    CHILD_QUESTION,
    CHILD_OPENER,    /* server/journal/opener.h */
    CHILD_REMAINDER, /* server/journal/remainder.h */
    CHILD_ACCESS,    /* access_file.h */
    CHILD_ENGINE,    /* server/cluster/engine.h */
    CHILD_LOOKUP     /* lookup.h */
};

/* The most processes at once besides workers. */
#define CHILDREN_OTHERS_MAX 16

struct child {
    enum child_kind kind;
    pid_t pid;
};

/*
 * The processes besides workers, whose pids the hub has: a reaped pid that is not in the table is a
 * worker's. A pid stays in the table until it is reaped, so a signal never reaches another process.
 */
struct children {
    const char *program;       /* executes this image again */
    enum sandbox_tier sandbox; /* what workers and the writer enter */
    struct child others[CHILDREN_OTHERS_MAX];
    size_t count;
    char path[4096];
};

/* The kind of this process, from its arguments. */
enum child_kind children_role(int argc, char **argv);

/* Finds this image's own program. False after a report. */
bool children_init(struct children *, const char *argv0, const struct report *);
/* Decides which sandbox workers and the writer enter, and reports it. Returns 0, or the exit
 * status. */
int children_confine(struct children *, enum sandbox_mode, const struct report *);

/*
 * Starts a worker with the client's socket as 0, whose bytes begin with a proxy's header where it
 * is proxied. Returns its pid and, in *pair, the hub's end of its pair, non-blocking, which the
 * caller closes; -1 with errno. client stays the caller's.
 */
pid_t children_start_worker(const struct children *, int client, bool proxied, int *pair);
/* Sends a signal to a worker that is not reaped yet. */
void children_signal_worker(pid_t, int signal);

/* The same for the transcript's writer, with the locked file as 0. False with errno. */
bool children_start_writer(struct children *, int file, const char *path, bool sync, int *pair);
/* The same for the opener of path, with the present file as 0. */
bool children_start_opener(struct children *, int file, const char *path, bool sync, int *pair);
/* Starts a process that hands the writer the lines in a file, through the hub's end of its pair. */
bool children_start_remainder(struct children *, int lines, int pair);
/* Starts the process that talks to NATS; *pair is the hub's end of its pair. False with errno. */
bool children_start_engine(struct children *, int *pair);
/* Starts another program as CHILD_QUESTION, with this argument and no descriptors. False with
 * errno. */
bool children_start_question(struct children *, const char *program, char *version);

/* Starts a process that reads the file of -A and writes what it says to answer. False with errno.
 */
bool children_start_access(struct children *, int answer, const char *path);

/*
 * Starts a process that looks up an account (lookup.h). Returns its pid and, in *pair, the hub's
 * end of its pair, which the caller closes; -1 with errno: EAGAIN where LOOKUPS_MAX of them are not
 * reaped yet.
 */
pid_t children_start_lookup(struct children *, char kind, const char *key, int *pair);
/* SIGKILL to that process, if it is not reaped yet. */
void children_end(const struct children *, pid_t);

/* True where a process of that kind is not reaped yet. */
bool children_have(const struct children *, enum child_kind);
/* SIGKILL to the processes of that kind. */
void children_kill(const struct children *, enum child_kind);
/* Reaps one process: its kind and pid, and its status of waitpid(2). False: none has ended. */
bool children_reap(struct children *, struct child *, int *status);

/* Writes the table for the next program, or takes it over; see codec.h. */
void children_state(struct children *, struct codec *);

#endif
