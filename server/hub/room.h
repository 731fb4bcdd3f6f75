/*
 * room.h: the persons, their names and the order of events. The room knows nothing of descriptors,
 * processes and the time of day.
 *
 * room_apply() is the one function that changes it. It is deterministic: it reads the room and the
 * request and nothing else, so two rooms that are given the same requests have the same bytes in
 * their logs.
 */
#ifndef SERVER_HUB_ROOM_H
#define SERVER_HUB_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hold.h"
#include "list.h"
#include "log.h"
#include "names.h"
#include "node.h"
#include "person.h"
#include "protocol.h"
#include "source.h"
#include "table.h"
#include "wire/stamp.h"

struct link;
struct shared;

/* Microseconds since 1970: a stamp is before the year 10000, and so are those that follow it. */
#define ROOM_STAMP_MAX 250000000000000000u
/* A transcript ends before this where several machines share the room: for a year from there on its
 * state can be loaded. */
#define ROOM_STAMP_TOLD_MAX (ROOM_STAMP_MAX - 31536000000000u)

/* The state that room_apply() changes. Others read it. */
struct room {
    struct log *log;     /* the settled lines */
    struct hold hold;    /* lines that the disk has not confirmed (-s) */
    struct names *names; /* holder: struct person, a member; posters share theirs */
    struct list members; /* struct person, in the order of their joins */
    struct list posters; /* struct person, with a name but not in the room */
    size_t member_count;
    uint64_t stamp; /* of the last event */
    struct stamp_memo stamp_memo;
    struct shared *users; /* the users list as it is now; NULL: not written yet, see users.h */
    bool urgent;          /* a message was appended since this was reset */
    /* Where several machines share it: */
    struct nodes nodes;
    struct table by_number; /* struct person: by its node and its number there */
    struct table by_token;  /* struct person */
    /* Events up to this stamp are not appended, for they would stand behind later ones: they are in
     * the transcript that was read back, or else a gap line is in their place. */
    uint64_t known;
};

enum room_request_kind {
    ROOM_LOGIN, /* somebody joins, or begins to post */
    ROOM_SAY,
    ROOM_ACT,
    ROOM_POST,
    ROOM_RENAME,
    ROOM_LEAVE,
    /* where several machines share the room */
    ROOM_RESUME,     /* a session goes on at another node */
    ROOM_KICK,       /* an operator of one node removes a person of any */
    ROOM_BAN,        /* nothing in the room: a source is refused at every node, or not any more */
    ROOM_NODE_START, /* an incarnation begins; what is left of the one before ends */
    ROOM_NODE_STOP,  /* an incarnation ends: its persons leave */
    ROOM_NODE_READS, /* the newest form of batches that the node reads; before, it is the first */
    ROOM_FORM,       /* from here on batches may be of that form, if all nodes read it */
    ROOM_HASH,       /* a node tells the hash of its state */
    ROOM_PART,       /* nothing in the room: a part of a snapshot is stored */
    ROOM_STAMP,      /* further events have later stamps than the end of a node's transcript */
    ROOM_COMPARE,    /* a node has missed a batch: all compare their states behind this message */
    ROOM_REQUESTS    /* how many kinds there are */
};

/* A snapshot: the state of the room behind the message of that sequence, in parts. */
struct snapshot_part {
    uint64_t place;
    uint64_t hash; /* of the whole */
    uint32_t index;
    uint32_t count; /* of parts; index < count */
};

