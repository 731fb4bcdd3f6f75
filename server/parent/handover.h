/*
 * handover.h: SIGUSR2: the server becomes the program that is now installed, and goes on.
 *
 * First the new program is asked, by a start of its own, whether it understands the form in which
 * the state is handed over. Then the state is written to a file without a name, whose descriptor
 * goes to the new program with all others, by an exec. The process, its workers and every
 * connection stay. The form:
 *
 *   HANDOVER_VERSION, then what parent_state() in chatd.c and hub_state() write, see codec.h
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/hub/codec.h"
#include "server/report.h"

/* Counts up with every change of the form. */
#define HANDOVER_VERSION 1
/* The name under which a program is asked: argv[1] is the version. */
#define HANDOVER_QUESTION "chatd: handover"

/* Zeroed but for program, nothing is under way. */
struct handover {
    char program[4096]; /* where it is installed; empty: not known */
    pid_t asking;       /* who is asked now; 0: nobody */
    uint64_t until;     /* and must have answered by then */
    bool again;         /* the program may be another one by now: it is asked after that answer */
    bool agreed;        /* the new program is ready to be executed */
};

/* Exits with the answer to the question. */
_Noreturn void handover_answer(const char *version);

/* Asks; where somebody is being asked, and does not agree, once more after that. */
void handover_ask(struct handover *, const struct report *, uint64_t now);
/* A child has ended; true where it was the one that was asked. */
bool handover_reaped(struct handover *, pid_t, int status, const struct report *);
/* Kills one who does not answer, asks again; in how many milliseconds again, -1: no need. */
int handover_turn(struct handover *, const struct report *, uint64_t now);

/*
 * Executes the program with these arguments and the state in codec. Returns, after a report, only
 * where that failed.
 */
void handover_exec(
    struct handover *, const struct codec *, char *const argv[], const struct report *);

/*
 * In the new program: reads the state that was handed over into an empty codec (its buf is the
 * caller's to free). False where there is none: an ordinary start. A state that cannot be read is
 * bad.
 */
bool handover_arrives(struct codec *);

#endif
