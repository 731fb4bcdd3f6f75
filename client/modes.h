/*
 * modes.h: changes and restores the modes of the terminal on standard input.
 */
#ifndef CLIENT_MODES_H
#define CLIENT_MODES_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum modes_editing {
    MODES_KERNEL, /* the kernel edits lines; Ctrl-C leaves the input queue for modes_drain() */
    MODES_EDITOR  /* every byte is read at once, also Ctrl-C, Ctrl-Z, Ctrl-S and Ctrl-Q */
};

/* Zeroed memory: the modes are unchanged. */
struct modes {
    struct termios before; /* the modes before the first change */
    bool changed;
};

/* Sets the modes; again, after a shell may have changed them. */
void modes_take(struct modes *, enum modes_editing);
/*
 * Restores the modes, also in the background. drops: discards the input queue. Neither function
 * waits for a stopped terminal.
 */
void modes_give(struct modes *, bool drops);

/* Reads the input queue, including an unfinished line. Returns the number of bytes. */
size_t modes_drain(char *bytes, size_t size);

/* The same in the foreground, discarding what it reads. Returns the number of lines. */
unsigned long modes_drop_typed(void);

#endif
