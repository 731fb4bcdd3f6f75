/*
 * mailbox.h: private messages between this node's members and those of others: frames on their way
 * to the engine, beside the batches, and letters of others that are ahead of what was read of the
 * stream. Nothing of it is stored, or asked twice: what is lost here gets no answer.
 */
#ifndef SERVER_CLUSTER_MAILBOX_H
#define SERVER_CLUSTER_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

struct codec;

/* A letter that waits until the room has come as far as its sender was. */
struct kept {
    struct kept *next;
    uint64_t sequence; /* it waits for that message of the stream */
    uint64_t until;    /* at the latest */
    struct frame_letter letter;
    char bytes[];
};

/* sent <= piece <= out_len <= MAILBOX_SIZE, kept_count <= KEPT_MAX */
struct mailbox {
    char *out; /* whole frames */
    size_t out_len;
    size_t sent;  /* of these, to the present engine */
    size_t piece; /* frames up to there are sent before a batch may be */
    struct kept *first;
    struct kept *last;
    unsigned kept_count;
    uint32_t asked; /* the number of the last question */
};

/* False without memory. */
bool mailbox_init(struct mailbox *);
void mailbox_free(struct mailbox *);

/* Put a frame behind the others. False where there is no space for it. */
bool mailbox_ask(struct mailbox *, const struct frame_ask *);
bool mailbox_answer(struct mailbox *, const struct frame_letter *);
/* What makes the stream anew goes the same way, for batches are not sent then. */
bool mailbox_renew(struct mailbox *, const struct frame_renew *);
/* Sends the rest of the piece that was begun, or the next one: a few frames. False with errno where
 * the descriptor takes no more. */
bool mailbox_send(struct mailbox *, int fd);
/* A piece was begun: nothing else may be sent before its rest. */
bool mailbox_is_cut(const struct mailbox *);
/* There are frames that were not sent. */
bool mailbox_is_waiting(const struct mailbox *);
/* The engine has ended: what it was to be handed is dropped. */
void mailbox_forget(struct mailbox *);

/* Keeps a copy of a letter. False where there are too many, and without memory. */
bool mailbox_keep(struct mailbox *, const struct frame_letter *, uint64_t sequence, uint64_t until);
/* Takes the first one out that waits for a message up to sequence, or that has waited until now;
 * NULL: there is none. free() it. */
struct kept *mailbox_take(struct mailbox *, uint64_t sequence, uint64_t now);
/* Until when one waits at the latest; UINT64_MAX: none does. */
uint64_t mailbox_due(const struct mailbox *);

/* Writes the frames that are under way, or reads them; see codec.h. Letters that wait are not
 * handed over: their senders get no answer. */
void mailbox_state(struct mailbox *, struct codec *);

#endif
