/*
 * hub_private.h: what the files of the hub share: hub.c (members, the turn), input.c (what comes
 * in), login.c (before the name), commands.c (after it), users.c (the list of who is here),
 * outbox.c (what goes out), pace.c (slow readers), seats.c (tokens), recorder.c (the transcript).
 * Nobody else reads it.
 */
#ifndef SERVER_HUB_PRIVATE_H
#define SERVER_HUB_PRIVATE_H

#include "codec.h"
#include "hub.h"
#include "log.h"
#include "names.h"
#include "pacing.h"
#include "protocol.h"
#include "wire/address.h"
#include "wire/line.h"

/* One read from a worker; large reads make the batches that are the hub's speed. */
#define READ_MAX 65536u
/* Lines for one member only that may wait for him; then no more is read from him. */
#define OUTBOX_MAX 65536u
/* Logins, private lines and others' answers find no memory: try again after this long. */
#define MEMORY_RETRY_US 100000u
/* A token is known for so long after its session's end. */
#define SEAT_KEPT_US (600u * 1000000u)
/* How long an old connection may take to say what it has, before its worker is killed. */
#define TAKEOVER_US (5u * 1000000u)
/* Who gave a wrong secret waits for the answer. */
#define WRONG_PASS_US 1000000u
#define SEAT_SLOTS 256
/* So many come in together in one turn, at most. */
#define NAMED_MAX 256
/* ITEM_GAP has room for this. */
#define GAP_TEXT_MAX (STAMP_LEN + 64)

/* Bytes that several members are sent, as one users list by all who join in one turn. */
struct blob {
    unsigned refs;
    size_t len;
    char bytes[];
};

enum item_kind {
    ITEM_BYTES,
    ITEM_BLOB,
    ITEM_GAP /* written into bytes when its turn comes; until then it can grow */
};

/*
 * Something for one member only, at its place between the bytes of the log: it goes out when his
 * cursor is at due, and the cursor continues at after. Nothing of it goes before the room has got
 * as far as shown. Owned by the member's outbox from queueing until it is sent.
 */
struct item {
    struct item *next;
    uint64_t due;
    uint64_t after;
    uint64_t shown;
    enum item_kind kind;
    struct blob *blob;
    uint64_t count; /* ITEM_GAP */
    uint64_t mine;
    bool counted;
    size_t len;
    size_t sent;
    char bytes[];
};

/* One member's way out: a cursor in the log, and the items due at positions of it. */
struct outbox {
    bool reads_log;
    bool ahead; /* the writer: it gets what nobody has been shown yet */
    uint64_t cursor;
    uint64_t moved_to; /* everything before it has been given up, see outbox_move_ahead() */
    uint64_t limit;    /* the log is not sent beyond this */
    struct item *first;
    struct item *last;
    size_t bytes; /* of the items, their headers included */
};

enum member_state {
    MEMBER_PREPARING, /* before the name */
    MEMBER_NAMED,     /* the name line is read, the login comes at the end of the turn */
    MEMBER_JOINED,
    MEMBER_POSTING,
    MEMBER_LEAVING /* said goodbye or is sent away; what is owed is being delivered */
};

enum pause {
    PAUSE_NONE,
    PAUSE_UNTIL_WAKE, /* rate, wrong secret, no memory: until wake */
    PAUSE_TAKEOVER,   /* until the old connection of its seat has ended, or wake */
    PAUSE_OUTBOX      /* until its outbox has drained */
};

/* What a token stands for: a session that may change its connection. See seats.c. */
struct seat {
    struct seat *next; /* in the hash chain */
    struct seat *newer;
    struct member *member; /* who sits there; NULL: the session is over */
    struct member *taker;  /* who waits for the old connection's end */
    bool listed;           /* among those whose session is over */
    uint64_t answered;     /* lines after the name that have been answered in all */
    uint64_t over_at;
    char token[33];
};

/*
 * One worker's record, from hub_add() until its pair has given EOF and its process is reaped.
 * A member owns its descriptor, its held input and its outbox.
 */
