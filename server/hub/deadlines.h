/*
 * deadlines.h: the times by which something must have happened to a connection (enum deadline),
 * when they are over.
 */
#ifndef SERVER_HUB_DEADLINES_H
#define SERVER_HUB_DEADLINES_H

struct connections;

/*
 * Does what is due at cs->turn.now. What would end a person's session without space in the log, or
 * in the queue to the stream, is due again a little later.
 */
void deadlines_run(struct connections *cs);

#endif
