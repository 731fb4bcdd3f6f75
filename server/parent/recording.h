/*
 * recording.h: the transcript's file and the process that writes it (-t). Starts the writer, and
 * another one when it has exited, also because the file was opened anew or the program replaced.
 *
 * The parent keeps the file open, so that another writer needs no open(2): after the start, it
 * never waits for the disk.
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
    const char *path; /* NULL: there is no transcript */
    bool sync;        /* -s */
    bool again;       /* SIGHUP has come while the file was being opened anew */
    bool reported;    /* why the file, or the writer, is missing */
    int file;         /* locked; the writer has it too */
    int next;         /* takes the place of file when the writer has finished; -1: none */
    int opener; /* the hub's end of the pair of a process that opens the file anew; -1: none */
    uint64_t open_at;  /* the next one is not started before that */
    uint64_t start_at; /* nor is the next writer */
};

void recording_init(struct recording *);
/*
 * At the start: opens the file, gives the hub what it can hold of its end, and starts the writer.
 * Returns 0, or the exit status after a report.
 */
int recording_begin(struct recording *);
/* In the program that has taken over: the writer becomes this program too. */
void recording_renew(struct recording *);
/* SIGHUP: opens the file anew, and writes to that one if it is another. */
void recording_reopen(struct recording *, uint64_t now);
/* The process that does it was reaped. */
void recording_opened(struct recording *);
/* Starts what is due; returns in how many milliseconds the next turn is, -1: no need. */
int recording_turn(struct recording *, uint64_t now);
/* At the exit: hands over what the writer does not have yet, and reports what is missing. */
void recording_end(struct recording *);
/* Writes it for the next program, or takes it over; see codec.h. */
void recording_state(struct recording *, struct codec *);

#endif