struct member {
    /* What every broadcast looks at stands together: a thousand members are many cache lines. */
    struct member *next;
    struct member *next_dirty; /* in the list of those with something to send */
    struct outbox out;
    int fd;
    enum member_state state;
    enum pause pause;
    short interest; /* what the poller was told */
    bool queued;
    bool dirty;
    bool eof;          /* the pair has given all it will */
    bool blocked;      /* the pair takes nothing now */
    bool deaf;         /* the worker is gone: nothing can be sent */
    bool shut;         /* the hub has shut down its side */
    bool over;         /* the record can be freed */
    uint64_t progress; /* when the worker last took something */

    struct member *prev;
    struct member *next_queued; /* in the hub's list of those with input */
    struct member *next_pid;    /* in the hash chain */
    struct member *next_over;   /* in the list of those who are over */
    size_t place;               /* in the list, when it is handed over */
    uint32_t id;                /* author number in the log */
    pid_t pid;
    int status;
    bool reaped;
    bool seated;  /* has a name in the room (joined, or holds a seat that it took over) */
    bool posting; /* /post was given */
    bool wrong;   /* so was a wrong secret */
    bool passed;  /* the secret was right */
    bool wants_token;
    bool has_history;
    bool has_since;
    bool resumes; /* /resume was given */
    bool named;   /* m->name is taken in hub->names */
    bool goodbye; /* the worker has said that it is over */
    bool faulty;  /* the worker broke the rules; nothing it says counts any more */
    bool killed;

    uint64_t wake; /* of a pause */
    uint64_t arrived;
    uint64_t rate_at; /* -r: the clock of its lines, see member_is_too_fast() */
    uint64_t joined_stamp;
    uint64_t since;
    unsigned long history;
    uint64_t received; /* lines after the name, the empty ones not counted */
    uint64_t skipped;  /* events that it was not given */

    char *held; /* input that was read and is not processed yet */
    size_t held_len;
    struct seat *seat;
    char peer[PEER_TEXT_MAX];
    char login[NAME_LEN_MAX + 1]; /* proved by the kernel; empty: nothing is */
    char name[NAME_LEN_MAX + 1];  /* wanted while MEMBER_NAMED, then the real one */
};

/*
 * Who comes and goes is told to all, but not one by one: to wake ten thousand for each of ten
 * thousand who come would be the whole of the room's work. So this long for each member after
 * everybody has been woken, mere joins and quits wait for company; in a room of a hundred that is
 * two milliseconds. What somebody says never waits.
 */
#define QUIET_US 20u

/* Every event is counted once, where it happens. */
struct counters {
    uint64_t received; /* lines after the name */
    uint64_t echoed;
    uint64_t answered; /* users and help */
    uint64_t refused;
    uint64_t ended; /* /quit */
    uint64_t gaps;
    uint64_t skipped; /* events in them */
    uint64_t logins;
    uint64_t faults;
};

/* The transcript, from the hub's side; see recorder.c. */
struct recorder {
    struct member *writer; /* NULL: no transcript, or the writer has died */
    bool wanted;           /* there is a transcript */
    bool sync;             /* -s */
    bool ready;            /* the writer has said where it is */
    bool readable;
    bool behind;          /* the disk is too slow: the room does not wait for it */
    bool failing;         /* the disk takes nothing */
    uint64_t kept;        /* the log is in the file up to here, or will never be */
    uint64_t filed;       /* the file accounts for the log up to here */
    uint64_t filed_count; /* how many events those are */
    uint64_t waiting_since;
    struct line_splitter splitter;
    char held[513];
};

