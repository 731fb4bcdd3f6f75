/*
 * journal.h: the transcript from the hub's side. The writer is one more reader of the room's lines,
 * but the first: members are shown nothing that it has not been handed, so what was echoed survives
 * the hub's death; with -s nothing that it has not confirmed (see hold.h). It answers with the
 * stamp up to which the file holds the events, so that one that died is replaced without a loss.
 *
 *   filed <= kept <= head of room_lines()
 */
#ifndef SERVER_JOURNAL_JOURNAL_H
#define SERVER_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/hub/link.h"
#include "server/hub/watch.h"

struct codec;
struct poller;
struct report;
struct room;

/*
 * NONE -> STARTING, STARTING -> WRITING, STARTING or WRITING -> FINISHING, each of them -> ABSENT,
 * ABSENT -> STARTING
 */
enum journal_state {
    JOURNAL_NONE,     /* there is no transcript */
    JOURNAL_STARTING, /* a writer was started and has not answered yet where its file ends */
    JOURNAL_WRITING,
    JOURNAL_FINISHING, /* it is handed nothing more: it writes what it has, and exits */
    JOURNAL_ABSENT     /* it has exited */
};

/* What is known of the file. */
enum journal_health {
    JOURNAL_WELL,
    JOURNAL_SLOW, /* the writer takes nothing: without -s members do not wait for it. With -s: for
                     a second the disk has confirmed nothing */
    JOURNAL_HANGING, /* with -s: for so long that members are told */
    JOURNAL_FAILING, /* the file takes nothing */
    JOURNAL_GONE     /* the file has no name any more: another one must be opened */
};

struct journal {
    struct watch watch;
    struct link link; /* to the writer; its descriptor is owned here */
    enum journal_state state;
    enum journal_health health;
    bool sync;
    bool refusing;          /* held messages before settle_to are refused */
    bool leaving;           /* the writer shall finish when it has everything */
    short revents;          /* of the poller, for journal_read() */
    uint64_t settle_to;     /* with -s: held lines before this position can be settled */
    uint64_t kept;          /* the lines are in the file up to here, or never will be */
    uint64_t filed;         /* the file accounts for the lines up to here */
    uint64_t filed_count;   /* how many events those are */
    uint64_t visible;       /* members saw the log up to here when they began to wait */
    uint64_t waiting_since; /* members wait for the writer since then; 0: they do not */
    uint64_t retry_at;      /* words are not heard before, for want of memory */
    size_t words_len;
    size_t words_old; /* of these: a writer that has died has said them; <= words_len */
    char words[4096]; /* what the writer has said and was not processed yet */
};

/* A held line that can be settled. */
struct settled {
    uint64_t start;
    uint64_t end;
    uint32_t author;
    bool refused; /* the disk did not take this message: it is dropped */
};

void journal_init(struct journal *, bool sync);
/* Closes the pair to the writer. */
void journal_close(struct journal *, struct poller *);

/* The file has everything that was said so far: it was read back. */
void journal_begin(struct journal *, const struct room *);
/*
 * A writer was started: fd is the hub's end of its pair (the journal closes it). Again after its
 * death: nothing is lost. False where the poller has no memory: then fd is the caller's.
 */
bool journal_set_writer(
    struct journal *, int fd, struct poller *, const struct report *, uint64_t now);
/* Another one could not be started: with -s messages are refused. */
void journal_miss_writer(struct journal *);
/* The writer shall finish and exit, so that another one can take its place: as soon as it has been
 * handed everything. */
void journal_finish(struct journal *);
/* There is a writer that has not exited. */
bool journal_has_writer(const struct journal *);
/* The last writer has exited and was handed lines that it has not answered for: its file may have
 * them. */
bool journal_is_unsure(const struct journal *, const struct room *);
/* The writer's file has no name any more. */
bool journal_wants_file(const struct journal *);
/* The file did not take the last lines. */
bool journal_fails(const struct journal *);

/* After an upgrade: tells the new poller of the pair. False with errno. */
bool journal_restored(struct journal *, struct poller *);
/* Writes the journal, or fills a new one with it; see codec.h. */
void journal_state(struct journal *, struct codec *);
/* The poller's word about the pair. */
void journal_ready(struct journal *, short revents);
/* What the writer says is heard, as far as the lines before it are settled. */
void journal_read(
    struct journal *, struct room *, struct poller *, const struct report *, uint64_t now);
/* The next held line that can be settled; false: none. */
bool journal_next(const struct journal *, const struct room *, struct settled *);
/* Settles it: it is in the room's log now, or dropped. */
void journal_settle(struct journal *, struct room *, const struct settled *);
/* Hands the writer what there is. Returns up to where members may see the log. */
uint64_t journal_write(
    struct journal *, struct room *, struct poller *, const struct report *, uint64_t now);

/* The first position of room_lines() that the file still lacks; LINK_NO_LIMIT: none is needed. */
uint64_t journal_needs(const struct journal *);
/* Without -s: gives up what the writer has not taken before target. */
void journal_skip(struct journal *, const struct room *, uint64_t target);
/* When the next turn is due at the latest; TIME_NEVER: no need. */
uint64_t journal_due(const struct journal *, const struct room *);

/* ---- A stop: no event follows ---------------------------------------------------------------- */

/* The writer has exited, and the file accounts for everything, or never will. */
bool journal_is_done(const struct journal *, const struct room *);
/* How many events the file does not have, as far as the writer has answered. */
uint64_t journal_unwritten(const struct journal *, const struct room *);
/*
 * Writes to fd what the writer was not handed yet. *pair is the hub's end of its pair (still the
 * journal's), through which another process can hand it over, or -1: the writer has everything.
 * False: no writer can take it.
 */
bool journal_write_rest(struct journal *, const struct room *, int fd, int *pair);

#endif
