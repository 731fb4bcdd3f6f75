/*
 * engine_end.h: the hub's end of the pair to the engine: what an engine is given first, the order
 * in which it is sent what is under way, the state that it has told, and the bytes that it has
 * sent. What the frames mean is not known here.
 */
#ifndef SERVER_CLUSTER_ENGINE_END_H
#define SERVER_CLUSTER_ENGINE_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "server/hub/watch.h"

struct codec;
struct mailbox;
struct outbox;
struct poller;
struct report;

struct engine_end {
    struct watch watch;
    int fd; /* -1: there is no engine */
    short revents;
    size_t setup_len;
    size_t setup_sent;
    enum engine_state state; /* of its last FRAME_STATE */
    uint64_t told_at;        /* when the state was logged last */
    char text[FRAME_TEXT_MAX + 1];
    char setup[FRAME_SETUP_MAX];
};

/* Frames that were read. The message that is being applied is the one before the next frame. */
struct inbox {
    char *bytes; /* INBOX_SIZE of them */
    size_t len;
    size_t at;         /* the next frame begins here; at <= len */
    uint64_t sequence; /* of the last message that was taken out, or is in the snapshot; 0: none */
    uint64_t time;     /* of that message, in ns since 1970; 0: not known */
    bool mine;         /* that message is the oldest batch of this node that has not come back */
};

/* ---- The engine ------------------------------------------------------------------------------ */

void engine_end_init(struct engine_end *);
/* There is no engine now. */
void engine_end_close(struct engine_end *, struct poller *);
/* fd is the pair to an engine, which will get this setup first. False without memory: then fd is
 * the caller's. The one before it was closed. */
bool engine_end_set(struct engine_end *, int fd, const struct frame_setup *, struct poller *);
/* Nothing is known of the engine; its setup is to be sent from its beginning. */
void engine_end_reset(struct engine_end *);
/* Sends what the engine takes; no batches where the outbox is NULL. False: there is more. */
bool engine_end_send(struct engine_end *, struct outbox *, struct mailbox *);
/* Waits until more can be sent, if it is to be, and read, if there is space for it. An engine that
 * is gone is noticed when it is read. */
void engine_end_listen(struct engine_end *, const struct inbox *, struct poller *, bool all_sent);

/* It has told its state, which is logged where it is another one. */
void engine_end_take_state(
    struct engine_end *, const struct frame_state *, const struct report *, uint64_t now);
/* When it is to be logged again that the engine is not ready: it says nothing twice. TIME_NEVER: it
 * is ready, or has said nothing. */
uint64_t engine_end_tell_due(const struct engine_end *);
/* Logs it. */
void engine_end_tell(struct engine_end *, const struct report *, uint64_t now);

/* ---- What it has sent ------------------------------------------------------------------------ */

/* False without memory. */
bool inbox_init(struct inbox *);
void inbox_free(struct inbox *);
bool inbox_is_full(const struct inbox *);
/* Drops what was not taken out: the next engine will tell it again. */
void inbox_drop(struct inbox *);
/* Drops what is before the next frame; it is needed while it is applied. */
void inbox_compact(struct inbox *);
/* Reads what the poller has reported, as far as there is space. False: the engine has ended. */
bool inbox_read(struct inbox *, struct engine_end *);

/* ---- Handing over ---------------------------------------------------------------------------- */

/* Write them, or fill new ones; see codec.h. */
void engine_end_hand(struct engine_end *, struct codec *);
void inbox_hand(struct inbox *, struct codec *);
/* After an upgrade: tells the new poller of the pair. False with errno. */
bool engine_end_restored(struct engine_end *, struct poller *);

#endif