struct hub {
    struct hub_config config;
    struct recorder recorder;
    struct log *log;
    struct names *names;
    struct pacing pacing;
    struct counters counters;
    uint64_t now;
    uint64_t started;
    uint64_t stamp;       /* the last one that was given out */
    uint64_t wall;        /* the time of day at this turn's start */
    uint64_t shown;       /* members get the log up to here */
    uint64_t floor;       /* no reader needs anything before it: a lower bound */
    uint64_t sent_to;     /* everybody has been given what there was, up to here */
    uint64_t flush_at;    /* when everybody is given mere joins and quits, at the earliest */
    bool urgent;          /* there is more than those */
    uint64_t paced_since; /* the room waits for slow readers since then; 0: it does not */
    uint64_t paced_floor; /* where the slowest reader was then */
    uint64_t pace_left;   /* how long it may still */
    uint64_t next_ring;   /* when the first of the members' clocks is due */
    size_t budget;        /* bytes that may still be appended in this turn */
    bool short_of_room;   /* it began with too few for a line */
    uint32_t next_id;
    bool stopping;

    struct member *first;
    struct member *last;
    size_t workers;
    size_t leaving; /* of these, in MEMBER_LEAVING */
    size_t members;
    struct member *pids[1024];
    struct member *input_first; /* those with input, in the order in which they are served */
    struct member *input_last;
    struct member *dirty_first;
    struct member *over_first;
    struct member *named[NAMED_MAX]; /* logins of this turn */
    size_t named_count;
    struct blob *list; /* the users list, NULL when it is out of date */
    struct seat *seats[SEAT_SLOTS];
    struct seat *seats_oldest; /* those whose session is over, in the order of their ends */
    struct seat *seats_newest;
    struct report_limit faults; /* of workers */
    struct report_limit strangers;
    struct report_limit renames;

    struct member *stuck; /* whose input could not be kept for want of memory: it is in scratch */
    size_t stuck_len;
    char *scratch;
};

/* What became of a line: taken, or not now (no memory): then it comes again. */
enum taken { LINE_TAKEN, LINE_LATER };

/* ---- hub.c */

/* Appends a room event: "STAMP verb a[ b][ text]"; author 0 where it is nobody's answer.
 * Returns the stamp. */
uint64_t hub_event(struct hub *, const char *verb, const char *a, const char *b, struct span text,
    uint32_t author);
/* Reads the time of day. */
void hub_clock(struct hub *);
/* The stamp for a line that is not an event. */
void hub_stamp_text(struct hub *, char out[STAMP_LEN]);
/* Gives a member the name that he wants, or the first free one like it; his old one stays taken.
 * False without memory. */
bool hub_take_name(struct hub *, struct member *, const char *wanted);
/* A member's goodbye: the quit is said, the name is free, what is owed is still sent. */
void member_leave(struct hub *, struct member *, const char *reason, struct span text);
/* Sends a member away after the lines that it has been queued. */
void member_send_away(struct hub *, struct member *);
/* Tells the poller what is waited for, where that has changed. */
void member_listen(struct hub *, struct member *);
/* A worker that broke the rules: it is ended and reported. */
void member_fault(struct hub *, struct member *, const char *why);
void member_kill(struct hub *, struct member *);
void member_pause(struct hub *, struct member *, enum pause, uint64_t wake);
void member_queue_input(struct hub *, struct member *);
/* Its pair has given EOF, or its process is reaped: where both are true, the record is over. */
void member_end(struct hub *, struct member *);
/* Puts a new member into the list of all, and where its pid is found. */
void member_remember(struct hub *, struct member *);
/* One more line after the name has its answer. */
void member_answered(struct member *);

/* ---- users.c */

/* Room for the users list, with so many more than are here; NULL without memory. blob_release()
 * ends it. */
struct blob *users_new(const struct hub *, size_t more);
/* Fills that with the list as it is now: `here` lines and `users N`. */
void users_write(struct hub *, struct blob *);
/* Queues the list for one member. False without memory. */
bool users_say(struct hub *, struct member *);
/* Somebody came, left or changed his name. */
void users_changed(struct hub *);

/* ---- input.c */

/* Reads from everybody in the queue once, as long as the log has room for what they say. */
void input_read_all(struct hub *);

/* ---- pace.c */

/* Finds how much may be said in this turn. Where a reader is a whole log behind, the room waits
 * for him, as long as it may; then he is moved ahead. */
void pace_begin(struct hub *);
/* After the reading: whether anybody with something to say has to wait. */
void pace_end(struct hub *);
/* At a turn's end: there is no room for a line, even now. */
bool pace_is_short(struct hub *);

