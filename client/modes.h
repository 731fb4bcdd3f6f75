/*
 * modes.h: changes and restores the modes of the terminal on standard input.
 */
#ifndef CLIENT_MODES_H
#define CLIENT_MODES_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum modes_editing {
    MODES_KERNEL, /* the kernel edits lines; Ctrl-C ends one, as Return does, and is its last byte,
                     so that it has its place among the keys, and is no signal */
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

/* True for the byte that Ctrl-C is, or what the user has in its place (stty intr). */
bool modes_is_interrupt(const struct modes *, char);

/*
 * In the foreground, discards what was typed and not read, also an unfinished line. Returns the
 * number of lines.
 */
unsigned long modes_drop_typed(void);

#endif
