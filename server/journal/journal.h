/*
 * journal.h: the hub's end of the transcript. The writer reads the log through a link, as a client
 * does, but first: members are shown only lines that were sent to the writer, so that an echoed
 * line survives the death of the hub; with -s only lines that it has confirmed (see hold.h). It
 * answers with the stamp up to which the file holds the events, so a writer that died can be
 * replaced without a loss.
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
    JOURNAL_STARTING, /* a writer was started and has not answered with the end of its file */
    JOURNAL_WRITING,
    JOURNAL_FINISHING, /* the writer is sent nothing more: it writes what it has, and exits */
    JOURNAL_ABSENT     /* the writer has exited */
};

/* The state of the file. */
enum journal_health {
    JOURNAL_WELL,
    JOURNAL_SLOW, /* without -s: the writer takes nothing, and members do not wait for it any more;
                     with -s: the disk has confirmed nothing for a second */
    JOURNAL_HANGING, /* with -s: the disk has confirmed nothing for 3 seconds; members get a note */
    JOURNAL_FAILING, /* writes fail */
    JOURNAL_GONE     /* the file has no name any more: another one must be opened */
};

struct journal {
    struct watch watch;
    struct link link; /* to the writer; its descriptor is owned here */
    enum journal_state state;
    enum journal_health health;
    bool sync;
    bool refusing;          /* held messages before settle_to are refused */
    bool leaving;           /* end the writer's input when it was sent everything */
    short revents;          /* of the poller, for journal_read() */
    uint64_t settle_to;     /* with -s: held lines before this position can be settled */
    uint64_t kept;          /* the lines are in the file up to here, or never will be */
    uint64_t filed;         /* the file accounts for the lines up to here */
    uint64_t filed_count;   /* how many events those are */
    uint64_t visible;       /* members saw the log up to here when they began to wait */
    uint64_t waiting_since; /* members wait for the writer since then; 0: they do not */
    uint64_t retry_at;      /* no word is taken before: an allocation has failed */
    size_t words_len;
    size_t words_old; /* of these: from a writer that has exited; <= words_len */
    char words[4096]; /* received from the writer and not processed yet */
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

/* After readback: the file has all events so far. */
void journal_begin(struct journal *, const struct room *);
/*
 * A writer was started; fd is the hub's end of its pair, which the journal closes. The lines that
 * an earlier writer did not confirm are sent again. False if the poller has no memory; then fd is
 * still the caller's.
 */
bool journal_set_writer(
    struct journal *, int fd, struct poller *, const struct report *, uint64_t now);
/* No writer could be started: with -s messages are refused. */
void journal_miss_writer(struct journal *);
/* Lets the writer exit once it was sent everything, so that another one can replace it. */
void journal_finish(struct journal *);
/* There is a writer that has not exited. */
bool journal_has_writer(const struct journal *);
/* The last writer has exited and was handed lines that it has not answered for: its file may have
 * them. */
bool journal_is_unsure(const struct journal *, const struct room *);
/* The writer's file has no name any more. */
bool journal_wants_file(const struct journal *);
/* Writes fail, or the file is gone. */
bool journal_fails(const struct journal *);

/* After an upgrade: tells the new poller of the pair. False with errno. */
bool journal_restored(struct journal *, struct poller *);
/* Encodes the journal, or decodes it into a new one; see codec.h. */
void journal_state(struct journal *, struct codec *);
/* The poller's events of the pair. */
void journal_ready(struct journal *, short revents);
/* Reads the writer's words, and takes each once the lines before it are settled. */
void journal_read(
    struct journal *, struct room *, struct poller *, const struct report *, uint64_t now);
/* The next held line that can be settled; false: none. */
bool journal_next(const struct journal *, const struct room *, struct settled *);
/* Settles it: appends it to the room's log, or drops it. */
void journal_settle(struct journal *, struct room *, const struct settled *);
/* Sends lines to the writer. Returns the position up to which members may see the log. */
uint64_t journal_write(
    struct journal *, struct room *, struct poller *, const struct report *, uint64_t now);

/* The first position of room_lines() that the file still lacks; LINK_NO_LIMIT: none is needed. */
uint64_t journal_needs(const struct journal *);
/* Without -s: drops the lines before target that the writer has not taken. */
void journal_skip(struct journal *, const struct room *, uint64_t target);
/* When the next turn is due at the latest; TIME_NEVER: no need. */
uint64_t journal_due(const struct journal *, const struct room *);

/* ---- A stop: no event follows ---------------------------------------------------------------- */

/* The writer has exited, and every line is in the file or never will be. */
bool journal_is_done(const struct journal *, const struct room *);
/* How many events the file does not have, as far as the writer has answered. */
uint64_t journal_unwritten(const struct journal *, const struct room *);
/*
 * Writes to fd the lines that were not sent to the writer. *pair is the hub's end of the writer's
 * pair (still the journal's), through which another process can send them; -1 if there are none.
 * False if there is no writer to send them to.
 */
bool journal_write_rest(struct journal *, const struct room *, int fd, int *pair);

#endif
