/*
 * local.h: commands that chat executes itself and does not send to the server.
 */
#ifndef CLIENT_LOCAL_H
#define CLIENT_LOCAL_H

#include "../wire/span.h"
#include "view.h"

#include <stdbool.h>

/*
 * Executes a typed line if it is such a command, and adds the answer to out. False: it is not, and
 * the server has to get it.
 */
bool local_command(struct view *, struct span line, struct outbuf *out);

#endif