/* A request: who, what, when. What its pointers lead to stays the caller's. */
struct room_request {
    enum room_request_kind kind;
    uint64_t time;         /* microseconds since 1970 */
    uint32_t author;       /* the connection that gets the event as its answer; 0: none */
    struct person *person; /* who; not in a login */
    struct span text;      /* say, act, post, leave, kick; part: any bytes */
    const char *reason;    /* leave */
    /* login, rename, kick, ban */
    const char *name;         /* wanted; clean. Kick, ban: of the person that is meant */
    names_mask reserved;      /* forms of it that must not be given */
    enum person_kind posting; /* login */
    const char *login;        /* login, resume: the proved one; empty: none */
    /* where several machines share the room */
    struct node *node;              /* whose request it is; NULL: there is one machine */
    uint32_t number;                /* login, resume: of the person, at that node from now on */
    const char *token;              /* login: of its session, empty: none; resume: of which */
    struct incarnation incarnation; /* node start */
    uint64_t size;                  /* node start: of the stream, as the node sees it */
    uint32_t minutes;               /* kick: of a ban, 0: none; ban: 0: it is lifted */
    struct source_key source;       /* ban, not where it is lifted: an address */
    unsigned form;                  /* node reads, form */
    uint64_t stamp;                 /* stamp: less than ROOM_STAMP_TOLD_MAX */
    struct snapshot_part part;      /* part; hash: without index and count; compare: the last
                                     * message that its node had applied, as the place */
};

enum room_result {
    ROOM_DONE,
    ROOM_TAKEN,  /* a rename: the wanted name is taken, and what is left is the present one */
    ROOM_NOBODY, /* the person is not there any more, or there already: nothing has changed */
    ROOM_MORE,   /* one event of several was made: the request is to be made again for the next */
    ROOM_LATER   /* no memory: nothing has changed, and the request is to be made again */
};

struct room_outcome {
    struct person *person; /* of a login, a resume; of one that has left, only to be compared */
    struct link *parted;   /* of a person that left or resumed at another node; NULL: it had none */
    struct node *node;     /* whose person that was before; NULL: there is one machine */
    struct source_key source; /* that person's */
    uint64_t start;           /* the event in room_lines(): from here */
    uint64_t end;             /* to here; equal where there was none */
    uint64_t stamp;           /* of it */
};

/*
 * log: the log that readers follow. held: an empty log for lines that wait for the disk, or NULL.
 * The room owns both, even if this returns false (no memory); call room_free() in that case, too.
 */
bool room_init(struct room *, struct log *log, struct log *held, const struct table_seed *);
void room_free(struct room *);

/* Applies a request. A person that leaves is freed; a login makes one. */
enum room_result room_apply(struct room *, const struct room_request *, struct room_outcome *);

/* The log that events are appended to: the held lines, where lines are held, else the log. */
struct log *room_lines(const struct room *);
/* A stamp for a line that is not an event, at this time of day: not before the last event's. */
uint64_t room_time(const struct room *, uint64_t wall);
/* The member of that name, in any case; NULL: there is none. */
struct person *room_find(const struct room *, const char *name);
/* True if a new person of that kind would get this name unchanged. */
bool room_is_free(const struct room *, const char *name, enum person_kind);
/* The poster that began first of those of that name; NULL: there is none. Walks all posters. */
struct person *room_find_poster(const struct room *, const char *name);
/* The person of that number at that node; NULL: it is not there any more. */
struct person *room_find_number(const struct room *, const struct node *, uint32_t number);
/* The person whose session has that token; NULL: there is none. */
struct person *room_find_token(const struct room *, const char *token);

/* ---- An earlier state: a transcript that is read back, a room after an upgrade --------------- */

/* An event of an earlier run. */
void room_remember(struct room *, struct span line, struct log_line);
/* Events up to this stamp are missing. */
void room_remember_gap(struct room *, uint64_t stamp);
/* The quit of a member of an earlier run, at this time. */
void room_remember_absent(struct room *, const char *name, uint64_t time);
/* The room was loaded from a snapshot: where the transcript does not have its last event, a gap
 * line stands for what is missing. */
void room_note_missing(struct room *);
/* Nobody is there and no node is known, as in a new room; lines stay, and are known. False without
 * memory: then the room can only be freed. */
bool room_clear(struct room *);
/* What is known has more than the room: that was in a stream that is gone. A gap line of that time
 * stands behind it. */
void room_note_lost(struct room *, uint64_t time);
/* Puts back a person that was handed over. False where the name is held, or without memory. */
bool room_restore(struct room *, struct person *);

#endif
