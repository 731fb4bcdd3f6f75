/*
 * input.h: where the lines to send come from, and what was read of them and is not taken yet.
 *
 * It finds the next bytes for the session, and tells what a user wants besides; what follows from
 * that is the loop's business.
 */
#ifndef CLIENT_INPUT_H
#define CLIENT_INPUT_H

#include "../wire/span.h"
#include "colour.h"
#include "console.h"

/*
 * Keys, and lines of a terminal, that wait for their turn: a large paste while the server takes
 * nothing, and behind it the Ctrl-C of a user who does not want to wait, which can only be found by
 * reading on. What is more stays in the terminal. Memory that was never used costs nothing.
 */
#define INPUT_MAX ((size_t)4 << 20)

enum input_source {
    INPUT_NONE,  /* nothing is read or sent */
    INPUT_PIPE,  /* a stream of lines, as data: colours are taken out of it */
    INPUT_BOT,   /* lines of a bot, which may close it and go on listening */
    INPUT_TYPED, /* lines that the terminal's own line editing hands over */
    INPUT_KEYS,  /* standard input through the console's editor */
    INPUT_TEXTS, /* of the command line */
    INPUT_OVER   /* the end was seen, or no more is wanted */
};

enum input_event {
    INPUT_NOTHING,   /* no more for now */
    INPUT_BYTES,     /* input_pending() has more */
    INPUT_INTERRUPT, /* the user leaves */
    INPUT_ENDED,     /* the end of input */
    INPUT_FAILED     /* errno says why */
};

struct input {
    enum input_source source;
    int fd;                   /* -1: nothing to read, or no more */
    struct span pending;      /* bytes for the session */
    bool lf_due;              /* after these */
    const char *const *texts; /* the next of INPUT_TEXTS, up to texts_end */
    const char *const *texts_end;
    struct colour_filter colour; /* of INPUT_PIPE */
    const char *keys;            /* [keys, keys_end) of INPUT_KEYS are not used up */
    const char *keys_end;
    char bytes[INPUT_MAX];
};

void input_init(struct input *, enum input_source, int fd);
void input_init_texts(struct input *, const char *const *texts, size_t count);

/*
 * True where a pipe or a file is at its end already, and nothing came of it. One whose writer is
 * only silent is not waited for.
 */
bool input_is_empty(struct input *);

/* Bytes for the session that are not taken yet, and that len of them have been. */
struct span input_pending(const struct input *);
void input_take(struct input *, size_t len);
/* Finds more in what has been read. */
enum input_event input_next(struct input *, struct console *);

/* Nothing is wanted from it, or no more. */
bool input_is_over(const struct input *);
/* True where reading can bring something that can be used. */
bool input_can_read(const struct input *);
/*
 * Reads; INPUT_BYTES where something came. The Ctrl-C of a user whose line the session has no room
 * for is found at once: INPUT_INTERRUPT.
 */
enum input_event input_read(struct input *, struct console *);

/* How many lines were read, or stand on the command line, that the session has not taken. */
unsigned long input_lines_left(const struct input *);
/* No more input is wanted: the keyboard goes back. */
void input_stop(struct input *, struct console *);

#endif
