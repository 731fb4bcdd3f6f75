/*
 * hub.h: the room and all of its connections, and the turn in which it reads, applies and writes.
 *
 * The caller owns the poller and the loop: it hands accepted clients to hub_admit(), ready
 * descriptors to hub_ready(), ended processes to hub_reaped(), and then calls hub_turn(), which
 * does the work. The hub never blocks. All times are microseconds of CLOCK_MONOTONIC.
 */
#ifndef SERVER_HUB_HUB_H
#define SERVER_HUB_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "server/cluster/membership.h"

struct codec;
struct hub;

/* NULL with errno set where there is no memory, or no random seed. */
struct hub *hub_new(const struct hub_config *);
/* Closes every connection without a line to the clients; their workers see the end of their pairs.
 * NULL is ignored. */
void hub_free(struct hub *);

/* ---- The transcript. Without hub_set_writer() there is none. --------------------------------- */

size_t hub_log_size(const struct hub *);
/* At a start, line by line: an event of an earlier hub, without its LF. */
void hub_remember(struct hub *, struct span line, const struct event *);
/* Events up to this stamp are missing in what is remembered. */
void hub_remember_gap(struct hub *, uint64_t stamp);
/* To be called at the end of the file: the writer appends the lines that follow. */
void hub_remember_end(struct hub *);
/* The quit of a member that a crash of an earlier hub left in the room. */
void hub_remember_absent(struct hub *, const char *name);
/*
 * A writer was started (writer.h): fd is the hub's end of its pair, which the hub closes. Lines
 * that an earlier writer did not confirm are sent again. False without memory; then fd is the
 * caller's.
 */
bool hub_set_writer(struct hub *, int fd, uint64_t now);
/* Another one could not be started: with -s messages are refused. */
void hub_miss_writer(struct hub *);
/* Lets the writer exit when it was sent everything, so that another one can replace it. */
void hub_finish_writer(struct hub *);
/* There is a writer that has not exited. */
bool hub_has_writer(const struct hub *);
/* The last writer has exited, and its file may have lines that it has not confirmed. */
bool hub_is_unsure_of_file(const struct hub *);
/* The writer's file has no name any more: another one must be opened. */
bool hub_wants_file(const struct hub *);
/* Writes to the file fail. */
bool hub_file_fails(const struct hub *);
/* How many events the file does not have, as far as the writer has answered. */
uint64_t hub_unwritten(const struct hub *);
/*
 * At the exit: writes to fd the lines that the writer was not sent, and ends the sessions for whose
 * quits the log had no space; *quits is their number. *pair is the hub's end of the writer's pair
 * (still the hub's), or -1: there are no such lines. False: there is no writer for them.
 */
bool hub_write_rest(struct hub *, int fd, int *pair, uint64_t *quits);

/* ---- The cluster, where there is one --------------------------------------------------------- */

/*
 * An engine was started (server/cluster/engine.h): fd is the hub's end of its pair (the hub closes
 * it). Again after its death: nothing is lost. False without memory: then fd is the caller's.
 */
bool hub_set_engine(struct hub *, int fd);
/* There is a cluster, and no engine, or one that began at another place than is wanted now. */
bool hub_wants_engine(const struct hub *);
/* The latter: the one before has not failed. */
bool hub_rewinds(const struct hub *);
/* The room has not been loaded from the stream yet: nobody is to be admitted. */
bool hub_is_loading(const struct hub *);
/* Why this node is in the cluster no more: the server must end. CLUSTER_GOES_ON: it is. */
enum cluster_end hub_cluster_end(const struct hub *);

/* ---- An upgrade ------------------------------------------------------------------------------ */

/*
 * Encodes the hub, or decodes it into a new one; see codec.h. Between two turns only. False if it
 * cannot be encoded now, or if the state is not valid; then the new hub can only be freed.
 */
bool hub_state(struct hub *, struct codec *);
/* In the new program, after that: adds every descriptor to the poller. False with errno. */
bool hub_listen(struct hub *);

/* ---- The turn -------------------------------------------------------------------------------- */

/*
 * An accepted client; its descriptor (non-blocking, close-on-exec) is the hub's. Its worker is
 * started when its first byte is there. False without memory: then the descriptor is the caller's.
 */
bool hub_admit(struct hub *, const struct client *, uint64_t now);
/*
 * Finds the source with the most sessions without a name and ends the oldest of these, with
 * `error full`. False if there is none.
 */
bool hub_end_nameless(struct hub *, uint64_t now);
/* When the session that hub_end_nameless() would end was admitted; UINT64_MAX: there is none. */
uint64_t hub_nameless_since(const struct hub *);
/* True if that session may already have sent its name: its input, or that of sessions before it,
 * waits for a worker. */
bool hub_nameless_waits(const struct hub *);
/* Closes the connection that has been draining for the longest time. False where there is none. */
bool hub_cut_draining(struct hub *, uint64_t now);
/* The poller reported these events for one of the hub's tags. They are only noted. */
void hub_ready(struct hub *, void *tag, short revents);
/* There are new access rules: every session is compared with them, in the next turns. */
void hub_review(struct hub *);
/* A worker was reaped, with that status of waitpid(2). False where it is none of the hub's. */
bool hub_reaped(struct hub *, pid_t pid, int status);
/* One turn: read all, apply all, write all. Returns in how many milliseconds the next is due at the
 * latest; -1: when something is ready. */
int hub_turn(struct hub *, uint64_t now);

/*
 * The server stops: every client gets a note, no more input is read, and pending output is drained
 * for at most two seconds.
 */
void hub_stop(struct hub *, uint64_t now);
/* After hub_stop(): nothing is left to deliver, and the writer has written everything. */
bool hub_is_done(const struct hub *);

/* ---- Questions ------------------------------------------------------------------------------- */

/* Records: clients before their name, members, posters, and those that are draining. */
size_t hub_connections(const struct hub *);
/* Those of them whose session has not ended. */
size_t hub_sessions(const struct hub *);
/* Those of these that have no name. */
size_t hub_nameless(const struct hub *);
/* All connections, also those that are draining, of the source to which this origin belongs. */
size_t hub_connections_from(const struct hub *, const struct origin *);
/* A ban of the source to which this origin belongs is in force. */
bool hub_is_banned(const struct hub *, const struct origin *, uint64_t now);
/* Members of the room. */
size_t hub_members(const struct hub *);
/* Sends a signal to every worker that is not reaped. */
void hub_signal_workers(struct hub *, int signal);
/* A report to the operator: members, lags, counters, memory. */
void hub_report(struct hub *, uint64_t now);
/* The room's cluster and its nodes in a line of less than size bytes; empty: there is none. */
void hub_describe_cluster(const struct hub *, char *out, size_t size);

#endif
