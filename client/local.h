/*
 * local.h: commands that chat itself obeys, and that the server does not get.
 */
#ifndef CLIENT_LOCAL_H
#define CLIENT_LOCAL_H

#include "../wire/span.h"
#include "view.h"

#include <stdbool.h>

/*
 * A line that was typed. Where it is such a command, does what it says, adds the answer to out, and
 * returns true.
 */
bool local_command(struct view *, struct span line, struct outbuf *out);

#endif
