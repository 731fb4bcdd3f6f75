/*
 * engine.h: the process between the hub and NATS. It reads the room's stream from a sequence that
 * the hub gives, passes every message to the hub, and publishes the hub's batches. A batch that
 * does not come back is published again, until it does. The engine reads only the heads of batches.
 *
 * The first frame from the hub is FRAME_SETUP, all others are FRAME_PUBLISH, FRAME_ASK,
 * FRAME_ANSWER and FRAME_RENEW; anything else ends the process. A batch may be stored twice; the
 * number in its head tells. With WINDOW_MAX batches that have not come back the process does not
 * read the pair.
 *
 * FRAME_MESSAGE is sent for each stored message, once, in the stream's order. If a sequence is not
 * one more than the last, the stream does not have the messages between. A message without bytes
 * stands for one that is larger than any batch. FRAME_END is sent once for each connection to a
 * server, when all messages that the stream had at that moment have been sent. No batch is
 * published before.
 *
 * Questions to other nodes go beside the stream, and need no majority, see direct.h.
 */
#ifndef SERVER_CLUSTER_ENGINE_H
#define SERVER_CLUSTER_ENGINE_H

struct proctitle;

/* Descriptor 1 is the pair with the hub, mode the letter of the sandbox (server/sandbox.h). Exits
 * with 0 when the hub closes its end, with 1 if the hub sends a malformed frame or the sandbox
 * cannot be entered. */
_Noreturn void engine_main(const struct proctitle *, const char *mode);

#endif
