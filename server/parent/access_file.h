/*
 * access_file.h: the file of -A: read at the start, and again at SIGHUP by a process of its own,
 * for a lookup of a login can wait for a network.
 */
#ifndef SERVER_ACCESS_FILE_H
#define SERVER_ACCESS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "children.h"
#include "server/report.h"

struct codec;

/* Zeroed but for path, children, report and answer -1, nothing was read. */
struct access_file {
    const char *path; /* NULL: there is none, and every client is admitted */
    struct children *children;
    const struct report *report;
    struct access rules; /* in force */
    int answer;          /* what the process that reads it fills; -1: there is none */
    bool again;          /* once more after that: it may be another file by now */
    uint64_t until;      /* when it must have answered */
};

/* The process that reads the file: writes what it finds to descriptor 0. */
_Noreturn void access_file_main(const char *path);

/* At the start. Returns 0, or the exit status after a report. */
int access_file_load(struct access_file *);
/* SIGHUP: starts the process. */
void access_file_reload(struct access_file *, uint64_t now);
/*
 * The process has ended. True where there are new rules now; else, after a report, the old ones
 * stay in force.
 */
bool access_file_answered(struct access_file *, uint64_t now);
/* Ends a process that does not answer; in how many milliseconds again, -1: no need. */
int access_file_turn(struct access_file *, uint64_t now);
/* Writes all of it for the next program, or takes it over; see codec.h. */
void access_file_state(struct access_file *, struct codec *);
void access_file_free(struct access_file *);

#endif
