/*
 * frame.h: the frames between the hub and the engine: the length of the payload in 4 bytes, most
 * significant first, a byte for the kind, and the payload.
 */
#ifndef SERVER_CLUSTER_FRAME_H
#define SERVER_CLUSTER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/span.h"

#define FRAME_HEAD 5
#define FRAME_PAYLOAD_MAX (1048576 + 64)

/* The numbers are fixed: an upgrade connects two versions of the program. */
enum frame_kind {
    /* To the engine. */
    FRAME_SETUP = 1,   /* the first: struct frame_setup */
    FRAME_PUBLISH = 2, /* the bytes of one batch */
    FRAME_ASK = 3,     /* struct frame_ask */
    FRAME_ANSWER = 4,  /* struct frame_letter */
    FRAME_RENEW = 5,   /* struct frame_renew */
    /* To the hub. */
    FRAME_STATE = 16,   /* struct frame_state */
    FRAME_MESSAGE = 17, /* struct frame_message */
    FRAME_END = 18,     /* struct frame_end */
    FRAME_ASKED = 19,   /* struct frame_letter */
    FRAME_ANSWERED = 20 /* struct frame_answered */
};

enum frame_result {
    FRAME_NONE, /* it is not complete yet */
    FRAME_READY,
    FRAME_BAD /* too long */
};

struct frame {
    uint8_t kind;
    struct span payload;
};

/* Takes the first frame from the front of rest. Its payload points into the same bytes. */
enum frame_result frame_next(struct frame *, struct span *rest);
/* Writes the head of a frame. */
void frame_head_write(char out[FRAME_HEAD], enum frame_kind, size_t payload);
/* Sends the rest of frames of len bytes, of which *sent were sent before. False with errno where
 * the descriptor takes no more now, or has failed. */
bool frames_send(int fd, const char *frames, size_t len, size_t *sent);

/* ---- Payloads -------------------------------------------------------------------------------- */

#define FRAME_SERVERS_MAX 4096
#define FRAME_CREDENTIALS_MAX 1024
#define FRAME_SETUP_MAX (FRAME_HEAD + 25 + 8 + 64 + FRAME_CREDENTIALS_MAX + FRAME_SERVERS_MAX)

/* The engine's task. The spans point into the memory of the caller, or of the payload. */
struct frame_setup {
    uint64_t next;           /* the first stream sequence that is wanted; 0: the oldest there is, */
    uint64_t back;           /* but at most so many messages before the end; 0: any number */
    uint64_t time;           /* of the message before next, in ns; 0: not known */
    bool watches;            /* the stream that the hub has read is gone, see below; back counts */
    struct span room, node;  /* letters, digits, `-` and `_` */
    struct span credentials; /* `user:password`, a token, or nothing */
    struct span servers;     /* `host`, `host:port`, `[ipv6]:port`, separated by commas */
};

/* Writes the whole frame. Returns its length; 0 if a field is too long. */
size_t frame_setup_write(char out[FRAME_SETUP_MAX], const struct frame_setup *);
/* False: the payload is malformed. */
bool frame_setup_read(struct frame_setup *, struct span payload);

/* The state of the stream and of the connection to it. */
enum engine_state {
    ENGINE_CONNECTING, /* not connected yet; the text says what is tried, or why it failed */
    ENGINE_READY,      /* connected, and read to the end */
    ENGINE_AWAY,       /* no longer ready; the text says why */
    ENGINE_REFUSED,    /* the server rejects the credentials, or wants some */
    ENGINE_UNUSABLE,   /* no JetStream, or it cannot keep the stream; the text has the reason */
    ENGINE_GONE        /* the stream is missing, or ends before or differs at what was read of it */
};

#define FRAME_TEXT_MAX 256
#define FRAME_STATE_MAX (FRAME_HEAD + 1 + 4 + FRAME_TEXT_MAX)

struct frame_state {
    enum engine_state state;
    uint32_t batch_max; /* the largest batch, BATCH_MIN to BATCH_MAX bytes; 0: not known yet */
    struct span text;   /* printable, for the log; may be empty */
};

