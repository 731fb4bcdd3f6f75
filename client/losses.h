/*
 * losses.h: lines that are not sent, until the user is told: no line disappears without a word.
 */
#ifndef CLIENT_LOSSES_H
#define CLIENT_LOSSES_H

#include "../wire/span.h"

enum loss_reason {
    LOSS_TOO_LONG, /* a command that does not fit into a line of the wire */
    LOSS_ONCE,     /* it was under way when the connection broke; it must not come twice */
    LOSS_REFUSED,  /* by an error that was lost with the connection */
    LOSS_LEFT,     /* the client leaves */
    LOSS_REASONS
};

/* As much of a line as is shown. */
#define LOSS_TEXT_MAX 60

struct loss {
    unsigned long lines;
    char text[LOSS_TEXT_MAX + sizeof "..."]; /* of the first; empty where it is not known */
};

/* Zeroed memory is none. */
struct losses {
    struct loss of[LOSS_REASONS];
};

/* One more line; its text may be empty. */
void losses_add(struct losses *, enum loss_reason, struct span text);
/* Lines whose text is not known. */
void losses_add_lines(struct losses *, enum loss_reason, unsigned long lines);
/* What there is to tell, without "chat: "; clears it. False where there is nothing (more). */
bool losses_tell(struct losses *, char *out, size_t size);

#endif
