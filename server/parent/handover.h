/*
 * handover.h: SIGUSR2: the server executes the program that is now installed, and goes on as it.
 *
 * First a child executes the new program, which tells by its exit status whether it can read this
 * version of the state. Then the state is written to a file without a name, and the server executes
 * the new program with all descriptors open, that file's among them. The process ID, the workers
 * and every connection stay. The file holds:
 *
 *   HANDOVER_VERSION, the time, then what parent_state() in parent.c writes, see codec.h
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "children.h"
#include "server/hub/codec.h"
#include "server/report.h"

/* Incremented with every change of the state's format. */
#define HANDOVER_VERSION 10

enum handover_step {
    HANDOVER_NONE,
    HANDOVER_ASKING,       /* the new program was started to answer */
    HANDOVER_ASKING_AGAIN, /* SIGUSR2 came meanwhile: ask once more, another may be installed */
    HANDOVER_AGREED        /* it can read the state and is to be executed */
};

/* Set children, report and program, and zero the rest: no upgrade is under way. */
struct handover {
    struct children *children;
    const struct report *report;
    enum handover_step step;
    uint64_t until;     /* deadline of the answer */
    uint64_t since;     /* in the new program: when the old one stopped serving */
    char program[4096]; /* where it is installed; empty: not known */
};

/* In the child that executes the new program: exits with the answer. */
_Noreturn void handover_answer(const char *version);

/* Starts the question. If one is under way and its answer is no, another one follows. */
void handover_ask(struct handover *, uint64_t now);
/* The child has ended with that status of waitpid(2). */
void handover_answered(struct handover *, int status);
/* Kills a child that does not answer. Returns in how many milliseconds to call it again, -1: none.
 */
int handover_turn(struct handover *, uint64_t now);

/* Writes all state of the server to the codec, or takes it over; false where that failed. */
typedef bool handover_state(void *context, struct codec *);

/*
 * Writes the state and executes the program with these arguments. Returns, after a report, only
 * where that failed; the descriptors are this program's alone again.
 */
void handover_exec(struct handover *h, handover_state *state, void *context, char *const argv[]);

/*
 * In the new program: reads the state that was handed over into an empty codec (its buf is the
 * caller's to free). False where there is none: an ordinary start. A state that cannot be read is
 * bad.
 */
bool handover_arrives(struct codec *);
/* Takes it over and frees it. Returns 0, or the exit status after a report. */
int handover_read(struct handover *, struct codec *, handover_state *, void *context);

#endif
