/*
 * engine.h: the process between the hub and NATS. It reads the room's stream from where the hub
 * says, tells the hub every message, and publishes the hub's batches; batches that do not come back
 * are published again, until they do. It knows nothing of what is in them but their heads.
 *
 * The first frame from the hub is FRAME_SETUP, all others are FRAME_PUBLISH, FRAME_ASK and
 * FRAME_ANSWER; anything else ends the process. A batch may be stored twice: the number in its head
 * says so. The process holds at most WINDOW_MAX batches that did not come back and reads no more of
 * the pair then.
 *
 * FRAME_MESSAGE comes for each stored message, once, in the stream's order. A sequence that is not
 * one more than the last means that the stream does not have what is between. A message of no bytes
 * stands for one that is larger than any batch.
 * FRAME_END comes after each connection, when everything is told that the stream had then. Batches
 * are published only from then on, also those that were handed over before.
 *
 * Questions to other nodes go beside the stream, and need no majority, see direct.h.
 */
#ifndef SERVER_CLUSTER_ENGINE_H
#define SERVER_CLUSTER_ENGINE_H

struct proctitle;

/* Speaks with the hub through descriptor 1. mode is the letter of its sandbox (server/sandbox.h).
 * Exits when the hub closes its end: 0; 1 where the hub sends what is no frame, or where there is
 * no such sandbox. */
_Noreturn void engine_main(const struct proctitle *, const char *mode);

#endif
