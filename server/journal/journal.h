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
 * NONE -> STARTING <-> ABSENT, STARTING -> WRITING -> ABSENT
 */
enum journal_state {
    JOURNAL_NONE,     /* there is no transcript */
    JOURNAL_STARTING, /* a writer was started and has not said yet where its file ends */
    JOURNAL_WRITING,
    JOURNAL_ABSENT /* the writer has died */
};

/* How the writer gets on. */
enum journal_health {
    JOURNAL_WELL,
    JOURNAL_SLOW,   /* it takes nothing: without -s the room goes on before it has its lines */
    JOURNAL_FAILING /* the file takes nothing */
};

struct journal {
    struct watch watch;
    struct link link; /* to the writer; its descriptor is owned here */
    enum journal_state state;
    enum journal_health health;
    bool sync;
    bool readable;
    bool refusing;          /* held messages before settle_to are refused */
    uint64_t settle_to;     /* with -s: held lines before this position can be settled */
    uint64_t kept;          /* the lines are in the file up to here, or never will be */
    uint64_t filed;         /* the file accounts for the lines up to here */
    uint64_t filed_count;   /* how many events those are */
    uint64_t visible;       /* members saw the log up to here when they began to wait */
    uint64_t waiting_since; /* members wait for the writer since then; 0: they do not */
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
/* It has died, and another could not be started: with -s what is said is refused. */
void journal_miss_writer(struct journal *);
/* The writer shall open its file anew. False without memory, or without a writer. */
bool journal_reopen(struct journal *, const struct room *);

/* After an upgrade: tells the new poller of the pair. False with errno. */
bool journal_restored(struct journal *, struct poller *);
/* Writes the journal, or fills a new one with it; see codec.h. */
void journal_state(struct journal *, struct codec *);
/* The poller's word about the pair. */
void journal_ready(struct journal *, short revents);
/* What the writer says is heard, as far as the lines before it are settled. */
void journal_read(struct journal *, struct room *, struct poller *, const struct report *);
/* The next held line that can be settled; false: none. */
bool journal_next(const struct journal *, const struct room *, struct settled *);
/* Settles it: it is in the room's log now, or dropped. */
void journal_settle(struct journal *, struct room *, const struct settled *);
/* Hands the writer what there is. Returns up to where members may see the log. */
uint64_t journal_write(
    struct journal *, struct room *, struct poller *, const struct report *, uint64_t now);

/* With -s: what is said now would be refused. */
bool journal_refuses(const struct journal *);
/* The first position of room_lines() that the file still lacks; LINK_NO_LIMIT: none is needed. */
uint64_t journal_needs(const struct journal *);
/* Without -s: gives up what the writer has not taken before target. */
void journal_skip(struct journal *, const struct room *, uint64_t target);
/* When the next turn is due at the latest; TIME_NEVER: no need. */
uint64_t journal_due(const struct journal *, const struct room *);
/* Nothing is left for the writer, or there is none. */
bool journal_is_done(const struct journal *, const struct room *);

#endif
