/*
 * nats.h: the client's side of the NATS protocol: parses what a server sends, in any pieces, and
 * formats what a client sends. Pure: no sockets, no memory of its own.
 */
#ifndef SERVER_CLUSTER_NATS_H
#define SERVER_CLUSTER_NATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/span.h"

/* Limits of a line: of INFO, which lists servers, and of all other operations. */
#define NATS_INFO_MAX 65536
#define NATS_LINE_MAX 4096
/* The headers and the payload of a message, together. What is larger is read, but not kept. */
#define NATS_CONTENT_MAX 1048576
/* No server lets a client publish more than this. */
#define NATS_CONTENT_LIMIT 67108864
/* With this much of the input in memory, the first operation is complete. */
#define NATS_HELD_MAX (NATS_LINE_MAX + NATS_CONTENT_MAX + 2)

/* ---- What a server says ---------------------------------------------------------------------- */

enum nats_kind {
    NATS_MORE, /* the next operation is not complete yet */
    NATS_BAD,  /* that is not the protocol, and nothing after it can be read */
    NATS_INFO, /* text is a JSON object */
    NATS_MESSAGE,
    NATS_PING,
    NATS_PONG,
    NATS_OK,
    NATS_ERROR /* text has the server's words */
};

/* One operation. The spans point into the input; those that it does not have are empty. */
struct nats_operation {
    enum nats_kind kind;
    bool too_large; /* a message without its headers and payload */
    uint64_t sid;   /* of the subscription */
    struct span subject;
    struct span reply;
    struct span headers; /* from `NATS/1.0` to the empty line */
    struct span payload;
    struct span text;
};

/* Zeroed memory is one at the beginning of a stream. */
struct nats_parser {
    size_t skip; /* bytes of a message that was too large, still to come */
};

/*
 * Takes the next operation from the front of rest. After NATS_MORE the caller keeps what is left
 * of rest and calls again when it has more behind it. Any pieces of a stream give the same
 * operations.
 */
enum nats_kind nats_next(struct nats_parser *, struct span *rest, struct nats_operation *);

/* The status in a message's headers (100, 404, 503, ...), 0 where there is none, and its words. */
unsigned nats_status(struct span headers, struct span *words);
/* The value of the first header of that name, which is given in lower case, or an empty span. */
struct span nats_header(struct span headers, const char *name);

/* ---- What is said to a server ---------------------------------------------------------------- */

/* Subjects and inboxes that are made here are no longer than this. */
#define NATS_SUBJECT_MAX 256
#define NATS_HEAD_MAX (2 * NATS_SUBJECT_MAX + 64)
#define NATS_CONNECT_MAX 8192

#define NATS_PING_LINE "PING\r\n"
#define NATS_PONG_LINE "PONG\r\n"
/* Behind the payload of a publication. */
#define NATS_END "\r\n"

/*
 * CONNECT. The credentials are `user:password`, a token, or empty; name tells an operator of the
 * server who this is. Returns the length of the line; 0 where it would be too long.
 */
size_t nats_write_connect(
    char out[NATS_CONNECT_MAX], struct span credentials, const char *name, const char *version);
/* SUB and UNSUB. The length of the line. */
size_t nats_write_sub(char out[NATS_HEAD_MAX], const char *subject, uint64_t sid);
size_t nats_write_unsub(char out[NATS_HEAD_MAX], uint64_t sid);
/*
 * PUB, without payload and NATS_END, which are to follow. The reply's subject may be "". The length
 * of the line; 0 where a subject is too long.
 */
size_t nats_write_pub(
    char out[NATS_HEAD_MAX], struct span subject, const char *reply, size_t payload);

/* The same with a header before the payload: HPUB. */
struct nats_header {
    const char *name;
    uint64_t value;
};

size_t nats_write_hpub(char out[NATS_HEAD_MAX], struct span subject, const char *reply,
    const struct nats_header *, size_t payload);

#endif