/* Writes the whole frame; a text that is too long is cut. Returns its length. */
size_t frame_state_write(char out[FRAME_STATE_MAX], const struct frame_state *);
bool frame_state_read(struct frame_state *, struct span payload);

/* The sequence and the time before the bytes of a message. */
#define FRAME_MESSAGE_HEAD 16

struct frame_message {
    uint64_t sequence; /* in the stream */
    uint64_t time;     /* when it was stored: nanoseconds since 1970 */
    struct span bytes;
};

/* Writes the frame's head and the message's; the bytes are to follow. */
void frame_message_write(char out[FRAME_HEAD + FRAME_MESSAGE_HEAD], const struct frame_message *);
bool frame_message_read(struct frame_message *, struct span payload);

/* Where the stream ended when it was found; all before that was told. */
struct frame_end {
    uint64_t sequence;
    uint64_t size; /* the bytes that the stream may have; 0: any number */
};

#define FRAME_END_SIZE (FRAME_HEAD + 16)

void frame_end_write(char out[FRAME_END_SIZE], const struct frame_end *);
bool frame_end_read(struct frame_end *, struct span payload);

/* ---- A stream that is gone ------------------------------------------------------------------- */

/*
 * An engine that watches reads whatever is stored where the stream was. Its state is ENGINE_GONE as
 * long as the servers answer. It tells messages, and after each look at the stream its end; 0: it
 * does not exist. It publishes nothing but this, and makes the stream for it where there is none.
 */
#define FRAME_RENEWAL_MAX 256

struct frame_renew {
    uint64_t last; /* it is stored only if this is the stream's last sequence; 0: if it is empty */
    struct span bytes;
};

#define FRAME_RENEW_MAX (FRAME_HEAD + 8 + FRAME_RENEWAL_MAX)

/* Writes the whole frame; its length. The bytes are at most FRAME_RENEWAL_MAX. */
size_t frame_renew_write(char out[FRAME_RENEW_MAX], const struct frame_renew *);
bool frame_renew_read(struct frame_renew *, struct span payload);

/* ---- Questions to other nodes: nothing of these is stored ------------------------------------ */

/* Bytes of a question, of an answer, and of the subject to which an answer goes. */
#define FRAME_QUESTION_MAX 16384
#define FRAME_ANSWER_MAX 64
#define FRAME_SUBJECT_MAX 255

/* A question of this node's. */
struct frame_ask {
    uint64_t number; /* comes back with the answer */
    uint64_t until;  /* it is not asked after that time of clock_us() */
    struct span node;
    struct span bytes;
};

#define FRAME_ASK_MAX (FRAME_HEAD + 8 + 8 + 64 + FRAME_QUESTION_MAX)

/* Writes the whole frame. Its length; 0 where the node is none, or something is too long. */
size_t frame_ask_write(char out[FRAME_ASK_MAX], const struct frame_ask *);
bool frame_ask_read(struct frame_ask *, struct span payload);

/* A question of another node's, or its answer. */
struct frame_letter {
    struct span reply; /* the subject to which the answer goes: printable, not empty */
    struct span bytes;
};

#define FRAME_LETTER_MAX (FRAME_HEAD + 2 + FRAME_SUBJECT_MAX + FRAME_QUESTION_MAX)

/* kind: FRAME_ANSWER, whose bytes are at most FRAME_ANSWER_MAX, or FRAME_ASKED. Writes the whole
 * frame. Its length; 0 where the subject is none, or something is too long. */
size_t frame_letter_write(
    char out[FRAME_LETTER_MAX], enum frame_kind kind, const struct frame_letter *);
bool frame_letter_read(struct frame_letter *, enum frame_kind kind, struct span payload);

/* The answer to a question of this node's. */
struct frame_answered {
    uint64_t number;
    struct span bytes; /* empty: no node took the question */
};

#define FRAME_ANSWERED_MAX (FRAME_HEAD + 8 + FRAME_ANSWER_MAX)

/* Writes the whole frame; an answer that is too long is cut. Its length. */
size_t frame_answered_write(char out[FRAME_ANSWERED_MAX], const struct frame_answered *);
bool frame_answered_read(struct frame_answered *, struct span payload);

#endif
