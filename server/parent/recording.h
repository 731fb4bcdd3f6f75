/*
 * recording.h: the transcript's file and the process that writes it (-t). Starts the writer, and
 * the next one after it has exited: because it died, because the file was opened again (SIGHUP), or
 * because the program was replaced (SIGUSR2).
 *
 * The parent keeps the file open, so that the next writer needs no open(2), which could wait for
 * the disk.
 */
#ifndef SERVER_RECORDING_H
#define SERVER_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "server/report.h"

struct codec;
struct hub;
struct notify;

/* recording_init() first; then the pointers and sync are set. */
struct recording {
    struct children *children;
    struct hub *hub;
    const struct report *report;
    const struct notify *notify;
    const char *path;  /* NULL: there is no transcript */
    bool sync;         /* -s */
    bool again;        /* SIGHUP came while an opener was running */
    bool reported;     /* the present failure to open the file or to start a writer was logged */
    int file;          /* locked; the writer has it too */
    int next;          /* replaces file when the writer has finished; -1: none */
    int opener;        /* our end of the opener's pair; -1: none is running */
    uint64_t open_at;  /* earliest time of the next opener */
    uint64_t start_at; /* earliest time of the next writer */
};

void recording_init(struct recording *);
/*
 * At the start: opens the file, reads its end back into the hub's log, starts the writer, and waits
 * until it has begun, for 10 s at most. Returns 0, or the exit status after a report.
 */
int recording_begin(struct recording *);
/* Replaces the writer when it has finished: by one of this program after an upgrade. */
void recording_renew(struct recording *);
/* SIGHUP: opens the path again, and changes to that file if it is another one. */
void recording_reopen(struct recording *, uint64_t now);
/* The opener was reaped: takes its result. */
void recording_opened(struct recording *);
/* Starts processes that are due. Returns in how many milliseconds to call it again, -1: no need. */
int recording_turn(struct recording *, uint64_t now);
/* At the exit: leaves unwritten lines to a remainder process, and reports what will be missing. */
void recording_end(struct recording *);
/* Writes it for the next program, or takes it over; see codec.h. */
void recording_state(struct recording *, struct codec *);

#endif
