/*
 * ask.h: asks for a name on the terminal, before anything else is there.
 */
#ifndef CLIENT_ASK_H
#define CLIENT_ASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Puts the answer, a line, into answer. Returns -1, or the exit status where there is none: the
 * user leaves, or it is deadline (clock.h).
 */
int ask_name(int64_t deadline, char *answer, size_t size);

#endif
