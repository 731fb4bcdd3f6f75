/*
 * mention.h: whether a text mentions a name.
 */
#ifndef CLIENT_MENTION_H
#define CLIENT_MENTION_H

#include "../wire/span.h"

#include <stdbool.h>

/* True if the text contains the name, which is not empty, as a word, in any ASCII case. */
bool text_mentions(struct span text, const char *name);

#endif
