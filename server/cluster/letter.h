/*
 * letter.h: a private message to a member of another node, as bytes that one hub sends to another;
 * doc/cluster.md has the form. It names persons as requests do: by their node's incarnation and
 * their number there.
 */
#ifndef SERVER_CLUSTER_LETTER_H
#define SERVER_CLUSTER_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "protocol.h"
#include "server/hub/node.h"

/* "CL" and the form, the sender's node, two persons, a sequence, the text. */
#define LETTER_MAX (3 + 1 + NODE_NAME_MAX + 2 * (16 + 4) + 8 + LINE_CLEAN_MAX)

/* The spans point elsewhere. */
struct letter {
    struct span node; /* the sender's */
    struct incarnation from;
    uint32_t sender; /* their number there */
    struct incarnation to;
    uint32_t receiver;
    /* The last message of the stream that the sender's node had read: there both persons were in
     * the room. */
    uint64_t sequence;
    struct span text;
};

/* Writes a letter, whose text has at most LINE_CLEAN_MAX bytes. Its length. */
size_t letter_write(char out[LETTER_MAX], const struct letter *);
/* False where the bytes are none. The text may be any bytes. */
bool letter_read(struct letter *, struct span bytes);

/* What is answered, a byte. Append only: the numbers stay. */
enum letter_answer {
    LETTER_DELIVERED = 1,
    LETTER_NOBODY = 2, /* the receiver is not at this node */
    LETTER_BUSY = 3    /* they cannot take it now */
};

/* What does not tell anything is LETTER_BUSY. */
enum letter_answer letter_answer_read(struct span bytes);

#endif
