/*
 * snapshot.h: the whole state of the hub in a form that the next program takes over. The same code
 * writes it and reads it. A change of the form raises HANDOVER_VERSION in handover.h.
 */
#ifndef SERVER_HUB_SNAPSHOT_H
#define SERVER_HUB_SNAPSHOT_H

struct codec;
struct connections;

/*
 * Writes the room, the journal, the tokens and all connections, or fills empty ones; see codec.h.
 * c->bad says that it failed: then what was filled is only to be freed.
 */
void snapshot(struct connections *, struct codec *c);

#endif
