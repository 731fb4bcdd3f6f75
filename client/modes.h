/*
 * modes.h: the modes of the terminal at standard input, changed and put back.
 */
#ifndef CLIENT_MODES_H
#define CLIENT_MODES_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum modes_editing {
    MODES_KERNEL, /* the kernel edits lines; Ctrl-C leaves what is half typed to modes_drain() */
    MODES_EDITOR  /* every byte is read as it comes, Ctrl-C, Ctrl-Z, Ctrl-S and Ctrl-Q too */
};

/* Zeroed memory has changed nothing. */
struct modes {
    struct termios before; /* as they were found */
    bool changed;          /* and are not now */
};

/* Also to be called where a shell may have changed them since. */
void modes_take(struct modes *, enum modes_editing);
/*
 * Puts them back as they were, in the background too. drops: what the terminal has of a paste goes.
 * Neither waits for a terminal that is held.
 */
void modes_give(struct modes *, bool drops);

/* Reads what the kernel holds, finished or not; the number of bytes. */
size_t modes_drain(char *bytes, size_t size);

#endif
