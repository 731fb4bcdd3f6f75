/*
 * watch.h: what the poller's tags point to: which of the hub's descriptors an event is about. It is
 * embedded in the record that the descriptor belongs to.
 */
#ifndef SERVER_HUB_WATCH_H
#define SERVER_HUB_WATCH_H

enum watch_kind {
    WATCH_CLIENT, /* a client's socket: in struct output */
    WATCH_PAIR,   /* the pair to a worker: in struct worker */
    WATCH_WRITER, /* the pair to the transcript's writer: in struct journal */
    WATCH_ENGINE, /* the pair to the engine: in struct engine_end */
    WATCH_ACCOUNT /* the pair to a helper that looks an account up: in struct account */
};

struct watch {
    enum watch_kind kind;
    short events; /* what the poller was told to wait for */
};

#endif
