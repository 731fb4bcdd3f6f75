/*
 * reading.h: how far the room's stream was read, and whether what a server has is the same stream.
 * Pure.
 */
#ifndef SERVER_CLUSTER_READING_H
#define SERVER_CLUSTER_READING_H

#include <stdbool.h>
#include <stdint.h>

struct jetstream_answer;

/* The stream, and how far it has been read. */
struct reading {
    uint64_t next;         /* the sequence that is wanted next; 0: the stream was not found yet */
    uint64_t time;         /* of the message before it, in ns; 0: not known */
    uint64_t proof;        /* the consumer begins with that message, which shows whether it is still
                            * the same stream; 0: with the next */
    uint64_t end;          /* the stream's last sequence, when it was found */
    uint64_t size;         /* the bytes that it may have; 0: any number */
    uint64_t deliveries;   /* of the present consumer */
    uint64_t consumer;     /* its number, which is in its subject */
    unsigned unanswered;   /* requests for consumers since the last that had an answer */
    uint64_t subscribed;   /* to the consumer, on this connection: its sid; 0: not yet */
    uint64_t behind_since; /* all is delivered that there is, and it is not all; 0: it is not so */
    uint64_t behind_for;   /* how long it was so on the connections before, since a delivery */
    bool has_consumer;
    bool is_idle;     /* the consumer has delivered everything */
    bool is_told;     /* FRAME_END was sent for this connection */
    char created[40]; /* when the stream was made; "": not known yet */
    char leader[64];  /* of the stream's servers, when it was found; "": none, or not known */
};

/* Everything that the stream had when it was found is delivered; or servers have said so long that
 * nothing more comes that it is taken as read. */
bool reading_is_done(struct reading *, uint64_t now);
/* How long servers have said that nothing more comes, while something is missing. */
uint64_t reading_behind_time(const struct reading *, uint64_t now);
/* That time begins anew: something has come. */
void reading_behind_end(struct reading *);
/* It stands still: while there is no connection, no server is behind. */
void reading_behind_pause(struct reading *, uint64_t now);

/* By the time at which it was made, this is another stream. Several nodes that make the stream at
 * once make one, but its time may still change a little. */
bool reading_is_made_anew(const struct reading *, const struct jetstream_answer *stream);
/* The last message that was read is there, or another one in its place. */
bool reading_has_proof(const struct reading *, const struct jetstream_answer *stream);
/* What shows already that this is not what was read of the stream; NULL: nothing does. */
const char *reading_difference(const struct reading *, const struct jetstream_answer *stream);

#endif
