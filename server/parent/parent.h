/*
 * parent.h: the parts of the parent process, how they are connected, and the actions that concern
 * several of them. The order of the start and the loop are in chatd.c.
 */
#ifndef SERVER_PARENT_H
#define SERVER_PARENT_H

#include <stdbool.h>
#include <stdint.h>

#include "access_file.h"
#include "admission.h"
#include "children.h"
#include "display.h"
#include "engines.h"
#include "greeting_file.h"
#include "handover.h"
#include "lifetime.h"
#include "listener.h"
#include "notify.h"
#include "options.h"
#include "pidfile.h"
#include "recording.h"
#include "secret.h"
#include "server/report.h"

struct hub;
struct poller;

/* All state of the process. Set options and report, and zero the rest. */
struct parent {
    struct options options;
    struct report report;
    struct report_limit strangers; /* of report */
    struct report_loss loss;
    struct report_queue queue;
    struct notify notify;
    struct poller *poller;
    bool poller_failing; /* the poller's failure was reported */
    bool ready;          /* clients are admitted */
    struct listeners listeners;
    struct hub *hub;
    struct children children;
    struct admission admission;
    struct recording recording;
    struct engines engines;
    struct display display;
    struct lifetime lifetime;
    struct handover handover;
    struct pidfile pidfile;
    struct access_file access;
    struct secret secret;
    struct greeting greeting;
    int sockets;   /* how many the service manager has passed */
    int detaching; /* of detach_begin(), for detach_finish(); -1: none */
    uint64_t started;
};

/* Gives each part the others that it needs. */
void parent_connect(struct parent *);
/* Makes the poller and an empty room. Returns 0, or the exit status after a report. */
int parent_make_room(struct parent *);

/* SIGUSR1: a report to the operator. */
void parent_report(struct parent *, uint64_t now);
/* SIGHUP: opens the transcript again and reads the files of the options again. */
void parent_reload(struct parent *, uint64_t now);
/* SIGCHLD: reaps the processes that have ended, each by the part that it belongs to. */
void parent_reap(struct parent *, uint64_t now);

/*
 * SIGUSR2, once the new program has agreed, between two turns: executes it. Returns if that failed.
 */
void parent_hand_over(struct parent *);
/*
 * In the new program: decodes the state and goes on. Processes may have ended meanwhile, so the
 * caller must call parent_reap(). Returns 0, or the exit status after a report.
 */
int parent_take_over(struct parent *, struct codec *);

#endif
