/*
 * rig.h: a worker in a process of its own, between a client and a hub that are both this test.
 */
#ifndef RIG_H
#define RIG_H

#include "harness.h"

#include <sys/types.h>

/* The worker is caged unless CHATD_OPTIONS says -S off: a sanitizer's calls are not allowed. */
enum rig_kind {
    RIG_STREAMS,
    RIG_CLIENT_CUTS, /* the client's end keeps the borders of what was sent (SEQPACKET) */
    RIG_HUB_CUTS,    /* the hub's does */
    RIG_TCP          /* the client is one of TCP */
};

/* How long anything may take on a busy machine. */
#define RIG_PATIENCE_MS 10000
#define TITLE_ROOM 200

/* What has come through one of the two ends. */
struct heard {
    char *bytes;
    size_t len;
    size_t size;
    bool over; /* the end of the stream, or an error */
    int error;
};

struct rig {
    pid_t pid;
    int client; /* the client's end; -1: closed */
    int hub;    /* the hub's; -1: closed */
    char *title;
    struct heard up;   /* by the hub */
    struct heard down; /* by the client */
};

#define rig_start(rig, kind) rig_start_as((rig), (kind), NULL)
/* in_child, where there is one, is called in the new process first. */
void rig_start_as(struct rig *, enum rig_kind, void (*in_child)(void));
/* Waits for the worker's end, which is a quiet one, with status 0. */
void rig_ends(struct rig *);
/* The usual end: the client's goodbye, then the hub's. */
void rig_finish(struct rig *);

/* Each within a time: these bytes come next, or the end, an orderly one for the client. */
void hub_hears(struct rig *, const char *);
void hub_hears_bytes(struct rig *, const char *, size_t len);
void hub_hears_end(struct rig *);
void client_hears(struct rig *, const char *);
void client_hears_bytes(struct rig *, const char *, size_t len);
void client_hears_end(struct rig *);
void client_closes(struct rig *);

/* Sends it all. */
void fd_give(int fd, const char *bytes, size_t len);
void fd_say(int fd, const char *text);
/* Reads what is there. */
void heard_more(struct heard *, int fd);
/* Waits until either end has something, or can be written to where that is wanted. */
void rig_wait(struct rig *, short client, short hub, int64_t deadline);

#endif