/* ---- recorder.c */

/* Hears the writer, hands it the log, and finds up to where members may see it. */
void recorder_turn(struct hub *);
/* Before it is said: the disk does not take it, and -s wants it there. */
bool recorder_refuses(const struct hub *);
/* The first position of the log that the file still lacks. */
uint64_t recorder_needs(const struct hub *);
/* Gives up what the writer has not taken before target. */
void recorder_move_ahead(struct hub *, uint64_t target);
/* When recorder_turn() must be called again at the latest; UINT64_MAX: no need. */
uint64_t recorder_due(const struct hub *);
void recorder_free(struct hub *);
/* The quits of a room that closes go to the file alone. */
void recorder_say_quits(struct hub *);

/* ---- login.c */

/* What the worker shows to ps(1); NULL without memory. */
struct item *item_title(const struct member *);
enum taken login_line(struct hub *, struct member *, const char *line, size_t len);
/* Lets all in whose name was read in this turn. */
void login_all(struct hub *);
/* The time for giving a name is over. */
void login_late(struct hub *, struct member *);
/* An old connection has ended for which taker was waiting: its seat is taker's. */
void login_take_over(struct hub *, struct member *taker, struct member *old);
/* It has not ended in time. */
void login_takeover_late(struct hub *, struct member *taker);
/* A member goes: nothing in the logins may hold it. */
void login_forget(struct hub *, struct member *);

/* ---- commands.c */

enum taken command_line(struct hub *, struct member *, const char *line, size_t len);

/* ---- outbox.c */

/*
 * Queues "STAMP text" and LF for one member, due when he has got the log as far as it is now.
 * False without memory; then nothing happened.
 */
bool outbox_say(struct hub *, struct member *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An item with room for that many bytes, not yet queued: queue it or item_free() it. */
struct item *item_new(size_t len);
void item_free(struct item *);
/* An item that holds "STAMP text LF". */
struct item *item_say(struct hub *, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct item *item_blob(struct blob *);
void blob_release(struct blob *);
/* Where something that is queued now is due: behind all that this member gets of the log. */
uint64_t outbox_end(const struct hub *, const struct outbox *);
/* The log is sent up to here, and no further. */
void outbox_close(const struct hub *, struct outbox *);
/* Queues an item, due now. */
void outbox_put(struct hub *, struct member *, struct item *);
/* Queues an item, with due, after and shown set by the caller. */
void outbox_put_at(struct hub *, struct member *, struct item *);
/* Puts a member on the list of those who may have something to send. */
void outbox_mark(struct hub *, struct member *);
/* Sends what can be sent. */
void outbox_flush(struct hub *, struct member *);
/* True where nothing is waiting, in the log or beside it. */
bool outbox_is_done(const struct outbox *);
/* The smallest position of the log that this reader still needs. */
uint64_t outbox_needs(const struct outbox *);
/* Stamps a gap line with the time before the event that it stands before: a reader, or a file, has
 * its lines in the order of their stamps. gap->after must be set. */
void gap_stamp(struct hub *, struct item *gap);
/* Gives up the log before target, saying so by gap items. False without memory. */
bool outbox_move_ahead(struct hub *, struct member *, uint64_t target);
void outbox_clear(struct outbox *);
/* Nobody is there any more who could take it, or shall: nothing more goes out. */
void outbox_deafen(struct member *);
/* Puts an item behind before (NULL: first). */
void outbox_insert(struct outbox *, struct item *before, struct item *item);
/* Takes the item behind before (NULL: the first) out and frees it. */
void outbox_remove(struct outbox *, struct item *before);

/* ---- seats.c */

/* A new seat with a fresh token; NULL without memory or randomness. */
struct seat *seat_new(struct hub *, struct member *);
/* Puts a seat where its token is found, and among those that are over where it is. */
void seat_put(struct hub *, struct seat *);
struct seat *seat_find(struct hub *, struct span token);
/* The session's connection has ended for good. */
void seat_over(struct hub *, struct seat *);
void seats_free(struct hub *);

#endif
