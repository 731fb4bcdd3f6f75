/*
 * parent.h: the parts of the parent process, and what they do together. The order of the start and
 * the loop are in chatd.c.
 */
#ifndef SERVER_PARENT_H
#define SERVER_PARENT_H

#include <stdbool.h>
#include <stdint.h>

#include "access_file.h"
#include "accounts.h"
#include "admission.h"
#include "children.h"
#include "display.h"
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

/* All of it. Zeroed but for options and report, nothing has begun. */
struct parent {
    struct options options;
    struct report report;
    struct report_limit strangers; /* of report */
    struct report_loss loss;
    struct notify notify;
    struct poller *poller;
    bool poller_failing; /* which was reported */
    struct listeners listeners;
    struct hub *hub;
    struct children children;
    struct admission admission;
    struct recording recording;
    struct display display;
    struct lifetime lifetime;
    struct handover handover;
    struct pidfile pidfile;
    struct accounts accounts; /* with -a */
    struct access_file access;
    struct secret secret;
    struct greeting greeting;
    int sockets;   /* that the service manager has handed over */
    int detaching; /* of detach_begin(): told when the room is ready; -1: none */
    uint64_t started;
};

/* Gives each part the others that it needs. */
void parent_connect(struct parent *);
/* Makes the poller and an empty room. Returns 0, or the exit status after a report. */
int parent_make_room(struct parent *);

/* SIGUSR1: a report to the operator. */
void parent_report(struct parent *, uint64_t now);
/* SIGHUP: everything that can be read again is. */
void parent_reload(struct parent *, uint64_t now);
/* SIGCHLD: tells each part of its processes that have ended. */
void parent_reap(struct parent *, uint64_t now);

/*
 * Between two turns, when the new program has agreed: becomes it. Returns where that failed after
 * all.
 */
void parent_hand_over(struct parent *);
/*
 * In the new program: the room goes on where the old one left it. Processes may have ended
 * meanwhile: parent_reap() follows. Returns 0, or the exit status after a report.
 */
int parent_take_over(struct parent *, struct codec *);

#endif
