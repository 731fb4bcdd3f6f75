/*
 * admission.h: which connections are admitted. One beyond -m or -i gets an error line and is
 * closed; the log has one line for each time that the room becomes full.
 *
 * Sessions without a name hold at most a quarter of the places. One more of them ends the oldest of
 * the source that has most (source.h), so strangers cannot keep out a client that gives its name.
 */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capacity.h"
#include "refusal.h"
#include "server/hub/pacing.h"
#include "server/report.h"

struct access;
struct hub;
struct accepted;
struct origin;

/* Zeroed but for the pointers and the limits, nothing has happened yet. */
struct admission {
    struct hub *hub;
    const struct access *access; /* the rules of -A */
    const struct report *report;
    unsigned helpers; /* so many processes look accounts up at once, at most */
    struct capacity capacity;
    size_t most; /* -m; 0: as many as the system allows */
    size_t each; /* -i: connections of one source; 0: no limit */
    bool full;   /* that the room is full was reported, and no client was admitted since */
    struct pacing patience;
    uint64_t waits_since; /* connections stay in the backlog since then; 0: they do not */
    struct refusals refused;
};

/* Finds what the system allows, and reports it where -m wants more. False after a report. */
bool admission_measure(struct admission *, bool privileged);
/* Clients at once: -m, or what the system allows. */
size_t admission_places(const struct admission *);
/* The name of the limit that binds first: "-m", "RLIMIT_NOFILE", ... */
const char *admission_bound(const struct admission *);
/*
 * True if admitting the next connection would end a session that has only just begun and may be
 * about to give its name. The connection stays in the listener's backlog until *until; then the
 * caller asks again. The sum of these waits is bounded, however many connections arrive.
 */
bool admission_waits(struct admission *, uint64_t now, uint64_t *until);
/*
 * Why a client from there is not admitted: by the access rules, a ban or -i; NULL: it is. fd: its
 * socket. counted: one of the connections from there is this one.
 */
const char *admission_refusal(
    const struct admission *, const struct origin *, int fd, bool counted, uint64_t now);
/* Admits a connection or refuses it. Its descriptor is taken in either case. */
void admission_decide(struct admission *, const struct accepted *, uint64_t now);
/* The poller reported this tag. False if it is not a refused connection. */
bool admission_ready(struct admission *, void *tag);
/* Closes refused connections; in how many milliseconds again, -1: no need. */
int admission_turn(struct admission *, uint64_t now);

#endif
