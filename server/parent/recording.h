/*
 * recording.h: keeps the transcript's writer running (-t): the first one at the start, another one
 * when it has died.
 */
#ifndef SERVER_RECORDING_H
#define SERVER_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "server/report.h"

struct codec;
struct hub;

/* Zeroed but for the pointers and sync, no writer was started yet. */
struct recording {
    struct children *children;
    struct hub *hub;
    const struct report *report;
    const char *path; /* NULL: there is no transcript */
    bool sync;        /* -s */
    bool missing;     /* the last start failed */
    uint64_t begun;   /* when the last start was */
    uint64_t due;     /* when the next one is; 0: the writer runs, or there is none */
};

/*
 * At the start: gives the hub the end of the file, as far as its log holds it, and starts the
 * writer. Returns 0, or the exit status after a report.
 */
int recording_begin(struct recording *);
/* The writer was reaped. Another one follows at once, but at most one a second is started. */
void recording_died(struct recording *);
/* Starts the writer where it is due; in how many milliseconds again, -1: no need. */
int recording_turn(struct recording *, uint64_t now);
/* Writes it for the next program, or takes it over; see codec.h. */
void recording_state(struct recording *, struct codec *);

#endif
