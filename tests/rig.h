/*
 * rig.h: a worker in a process of its own, between a client and a hub that are both this test.
 */
#ifndef RIG_H
#define RIG_H

#include "harness.h"

#include <sys/types.h>

enum rig_kind {
    RIG_STREAMS,
    RIG_CLIENT_CUTS, /* each send of the client's is one read of the worker's (SEQPACKET) */
    RIG_HUB_CUTS,    /* each of the hub's is */
    RIG_TCP          /* the client's connection is one of TCP, which can be reset */
};

/* How long anything may take, times CHATD_PATIENCE. */
#define RIG_PATIENCE_MS 10000
#define TITLE_ROOM 320

/* What has come to the hub and was not taken yet. */
struct received {
    char *bytes;
    size_t len;
    size_t size;
    bool over; /* the end of the stream, or an error */
};

struct rig {
    pid_t pid;
    int client; /* the client's end; -1: closed */
    int shared; /* the hub's copy of the socket that the worker reads; -1: closed */
    int hub;    /* the hub's end of the pair; -1: closed */
    char *title;
    struct received up;
};

/* How a worker is started here. */
struct rig_start {
    enum rig_kind kind;
    bool proxied;           /* a proxy's header comes first */
    const char *mode;       /* NULL: as well as it can be, unless CHATD_OPTIONS says -S off */
    void (*in_child)(void); /* where there is one, it is called in the new process first */
};

/* The letter of the strongest sandbox here, unless CHATD_OPTIONS says -S off. */
char rig_sandbox(void);
#ifdef __linux__
/* No filter is entered by prctl(2) from here on, as another security module might have it. */
void filters_refuse(void);
/* Whether that works here. */
bool filters_can_refuse(void);
#endif

void rig_start_as(struct rig *, const struct rig_start *);
void rig_start(struct rig *, enum rig_kind);
/* Waits for the worker's end, by its wait status, and checks that the client has got nothing. */
void rig_ends_with(struct rig *, int status);
/* The same for a quiet end: exit status 0. */
void rig_ends(struct rig *);
/* The usual end: the client half-closes. */
void rig_finish(struct rig *);
/* Waits until the worker has read all that the client has sent. */
void rig_settles(struct rig *);
/* Waits until one of the two can do what is asked of it; 0 is nothing. */
void rig_wait(struct rig *, short client, short hub, int64_t deadline);
/* Waits until ps(1) would show that. */
void rig_shows(struct rig *, const char *title);

/* Each within a time: these bytes come next, or the end of the pair. */
void hub_expect(struct rig *, const char *);
void hub_expect_bytes(struct rig *, const char *, size_t len);
void hub_expect_end(struct rig *);
/* Reads what is there. */
void hub_read_more(struct rig *);
/* The hub's process dies: both of its descriptors are closed. */
void hub_dies(struct rig *);

/* This comes next, or an orderly end of the stream, within a time. */
void client_expect(struct rig *, const char *);
void client_expect_end(struct rig *);
void client_closes(struct rig *);
/* Closes with a reset instead of an orderly end; needs RIG_TCP. */
void client_resets(struct rig *);

/* Sends it all. */
void fd_give(int fd, const char *bytes, size_t len);
void fd_say(int fd, const char *text);
/* Sends as much as fits, which must be less; the number of bytes. */
size_t fd_stuff(int fd, const char *bytes, size_t len);

#endif
