/*
 * handover.h: SIGUSR2: the server becomes the program that is now installed, and goes on.
 *
 * First the new program is asked, by a start of its own, whether it understands the form in which
 * the state is handed over. Then the state is written to a file without a name, whose descriptor
 * goes to the new program with all others, by an exec. The process, its workers and every
 * connection stay. The form:
 *
 *   HANDOVER_VERSION, then what state() in chatd.c writes, see codec.h
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "server/hub/codec.h"
#include "server/report.h"

/* Counts up with every change of the form. */
#define HANDOVER_VERSION 3

enum handover_step {
    HANDOVER_NONE,
    HANDOVER_ASKING,       /* the new program is asked */
    HANDOVER_ASKING_AGAIN, /* and once more after that: it may be another one by now */
    HANDOVER_AGREED        /* it is ready to be executed */
};

/* Zeroed but for children, report and program, nothing is under way. */
struct handover {
    struct children *children;
    const struct report *report;
    enum handover_step step;
    uint64_t until;     /* when the program that is asked must have answered */
    uint64_t since;     /* in the new program: when the old one stood still */
    char program[4096]; /* where it is installed; empty: not known */
};

/* In the process that is asked: exits with the answer. */
_Noreturn void handover_answer(const char *version);

/* Asks the program; if one is being asked, and does not agree, once more after that. */
void handover_ask(struct handover *, uint64_t now);
/* The process that was asked has ended with that status of waitpid(2). */
void handover_answered(struct handover *, int status);
/* Kills a process that does not answer, asks again; in how many milliseconds again, -1: no need. */
int handover_turn(struct handover *, uint64_t now);

/* Writes all state of the server to the codec, or takes it over; false where that failed. */
typedef bool handover_state(void *context, struct codec *);

/*
 * Writes the state and executes the program with these arguments. Returns, after a report, only
 * where that failed; the descriptors are this program's alone again.
 */
void handover_exec(struct handover *, handover_state *, void *context, char *const argv[]);

/*
 * In the new program: reads the state that was handed over into an empty codec (its buf is the
 * caller's to free). False where there is none: an ordinary start. A state that cannot be read is
 * bad.
 */
bool handover_arrives(struct codec *);
/* Takes it over and frees it. Returns 0, or the exit status after a report. */
int handover_read(struct handover *, struct codec *, handover_state *, void *context);

#endif
